"""Voices out of pieces: monophonic lines, or all notes as they are.

A voice is a note array whose ``source`` is the index in the piece's notes. But for that of ``all`` they are truly
monophonic: a note ends where the next one begins. Onsets are never moved. Voices stand from the highest to the lowest.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import TICK_S, NoteArray, round_to_ticks
from sfdata.separation import chew_wu, separate, to_ticks

STUB_S = 0.015
"""Shorter notes of transcriptions are mostly no notes (docs/voices.md); those from here on are as real as any."""


@dataclass(frozen=True)
class VoiceSettings:
    """How voices are extracted, and which are kept.

    Attributes
    ----------
    method : str
        A key of :data:`METHODS`.
    chord_s : float
        Notes that begin within this time of a chord's first one belong to the chord.
    overlap_s : float
        Legato. ``skyline``, ``lowest``: another note may take over from a higher (lower) one that ends at most this
        long after the other's onset; where it sounds on for longer, the other one is no melody note.
        ``voice-separation``: overlaps up to this count half. ``chew-wu``: they are cut.
    min_note_s : float
        Shorter notes, and notes cut shorter by their successor, are left out; ``all`` lengthens real ones instead.
    min_notes : int
        Voices with fewer notes are left out.
    min_share : float
        So are voices with a smaller share of the notes of the piece's largest voice: scraps that a separation leaves.
    take : tuple of int
        Numbers of the voices to keep: 0 is the highest of those left, 1 the next, -1 the lowest, -2 the one above it.
        A piece that lacks one of them gives the others. Empty for all.
    """

    method: str = "skyline"
    chord_s: float = 0.05
    overlap_s: float = 0.1
    min_note_s: float = 0.04
    min_notes: int = 1
    min_share: float = 0.1
    take: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"voices: method {self.method!r}; expected one of {', '.join(METHODS)}")
        if not min(self.chord_s, self.overlap_s) >= 0 or not self.min_note_s >= TICK_S:
            raise ValueError(
                f"voices: chord_s {self.chord_s}, overlap_s {self.overlap_s}, min_note_s {self.min_note_s}; "
                f"expected none below zero and min_note_s of at least {TICK_S}"
            )
        if self.min_notes < 1:
            raise ValueError(f"voices: min_notes {self.min_notes}; expected 1 or more")
        if not 0 <= self.min_share <= 1:
            raise ValueError(f"voices: min_share {self.min_share}; expected 0 to 1")
        taken = tuple(self.take)
        if len(set(taken)) != len(taken):
            raise ValueError(f"voices: take {list(taken)}; expected each voice once")
        object.__setattr__(self, "take", taken)


def skyline(notes: NoteArray, settings: VoiceSettings) -> list[NoteArray]:
    """Take the highest line: of each chord the highest note, unless a higher one is still sounding.

    Parameters
    ----------
    notes : NoteArray
        A piece's notes, sorted by onset.

    Returns
    -------
    list of NoteArray
        One monophonic voice, which may be empty.

    Notes
    -----
    The skyline of Uitdenbogerd and Zobel, "Manipulation of music for melody matching" (1998), with two tolerances
    that performed (not notated) onsets need.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> piece = make_notes([0.0, 0.01, 1.0, 1.2], [1.0, 0.9, 2.0, 1.8], [60, 72, 67, 48], [80, 80, 80, 80])
    >>> (voice,) = skyline(piece, VoiceSettings())
    >>> voice["pitch"].tolist(), voice["source"].tolist()
    ([72, 67], [1, 2])
    """
    return [_outer_line(notes, notes["pitch"].astype(int), settings)]


def lowest(notes: NoteArray, settings: VoiceSettings) -> list[NoteArray]:
    """Take the lowest line: the skyline of the piece turned upside down.

    Returns
    -------
    list of NoteArray
        One monophonic voice, which may be empty.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> piece = make_notes([0.0, 0.01, 1.0, 1.2], [1.0, 0.9, 2.0, 1.8], [60, 72, 67, 48], [80, 80, 80, 80])
    >>> (voice,) = lowest(piece, VoiceSettings())
    >>> voice["pitch"].tolist(), voice["offset_s"].tolist()
    ([60, 67, 48], [1.0, 1.2, 1.8])
    """
    return [_outer_line(notes, -notes["pitch"].astype(int), settings)]


def separated(notes: NoteArray, settings: VoiceSettings) -> list[NoteArray]:
    """Take every note of sufficient length into one of several monophonic voices; see :mod:`sfdata.separation`."""
    numbers = separate(notes, settings.chord_s, settings.overlap_s, settings.min_note_s)
    return _lines(notes, numbers, settings)


def contigs(notes: NoteArray, settings: VoiceSettings) -> list[NoteArray]:
    """Separate by Chew and Wu's contig mapping, as partitura does it; see :func:`sfdata.separation.chew_wu`.

    Raises
    ------
    ValueError
        If partitura is not installed.
    """
    numbers = chew_wu(notes, settings.chord_s, settings.overlap_s, settings.min_note_s)
    return _lines(notes, numbers, settings)


def everything(notes: NoteArray, settings: VoiceSettings) -> list[NoteArray]:
    """Take all notes as one polyphonic voice, in which no key is struck before its last note has ended.

    Notes of at least :data:`STUB_S` are lengthened to ``min_note_s`` where they are shorter: staccato notes, and notes
    that the pedal held. Left out are shorter ones, and notes whose key is struck again within ``min_note_s``.

    Returns
    -------
    list of NoteArray
        One voice, which may be empty; each note lasts ``min_note_s`` or more.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> piece = make_notes([0.0, 0.5, 1.0, 1.03, 2.0], [1.0, 0.52, 1.02, 1.6, 2.01], [60, 72, 67, 67, 48], [80] * 5)
    >>> (voice,) = everything(piece, VoiceSettings())
    >>> voice["pitch"].tolist(), voice["offset_s"].tolist(), voice["source"].tolist()
    ([60, 72, 67], [1.0, 0.54, 1.6], [0, 1, 3])
    """
    onset, offset = notes["onset_s"], notes["offset_s"]
    order = np.lexsort((onset, notes["pitch"]))
    same_key = notes["pitch"][order][1:] == notes["pitch"][order][:-1]
    struck_again = np.full(len(notes), np.inf)
    struck_again[order[:-1][same_key]] = onset[order][1:][same_key]
    end = np.minimum(np.maximum(offset, round_to_ticks(onset + settings.min_note_s)), struck_again)
    shortest, stub = _ticks(settings.min_note_s), min(_ticks(STUB_S), _ticks(settings.min_note_s))
    on = np.array(to_ticks(onset), dtype=np.int64)
    kept = np.flatnonzero((to_ticks(offset) - on >= stub) & (to_ticks(end) - on >= shortest))
    voice: NoteArray = notes[kept].copy()
    voice["offset_s"], voice["source"] = end[kept], kept
    return [voice]


def everything_and_skyline(notes: NoteArray, settings: VoiceSettings) -> list[NoteArray]:
    """Take all notes as one polyphonic voice, and the highest line as another: the same piece twice.

    Returns
    -------
    list of NoteArray
        What :func:`everything` and :func:`skyline` give.
    """
    return [*everything(notes, settings), *skyline(notes, settings)]


METHODS: dict[str, Callable[[NoteArray, VoiceSettings], list[NoteArray]]] = {
    "skyline": skyline,
    "lowest": lowest,
    "voice-separation": separated,
    "chew-wu": contigs,
    "all": everything,
    "all-and-skyline": everything_and_skyline,
}


def extract_voices(notes: NoteArray, settings: VoiceSettings | None = None) -> list[NoteArray]:
    """Extract a piece's voices, from the highest to the lowest by mean pitch.

    Parameters
    ----------
    notes : NoteArray
        Sorted by onset and pitch.
    settings : VoiceSettings, optional

    Returns
    -------
    list of NoteArray
        One or more, none of them empty; each note's ``source`` is its index in the piece.

    Raises
    ------
    ValueError
        If no note or no voice is left, with the reason; if the method needs what is not installed.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> piece = make_notes([0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 3, 3], [48, 72, 50, 71, 48, 72], [80] * 6)
    >>> [voice["pitch"].tolist() for voice in extract_voices(piece, VoiceSettings(method="voice-separation"))]
    [[72, 71, 72], [48, 50, 48]]
    >>> [voice["pitch"].tolist() for voice in extract_voices(piece, VoiceSettings("voice-separation", take=(-1,)))]
    [[48, 50, 48]]
    """
    settings = settings or VoiceSettings()
    voices = METHODS[settings.method](notes, settings)
    largest = max((len(voice) for voice in voices), default=0)
    if not largest:
        raise ValueError(f"no note of at least {settings.min_note_s} s is left for a voice")
    if largest < settings.min_notes:
        raise ValueError(f"no voice has min_notes {settings.min_notes} notes; the largest has {largest}")
    least = max(settings.min_notes, settings.min_share * largest)
    voices = [voice for voice in voices if len(voice) >= least]
    voices.sort(key=lambda voice: (-voice["pitch"].mean(), voice["source"][0]))
    if not settings.take:
        return voices
    wanted = {number if number >= 0 else number + len(voices) for number in settings.take}
    taken = [voice for number, voice in enumerate(voices) if number in wanted]
    if not taken:
        raise ValueError(f"none of the voices to take, {list(settings.take)}, is there; the piece has {len(voices)}")
    return taken


def _ticks(time_s: float) -> int:
    return to_ticks(np.array([time_s]))[0]


def _outer_line(notes: NoteArray, height: NDArray[np.int_], settings: VoiceSettings) -> NoteArray:
    """The line of greatest height (pitch, or pitch upside down)."""
    on, off = to_ticks(notes["onset_s"]), to_ticks(notes["offset_s"])
    chord_ticks, overlap, shortest = _ticks(settings.chord_s), _ticks(settings.overlap_s), _ticks(settings.min_note_s)
    long_enough = [note for note in range(len(on)) if off[note] - on[note] >= shortest]
    line: list[int] = []
    ends: list[int] = []
    position = 0
    while position < len(long_enough):
        chord = [long_enough[position]]
        position += 1
        while position < len(long_enough) and on[long_enough[position]] <= on[chord[0]] + chord_ticks:
            chord.append(long_enough[position])
            position += 1
        note = max(chord, key=lambda index: height[index])
        # The chord's melody note may come a little late; what is sounding is judged at its own onset.
        while line and ends[-1] > on[note]:
            if height[line[-1]] > height[note] and ends[-1] > on[note] + overlap:
                break  # a higher note sounds on: this one lies below the line
            if on[note] - on[line[-1]] >= shortest:
                ends[-1] = on[note]
                line.append(note)
                ends.append(off[note])
                break
            line.pop()  # too little of it would be left
            ends.pop()
        else:
            line.append(note)
            ends.append(off[note])
    return _cut(notes, line)


def _lines(notes: NoteArray, numbers: NDArray[np.int64], settings: VoiceSettings) -> list[NoteArray]:
    """Monophonic voices of notes that have the numbers of their voices (below zero: left out)."""
    on, off = to_ticks(notes["onset_s"]), to_ticks(notes["offset_s"])
    shortest = _ticks(settings.min_note_s)
    lines: dict[int, list[int]] = {}
    for note, number in enumerate(numbers.tolist()):
        if number < 0:
            continue
        line = lines.setdefault(number, [])
        while line and off[line[-1]] > on[note] and on[note] - on[line[-1]] < shortest:
            line.pop()  # too little of it would be left
        line.append(note)
    return [_cut(notes, line) for line in lines.values()]


def _cut(notes: NoteArray, line: list[int]) -> NoteArray:
    """The notes of a line, each ending where the next one begins, if not before."""
    voice: NoteArray = notes[line].copy()
    voice["offset_s"][:-1] = np.minimum(voice["offset_s"][:-1], voice["onset_s"][1:])
    voice["source"] = line
    return voice
