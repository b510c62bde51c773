"""How a performance plays its notes: together or apart, short or long, loud or soft, with pedal or without."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.expression.matching import Chords, Matching, when_played
from sfdata.expression.robust import FloatArray, IntArray
from sfdata.notes import NoteArray

FARTHEST_S = 0.5  # a "chord" spread over more than this is an alignment's slip
SHORTEST_WRITTEN_S, LONGEST_WRITTEN_S = 0.03, 8.0
SHORTEST_PLAYED_S = 0.005
PEDAL_DOWN = 64


@dataclass(frozen=True)
class ChordPlaying:
    """Chords of which at least two notes are matched.

    Attributes
    ----------
    size : ndarray of int64, shape (chords,)
        Matched notes.
    range_s : ndarray of float64, shape (chords,)
        From the first onset to the last.
    square_s2 : ndarray of float64, shape (chords,)
        Sum of squared distances from the mean onset.
    top_lead_s, bass_lead_s : ndarray of float64, shape (chords,)
        By how much the highest (lowest) note comes before the mean of the others.
    top_first : ndarray of bool, shape (chords,)
    upward : ndarray of float64, shape (chords,)
        Correlation of onset with place in the chord, 1 where it is played from below; NaN for two notes.
    top_louder, bass_louder : ndarray of float64, shape (chords,)
        Velocity of the highest (lowest) note less the mean of the others.
    velocity_variance : ndarray of float64, shape (chords,)
    """

    size: IntArray
    range_s: FloatArray
    square_s2: FloatArray
    top_lead_s: FloatArray
    bass_lead_s: FloatArray
    top_first: NDArray[np.bool_]
    upward: FloatArray
    top_louder: FloatArray
    bass_louder: FloatArray
    velocity_variance: FloatArray


def chord_playing(score: NoteArray, performance: NoteArray, matching: Matching, chords: Chords) -> ChordPlaying:
    """How the notes of each chord are played; the score's pitches tell which is the highest."""
    chord = chords.of_note[matching.score]
    order = np.lexsort((score["pitch"][matching.score], chord))
    chord = chord[order]
    onset = performance["onset_s"][matching.performed][order]
    velocity = performance["velocity"][matching.performed][order].astype(np.float64)
    starts = np.flatnonzero(np.diff(chord, prepend=-1))
    ends = np.append(starts[1:], len(chord))[: len(starts)]
    rows: list[tuple[Any, ...]] = []
    for a, b in zip(starts, ends, strict=True):
        time, loud = onset[a:b], velocity[a:b]
        if b - a < 2 or np.ptp(time) > FARTHEST_S:
            continue
        upward = np.corrcoef(np.arange(b - a), time)[0, 1] if b - a > 2 and np.ptp(time) > 0 else np.nan
        rows.append(
            (
                b - a,
                np.ptp(time),
                ((time - time.mean()) ** 2).sum(),
                time[:-1].mean() - time[-1],
                time[1:].mean() - time[0],
                time[-1] == time.min(),
                upward,
                loud[-1] - loud[:-1].mean(),
                loud[0] - loud[1:].mean(),
                loud.var(ddof=1),
            )
        )
    columns = np.array(rows, dtype=np.float64).reshape(-1, len(fields(ChordPlaying))).T
    named: dict[str, Any] = {field.name: column for field, column in zip(fields(ChordPlaying), columns, strict=True)}
    named["size"], named["top_first"] = named["size"].astype(np.int64), named["top_first"].astype(bool)
    return ChordPlaying(**named)


