"""Comparing runs over seeds: means, spreads, and which differences are larger than chance.

A network that is trained again from another seed comes out differently. With the figures of several seeds on either
side, the interval of Welch for the difference of two means tells whether the settings differ, or the seeds alone could
have done it. Few seeds make wide intervals: with three, Student's factor is above four.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats


@dataclass(frozen=True)
class Spread:
    """Figures of several seeds.

    Attributes
    ----------
    count : int
    mean, deviation, lowest, highest : float
        `deviation` is the sample's (divided by one less than the count); NaN of a single value.
    """

    count: int
    mean: float
    deviation: float
    lowest: float
    highest: float


def spread(values: Sequence[float]) -> Spread:
    """Describe the figures of several seeds.

    Raises
    ------
    ValueError
        If there are none, or one is not finite.

    Examples
    --------
    >>> spread([0.5, 0.75, 1.0])
    Spread(count=3, mean=0.75, deviation=0.25, lowest=0.5, highest=1.0)
    """
    found = np.asarray(values, dtype=np.float64)
    if not found.size or not np.isfinite(found).all():
        raise ValueError(f"values {list(values)}; expected one or more finite numbers")
    deviation = float(found.std(ddof=1)) if found.size > 1 else float("nan")
    return Spread(len(found), float(found.mean()), deviation, float(found.min()), float(found.max()))


@dataclass(frozen=True)
class Difference:
    """Difference of two means, with its 95 % interval (Welch 1947).

    Attributes
    ----------
    value, low, high : float
        `low` and `high` are NaN where a side has a single seed, or where the seeds of neither side differ: that tells
        of coarse figures (few test pairs), not of certainty.
    """

    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def difference(values: Sequence[float], base: Sequence[float], confidence: float = 0.95) -> Difference:
    """How far the mean of some figures lies above that of others.

    Parameters
    ----------
    values, base : sequence of float
        Of independent seeds.
    confidence : float

    Examples
    --------
    >>> found = difference([3.0, 4.0, 5.0], [1.0, 2.0, 3.0])  # both deviate by 1: four degrees of freedom
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3), found.holds
    (2.0, -0.267, 4.267, False)
    """
    one, other = spread(values), spread(base)
    value = one.mean - other.mean
    if min(one.count, other.count) < 2:
        return Difference(value, float("nan"), float("nan"))
    parts = np.array([one.deviation**2 / one.count, other.deviation**2 / other.count])
    if parts.sum() == 0:
        return Difference(value, float("nan"), float("nan"))
    freedom = parts.sum() ** 2 / (parts**2 / np.array([one.count - 1, other.count - 1])).sum()
    reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, freedom) * np.sqrt(parts.sum()))
    return Difference(value, value - reach, value + reach)
