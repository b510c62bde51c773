"""Pitch of score side and variants alike: transposition, and folding onto the keyboard.

A snippet in another key than its reference would have no true target, so this is drawn once for each voice.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sfdata.midi import PIANO_PITCHES
from sfdata.notes import NoteArray, copy_notes
from sfdata.operations.base import Drawn, check_between, check_range, sort_notes

FOLDS = ("note", "voice")


@dataclass(frozen=True)
class Transpose:
    """Transposition by semitones and octaves.

    Attributes
    ----------
    semitones : (int, int)
        Range in semitones, both ends included.
    octaves : (int, int)
        Range in octaves, both ends included, on top of it.
    fold : {"note", "voice"}
        What happens where notes would leave `keys`: ``note`` folds each of them back by octaves, which changes
        intervals there; ``voice`` draws again among the octaves (of `octaves`) that keep all notes, and folds notes
        only where there is none.
    keys : (int, int)
        Lowest and highest MIDI pitch, at least an octave apart.
    """

    name: ClassVar[str] = "transpose"
    semitones: tuple[int, int] = (0, 0)
    octaves: tuple[int, int] = (0, 0)
    fold: str = "note"
    keys: tuple[int, int] = PIANO_PITCHES
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "semitones", self.semitones, -87, 87)
        check_range(self.name, "octaves", self.octaves, -7, 7)
        check_range(self.name, "keys", self.keys, 0, 127)
        check_between(self.name, 0, 1, probability=self.probability)
        if self.keys[1] - self.keys[0] < 11:
            raise ValueError(f"augment.transpose: keys {list(self.keys)}; expected at least an octave")
        if self.fold not in FOLDS:
            raise ValueError(f"augment.transpose: fold {self.fold!r}; expected one of {', '.join(FOLDS)}")

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``semitones``, octaves included; and record ``keys``."""
        semitones = int(rng.integers(*self.semitones, endpoint=True))
        octaves = np.arange(self.octaves[0], self.octaves[1] + 1)
        if self.fold == "voice" and len(notes):
            moved = notes["pitch"].astype(int) + semitones
            fits = (moved.min() + 12 * octaves >= self.keys[0]) & (moved.max() + 12 * octaves <= self.keys[1])
            octaves = octaves[fits] if fits.any() else octaves
        semitones += 12 * int(octaves[rng.integers(len(octaves))])
        return {"semitones": semitones, "keys": list(self.keys)}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Shift all pitches, folding by octaves what would leave the keys.

        Of two notes that folding puts on one key at one time, the longer stays.
        """
        low, high = drawn["keys"]
        pitch = notes["pitch"].astype(int) + drawn["semitones"]
        pitch += 12 * np.maximum(0, -((pitch - low) // 12))
        pitch -= 12 * np.maximum(0, -((high - pitch) // 12))
        moved = sort_notes(copy_notes(notes, pitch=pitch))
        twice = (np.diff(moved["onset_s"], append=np.inf) == 0) & (np.diff(moved["pitch"].astype(int), append=-1) == 0)
        return moved.take(np.flatnonzero(~twice))