def length_ratios(
    score: NoteArray, performance: NoteArray, matching: Matching, chords: Chords, seconds_per_second: float
) -> tuple[FloatArray, FloatArray]:
    """How long notes are held against what is written, at the tempo at which they are played.

    What is written is the time from a note's written onset to its written end, both read off the performance: lines
    from chord to chord lead from the score's time to the performance's. Where the next note is written at a note's
    end, the ratio is what is known as the key-overlap ratio plus one.

    Parameters
    ----------
    seconds_per_second : float
        Tempo with which to go on beyond the last chord: seconds played per second of the score.

    Returns
    -------
    ratio : ndarray of float64, shape (score notes,)
        NaN for notes that are not matched, or whose written length comes out below 0.03 s or beyond 8 s.
    written_s : ndarray of float64, shape (score notes,)
        Written length at the tempo played; NaN likewise.
    """
    ratio, written = np.full(len(score), np.nan), np.full(len(score), np.nan)
    if not len(matching.score):
        return ratio, written
    rows, played = matching.score, matching.performed
    begin = when_played(chords, score["onset_s"][rows], seconds_per_second)
    end = when_played(chords, score["offset_s"][rows], seconds_per_second)
    usable = (end - begin >= SHORTEST_WRITTEN_S) & (end - begin <= LONGEST_WRITTEN_S)
    length = np.maximum(performance["offset_s"] - performance["onset_s"], SHORTEST_PLAYED_S)[played]
    written[rows[usable]] = (end - begin)[usable]
    ratio[rows[usable]] = length[usable] / (end - begin)[usable]
    return ratio, written


def top_line(values: FloatArray, score: NoteArray, chords: Chords) -> FloatArray:
    """A value of each score note, for the highest note of each chord of the score; shape (all chords,)."""
    order = np.lexsort((score["pitch"], chords.of_note))
    last = np.flatnonzero(np.diff(chords.of_note[order], append=-1) != 0)
    return np.asarray(values[order[last]])


def second_means(time_s: FloatArray, values: FloatArray, least: int = 2) -> tuple[FloatArray, IntArray]:
    """Means over seconds of time.

    Returns
    -------
    means : ndarray of float64, shape (seconds,)
        NaN where a second holds fewer than `least` values.
    second : ndarray of int64, shape (values,)
        In which of them each value lies.
    """
    second = np.floor(time_s - time_s.min()).astype(np.int64) if len(time_s) else np.empty(0, dtype=np.int64)
    count = np.bincount(second)
    total = np.bincount(second, values)
    return np.where(count >= least, total / np.maximum(count, 1), np.nan), second


def pedal_use(time_s: FloatArray, value: NDArray[np.integer], from_s: float, to_s: float) -> dict[str, float]:
    """How the sustain pedal (CC64) is used between two times.

    Parameters
    ----------
    time_s, value : ndarray, shape (events,)
        Ascending in time; down from 64 on.

    Returns
    -------
    dict
        ``pedal_down_share`` of the time, ``pedal_presses_per_min``, ``pedal_press_s`` (median length of those lifted;
        NaN without).

    Examples
    --------
    >>> pedal_use(np.array([1.0, 3.0, 8.0]), np.array([127, 0, 127]), 0.0, 10.0)
    {'pedal_down_share': 0.4, 'pedal_presses_per_min': 12.0, 'pedal_press_s': 2.0}
    """
    if to_s <= from_s:
        raise ValueError(f"pedal from {from_s} s to {to_s} s; expected an end after the beginning")
    down = np.asarray(value) >= PEDAL_DOWN
    before = np.concatenate([[False], down[:-1]])
    pressed, lifted = time_s[down & ~before], time_s[~down & before]
    until = np.append(lifted, to_s)[: len(pressed)]
    inside = (pressed >= from_s) & (pressed <= to_s)
    whole = inside[: len(lifted)] & (lifted <= to_s)
    time_down = np.maximum(np.minimum(until, to_s) - np.maximum(pressed, from_s), 0).sum()
    lengths = (lifted - pressed[: len(lifted)])[whole]
    return {
        "pedal_down_share": float(time_down / (to_s - from_s)),
        "pedal_presses_per_min": float(60 * inside.sum() / (to_s - from_s)),
        "pedal_press_s": float(np.median(lengths)) if len(lengths) else float("nan"),
    }
