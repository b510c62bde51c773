"""Batch norm whose statistics are those of the whole batch, whichever processes hold its parts.

PyTorch's own needs a GPU; on processors this one stands in, with the same parameters and buffers under the same names,
so that weights go from one to the other.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; what flows back is summed over them, too."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        """Sum the values."""
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        """Sum the gradients."""
        return SumOverProcesses.forward(context, gradient.contiguous())


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the pairs of all processes, for any shape (pairs, channels, …).

    Notes
    -----
    Mean and variance are summed over processes in two rounds, the second about the common mean, in float32.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"an input of {input.dim()} axes; expected (pairs, channels, …)")

    def forward(self, input: Tensor) -> Tensor:
        """Normalise: by the whole batch in training, by the running statistics otherwise."""
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        values = input if input.dtype is torch.float64 else input.float()
        axes = [axis for axis in range(values.dim()) if axis != 1]
        shape = [1, -1] + [1] * (values.dim() - 2)
        count = torch.tensor(float(values.numel() // values.shape[1]), dtype=values.dtype, device=values.device)
        dist.all_reduce(count)
        mean = SumOverProcesses.apply(values.sum(axes)) / count  # (channels,)
        centred = values - mean.view(shape)
        variance = SumOverProcesses.apply(centred.square().sum(axes)) / count  # (channels,)
        self._update(mean.detach(), variance.detach() * count / (count - 1))
        scale = torch.rsqrt(variance + self.eps) * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    def _update(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased_variance, self.momentum)


def share_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """Have the batch norms of a network take their statistics over all processes; weights stay where they are."""
    if device.type == "cuda":
        shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return shared
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                own = SharedBatchNorm(child.num_features, child.eps, child.momentum)
                own.load_state_dict(child.state_dict())
                setattr(parent, name, own)
    return network
