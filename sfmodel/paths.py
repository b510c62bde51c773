"""Paths through a similarity matrix that meet at the snippet's middle frame: dynamic programming, NumPy only.

Conventions
-----------
A *path* gives every frame of the snippet a frame of the reference. From one snippet frame to the next it goes on by 0
to D - 1 frames of the reference, each step with a log weight; paths that leave the reference stay outside, where every
frame has the similarity `outside` (0 for silent frames of the snippet: silence fits nothing, and nothing less). The
score of a path is the sum of its similarities and of its steps' log weights. The score of a reference frame is taken
over all paths that lie there at the snippet's middle frame: their maximum (subsequence dynamic time warping, Viterbi),
or the logarithm of their summed exponentials (the forward-backward algorithm of a hidden Markov model).

Both sides of the middle are worked out apart, from the far end inwards: the left one is the right one with both time
axes turned round. With several *tempo classes*, each a set of step weights, a path keeps its class on both sides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST = np.float32(1e-35)  # stands for what underflows, so that logarithms stay finite

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class PathSettings:
    """What a path costs.

    Attributes
    ----------
    combine : {"max", "sum"}
        The best path counts, or all of them.
    kappa : float
        Factor of the similarities, against the steps' weights.
    tempos : tuple of float
        Reference frames per snippet frame, one a tempo class.
    spread : float
        Standard deviation of a step about its class's tempo, in frames.
    tempo_spread : float
        Standard deviation of the classes' natural logarithm about 0: the prior of the tempo.
    largest_step : int
        In frames.
    outside : float
        Similarity beyond the reference's ends.
    middle : float
        Weight of the middle frame's similarity, against 1 for all others.
    focus_frames : float
        Similarities lose weight with the distance from the middle, by a factor of e in so many frames; 0: they don't.
    """

    combine: str = "sum"
    kappa: float = 8.0
    tempos: tuple[float, ...] = (0.6, 0.72, 0.85, 1.0, 1.18, 1.4, 1.66)
    spread: float = 0.5
    tempo_spread: float = 0.3
    largest_step: int = 3
    outside: float = 0.0
    middle: float = 1.0
    focus_frames: float = 0.0

    def __post_init__(self) -> None:
        if self.combine not in ("max", "sum"):
            raise ValueError(f"paths: combine {self.combine!r}; expected max or sum")
        if not self.tempos or min(self.tempos) <= 0:
            raise ValueError(f"paths: tempos {self.tempos}; expected at least one, all above zero")
        for name in ("kappa", "spread", "tempo_spread", "largest_step"):
            if not getattr(self, name) > 0:
                raise ValueError(f"paths: {name} {getattr(self, name)}; expected a number above zero")
        for name in ("middle", "focus_frames"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"paths: {name} {getattr(self, name)}; expected 0 or more")

    def log_steps(self) -> Float32Array:
        """Log weights of the steps, shape (classes, largest_step + 1); each class's weights sum to 1."""
        tempo = np.asarray(self.tempos)[:, None]  # (classes, 1)
        log_weight = -((np.arange(self.largest_step + 1) - tempo) ** 2) / (2 * self.spread**2)
        return np.asarray(log_weight - np.log(np.exp(log_weight).sum(axis=1, keepdims=True)), dtype=np.float32)

    def log_prior(self) -> Float32Array:
        """Log probability of each tempo class, shape (classes,)."""
        log_weight = -(np.log(self.tempos) ** 2) / (2 * self.tempo_spread**2)
        return np.asarray(log_weight - np.log(np.exp(log_weight).sum()), dtype=np.float32)


def _shifted(values: Float32Array, step: int, fill: Float32Array) -> Float32Array:
    """Values `step` frames on, those beyond the end filled: (pairs, T) and (pairs, 1) to (pairs, T)."""
    if step == 0:
        return values
    out = np.empty_like(values)
    kept = max(values.shape[1] - step, 0)
    out[:, :kept] = values[:, step:]
    out[:, kept:] = fill
    return out


def _best_side(emission: Float32Array, outside: Float32Array, log_steps: Float32Array) -> Float32Array:
    """Best sums of paths from each frame on, its own emission left out.

    Parameters
    ----------
    emission : ndarray of float32, shape (K, pairs, T)
    outside : ndarray of float32, shape (K, pairs, 1)
    log_steps : ndarray of float32, shape (D,)

    Returns
    -------
    ndarray of float32, shape (pairs, T)
    """
    value, beyond = np.zeros_like(emission[0]), np.zeros_like(outside[0])
    for k in range(len(emission) - 1, 0, -1):
        value, beyond = value + emission[k], beyond + outside[k]
        best = value + log_steps[0]
        for step in range(1, len(log_steps)):
            np.maximum(best, _shifted(value, step, beyond) + log_steps[step], out=best)
        value, beyond = best, beyond + log_steps.max()
    return value


