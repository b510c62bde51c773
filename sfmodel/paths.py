"""Classic alignment of a snippet with a reference: dynamic time warping, and a hidden Markov model.

Both score every frame of the reference as the place of the snippet's *middle* frame: the best path, or the sum over all
paths, that lead from there to the snippet's beginning and to its end. With every frame of the snippet a path advances
by 0, 1, … frames of the reference; beyond the reference's ends there is silence, which resembles nothing.

The subsequence DTW is that of Müller, "Fundamentals of Music Processing" (2015), section 7.2, with steps that take in
every frame of the snippet, and with both halves begun at the onset, which is what a pair asks for. The hidden Markov
model has the reference's frames as its states; Rabiner, "A tutorial on hidden Markov models" (1989): the score is the
posterior of the middle frame given all of the snippet (equation 27), with a number of tempi, each with steps of its
own, that are constant within a snippet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfmodel.features import FeatureSettings, frame_features

Float32Array = NDArray[np.float32]
LEAST = np.float32(1e-30)
TUNED = FeatureSettings(flux=0.5)
"""Found by benchmarks/tune_baselines.py on generated pairs, as are the other defaults here."""


def similarities(
    reference: NDArray[np.floating], snippet: NDArray[np.floating], settings: FeatureSettings, beyond: int
) -> Float32Array:
    """Weighted mean cosines of all frames of a reference and of a snippet.

    Parameters
    ----------
    reference : ndarray, shape (pairs, T, bins)
    snippet : ndarray, shape (pairs, S, bins)
    settings : FeatureSettings
    beyond : int
        Frames of silence to add at both ends of the reference: similarity 0.

    Returns
    -------
    ndarray of float32, shape (S, pairs, T + 2 · beyond)
    """
    left, right = frame_features(snippet, settings), frame_features(reference, settings)
    out = np.zeros((snippet.shape[1], len(reference), reference.shape[1] + 2 * beyond), dtype=np.float32)
    inside = slice(beyond, beyond + reference.shape[1])
    out[:, :, inside] = np.matmul(left, right.transpose(0, 2, 1)).transpose(1, 0, 2)
    return out


def best_paths(gain: Float32Array, penalty: Sequence[float]) -> Float32Array:
    """Greatest sum along a path that ends at each frame.

    Parameters
    ----------
    gain : ndarray of float32, shape (length, pairs, frames)
        Of a path's k-th frame.
    penalty : sequence of float
        Of advancing by 0, 1, … frames.

    Returns
    -------
    ndarray of float32, shape (pairs, frames)

    Examples
    --------
    >>> best_paths(np.array([[[1, 5, 0]], [[0, 0, 2]]], dtype=np.float32), [0.0, 0.5]).tolist()
    [[1.0, 5.0, 6.5]]
    """
    best = gain[0]
    for now in gain[1:]:
        ahead = best - np.float32(penalty[0])
        for d in range(1, len(penalty)):
            np.maximum(ahead[:, d:], best[:, :-d] - np.float32(penalty[d]), out=ahead[:, d:])
        best = ahead + now
    return np.asarray(best, dtype=np.float32)


def summed_paths(likelihood: Float32Array, weight: NDArray[np.float32]) -> Float32Array:
    """Logarithm of the sum over all paths that end at each frame, of the products along them.

    Parameters
    ----------
    likelihood : ndarray of float32, shape (length, pairs, frames)
        Above 0, of a path's k-th frame.
    weight : ndarray of float32, shape (steps,)
        Probability of advancing by 0, 1, … frames.

    Returns
    -------
    ndarray of float32, shape (pairs, frames)

    Examples
    --------
    >>> np.exp(summed_paths(np.ones((2, 1, 3), dtype=np.float32), np.array([0.5, 0.5]))).round(3).tolist()
    [[0.5, 1.0, 1.0]]
    """
    total, log_scale = likelihood[0], np.zeros((likelihood.shape[1], 1), dtype=np.float32)
    for now in likelihood[1:]:
        ahead = total * np.float32(weight[0])
        for d in range(1, len(weight)):
            ahead[:, d:] += total[:, :-d] * np.float32(weight[d])
        ahead *= now
        scale = np.maximum(ahead.max(axis=1, keepdims=True), LEAST)
        total = ahead / scale
        log_scale += np.log(scale)
    return np.asarray(np.log(np.maximum(total, LEAST)) + log_scale, dtype=np.float32)


def both_ways(similarity: Float32Array) -> tuple[Float32Array, Float32Array]:
    """The snippet's two halves as ways that end at its middle frame: the later one mirrored in time."""
    middle = len(similarity) // 2
    return similarity[: middle + 1], similarity[middle:][::-1, :, ::-1]


