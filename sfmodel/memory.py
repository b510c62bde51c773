"""Memory that training needs, estimated before anything large is allocated."""

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sfmodel.architectures import AnySettings
from sfmodel.devices import available_bytes
from sfmodel.networks import count_parameters, new_network

MIB = 2**20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that training needs, roughly.

    Attributes
    ----------
    weights : int
        Weights, gradients, and Adam's two moments, all float32.
    activations : int
        What one batch leaves for the backward pass, with the gradients that flow back over it.
    """

    weights: int
    activations: int


def activation_values(settings: AnySettings) -> int:
    """Values that one pair leaves in a network's layers, counted by running the layers on shapes alone."""
    with torch.device("meta"):
        network = new_network(settings).eval()
        reference = torch.empty(1, settings.reference_frames, settings.bins)
        snippet = torch.empty(1, settings.snippet_frames, settings.bins)
    count = 0

    def add(module: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal count
        count += output.numel() * getattr(module, "kept_values", 1)

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(add)
    network(reference, snippet)
    return count + reference.numel() + snippet.numel()


def estimate_memory(settings: AnySettings, batch_size: int, precision: torch.dtype) -> MemoryEstimate:
    """Estimate what training needs; within a factor of two of what was measured on a processor."""
    return MemoryEstimate(
        weights=4 * 4 * count_parameters(settings),
        activations=2 * batch_size * activation_values(settings) * precision.itemsize,
    )


def check_memory(settings: AnySettings, batch_size: int, precision: torch.dtype, device: torch.device) -> str:
    """Refuse a training that cannot fit; otherwise say what it needs and what is free.

    Parameters
    ----------
    settings : NetworkSettings or MatchSettings
    batch_size : int
        Pairs that this process computes at a time.
    precision : torch.dtype
    device : torch.device

    Raises
    ------
    ValueError
        Naming what is needed, what is free, and what to change.
    """
    needed, free = estimate_memory(settings, batch_size, precision), available_bytes(device)
    if needed.weights + needed.activations <= free:
        return (
            f"memory: about {(needed.weights + needed.activations) / MIB:.0f} MiB ({needed.weights / MIB:.0f} for "
            f"weights and optimiser, {needed.activations / MIB:.0f} for {batch_size} pairs at a time), beside the "
            f"frames; {free / MIB:,.0f} MiB are free on {device}"
        )
    room = free - needed.weights
    fitting = max(0, room * batch_size // max(1, needed.activations))
    remedy = f"take a batch size of at most {fitting}" if fitting >= 2 else "take a smaller network or another device"
    raise ValueError(
        f"too little memory on {device}: network {settings.name!r} with batches of {batch_size} needs about "
        f"{(needed.weights + needed.activations) / MIB:.0f} MiB ({needed.weights / MIB:.0f} for weights and "
        f"optimiser), {free / MIB:.0f} MiB are free; {remedy}"
    )


def keep_freed_memory() -> None:
    """Let the C library keep large blocks that were freed, in place of giving them back to the system at once.

    Every step frees and asks for the same activations; having the kernel clear them anew each time took a fifth of the
    time of training on a processor. Concerns this process from now on, on Linux with glibc; elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * MIB)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
