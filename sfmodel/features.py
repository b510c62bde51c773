"""Features of spectrogram frames for classic methods: unit-length parts, NumPy only.

Conventions
-----------
A frame becomes several vectors, its *parts*: the log-frequency spectrum, what has risen since the frames before (the
spectral *flux*), and both of these folded to one octave (*chroma*). Before, a share of each bin's surroundings, the
mean over some bins about it, is taken off (*contrast*): partials stay, the broad rest loses. Each part is scaled to
unit length and weighted, and all parts are laid end to end. The dot product of two frames is then the weighted mean of
the cosines of their parts, between 0 and 1 since nothing is negative.

Nearly silent frames would be noise scaled up to unit length. A part's length is therefore
``sqrt(norm² + (floor · loudest)²)`` with the loudest norm of the part in its window: frames far below it come out
short. Silence gives zeros.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

SMALL_PRODUCT = 200_000  # multiplications in a matrix product that OpenBLAS leaves to one thread
OCTAVE_BINS = 12

Float32Array = NDArray[np.float32]
AnyFloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class FeatureSettings:
    """Weights of the parts, and what is done before they are scaled.

    Attributes
    ----------
    spectrum, flux, chroma, chroma_flux : float
        Weights of the parts; at least one above zero. Only their ratios count. The two chroma parts mean something
        only for twelve bins an octave.
    contrast : float
        Share of the local mean over `contrast_bins` bins that is taken off, 0 to 1; what falls below 0 is cut off.
    contrast_bins : int
        Odd.
    lag_frames : int
        The flux is the largest rise over 1 to so many frames.
    power : float
        Exponent of the stored (log-compressed) magnitudes; above 1 peaks count for more.
    floor : float
        See the module's text; 0 makes every frame that is not silent equally long.
    absence : float
        Share of a reference frame's squared length that is taken off its similarities (not used by filters): what
        the reference holds and the snippet lacks speaks against it. With 0.5 the similarity is, but for a constant,
        minus half the squared distance.
    """

    spectrum: float = 1.0
    flux: float = 1.0
    chroma: float = 0.0
    chroma_flux: float = 0.0
    contrast: float = 0.5
    contrast_bins: int = 5
    lag_frames: int = 1
    power: float = 1.0
    floor: float = 0.1
    absence: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            if not (np.isfinite(value := getattr(self, field.name)) and value >= 0):
                raise ValueError(f"features: {field.name} {value}; expected a finite number, not negative")
        if not self.spectrum + self.flux + self.chroma + self.chroma_flux > 0:
            raise ValueError("features: all weights are 0; expected at least one above zero")
        if self.contrast > 1:
            raise ValueError(f"features: contrast {self.contrast}; expected 0 to 1")
        if self.contrast_bins < 1 or self.contrast_bins % 2 == 0:
            raise ValueError(f"features: contrast_bins {self.contrast_bins}; expected an odd number")
        if self.lag_frames < 1:
            raise ValueError(f"features: lag_frames {self.lag_frames}; expected at least 1")
        if not self.power > 0:
            raise ValueError(f"features: power {self.power}; expected a number above zero")


def raise_contrast(frames: Float32Array, share: float, width: int) -> Float32Array:
    """Take a share of the mean over the bins about each bin off it; nothing falls below 0.

    Parameters
    ----------
    frames : ndarray of float32, shape (pairs, frames, bins)
    share : float
    width : int
        Bins of the mean, odd; beyond the ends they are zero.

    Returns
    -------
    ndarray of float32, shape (pairs, frames, bins)

    Examples
    --------
    >>> raise_contrast(np.array([[[0.0, 3.0, 6.0]]], dtype=np.float32), 0.5, 3).tolist()
    [[[0.0, 1.5, 4.5]]]
    """
    if share == 0:
        return frames
    bins, half = frames.shape[2], width // 2
    padded = np.pad(frames, ((0, 0), (0, 0), (half, half)))
    local = padded[:, :, :bins].copy()
    for shift in range(1, width):
        local += padded[:, :, shift : shift + bins]
    return np.maximum(frames - local * np.float32(share / width), 0)


def positive_difference(frames: Float32Array, lag_frames: int = 1) -> Float32Array:
    """What each frame has more than one of the frames before it, at most `lag_frames` back; the first one has none.

    Parameters
    ----------
    frames : ndarray of float32, shape (pairs, frames, bins)
    lag_frames : int

    Returns
    -------
    ndarray of float32, shape (pairs, frames, bins)

    Examples
    --------
    >>> frames = np.array([[[1.0], [3.0], [2.0], [3.5]]], dtype=np.float32)
    >>> positive_difference(frames)[0, :, 0].tolist(), positive_difference(frames, 2)[0, :, 0].tolist()
    ([0.0, 2.0, 0.0, 1.5], [0.0, 2.0, 1.0, 1.5])
    """
    rise = np.zeros_like(frames)
    for lag in range(1, min(lag_frames, frames.shape[1] - 1) + 1):
        np.maximum(rise[:, lag:], frames[:, lag:] - frames[:, :-lag], out=rise[:, lag:])
    return rise


def fold_octaves(frames: Float32Array) -> Float32Array:
    """Sums of all bins that are whole octaves (twelve bins) apart.

    Parameters
    ----------
    frames : ndarray of float32, shape (pairs, frames, bins)

    Returns
    -------
    ndarray of float32, shape (pairs, frames, 12)

    Examples
    --------
    >>> fold_octaves(np.arange(14, dtype=np.float32)[None, None])[0, 0, :3].tolist()
    [12.0, 14.0, 2.0]
    """
    pairs, length, bins = frames.shape
    padded = np.pad(frames, ((0, 0), (0, 0), (0, -bins % OCTAVE_BINS)))
    return np.asarray(padded.reshape(pairs, length, -1, OCTAVE_BINS).sum(axis=2), dtype=np.float32)


def unit_length(part: Float32Array, floor: float = 0.0) -> Float32Array:
    """Scale every frame to unit length, those far below the window's loudest to less; silence stays zero.

    Parameters
    ----------
    part : ndarray of float32, shape (pairs, frames, bins)
    floor : float
        Share of the loudest frame's norm.

    Returns
    -------
    ndarray of float32, shape (pairs, frames, bins)

    Examples
    --------
    >>> unit_length(np.array([[[3.0, 4.0], [0.0, 0.0]]], dtype=np.float32)).round(3).tolist()
    [[[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]]
    """
    square = np.einsum("pfb,pfb->pf", part, part)[..., None]  # (pairs, frames, 1)
    length = np.sqrt(square + floor**2 * square.max(axis=1, keepdims=True, initial=0))
    return np.asarray(part / np.where(length > 1e-12, length, np.inf), dtype=np.float32)


def frame_features(frames: AnyFloatArray, settings: FeatureSettings) -> Float32Array:
    """Weighted unit-length parts of every frame, end to end.

    Parameters
    ----------
    frames : ndarray, shape (pairs, frames, bins)
        Stored spectrograms, references or snippets.
    settings : FeatureSettings

    Returns
    -------
    ndarray of float32, shape (pairs, frames, features)

    Raises
    ------
    ValueError
        If the array has another number of axes.
    """
    if frames.ndim != 3:
        raise ValueError(f"frames have shape {frames.shape}; expected (pairs, frames, bins)")
    spectrum = np.maximum(np.asarray(frames, dtype=np.float32), 0)
    spectrum = raise_contrast(spectrum, settings.contrast, settings.contrast_bins)
    if settings.power != 1:
        spectrum = spectrum ** np.float32(settings.power)
    parts = []
    total = settings.spectrum + settings.flux + settings.chroma + settings.chroma_flux

    def add(weight: float, part: Float32Array) -> None:
        parts.append(unit_length(part, settings.floor) * np.float32(np.sqrt(weight / total)))

    if settings.spectrum:
        add(settings.spectrum, spectrum)
    if settings.chroma:
        add(settings.chroma, fold_octaves(spectrum))
    if settings.flux or settings.chroma_flux:
        flux = positive_difference(spectrum, settings.lag_frames)
        if settings.flux:
            add(settings.flux, flux)
        if settings.chroma_flux:
            add(settings.chroma_flux, fold_octaves(flux))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def frame_similarity(reference: Float32Array, snippet: Float32Array, absence: float = 0.0) -> Float32Array:
    """Dot products of every frame of a reference with every frame of its snippet, less a share of the former's square.

    Parameters
    ----------
    reference : ndarray of float32, shape (pairs, T, features)
    snippet : ndarray of float32, shape (pairs, S, features)
    absence : float
        See :class:`FeatureSettings`.

    Returns
    -------
    ndarray of float32, shape (pairs, T, S)

    Raises
    ------
    ValueError
        If the shapes don't agree.
    """
    if reference.ndim != 3 or snippet.ndim != 3 or reference.shape[::2] != snippet.shape[::2]:
        raise ValueError(
            f"references have shape {reference.shape}, snippets {snippet.shape}; "
            "expected (pairs, frames, bins) with the same pairs and bins"
        )
    pairs, frames, size = reference.shape
    length = snippet.shape[1]
    similarity = np.empty((pairs, frames, length), dtype=np.float32)
    rows = max(1, SMALL_PRODUCT // max(1, length * size))
    for first in range(0, frames, rows):
        part = slice(first, first + rows)
        np.matmul(reference[:, part], snippet.transpose(0, 2, 1), out=similarity[:, part])
    if absence:
        similarity -= np.float32(absence) * np.einsum("ptf,ptf->pt", reference, reference)[..., None]
    return similarity