def step_weights(tempo: float, steps: int, spread: float) -> NDArray[np.float32]:
    """Probabilities of advancing by 0, 1, … frames at a tempo in reference frames a snippet frame.

    The two nearest steps share ``1 - spread`` so that the mean is the tempo; `spread` is shared by all.

    Examples
    --------
    >>> step_weights(1.25, 4, 0.2).astype(float).round(3).tolist()
    [0.05, 0.65, 0.25, 0.05]
    """
    weights = np.clip(1 - np.abs(np.arange(steps) - tempo), 0, None)
    return np.asarray((1 - spread) * weights / weights.sum() + spread / steps, dtype=np.float32)


@dataclass(frozen=True)
class SubsequenceDtw:
    """Dynamic time warping of the snippet, both halves from the onset.

    Attributes
    ----------
    features : FeatureSettings
    penalty : tuple of float
        Of advancing by 0, 1, … frames of the reference, in units of similarity.
    """

    features: FeatureSettings = TUNED
    penalty: tuple[float, ...] = (0.1, 0.0, 0.05, 0.2)

    def scores(self, reference: NDArray[np.floating], snippet: NDArray[np.floating]) -> Float32Array:
        """Score (pairs, T, bins) and (pairs, S, bins) as (pairs, T): mean similarity along the best path."""
        beyond = (len(self.penalty) - 1) * (snippet.shape[1] // 2)
        similarity = similarities(reference, snippet, self.features, beyond)
        left, right = (best_paths(way, self.penalty) for way in both_ways(similarity))
        total = left + right[:, ::-1] - similarity[len(similarity) // 2]
        return np.asarray(total[:, beyond : beyond + reference.shape[1]] / len(similarity), dtype=np.float32)


@dataclass(frozen=True)
class HiddenMarkov:
    """A hidden Markov model over the reference's frames.

    Attributes
    ----------
    features : FeatureSettings
    sharpness : float
        Log-likelihood of a frame is so much times its similarity.
    tempi : tuple of float
        Reference frames a snippet frame, equally likely.
    steps : int
        Advances of up to ``steps - 1`` frames.
    spread : float
        Share of steps that keep to no tempo.
    """

    features: FeatureSettings = TUNED
    sharpness: float = 8.0
    tempi: tuple[float, ...] = (0.65, 0.85, 1.15, 1.5)
    steps: int = 4
    spread: float = 0.2

    def scores(self, reference: NDArray[np.floating], snippet: NDArray[np.floating]) -> Float32Array:
        """Score (pairs, T, bins) and (pairs, S, bins) as (pairs, T): log posterior of the middle frame."""
        beyond = (self.steps - 1) * (snippet.shape[1] // 2)
        similarity = similarities(reference, snippet, self.features, beyond)
        # divided by the likelihood of a perfect frame: a constant that keeps numbers small
        likelihood = np.exp(np.float32(self.sharpness) * (similarity - 1))
        left, right = both_ways(likelihood)
        middle = np.log(likelihood[len(likelihood) // 2])
        total = None
        for tempo in self.tempi:
            weight = step_weights(tempo, self.steps, self.spread)
            score = summed_paths(left, weight) + summed_paths(right, weight)[:, ::-1] - middle
            total = score if total is None else np.logaddexp(total, score)
        assert total is not None
        inside = total[:, beyond : beyond + reference.shape[1]]
        highest = inside.max(axis=1, keepdims=True)
        log_sum = highest + np.log(np.exp(inside - highest).sum(axis=1, keepdims=True))
        return np.asarray(inside - log_sum, dtype=np.float32)
