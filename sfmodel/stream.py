"""The batches of an epoch as a PyTorch dataset, from memory or from a store larger than it, for one process or many.

See :mod:`sfmodel.dataset` for what a batch is, and for an example.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import IterableDataset, get_worker_info

from sfdata.block_reader import epoch_batches
from sfdata.order import GROUP_BYTES, BatchSizes
from sfdata.store import Store
from sfmodel.dataset import OpenedSplit, Tensors, batch_tensors
from sfmodel.loading import MIB, Reader


class PairStream(IterableDataset[Tensors]):
    """The batches of an epoch in a shuffled order, from memory or from a store that is larger than it.

    Give it to a ``DataLoader`` with ``batch_size=None``: it makes whole batches itself. The order depends on the seed,
    the epoch and `shuffle_mib`; not on `loading`, the number of workers, or the number of processes.

    Parameters
    ----------
    store : str, Path or Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    batch_size : int
        Pairs in a batch, over all processes.
    loading : {"auto", "memory", "blocks"}
        Where the frames are; ``auto`` holds them in memory if they take no more than half of what is free.
    shuffled, fresh_windows : bool
        See :class:`sfdata.order.PairOrder`.
    seed : int
    shuffle_mib : int
        Size of the groups that are shuffled together; read in blocks, two of them are held (by each worker).
    drop_last : bool
        Leave out a last, smaller batch.
    rank, world : int, optional
        This process's number and the number of processes that train together; by default, those of
        ``torch.distributed`` where it is set up, else 0 and 1. The batches of the epoch are the same for any `world`:
        each process gets every ``world``-th pair of each.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If the split holds no pairs, is damaged, or does not fit; or a number is impossible.

    Notes
    -----
    All processes get the same number of batches. Where the last one is smaller, their shares differ by one pair or are
    even empty; leave it out (`drop_last`), or weight gradients by the number of pairs.

    Every process and every worker reads all blocks, each for itself: that is 1 to 2 KB a pair, small beside the 47 KB
    that are cut of it. No workers are needed: blocks are read in the background without any.
    """

    def __init__(
        self,
        store: str | Path | Store,
        split: str = "train",
        batch_size: int = 64,
        *,
        loading: str = "auto",
        shuffled: bool = True,
        fresh_windows: bool = True,
        seed: int = 0,
        shuffle_mib: int = GROUP_BYTES // MIB,
        drop_last: bool = False,
        rank: int | None = None,
        world: int | None = None,
    ) -> None:
        rank, world = _process(rank, world)
        if batch_size < world:
            raise ValueError(f"batch_size {batch_size} for {world} processes; expected at least a pair for each")
        order = {"seed": seed, "shuffled": shuffled, "fresh_windows": fresh_windows, "group_bytes": shuffle_mib * MIB}
        self._data = OpenedSplit(store, split, loading, order)
        self.rank, self.world = rank, world
        self.sizes = BatchSizes(len(self.reader), batch_size, "drop" if drop_last else "keep")
        self._position = torch.zeros(2, dtype=torch.int64).share_memory_()  # epoch and first batch; see PairDataset

    @property
    def reader(self) -> Reader:
        """The split's reader."""
        return self._data.reader

    def __repr__(self) -> str:
        return f"<PairStream {self._data}, batches of {self.sizes.batch_size}, rank {self.rank} of {self.world}>"

    def __len__(self) -> int:
        """Batches that an iteration will give."""
        return self.sizes.batches - int(self._position[1])

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """Choose the epoch, and the batch to begin with, before a loader is iterated."""
        if epoch < 0 or not 0 <= first_batch <= self.sizes.batches:
            raise ValueError(
                f"epoch {epoch}, first_batch {first_batch}; expected at least 0, and 0 to {self.sizes.batches}"
            )
        self._position[0], self._position[1] = epoch, first_batch

    def __iter__(self) -> Iterator[Tensors]:
        """Yield the batches; in a worker, every n-th, so that the loader has them all in order."""
        epoch, first = self._position.tolist()
        info = get_worker_info()
        number, workers = (0, 1) if info is None else (info.id, info.num_workers)
        batches = epoch_batches(
            self.reader,
            self._data.order,
            self.sizes,
            epoch,
            first + number,
            step=workers,
            rank=self.rank,
            world=self.world,
        )
        for batch in batches:
            yield batch_tensors(batch)


def _process(rank: int | None, world: int | None) -> tuple[int, int]:
    """Rank and number of processes, as given or as PyTorch has them."""
    if (rank is None) != (world is None):
        raise ValueError(f"rank {rank}, world {world}; expected both or neither")
    if rank is None or world is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        else:
            rank, world = 0, 1
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank}, world {world}; expected 0 <= rank < world")
    return rank, world
