"""The sum over all paths through a similarity matrix, as a layer: how well a snippet fits, however its time was bent.

A path begins at the snippet's middle frame, somewhere in the reference, and goes on to the snippet's end: with every
frame of the snippet the reference advances by 0, 1, … frames, each with a weight. A path weighs the product of what it
meets; the layer gives, for every frame of the reference, the logarithm of the sum over all paths that end there, which
is what a hidden Markov model's forward recursion computes (Rabiner 1989, equation 20). It is computed with
probabilities scaled at every step, not with logarithms: four multiplications and additions a step where a sum of
logarithms takes as many exponentials.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

LEAST = 1e-30


class _PathSum(torch.autograd.Function):
    """See :func:`path_sum`; the backward pass is the backward recursion."""

    @staticmethod
    def forward(context: Any, emission: Tensor, step: Tensor) -> Tensor:
        length, pairs, channels, frames = emission.shape
        steps = step.shape[1]
        weight = step.exp()
        top = emission.amax(dim=3, keepdim=True)  # (length, pairs, channels, 1)
        emitted = (emission - top).exp_()
        # sums[k, …, steps - 1 + t]: over paths of k + 1 frames that end at t, scaled; nothing before the first frame
        sums = emission.new_zeros(length, pairs, channels, frames + steps - 1)
        scale = torch.ones_like(top)
        sums[0, ..., steps - 1 :] = emitted[0]
        log_scale = top[0].clone()
        for k in range(1, length):
            before = sums[k - 1]
            total = before[..., steps - 1 :] * weight[:, 0, None]
            for d in range(1, steps):
                total.addcmul_(before[..., steps - 1 - d : steps - 1 - d + frames], weight[:, d, None])
            total *= emitted[k]
            scale[k] = total.amax(dim=2, keepdim=True).clamp_min_(LEAST)
            sums[k, ..., steps - 1 :] = total.div_(scale[k])
            log_scale += scale[k].log() + top[k]
        context.save_for_backward(sums, emitted, weight, scale)
        return sums[-1, ..., steps - 1 :].clamp_min(LEAST).log() + log_scale

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        sums, emitted, weight, scale = context.saved_tensors
        length, steps, frames = len(sums), weight.shape[1], emitted.shape[3]
        to_emission, to_weight = torch.empty_like(emitted), torch.zeros_like(weight)
        to_sum = gradients[0] / sums[-1, ..., steps - 1 :].clamp_min(LEAST)
        for k in range(length - 1, 0, -1):
            to_emission[k] = to_sum * sums[k, ..., steps - 1 :]
            to_total = to_sum * emitted[k] / scale[k]
            beyond = pad(to_total, (0, steps - 1))
            before = sums[k - 1]
            to_sum = to_total * weight[:, 0, None]
            for d in range(steps):
                if d:
                    to_sum.addcmul_(beyond[..., d : d + frames], weight[:, d, None])
                to_weight[:, d] += (to_total * before[..., steps - 1 - d : steps - 1 - d + frames]).sum(dim=(0, 2))
        to_emission[0] = to_sum * sums[0, ..., steps - 1 :]
        return to_emission, to_weight * weight


def path_sum(emission: Tensor, step: Tensor) -> Tensor:
    """Logarithm of the sum over all paths that end at each frame.

    Parameters
    ----------
    emission : Tensor of float32 or float64, shape (length, pairs, channels, frames)
        Logarithm of what a path meets at its k-th frame.
    step : Tensor, shape (channels, steps)
        Logarithm of the weight of advancing by 0, 1, … ``steps - 1`` frames from one frame of the path to the next.

    Returns
    -------
    Tensor, shape (pairs, channels, frames)
        Paths that begin before the first frame are not counted. What lies more than some 69 below a channel's best
        path, 1e-30 of it, is given as that.

    Examples
    --------
    >>> emission = torch.zeros(2, 1, 1, 3, dtype=torch.float64)
    >>> path_sum(emission, torch.zeros(1, 2, dtype=torch.float64)).exp().round().tolist()
    [[[1.0, 2.0, 2.0]]]
    """
    result: Tensor = _PathSum.apply(emission, step)
    return result
