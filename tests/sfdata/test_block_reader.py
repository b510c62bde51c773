import shutil
import threading
import time

import numpy as np
import pytest
import zarr

from sfdata import PairReader, open_store
from sfdata.block_reader import BlockReader, epoch_batches
from sfdata.order import BatchSizes, PairOrder
from sfdata.reader import SplitPairs

GROUP_BYTES = 400_000  # less than each of the three pieces: every piece is a group


@pytest.fixture(scope="module")
def store(built_store):
    return open_store(built_store)


def same_batch(one, other) -> bool:
    names = ("reference", "snippet", "target_frame", "index")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.mark.parametrize("first", [0, 3, 7])
def test_blocks_give_what_memory_gives(store, first):
    memory, blocks = PairReader(store, "all"), BlockReader(store, "all")
    order, sizes = PairOrder(memory, seed=2, group_bytes=GROUP_BYTES), BatchSizes(len(memory), 100)
    assert len(order.epoch(1).renditions) == 3
    ours = list(epoch_batches(blocks, order, sizes, 1, first))
    theirs = list(epoch_batches(memory, order, sizes, 1, first))
    assert len(ours) == len(theirs) == sizes.batches - first > 0
    assert all(map(same_batch, ours, theirs))
    pairs = memory.batch(ours[0].index, memory.reference_start[ours[0].index])
    np.testing.assert_array_equal(pairs.snippet, ours[0].snippet)


def test_any_batch_of_blocks_is_that_of_memory(store):
    rng = np.random.default_rng(1)
    memory, blocks = PairReader(store, "all"), BlockReader(store, "all", cache_bytes=1)
    for size in (0, 1, 40):
        index = rng.integers(0, len(memory), size)
        assert same_batch(memory.batch(index), blocks.batch(index))
        starts = memory.draw_starts(index, rng)
        assert same_batch(memory.batch(index, starts), blocks.batch(index, starts))
    assert same_batch(memory.batch(slice(3, 50, 4)), blocks.batch(slice(3, 50, 4)))


def test_what_was_read_is_kept_up_to_the_size_of_the_cache(store, monkeypatch):
    reads = []
    read = SplitPairs.read
    monkeypatch.setattr(SplitPairs, "read", lambda self, r, *rest: (reads.append(r.tolist()), read(self, r, *rest))[1])
    for cache_bytes, expected in ((2**30, 1), (1, 2)):
        reader = BlockReader(store, "all", cache_bytes)
        reads.clear()
        first, last = np.array([0]), np.array([len(reader) - 1])
        for index in (first, first, last, first):
            reader.batch(index)
        assert sum(int(reader.reference_rendition[0]) in r for r in reads) == expected


def test_an_epoch_reads_each_rendition_once_and_holds_two_groups(store, monkeypatch):
    reads = []
    read = SplitPairs.read
    monkeypatch.setattr(SplitPairs, "read", lambda self, r, *rest: (reads.append(r.tolist()), read(self, r, *rest))[1])
    blocks = BlockReader(store, "all")
    order, sizes = PairOrder(blocks, group_bytes=GROUP_BYTES), BatchSizes(len(blocks), 50)
    groups = order.epoch(0).renditions
    with blocks.holding(groups) as held:
        for _, parts in order.epoch(0).batches(sizes):
            for part in parts:
                held.group_batch(part.group, part.index)
                assert set(held._held) <= {part.group, part.group + 1}
    assert sorted(r for group in reads for r in group) == blocks.renditions.tolist()


def test_leaving_early_leaves_no_thread(store):
    blocks = BlockReader(store, "all")
    order, sizes = PairOrder(blocks, group_bytes=GROUP_BYTES), BatchSizes(len(blocks), 50)
    batches = epoch_batches(blocks, order, sizes, 0)
    next(batches)
    batches.close()
    deadline = time.monotonic() + 10
    while any(thread.name.startswith("blocks") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(thread.name.startswith("blocks") for thread in threading.enumerate())


def test_damaged_frames_are_told_when_their_group_is_read(built_store, tmp_path):
    path = tmp_path / "damaged.zarr"
    shutil.copytree(built_store, path)
    store = open_store(path)
    rendition = int(store.pairs["snippet_rendition"][-1])
    zarr.open_group(path, mode="r+")["frames"][int(store.renditions["first_frame"][rendition]) + 1, 1] = 9
    blocks = BlockReader(store, "all")
    order, sizes = PairOrder(blocks, shuffled=False, group_bytes=GROUP_BYTES), BatchSizes(len(blocks), 50)
    batches = epoch_batches(blocks, order, sizes, 0)
    next(batches)  # its group is whole
    message = f"the spectrogram of rendition {rendition} differs from its recorded sha256; the store is damaged"
    with pytest.raises(ValueError, match=message):
        list(batches)
    with pytest.raises(ValueError, match=message):
        blocks.batch(np.array([len(blocks) - 1]))
