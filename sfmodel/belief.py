"""Beliefs: what probabilities over a reference's frames say about a place, and whether they can be believed."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def refined_frame(belief: NDArray[np.floating]) -> FloatArray:
    """Position in fractional frames that a belief tells: between its highest frame and the higher neighbour.

    The soft target divides an onset between its two nearest frames by nearness, so the mean of these two, weighted by
    what is believed of each, undoes it.

    Parameters
    ----------
    belief : ndarray, shape (pairs, frames)
        Probabilities; need not sum to one.

    Returns
    -------
    ndarray of float64, shape (pairs,)

    Examples
    --------
    >>> refined_frame(np.array([[0.0, 0.6, 0.2, 0.2], [0.0, 0.0, 0.0, 1.0]])).tolist()
    [1.25, 3.0]
    """
    belief = np.asarray(belief, dtype=np.float64)
    rows, last = np.arange(len(belief)), belief.shape[1] - 1
    top = belief.argmax(axis=1)
    left = np.where(top > 0, belief[rows, np.maximum(top - 1, 0)], -1.0)
    right = np.where(top < last, belief[rows, np.minimum(top + 1, last)], -1.0)
    other = np.maximum(np.maximum(left, right), 0.0)
    sign = np.where(right >= left, 1.0, -1.0)
    total = belief[rows, top] + other
    return np.asarray(top + sign * other / np.where(total > 0, total, 1.0))


def top_confidence(belief: NDArray[np.floating]) -> FloatArray:
    """What is believed of the highest frame and its two neighbours together, shape (pairs,).

    Examples
    --------
    >>> top_confidence(np.array([[0.1, 0.5, 0.25, 0.15]])).round(3).tolist()
    [0.85]
    """
    belief = np.asarray(belief, dtype=np.float64)
    padded = np.pad(belief, ((0, 0), (1, 1)))
    top, rows = belief.argmax(axis=1), np.arange(len(belief))
    return np.asarray(padded[rows, top] + padded[rows, top + 1] + padded[rows, top + 2])


def calibration_error(confidence: NDArray[np.floating], hit: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error: how far what is believed and what is true lie apart, in the mean over all pairs.

    Parameters
    ----------
    confidence : ndarray, shape (pairs,)
        Between 0 and 1.
    hit : ndarray of bool, shape (pairs,)
        Whether it was right.
    bins : int
        Of confidence, of equal width.

    Notes
    -----
    Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks" (2017), equation 3.

    Examples
    --------
    >>> calibration_error(np.array([0.9, 0.9, 0.5, 0.5]), np.array([True, True, True, False]))
    0.05
    """
    number = np.minimum((np.asarray(confidence) * bins).astype(np.int64), bins - 1)
    count = np.bincount(number, minlength=bins)
    gap = np.bincount(number, confidence, bins) - np.bincount(number, hit, bins)
    return float(np.round(np.abs(gap).sum() / max(1, count.sum()), 12))
