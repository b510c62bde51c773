"""Edits of recorded performances, truth known: a pause, a passage played again, one left out, a start in the middle.

A drawn edit is a list of *pieces* of the recording, each with the silence before it; applying it joins their sound and
moves the onsets along. Cuts lie just before the sound of an onset.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
FloatArray = NDArray[np.float64]

KINDS = ("pause", "repeat", "skip", "middle")
BEFORE_ONSET_S = 0.01  # a cut lies so much before the sound of an onset
PASSAGE_S = 10.0
PAUSE_S = (2.0, 4.0)
FADE_S = 0.15  # into a pause, as when hands are lifted
JOIN_S = 0.01  # out of a piece and into the next
MARGIN_S = 15.0  # an edit leaves at least so much before it and after it
SHORTEST_S = 45.0


@dataclass(frozen=True)
class Piece:
    """A part of a recording.

    Attributes
    ----------
    begin_s, end_s : float
        Of the recording.
    silence_s : float
        Before it.
    """

    begin_s: float
    end_s: float
    silence_s: float = 0.0


@dataclass(frozen=True)
class Edited:
    """An edited recording.

    Attributes
    ----------
    samples : ndarray of float32, shape (samples,)
    performance_s, score_s : ndarray of float64, shape (onsets,)
        When each onset sounds in it, and where it stands; score time may run backwards at an edit.
    at_s, until_s : float
        Where the edit lies: from its cut (or the pause's beginning) to where playing goes on. Both 0 for ``middle``.
    """

    samples: Samples
    performance_s: FloatArray
    score_s: FloatArray
    at_s: float
    until_s: float


def draw_edit(kind: str, sound_s: FloatArray, duration_s: float, rng: np.random.Generator) -> tuple[Piece, ...]:
    """Draw an edit.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    sound_s : ndarray of float64, shape (onsets,)
        When the onsets' sounds begin, growing.
    duration_s : float
        Of the recording.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of Piece

    Raises
    ------
    ValueError
        If the kind is unknown, or the recording too short, or has no onset where one is needed.
    """
    if kind not in KINDS:
        raise ValueError(f"edit {kind!r}; expected one of {', '.join(KINDS)}")
    if duration_s < SHORTEST_S:
        raise ValueError(f"lasts {duration_s:.1f} s; an edit needs {SHORTEST_S:.0f} s or more")
    cuts_s = np.unique(sound_s) - BEFORE_ONSET_S
    cuts_s = cuts_s[cuts_s > 0]
    first_s, last_s = cuts_s[0], cuts_s[-1]

    def some_cut(low_s: float, high_s: float) -> float:
        inside = cuts_s[(cuts_s >= low_s) & (cuts_s <= high_s)]
        if not len(inside):
            raise ValueError(f"has no onset from {low_s:.1f} to {high_s:.1f} s, where one is needed")
        return float(rng.choice(inside))

    def nearest_cut(time_s: float) -> float:
        return float(cuts_s[np.abs(cuts_s - time_s).argmin()])

    if kind == "pause":
        cut_s = some_cut(max(0.2 * duration_s, first_s + 1), min(0.8 * duration_s, last_s - MARGIN_S))
        return Piece(0.0, cut_s), Piece(cut_s, duration_s, float(rng.uniform(*PAUSE_S)))
    if kind == "repeat":
        cut_s = some_cut(first_s + PASSAGE_S + 1, last_s - MARGIN_S)
        return Piece(0.0, cut_s), Piece(nearest_cut(cut_s - PASSAGE_S), duration_s)
    if kind == "skip":
        cut_s = some_cut(first_s + MARGIN_S / 2, last_s - PASSAGE_S - MARGIN_S)
        return Piece(0.0, cut_s), Piece(nearest_cut(cut_s + PASSAGE_S), duration_s)
    cut_s = some_cut(0.3 * duration_s, min(0.6 * duration_s, last_s - MARGIN_S))
    return (Piece(cut_s, duration_s),)


def apply_edit(
    pieces: Sequence[Piece], samples: Samples, sample_rate_hz: int, sound_s: FloatArray, score_s: FloatArray
) -> Edited:
    """Join the pieces of a recording.

    Parameters
    ----------
    pieces : sequence of Piece
        As :func:`draw_edit` drew them.
    samples : ndarray of float32, shape (samples,)
        The recording.
    sample_rate_hz : int
    sound_s, score_s : ndarray of float64, shape (onsets,)
        When the onsets' sounds begin, and where they stand.

    Returns
    -------
    Edited
        Every piece lies on whole samples, so onsets keep their distances to the sample.
    """
    parts: list[Samples] = []
    times_s, places_s, length = [], [], 0
    at_s = until_s = 0.0
    for number, piece in enumerate(pieces):
        begin, end = round(piece.begin_s * sample_rate_hz), min(round(piece.end_s * sample_rate_hz), len(samples))
        if number:
            at_s = length / sample_rate_hz
        if piece.silence_s:
            parts.append(np.zeros(round(piece.silence_s * sample_rate_hz), dtype=np.float32))
            length += len(parts[-1])
        until_s = length / sample_rate_hz if number else until_s
        sound = samples[begin:end].astype(np.float32)
        if begin > 0:
            _fade(sound, round(JOIN_S * sample_rate_hz), into=True)
        if number + 1 < len(pieces):
            _fade(sound, round((FADE_S if pieces[number + 1].silence_s else JOIN_S) * sample_rate_hz), into=False)
        inside = (sound_s >= begin / sample_rate_hz) & (sound_s < end / sample_rate_hz)
        times_s.append(sound_s[inside] + (length - begin) / sample_rate_hz)
        places_s.append(score_s[inside])
        parts.append(sound)
        length += len(sound)
    return Edited(np.concatenate(parts), np.concatenate(times_s), np.concatenate(places_s), at_s, until_s)


def _fade(sound: Samples, count: int, into: bool) -> None:
    """Fade the first samples in, or the last ones out, along a quarter of a sine."""
    count = min(count, len(sound))
    gain = np.sin(0.5 * np.pi * (np.arange(count) + 0.5) / max(count, 1)).astype(np.float32)
    if into:
        sound[:count] *= gain
    else:
        sound[len(sound) - count :] *= gain[::-1]
