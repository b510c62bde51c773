"""Which played note belongs to which of the score, what is left over on both sides, and when each chord is played.

A score and a performance are note arrays; the performance's ``source`` names the score's note by its ``source`` (which
in a score counts its notes), -1 where there is none. Nothing else is needed, so human performances that were aligned
by note and variants drawn by augmentation are measured alike.

An alignment knows nothing of skipped repeats, other editions and its own slips. *Left out* are therefore stretches
where nearly everything is unmatched, on either side; they count neither as missing nor as extra notes. A match far away
from where its neighbours are matched (*stray*) is none.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from sfdata.expression.robust import FloatArray, IntArray
from sfdata.notes import NoteArray
from sfdata.operations.base import chord_numbers

NEIGHBOURS = 21  # matched notes over which the place of a match is judged


@dataclass(frozen=True)
class ExpressionSettings:
    """How expression is measured.

    Attributes
    ----------
    chord_s : float
        Notes of the score within this time from a chord's first note belong to it.
    window_s : float
        Window for local tempo, and for the line that onsets are compared with, in seconds of the score.
    pause_s, pause_ratio : float
        A pause is a step between chords longer than local tempo tells by both this time and this factor.
    rolled_s : float
        A chord spread over more than this is rolled.
    stray_s : float
        A match is stray if it lies further from its neighbours' than this beyond their own extent.
    run_notes, run_share : int, float
        Left out is where of so many notes at least that share is unmatched.
    wrong_s, wrong_semitones : float, int
        An extra note within these of a missing one is that note played wrongly.
    trill_s : float
        In a trill, a key comes again within this time, another one between.
    """

    chord_s: float = 0.02
    window_s: float = 2.0
    pause_s: float = 0.3
    pause_ratio: float = 1.2
    rolled_s: float = 0.06
    stray_s: float = 1.5
    run_notes: int = 15
    run_share: float = 0.8
    wrong_s: float = 0.12
    wrong_semitones: int = 4
    trill_s: float = 0.35

    def __post_init__(self) -> None:
        for name in ("chord_s", "window_s", "pause_s", "rolled_s", "stray_s", "wrong_s", "trill_s"):
            if not 0 < getattr(self, name) <= 60:
                raise ValueError(f"expression: {name} {getattr(self, name)}; expected more than 0 and at most 60")
        if not 1 < self.pause_ratio <= 10:
            raise ValueError(f"expression: pause_ratio {self.pause_ratio}; expected more than 1 and at most 10")
        if self.run_notes < 2:
            raise ValueError(f"expression: run_notes {self.run_notes}; expected 2 or more")
        if not 0.5 <= self.run_share <= 1:
            raise ValueError(f"expression: run_share {self.run_share}; expected 0.5 to 1")
        if not 1 <= self.wrong_semitones <= 11:
            raise ValueError(f"expression: wrong_semitones {self.wrong_semitones}; expected 1 to 11")


@dataclass(frozen=True)
class Matching:
    """Matched notes, and what is left over, as rows of score and performance.

    Attributes
    ----------
    score, performed : ndarray of int64, shape (matched,)
        Row of the score's note and of the played one, ascending in the score; each row once.
    missing : ndarray of int64
        Score notes that were not played, but for those left out.
    extra : ndarray of int64
        Played notes that no score note claims, but for those left out.
    left_out_score, left_out_performed : ndarray of bool, shapes (score notes,), (performed notes,)
    """

    score: IntArray
    performed: IntArray
    missing: IntArray
    extra: IntArray
    left_out_score: NDArray[np.bool_]
    left_out_performed: NDArray[np.bool_]

    @property
    def score_notes(self) -> int:
        """Score notes that are not left out."""
        return int((~self.left_out_score).sum())


@dataclass(frozen=True)
class Chords:
    """When the chords of a score are played; one entry for each chord of which a note is matched.

    Attributes
    ----------
    score_s, performed_s : ndarray of float64, shape (chords,)
        Median onset of the matched notes.
    stretch : ndarray of int64, shape (chords,)
        Between chords with different numbers something was left out: time cannot be compared across.
    of_note : ndarray of int64, shape (score notes,)
        Number of each score note's chord among *all* chords of the score.
    """

    score_s: FloatArray
    performed_s: FloatArray
    stretch: IntArray
    of_note: IntArray


def match_notes(score: NoteArray, performance: NoteArray, settings: ExpressionSettings | None = None) -> Matching:
    """Find matched, missing and extra notes.

    Where several played notes name the same score note, the earliest near its neighbours is the match.

    Raises
    ------
    ValueError
        If the performance names notes that the score does not have.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> score = make_notes([0, 1, 2], [1, 2, 3], [60, 62, 64], [64] * 3)
    >>> played = make_notes([0.1, 2.3, 2.6], [1, 2.5, 3], [60, 64, 65], [64] * 3, [0, 2, -1])
    >>> found = match_notes(score, played)
    >>> found.score.tolist(), found.performed.tolist(), found.missing.tolist(), found.extra.tolist()
    ([0, 2], [0, 1], [1], [2])
    """
    settings = settings or ExpressionSettings()
    played = np.flatnonzero(performance["source"] >= 0)
    named = _score_rows(score, performance["source"][played])
    order = np.lexsort((performance["onset_s"][played], named))
    played, named = played[order], named[order]
    near = _near_neighbours(performance["onset_s"][played], settings)
    played, named = played[near], named[near]
    first = np.flatnonzero(np.diff(named, prepend=-1))
    played, named = played[first], named[first]
    no_score, no_performed = np.ones(len(score), dtype=bool), np.ones(len(performance), dtype=bool)
    no_score[named], no_performed[played] = False, False
    trills = np.zeros(len(performance), dtype=bool)
    trills[trill_notes(performance, np.flatnonzero(no_performed), settings.trill_s)] = True
    out_score = dense_runs(no_score, settings)
    out_performed = dense_runs(no_performed & ~trills, settings)
    kept = ~out_score[named] & ~out_performed[played]
    return Matching(
        score=named[kept],
        performed=played[kept],
        missing=np.flatnonzero(no_score & ~out_score),
        extra=np.flatnonzero(no_performed & ~out_performed),
        left_out_score=out_score,
        left_out_performed=out_performed,
    )


def chord_times(
    score: NoteArray, performance: NoteArray, matching: Matching, settings: ExpressionSettings | None = None
) -> Chords:
    """When the chords of a score are played."""
    settings = settings or ExpressionSettings()
    of_note = chord_numbers(score, settings.chord_s)
    chord = of_note[matching.score]
    starts = np.flatnonzero(np.diff(chord, prepend=-1))
    ends = np.append(starts[1:], len(chord))[: len(starts)]
    written, played = score["onset_s"][matching.score], performance["onset_s"][matching.performed]
    score_s = np.array([np.median(written[a:b]) for a, b in zip(starts, ends, strict=True)], dtype=np.float64)
    performed_s = np.array([np.median(played[a:b]) for a, b in zip(starts, ends, strict=True)], dtype=np.float64)
    # A stretch ends where notes of either side were left out since the chord before.
    before_score = np.searchsorted(score["onset_s"][matching.left_out_score], score_s)
    before_performed = np.searchsorted(performance["onset_s"][matching.left_out_performed], performed_s)
    breaks = (np.diff(before_score, prepend=before_score[:1]) != 0) | (
        np.diff(before_performed, prepend=before_performed[:1]) != 0
    )
    return Chords(score_s, performed_s, np.cumsum(breaks), of_note)


def when_played(chords: Chords, score_s: FloatArray, seconds_per_second: float = 1.0) -> FloatArray:
    """Times of the score in the performance's time: lines from chord to chord, and on at a given tempo at both ends."""
    performed_s = np.maximum.accumulate(chords.performed_s)
    inside = np.interp(score_s, chords.score_s, performed_s)
    beyond = np.maximum(score_s - chords.score_s[-1], 0) + np.minimum(score_s - chords.score_s[0], 0)
    return np.asarray(inside + beyond * seconds_per_second)


