"""Whether a split's frames are held in memory or read in blocks: chosen by what is free, or as told.

The choice changes no order and no byte of what is read, only where it waits meanwhile.
"""

import os

from sfdata.block_reader import BlockReader
from sfdata.order import PairOrder
from sfdata.reader import PairReader
from sfdata.store import Store
from sfmodel.free_memory import free_memory_bytes

LOADINGS = ("auto", "memory", "blocks")
MEMORY_SHARE = 0.5  # of what is free: the rest is for batches, the network, and whoever else is there
MIB = 2**20

Reader = PairReader | BlockReader


def free_for_frames() -> int | None:
    """Memory that this process may take, its share where several of one machine train together; None if unknown."""
    try:
        free = free_memory_bytes()
    except ImportError:  # classic methods work without psutil
        return None
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")  # set by torchrun
    return free // max(1, int(processes) if processes.isdecimal() else 1)


def open_reader(
    store: Store,
    split: str = "train",
    loading: str = "auto",
    *,
    group_bytes: int | None = None,
    free: int | None = None,
) -> Reader:
    """Open a split in memory, or in blocks.

    Parameters
    ----------
    store : Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    loading : {"auto", "memory", "blocks"}
        ``auto`` holds the split in memory if it takes no more than half of what is free.
    group_bytes : int, optional
        Size of the groups that it will be taken in (see :mod:`sfdata.order`): checks that two of them fit.
    free : int, optional
        Bytes that are free; looked up by itself.

    Raises
    ------
    ValueError
        If the split holds no pairs, is damaged, or does not fit.
    """
    if loading not in LOADINGS:
        raise ValueError(f"loading {loading!r}; expected one of {', '.join(LOADINGS)}")
    reader = BlockReader(store, split)
    free = free_for_frames() if free is None else free
    if loading == "memory" or (loading == "auto" and (free is None or reader.frame_bytes <= MEMORY_SHARE * free)):
        return PairReader(store, split, max_bytes=free)
    if group_bytes is not None and free is not None:
        largest = PairOrder(reader, group_bytes=group_bytes).largest_group_bytes()
        needed = min(2 * largest, reader.frame_bytes)
        if needed > free:
            raise ValueError(
                f"{store.path}: reading split {split!r} in blocks holds up to {needed / MIB:.0f} MiB, "
                f"{free / MIB:.0f} MiB are free; shuffle less than {group_bytes / MIB:.0f} MiB at a time, or use a "
                f"machine with more memory (the largest block has {PairOrder(reader).blocks.bytes.max() / MIB:.0f} MiB)"
            )
    return reader


def describe_loading(reader: Reader) -> str:
    """Where a reader's frames are, in words.

    Examples
    --------
    >>> describe_loading(PairReader(store))  # doctest: +SKIP
    '53 MiB in memory'
    """
    where = "in memory" if isinstance(reader, PairReader) else "read in blocks"
    return f"{reader.frame_bytes / MIB:.3g} MiB {where}"
