"""Batches on their way from a reader to a device, the next one cut while this one is computed on."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfdata.reader import Batch
from sfdata.windows import nearest_frame, soft_target_buckets


@dataclass(frozen=True)
class DeviceBatch:
    """Pairs on a device.

    Attributes
    ----------
    reference : Tensor of float16 or float32, shape (pairs, reference_frames, bins)
    snippet : Tensor of float16 or float32, shape (pairs, snippet_frames, bins)
    target_frame : Tensor of float32, shape (pairs,)
    nearest : Tensor of int64, shape (pairs,)
        The frame nearest to the target: bucket-1.
    buckets : Tensor of int64, shape (pairs, 2)
        The frames with weight in the soft target: bucket-2. The same frame twice where the target lies on it.
    """

    reference: Tensor
    snippet: Tensor
    target_frame: Tensor
    nearest: Tensor
    buckets: Tensor

    def __len__(self) -> int:
        return len(self.target_frame)

    def parts(self, count: int) -> "list[DeviceBatch]":
        """Cut into so many parts of nearly equal size, in order."""
        if count == 1:
            return [self]
        cut = [tensor.tensor_split(count) for tensor in self.tensors()]
        return [DeviceBatch(*tensors) for tensors in zip(*cut, strict=True)]

    def transposed(self, bins: NDArray[np.integer]) -> "DeviceBatch":
        """References and snippets moved, pair by pair: what leaves at one end is lost, at the other comes silence.

        Parameters
        ----------
        bins : ndarray of int, shape (pairs,)
        """
        moved = [torch.zeros_like(frames) for frames in (self.reference, self.snippet)]
        width = self.reference.shape[2]
        edges = np.flatnonzero(np.diff(bins, prepend=np.nan, append=np.nan))
        for first, last in pairwise(edges.tolist()):
            up = int(np.clip(bins[first], -width, width))
            for frames, out in zip((self.reference, self.snippet), moved, strict=True):
                out[first:last, :, max(0, up) : width + min(0, up)] = frames[
                    first:last, :, max(0, -up) : width - max(0, up)
                ]
        return replace(self, reference=moved[0], snippet=moved[1])

    def to(self, device: torch.device) -> "DeviceBatch":
        """Copy to a device, without waiting where the memory is pinned."""
        return DeviceBatch(*(tensor.to(device, non_blocking=True) for tensor in self.tensors()))

    def pin_memory(self) -> "DeviceBatch":
        """Copy into page-locked memory, from which a GPU fetches by itself."""
        return DeviceBatch(*(tensor.pin_memory() for tensor in self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, in order."""
        return self.reference, self.snippet, self.target_frame, self.nearest, self.buckets


def tensor_batch(batch: Batch) -> DeviceBatch:
    """Turn a reader's batch into tensors on the processor."""
    frames = batch.reference.shape[1]
    buckets, weights = soft_target_buckets(batch.target_frame, frames)
    # The rule of sfmodel.metrics: a frame without weight is no hit. The nearer frame always has weight.
    nearest = nearest_frame(batch.target_frame)
    buckets = np.where(weights > 0, buckets, nearest[:, None])
    return DeviceBatch(
        torch.from_numpy(batch.reference),
        torch.from_numpy(batch.snippet),
        torch.from_numpy(batch.target_frame.astype(np.float32)),
        torch.from_numpy(nearest),
        torch.from_numpy(buckets),
    )


def device_batches(batches: Generator[Batch, None, None], device: torch.device) -> Iterator[DeviceBatch]:
    """Yield batches on a device, in order; one thread cuts the next while the caller works on this one.

    Parameters
    ----------
    batches : generator of Batch
        Closed in the end.
    device : torch.device
    """
    pin = device.type == "cuda"

    def cut() -> DeviceBatch | None:
        batch = next(batches, None)
        if batch is None:
            return None
        on_processor = tensor_batch(batch)
        return on_processor.pin_memory() if pin else on_processor

    with closing(batches), ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as executor:
        pending = executor.submit(cut)
        while (batch := pending.result()) is not None:
            pending = executor.submit(cut)
            yield batch.to(device)
