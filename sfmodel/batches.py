"""Batches on their way from a reader to a device, the next one cut while this one is computed on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfdata.reader import Batch, PairReader
from sfdata.windows import nearest_frame, soft_target_buckets

IntArray = NDArray[np.int64]


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


def split_order(order: IntArray, batch_size: int, keep_single: bool = False) -> list[IntArray]:
    """Cut an order of pairs into batches; in training a single pair left over is left out, as batch norm needs two.

    Examples
    --------
    >>> [part.tolist() for part in split_order(np.arange(7), 3)]
    [[0, 1, 2], [3, 4, 5]]
    >>> [part.tolist() for part in split_order(np.arange(5), 3)]
    [[0, 1, 2], [3, 4]]
    """
    parts = [order[begin : begin + batch_size] for begin in range(0, len(order), batch_size)]
    single = len(parts) > 1 and batch_size > 1 and len(parts[-1]) == 1
    return parts[:-1] if single and not keep_single else parts


def device_batches(
    reader: PairReader, parts: list[IntArray], starts: list[IntArray] | None, device: torch.device
) -> Iterator[DeviceBatch]:
    """Yield batches on a device, in order; one thread cuts the next while the caller works on this one.

    Parameters
    ----------
    reader : PairReader
    parts : list of ndarray of int64
        Pairs of each batch.
    starts : list of ndarray of int64, optional
        Starts of the references in place of the pinned ones.
    """
    pin = device.type == "cuda"

    def cut(i: int) -> DeviceBatch:
        batch = tensor_batch(reader.batch(parts[i], None if starts is None else starts[i]))
        return batch.pin_memory() if pin else batch

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as executor:
        pending = executor.submit(cut, 0) if parts else None
        for i in range(len(parts)):
            assert pending is not None
            batch = pending.result()
            pending = executor.submit(cut, i + 1) if i + 1 < len(parts) else None
            yield batch.to(device)
