"""Rendering: a performance and an instrument become sound, bit for bit the same each time.

Events are placed exactly on FluidSynth's grid of 64 samples, so that the notes' snapped times
(:func:`sfdata.notes.snap_to_event_grid`) are the times at which the synth switches them, with nothing left over.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.io.wavfile
import soundfile
from numpy.typing import NDArray

from sfdata.blocks import fitted, joined
from sfdata.fluidsynth import LentSynth, SynthHost
from sfdata.notes import EVENT_GRID_SAMPLES, NoteArray, event_grid_samples
from sfdata.soundfonts import Instrument

BLOCK_SAMPLES = 512 * EVENT_GRID_SAMPLES
MAX_TUNING_CENTS = 1200
AUDIO_FORMATS = ("flac", "wav")
SUBTYPES = {"flac": ("PCM_16", "PCM_24"), "wav": ("PCM_16", "PCM_24", "FLOAT")}


@dataclass(frozen=True)
class RenderSettings:
    """How sound is made.

    Attributes
    ----------
    tail_s : float
        Sound kept after the last note is switched off.
    gain : float
        FluidSynth's master gain (its own default is 0.2).
    """

    tail_s: float = 1.5
    gain: float = 1.5

    def __post_init__(self) -> None:
        if not 0 <= self.tail_s <= 60 or not 0 < self.gain <= 10:
            raise ValueError(f"render: tail_s {self.tail_s}, gain {self.gain}; expected 0 to 60, and above 0 up to 10")


def rendered_samples(notes: NoteArray, sample_rate_hz: int, settings: RenderSettings) -> int:
    """Length of a rendition in samples: a multiple of 64, known from the notes alone."""
    _, off = event_grid_samples(notes, sample_rate_hz)
    steps = -(-int(off.max(initial=0) + settings.tail_s * sample_rate_hz) // EVENT_GRID_SAMPLES)
    return steps * EVENT_GRID_SAMPLES


@lru_cache(maxsize=16)
def synth_host(soundfont: str, sha256: str, sample_rate_hz: int, gain: float) -> SynthHost:
    """Give the host of a soundfont in this process, loaded once."""
    return SynthHost(soundfont, sample_rate_hz, gain)


def preset_name(instrument: Instrument, sample_rate_hz: int, settings: RenderSettings) -> str:
    """Name of an instrument's preset inside its soundfont.

    Raises
    ------
    ValueError
        If the soundfont cannot be loaded or has no such preset.
    """
    host = synth_host(instrument.path, instrument.sha256, sample_rate_hz, settings.gain)
    return host.preset_name(instrument.bank, instrument.program)


def render_blocks(
    notes: NoteArray,
    instrument: Instrument,
    sample_rate_hz: int,
    settings: RenderSettings | None = None,
    tuning_cents: float = 0.0,
) -> Iterator[NDArray[np.float32]]:
    """Render notes with one instrument, block by block: however long they are, memory is one block.

    Parameters
    ----------
    notes : NoteArray
        Snapped or not: what sounds are the snapped times.
    instrument : Instrument
    sample_rate_hz : int
    settings : RenderSettings, optional
    tuning_cents : float
        Shift of all pitches, at most an octave either way; onsets stay where they are.

    Returns
    -------
    iterator of ndarray of float32, shape (samples,)
        The mean of both channels; may exceed 1. Together :func:`rendered_samples`.

    Raises
    ------
    ValueError
        If the soundfont cannot be loaded or lacks the preset, or the tuning is out of range; before the first block.
    """
    if not abs(tuning_cents) <= MAX_TUNING_CENTS:
        raise ValueError(f"tuning_cents {tuning_cents}; expected {-MAX_TUNING_CENTS} to {MAX_TUNING_CENTS}")
    settings = settings or RenderSettings()
    host = synth_host(instrument.path, instrument.sha256, sample_rate_hz, settings.gain)
    synth = host.lend(instrument.bank, instrument.program)
    on, off = event_grid_samples(notes, sample_rate_hz)
    order = np.argsort(np.concatenate([off, on]), kind="stable")  # at one time, notes end before others begin
    times = np.concatenate([off, on])[order]
    pitches = np.concatenate([notes["pitch"], notes["pitch"]])[order]
    velocities = np.concatenate([np.zeros(len(off), dtype=int), notes["velocity"]])[order]
    return _played(synth, times, pitches, velocities, rendered_samples(notes, sample_rate_hz, settings), tuning_cents)


def _played(
    lent: LentSynth,
    times: NDArray[np.int64],
    pitches: NDArray[np.int64],
    velocities: NDArray[np.int64],
    total: int,
    tuning_cents: float,
) -> Iterator[NDArray[np.float32]]:
    """Play events, of which those with velocity 0 end notes."""
    stereo = np.empty((2, BLOCK_SAMPLES), dtype=np.float32)
    address, item = stereo.ctypes.data, stereo.itemsize
    first = 0
    with lent as synth:
        if tuning_cents:
            synth.tune(tuning_cents)
        for begin in range(0, total, BLOCK_SAMPLES):
            position, end = begin, min(begin + BLOCK_SAMPLES, total)
            last = int(np.searchsorted(times, end))
            events = slice(first, last)
            for time, pitch, velocity in zip(
                times[events].tolist(), pitches[events].tolist(), velocities[events].tolist(), strict=True
            ):
                if time > position:
                    synth.write(address + (position - begin) * item, BLOCK_SAMPLES * item, time - position)
                    position = time
                if velocity:
                    synth.note_on(pitch, velocity)
                else:
                    synth.note_off(pitch)
            synth.write(address + (position - begin) * item, BLOCK_SAMPLES * item, end - position)
            first = last
            mono = np.add(stereo[0, : end - begin], stereo[1, : end - begin])
            mono *= np.float32(0.5)
            yield mono


def render(
    notes: NoteArray,
    instrument: Instrument,
    sample_rate_hz: int,
    settings: RenderSettings | None = None,
    tuning_cents: float = 0.0,
) -> NDArray[np.float32]:
    """Render notes with one instrument, all at once; see :func:`render_blocks`.

    Returns
    -------
    ndarray of float32, shape (samples,)
    """
    settings = settings or RenderSettings()
    mono = np.empty(rendered_samples(notes, sample_rate_hz, settings), dtype=np.float32)
    filled = 0
    for block in render_blocks(notes, instrument, sample_rate_hz, settings, tuning_cents):
        mono[filled : filled + len(block)] = block
        filled += len(block)
    return mono


def write_audio(path: Path, samples: NDArray[np.float32], sample_rate_hz: int, subtype: str = "PCM_16") -> float:
    """Write FLAC or WAV, by the path's ending, turned down where it would clip.

    Returns
    -------
    float
        The factor applied: 1, or less where the peak lay above full scale.

    Raises
    ------
    ValueError
        If the format or sample type is unknown.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in AUDIO_FORMATS or subtype not in SUBTYPES[kind]:
        raise ValueError(f"{path.name} as {subtype}; expected one of {SUBTYPES}")
    peak = float(np.abs(samples).max(initial=0.0))
    highest = 1 - 2**-15
    factor = 1.0 if peak <= highest or subtype == "FLOAT" else highest / peak
    temporary = path.with_name(path.name + ".tmp")
    try:
        if subtype == "FLOAT":  # libsndfile would write the time of day into the file
            scipy.io.wavfile.write(temporary, sample_rate_hz, samples)
        else:
            soundfile.write(temporary, samples * np.float32(factor), sample_rate_hz, subtype, format=kind.upper())
    except (soundfile.LibsndfileError, OSError) as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"{path} cannot be written (is the disk full?): {error}") from None
    os.replace(temporary, path)
    return factor


