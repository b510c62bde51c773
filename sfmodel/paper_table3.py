"""The page's part on Table III: the reduced model's columns, over seeds, beside the printed ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from sfmodel.markdown import NONE, share, spread, table
from sfmodel.paper import BASE_RUN, PRINTED_TABLE_3, Printed
from sfmodel.paper_results import Experiment, Run

STORES = {"onset": "by onset", "scale": "by recording"}
BATCHES = ("batch-4", "batch-8", "batch-16", "batch-32")


@dataclass(frozen=True)
class Difference:
    """Difference of the means of two columns, with Welch's 95 % interval.

    Attributes
    ----------
    value, low, high : float
        The bounds are NaN where a side has fewer than two seeds.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low))

    @property
    def holds(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.known and (self.low > 0 or self.high < 0)


def welch_difference(one: Sequence[float], base: Sequence[float]) -> Difference:
    """Mean of `one` minus mean of `base`, with the 95 % interval of Welch's t-test (unequal variances).

    Parameters
    ----------
    one, base : sequence of float
        A figure of independent seeds.

    Raises
    ------
    ValueError
        If a side is empty.

    Examples
    --------
    >>> welch_difference([0.5, 0.6], [0.1, 0.2]).holds
    False
    >>> welch_difference([0.50, 0.51, 0.52], [0.1, 0.11, 0.12]).holds
    True
    """
    if not len(one) or not len(base):
        raise ValueError(f"{len(one)} and {len(base)} values to compare; expected at least one each")
    value = float(np.mean(one) - np.mean(base))
    if min(len(one), len(base)) < 2:
        return Difference(value, np.nan, np.nan)
    from scipy.stats import t

    shares = [float(np.var(values, ddof=1)) / len(values) for values in (one, base)]
    error = sum(shares)
    if error <= 0:  # both sides do not scatter at all
        return Difference(value, value, value)
    freedom = error**2 / sum(part**2 / (len(values) - 1) for part, values in zip(shares, (one, base), strict=True))
    reach = float(t.ppf(0.975, freedom)) * error**0.5
    return Difference(value, value - reach, value + reach)


def rates(runs: Sequence[Run], split: str, key: str = "bucket1") -> list[float]:
    """A figure of all runs that were evaluated there."""
    return [value for run in runs if (value := run.rate(split, key=key)) is not None]


def table3_text(experiment: Experiment) -> str:
    """All of it: a table for each split, what holds, and how much the split by onset flatters."""
    parts = []
    for store in experiment.stores:
        parts += [f"### Split {STORES.get(store, f'of the store {store}')}", store_table(experiment, store)]
        parts.append(differences_text(experiment, store))
    if set(STORES) <= set(experiment.stores):
        parts += ["### How much the split by onset flatters", flattery_text(experiment)]
    return "\n\n".join(parts)


def ended_text(runs: Sequence[Run]) -> str:
    """How runs ended, counted.

    Examples
    --------
    >>> ended_text([])
    '–'
    """
    ends = sorted(run.ended for run in runs)
    return ", ".join(f"{len(list(same))} {end}" for end, same in groupby(ends)) or NONE


def store_table(experiment: Experiment, store: str) -> str:
    """The columns of Table III as rows: printed and ours on one split, the matched filter last."""
    rows = []
    for printed in PRINTED_TABLE_3:
        runs = experiment.of(printed.run, store)
        rows.append(
            [
                printed.label,
                *(NONE if printed.epochs is None else str(printed.epochs), spread([run.epochs for run in runs], 0)),
                *(share(printed.train, 2), spread(rates(runs, "train"))),
                *(share(printed.test, 2), spread(rates(runs, "test")), spread(rates(runs, "test", "bucket2"))),
                *(str(len(runs)), ended_text(runs)),
            ]
        )
    train, test = (experiment.baseline(store, split) for split in ("train", "test"))
    if train or test:
        values = [share(figures and figures[key]) for figures, key in ((train, "bucket1"), (test, "bucket1"))]
        bucket2 = share(test and test["bucket2"])
        rows.append(["**matched filter**, no training", NONE, NONE, NONE, values[0], NONE, values[1], bucket2, NONE, NONE])
    header = ["", "epochs, paper", "epochs", "train, paper", "train", "test, paper", "test", "test, bucket 2"]
    known = "Means over seeds, in brackets the lowest and the highest; without “paper” the numbers are ours."
    missing = [printed.run for printed in PRINTED_TABLE_3 if not experiment.of(printed.run, store)]
    if missing:
        known += f" Not run on this split: {', '.join(missing)}."
    return table([*header, "seeds", "ended by"], rows) + "\n\n" + known


def differences_text(experiment: Experiment, store: str) -> str:
    """Which columns differ from the first one by more than seeds scatter; made of the numbers alone."""
    base = rates(experiment.of(BASE_RUN, store), "test")
    if not base:
        return f"Without runs of {BASE_RUN} there is nothing to compare the columns with."
    compared: list[tuple[Printed, Difference]] = []
    for printed in PRINTED_TABLE_3:
        values = rates(experiment.of(printed.run, store), "test")
        if printed.run != BASE_RUN and values:
            compared.append((printed, welch_difference(values, base)))
    if not compared:
        return f"Only {BASE_RUN} was run."
    (first,) = (printed for printed in PRINTED_TABLE_3 if printed.run == BASE_RUN)
    rows = []
    for printed, difference in compared:
        theirs = NONE if printed.test is None or first.test is None else f"{printed.test - first.test:+.2f}"
        interval = f"{difference.low:+.3f} to {difference.high:+.3f}" if difference.known else NONE
        answer = ("yes" if difference.holds else "no") if difference.known else "cannot be told"
        rows.append([printed.label, theirs, f"{difference.value:+.3f}", interval, answer])
    header = [f"test accuracy minus that of {first.label}", "paper", "ours", "95 % interval (Welch)", "holds"]
    return table(header, rows) + "\n\n" + _verdict(compared) + _scatter(experiment, store)


def _verdict(compared: Sequence[tuple[Printed, Difference]]) -> str:
    """Say which differences hold, and how many would by chance."""
    known = [(printed, difference) for printed, difference in compared if difference.known]
    if not known:
        return "With a single seed nothing can be said about which differences hold."
    holding = [(printed.label, difference) for printed, difference in known if difference.holds]
    others = [printed.label for printed, difference in known if not difference.holds]
    parts = []
    for direction, sign in (("worse", -1), ("better", 1)):
        named = [f"{label} ({d.value:+.3f})" for label, d in holding if np.sign(d.value) == sign]
        if named:
            parts.append(f"{direction} than {BASE_RUN} by more than seeds scatter: {', '.join(named)}")
    sentence = f"{'; '.join(parts)}." if parts else "no column differs from batch-4 by more than seeds scatter."
    sentence = sentence[0].upper() + sentence[1:]
    if others:
        sentence += f" Not told apart from it: {', '.join(others)}."
    return sentence + (
        f" With {len(known)} comparisons at 95 %, {0.05 * len(known):.1f} would seem to hold by chance alone; with few "
        "seeds a difference that does not hold may still be there."
    )


def _scatter(experiment: Experiment, store: str) -> str:
    """Compare the scatter of seeds with the paper's differences between batch sizes."""
    columns = [rates(experiment.of(name, store), "test") for name in BATCHES]
    ranges = [max(values) - min(values) for values in columns if len(values) > 1]
    if not ranges:
        return ""
    printed = [column.test for column in PRINTED_TABLE_3 if column.run in BATCHES and column.test is not None]
    reach = max(printed) - min(printed)
    return (
        f" From seed to seed alone, test accuracy of one batch size ranges over {max(ranges):.3f} at most (over "
        f"{np.mean(ranges):.3f} in the mean); the paper's four batch sizes, one run each, over {reach:.2f}."
    )


def flattery_text(experiment: Experiment) -> str:
    """Test accuracy by onset minus by recording, for every column run on both."""
    rows, gaps = [], []
    for printed in PRINTED_TABLE_3:
        onset, scale = (rates(experiment.of(printed.run, store), "test") for store in STORES)
        if onset and scale:
            difference = welch_difference(onset, scale)
            gaps.append(difference.value)
            interval = f"{difference.low:+.3f} to {difference.high:+.3f}" if difference.known else NONE
            rows.append([printed.label, spread(onset), spread(scale), f"{difference.value:+.3f}", interval])
    if not gaps:
        return "No column was run on both splits."
    filters = [experiment.baseline(store, "test") for store in STORES]
    if filters[0] and filters[1]:
        one, other = (float(figures["bucket1"]) for figures in filters if figures)
        rows.append(["**matched filter**", share(one), share(other), f"{one - other:+.3f}", NONE])
    mean = sum(gaps) / len(gaps)
    verb = "higher" if mean > 0 else "lower"
    return (
        table(["test accuracy", "by onset", "by recording", "difference", "95 % interval (Welch)"], rows)
        + f"\n\nIn the mean over {len(gaps)} {'column' if len(gaps) == 1 else 'columns'}, test accuracy is "
        f"{abs(mean):.3f} {verb} where the split is by onset. The test pairs are others, too, so a part of this may be "
        "that one set is harder: the matched filter, which cannot remember anything, tells by how much."
    )
