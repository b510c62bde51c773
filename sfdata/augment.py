"""Augmentation: variants of a voice, drawn from a generator, recorded, and applied deterministically.

:func:`draw_transposition` and :func:`draw_variation` only draw; :func:`apply_variation` only applies. What was drawn
is a plain dict of numbers and names that goes into JSON as it is, and from which the same notes come again.
Transposition concerns score and variants alike (a snippet in another key than its reference would have no true
target); everything else makes variants differ from the score.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sfdata.midi import PIANO_PITCHES
from sfdata.notes import NoteArray, round_to_ticks

ARTICULATIONS: dict[str, tuple[float, float]] = {
    "staccato": (0.25, 0.5),
    "portato": (0.5, 0.8),
    "legato": (0.95, 1.0),
}
MIN_NOTE_S = 0.03


@dataclass(frozen=True)
class AugmentSettings:
    """Ranges that augmentation draws from; the defaults change nothing.

    Attributes
    ----------
    copies : int
        Variants drawn of each voice. With none, snippets come from the score itself.
    tempo : (float, float)
        Range of the tempo factor, drawn on a logarithmic scale; 2 is twice as fast.
    articulations : tuple of str
        One is drawn for each variant: ``as-is`` or a key of :data:`ARTICULATIONS`, whose range (drawn for each
        note) is the part of the time to the next onset that a note sounds. A rest in the score stays a rest: a
        note never becomes longer than it was, but by legato, and then at most to the next onset.
    note_length : (float, float)
        Range of a factor on each note's length.
    rest_insert, rest_remove : float
        Probability of inserting a rest after a note, and of closing one.
    rest_s : (float, float)
        Range of an inserted rest's length, in seconds.
    transpose : (int, int)
        Range of semitones, both ends included, drawn once for each voice, for score and variants alike; notes that
        would leave the piano's keyboard are folded back by octaves.
    """

    copies: int = 0
    tempo: tuple[float, float] = (1.0, 1.0)
    articulations: tuple[str, ...] = ("as-is",)
    note_length: tuple[float, float] = (1.0, 1.0)
    rest_insert: float = 0.0
    rest_remove: float = 0.0
    rest_s: tuple[float, float] = (0.1, 0.8)
    transpose: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for name in ("tempo", "articulations", "note_length", "rest_s", "transpose"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, lowest in (("tempo", 0.1), ("note_length", 0.05), ("rest_s", 0.0), ("transpose", -87)):
            low_high = getattr(self, name)
            if len(low_high) != 2 or not lowest <= low_high[0] <= low_high[1]:
                raise ValueError(f"augment: {name} {list(low_high)}; expected [low, high], low at least {lowest}")
        known = ("as-is", *ARTICULATIONS)
        if not self.articulations or any(name not in known for name in self.articulations):
            raise ValueError(f"augment: articulations {list(self.articulations)}; expected some of {', '.join(known)}")
        for name in ("rest_insert", "rest_remove"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"augment: {name} {getattr(self, name)}; expected a probability, 0 to 1")
        if self.copies < 0:
            raise ValueError(f"augment: copies {self.copies}; expected 0 or more")


def generator(seed: int, sha256: str, voice: int, copy: int) -> np.random.Generator:
    """The generator for one variant of one voice: the same whatever else is built, and in whatever order."""
    return np.random.default_rng([seed, int(sha256[:16], 16), voice, copy])


def draw_transposition(settings: AugmentSettings, rng: np.random.Generator) -> int:
    """Draw a voice's transposition in semitones."""
    return int(rng.integers(settings.transpose[0], settings.transpose[1], endpoint=True))


