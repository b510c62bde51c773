"""Voice separation: every note of a piece gets the number of a voice.

Times are compared in whole ticks of 0.1 ms, so that a piece moved in time is separated in the same way. What is
returned are numbers, in no order of height; :mod:`sfdata.voices` makes monophonic voices of them.

Costs of the streaming separation are in semitones. They were set on the pieces named in docs/voices.md, where each of
them has a wide optimum: a quarter more or less of any changes the result by less than pieces differ.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import TICKS_PER_SECOND, NoteArray

LEFT_OUT = -1
LAST_PITCH_WEIGHT = 0.7
"""Weight of the distance to a voice's last note; the rest is that to its register."""
REGISTER_STEPS = 256
"""A register is counted in 1/256 semitones; each note moves it half way towards itself."""
OVERLAP_COST = 40.0
"""Of cutting a sounding note short, times the share that is cut off."""
TOLERATED_OVERLAP = 0.5
"""What an overlap within ``overlap_s`` (legato) counts, against a longer one."""
GAP_COST, GAP_S = 2.0, 0.03
"""A rest costs ``GAP_COST * log(1 + rest / GAP_S)``."""
NEW_VOICE_COST = 28.0
FINGERS = 10
"""A further voice than these is begun only where no other can take a note."""
FURTHER_VOICE_COST = 1000.0


def to_ticks(time_s: NDArray[np.float64]) -> list[int]:
    """Whole ticks of 0.1 ms, as Python numbers."""
    ticks: list[int] = np.rint(np.asarray(time_s) * TICKS_PER_SECOND).astype(np.int64).tolist()
    return ticks


@dataclass(slots=True)
class _Voice:
    """A voice so far: where it stands and what it may cost to go on."""

    number: int
    pitch: int
    register: int
    on: int
    off: int


def separate(notes: NoteArray, chord_s: float, overlap_s: float, min_note_s: float) -> NDArray[np.int64]:
    """Separate a piece into voices in one pass over its chords.

    The notes of a chord are given to the voices so that no two cross, at the least total cost: the distance in pitch
    to the voice's last note and to its register, the length of the rest before, and the share that is lost of a note
    that still sounds. A voice begins where that is cheaper.

    Parameters
    ----------
    notes : NoteArray
        Sorted by onset.
    chord_s : float
        Notes that begin within this time of a chord's first one, while all its notes sound, belong to the chord.
    overlap_s : float
        Overlaps up to this count half.
    min_note_s : float
        Shorter notes are left out, and no note is cut shorter.

    Returns
    -------
    ndarray of int64, shape (notes,)
        Number of the voice, from 0 in the order in which they begin; -1 for notes left out.

    Notes
    -----
    Pitch proximity and voices that do not cross are the principles of Huron, "Tone and voice" (2001), and, with
    an order-preserving assignment of chords to voices, of many separations since Chew and Wu (2004). A voice that
    remembers its register is as in McLeod and Steedman, "HMM-based voice separation of MIDI performance" (2016).

    Examples
    --------
    Two voices, the upper one with a rest:

    >>> from sfdata.notes import make_notes
    >>> piece = make_notes([0, 0, 1, 2, 2], [1, 1, 2, 3, 3], [72, 48, 50, 48, 74], [80] * 5)
    >>> piece["pitch"].tolist(), separate(piece, 0.05, 0.1, 0.04).tolist()
    ([48, 72, 50, 48, 74], [1, 0, 1, 1, 0])
    """
    on, off = to_ticks(notes["onset_s"]), to_ticks(notes["offset_s"])
    pitch = notes["pitch"].tolist()
    chord, tolerance, shortest = to_ticks(np.array([chord_s, overlap_s, min_note_s]))
    numbers = np.full(len(on), LEFT_OUT, dtype=np.int64)
    voices: list[_Voice] = []
    for group in _chords([i for i in range(len(on)) if off[i] - on[i] >= shortest], on, off, chord):
        group.sort(key=lambda i: (-pitch[i], i))
        voices.sort(key=lambda voice: (-voice.register, voice.number))
        costs = [[_cost(voice, on[i], pitch[i], tolerance, shortest) for i in group] for voice in voices]
        begin = NEW_VOICE_COST if len(voices) < FINGERS else FURTHER_VOICE_COST
        for i, chosen in zip(group, _assign(costs, len(group), begin), strict=True):
            if chosen is None:
                voice = _Voice(len(voices), pitch[i], pitch[i] * REGISTER_STEPS, on[i], off[i])
                voices.append(voice)
            else:
                voice = voices[chosen]
                voice.register += (pitch[i] * REGISTER_STEPS - voice.register) >> 1
                voice.pitch, voice.on, voice.off = pitch[i], on[i], off[i]
            numbers[i] = voice.number
    return numbers


def _chords(indices: list[int], on: list[int], off: list[int], chord: int) -> Iterator[list[int]]:
    """Notes that begin nearly together and sound together; a grace note that has ended is no part of the chord."""
    position = 0
    while position < len(indices):
        group = [indices[position]]
        latest, first_end = on[group[0]] + chord, off[group[0]]
        position += 1
        while position < len(indices) and on[indices[position]] <= latest and on[indices[position]] < first_end:
            group.append(indices[position])
            first_end = min(first_end, off[group[-1]])
            position += 1
        yield group


