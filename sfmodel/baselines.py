"""Classic methods to compare a network with: no training, NumPy only.

Conventions
-----------
A baseline takes what a network takes, references (pairs, T, bins) and snippets (pairs, S, bins) with S odd, and
gives scores (pairs, T): how well the snippet fits with its *middle* frame at each frame of the reference. Every one
of the T frames is a candidate; beyond the reference's ends there is silence, which is zero. Higher is better.

The matched filter is the normalised cross-correlation of snippet and reference: the cosine of the angle between the
snippet and the piece of reference under it. Where both sides stem from the same performance it finds the exact
frame nearly always, so a network's figures mean little without it. A snippet that is played faster or slower than
the reference no longer fits; with several *time scales* the snippet is also tried stretched and squeezed about its
middle, and the best score at each frame counts.

The mean of each window is removed first. That changes little: on 3,233 unvaried pairs of four piano pieces it raises
bucket 1 by less than 0.1 points; on as many with varied tempo and articulation it lowers it by half a point for one
scale and raises it by 0.1 for five, all far within the intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sfmodel.features import SMALL_PRODUCT, FeatureSettings, frame_features, frame_similarity
from sfmodel.paths import PathSettings, score_frames

FIVE_SCALES = (0.7, 0.84, 1.0, 1.19, 1.41)  # half an octave of tempo to each side, in quarter-octave steps
NINE_SCALES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.12, 1.26, 1.41, 1.6)
SILENCE = 1e-10  # a window with less than this share of its whole array's energy counts as silent

Float32Array = NDArray[np.float32]
AnyFloatArray = NDArray[np.floating]


def stretch_snippet(snippet: AnyFloatArray, scale: float) -> Float32Array:
    """Resample snippets in time about their middle frame, by linear interpolation.

    Parameters
    ----------
    snippet : ndarray, shape (pairs, S, bins)
        S odd.
    scale : float
        Above 1 makes them longer, as if played slower.

    Returns
    -------
    ndarray of float32, shape (pairs, S', bins)
        S' odd: as many frames as lie within the stretched snippet.

    Raises
    ------
    ValueError
        If S is even or the scale not positive.

    Examples
    --------
    >>> stretch_snippet(np.array([[[0.0], [1.0], [4.0]]]), 2.0)[0, :, 0].tolist()
    [0.0, 0.5, 1.0, 2.5, 4.0]
    """
    length = snippet.shape[1]
    if length % 2 == 0:
        raise ValueError(f"snippets have {length} frames; expected an odd number, so that one is in the middle")
    if not scale > 0:
        raise ValueError(f"time scale {scale}; expected a positive number")
    snippet = np.asarray(snippet, dtype=np.float32)
    if scale == 1:
        return snippet
    half = length // 2
    reach = int(half * scale + 1e-9)
    position = np.clip(half + np.arange(-reach, reach + 1) / scale, 0, length - 1)  # (S',)
    left = np.minimum(position.astype(np.int64), max(length - 2, 0))
    weight = (position - left).astype(np.float32)[:, None]
    right = np.minimum(left + 1, length - 1)
    return snippet[:, left] * (1 - weight) + snippet[:, right] * weight


def sliding_sum(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Sums over windows of `length` (odd) frames centred at every frame, zeros beyond the ends.

    Parameters
    ----------
    values : ndarray of float64, shape (pairs, T)

    Returns
    -------
    ndarray of float64, shape (pairs, T)

    Examples
    --------
    >>> sliding_sum(np.array([[1.0, 2.0, 4.0]]), 3).tolist()
    [[3.0, 7.0, 6.0]]
    """
    half = length // 2
    cumulated = np.cumsum(np.pad(values, ((0, 0), (half + 1, half))), axis=1)  # (pairs, T + length)
    return cumulated[:, length:] - cumulated[:, :-length]


def correlate(reference: Float32Array, snippet: Float32Array) -> Float32Array:
    """Cross-correlation of each snippet with every position of its reference, summed over bins.

    Parameters
    ----------
    reference : ndarray of float32, shape (pairs, T, bins)
    snippet : ndarray of float32, shape (pairs, S, bins)
        S odd.

    Returns
    -------
    ndarray of float32, shape (pairs, T)

    Notes
    -----
    One matrix product gives every reference frame against every snippet frame; the correlation at a position is the
    sum along a diagonal of it, which a strided view reads without copying.

    The product is taken in slices of references, small enough that BLAS does not spread it over threads: these
    cost more than they bring here, and on a busy machine, where they wait for each other, 200 times as much.
    """
    pairs, frames, bins = reference.shape
    length = snippet.shape[1]
    half = length // 2
    gram = np.zeros((pairs, frames + length - 1, length), dtype=np.float32)
    rows = max(1, SMALL_PRODUCT // max(1, length * bins))
    for first in range(0, frames, rows):
        last = min(first + rows, frames)
        np.matmul(reference[:, first:last], snippet.transpose(0, 2, 1), out=gram[:, half + first : half + last])
    step, row, column = gram.strides
    diagonals = np.lib.stride_tricks.as_strided(
        gram, shape=(pairs, frames, length), strides=(step, row, row + column), writeable=False
    )
    return np.asarray(diagonals.sum(axis=2), dtype=np.float32)


def normalised_cross_correlation(
    reference: AnyFloatArray,
    snippet: AnyFloatArray,
    time_scales: Sequence[float] = (1.0,),
    remove_mean: bool = True,
) -> Float32Array:
    """Score every frame of a reference as the place of a snippet's middle frame.

    Parameters
    ----------
    reference : ndarray, shape (pairs, T, bins)
    snippet : ndarray, shape (pairs, S, bins)
        S odd.
    time_scales : sequence of float
        Factors by which snippets are stretched; the best score at each frame counts.
    remove_mean : bool
        Compare deviations from each window's mean (over frames and bins), not the values themselves.

    Returns
    -------
    ndarray of float32, shape (pairs, T)
        Between -1 and 1; 0 where snippet or reference are silent (or constant, with `remove_mean`).

    Raises
    ------
    ValueError
        If shapes don't agree, S is even, or there is no time scale.

    Examples
    --------
    >>> reference = np.eye(5)[None]
    >>> normalised_cross_correlation(reference, reference[:, 1:4], remove_mean=False).round(3).tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0]]
    """
    if reference.ndim != 3 or snippet.ndim != 3 or reference.shape[::2] != snippet.shape[::2]:
        raise ValueError(
            f"references have shape {reference.shape}, snippets {snippet.shape}; "
            "expected (pairs, frames, bins) with the same pairs and bins"
        )
    if not len(time_scales):
        raise ValueError("there are no time scales; expected at least one")
    reference = np.asarray(reference, dtype=np.float32)
    bins = reference.shape[2]
    # float64: the sums run over the whole reference, and windows are differences of them
    power = np.einsum("ptb,ptb->pt", reference, reference, dtype=np.float64)  # (pairs, T)
    level = reference.sum(axis=2, dtype=np.float64)  # (pairs, T)
    best: Float32Array | None = None
    for scale in time_scales:
        template = stretch_snippet(snippet, scale)  # (pairs, S', bins)
        length = template.shape[1]
        energy = sliding_sum(power, length)
        if remove_mean:
            template = template - template.mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
            energy -= sliding_sum(level, length) ** 2 / (length * bins)
        template_energy = np.einsum("psb,psb->p", template, template, dtype=np.float64)[:, None]  # (pairs, 1)
        heard = (energy > SILENCE * (power.sum(axis=1, keepdims=True) + 1e-30)) & (template_energy > 1e-30)
        norm = np.sqrt(np.where(heard, energy, 1.0) * np.where(template_energy > 0, template_energy, 1.0))
        score = np.where(heard, correlate(reference, template) / norm, 0.0)  # (pairs, T)
        score = np.clip(score, -1.0, 1.0).astype(np.float32)
        best = score if best is None else np.maximum(best, score)
    assert best is not None
    return best


@dataclass(frozen=True)
class Baseline:
    """A method that needs no training.

    Attributes
    ----------
    name : str
        As on the command line.
    description : str
        One line.
    time_scales : tuple of float
    remove_mean : bool
    """

    name: str
    description: str
    time_scales: tuple[float, ...] = (1.0,)
    remove_mean: bool = True

    def scores(self, reference: AnyFloatArray, snippet: AnyFloatArray) -> Float32Array:
        """Scores of every frame of the reference: (pairs, T, bins) and (pairs, S, bins) give (pairs, T)."""
        return normalised_cross_correlation(reference, snippet, self.time_scales, self.remove_mean)


@dataclass(frozen=True)
class FeatureFilter:
    """A matched filter on frame features in place of the stored magnitudes.

    Attributes
    ----------
    name, description : str
    features : FeatureSettings
    time_scales : tuple of float
    """

    name: str
    description: str
    features: FeatureSettings = field(default_factory=FeatureSettings)
    time_scales: tuple[float, ...] = (1.0,)

    def scores(self, reference: AnyFloatArray, snippet: AnyFloatArray) -> Float32Array:
        """Scores of every frame of the reference: (pairs, T, bins) and (pairs, S, bins) give (pairs, T)."""
        reference, snippet = frame_features(reference, self.features), frame_features(snippet, self.features)
        return normalised_cross_correlation(reference, snippet, self.time_scales, remove_mean=False)


@dataclass(frozen=True)
class PathFinder:
    """Paths through the similarities of frame features that meet at the snippet's middle (:mod:`sfmodel.paths`).

    Attributes
    ----------
    name, description : str
    features : FeatureSettings
    paths : PathSettings
    """

    name: str
    description: str
    features: FeatureSettings = field(default_factory=FeatureSettings)
    paths: PathSettings = field(default_factory=PathSettings)

    def scores(self, reference: AnyFloatArray, snippet: AnyFloatArray) -> Float32Array:
        """Scores of every frame of the reference: (pairs, T, bins) and (pairs, S, bins) give (pairs, T)."""
        similarity = frame_similarity(
            frame_features(reference, self.features), frame_features(snippet, self.features), self.features.absence
        )
        return score_frames(similarity, np.asarray((np.asarray(snippet) != 0).any(axis=2)), self.paths)


BASELINES: dict[str, Baseline | FeatureFilter | PathFinder] = {
    baseline.name: baseline
    for baseline in (
        Baseline("matched-filter", "normalised cross-correlation of snippet and reference"),
        Baseline(
            "matched-filter-5",
            "the same with the snippet at five time scales, 0.7 to 1.41; the best one counts",
            FIVE_SCALES,
        ),
        FeatureFilter(
            "matched-filter-flux",
            "the same on unit-length spectrum and spectral flux, at nine time scales, 0.6 to 1.6",
            FeatureSettings(spectrum=1.0, flux=2.0, contrast=0.5, contrast_bins=7, floor=0.2),
            NINE_SCALES,
        ),
        PathFinder(
            "subsequence-dtw",
            "dynamic time warping of spectrum and flux, two paths that meet at the onset",
            FeatureSettings(spectrum=1.0, flux=2.0, contrast=0.5, contrast_bins=5, floor=0.06, absence=0.3),
            PathSettings("max", kappa=16.0, tempos=(1.0,), outside=-0.2),
        ),
        PathFinder(
            "hmm",
            "hidden Markov model over reference frames with tempo classes, forward-backward",
            FeatureSettings(contrast=0.25, contrast_bins=3, floor=0.1, absence=0.3),
            PathSettings("sum", kappa=8.0, tempo_spread=0.4, outside=-0.2),
        ),
    )
}
