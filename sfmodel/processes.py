"""Processes that train together: one alone, or several started by ``torchrun``.

Each process takes its share of every batch, so the batches of an epoch are the same for any number of processes. Only
the first one writes files and speaks.
"""

import gc
import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """A process and those that it trains with.

    Attributes
    ----------
    rank : int
        Its number, from 0.
    world : int
        How many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Sum of a tensor over all processes; the tensor itself where there is one process."""
        if self.world == 1:
            return values
        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is up in any process: all of them get the same answer."""
        if self.world == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return tuple(bool(value) for value in raised.tolist())

    def first_does(self, act: Callable[[], Any]) -> Any:
        """Have the first process do something while the others wait; all return what it gave, or fail with it.

        Raises
        ------
        Exception
            What `act` raised; in the other processes a ValueError with its message.
        """
        if self.world == 1:
            return act()
        told: list[Any] = [None, None]
        error: Exception | None = None
        if self.first:
            try:
                told[0] = act()
            except Exception as raised:
                error, told[1] = raised, f"{type(raised).__name__}: {raised}"
        dist.broadcast_object_list(told)
        if error is not None:
            raise error
        if told[1] is not None:
            raise ValueError(f"the first process failed: {told[1]}")
        return told[0]


def started_by_torchrun() -> bool:
    """Whether ``torchrun`` started this process, as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def speaks_for_all() -> bool:
    """Whether this process is the only or the first one; says so before anything is set up."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, and leave them in the end; alone, nothing happens.

    With CUDA each process takes the device of its number on its machine. Processes that the caller has already set up
    are used and left as they are. In the end the threads that talk to the others are gone, so that none is met by the
    interpreter's end, which would abort the process; for that, nothing may hold a model that gradients were averaged
    of.

    Parameters
    ----------
    device : str
        Name of the device that was asked for; ``cpu`` leaves CUDA alone.

    Raises
    ------
    ValueError
        If a machine has fewer CUDA devices than processes, or one device is asked for by all.
    """
    if dist.is_available() and dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size())
        return
    if not started_by_torchrun():
        yield Processes()
        return
    if ":" in device:
        raise ValueError(f"device {device!r} for {os.environ['WORLD_SIZE']} processes; expected auto, cuda or cpu")
    # The defaults of its functions hold for ever the group that there is when it is first imported: here, none.
    importlib.import_module("torch.distributed.nn")
    if torch.cuda.is_available() and device != "cpu":
        local, devices = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local >= devices:
            raise ValueError(
                f"process {local + 1} of this machine has no GPU of its own: there are {devices}; start no more with "
                f"--nproc-per-node {devices}, or hide them (CUDA_VISIBLE_DEVICES=) to train on the processor"
            )
        torch.cuda.set_device(local)
        dist.init_process_group("cpu:gloo,cuda:nccl")
    else:
        dist.init_process_group("gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        gc.collect()
        dist.destroy_process_group()
