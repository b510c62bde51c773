"""Onsets: how the notes of a chord come apart, and how chords stray from the beat."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import TICK_S, NoteArray, copy_notes
from sfdata.operations.base import (
    CHORD_S,
    Drawn,
    check_between,
    check_range,
    chord_firsts,
    chord_numbers,
    chord_onsets,
    per_note,
    sort_notes,
    to_ticks,
)

ROLLED_DOWN = 1 / 3
TAILS = 3  # degrees of freedom of Student's distribution: human onsets stray far more often than a normal one's would
ROOM = 0.45  # an onset strays by at most this share of the time to its neighbours, so that chords keep their order


@dataclass(frozen=True)
class ChordSpread:
    """The notes of a chord do not begin together: fingers differ, the melody leads, some chords are rolled.

    Attributes
    ----------
    deviation_s : (float, float)
        Range of the standard deviation of a note's onset within its chord, drawn for each variant.
    melody_lead_s : (float, float)
        Range of the time by which the highest note of a chord comes before the others, drawn for each variant.
    roll_rate : float
        Share of the chords that are rolled, two thirds of them from the lowest note up, the others down.
    roll_step_s : (float, float)
        Range of the time from note to note of a rolled chord.
    """

    name: ClassVar[str] = "chord_spread"
    deviation_s: tuple[float, float] = (0.005, 0.012)
    melody_lead_s: tuple[float, float] = (0.0, 0.02)
    roll_rate: float = 0.02
    roll_step_s: tuple[float, float] = (0.02, 0.06)
    probability: float = 1.0

    def __post_init__(self) -> None:
        for name in ("deviation_s", "melody_lead_s", "roll_step_s"):
            check_range(self.name, name, getattr(self, name), 0, 0.5)
        check_between(self.name, 0, 1, probability=self.probability, roll_rate=self.roll_rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``ticks``: for each note by how much it comes later, 0 for a note alone."""
        number = chord_numbers(notes)
        size = np.bincount(number)[number]
        deviation_s, lead_s = rng.uniform(*self.deviation_s), rng.uniform(*self.melody_lead_s)
        later_s = deviation_s * np.clip(rng.standard_normal(len(notes)), -3, 3)
        highest = np.lexsort((notes["pitch"], number))  # within each chord from the lowest to the highest
        last = np.diff(number[highest], append=-1) != 0
        later_s[highest[last]] -= lead_s
        rolled = (rng.random(number[-1] + 1) < self.roll_rate)[number]
        step_s = rng.uniform(*self.roll_step_s, number[-1] + 1)[number]
        down = (rng.random(number[-1] + 1) < ROLLED_DOWN)[number]
        rank = np.empty(len(notes))
        rank[highest] = np.arange(len(notes)) - chord_firsts(number)[number[highest]]
        later_s = np.where(rolled, step_s * np.where(down, size - 1 - rank, rank), later_s)
        return {"ticks": to_ticks(_keep_order(np.where(size > 1, later_s, 0.0), notes, number))}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Move each note as a whole."""
        return _shift(notes, drawn)


@dataclass(frozen=True)
class Jitter:
    """Chords stray from the beat, each as a whole and by itself.

    Attributes
    ----------
    deviation_s : (float, float)
        Range of the scale, drawn for each variant: two onsets of three stray by less, one of twenty by more than
        three times as much.
    """

    name: ClassVar[str] = "jitter"
    deviation_s: tuple[float, float] = (0.01, 0.03)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "deviation_s", self.deviation_s, 0, 0.5)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``ticks``: for each note by how much it comes later, the same for all notes of a chord."""
        number = chord_numbers(notes)
        deviation_s = rng.uniform(*self.deviation_s)
        later_s = deviation_s * np.clip(rng.standard_t(TAILS, number[-1] + 1), -8, 8)
        return {"ticks": to_ticks(_keep_order(later_s[number], notes, number))}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Move each note as a whole."""
        return _shift(notes, drawn)


@dataclass(frozen=True)
class AlignChords:
    """Notes that nearly begin together begin together, as in a score: for the score side.

    A transcription of a performance holds the player's own spread of chords, which is no part of a score.

    Attributes
    ----------
    within_s : float
        Notes that begin within this time of a chord's first one are moved to it.
    """

    name: ClassVar[str] = "align_chords"
    within_s: float = CHORD_S
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_between(self.name, 0, 0.2, within_s=self.within_s)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Nothing is random here; records ``within_s``."""
        return {"within_s": self.within_s}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Move onsets; ends stay, so that what follows is not covered. Of two notes of one key, the longer stays."""
        number = chord_numbers(notes, drawn["within_s"])
        aligned = copy_notes(notes, onset_s=chord_onsets(notes, number)[number])
        longest_last = np.lexsort((aligned["offset_s"], aligned["pitch"], number))
        twice = (np.diff(number[longest_last], append=-1) == 0) & (
            np.diff(aligned["pitch"][longest_last].astype(int), append=-1) == 0
        )
        return sort_notes(aligned.take(np.delete(np.arange(len(notes)), longest_last[twice])))


def _keep_order(later_s: NDArray[np.float64], notes: NoteArray, number: NDArray[np.int64]) -> NDArray[np.float64]:
    """Limit shifts to a share of the time to the chord before and after."""
    onset_s = chord_onsets(notes, number)
    between_s = np.diff(onset_s)
    before_s = np.append(min(0.2, float(onset_s[0])), between_s)[number]
    after_s = np.append(between_s, 0.2)[number]
    return np.clip(later_s, -ROOM * before_s, ROOM * after_s)


def _shift(notes: NoteArray, drawn: Drawn) -> NoteArray:
    later_s = per_note(drawn, "ticks", notes) * TICK_S
    return copy_notes(notes, onset_s=notes["onset_s"] + later_s, offset_s=notes["offset_s"] + later_s)
