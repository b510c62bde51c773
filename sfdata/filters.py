"""Filters that move nothing in time: minimum-phase responses of a wanted spectrum, and causal convolution with them.

A response is a float32 array of shape (taps,), its sample 0 being the direct path, so what it is applied to never
sounds earlier, and the onset of a note stays where it was.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LOWEST_HZ = 20.0  # below it a tilted spectrum goes on flat
RESPONSE_S = 0.15  # after which a resonance at LOWEST_HZ has fallen by 160 dB
SMALLEST_TRANSFORM = 1 << 15


def tilted(frequency_hz: NDArray[np.float64], db_per_octave: float, pivot_hz: float) -> NDArray[np.float64]:
    """Amplitude of a spectrum tilted about a pivot, where it is 1.

    Examples
    --------
    >>> tilted(np.array([500.0, 1000.0, 4000.0]), 6.0206, 1000.0).round(3).tolist()
    [0.5, 1.0, 4.0]
    """
    slope = db_per_octave / (20 * math.log10(2))
    return np.asarray((np.maximum(frequency_hz, LOWEST_HZ) / pivot_hz) ** slope)


def low_shelf(frequency_hz: NDArray[np.float64], db: float, corner_hz: float) -> NDArray[np.float64]:
    """Amplitude of a shelf of first order: `db` far below the corner, half of that at it, none far above it.

    Examples
    --------
    >>> low_shelf(np.array([0.0, 200.0, 1e9]), 20 * np.log10(4), 200.0).round(3).tolist()
    [4.0, 2.0, 1.0]
    """
    gain, squared = 10 ** (db / 20), (frequency_hz / corner_hz) ** 2
    return np.asarray(np.sqrt((squared + gain) / (squared + 1 / gain)))


def high_shelf(frequency_hz: NDArray[np.float64], db: float, corner_hz: float) -> NDArray[np.float64]:
    """Amplitude of a shelf of first order: `db` far above the corner, half of that at it, none far below it.

    Examples
    --------
    >>> high_shelf(np.array([0.0, 200.0, 1e9]), 20 * np.log10(4), 200.0).round(3).tolist()
    [1.0, 2.0, 4.0]
    """
    gain, squared = 10 ** (db / 20), (frequency_hz / corner_hz) ** 2
    return np.asarray(np.sqrt((squared * gain + 1) / (squared / gain + 1)))


def response_taps(sample_rate_hz: int) -> int:
    """Length of a minimum-phase response at a sample rate: a power of two, at least 0.15 s.

    Examples
    --------
    >>> response_taps(22050)
    4096
    """
    return 1 << math.ceil(math.log2(RESPONSE_S * sample_rate_hz))


def response_frequencies(sample_rate_hz: int) -> NDArray[np.float64]:
    """Frequencies, shape (4 · taps / 2 + 1,), at which :func:`minimum_phase` wants its amplitudes."""
    return np.asarray(scipy.fft.rfftfreq(4 * response_taps(sample_rate_hz), 1 / sample_rate_hz))


def minimum_phase(amplitude: NDArray[np.float64]) -> Samples:
    """Response with a given amplitude spectrum and the least delay that any causal one with it can have.

    By folding the real cepstrum (Oppenheim and Schafer, Discrete-Time Signal Processing, on homomorphic systems).

    Parameters
    ----------
    amplitude : ndarray of float64, shape (4 · taps / 2 + 1,)
        Above 0; at equally spaced frequencies from 0 to half the sample rate.

    Returns
    -------
    ndarray of float32, shape (taps,)

    Examples
    --------
    >>> minimum_phase(np.full(9, 0.5)).tolist()
    [0.5, 0.0, 0.0, 0.0]
    """
    size = 2 * (len(amplitude) - 1)
    cepstrum = scipy.fft.irfft(np.log(amplitude), size)
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    response = scipy.fft.irfft(np.exp(scipy.fft.rfft(cepstrum)), size)
    return np.asarray(response[: size // 4], dtype=np.float32)


def equaliser_response(drawn: Mapping[str, Any], sample_rate_hz: int) -> Samples:
    """Minimum-phase response of a tilt and two shelves.

    Parameters
    ----------
    drawn : mapping
        ``tilt_db_per_octave``, ``pivot_hz``, and ``db`` and ``hz`` of ``low_shelf`` and ``high_shelf``.
    sample_rate_hz : int

    Returns
    -------
    ndarray of float32, shape (taps,)
    """
    frequency_hz = response_frequencies(sample_rate_hz)
    amplitude = tilted(frequency_hz, drawn["tilt_db_per_octave"], drawn["pivot_hz"])
    amplitude = amplitude * low_shelf(frequency_hz, drawn["low_shelf_db"], drawn["low_shelf_hz"])
    return minimum_phase(amplitude * high_shelf(frequency_hz, drawn["high_shelf_db"], drawn["high_shelf_hz"]))


def convolve(samples: Samples, response: Samples) -> Samples:
    """Convolve sound with a response and cut the result to the sound's length.

    By Fourier transforms of blocks (overlap-add), in single precision; besides the result, memory is a few blocks.
    Exact silence before the first sample that sounds stays exact silence: the rounding noise of Fourier transforms,
    some 130 dB down, begins with the sound.

    Parameters
    ----------
    samples : ndarray of float32, shape (samples,)
    response : ndarray of float32, shape (taps,)

    Returns
    -------
    ndarray of float32, shape (samples,)

    Examples
    --------
    >>> convolve(np.array([0, 1, 0, 2], dtype=np.float32), np.array([1, 0.5, 0.25], dtype=np.float32)).tolist()
    [0.0, 1.0, 0.5, 2.25]
    """
    # Blocks of three to four times a response's length cost least, measured from 2,048 to 44,100 taps.
    size = max(SMALLEST_TRANSFORM, 4 << math.ceil(math.log2(len(response))))
    step = size - len(response) + 1
    spectrum = scipy.fft.rfft(response, size)
    convolved = np.zeros_like(samples)
    sounding = samples != 0
    if not sounding.any():
        return convolved
    first, end = int(sounding.argmax()), len(samples) - int(sounding[::-1].argmax())
    for begin in range(first, end, step):
        block = samples[begin : min(begin + step, end)]
        reached = convolved[begin : begin + len(block) + len(response) - 1]
        reached += scipy.fft.irfft(scipy.fft.rfft(block, size) * spectrum, size)[: len(reached)]
    return convolved