def read_audio_blocks(path: Path, sample_rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Read a sound file block by block as mono at a sample rate, resampled with soxr where it has another.

    Returns
    -------
    iterator of ndarray of float32, shape (samples,)

    Raises
    ------
    ValueError
        If it cannot be read (before the first block), or holds samples that are no numbers (when they come).
    """
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} cannot be read as sound: {error}") from None
    blocks = _mono_blocks(file, path)
    return blocks if file.samplerate == sample_rate_hz else _resampled(blocks, file.samplerate, sample_rate_hz)


def _mono_blocks(file: soundfile.SoundFile, path: Path) -> Iterator[NDArray[np.float32]]:
    with file:
        while True:
            try:
                samples = file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise ValueError(f"{path} cannot be read as sound: {error}") from None
            if not len(samples):
                return
            mono = samples.mean(axis=1, dtype=np.float32)
            if not np.isfinite(mono).all():
                raise ValueError(f"{path} holds samples that are no finite numbers")
            yield mono


def _resampled(blocks: Iterator[NDArray[np.float32]], rate_hz: int, wanted_hz: int) -> Iterator[NDArray[np.float32]]:
    """The very samples that ``librosa.resample(…, res_type="soxr_hq")`` makes of the whole, its length included."""
    import soxr

    stream = soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32", quality="soxr_hq")
    taken = given = 0
    for block in blocks:
        taken += len(block)
        made = stream.resample_chunk(block)
        given += len(made)
        yield made
    last = stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)
    yield from fitted([last], math.ceil(taken * wanted_hz / rate_hz) - given)


def read_audio(path: Path, sample_rate_hz: int) -> NDArray[np.float32]:
    """Read a whole sound file; see :func:`read_audio_blocks`.

    Returns
    -------
    ndarray of float32, shape (samples,)
    """
    return joined(read_audio_blocks(path, sample_rate_hz))
