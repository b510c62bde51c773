"""The order in which an epoch takes the pairs of a split, in memory or in blocks alike.

A *block* is a set of renditions that belong together: no pair takes its reference from one block and its snippet from
another. Mostly that is a piece with all its renditions; the voices of a very large piece are blocks of their own. An
epoch takes the blocks in shuffled order, packs them into *groups* of a given size, and shuffles the pairs of each
group. So no more than a group, and the one that is read meanwhile, need to be in memory. A split that is no larger than
a group is shuffled as a whole.

The order and the fresh references depend on the store's tables, the seed, the epoch and the size of a group, and on
nothing else: not on whether frames are held in memory or read in blocks, on batch size, processes, or the machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from sfdata.reader import SplitPairs
from sfdata.sharing import draw_shared

IntArray = NDArray[np.int64]
GROUP_BYTES = 512 * 2**20  # 42 hours of renditions at 20 float16 frames of 88 bins a second: some 400,000 pairs
BLOCK_BYTES = 64 * 2**20
SHUFFLE_KEY = 1  # keeps the order of the blocks apart from the orders within them


@dataclass(frozen=True)
class Part:
    """Pairs of one batch that belong to one group.

    Attributes
    ----------
    group : int
        Number of the group within the epoch.
    index : ndarray of int64, shape (pairs,)
        Positions within the split.
    reference_start : ndarray of int64, shape (pairs,), or None
        Starts of fresh references; None for the pinned ones.
    """

    group: int
    index: IntArray
    reference_start: IntArray | None


class Blocks:
    """The blocks of a split.

    Parameters
    ----------
    pairs : SplitPairs
    block_bytes : int
        Sets of renditions of one piece that are connected by no pair, its voices, share a block up to this size.

    Attributes
    ----------
    bytes : ndarray of int64, shape (blocks,)
        Size of the frames of each.
    """

    def __init__(self, pairs: SplitPairs, block_bytes: int = BLOCK_BYTES) -> None:
        store, used = pairs.store, pairs.renditions
        reference = np.searchsorted(used, pairs.reference_rendition)
        snippet = np.searchsorted(used, pairs.snippet_rendition)
        edges = scipy.sparse.coo_matrix(
            (np.ones(len(reference), dtype=np.int8), (reference, snippet)), shape=(len(used), len(used))
        )
        count, component = connected_components(edges, directed=False)  # component: (used,)
        size = np.bincount(component, pairs.frame_count[used], minlength=count).astype(np.int64)
        size *= pairs.bins * store.frames.dtype.itemsize
        _, first = np.unique(component, return_index=True)  # the first rendition of each component
        piece = store.performances["piece"][store.renditions["performance"][used[first]]]
        block_of, block, filled = np.empty(count, dtype=np.int64), -1, 0
        previous = -1
        for i in np.argsort(first, kind="stable").tolist():
            if piece[i] != previous or filled + size[i] > block_bytes:
                block, filled, previous = block + 1, 0, int(piece[i])
            block_of[i] = block
            filled += int(size[i])
        self.bytes: IntArray = np.bincount(block_of, size, minlength=block + 1).astype(np.int64)
        self._renditions, self._rendition_border = _by_block(block_of[component], len(self.bytes))
        self._renditions = used[self._renditions]
        self._positions, self._position_border = _by_block(block_of[component[reference]], len(self.bytes))

    def __len__(self) -> int:
        return len(self.bytes)

    def renditions(self, blocks: IntArray) -> NDArray[np.integer]:
        """Rows of the renditions of some blocks, ascending."""
        return np.sort(np.concatenate([self._renditions[slice(*self._rendition_border[b : b + 2])] for b in blocks]))

    def positions(self, blocks: IntArray) -> IntArray:
        """Positions within the split of the pairs of some blocks, ascending."""
        return np.sort(np.concatenate([self._positions[slice(*self._position_border[b : b + 2])] for b in blocks]))

    def pair_counts(self) -> IntArray:
        """Pairs of each block, shape (blocks,)."""
        return np.diff(self._position_border)


def _by_block(block: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Sort by block: what lies in each, and the borders between them, shape (count + 1,)."""
    border = np.concatenate([[0], np.cumsum(np.bincount(block, minlength=count))])
    return np.argsort(block, kind="stable").astype(np.int64), border.astype(np.int64)


