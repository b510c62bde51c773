"""What identifies a piece's music: the turns of its upper line, in any key and tempo; and how much two pieces share.

A piece is reduced to the *tops* of its chords: notes that no other note within 50 ms outdoes. This depends on onsets
and pitches only, since note ends differ most between a score, a performance and a transcription, which writes the
pedal into them; and a monophonic voice is reduced to itself. Each seven tops in a row are a *turn*: six intervals. A
turn in which three intervals or more follow from those before (scales, trills, chords broken into three, repeated
notes) tells nothing and is left out; longer figures give few turns, each of which counts once. A fingerprint holds
one 64-bit word a turn, in order: its intervals, exactly, and below them seven bits with the pitch it begins on; 0 for
a turn left out. Fingerprints of several voices of a piece may be concatenated.

What two pieces share are turns with the same intervals that lie close together in both, in the same order and
transposed alike. *Evidence* counts them, but at most four in sixteen in a row, so that only music that agrees in many
places gives much of it; docs/splits.md tells how it is distributed over the same and over different works.

The idea of interval n-grams is that of Downie and Nelson, "Evaluation of a simple and effective music information
retrieval method" (SIGIR 2000), on the top notes of Uitdenbogerd and Zobel (1998); that of counting agreement along
diagonals, of Arzt, Böck and Widmer, "Fast identification of piece and score position via symbolic fingerprinting"
(ISMIR 2012).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import NoteArray

Fingerprint = NDArray[np.uint64]

PITCH_BITS = 7
CHORD_S = 0.05
_INTERVALS = 6
_WIDEST = 87  # semitones: the piano's compass
_FEWEST_SURPRISES = 4
_LONGEST_PERIOD = 4
_STEP = 2  # semitones
_MOST_OCCURRENCES = 16  # of one turn in one piece that are compared: ostinati would cost their square
_NEAR = 64  # turns: how far agreeing turns may lie apart
_DRIFT = 16  # turns: how many more may lie between them in one piece than in the other
_FEWEST_TOGETHER = 4
WINDOW = 16
MOST_IN_A_WINDOW = 4


def chord_tops(notes: NoteArray) -> NDArray[np.int64]:
    """Pitches of the notes that no other outdoes within 50 ms, in order; of equal ones, the first.

    Parameters
    ----------
    notes : NoteArray
        Sorted by onset.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> chord_tops(make_notes([0.0, 0.03, 1.0, 1.5], [1, 1, 2, 2], [48, 72, 60, 60], [80] * 4)).tolist()
    [72, 60, 60]
    """
    onset, pitch = notes["onset_s"], notes["pitch"].astype(np.int64)
    here = np.arange(len(pitch))
    begin = np.searchsorted(onset, onset - CHORD_S, side="left")
    end = np.searchsorted(onset, onset + CHORD_S, side="right")
    return pitch[(_highest(pitch, begin, here) < pitch) & (_highest(pitch, here, end) <= pitch)]


def _highest(pitch: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Highest pitch in each range of places, -1 in empty ones, from maxima over runs of 1, 2, 4, … places."""
    highest = np.full(len(begin), -1, dtype=np.int64)
    runs, length = pitch, 1
    while len(runs):
        chosen = np.flatnonzero((end - begin >= length) & (end - begin < 2 * length))
        highest[chosen] = np.maximum(runs[begin[chosen]], runs[end[chosen] - length])
        runs, length = np.maximum(runs[:-length], runs[length:]), 2 * length
    return highest


