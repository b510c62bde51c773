"""Monophonic voices out of polyphonic pieces."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sfdata.notes import NoteArray


@dataclass(frozen=True)
class VoiceSettings:
    """How voices are extracted.

    Attributes
    ----------
    method : str
        A key of :data:`METHODS`.
    chord_s : float
        Notes that begin within this time of a chord's first one belong to the chord.
    overlap_s : float
        A lower note may take over from a higher one that ends at most this long after the lower one's onset
        (legato); where the higher one sounds on for longer, the lower one is no melody note.
    min_note_s : float
        Shorter notes, and notes cut shorter by their successor, are left out.
    """

    method: str = "skyline"
    chord_s: float = 0.05
    overlap_s: float = 0.1
    min_note_s: float = 0.04

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"voices: method {self.method!r}; expected one of {', '.join(METHODS)}")
        if min(self.chord_s, self.overlap_s) < 0 or self.min_note_s <= 0:
            raise ValueError(
                f"voices: chord_s {self.chord_s}, overlap_s {self.overlap_s}, min_note_s {self.min_note_s}; "
                "expected none below zero and min_note_s above it"
            )


def skyline(notes: NoteArray, settings: VoiceSettings) -> NoteArray:
    """Take the highest line: of each chord the highest note, unless a higher one is still sounding.

    Parameters
    ----------
    notes : NoteArray
        A piece's notes, sorted by onset.

    Returns
    -------
    NoteArray
        Monophonic; ``source`` is the index in `notes`; may be empty.

    Notes
    -----
    The skyline of Uitdenbogerd and Zobel, "Manipulation of music for melody matching" (1998), with two tolerances
    that performed (not notated) onsets need.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> piece = make_notes([0.0, 0.01, 1.0, 1.2], [1.0, 0.9, 2.0, 1.8], [60, 72, 67, 48], [80, 80, 80, 80])
    >>> voice = skyline(piece, VoiceSettings())
    >>> voice["pitch"].tolist(), voice["source"].tolist()
    ([72, 67], [1, 2])
    """
    onset, offset, pitch = notes["onset_s"], notes["offset_s"], notes["pitch"].astype(int)
    long_enough = np.flatnonzero(offset - onset >= settings.min_note_s)
    line: list[int] = []
    ends: list[float] = []
    position = 0
    while position < len(long_enough):
        first = position
        latest = onset[long_enough[first]] + settings.chord_s
        while position < len(long_enough) and onset[long_enough[position]] <= latest:
            position += 1
        chord = long_enough[first:position]
        note = int(chord[np.argmax(pitch[chord])])
        # The chord's melody note may come a little late; what is sounding is judged at its own onset.
        while line and ends[-1] > onset[note]:
            if pitch[line[-1]] > pitch[note] and ends[-1] > onset[note] + settings.overlap_s:
                break  # a higher note sounds on: this one lies below the skyline
            if onset[note] - onset[line[-1]] >= settings.min_note_s:
                ends[-1] = onset[note]
                line.append(note)
                ends.append(offset[note])
                break
            line.pop()  # too little of it would be left
            ends.pop()
        else:
            line.append(note)
            ends.append(offset[note])
    voice: NoteArray = notes[line].copy()
    voice["offset_s"] = ends
    voice["source"] = line
    return voice


METHODS: dict[str, Callable[[NoteArray, VoiceSettings], NoteArray]] = {"skyline": skyline}


def extract_voices(notes: NoteArray, settings: VoiceSettings | None = None) -> list[NoteArray]:
    """Extract a piece's voices; each note's ``source`` is its index in the piece.

    Raises
    ------
    ValueError
        If no note is left.
    """
    settings = settings or VoiceSettings()
    voice = METHODS[settings.method](notes, settings)
    if not len(voice):
        raise ValueError(f"no note of at least {settings.min_note_s} s is left for a voice")
    return [voice]
