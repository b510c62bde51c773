"""Filters that move nothing in time: minimum-phase responses of a wanted spectrum, and causal convolution with them.

A response is a float32 array of shape (taps,), its sample 0 being the direct path, so what it is applied to never
sounds earlier, and the onset of a note stays where it was.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from sfdata.blocks import Samples, joined, recut

LOWEST_HZ = 20.0  # below it a tilted spectrum goes on flat
RESPONSE_S = 0.15  # after which a resonance at LOWEST_HZ has fallen by 160 dB
SMALLEST_TRANSFORM = 1 << 14
TRANSFORMS = 4  # at once: a processor's vectors work on as many side by side


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


def combined(first: Samples, second: Samples) -> Samples:
    """Response of one filter after another: convolving with it does what convolving with both would.

    Examples
    --------
    >>> combined(np.array([1, 0.5], dtype=np.float32), np.array([2, 0, 1], dtype=np.float32)).tolist()
    [2.0, 1.0, 1.0, 0.5]
    """
    taps = len(first) + len(second) - 1
    size = int(scipy.fft.next_fast_len(taps, real=True))
    spectrum = scipy.fft.rfft(first.astype(np.float64), size) * scipy.fft.rfft(second.astype(np.float64), size)
    return np.asarray(scipy.fft.irfft(spectrum, size)[:taps], dtype=np.float32)


def convolve_blocks(blocks: Iterable[Samples], response: Samples) -> Iterator[Samples]:
    """Convolve a stream of sound with a response and cut the result to the sound's length.

    By Fourier transforms (overlap-add), in single precision, of blocks that begin at sample 0 however the sound comes.
    Each block is silent, exactly, up to its first sample that sounds and from a response after its last one: the
    rounding noise of Fourier transforms, some 130 dB down, stays where there is sound.

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (samples,)
    response : ndarray of float32, shape (taps,)

    Yields
    ------
    ndarray of float32, shape (samples,)
    """
    taps = len(response)
    # Transforms of about five times a response's length cost least, measured from 4,096 to 30,000 taps.
    size = int(scipy.fft.next_fast_len(max(SMALLEST_TRANSFORM, 5 * taps), real=True))
    step = size - taps + 1
    spectrum = scipy.fft.rfft(response, size)
    padded = np.zeros((TRANSFORMS, size), dtype=np.float32)
    tail = np.zeros(taps - 1, dtype=np.float32)  # of what came before
    for sound in recut(blocks, TRANSFORMS * step):
        whole = sound
        if len(sound) < TRANSFORMS * step:
            whole = np.zeros(TRANSFORMS * step, dtype=np.float32)
            whole[: len(sound)] = sound
        padded[:, :step] = whole.reshape(TRANSFORMS, step)
        spectra = scipy.fft.rfft(padded, axis=1, workers=1)
        spectra *= spectrum
        convolved = scipy.fft.irfft(spectra, size, axis=1, overwrite_x=True, workers=1)
        for begin, row, own in zip(range(0, len(sound), step), padded, convolved, strict=False):
            _silence_around(row[:step], own)
            own[: taps - 1] += tail
            tail = own[step:]
            yield own[: min(step, len(sound) - begin)]


def _silence_around(sound: Samples, convolved: Samples) -> None:
    """Make silent what lies before the first sample that sounds, and a response after the last one."""
    if sound[0] and sound[-1]:  # as nearly always
        return
    sounding = np.flatnonzero(sound)
    if not len(sounding):
        convolved[:] = 0
        return
    convolved[: sounding[0]] = 0
    convolved[len(convolved) - (len(sound) - 1 - sounding[-1]) :] = 0


def convolve(samples: Samples, response: Samples) -> Samples:
    """Convolve a whole sound; see :func:`convolve_blocks`.

    Examples
    --------
    >>> convolve(np.array([0, 1, 0, 2], dtype=np.float32), np.array([1, 0.5, 0.25], dtype=np.float32)).tolist()
    [0.0, 1.0, 0.5, 2.25]
    """
    return joined(convolve_blocks([samples], response))
