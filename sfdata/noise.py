"""Noise in the background: made in a colour, and measured against the part of a sound that sounds."""

import numpy as np

from sfdata.filters import Samples, convolve, minimum_phase, response_frequencies, response_taps, tilted

NOISE_DB_PER_OCTAVE = {"white": 0.0, "pink": -3.0103, "brown": -6.0206}
BLOCK_S = 0.05
SOUNDING_DB = 40.0  # blocks no more than this below the loudest one are the sounding part


def coloured_noise(count: int, sample_rate_hz: int, colour: str, seed: int) -> Samples:
    """Make Gaussian noise of a colour, steady from the first sample on.

    Parameters
    ----------
    count : int
        Samples.
    sample_rate_hz : int
    colour : str
        A key of :data:`NOISE_DB_PER_OCTAVE`; the spectrum falls that steeply above 20 Hz and is flat below.
    seed : int

    Returns
    -------
    ndarray of float32, shape (count,)
        At a level of no meaning.

    Raises
    ------
    ValueError
        If the colour is unknown.
    """
    if colour not in NOISE_DB_PER_OCTAVE:
        raise ValueError(f"noise: colour {colour!r}; expected one of {', '.join(NOISE_DB_PER_OCTAVE)}")
    rng = np.random.default_rng(seed)
    if not NOISE_DB_PER_OCTAVE[colour]:
        return rng.standard_normal(count, dtype=np.float32)
    before = response_taps(sample_rate_hz)  # in which the filter fills
    white = rng.standard_normal(count + before, dtype=np.float32)
    amplitude = tilted(response_frequencies(sample_rate_hz), NOISE_DB_PER_OCTAVE[colour], 1000.0)
    return convolve(white, minimum_phase(amplitude))[before:]


def rms(samples: Samples) -> float:
    """Root of the mean square; 0 for no samples."""
    return float(np.sqrt(np.square(samples).mean())) if len(samples) else 0.0


def sounding_rms(samples: Samples, sample_rate_hz: int) -> float:
    """Root mean square of the part of a sound that sounds, so that long rests don't make music softer.

    Of blocks of 50 ms (the last one filled up with silence), those no more than 40 dB below the loudest.

    Examples
    --------
    >>> sounding_rms(np.array([0, 0, 0, 0, 3, -3, 3, -3], dtype=np.float32), 40)
    3.0
    """
    block = max(1, round(BLOCK_S * sample_rate_hz))
    padded = np.zeros(-(-len(samples) // block) * block, dtype=np.float32)
    padded[: len(samples)] = samples
    np.square(padded, out=padded)
    energy = padded.reshape(-1, block).mean(axis=1).astype(np.float64)
    loudest = energy.max(initial=0.0)
    return float(np.sqrt(energy[energy >= loudest * 10 ** (-SOUNDING_DB / 10)].mean())) if loudest else 0.0
