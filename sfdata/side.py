"""One side of a comparison, a score or a performance, as spectrogram frames: from a MIDI file or from sound."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.aligned import SOUND_ENDINGS
from sfdata.blocks import Samples
from sfdata.midi import MidiSettings, read_piece
from sfdata.notes import snap_to_event_grid
from sfdata.render import read_audio_blocks, render_blocks
from sfdata.soundfonts import DEFAULT_INSTRUMENT, resolve_instrument
from sfdata.spectrogram import SpectrogramSettings, spectrogram_blocks

MIDI_SUFFIXES = (".mid", ".midi")
SCORE_VELOCITY = 64


@dataclass(frozen=True)
class Side:
    """Frames of a file.

    Attributes
    ----------
    name : str
        Of the file.
    frames : ndarray of float32, shape (frames, bins)
        Frame ``i`` lies at ``i / frame_rate_hz + start_s`` in the file.
    frame_rate_hz : float
    start_s : float
        Not 0 where a MIDI file's leading silence was left out.
    """

    name: str
    frames: NDArray[np.float32]
    frame_rate_hz: float
    start_s: float = 0.0

    @property
    def end_s(self) -> float:
        """Time in the file of the last frame."""
        return self.start_s + (len(self.frames) - 1) / self.frame_rate_hz


def read_side(
    path: str | Path,
    spectrogram: SpectrogramSettings,
    soundfont: str = DEFAULT_INSTRUMENT,
    velocity: int | None = None,
) -> Side:
    """Read a MIDI file, which is rendered, or a sound file.

    Parameters
    ----------
    path : path
        ``.mid`` or ``.midi``; or sound: flac, wav, ogg, mp3.
    spectrogram : SpectrogramSettings
    soundfont : str
        Plays MIDI: an instrument's name, or a path.
    velocity : int, optional
        Of all notes of a MIDI file in place of their own; for scores, :data:`SCORE_VELOCITY`.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the soundfont is not on this machine.
    ValueError
        If it is of another kind or cannot be read.
    """
    rate_hz = spectrogram.frame_rate_hz
    blocks, start_s = open_sound(path, spectrogram.sample_rate_hz, soundfont, velocity)
    frames = list(spectrogram_blocks(blocks, spectrogram))
    if not sum(map(len, frames)):
        raise ValueError(f"{path} holds no sound; expected at least one sample")
    return Side(Path(path).name, np.concatenate(frames), rate_hz, start_s)


def open_sound(
    path: str | Path, sample_rate_hz: int, soundfont: str = DEFAULT_INSTRUMENT, velocity: int | None = None
) -> tuple[Iterator[Samples], float]:
    """Sound of a MIDI file, which is rendered, or of a sound file, in blocks.

    Parameters
    ----------
    path, soundfont, velocity :
        See :func:`read_side`.
    sample_rate_hz : int

    Returns
    -------
    blocks : iterator of ndarray of float32, shape (samples,)
    start_s : float
        Time in the file of the first sample.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the soundfont is not on this machine.
    ValueError
        If it is of another kind, or a MIDI file cannot be read. That a sound file cannot be, shows with its blocks.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; expected MIDI, or sound to read")
    suffix = path.suffix.lower()
    if suffix in SOUND_ENDINGS:
        return read_audio_blocks(path, sample_rate_hz), 0.0
    if suffix not in MIDI_SUFFIXES:
        endings = f"MIDI ({', '.join(MIDI_SUFFIXES)}) or sound ({', '.join(SOUND_ENDINGS)})"
        raise ValueError(f"{path} ends in {suffix!r}; expected {endings}")
    try:
        piece = read_piece(path, MidiSettings())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    notes = snap_to_event_grid(piece.notes, sample_rate_hz)
    if velocity is not None:
        notes["velocity"] = velocity
    return render_blocks(notes, resolve_instrument(soundfont), sample_rate_hz), piece.cut_s