class PairOrder:
    """Which pairs an epoch takes when.

    Parameters
    ----------
    pairs : SplitPairs
    seed : int
    shuffled : bool
        False takes the pairs as they stand in the store (only the blocks of a split larger than a group may lie in
        another order than their pairs do in the table).
    fresh_windows : bool
        Draw each pair's reference anew in every epoch in place of the pinned one.
    snippets_per_reference : int
        Pairs, at most, that share a fresh reference and follow one another; see :mod:`sfdata.sharing`.
    group_bytes : int
        Size of a group's frames, at most, unless one block alone is larger.
    block_bytes : int
        See :class:`Blocks`.

    Raises
    ------
    ValueError
        If the seed is negative or the sizes are not positive.
    """

    def __init__(
        self,
        pairs: SplitPairs,
        seed: int = 0,
        *,
        shuffled: bool = True,
        fresh_windows: bool = True,
        snippets_per_reference: int = 1,
        group_bytes: int = GROUP_BYTES,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if seed < 0 or group_bytes < 1 or block_bytes < 1:
            raise ValueError(
                f"order: seed {seed}, group_bytes {group_bytes}, block_bytes {block_bytes}; expected a seed of at "
                "least 0 and sizes of at least 1"
            )
        if snippets_per_reference < 1 or (snippets_per_reference > 1 and not (shuffled and fresh_windows)):
            raise ValueError(
                f"order: snippets_per_reference {snippets_per_reference}, shuffled {shuffled}, fresh_windows "
                f"{fresh_windows}; expected at least 1, and references to be shared only where they are fresh"
            )
        self.pairs, self.seed, self.shuffled, self.fresh_windows = pairs, seed, shuffled, fresh_windows
        self.snippets_per_reference = snippets_per_reference
        self.group_bytes, self.block_bytes = group_bytes, block_bytes

    @cached_property
    def blocks(self) -> Blocks:
        """The blocks of the split."""
        return Blocks(self.pairs, self.block_bytes)

    @property
    def whole(self) -> bool:
        """Whether the split is one group."""
        return self.pairs.frame_bytes <= self.group_bytes

    def largest_group_bytes(self) -> int:
        """Size of the frames of a group, at most, in any epoch."""
        return self.pairs.frame_bytes if self.whole else max(self.group_bytes, int(self.blocks.bytes.max()))

    def epoch(self, epoch: int) -> "EpochOrder":
        """The order of one epoch."""
        return EpochOrder(self, epoch)


class EpochOrder:
    """The order of one epoch; made by :meth:`PairOrder.epoch`.

    Attributes
    ----------
    renditions : list of ndarray of int
        Rows of the renditions of each group, ascending.
    """

    def __init__(self, order: PairOrder, epoch: int) -> None:
        self.order, self.number = order, epoch
        if order.whole:
            self._groups: list[IntArray] = []
            self.renditions: list[NDArray[np.integer]] = [order.pairs.renditions]
            self._pairs = np.array([len(order.pairs)])
            return
        blocks = order.blocks
        taken = np.arange(len(blocks))
        if order.shuffled:
            taken = self._generator(spawn_key=(SHUFFLE_KEY,)).permutation(taken)
        borders, filled = [0], 0
        for i, size in enumerate(blocks.bytes[taken].tolist()):
            if filled and filled + size > order.group_bytes:
                borders.append(i)
                filled = 0
            filled += size
        self._groups = np.split(taken, borders[1:])
        self.renditions = [blocks.renditions(group) for group in self._groups]
        self._pairs = np.array([blocks.pair_counts()[group].sum() for group in self._groups])

    def _generator(self, group: int = 0, spawn_key: tuple[int, ...] = ()) -> np.random.Generator:
        seed = np.random.SeedSequence([self.order.seed, self.number, group], spawn_key=spawn_key)
        return np.random.default_rng(seed)

    def group(self, group: int) -> Part:
        """All pairs of one group, in order."""
        order, rng = self.order, self._generator(group)
        index = order.blocks.positions(self._groups[group]) if self._groups else np.arange(len(order.pairs))
        if order.snippets_per_reference > 1:
            return Part(group, *draw_shared(order.pairs, index, order.snippets_per_reference, rng))
        if order.shuffled:
            index = index[rng.permutation(len(index))]
        return Part(group, index, order.pairs.draw_starts(index, rng) if order.fresh_windows else None)

    def batches(
        self, sizes: "BatchSizes", first: int = 0, *, step: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[int, list[Part]]]:
        """Yield the groups that batches need and what they take of them.

        Parameters
        ----------
        sizes : BatchSizes
        first, step : int
            Batches ``first``, ``first + step``, … of the epoch.
        rank, world : int
            Every ``world``-th pair of each batch, from the ``rank``-th on: the share of one of several processes.

        Yields
        ------
        batch : int
            Number of the batch in the epoch.
        parts : list of Part
            What it takes of each group; more than one where it lies across their border.
        """
        group_begin = np.cumsum(self._pairs) - self._pairs
        held: dict[int, Part] = {}
        for batch in range(first, sizes.batches, step):
            begin, end = sizes.span(batch)
            group = int(np.searchsorted(group_begin, begin, side="right")) - 1
            parts = []
            while group < len(self._pairs) and group_begin[group] < end:
                if group not in held:
                    held = {number: part for number, part in held.items() if number >= group - 1}
                    held[group] = self.group(group)
                low, high = max(begin, group_begin[group]), min(end, group_begin[group] + self._pairs[group])
                low += (rank - (low - begin)) % world  # the share of the batch, not of the part
                taken = slice(low - group_begin[group], high - group_begin[group], world)
                whole = held[group]
                starts = None if whole.reference_start is None else whole.reference_start[taken]
                parts.append(Part(group, whole.index[taken], starts))
                group += 1
            yield batch, parts


@dataclass(frozen=True)
class BatchSizes:
    """How an epoch is cut into batches.

    Attributes
    ----------
    pairs : int
        Pairs of the epoch.
    batch_size : int
    remainder : {"keep", "two", "drop"}
        What becomes of a last, smaller batch: kept; left out if it holds a single pair, since batch norm needs two; or
        left out always. The only batch of an epoch is always kept.

    Examples
    --------
    >>> [BatchSizes(7, 3, remainder).batches for remainder in ("keep", "two", "drop")]
    [3, 2, 2]
    >>> [BatchSizes(8, 3, remainder).batches for remainder in ("keep", "two", "drop")]
    [3, 3, 2]
    >>> BatchSizes(7, 3).span(2)
    (6, 7)
    """

    pairs: int
    batch_size: int
    remainder: str = "keep"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size {self.batch_size}; expected at least 1")
        if self.remainder not in ("keep", "two", "drop"):
            raise ValueError(f"remainder {self.remainder!r}; expected keep, two or drop")

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(self.pairs, self.batch_size)
        least = {"keep": 1, "two": min(2, self.batch_size), "drop": self.batch_size}[self.remainder]
        return max(whole + (rest >= least), min(1, self.pairs))

    def span(self, batch: int) -> tuple[int, int]:
        """First pair of a batch, and the one after its last, in the epoch's order."""
        return batch * self.batch_size, min((batch + 1) * self.batch_size, self.pairs)
