"""What every operation on notes has in common, and the helpers they share.

An operation is a frozen dataclass: its fields are what a recipe's table says. ``draw`` looks at the notes, draws from
a generator, and returns what it drew as a JSON-able dict; ``apply`` is a static method that makes new notes of notes
and that dict alone. Notes are sorted by onset and pitch before and after each operation, and a number of a note in a
record is its place in that order *before* the operation. Times are in seconds at that point of the chain; where there
is a value for each note, records hold integers: ticks of 0.1 ms, thousandths, or MIDI velocities.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import TICKS_PER_SECOND, NoteArray, copy_notes

Drawn = Mapping[str, Any]

CHORD_S = 0.03  # notes that begin within this time of a chord's first one belong to it
MIN_NOTE_S = 0.03
RESTRIKE_S = 0.01  # a key cannot be struck twice within less


class Operation(Protocol):
    """See the module's text.

    Attributes
    ----------
    probability : float
        That the operation is applied to a variant at all.
    """

    name: ClassVar[str]
    probability: float

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the operation's parameters for these notes."""
        ...

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Apply what was drawn."""
        ...


def check_range(operation: str, name: str, low_high: tuple[float, ...], lowest: float, highest: float) -> None:
    """Refuse a range that is none, or leaves its bounds.

    Raises
    ------
    ValueError
        Naming operation, key, value and bounds.
    """
    if len(low_high) != 2 or not lowest <= low_high[0] <= low_high[1] <= highest:
        raise ValueError(
            f"augment.{operation}: {name} {list(low_high)}; expected [low, high], both within {lowest} to {highest}"
        )


def check_between(operation: str, lowest: float, highest: float, **values: float) -> None:
    """Refuse single values outside their bounds.

    Raises
    ------
    ValueError
        Naming operation, key, value and bounds.
    """
    for name, value in values.items():
        if not lowest <= value <= highest:
            raise ValueError(f"augment.{operation}: {name} {value}; expected {lowest} to {highest}")


def chord_numbers(notes: NoteArray, within_s: float = CHORD_S) -> NDArray[np.int64]:
    """Number of the chord that each note belongs to, shape (notes,).

    A chord is what begins within `within_s` of its first note; a note alone is a chord of one.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> chord_numbers(make_notes([0, 0.02, 0.04, 1], [2, 2, 2, 2], [60, 64, 67, 72], [80] * 4)).tolist()
    [0, 0, 1, 2]
    """
    onset = np.ascontiguousarray(notes["onset_s"])
    latest = onset + within_s + 1e-9  # of a chord that begins with that note
    begins = np.empty(len(onset), dtype=bool)
    begins[:1] = True
    np.greater(onset[1:], latest[:-1], out=begins[1:])  # too far even from the note before it
    run = np.flatnonzero(begins)
    run_end = np.append(run, len(onset))[1:]
    # Of notes that follow each other closely for longer than a chord lasts, the first ones of chords are counted off.
    for first, end in zip(*(bound[onset[run_end - 1] > latest[run]].tolist() for bound in (run, run_end)), strict=True):
        while (first := first + int(onset[first:end].searchsorted(latest[first], side="right"))) < end:
            begins[first] = True
    return np.cumsum(begins) - 1


def chord_firsts(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """First note of each chord, shape (chords,)."""
    return np.flatnonzero(np.diff(numbers, prepend=-1))


def chord_onsets(notes: NoteArray, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Onset of the first note of each chord, shape (chords,)."""
    return np.asarray(notes["onset_s"][chord_firsts(numbers)])