def fingerprint(notes: NoteArray) -> Fingerprint:
    """Reduce a piece, or a voice of it, to what :func:`sfdata.similarity.same_music_keys` compares.

    Parameters
    ----------
    notes : NoteArray
        Sorted by onset. All notes of the piece serve best; a voice gives less.

    Returns
    -------
    ndarray of uint64, shape (tops - 6,)
        Intervals in the upper bits, the pitch of the turn's first note in the lowest 7; 0 for a turn
        that tells nothing.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> pitch = np.array([60, 64, 62, 67, 66, 71, 62])
    >>> words = [fingerprint(make_notes(np.arange(7), np.arange(7) + 1, pitch + up, [80] * 7)) for up in (0, 5)]
    >>> [word.tolist() for word in words[1] - words[0]]
    [5]
    """
    tops = chord_tops(notes)
    if len(tops) <= _INTERVALS:
        return np.zeros(0, dtype=np.uint64)
    intervals = np.lib.stride_tricks.sliding_window_view(np.diff(tops), _INTERVALS)  # (turns, 6)
    code = np.zeros(len(intervals), dtype=np.uint64)
    for column in np.clip(intervals, -_WIDEST, _WIDEST).T:
        code = code * np.uint64(2 * _WIDEST + 1) + (column + _WIDEST).astype(np.uint64)
    words = (code + np.uint64(1)) << np.uint64(PITCH_BITS) | tops[: len(code)].astype(np.uint64)
    return np.where(_surprises(intervals) >= _FEWEST_SURPRISES, words, np.uint64(0))


def fingerprint_of_voices(voices: Sequence[NoteArray]) -> Fingerprint:
    """Fingerprint of a piece of which only voices are known, taken together."""
    if not voices:
        return np.zeros(0, dtype=np.uint64)
    together = np.concatenate(voices)
    return fingerprint(together[np.lexsort((together["pitch"], together["onset_s"]))])


