"""Ornaments and repeated notes: strokes around a note of the score, which keeps its place and its label.

The stroke that stands for the score's note keeps its ``source``; the others have -1 and are never labelled.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfdata.midi import PIANO_PITCHES
from sfdata.notes import NoteArray, copy_notes
from sfdata.operations.base import Drawn, SoundingKeys, check_between, check_range, draw_rate
from sfdata.operations.mistakes import add_notes

SOFTER = 8  # how much softer an added stroke is


@dataclass(frozen=True)
class Trills:
    """Notes played as trills with the upper neighbour, from the written note on.

    Attributes
    ----------
    rate : float
        Share of the notes that are long enough.
    spread : float
        How much variants differ in it; see :func:`sfdata.operations.base.draw_rate`.
    min_length_s : float
    stroke_s : (float, float)
        Range of the time from stroke to stroke, drawn for each trill.
    """

    name: ClassVar[str] = "trills"
    rate: float = 0.005
    min_length_s: float = 0.4
    stroke_s: tuple[float, float] = (0.06, 0.12)
    spread: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "stroke_s", self.stroke_s, 0.03, 1)
        check_between(self.name, 2 * self.stroke_s[1], 3600, min_length_s=self.min_length_s)
        check_between(self.name, 0, 3, spread=self.spread)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``trills``: a list of [note, interval in semitones, seconds from stroke to stroke]."""
        trills: list[list[Any]] = []
        sounds = SoundingKeys(notes)
        for note in _long_enough(notes, draw_rate(self.rate, self.spread, rng), self.min_length_s, rng):
            interval, stroke_s = int(rng.integers(1, 3)), rng.uniform(*self.stroke_s)
            key = int(notes["pitch"][note]) + interval
            busy = sounds(key, float(notes["onset_s"][note]) - 0.05, float(notes["offset_s"][note]) + 0.05)
            if key <= PIANO_PITCHES[1] and not busy:
                trills.append([int(note), interval, round(stroke_s, 4)])
        return {"trills": trills}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """The note becomes the first stroke; the others alternate until its end, which the last one reaches."""
        played, added = copy_notes(notes), []
        for note, interval, stroke_s in drawn["trills"]:
            onset_s, end_s = float(notes["onset_s"][note]), float(notes["offset_s"][note])
            strokes = max(2, int((end_s - onset_s) / stroke_s))
            played["offset_s"][note] = onset_s + stroke_s
            for stroke in range(1, strokes):
                at_s = onset_s + stroke * stroke_s
                until_s = end_s if stroke == strokes - 1 else at_s + stroke_s
                key = int(notes["pitch"][note]) + (interval if stroke % 2 else 0)
                added.append([at_s, until_s - at_s, key, _softer(notes, note)])
        return add_notes(played, added)


@dataclass(frozen=True)
class GraceNotes:
    """Short notes just before a note of the score.

    Attributes
    ----------
    rate : float
        Share of the notes.
    spread : float
        How much variants differ in it; see :func:`sfdata.operations.base.draw_rate`.
    length_s : (float, float)
        Range of their length, which is also how long they come before the note.
    """

    name: ClassVar[str] = "grace_notes"
    rate: float = 0.01
    length_s: tuple[float, float] = (0.04, 0.1)
    spread: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "length_s", self.length_s, 0.03, 0.2)
        check_between(self.name, 0, 3, spread=self.spread)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``grace``: a list of [note, interval in semitones, seconds]."""
        grace: list[list[Any]] = []
        sounds = SoundingKeys(notes)
        for note in np.flatnonzero(rng.random(len(notes)) < draw_rate(self.rate, self.spread, rng)):
            interval, length_s = int(rng.choice([-2, -1, 1, 2])), rng.uniform(*self.length_s)
            onset_s, key = float(notes["onset_s"][note]), int(notes["pitch"][note]) + interval
            busy = sounds(key, onset_s - length_s - 0.05, onset_s)
            if PIANO_PITCHES[0] <= key <= PIANO_PITCHES[1] and not busy and onset_s > 2 * length_s:
                grace.append([int(note), interval, round(length_s, 4)])
        return {"grace": grace}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Add them."""
        added = []
        for note, interval, length_s in drawn["grace"]:
            onset_s, key = float(notes["onset_s"][note]) - length_s, int(notes["pitch"][note]) + interval
            added.append([onset_s, length_s, key, _softer(notes, note)])
        return add_notes(notes, added)


@dataclass(frozen=True)
class RepeatedNotes:
    """Notes struck more than once in the time of one.

    Attributes
    ----------
    rate : float
        Share of the notes that are long enough.
    spread : float
        How much variants differ in it; see :func:`sfdata.operations.base.draw_rate`.
    min_length_s : float
    strokes : (int, int)
        Range of the number of strokes.
    """

    name: ClassVar[str] = "repeated_notes"
    rate: float = 0.005
    min_length_s: float = 0.3
    strokes: tuple[int, int] = (2, 3)
    spread: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "strokes", self.strokes, 2, 16)
        check_between(self.name, 0.1, 3600, min_length_s=self.min_length_s)
        check_between(self.name, 0, 3, spread=self.spread)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``repeated``: a list of [note, strokes]."""
        chosen = _long_enough(notes, draw_rate(self.rate, self.spread, rng), self.min_length_s, rng)
        return {"repeated": [[int(note), int(rng.integers(*self.strokes, endpoint=True))] for note in chosen]}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Divide the note's time evenly; each stroke sounds for nine tenths of its share, the last to the end."""
        played, added = copy_notes(notes), []
        for note, strokes in drawn["repeated"]:
            onset_s, end_s = float(notes["onset_s"][note]), float(notes["offset_s"][note])
            share_s = (end_s - onset_s) / strokes
            played["offset_s"][note] = onset_s + 0.9 * share_s
            for stroke in range(1, strokes):
                length_s = share_s * (1.0 if stroke == strokes - 1 else 0.9)
                added.append([onset_s + stroke * share_s, length_s, int(notes["pitch"][note]), _softer(notes, note)])
        return add_notes(played, added)


def _long_enough(notes: NoteArray, rate: float, min_length_s: float, rng: np.random.Generator) -> NDArray[np.integer]:
    chosen = rng.random(len(notes)) < rate
    return np.flatnonzero(chosen & (notes["offset_s"] - notes["onset_s"] >= min_length_s))


def _softer(notes: NoteArray, note: int) -> int:
    return max(1, int(notes["velocity"][note]) - SOFTER)
