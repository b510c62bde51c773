"""From notes, or from a recording, to a spectrogram: the whole chain as one stream of blocks.

Whatever a rendition's length, what is held of it at a time is some seconds (but see
:func:`sfdata.sound.sound_blocks` on noise and clipping).
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.blocks import fitted
from sfdata.effects import Rooms
from sfdata.notes import NoteArray
from sfdata.render import RenderSettings, read_audio_blocks, render_blocks
from sfdata.sound import sound_blocks, tuning_cents
from sfdata.soundfonts import Instrument
from sfdata.spectrogram import SpectrogramSettings, spectrogram_blocks


def rendition_frames(
    notes: NoteArray,
    instrument: Instrument,
    spectrogram: SpectrogramSettings,
    render: RenderSettings | None = None,
    sound: Mapping[str, Any] | None = None,
    rooms: Rooms = (),
) -> Iterator[NDArray[np.float32]]:
    """Play notes with one instrument, apply what was drawn for its sound, and compute the spectrogram.

    Parameters
    ----------
    notes : NoteArray
        Snapped or not: what sounds are the snapped times.
    instrument : Instrument
    spectrogram : SpectrogramSettings
        Their sample rate is that of the rendering.
    render : RenderSettings, optional
    sound : mapping, optional
        What :func:`sfdata.sound.draw_sound` drew.
    rooms : sequence of RoomFile, or mapping with such values
        Must hold the sound's room, where that is a file.

    Returns
    -------
    iterator of ndarray of float32, shape (frames, bins)
        Blocks of frames; the last ones may be few, or none.

    Raises
    ------
    ValueError
        Before the first block: if the soundfont cannot be loaded or lacks the preset, or the sound cannot be applied.
    """
    record, rate = sound or {}, spectrogram.sample_rate_hz
    blocks = render_blocks(notes, instrument, rate, render, tuning_cents(record))
    return spectrogram_blocks(sound_blocks(blocks, rate, record, rooms), spectrogram)


def recording_frames(
    path: Path, samples: int, spectrogram: SpectrogramSettings, lead_samples: int = 0
) -> Iterator[NDArray[np.float32]]:
    """Compute the spectrogram of a sound file.

    Parameters
    ----------
    path : Path
    samples : int
        At the spectrogram's sample rate: the sound is cut to so many, or followed by silence.
    spectrogram : SpectrogramSettings
    lead_samples : int
        How many of them are silence before the sound.

    Returns
    -------
    iterator of ndarray of float32, shape (frames, bins)
        Blocks of frames; the last ones may be few, or none.

    Raises
    ------
    ValueError
        If the file cannot be read, or holds samples that are no numbers.
    """
    silence = np.zeros(lead_samples, dtype=np.float32)
    blocks = chain([silence] if lead_samples else [], read_audio_blocks(path, spectrogram.sample_rate_hz))
    return spectrogram_blocks(fitted(blocks, samples), spectrogram)
