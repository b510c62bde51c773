"""How long notes sound: styles of articulation, note lengths, the sustain pedal.

The *room* of a note is the time from its onset to that of the note which follows it
(:func:`sfdata.operations.base.room_s`).
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sfdata.notes import NoteArray, copy_notes
from sfdata.operations.base import (
    MIN_NOTE_S,
    Drawn,
    check_between,
    check_range,
    chord_numbers,
    chord_onsets,
    log_scale,
    per_note,
    room_s,
)
from sfdata.operations.words import Words

STYLES: dict[str, tuple[float, float]] = {
    "as-is": (0.0, 0.0),
    "staccato": (0.25, 0.5),
    "portato": (0.5, 0.8),
    "legato": (0.95, 1.0),
    "overlapping": (1.02, 1.3),
}
LENGTHENING = ("legato", "overlapping")
LONGEST_OVERLAP_S = 0.3
REST_SHARE = 0.5  # a note that fills less of its room than this is followed by a rest, which legato leaves alone


@dataclass(frozen=True)
class Articulation:
    """Styles, one after another.

    Attributes
    ----------
    styles : tuple of str
        Keys of :data:`STYLES`, of which one is drawn for each stretch: ``as-is`` leaves notes as they are; of the
        others, the range is the part of its room that a note sounds, drawn for each note. Staccato and portato only
        shorten notes, legato and overlapping only lengthen them, and leave rests alone.
    stretch_s : (float, float)
        Range of the time for which a style holds; ``[0, 0]`` for one style for all of a variant.
    """

    name: ClassVar[str] = "articulation"
    styles: tuple[str, ...] = ("as-is", "staccato", "portato", "legato")
    stretch_s: tuple[float, float] = (0.0, 0.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not self.styles or any(style not in STYLES for style in self.styles):
            raise ValueError(f"augment.articulation: styles {list(self.styles)}; expected some of {', '.join(STYLES)}")
        check_range(self.name, "stretch_s", self.stretch_s, 0, 3600)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``stretches``, a list of [first note, style], and ``thousandths`` of its room for each note."""
        stretches: list[list[Any]] = []
        onset_s: list[float] = notes["onset_s"].tolist()
        words, places = Words(rng), []
        shortest_s, wider_s = self.stretch_s[0], self.stretch_s[1] - self.stretch_s[0]
        begin_s, first = onset_s[0], 0
        while True:
            style = self.styles[words.below(len(self.styles))]
            length_s = shortest_s + wider_s * words.share()
            end = bisect_left(onset_s, begin_s + length_s, first) if length_s > 0 else len(notes)
            if end > first:
                stretches.append([first, style])
                places.append(words.skip(end - first) - first)
            if end == len(notes):
                break
            begin_s += length_s
            first = end
        counts = np.diff([first for first, _ in stretches], append=len(notes))
        shares = words.shares(np.arange(len(notes)) + np.repeat(places, counts))
        low, high = np.repeat([STYLES[style] for _, style in stretches], counts, axis=0).T
        thousandths = np.rint(1000 * (low + (high - low) * shares)).astype(np.int64)
        return {"stretches": stretches, "thousandths": thousandths.tolist() if thousandths.any() else []}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Set the ends of notes."""
        if not drawn["thousandths"]:
            return notes
        share = per_note(drawn, "thousandths", notes) / 1000
        room = room_s(notes)
        length_s = notes["offset_s"] - notes["onset_s"]
        held_s = np.minimum(room * share, room + LONGEST_OVERLAP_S)
        lengthened = np.where(length_s >= REST_SHARE * room, held_s, length_s)
        bounds = [first for first, _ in drawn["stretches"]] + [len(notes)]
        kinds = [1 if style in LENGTHENING else 0 if style == "as-is" else -1 for _, style in drawn["stretches"]]
        kind = np.zeros(len(notes), dtype=np.int64)
        kind[bounds[0] :] = np.repeat(kinds, np.diff(bounds))
        length_s = np.where(kind > 0, np.maximum(length_s, lengthened), length_s)
        length_s = np.where(kind < 0, np.minimum(length_s, room * share), length_s)
        return copy_notes(notes, offset_s=notes["onset_s"] + length_s)


@dataclass(frozen=True)
class NoteLength:
    """A factor on each note's length.

    Attributes
    ----------
    factor : (float, float)
        Range of the factor, drawn for each note.
    beyond_room : bool
        Whether a note may come to last beyond the onset that follows it, if it did not before.
    """

    name: ClassVar[str] = "note_length"
    factor: tuple[float, float] = (0.8, 1.2)
    beyond_room: bool = False
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "factor", self.factor, 0.05, 20)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``thousandths``: the factor for each note; and record ``beyond_room``."""
        factor = rng.uniform(*self.factor, len(notes))
        return {"thousandths": np.rint(1000 * factor).astype(int).tolist(), "beyond_room": self.beyond_room}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Multiply lengths."""
        length_s = notes["offset_s"] - notes["onset_s"]
        longest = np.inf if drawn["beyond_room"] else np.maximum(room_s(notes), length_s)
        factor = per_note(drawn, "thousandths", notes) / 1000
        length_s = np.maximum(np.minimum(length_s * factor, longest), MIN_NOTE_S)
        return copy_notes(notes, offset_s=notes["onset_s"] + length_s)


@dataclass(frozen=True)
class Pedal:
    """The sustain pedal: notes that end while it is down sound until it is lifted, or their key is struck again.

    It is pressed just after a chord and lifted with a later one (syncopated pedalling), chord by chord anew.

    Attributes
    ----------
    rate : (float, float)
        Range of the share of the stretches in which it is down, drawn for each variant.
    length_s : (float, float)
        Range of a stretch, drawn on a logarithmic scale.
    after_s : float
        How long after a chord it is pressed.
    """

    name: ClassVar[str] = "pedal"
    rate: tuple[float, float] = (0.2, 0.9)
    length_s: tuple[float, float] = (0.25, 2.0)
    after_s: float = 0.05
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "length_s", self.length_s, 0.05, 600)
        check_range(self.name, "rate", self.rate, 0, 1)
        check_between(self.name, 0, 1, probability=self.probability)
        check_between(self.name, 0, 10, after_s=self.after_s)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``down``: a list of [pressed, lifted] in seconds."""
        onset_s: list[float] = chord_onsets(notes, chord_numbers(notes)).tolist()
        down: list[list[float]] = []
        begin_s, rate = onset_s[0], rng.uniform(*self.rate)
        while begin_s < onset_s[-1]:
            # Two draws for each stretch, from a hundred stretches at once.
            drawn = rng.random((100, 2))
            lengths_s = log_scale(self.length_s, drawn[:, 0])
            for length_s, pressed in zip(lengths_s.tolist(), (drawn[:, 1] < rate).tolist(), strict=True):
                if begin_s >= onset_s[-1]:
                    break
                end_s = onset_s[min(bisect_left(onset_s, begin_s + length_s), len(onset_s) - 1)]
                if end_s <= begin_s:
                    end_s = onset_s[bisect_right(onset_s, begin_s)]
                if pressed and end_s > begin_s + self.after_s:
                    down.append([round(begin_s + self.after_s, 4), round(end_s, 4)])
                begin_s = end_s
        return {"down": down}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Lengthen the notes that end while it is down; a key struck again ends them when the notes are finished."""
        if not drawn["down"]:
            return notes
        pressed, lifted = np.array(drawn["down"], dtype=np.float64).T
        stretch = np.searchsorted(pressed, notes["offset_s"], side="right") - 1
        inside = (stretch >= 0) & (notes["offset_s"] < lifted[stretch])
        return copy_notes(notes, offset_s=np.where(inside, lifted[stretch], notes["offset_s"]))
