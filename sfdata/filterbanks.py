"""Filterbanks: how much each line of the FFT counts in each bin of a spectrogram, shape (bins, lines)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sfdata.spectrogram import SpectrogramSettings


def log_filterbank(settings: SpectrogramSettings) -> NDArray[np.float64]:
    """Triangles over log frequency, one octave / bins_per_octave to each side, widened to reach two FFT bins."""
    fft_hz = np.fft.rfftfreq(settings.n_fft, 1 / settings.sample_rate_hz)
    step_hz = settings.sample_rate_hz / settings.n_fft
    centre = settings.bin_frequencies_hz()[:, None]
    ratio = 2.0 ** (1 / settings.bins_per_octave)
    below = np.maximum(centre - centre / ratio, step_hz)
    above = np.maximum(centre * ratio - centre, step_hz)
    distance = np.where(fft_hz < centre, (centre - fft_hz) / below, (fft_hz - centre) / above)
    weights = np.maximum(0.0, 1.0 - distance)
    weights[:, 0] = 0
    return weights / np.maximum(weights.max(axis=1, keepdims=True), 1e-9)


def mel_filterbank(settings: SpectrogramSettings) -> NDArray[np.float64]:
    """Librosa's mel bands, each with a peak of 1."""
    import librosa

    return np.asarray(
        librosa.filters.mel(
            sr=settings.sample_rate_hz, n_fft=settings.n_fft, n_mels=settings.n_bins, fmin=settings.f_min_hz, norm=None
        ),
        dtype=np.float64,
    )


def cqt_filterbank(settings: SpectrogramSettings) -> NDArray[np.float64]:
    """Magnitudes of librosa's constant-Q wavelets, as far as the FFT holds them."""
    import librosa

    wavelets, _ = librosa.filters.wavelet(
        freqs=settings.bin_frequencies_hz(), sr=settings.sample_rate_hz, norm=1, pad_fft=False
    )
    length = min(wavelets.shape[1], settings.n_fft)
    middle = (wavelets.shape[1] - length) // 2
    spectra = np.abs(np.fft.fft(wavelets[:, middle : middle + length], n=settings.n_fft, axis=1))
    spectra = spectra[:, : settings.n_fft // 2 + 1]
    spectra[spectra < 0.01 * spectra.max(axis=1, keepdims=True)] = 0
    return np.asarray(spectra / spectra.max(axis=1, keepdims=True), dtype=np.float64)


FILTERBANKS = {"log": log_filterbank, "mel": mel_filterbank, "cqt": cqt_filterbank}
