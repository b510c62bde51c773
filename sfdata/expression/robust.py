"""Statistics that a few wrong values don't spoil; each is NaN where there is too little to tell."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAD_TO_SD = 1.4826  # of a normal distribution
SHORTEST_RUN_S = 0.05  # between two points nearer than this a slope says nothing


def known(values: ArrayLike) -> FloatArray:
    """Values that are not NaN."""
    array = np.asarray(values, dtype=np.float64)
    return array[~np.isnan(array)]


def quantile(values: ArrayLike, percent: float, least: int = 3) -> float:
    """A percentile of the known values, if there are at least `least`."""
    kept = known(values)
    return float(np.percentile(kept, percent)) if len(kept) >= least else float("nan")


def robust_sd(values: ArrayLike, centre: float | None = None) -> float:
    """Standard deviation as the median distance from the median (or from `centre`) tells it.

    Examples
    --------
    >>> round(robust_sd([-1.0, 0.0, 1.0, 1000.0, -1000.0]), 4)
    1.4826
    """
    kept = known(values)
    if len(kept) < 3:
        return float("nan")
    return float(MAD_TO_SD * np.median(np.abs(kept - (np.median(kept) if centre is None else centre))))


def share(condition: ArrayLike) -> float:
    """Part of the cases in which something holds."""
    cases = np.asarray(condition, dtype=bool)
    return float(cases.mean()) if len(cases) else float("nan")


def autocorrelation(values: FloatArray, lag: int, least: int = 8) -> float:
    """Correlation of a series with itself `lag` places later, over the pairs that are both known."""
    first, second = values[:-lag], values[lag:]
    both = ~np.isnan(first) & ~np.isnan(second)
    if both.sum() < least or np.ptp(first[both]) == 0 or np.ptp(second[both]) == 0:
        return float("nan")
    return float(np.corrcoef(first[both], second[both])[0, 1])


def line_slope(x: FloatArray, y: FloatArray, most: int = 60) -> float:
    """Slope of a line through points: the median of the slopes between pairs, weighted by distance (Sen, 1968).

    Parameters
    ----------
    x, y : ndarray, shape (points,)
        `x` ascending.
    most : int
        Of more points than this, as many are taken, evenly.

    Examples
    --------
    >>> line_slope(np.arange(6.0), np.array([0.0, 2.0, 4.0, 99.0, 8.0, 10.0]))
    2.0
    """
    if len(x) > most:
        taken = np.linspace(0, len(x) - 1, most).astype(int)
        x, y = x[taken], y[taken]
    first, second = np.triu_indices(len(x), 1)
    run = x[second] - x[first]
    far = run > SHORTEST_RUN_S
    if not far.any():
        return float("nan")
    slopes, weight = (y[second] - y[first])[far] / run[far], run[far]
    order = np.argsort(slopes)
    reached = np.cumsum(weight[order])
    return float(slopes[order][np.searchsorted(reached, reached[-1] / 2)])


def mean_square_difference(values: FloatArray, lag: int, least: int = 8) -> float:
    """Mean square of what a series changes over `lag` places, changes beyond three robust deviations being cut."""
    change = known(values[lag:] - values[:-lag]) if len(values) > lag else np.empty(0)
    if len(change) < least:
        return float("nan")
    return float(np.mean(np.minimum(change**2, (3 * robust_sd(change, 0.0)) ** 2)))


def fit_walk(lag_s: ArrayLike, square_difference: ArrayLike) -> dict[str, float]:
    """Fit a random walk with mean reversion, and noise without memory, to mean square differences.

    The Ornstein-Uhlenbeck process with standard deviation d and memory T changes over a time t by
    2 d² (1 − exp(−t / T)) in the mean square; noise of standard deviation n adds 2 n² at every lag.

    Parameters
    ----------
    lag_s, square_difference : array_like, shape (lags,)
        Those that are NaN or 0 are left out.

    Returns
    -------
    dict
        ``deviation`` (of the walk), ``memory_s``, ``step`` (of the walk, per square root of a second: its deviation
        times √(2 / memory)), ``noise``. All NaN with fewer than four lags.

    Examples
    --------
    >>> lag_s = np.array([1.0, 2, 4, 8, 16, 32])
    >>> fit = fit_walk(lag_s, 2 * 0.1**2 * (1 - np.exp(-lag_s / 8)) + 2 * 0.05**2)
    >>> {key: round(value, 2) for key, value in fit.items()}
    {'deviation': 0.1, 'memory_s': 8.0, 'step': 0.05, 'noise': 0.05}
    """
    from scipy.optimize import nnls

    lags, squares = np.asarray(lag_s, dtype=np.float64), np.asarray(square_difference, dtype=np.float64)
    usable = squares > 0
    lags, squares = lags[usable], squares[usable]
    if len(lags) < 4:
        return dict.fromkeys(("deviation", "memory_s", "step", "noise"), float("nan"))
    best: tuple[float, float, Any] = (np.inf, 0.0, None)
    for memory_s in np.geomspace(lags.min() / 4, 4 * lags.max(), 1000):
        parts = np.stack([2 * (1 - np.exp(-lags / memory_s)), np.full(len(lags), 2.0)], axis=1)
        variances, distance = nnls(parts / squares[:, None], np.ones(len(lags)))  # relative errors count
        if distance < best[0]:
            best = (float(distance), float(memory_s), variances)
    _, memory_s, (walk, noise) = best
    return {
        "deviation": float(np.sqrt(walk)),
        "memory_s": memory_s,
        "step": float(np.sqrt(2 * walk / memory_s)),
        "noise": float(np.sqrt(noise)),
    }
