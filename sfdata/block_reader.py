"""Reading pairs of splits larger than memory: groups of renditions, one after another, the next one in the background.

An epoch reads every rendition once, in requests of whole pieces; no pair ever asks the store for anything.
"""

import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sfdata.order import BatchSizes, PairOrder
from sfdata.reader import Batch, PairReader, SplitPairs, join_batches
from sfdata.store import Store

IntArray = NDArray[np.int64]
Held = tuple[NDArray[np.floating], IntArray]  # frames, and where each rendition begins in them
CACHE_BYTES = 256 * 2**20


class BlockReader(SplitPairs):
    """Reads the renditions of a split when they are needed and cuts batches of pairs out of them.

    The same as :class:`~sfdata.reader.PairReader`, with the frames on disk in place of memory. Every rendition is
    checked against its checksum whenever it is read.

    Parameters
    ----------
    store : Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    cache_bytes : int
        What :meth:`batch` keeps of the renditions it has read, at most, besides those that the last batch needed.

    Raises
    ------
    ValueError
        If the split holds no pairs or the tables are damaged.
    """

    def __init__(self, store: Store, split: str = "train", cache_bytes: int = CACHE_BYTES) -> None:
        super().__init__(store, split)
        self.cache_bytes = cache_bytes
        self._cache: OrderedDict[int, NDArray[np.floating]] = OrderedDict()

    def batch(self, index: NDArray[np.integer] | slice, reference_start: IntArray | None = None) -> Batch:
        """Cut a batch of any pairs; fast where successive batches need the same renditions.

        Parameters
        ----------
        index, reference_start :
            See :meth:`sfdata.reader.PairReader.batch`.

        Raises
        ------
        ValueError
            If a rendition it needs is damaged.
        """
        if isinstance(index, slice):
            index = np.arange(len(self))[index]
        needed = np.union1d(self.reference_rendition[index], self.snippet_rendition[index])
        missing = np.array([r for r in needed.tolist() if r not in self._cache], dtype=np.int64)
        if len(missing):
            frames, first_of = self.read(missing)
            for r in missing.tolist():
                self._cache[r] = frames[first_of[r] : first_of[r] + self.frame_count[r]].copy()
        for r in needed.tolist():
            self._cache.move_to_end(r)
        first_of = np.full(len(self.frame_count), -1, dtype=np.int64)
        count = self.frame_count[needed]
        first_of[needed] = np.cumsum(count) - count
        held = [self._cache[r] for r in needed.tolist()]
        frames = np.concatenate(held) if held else np.empty((0, self.bins), dtype=self.store.frames.dtype)
        self._forget(len(needed))
        return self.cut(frames, first_of, index, reference_start)

    def _forget(self, keep: int) -> None:
        """Drop what was used longest ago, but none of the last ones."""
        held = sum(frames.nbytes for frames in self._cache.values())
        while held > self.cache_bytes and len(self._cache) > keep:
            held -= self._cache.popitem(last=False)[1].nbytes

    def holding(self, groups: Sequence[NDArray[np.integer]]) -> "HeldGroups":
        """Hold groups of renditions one after another, for batches that take them in that order."""
        return HeldGroups(self, groups)


class HeldGroups:
    """The group that batches are cut from, and the next one, which is read in the background.

    Parameters
    ----------
    reader : BlockReader
    groups : sequence of ndarray of int
        Rows of the renditions of each group, ascending.
    """

    def __init__(self, reader: BlockReader, groups: Sequence[NDArray[np.integer]]) -> None:
        self.reader, self.groups = reader, groups
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blocks")
        self._held: dict[int, Future[Held]] = {}
        self._over = threading.Event()

    def __enter__(self) -> "HeldGroups":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._held.clear()

    def group_batch(self, group: int, index: NDArray[np.integer], reference_start: IntArray | None = None) -> Batch:
        """Cut pairs of one group; groups before it are let go."""
        for passed in [number for number in self._held if number < group]:
            self._held.pop(passed).cancel()
        for number in (group, group + 1):
            if number < len(self.groups) and number not in self._held:
                self._held[number] = self._executor.submit(self.reader.read, self.groups[number], self._over.is_set)
        frames, first_of = self._held[group].result()
        return self.reader.cut(frames, first_of, index, reference_start)


def epoch_batches(
    reader: PairReader | BlockReader,
    order: PairOrder,
    sizes: BatchSizes,
    epoch: int,
    first: int = 0,
    *,
    step: int = 1,
    rank: int = 0,
    world: int = 1,
) -> Generator[Batch, None, None]:
    """Yield the batches of an epoch, the same ones from memory and in blocks.

    Parameters
    ----------
    reader : PairReader or BlockReader
    order : PairOrder
        Of the same split.
    sizes : BatchSizes
    epoch : int
        From 0.
    first, step, rank, world : int
        See :meth:`sfdata.order.EpochOrder.batches`.

    Raises
    ------
    ValueError
        If a rendition is damaged.
    """
    of_epoch = order.epoch(epoch)
    with reader.holding(of_epoch.renditions) as held:
        for _, parts in of_epoch.batches(sizes, first, step=step, rank=rank, world=world):
            yield join_batches([held.group_batch(part.group, part.index, part.reference_start) for part in parts])
