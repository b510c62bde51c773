"""Mistakes: notes left out, notes added, wrong notes.

An added note's ``source`` is -1: it has no counterpart in the score and is never labelled. A wrong note keeps its
source: it stands where the right one stands.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sfdata.midi import PIANO_PITCHES
from sfdata.notes import NoteArray, copy_notes, make_notes
from sfdata.operations.base import (
    Drawn,
    SoundingKeys,
    check_between,
    check_range,
    chord_firsts,
    chord_numbers,
    draw_rate,
    sort_notes,
)

# How far fingers slip, up as often as down: measured on human performances, see docs/reality.md.
NEIGHBOURS = (-12, -4, -3, -2, -1, 1, 2, 3, 4, 12)
NEIGHBOUR_WEIGHTS = (4, 7, 16, 30, 47, 47, 30, 16, 7, 4)
_UP_TO_NEIGHBOUR = np.cumsum(np.array(NEIGHBOUR_WEIGHTS) / sum(NEIGHBOUR_WEIGHTS))
_UP_TO_NEIGHBOUR /= _UP_TO_NEIGHBOUR[-1]


@dataclass(frozen=True)
class Omissions:
    """Notes left out.

    Attributes
    ----------
    rate : float
        Share of the notes.
    spread : float
        How much variants differ in it; see :func:`sfdata.operations.base.draw_rate`.
    chord_rate : float
        Share of the inner notes of chords, on top of it: these go missing more easily than melody and bass.
    """

    name: ClassVar[str] = "omissions"
    rate: float = 0.01
    chord_rate: float = 0.02
    spread: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_between(self.name, 0, 3, spread=self.spread)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate, chord_rate=self.chord_rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``notes``: those left out; at least one is kept."""
        number = chord_numbers(notes)
        first = chord_firsts(number)
        outer = [f.reduceat(notes["pitch"], first)[number] == notes["pitch"] for f in (np.maximum, np.minimum)]
        inner = ~(outer[0] | outer[1])
        factor = np.exp(self.spread * rng.standard_normal())
        missing = rng.random(len(notes)) < factor * (self.rate + np.where(inner, self.chord_rate, 0))
        if missing.all():
            missing[0] = False
        return {"notes": np.flatnonzero(missing).tolist()}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Leave them out."""
        return notes.take(np.delete(np.arange(len(notes)), drawn["notes"]))


@dataclass(frozen=True)
class Additions:
    """Notes that the score does not have: keys brushed beside the right one, and strays.

    Attributes
    ----------
    rate : float
        Added notes as a share of the notes.
    spread : float
        How much variants differ in it; see :func:`sfdata.operations.base.draw_rate`.
    length_s : (float, float)
        Range of their length.
    stray_share : float
        Share of them that come somewhere before the next onset, the others with the note they stand beside.
    """

    name: ClassVar[str] = "additions"
    rate: float = 0.01
    length_s: tuple[float, float] = (0.04, 0.3)
    stray_share: float = 0.3
    spread: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "length_s", self.length_s, 0.03, 60)
        check_between(self.name, 0, 3, spread=self.spread)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate, stray_share=self.stray_share)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``added``: a list of [onset, length, pitch, velocity]; a key that sounds is not struck."""
        added: list[list[Any]] = []
        sounds, onsets_s = SoundingKeys(notes), np.ascontiguousarray(notes["onset_s"])
        for note in np.flatnonzero(rng.random(len(notes)) < draw_rate(self.rate, self.spread, rng)):
            onset_s, pitch = float(onsets_s[note]), int(notes["pitch"][note])
            following = int(onsets_s.searchsorted(onset_s + 0.05))
            until_s = float(onsets_s[following]) if following < len(notes) else onset_s + 0.2
            stray = rng.random() < self.stray_share
            span_s = (0.03, max(until_s - onset_s, 0.04)) if stray else (0.0, 0.02)
            at_s = onset_s + rng.uniform(*span_s)
            length_s, key = rng.uniform(*self.length_s), pitch + draw_slip(rng)
            velocity = min(max(int(notes["velocity"][note]) - int(rng.integers(5, 40)), 1), 127)
            busy = sounds(key, at_s - 0.05, at_s + length_s)
            recent = {entry[2] for entry in added[-8:] if entry[0] + entry[1] > at_s - 0.05}
            if PIANO_PITCHES[0] <= key <= PIANO_PITCHES[1] and not busy and key not in recent:
                added.append([round(at_s, 4), round(length_s, 4), key, velocity])
        return {"added": added}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Add them, with a source of -1."""
        return add_notes(notes, drawn["added"])


@dataclass(frozen=True)
class WrongNotes:
    """Single notes played on a wrong key.

    Attributes
    ----------
    rate : float
        Share of the notes.
    spread : float
        How much variants differ in it; see :func:`sfdata.operations.base.draw_rate`.
    """

    name: ClassVar[str] = "wrong_notes"
    rate: float = 0.005
    spread: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_between(self.name, 0, 3, spread=self.spread)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``wrong``: a list of [note, pitch]; a key that sounds is not struck."""
        wrong: list[list[int]] = []
        taken: set[int] = set()
        sounds = SoundingKeys(notes)
        for note in np.flatnonzero(rng.random(len(notes)) < draw_rate(self.rate, self.spread, rng)):
            key = int(notes["pitch"][note]) + draw_slip(rng)
            busy = sounds(key, float(notes["onset_s"][note]) - 0.05, float(notes["offset_s"][note]))
            if PIANO_PITCHES[0] <= key <= PIANO_PITCHES[1] and not busy and key not in taken:
                wrong.append([int(note), key])
                taken = {key}
        return {"wrong": wrong}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Change the pitches."""
        played = copy_notes(notes)
        for note, key in drawn["wrong"]:
            played["pitch"][note] = key
        return sort_notes(played)


def draw_slip(rng: np.random.Generator) -> int:
    """Draw by how many semitones a finger slips."""
    return NEIGHBOURS[int(_UP_TO_NEIGHBOUR.searchsorted(rng.random(), side="right"))]


def add_notes(notes: NoteArray, added: list[list[Any]]) -> NoteArray:
    """Notes with others among them that come from no note: a list of [onset, length, pitch, velocity]."""
    if not added:
        return notes
    onset, length, pitch, velocity = np.array(added, dtype=np.float64).T
    extra = make_notes(onset, onset + length, pitch, velocity, np.full(len(onset), -1))
    return sort_notes(np.concatenate([notes, extra]))