def _surprises(intervals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of intervals in each turn that neither repeat one of the four before nor go on with a run of steps."""
    expected = np.zeros(intervals.shape, dtype=bool)
    for period in range(1, _LONGEST_PERIOD + 1):
        expected[:, period:] |= intervals[:, period:] == intervals[:, :-period]
    step = np.abs(intervals) <= _STEP
    onward = np.sign(intervals[:, 1:]) == np.sign(intervals[:, :-1])
    expected[:, 1:] |= onward & step[:, 1:] & step[:, :-1]
    return np.asarray((~expected).sum(axis=1))


def turns_of(words: Fingerprint) -> NDArray[np.uint64]:
    """Intervals of each word, without the pitch they begin on: equal in any key; 0 where there is none."""
    return words >> np.uint64(PITCH_BITS)


@dataclass(frozen=True)
class SharedTurns:
    """Turns that two pieces share, each once.

    Attributes
    ----------
    turns : ndarray of uint64, shape (shared,)
    one, other : ndarray of int64, shape (shared,)
        Where each stands in the two fingerprints.
    transposition : int
        Semitones by which the other piece lies higher.
    """

    turns: NDArray[np.uint64]
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    transposition: int


def shared_turns(
    one: Fingerprint,
    other: Fingerprint,
    places: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None,
    least: float = 0,
) -> SharedTurns:
    """Find the turns that two pieces share: close together, in the same order, all transposed alike.

    Where several transpositions offer themselves, the one with most turns counts.

    Parameters
    ----------
    one, other : ndarray of uint64
    places : (ndarray of int, ndarray of int), optional
        What :func:`places_of_turns` gives of both, for whoever compares each with many.
    least : float
        Where they cannot share as many turns, none need be found.
    """
    first, second = _matches(one, other, places or (places_of_turns(one), places_of_turns(other)), least)
    if not len(first):
        return SharedTurns(np.zeros(0, dtype=np.uint64), first, second, 0)
    turns = turns_of(one[first])
    lowest = np.uint64((1 << PITCH_BITS) - 1)
    up = (other[second] & lowest).astype(np.int64) - (one[first] & lowest).astype(np.int64)
    kept = _together(first, second, up, turns)
    first, second, up, turns = first[kept], second[kept], up[kept], turns[kept]
    distinct = np.unique((up + 128) << 48 | turns.astype(np.int64)) >> 48
    transposition = int(np.bincount(distinct).argmax()) - 128 if len(distinct) else 0
    chosen = np.flatnonzero(up == transposition)
    chosen = chosen[np.unique(turns[chosen], return_index=True)[1]]
    return SharedTurns(turns[chosen], first[chosen], second[chosen], transposition)


def _matches(
    one: Fingerprint, other: Fingerprint, places: tuple[NDArray[np.integer], NDArray[np.integer]], least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of equal turns in both, sorted by the first; none where fewer than `least` turns are in both."""
    first, second = (place.astype(np.int64) for place in places)
    first_turns, second_turns = turns_of(one[first]), turns_of(other[second])
    begin = np.searchsorted(second_turns, first_turns, side="left")
    in_both = np.append(second_turns, np.uint64(0))[begin] == first_turns  # no turn is 0
    first, first_turns, begin = first[in_both], first_turns[in_both], begin[in_both]
    if len(first) < least or np.count_nonzero(np.diff(first_turns, prepend=np.uint64(0))) < least:
        return first[:0], first[:0]
    count = np.searchsorted(second_turns, first_turns, side="right") - begin
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    first, second = np.repeat(first, count), second[np.repeat(begin, count) + within]
    order = np.lexsort((second, first))
    return first[order], second[order]


def places_of_turns(words: Fingerprint) -> NDArray[np.int64]:
    """Places of the turns in a fingerprint, sorted by turn, at most sixteen of each."""
    place = np.flatnonzero(words)
    turns = turns_of(words)[place]
    order = np.argsort(turns, kind="stable")
    place, turns = place[order], turns[order]
    rank = np.arange(len(turns)) - np.searchsorted(turns, turns, side="left")
    return place[rank < _MOST_OCCURRENCES]


def _together(
    first: NDArray[np.int64], second: NDArray[np.int64], up: NDArray[np.int64], turns: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Which matches lie in a block, on one of four shifted grids, that holds at least four different turns."""
    kept = np.zeros(len(first), dtype=bool)
    number = np.unique(turns, return_inverse=True)[1].astype(np.int64)
    drift = first - second
    for along in (0, _NEAR // 2):
        for across in (0, _DRIFT // 2):
            block = _packed(up, (drift + across) // _DRIFT, (first + along) // _NEAR)
            block_number = np.unique(block, return_inverse=True)[1].astype(np.int64)
            different = np.unique(block_number << 32 | number) >> 32
            kept |= np.bincount(different, minlength=len(first))[block_number] >= _FEWEST_TOGETHER
    return kept


def _packed(up: NDArray[np.int64], across: NDArray[np.int64], along: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each block: 8 bits for the transposition, 26 either way for the grid's two directions."""
    return (up + 128) << 52 | (across + (1 << 25)) << 26 | along


def evidence(shared: SharedTurns, weights: NDArray[np.float64] | None = None) -> float:
    """How much shared turns tell: their number, or weight, but at most 4 in each window of 16, on the poorer side.

    Parameters
    ----------
    shared : SharedTurns
    weights : ndarray of float64, shape (shared,), optional
        What each turn counts, between 0 and 1.

    Examples
    --------
    >>> places = np.arange(20)
    >>> evidence(SharedTurns(places.astype(np.uint64), places, places * 3, 0))
    8.0
    """
    if not len(shared.turns):
        return 0.0
    sides = []
    for place in (shared.one, shared.other):
        sums = np.bincount(place // WINDOW, weights=weights)
        sides.append(float(np.minimum(sums, MOST_IN_A_WINDOW).sum()))
    return min(sides)


def most_evidence(words: Fingerprint) -> float:
    """How much evidence a piece has with itself: the most that any other can have with it.

    Examples
    --------
    >>> most_evidence(np.array([0, 130, 0, 260], dtype=np.uint64))
    2.0
    """
    place = np.flatnonzero(words)
    place = place[np.unique(turns_of(words)[place], return_index=True)[1]]
    return float(np.minimum(np.bincount(place // WINDOW), MOST_IN_A_WINDOW).sum())