def _cost(voice: _Voice, on: int, pitch: int, tolerance: int, shortest: int) -> float:
    """Semitones that it costs for a voice to go on with a note; infinite where the last note would be too short."""
    if on - voice.on < shortest:
        return math.inf
    last, register = abs(pitch - voice.pitch), abs(pitch * REGISTER_STEPS - voice.register) / REGISTER_STEPS
    cost = LAST_PITCH_WEIGHT * last + (1 - LAST_PITCH_WEIGHT) * register
    overlap = voice.off - on
    if overlap > 0:
        weighted = max(overlap - tolerance, 0) + TOLERATED_OVERLAP * min(overlap, tolerance)
        return cost + OVERLAP_COST * weighted / (voice.off - voice.on)
    return cost + GAP_COST * math.log1p(-overlap / (GAP_S * TICKS_PER_SECOND))


def _assign(costs: list[list[float]], notes: int, begin: float) -> list[int | None]:
    """Give notes to voices, both from the highest down, without crossings and at the least cost.

    Parameters
    ----------
    costs : list of lists of float, shape (voices, notes)
    notes : int
    begin : float
        Cost of a new voice.

    Returns
    -------
    list of int or None, length notes
        Index of the voice; None for a new one.
    """
    # best[n]: the least cost of the first n notes with the voices seen so far; steps tell how it was reached.
    best = [begin * count for count in range(notes + 1)]
    steps: list[list[str]] = [["begin"] * (notes + 1)]
    for row in costs:
        before, best, step = best, [0.0], ["rest"]
        for note in range(1, notes + 1):
            cost, way = before[note], "rest"
            if before[note - 1] + row[note - 1] < cost:
                cost, way = before[note - 1] + row[note - 1], "take"
            if best[note - 1] + begin < cost:
                cost, way = best[note - 1] + begin, "begin"
            best.append(cost)
            step.append(way)
        steps.append(step)
    chosen: list[int | None] = [None] * notes
    voice, note = len(costs), notes
    while note:
        way = steps[voice][note]
        if way != "rest":
            note -= 1
        if way == "take":
            chosen[note] = voice - 1
        if way != "begin":
            voice -= 1
    return chosen


def chew_wu(notes: NoteArray, chord_s: float, overlap_s: float, min_note_s: float) -> NDArray[np.int64]:
    """Separate a piece by contig mapping, as partitura does it.

    The method is made for written notes, so performed ones are straightened first: chords begin together, and
    overlaps of at most `overlap_s` with the chord that follows are cut.

    Returns
    -------
    ndarray of int64, shape (notes,)
        Number of the voice, from 1; -1 for notes shorter than `min_note_s`, which are left out.

    Raises
    ------
    ValueError
        If partitura is not installed.

    Notes
    -----
    Chew and Wu, "Separating voices in polyphonic music: a contig mapping approach" (2004).
    """
    try:
        from partitura.musicanalysis import estimate_voices
    except ImportError as error:
        raise ValueError(
            f"voices: method 'chew-wu' needs partitura, which cannot be imported ({error}); "
            "pip install 'sfdata[partitura]'"
        ) from None
    on, off = np.array(to_ticks(notes["onset_s"])), np.array(to_ticks(notes["offset_s"]))
    chord, tolerance, shortest = to_ticks(np.array([chord_s, overlap_s, min_note_s]))
    kept = np.flatnonzero(off - on >= shortest)
    numbers = np.full(len(notes), LEFT_OUT, dtype=np.int64)
    if not len(kept):
        return numbers
    on, off = _straighten(on[kept], off[kept], chord, tolerance)
    columns = [("pitch", "i8"), ("onset_sec", "f8"), ("duration_sec", "f8"), ("id", "U16")]
    table = np.empty(len(kept), dtype=columns)
    table["pitch"], table["id"] = notes["pitch"][kept], kept.astype(str)
    table["onset_sec"], table["duration_sec"] = on / TICKS_PER_SECOND, (off - on) / TICKS_PER_SECOND
    numbers[kept] = estimate_voices(table, monophonic_voices=True)
    return numbers


def _straighten(
    on: NDArray[np.int64], off: NDArray[np.int64], chord: int, tolerance: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Move onsets to their chord's first one, and offsets back to the last chord's begin where they pass it by little.

    Examples
    --------
    >>> on, off = _straighten(np.array([0, 100, 9000]), np.array([9500, 9900, 12000]), 500, 800)
    >>> on.tolist(), off.tolist()
    ([0, 0, 9000], [9000, 9900, 12000])
    """
    first = [int(on[0])]
    for time in on.tolist():
        if time > first[-1] + chord:
            first.append(time)
    chords = np.array(first)
    straight = chords[np.searchsorted(chords, on, side="right") - 1]
    last = chords[np.searchsorted(chords, off, side="right") - 1]
    return straight, np.where((off - last <= tolerance) & (last > straight), last, off)
