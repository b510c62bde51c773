"""Time between notes: rests inserted and removed, fermatas."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import TICK_S, NoteArray, copy_notes
from sfdata.operations.base import (
    MIN_NOTE_S,
    Drawn,
    check_between,
    check_range,
    chord_numbers,
    chord_onsets,
    draw_log,
    tempo_map,
    warp_in_turn,
)

SHORTEST_REST_S = 0.05


@dataclass(frozen=True)
class RestInsert:
    """Breaks before chords: what has ended stays ended, what is held is held on.

    Attributes
    ----------
    rate : float
        Share of the chords (from the second on) that come late.
    length_s : (float, float)
        Range of the time inserted, drawn on a logarithmic scale.
    """

    name: ClassVar[str] = "rest_insert"
    rate: float = 0.03
    length_s: tuple[float, float] = (0.1, 0.8)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "length_s", self.length_s, 0.001, 60)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``rests``: a list of [onset of the chord that comes late, seconds]."""
        onset_s = chord_onsets(notes, chord_numbers(notes))[1:]
        chosen = rng.random(len(onset_s)) < self.rate
        length_s = draw_log(self.length_s, len(onset_s), rng)
        drawn = zip(onset_s[chosen].tolist(), length_s[chosen].tolist(), strict=True)
        return {"rests": [[at_s, round(rest_s, 4)] for at_s, rest_s in drawn]}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Move what comes at or after each of the onsets, and the ends of notes that are held beyond it."""
        at_s = np.array([at for at, _ in drawn["rests"]], dtype=np.float64)
        later_s = np.concatenate([[0.0], np.cumsum([length for _, length in drawn["rests"]])])
        # Half a tick to either side: times that went through a file are rounded.
        return copy_notes(
            notes,
            onset_s=notes["onset_s"] + later_s[np.searchsorted(at_s - TICK_S / 2, notes["onset_s"])],
            offset_s=notes["offset_s"] + later_s[np.searchsorted(at_s + TICK_S / 2, notes["offset_s"])],
        )


@dataclass(frozen=True)
class RestRemove:
    """Rests passed over: where nothing sounds, what follows comes at once.

    Attributes
    ----------
    rate : float
        Share of the rests (nothing sounds for at least 50 ms) that are removed.
    """

    name: ClassVar[str] = "rest_remove"
    rate: float = 0.1
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``rests``: a list of [beginning, end] in seconds."""
        gaps = silences(notes)
        chosen = rng.random(len(gaps)) < self.rate
        return {"rests": gaps[chosen].tolist()}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Close the rests; a note shorter than 30 ms before one keeps that time to the next onset."""
        begin_s, end_s = np.array(drawn["rests"], dtype=np.float64).reshape(-1, 2).T
        onset_s = np.ascontiguousarray(notes["onset_s"])
        last_s = onset_s[np.searchsorted(onset_s, end_s - TICK_S / 2) - 1]
        removed_s = end_s - np.maximum(begin_s, np.minimum(end_s, last_s + MIN_NOTE_S))
        earlier_s = np.concatenate([[0.0], np.cumsum(removed_s)])
        return copy_notes(
            notes,
            onset_s=onset_s - earlier_s[np.searchsorted(end_s - TICK_S / 2, onset_s)],
            offset_s=notes["offset_s"] - earlier_s[np.searchsorted(end_s - TICK_S / 2, notes["offset_s"])],
        )


@dataclass(frozen=True)
class Fermata:
    """Chords held longer than written, notes and time to the next onset alike.

    Attributes
    ----------
    rate : float
        Share of the chords that are held.
    factor : (float, float)
        Range of how many times as long.
    min_length_s : float
        Only chords that the next one follows after at least this time.
    """

    name: ClassVar[str] = "fermata"
    rate: float = 0.01
    factor: tuple[float, float] = (1.5, 3.0)
    min_length_s: float = 0.3
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "factor", self.factor, 1, 20)
        check_between(self.name, 0, 3600, min_length_s=self.min_length_s)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``fermatas``: a list of [onset of the chord, onset of the next, factor]."""
        onset_s = chord_onsets(notes, chord_numbers(notes))
        chosen = rng.random(max(0, len(onset_s) - 1)) < self.rate
        factor = rng.uniform(*self.factor, len(chosen))
        chosen &= np.diff(onset_s) >= self.min_length_s
        drawn = zip(*(part[chosen].tolist() for part in (onset_s[:-1], onset_s[1:], factor)), strict=True)
        return {"fermatas": [[begin_s, end_s, round(longer, 4)] for begin_s, end_s, longer in drawn]}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Stretch the time from each chord to the next."""

        def maps() -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
            shift_s = 0.0
            for begin_s, end_s, factor in drawn["fermatas"]:
                at_s = np.array([begin_s, end_s]) + shift_s
                yield at_s, tempo_map(at_s, np.array([1 / factor]))
                shift_s += (end_s - begin_s) * (factor - 1)

        return warp_in_turn(notes, maps())


def silences(notes: NoteArray, shortest_s: float = SHORTEST_REST_S) -> NDArray[np.float64]:
    """Stretches between notes in which nothing sounds, shape (rests, 2): beginning and end in seconds.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> silences(make_notes([0, 0, 3], [1, 2, 4], [60, 64, 67], [80] * 3)).tolist()
    [[2.0, 3.0]]
    """
    ends = np.maximum.accumulate(notes["offset_s"])[:-1]
    begins = notes["onset_s"][1:]
    rest = begins - ends >= shortest_s
    return np.stack([ends[rest], begins[rest]], axis=1)