def _summed_side(emission: Float32Array, outside: Float32Array, log_steps: Float32Array) -> Float32Array:
    """The logarithm of summed exponentials in place of the best sums, scaled so that nothing overflows."""
    steps = np.exp(log_steps)
    value, beyond = np.ones_like(emission[0]), np.ones_like(outside[0])
    logarithm = np.zeros_like(outside[0])  # (pairs, 1): what was taken out of both
    for k in range(len(emission) - 1, 0, -1):
        largest = np.maximum(emission[k].max(axis=1, keepdims=True, initial=-np.inf), outside[k])
        value = value * np.exp(emission[k] - largest)
        beyond = beyond * np.exp(outside[k] - largest)
        mixed = value * steps[0]
        for step in range(1, len(steps)):
            mixed += _shifted(value, step, beyond) * steps[step]
        value, beyond = mixed, beyond * steps.sum()
        scale = np.maximum(np.maximum(value.max(axis=1, keepdims=True, initial=0), beyond), SMALLEST)
        value, beyond = value / scale, beyond / scale
        logarithm = logarithm + largest + np.log(scale)
    return np.asarray(np.log(np.maximum(value, SMALLEST)) + logarithm, dtype=np.float32)


def path_scores(
    emission: Float32Array, outside: Float32Array, log_steps: Float32Array, log_prior: Float32Array, combine: str
) -> Float32Array:
    """Scores of all frames as the place of the middle frame.

    Parameters
    ----------
    emission : ndarray of float32, shape (S, pairs, T)
        Weighted similarities, S odd.
    outside : ndarray of float32, shape (S, pairs, 1)
        The same beyond the reference's ends.
    log_steps : ndarray of float32, shape (classes, D)
        Log weights of steps of 0 to D - 1 frames.
    log_prior : ndarray of float32, shape (classes,)
    combine : {"max", "sum"}

    Returns
    -------
    ndarray of float32, shape (pairs, T)

    Raises
    ------
    ValueError
        If S is even.
    """
    length = len(emission)
    if length % 2 == 0:
        raise ValueError(f"snippets have {length} frames; expected an odd number, so that one is in the middle")
    half = length // 2
    side = _best_side if combine == "max" else _summed_side
    turned, turned_outside = np.ascontiguousarray(emission[half::-1, :, ::-1]), outside[half::-1]
    result: Float32Array | None = None
    for steps, prior in zip(log_steps, log_prior, strict=True):
        right = side(emission[half:], outside[half:], steps)
        left = side(turned, turned_outside, steps)[:, ::-1]
        score = left + emission[half] + right + prior
        if result is None:
            result = score
        else:
            result = np.maximum(result, score) if combine == "max" else np.logaddexp(result, score)
    assert result is not None
    return np.asarray(result, dtype=np.float32)


def score_frames(similarity: Float32Array, sounding: NDArray[np.bool_], settings: PathSettings) -> Float32Array:
    """Scores of every reference frame from a similarity matrix.

    Parameters
    ----------
    similarity : ndarray of float32, shape (pairs, T, S)
    sounding : ndarray of bool, shape (pairs, S)
        False where the snippet is silent.
    settings : PathSettings

    Returns
    -------
    ndarray of float32, shape (pairs, T)
        With ``max`` the best path's sum; with ``sum`` the log posterior of the middle frame's place among the
        reference's frames.
    """
    length = similarity.shape[2]
    distance = np.abs(np.arange(length) - length // 2)
    weight = np.exp(-distance / settings.focus_frames) if settings.focus_frames else np.ones(length)
    weight[length // 2] *= settings.middle
    weight = np.asarray(settings.kappa * weight, dtype=np.float32)[:, None, None]  # (S, 1, 1)
    emission = np.ascontiguousarray(similarity.transpose(2, 0, 1)) * weight
    outside = (sounding.T[:, :, None] * np.float32(settings.outside)) * weight
    scores = path_scores(emission, outside, settings.log_steps(), settings.log_prior(), settings.combine)
    if settings.combine == "sum" and scores.size:
        largest = scores.max(axis=1, keepdims=True)
        scores = scores - largest - np.log(np.exp(scores - largest).sum(axis=1, keepdims=True))
    return scores
