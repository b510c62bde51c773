"""Loudness, as MIDI velocities: level and range, a smooth curve, voicing, accents, and what fingers leave to chance."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import NoteArray, copy_notes
from sfdata.operations.base import Drawn, check_between, check_range, chord_firsts, chord_numbers, per_note, random_walk


@dataclass(frozen=True)
class VelocityCurve:
    """A level for each variant and a smooth curve about it, the higher notes of chords louder than the others.

    Attributes
    ----------
    level : (int, int)
        Range of what is added to all velocities, drawn for each variant.
    deviation : (float, float)
        Range of the curve's standard deviation, drawn for each variant.
    memory_s : float
        Time after which the curve has forgotten two thirds of where it was.
    voicing : (float, float)
        Range of what is taken from all but the highest note of a chord, drawn for each variant.
    """

    name: ClassVar[str] = "velocity_curve"
    level: tuple[int, int] = (-10, 10)
    deviation: tuple[float, float] = (6.0, 14.0)
    memory_s: float = 6.0
    voicing: tuple[float, float] = (4.0, 16.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "level", self.level, -127, 127)
        check_range(self.name, "deviation", self.deviation, 0, 127)
        check_range(self.name, "voicing", self.voicing, -127, 127)
        check_between(self.name, 0.01, 3600, memory_s=self.memory_s)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``steps``: what is added to each note's velocity."""
        level, deviation = rng.integers(*self.level, endpoint=True), rng.uniform(*self.deviation)
        voicing = rng.uniform(*self.voicing)
        number = chord_numbers(notes)
        first = chord_firsts(number)
        between_s = np.diff(notes["onset_s"][first], prepend=notes["onset_s"][0])
        curve = random_walk(between_s, self.memory_s, rng)
        highest = np.maximum.reduceat(notes["pitch"], first)[number] == notes["pitch"]
        steps = level + deviation * curve[number] - np.where(highest, 0, voicing)
        return {"steps": np.rint(steps).astype(int).tolist()}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Add to velocities, within 1 to 127."""
        return _louder(notes, per_note(drawn, "steps", notes))


@dataclass(frozen=True)
class Accents:
    """Single chords struck harder.

    Attributes
    ----------
    rate : float
        Share of the chords.
    strength : (int, int)
        Range of what is added.
    """

    name: ClassVar[str] = "accents"
    rate: float = 0.05
    strength: tuple[int, int] = (8, 30)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "strength", self.strength, 0, 127)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``accents``: a list of [note, what is added], for all notes of the chords chosen."""
        number = chord_numbers(notes)
        chosen = rng.random(number[-1] + 1) < self.rate
        strength = rng.integers(*self.strength, size=len(chosen), endpoint=True)
        accented = np.flatnonzero(chosen[number])
        return {"accents": np.stack([accented, strength[number[accented]]], axis=1).tolist()}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Add to velocities, within 1 to 127."""
        steps = np.zeros(len(notes))
        for note, strength in drawn["accents"]:
            steps[note] = strength
        return _louder(notes, steps)


@dataclass(frozen=True)
class VelocityNoise:
    """What fingers leave to chance, note by note.

    Attributes
    ----------
    deviation : (float, float)
        Range of the standard deviation, drawn for each variant.
    """

    name: ClassVar[str] = "velocity_noise"
    deviation: tuple[float, float] = (2.0, 8.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "deviation", self.deviation, 0, 127)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``steps``: what is added to each note's velocity."""
        steps = rng.uniform(*self.deviation) * rng.standard_normal(len(notes))
        return {"steps": np.rint(steps).astype(int).tolist()}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Add to velocities, within 1 to 127."""
        return _louder(notes, per_note(drawn, "steps", notes))


@dataclass(frozen=True)
class ConstantVelocity:
    """One velocity for all notes, as a score without dynamics: for the score side.

    Attributes
    ----------
    velocity : int
    """

    name: ClassVar[str] = "constant_velocity"
    velocity: int = 64
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_between(self.name, 1, 127, velocity=self.velocity)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Nothing is random here; records ``velocity``."""
        return {"velocity": self.velocity}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Set all velocities."""
        return copy_notes(notes, velocity=drawn["velocity"])


def _louder(notes: NoteArray, steps: NDArray[np.float64]) -> NoteArray:
    return copy_notes(notes, velocity=np.clip(notes["velocity"] + steps, 1, 127).astype(np.uint8))
