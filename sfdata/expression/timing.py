"""When a performance plays: local tempo, how onsets stray from it, pauses, slowing at the ends of phrases.

Tempo is in octaves: the base-2 logarithm of seconds of the score per second played, so that 0.1 is 7 % and 1 twice as
fast. All functions work on the times of chords (:class:`sfdata.expression.matching.Chords`).
"""

from dataclasses import dataclass

import numpy as np

from sfdata.expression.matching import Chords, ExpressionSettings
from sfdata.expression.robust import FloatArray, IntArray, line_slope, robust_sd

LONG_RATIO, LONGEST_SHORT_S, CHORDS_BEFORE = 2.5, 0.5, 8
STEP_REACH_S = 3.0


@dataclass(frozen=True)
class Steps:
    """From chord to chord.

    Attributes
    ----------
    chord : ndarray of int64, shape (steps,)
        Number of the chord at the step's beginning; only steps within one stretch.
    written_s, played_s : ndarray of float64, shape (steps,)
    expected_s : ndarray of float64, shape (steps,)
        What the tempo within 3 s of the score on both sides tells, the step itself aside; NaN where it tells nothing.
    """

    chord: IntArray
    written_s: FloatArray
    played_s: FloatArray
    expected_s: FloatArray


def local_tempo(
    chords: Chords, settings: ExpressionSettings, every_s: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Tempo in windows of the score, from a robust line through the chords' onsets.

    Parameters
    ----------
    chords : Chords
    settings : ExpressionSettings
    every_s : float, optional
        Distance between windows; by default they touch.

    Returns
    -------
    centre_s : ndarray of float64, shape (windows,)
        Middle of each window in the score.
    octaves : ndarray of float64, shape (windows,)
        NaN where a window holds fewer than three chords, or chords of less than half of it, or of two stretches.
    """
    width_s = settings.window_s
    if not len(chords.score_s):
        return np.empty(0), np.empty(0)
    starts = np.arange(chords.score_s[0], chords.score_s[-1] - width_s + 1e-9, every_s or width_s)
    octaves = np.array([tempo_between(chords, start, start + width_s, width_s / 2) for start in starts])
    return starts + width_s / 2, octaves.astype(np.float64)


def tempo_between(chords: Chords, from_s: float, to_s: float, least_s: float = 0.3) -> float:
    """Tempo between two times of the score, in octaves; NaN where there is too little to tell."""
    first, end = np.searchsorted(chords.score_s, [from_s - 1e-6, to_s + 1e-6])
    if end - first < 3 or chords.score_s[end - 1] - chords.score_s[first] < least_s:
        return float("nan")
    if chords.stretch[first] != chords.stretch[end - 1]:
        return float("nan")
    slope = line_slope(chords.score_s[first:end], chords.performed_s[first:end])
    return float(-np.log2(slope)) if slope > 0 else float("nan")


def neighbour_residuals(chords: Chords, settings: ExpressionSettings) -> FloatArray:
    """How late each chord comes, in seconds, against the line through the chords before and after it.

    Divided by what the three onsets' own straying makes of it, so that onsets which stray independently by a standard
    deviation give that deviation. NaN at the ends of stretches, and where the neighbours are more than a window apart.

    Returns
    -------
    ndarray of float64, shape (chords,)
    """
    late_s = np.full(len(chords.score_s), np.nan)
    if len(late_s) < 3:
        return late_s
    x, y, stretch = chords.score_s, chords.performed_s, chords.stretch
    whole = x[2:] - x[:-2]
    weight = (x[2:] - x[1:-1]) / whole
    residual = y[1:-1] - weight * y[:-2] - (1 - weight) * y[2:]
    usable = (stretch[2:] == stretch[:-2]) & (whole <= settings.window_s)
    late_s[1:-1] = np.where(usable, residual / np.sqrt(1 + weight**2 + (1 - weight) ** 2), np.nan)
    return late_s


def window_residuals(chords: Chords, settings: ExpressionSettings) -> FloatArray:
    """How late each chord comes, in seconds, against a robust line through the other chords of a window around it.

    Holds what tempo does within the window besides the straying of onsets; see :func:`neighbour_residuals`, also for
    the scale.
    """
    late_s = np.full(len(chords.score_s), np.nan)
    x, y = chords.score_s, chords.performed_s
    half_s = settings.window_s / 2
    first = np.searchsorted(x, x - half_s)
    end = np.searchsorted(x, x + half_s)
    inner = (end - first >= 5) & (first < np.arange(len(x))) & (end - 1 > np.arange(len(x)))
    for chord in np.flatnonzero(inner):
        if chords.stretch[first[chord]] != chords.stretch[end[chord] - 1]:
            continue
        others = np.r_[first[chord] : chord, chord + 1 : end[chord]]
        late_s[chord] = _off_line(x[others] - x[chord], y[others] - y[chord])
    return late_s


def chord_steps(chords: Chords) -> Steps:
    """Steps from chord to chord, with what the tempo around tells of each."""
    x, y, stretch = chords.score_s, chords.performed_s, chords.stretch
    inside = np.flatnonzero(np.diff(stretch) == 0)
    first_of = np.searchsorted(stretch, stretch)
    last_of = np.searchsorted(stretch, stretch, side="right") - 1
    expected_s = np.full(len(inside), np.nan)
    for step, chord in enumerate(inside):
        before = max(min(int(np.searchsorted(x, x[chord] - STEP_REACH_S)), chord - 2), first_of[chord])
        after = min(max(int(np.searchsorted(x, x[chord + 1] + STEP_REACH_S)) - 1, chord + 3), last_of[chord])
        sides = [(y[b] - y[a]) / (x[b] - x[a]) for a, b in ((before, chord), (chord + 1, after)) if x[b] - x[a] > 0.3]
        if sides:
            expected_s[step] = (x[chord + 1] - x[chord]) * np.mean(sides)
    return Steps(inside, x[inside + 1] - x[inside], y[inside + 1] - y[inside], expected_s)


def pause_lengths(steps: Steps, settings: ExpressionSettings) -> FloatArray:
    """By how much each pause is longer than the tempo around it tells, in seconds."""
    longer_s = steps.played_s - steps.expected_s
    is_pause = (longer_s > settings.pause_s) & (steps.played_s > settings.pause_ratio * steps.expected_s)
    return np.asarray(longer_s[is_pause])


def phrase_ends(steps: Steps) -> IntArray:
    """Chords that may end a phrase: a step of at least 0.5 s and 2.5 times the median of the eight before follows."""
    found = []
    for step in range(CHORDS_BEFORE, len(steps.chord)):
        usual_s = float(np.median(steps.written_s[step - CHORDS_BEFORE : step]))
        if steps.written_s[step] >= max(LONGEST_SHORT_S, LONG_RATIO * usual_s):
            found.append(steps.chord[step])
    return np.array(found, dtype=np.int64)


def phrase_slowing(chords: Chords, ends: IntArray) -> FloatArray:
    """Tempo of the last second before each phrase's end against the four seconds before, in octaves."""
    slowing = []
    for end_s in chords.score_s[ends]:
        slowing.append(tempo_between(chords, end_s - 1, end_s) - tempo_between(chords, end_s - 5, end_s - 1))
    return np.array(slowing, dtype=np.float64)


def _off_line(x: FloatArray, y: FloatArray) -> float:
    """How far 0 lies from a robust line through points, at x = 0, over that distance's own deviation for unit noise."""
    weight = np.ones(len(x))
    for _ in range(2):
        total = weight.sum()
        mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
        spread = (weight * (x - mean_x) ** 2).sum()
        if spread < 1e-6:
            return float("nan")
        slope = (weight * (x - mean_x) * (y - mean_y)).sum() / spread
        at_zero = mean_y - slope * mean_x
        off = np.abs(y - at_zero - slope * x)
        weight = 1 / np.maximum(1, off / (1.5 * robust_sd(off, 0.0) + 1e-4))
    return float(-at_zero / np.sqrt(1 + 1 / total + mean_x**2 / spread))