def room_s(notes: NoteArray, overlap_s: float = 0.05) -> NDArray[np.float64]:
    """Time from each note's onset to that of the note which follows it, shape (notes,).

    What follows a note is the first that begins when it ends, or later, or at most `overlap_s` before (legato); in a
    monophonic voice the next note. A note that none follows has its own length.
    """
    onset, offset = np.ascontiguousarray(notes["onset_s"]), np.ascontiguousarray(notes["offset_s"])
    earliest = np.maximum(offset - overlap_s, onset + CHORD_S + 1e-9)
    following = np.searchsorted(onset, earliest, side="left")
    last = following == len(onset)
    return np.where(last, offset - onset, onset[np.minimum(following, len(onset) - 1)] - onset if len(onset) else 0.0)


def random_walk(steps_s: NDArray[np.float64], memory_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """An Ornstein-Uhlenbeck process of mean 0 and deviation 1, shape (steps,), at points `steps_s` apart.

    The first step's length does not matter: the process begins where it may be at any time.
    """
    noise, keep = rng.standard_normal(len(steps_s)), np.exp(-steps_s / memory_s)
    squares = np.array([share**2 for share in keep.tolist()])  # pow, not keep * keep: last bits differ
    fresh = np.sqrt(1 - squares) * noise
    walk = noise[:1].tolist()
    for share, new in zip(keep[1:].tolist(), fresh[1:].tolist(), strict=True):
        walk.append(share * walk[-1] + new)
    return np.array(walk, dtype=np.float64)


def draw_log(low_high: tuple[float, float], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw evenly on a logarithmic scale, shape (count,)."""
    return log_scale(low_high, rng.random(count))


def log_scale(low_high: tuple[float, float], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that lie a share of the way, 0 to 1, between two others on a logarithmic scale."""
    low, high = np.log(low_high).tolist()
    return np.asarray(np.exp(low + (high - low) * share))


def draw_rate(rate: float, spread: float, rng: np.random.Generator) -> float:
    """A variant's own rate: players differ, so it is spread log-normally about the middle one, up to 1."""
    return float(min(1.0, rate * np.exp(spread * rng.standard_normal())))


def to_ticks(seconds: NDArray[np.float64]) -> list[int]:
    """Seconds as whole ticks of 0.1 ms, for a record."""
    ticks: list[int] = np.rint(np.asarray(seconds) * TICKS_PER_SECOND).astype(np.int64).tolist()
    return ticks


def per_note(drawn: Drawn, key: str, notes: NoteArray) -> NDArray[np.float64]:
    """A record's list with one value for each note.

    Raises
    ------
    ValueError
        If it was drawn for another number of notes.
    """
    values = np.asarray(drawn[key], dtype=np.float64)
    if len(values) != len(notes):
        raise ValueError(f"the record's {key} is for {len(values)} notes; there are {len(notes)}")
    return values


def sort_notes(notes: NoteArray) -> NoteArray:
    """Notes in the order that all steps keep: by onset, then pitch, then end; the same array where they are."""
    onset = np.ascontiguousarray(notes["onset_s"])
    order = None
    if (onset[1:] < onset[:-1]).any():
        order = np.argsort(onset, kind="stable")
        onset = onset[order]
    tie = np.flatnonzero(onset[1:] == onset[:-1])
    if len(tie):
        one, other = (tie, tie + 1) if order is None else (order[tie], order[tie + 1])
        pitch, offset = np.ascontiguousarray(notes["pitch"]), np.ascontiguousarray(notes["offset_s"])
        step = pitch[other].astype(np.int64) - pitch[one]
        if ((step < 0) | ((step == 0) & (offset[other] < offset[one]))).any():
            places = np.unique(np.concatenate([tie, tie + 1]))
            order = np.arange(len(onset)) if order is None else order
            own = order[places]
            order[places] = own[np.lexsort((offset[own], pitch[own], onset[places]))]
    return notes if order is None else notes.take(order)


def warp(notes: NoteArray, at_s: NDArray[np.float64], to_s: NDArray[np.float64]) -> NoteArray:
    """Move all times by a map that is linear between knots and keeps its distance beyond them.

    Parameters
    ----------
    notes : NoteArray
    at_s, to_s : ndarray of float64, shape (knots,)
        Both growing.
    """
    return copy_notes(
        notes, onset_s=_warped(notes["onset_s"], at_s, to_s), offset_s=_warped(notes["offset_s"], at_s, to_s)
    )


def warp_in_turn(notes: NoteArray, maps: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> NoteArray:
    """Move all times by one map after another: what as many calls of :func:`warp` give, bit for bit.

    Parameters
    ----------
    notes : NoteArray
    maps : iterable of (at_s, to_s)
        As for :func:`warp`, each in the times that the one before it has left.

    Notes
    -----
    Times are sorted once, since maps keep their order; but rounding may swap neighbours, so all within a millisecond of
    a map's ends are treated as if they were inside.
    """
    times = np.concatenate([notes["onset_s"], notes["offset_s"]])
    order = np.argsort(times, kind="stable")
    times = times[order]
    for at_s, to_s in maps:
        begin, end = times.searchsorted(at_s[0] - 1e-3), times.searchsorted(at_s[-1] + 1e-3)
        before, inside, after = times[:begin], times[begin:end], times[end:]
        np.subtract(to_s[0], np.subtract(at_s[0], before, out=before), out=before)
        np.add(to_s[-1], np.subtract(after, at_s[-1], out=after), out=after)
        inside[:] = _warped(inside, at_s, to_s)
    moved = np.empty_like(times)
    moved[order] = times
    return copy_notes(notes, onset_s=moved[: len(notes)], offset_s=moved[len(notes) :])


def _warped(time_s: NDArray[np.float64], at_s: NDArray[np.float64], to_s: NDArray[np.float64]) -> NDArray[np.float64]:
    beyond = np.maximum(time_s - at_s[-1], 0.0) - np.maximum(at_s[0] - time_s, 0.0)
    return np.asarray(np.interp(time_s, at_s, to_s) + beyond)


def tempo_map(at_s: NDArray[np.float64], tempo: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where knots come to lie if between knot ``i`` and the next the music goes at ``tempo[i]`` times its speed."""
    to_s = np.zeros(len(at_s))
    np.cumsum((at_s[1:] - at_s[:-1]) / tempo, out=to_s[1:])
    return at_s[0] + to_s


def warp_by_tempo(notes: NoteArray, at_s: NDArray[np.float64], tempo: NDArray[np.float64]) -> NoteArray:
    """Move all times so that between knot ``i`` and the next the music goes at ``tempo[i]`` times its speed.

    Parameters
    ----------
    notes : NoteArray
    at_s : ndarray of float64, shape (knots,)
        Growing; before the first and after the last, the tempo is 1.
    tempo : ndarray of float64, shape (knots - 1,)
    """
    return warp(notes, at_s, tempo_map(at_s, tempo))


class SoundingKeys:
    """Which keys of a performance sound when.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> sounds = SoundingKeys(make_notes([0.0, 1.0], [2.0, 1.5], [60, 64], [80] * 2))
    >>> sounds(60, 0.5, 0.9), sounds(64, 0.5, 0.9), sounds(60, 2.0, 3.0)
    (True, False, False)
    """

    def __init__(self, notes: NoteArray) -> None:
        self._onset_s, self._offset_s, self._pitch = (
            np.ascontiguousarray(notes[name]) for name in ("onset_s", "offset_s", "pitch")
        )
        self._of_key: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def __call__(self, key: int, begin_s: float, end_s: float) -> bool:
        """Whether a note of that key sounds, or begins, between two times."""
        if key not in self._of_key:
            own = np.flatnonzero(self._pitch == key)
            self._of_key[key] = self._onset_s[own], np.maximum.accumulate(self._offset_s[own])
        onset_s, latest_end_s = self._of_key[key]
        begun = int(onset_s.searchsorted(end_s, side="right"))
        return begun > 0 and bool(latest_end_s[begun - 1] > begin_s)
