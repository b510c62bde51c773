"""Noise in the background: made in a colour, and measured against the part of a sound that sounds."""

from collections.abc import Iterable, Iterator

import numpy as np

from sfdata.blocks import KeptSound, Samples, fitted, joined, recut
from sfdata.filters import convolve_blocks, minimum_phase, response_frequencies, response_taps, tilted

NOISE_DB_PER_OCTAVE = {"white": 0.0, "pink": -3.0103, "brown": -6.0206}
BLOCK_S = 0.05
BLOCKS_TOGETHER = 60
NOISE_BLOCK_SAMPLES = 1 << 16
SOUNDING_DB = 40.0  # blocks no more than this below the loudest one are the sounding part


def noise_blocks(sample_rate_hz: int, colour: str, seed: int) -> Iterator[Samples]:
    """Make endless noise of a colour, steady from the first sample on.

    White noise here is numbers drawn evenly from a range, each independently, which costs a fifth of what normally
    distributed ones do; the others are that, filtered. A spectrogram's frame sums hundreds of them, and so gets the
    normally distributed values that noise has there.

    Parameters
    ----------
    sample_rate_hz : int
    colour : str
        A key of :data:`NOISE_DB_PER_OCTAVE`; the spectrum falls that steeply above 20 Hz and is flat below.
    seed : int

    Returns
    -------
    iterator of ndarray of float32, shape (samples,)
        At a level of no meaning.

    Raises
    ------
    ValueError
        If the colour is unknown.
    """
    if colour not in NOISE_DB_PER_OCTAVE:
        raise ValueError(f"noise: colour {colour!r}; expected one of {', '.join(NOISE_DB_PER_OCTAVE)}")
    white = _white_blocks(seed)
    if not NOISE_DB_PER_OCTAVE[colour]:
        return white
    amplitude = tilted(response_frequencies(sample_rate_hz), NOISE_DB_PER_OCTAVE[colour], 1000.0)
    # In the first samples the filter fills.
    return _without_first(convolve_blocks(white, minimum_phase(amplitude)), response_taps(sample_rate_hz))


def _white_blocks(seed: int) -> Iterator[Samples]:
    rng = np.random.default_rng(seed)
    while True:
        drawn = rng.integers(-(2**15), 2**15, NOISE_BLOCK_SAMPLES, dtype=np.int16).astype(np.float32)
        drawn *= np.float32(2**-15)
        yield drawn


def _without_first(blocks: Iterator[Samples], count: int) -> Iterator[Samples]:
    for block in blocks:
        if len(block) > count:
            yield block[count:]
        count = max(0, count - len(block))


def coloured_noise(count: int, sample_rate_hz: int, colour: str, seed: int) -> Samples:
    """Make noise of a length, shape (count,); see :func:`noise_blocks`."""
    return joined(fitted(noise_blocks(sample_rate_hz, colour, seed), count))


def add_noise(
    blocks: Iterable[Samples], sample_rate_hz: int, snr_db: float, noise: Iterator[Samples]
) -> Iterator[Samples]:
    """Add noise at a level given relative to that of the sound's sounding part; silence stays silent.

    Sound and noise are kept until both are known to their ends.

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (samples,)
    sample_rate_hz : int
    snr_db : float
        Level of the sounding part (:func:`sounding_rms`) relative to that of the noise, over the whole sound and exact.
    noise : iterator of ndarray of float32
        At any level, at least as long as the sound.

    Yields
    ------
    ndarray of float32, shape (samples,)
    """
    size = BLOCKS_TOGETHER * level_block_samples(sample_rate_hz)
    with KeptSound() as sound, KeptSound() as background:
        energy: list[Samples] = []
        for block in recut(blocks, size):
            energy.append(_block_energy(block, sample_rate_hz))
            sound.append(block)
        level = _sounding_level(energy)
        if not level:
            yield from sound.drain()
            return
        squares = 0.0
        for block in recut(fitted(noise, sound.samples), size):
            squares += float(np.square(block).sum())
            background.append(block)
        factor = np.float32(level * 10 ** (-snr_db / 20) / (squares / sound.samples) ** 0.5)
        for block, behind in zip(recut(sound.drain(), size), recut(background.drain(), size), strict=True):
            mixed = behind * factor
            mixed += block
            yield mixed


def rms(samples: Samples) -> float:
    """Root of the mean square; 0 for no samples."""
    return float(np.sqrt(np.square(samples).mean())) if len(samples) else 0.0


def level_block_samples(sample_rate_hz: int) -> int:
    """Length of the blocks of which :func:`sounding_rms` speaks."""
    return max(1, round(BLOCK_S * sample_rate_hz))


def sounding_rms(samples: Samples, sample_rate_hz: int) -> float:
    """Root mean square of the part of a sound that sounds, so that long rests don't make music softer.

    Of blocks of 50 ms (the last one filled up with silence), those no more than 40 dB below the loudest.

    Examples
    --------
    >>> sounding_rms(np.array([0, 0, 0, 0, 3, -3, 3, -3], dtype=np.float32), 40)
    3.0
    """
    return _sounding_level([_block_energy(samples, sample_rate_hz)])


def _block_energy(samples: Samples, sample_rate_hz: int) -> Samples:
    block = level_block_samples(sample_rate_hz)
    squares = np.zeros(-(-len(samples) // block) * block, dtype=np.float32)
    np.square(samples, out=squares[: len(samples)])
    return np.asarray(squares.reshape(-1, block).mean(axis=1))


def _sounding_level(parts: list[Samples]) -> float:
    energy = np.concatenate([np.empty(0, dtype=np.float32), *parts]).astype(np.float64)
    loudest = energy.max(initial=0.0)
    return float(np.sqrt(energy[energy >= loudest * 10 ** (-SOUNDING_DB / 10)].mean())) if loudest else 0.0
