"""Features of spectrogram frames that classic methods compare: spectrum, its rise, and both by pitch class.

Each is a vector of unit length a frame (or zero, in silence), so that the product of two is the cosine between them;
several are weighted and put together, so that the product is the weighted mean of their cosines.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
SEMITONES = 12
LEAST = 1e-6  # a frame whose values are all smaller is silent


@dataclass(frozen=True)
class FeatureSettings:
    """Weights of what is compared; 0 leaves it out.

    Attributes
    ----------
    spectrum : float
        The frame's bins as they are stored, on a logarithmic scale.
    flux : float
        What has risen in each bin since the frame before: onsets.
    chroma, chroma_flux : float
        The same, with bins an octave apart added. For bins that are semitones from A upwards.
    power : float
        The exponent that bins are raised to first: above 1 what is loud counts for more.
    smooth : bool
        Average every bin with its neighbours in time (1/4, 1/2, 1/4), so that a frame more or less costs less.
    """

    spectrum: float = 1.0
    flux: float = 0.0
    chroma: float = 0.0
    chroma_flux: float = 0.0
    power: float = 1.0
    smooth: bool = False

    def __post_init__(self) -> None:
        weights = (self.spectrum, self.flux, self.chroma, self.chroma_flux)
        if min(weights) < 0 or not sum(weights) > 0 or not self.power > 0:
            raise ValueError(
                f"features: weights {weights}, power {self.power}; expected none below 0, one above it, and a power "
                "above 0"
            )


def frame_features(frames: NDArray[np.floating], settings: FeatureSettings) -> Float32Array:
    """Features of each frame; the product of two frames' features is the weighted mean of their cosines.

    Parameters
    ----------
    frames : ndarray, shape (windows, frames, bins)
    settings : FeatureSettings

    Returns
    -------
    ndarray of float32, shape (windows, frames, features)

    Examples
    --------
    >>> frames = np.array([[[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]]])
    >>> frame_features(frames, FeatureSettings(spectrum=1, flux=3)).astype(float).round(3).tolist()
    [[[0.0, 0.0, 0.0, 0.0], [0.3, 0.4, 0.52, 0.693], [0.3, 0.4, 0.0, 0.0]]]
    """
    spectrum = np.asarray(frames, dtype=np.float32)
    if settings.power != 1:
        spectrum = spectrum**settings.power
    rise = np.maximum(np.diff(spectrum, axis=1, prepend=spectrum[:, :1]), 0)
    parts = [(settings.spectrum, spectrum), (settings.flux, rise)]
    parts += [(weight, _chroma(values)) for weight, values in _by_class(settings, spectrum, rise)]
    total = sum(weight for weight, _ in parts)
    made = []
    for weight, values in parts:
        if not weight:
            continue
        if settings.smooth:
            values = _smoothed(values)
        length = np.sqrt(np.einsum("wfb,wfb->wf", values, values))[..., None]
        made.append(values * np.where(length > LEAST, np.sqrt(weight / total) / np.maximum(length, LEAST), 0))
    return np.concatenate(made, axis=2, dtype=np.float32)


def _by_class(
    settings: FeatureSettings, spectrum: Float32Array, rise: Float32Array
) -> list[tuple[float, Float32Array]]:
    """What is to be folded into pitch classes, with its weight."""
    return [(w, v) for w, v in ((settings.chroma, spectrum), (settings.chroma_flux, rise)) if w]


def _chroma(values: Float32Array) -> Float32Array:
    """Add bins an octave apart: (…, bins) to (…, 12)."""
    missing = -values.shape[-1] % SEMITONES
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
    return np.asarray(padded.reshape(*values.shape[:-1], -1, SEMITONES).sum(axis=-2), dtype=np.float32)


def _smoothed(values: Float32Array) -> Float32Array:
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0)))
    return np.asarray(0.25 * padded[:, :-2] + 0.5 * values + 0.25 * padded[:, 2:], dtype=np.float32)
