"""What every operation on notes has in common, and the helpers they share.

An operation is a frozen dataclass: its fields are what a recipe's table says. ``draw`` looks at the notes, draws from
a generator, and returns what it drew as a JSON-able dict; ``apply`` is a static method that makes new notes of notes
and that dict alone. Notes are sorted by onset and pitch before and after each operation, and a number of a note in a
record is its place in that order *before* the operation. Times are in seconds at that point of the chain; where there
is a value for each note, records hold integers: ticks of 0.1 ms, thousandths, or MIDI velocities.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import TICKS_PER_SECOND, NoteArray

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
    onset = notes["onset_s"]
    numbers = np.zeros(len(onset), dtype=np.int64)
    first, number = 0, 0
    while first < len(onset):
        end = int(np.searchsorted(onset, onset[first] + within_s + 1e-9, side="right"))
        numbers[first:end] = number
        first, number = end, number + 1
    return numbers


def chord_onsets(notes: NoteArray, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Onset of the first note of each chord, shape (chords,)."""
    return np.asarray(notes["onset_s"][np.flatnonzero(np.diff(numbers, prepend=-1))])


def room_s(notes: NoteArray, overlap_s: float = 0.05) -> NDArray[np.float64]:
    """Time from each note's onset to that of the note which follows it, shape (notes,).

    What follows a note is the first that begins when it ends, or later, or at most `overlap_s` before (legato); in a
    monophonic voice the next note. A note that none follows has its own length.
    """
    onset = notes["onset_s"]
    earliest = np.maximum(notes["offset_s"] - overlap_s, onset + CHORD_S + 1e-9)
    following = np.searchsorted(onset, earliest, side="left")
    last = following == len(onset)
    return np.where(
        last, notes["offset_s"] - onset, onset[np.minimum(following, len(onset) - 1)] - onset if len(onset) else 0.0
    )


def random_walk(steps_s: NDArray[np.float64], memory_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """An Ornstein-Uhlenbeck process of mean 0 and deviation 1, shape (steps,), at points `steps_s` apart.

    The first step's length does not matter: the process begins where it may be at any time.
    """
    noise, keep = rng.standard_normal(len(steps_s)), np.exp(-steps_s / memory_s)
    walk = noise.copy()
    for step in range(1, len(walk)):
        walk[step] = keep[step] * walk[step - 1] + np.sqrt(1 - keep[step] ** 2) * noise[step]
    return walk


def draw_log(low_high: tuple[float, float], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw evenly on a logarithmic scale, shape (count,)."""
    low, high = np.log(low_high)
    return np.exp(rng.uniform(float(low), float(high), count))


def draw_rate(rate: float, spread: float, rng: np.random.Generator) -> float:
    """A variant's own rate: players differ, so it is spread log-normally about the middle one, up to 1."""
    return float(min(1.0, rate * np.exp(spread * rng.standard_normal())))


def to_ticks(seconds: NDArray[np.float64]) -> list[int]:
    """Seconds as whole ticks of 0.1 ms, for a record."""
    return [int(value) for value in np.rint(np.asarray(seconds) * TICKS_PER_SECOND)]


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
    """Notes in the order that all steps keep: by onset, then pitch."""
    return notes[np.lexsort((notes["offset_s"], notes["pitch"], notes["onset_s"]))]


def warp(notes: NoteArray, at_s: NDArray[np.float64], to_s: NDArray[np.float64]) -> NoteArray:
    """Move all times by a map that is linear between knots and keeps its distance beyond them.

    Parameters
    ----------
    notes : NoteArray
    at_s, to_s : ndarray of float64, shape (knots,)
        Both growing.
    """
    warped = notes.copy()
    for name in ("onset_s", "offset_s"):
        time_s = notes[name]
        inside = np.interp(time_s, at_s, to_s)
        after = np.where(time_s > at_s[-1], time_s - at_s[-1], 0.0)
        warped[name] = inside + after - np.where(time_s < at_s[0], at_s[0] - time_s, 0.0)
    return warped


def warp_by_tempo(notes: NoteArray, at_s: NDArray[np.float64], tempo: NDArray[np.float64]) -> NoteArray:
    """Move all times so that between knot ``i`` and the next the music goes at ``tempo[i]`` times its speed.

    Parameters
    ----------
    notes : NoteArray
    at_s : ndarray of float64, shape (knots,)
        Growing; before the first and after the last, the tempo is 1.
    tempo : ndarray of float64, shape (knots - 1,)
    """
    to_s = at_s[0] + np.concatenate([[0.0], np.cumsum(np.diff(at_s) / tempo)])
    return warp(notes, at_s, to_s)


def sounding_keys(notes: NoteArray, begin_s: float, end_s: float) -> set[int]:
    """Pitches of the notes that sound, or begin, between two times."""
    first = int(np.searchsorted(notes["onset_s"], end_s, side="right"))
    return {int(pitch) for pitch in notes["pitch"][:first][notes["offset_s"][:first] > begin_s]}
