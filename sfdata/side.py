"""One side of a comparison, a score or a performance, as spectrogram frames: from a MIDI file or from sound."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.aligned import SOUND_ENDINGS
from sfdata.midi import MidiSettings, read_piece
from sfdata.notes import snap_to_event_grid
from sfdata.render import read_audio_blocks
from sfdata.rendition import rendition_frames
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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; expected MIDI, or sound to read")
    suffix, rate_hz = path.suffix.lower(), spectrogram.frame_rate_hz
    if suffix in MIDI_SUFFIXES:
        try:
            piece = read_piece(path, MidiSettings())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        notes = snap_to_event_grid(piece.notes, spectrogram.sample_rate_hz)
        if velocity is not None:
            notes["velocity"] = velocity
        blocks = rendition_frames(notes, resolve_instrument(soundfont), spectrogram)
        return Side(path.name, np.concatenate(list(blocks)), rate_hz, piece.cut_s)
    if suffix in SOUND_ENDINGS:
        frames = list(spectrogram_blocks(read_audio_blocks(path, spectrogram.sample_rate_hz), spectrogram))
        if not sum(map(len, frames)):
            raise ValueError(f"{path} holds no sound; expected at least one sample")
        return Side(path.name, np.concatenate(frames), rate_hz)
    raise ValueError(
        f"{path} ends in {suffix!r}; expected MIDI ({', '.join(MIDI_SUFFIXES)}) or sound ({', '.join(SOUND_ENDINGS)})"
    )