def dense_runs(unmatched: NDArray[np.bool_], settings: ExpressionSettings) -> NDArray[np.bool_]:
    """Mark stretches of ``run_notes`` and more in which nearly all notes are unmatched, end to end.

    Examples
    --------
    >>> settings = ExpressionSettings(run_notes=4, run_share=0.75)
    >>> dense_runs(np.array([1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1], dtype=bool), settings).astype(int).tolist()
    [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0]
    """
    marked = np.zeros(len(unmatched), dtype=bool)
    width = settings.run_notes
    if len(unmatched) < width:
        return marked
    counts = np.convolve(unmatched, np.ones(width), "valid")
    for start in np.flatnonzero(counts >= settings.run_share * width):
        inside = start + np.flatnonzero(unmatched[start : start + width])
        marked[inside[0] : inside[-1] + 1] = True
    return marked


def trill_notes(performance: NoteArray, rows: IntArray, trill_s: float) -> IntArray:
    """Those of some played notes whose key comes again, before or after, with a neighbouring key struck between.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> trill = make_notes([0, 0.1, 0.2, 0.3, 1], [0.1, 0.2, 0.3, 0.4, 2], [60, 62, 60, 62, 60], [64] * 5)
    >>> trill_notes(trill, np.arange(5), 0.35).tolist()
    [0, 1, 2, 3]
    """
    onset, pitch = performance["onset_s"], performance["pitch"].astype(int)
    found = []
    for row in rows:
        first, end = np.searchsorted(onset, [onset[row] - trill_s - 1e-9, onset[row] + trill_s + 1e-9])
        again = first + np.flatnonzero(pitch[first:end] == pitch[row])
        for other in (again[again < row][-1:], again[again > row][:1]):
            if len(other):
                between = pitch[min(row, other[0]) + 1 : max(row, other[0])]
                if np.isin(np.abs(between - pitch[row]), (1, 2)).any():
                    found.append(row)
                    break
    return np.array(found, dtype=np.int64)


def _score_rows(score: NoteArray, source: NDArray[np.integer]) -> IntArray:
    """Rows of the score's notes with given numbers."""
    order = np.argsort(score["source"], kind="stable")
    numbers = score["source"][order]
    place = np.minimum(np.searchsorted(numbers, source), max(len(score) - 1, 0))
    if len(source) and (not len(score) or (numbers[place] != source).any()):
        unknown = source if not len(score) else source[numbers[place] != source]
        raise ValueError(
            f"the performance names note {int(unknown[0])} of the score, which has none with that number; expected "
            "`source` to be the `source` of a score note, or -1"
        )
    return np.asarray(order[place] if len(source) else np.empty(0), dtype=np.int64)


def _near_neighbours(onset_s: FloatArray, settings: ExpressionSettings) -> NDArray[np.bool_]:
    """Of matched notes in the score's order, those played about when their neighbours are."""
    if not len(onset_s):
        return np.zeros(0, dtype=bool)
    middle = median_filter(onset_s, size=NEIGHBOURS, mode="nearest")
    place, reach = np.arange(len(onset_s)), NEIGHBOURS // 2
    later = np.minimum(place + reach, len(onset_s) - 1)
    earlier = np.maximum(place - reach, 0)
    return np.asarray(np.abs(onset_s - middle) <= settings.stray_s + np.abs(middle[later] - middle[earlier]))
