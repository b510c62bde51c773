"""How well a performance was followed, by the conventions of the field.

Conventions
-----------
An onset of the performance is answered by the last report at or before it; its error is where that report says the
music is, less the onset's time in the score. Before the first report, the reference's beginning counts. Following that
knows the future is measured alike, with a report for every moment.

* Share of onsets within some milliseconds of score time; mean and median of the errors up to 2 s (Matchmaker, Park et
  al., ISMIR 2025).
* Misaligned onsets are off by more than 300 ms, missed ones by more than 2 s; imprecision is the mean error of the
  onsets that are not misaligned; completion is how far into the score's onsets the first miss for good lies: the share
  of onsets before the last run of misaligned ones that never ends (Cont, Schwarz, Schnell, Raphael, "Evaluation of
  real-time audio-to-score alignment", ISMIR 2007).
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

WITHIN_MS = (50, 100, 250, 500, 1000, 2000)
MISALIGNED_S, MISSED_S = 0.3, 2.0
DRAWS = 1000
FIGURES = (
    *(f"within_{limit}ms" for limit in WITHIN_MS),
    *("mean_ms", "median_ms", "miss_rate", "misalign_rate", "imprecision_ms", "piece_completion"),
)

FloatArray = NDArray[np.float64]


def answers_s(
    report_time_s: FloatArray, reference_time_s: FloatArray, onset_s: FloatArray, start_s: float
) -> FloatArray:
    """What was reported at each onset: the last report at or before it, shape (onsets,).

    Examples
    --------
    >>> answers_s(np.array([1.0, 2.0]), np.array([10.0, 20.0]), np.array([0.5, 1.0, 1.9, 5.0]), 0.0).tolist()
    [0.0, 10.0, 10.0, 20.0]
    """
    place = np.searchsorted(report_time_s, onset_s, side="right") - 1
    if not len(report_time_s):
        return np.full(len(onset_s), start_s)
    return np.where(place >= 0, reference_time_s[np.maximum(place, 0)], start_s)


def errors_between_s(
    report_time_s: FloatArray, reference_time_s: FloatArray, onset_s: FloatArray, score_s: FloatArray
) -> FloatArray:
    """Errors of all reports from the first onset to the last, the truth being straight lines from onset to onset.

    Whoever names the nearest onset is right at every onset, and nowhere else; so this belongs beside what is said at
    onsets.

    Parameters
    ----------
    report_time_s, reference_time_s : ndarray of float64, shape (reports,)
    onset_s, score_s : ndarray of float64, shape (onsets,)
        In the order of the performance. Of onsets at one moment the last in the score counts, and where a later onset
        comes before in the score (a jump), the line falls.

    Returns
    -------
    ndarray of float64, shape (reports within,)

    Examples
    --------
    >>> times, places = np.array([0.0, 1.5, 2.0, 9.0]), np.array([0.0, 3.0, 4.5, 9.0])
    >>> errors_between_s(times, places, np.array([1.0, 2.0]), np.array([2.0, 4.0])).tolist()
    [0.0, 0.5]
    """
    order = np.lexsort((score_s, onset_s))
    last = np.append(np.diff(onset_s[order]) > 0, True)
    onsets, places = onset_s[order][last], score_s[order][last]
    within = (report_time_s >= onsets[0]) & (report_time_s <= onsets[-1])
    return np.asarray(reference_time_s[within] - np.interp(report_time_s[within], onsets, places))


def following_figures(error_s: FloatArray) -> dict[str, float]:
    """Figures of one performance: :data:`FIGURES`.

    Parameters
    ----------
    error_s : ndarray of float64, shape (onsets,)
        Signed, in the order of the performance.

    Raises
    ------
    ValueError
        If there are no onsets, or an error is no finite number.

    Examples
    --------
    >>> figures = following_figures(np.array([0.01, -0.06, 0.4, 5.0]))
    >>> figures["within_50ms"], figures["within_100ms"], figures["miss_rate"], figures["piece_completion"]
    (0.25, 0.5, 0.25, 0.5)
    """
    if not len(error_s) or not np.isfinite(error_s).all():
        raise ValueError(f"{len(error_s)} errors, not all finite or none; expected one for every onset")
    size = np.abs(error_s)
    near, right = size[size <= MISSED_S], size[size <= MISALIGNED_S]
    found = {f"within_{limit}ms": float(np.mean(size <= limit / 1000)) for limit in WITHIN_MS}
    return found | {
        "mean_ms": 1000 * float(near.mean()) if len(near) else float("nan"),
        "median_ms": 1000 * float(np.median(near)) if len(near) else float("nan"),
        "miss_rate": float(np.mean(size > MISSED_S)),
        "misalign_rate": float(np.mean(size > MISALIGNED_S)),
        "imprecision_ms": 1000 * float(right.mean()) if len(right) else float("nan"),
        "piece_completion": (int(np.flatnonzero(size <= MISALIGNED_S)[-1]) + 1) / len(size) if len(right) else 0.0,
    }


def set_figures(errors_s: Mapping[str, FloatArray], draws: int = DRAWS) -> dict[str, Any]:
    """Figures of a set of performances.

    Parameters
    ----------
    errors_s : mapping of str to ndarray of float64
        Name of the performance to the errors of its onsets.
    draws : int
        Of pieces, with replacement, for the intervals.

    Returns
    -------
    dict
        ``recordings`` (name to figures), ``pooled`` (all onsets as one performance; completion is the mean),
        ``piecewise`` (means over performances), ``ci95`` of the latter, ``worst_within_250ms``, ``onsets``.
    """
    names = sorted(errors_s)
    each = {name: following_figures(errors_s[name]) for name in names}
    table = np.array([[each[name][key] for key in FIGURES] for name in names])  # (performances, figures)
    pooled = following_figures(np.concatenate([errors_s[name] for name in names]))
    pooled["piece_completion"] = float(np.mean([each[name]["piece_completion"] for name in names]))
    chosen = np.random.default_rng(0).integers(0, len(names), (draws, len(names)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a figure that no performance of a draw has is NaN
        low, high = np.nanpercentile(np.nanmean(table[chosen], axis=1), [2.5, 97.5], axis=0)
    return {
        "onsets": int(sum(map(len, errors_s.values()))),
        "pooled": pooled,
        "piecewise": dict(zip(FIGURES, np.nanmean(table, axis=0).tolist(), strict=True)),
        "ci95": {key: [float(a), float(b)] for key, a, b in zip(FIGURES, low, high, strict=True)},
        "worst_within_250ms": float(table[:, FIGURES.index("within_250ms")].min()),
        "recordings": each,
    }