def transpose(voice: NoteArray, semitones: int) -> NoteArray:
    """Shift all pitches, folding by octaves what would leave the piano's keyboard.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> transpose(make_notes([0, 1], [1, 2], [60, 107], [80, 80]), 4)["pitch"].tolist()
    [64, 99]
    """
    low, high = PIANO_PITCHES
    pitch = voice["pitch"].astype(int) + semitones
    pitch += 12 * np.maximum(0, -((pitch - low) // 12))
    pitch -= 12 * np.maximum(0, -((high - pitch) // 12))
    shifted = voice.copy()
    shifted["pitch"] = pitch
    return shifted


def draw_variation(voice: NoteArray, settings: AugmentSettings, rng: np.random.Generator) -> dict[str, Any]:
    """Draw one variant of a voice.

    Returns
    -------
    dict
        ``tempo`` (factor), ``articulation`` (name), ``sounding`` (part of the inter-onset time, per note; empty for
        ``as-is``), ``note_length`` (factor per note; empty for all 1), ``rests_inserted`` (list of [note, seconds]),
        ``rests_removed`` (list of notes). Rests come after the note named; seconds are at the variant's tempo.
    """
    count = len(voice)
    tempo = float(np.exp(rng.uniform(*np.log(settings.tempo))))
    articulation = str(settings.articulations[rng.integers(len(settings.articulations))])
    sounding = rng.uniform(*ARTICULATIONS[articulation], count) if articulation in ARTICULATIONS else np.empty(0)
    lengths = rng.uniform(*settings.note_length, count) if settings.note_length != (1.0, 1.0) else np.empty(0)
    inserted = np.flatnonzero(rng.random(count) < settings.rest_insert)
    rests = rng.uniform(*settings.rest_s, len(inserted))
    gaps = np.append(voice["onset_s"][1:] - voice["offset_s"][:-1], 0.0) if count else np.empty(0)
    removed = np.flatnonzero((rng.random(count) < settings.rest_remove) & (gaps > 0))
    return {
        "tempo": round(tempo, 6),
        "articulation": articulation,
        "sounding": [round(float(value), 4) for value in sounding],
        "note_length": [round(float(value), 4) for value in lengths],
        "rests_inserted": [[int(note), round(float(rest), 4)] for note, rest in zip(inserted, rests, strict=True)],
        "rests_removed": [int(note) for note in removed],
    }


def apply_variation(voice: NoteArray, drawn: dict[str, Any]) -> NoteArray:
    """Apply what :func:`draw_variation` drew.

    Parameters
    ----------
    voice : NoteArray
        Monophonic.
    drawn : dict

    Returns
    -------
    NoteArray
        As many notes as `voice` has, monophonic, ``source`` being the index in `voice`; the first onset stays.

    Raises
    ------
    ValueError
        If the record was drawn for a voice of another length.
    """
    count = len(voice)
    for name in ("sounding", "note_length"):
        if drawn[name] and len(drawn[name]) != count:
            raise ValueError(f"the record's {name} is for {len(drawn[name])} notes, the voice has {count}")
    notes = voice.copy()
    notes["source"] = np.arange(count)
    if not count:
        return notes
    between_s = np.diff(voice["onset_s"]) / drawn["tempo"]  # (notes - 1,) from each onset to the next
    length_s = (voice["offset_s"] - voice["onset_s"]) / drawn["tempo"]
    for note in drawn["rests_removed"]:
        between_s[note] = max(length_s[note], MIN_NOTE_S)
    room_s = np.append(between_s, length_s[-1])  # a note never sounds beyond the next onset
    for note, rest_s in drawn["rests_inserted"]:
        if note < count - 1:
            between_s[note] += rest_s
    if drawn["articulation"] == "legato":
        length_s = room_s * drawn["sounding"]
    elif drawn["articulation"] in ARTICULATIONS:
        length_s = np.minimum(length_s, room_s * drawn["sounding"])
    if drawn["note_length"]:
        length_s = length_s * drawn["note_length"]
    length_s = np.maximum(np.minimum(length_s, room_s), np.minimum(room_s, MIN_NOTE_S))
    onset_s = voice["onset_s"][0] + np.append(0.0, np.cumsum(between_s))
    notes["onset_s"], notes["offset_s"] = round_to_ticks(onset_s), round_to_ticks(onset_s + length_s)
    notes["offset_s"][:-1] = np.minimum(notes["offset_s"][:-1], notes["onset_s"][1:])
    return notes
