"""One side of a comparison, a score or a performance, as spectrogram frames: from a MIDI file or from sound."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.aligned import SOUND_ENDINGS
from sfdata.blocks import Samples
from sfdata.midi import MidiSettings, Piece, read_piece
from sfdata.notes import NoteArray, make_notes, snap_to_event_grid
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
        ``.mid`` or ``.midi``, played with its sustain pedal; or sound: flac, wav, ogg, mp3.
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
    blocks, start_s = open_sound(path, spectrogram.sample_rate_hz, soundfont, velocity)
    return _side(Path(path), blocks, spectrogram, start_s)


def sound_side(path: Path, samples: NDArray[np.float32], spectrogram: SpectrogramSettings) -> Side:
    """Make frames of sound that was read; the very ones that :func:`read_side` gives.

    Parameters
    ----------
    path : Path
        Where it was read from.
    samples : ndarray of float32, shape (samples,)
        At the spectrogram's sample rate, from the file's beginning on.
    spectrogram : SpectrogramSettings

    Raises
    ------
    ValueError
        If there are none.
    """
    return _side(path, iter([samples]), spectrogram, 0.0)


def side_notes(path: str | Path) -> NoteArray:
    """Notes of a MIDI file, at their times in it; of sound, whose notes are not known, none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a MIDI file cannot be read.
    """
    path = existing_file(path)
    if path.suffix.lower() not in MIDI_SUFFIXES:
        return make_notes([], [], [], [])
    return _read_midi(path).notes_in_file()


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
    path = existing_file(path)
    suffix = path.suffix.lower()
    if suffix in SOUND_ENDINGS:
        return read_audio_blocks(path, sample_rate_hz), 0.0
    if suffix not in MIDI_SUFFIXES:
        endings = f"MIDI ({', '.join(MIDI_SUFFIXES)}) or sound ({', '.join(SOUND_ENDINGS)})"
        raise ValueError(f"{path} ends in {suffix!r}; expected {endings}")
    piece = _read_midi(path, pedal=True)
    notes = snap_to_event_grid(piece.notes, sample_rate_hz)
    if velocity is not None:
        notes["velocity"] = velocity
    return render_blocks(notes, resolve_instrument(soundfont), sample_rate_hz), piece.cut_s


def existing_file(path: str | Path) -> Path:
    """The path of a side.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; expected MIDI, or sound to read")
    return path


def _side(path: Path, blocks: Iterator[Samples], spectrogram: SpectrogramSettings, start_s: float) -> Side:
    frames = list(spectrogram_blocks(blocks, spectrogram))
    if not sum(map(len, frames)):
        raise ValueError(f"{path} holds no sound; expected at least one sample")
    return Side(path.name, np.concatenate(frames), spectrogram.frame_rate_hz, start_s)


def _read_midi(path: Path, pedal: bool = False) -> Piece:
    try:
        return read_piece(path, MidiSettings(pedal=pedal))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
