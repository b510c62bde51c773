from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdata import open_store
from sfdata.order import BatchSizes, Blocks, PairOrder
from sfdata.reader import SplitPairs
from sfdata.windows import WindowSettings


def split_of(pieces: list[int], pairs_of: int = 7, frames: int = 600):
    """Pairs of pieces with so many voices; a voice has a reference (even row) and a snippet rendition (odd row)."""
    voices = sum(pieces)
    pairs = object.__new__(SplitPairs)
    performance_piece = np.repeat(np.arange(len(pieces)), pieces)
    pairs.store = SimpleNamespace(
        frames=SimpleNamespace(dtype=np.dtype("float16")),
        renditions={"performance": np.repeat(np.arange(voices), 2)},
        performances={"piece": performance_piece},
    )
    pairs.rows = np.arange(voices * pairs_of)
    pairs.reference_rendition = np.repeat(np.arange(voices) * 2, pairs_of)
    pairs.snippet_rendition = pairs.reference_rendition + 1
    pairs.renditions = np.arange(2 * voices)
    pairs.frame_count, pairs.bins = np.full(2 * voices, frames), 88
    pairs.reference_start = np.zeros(len(pairs.rows), dtype=np.int64)
    pairs.target_frame = np.tile(np.linspace(20, 200, pairs_of), voices)
    pairs.windows, pairs.frame_rate_hz = WindowSettings(), 20.0
    pairs.frame_bytes = pairs.bytes_of(pairs.renditions)
    return pairs


VOICE_BYTES = 2 * 600 * 88 * 2


def test_blocks_by_hand():
    """A piece is a block, unless it is larger than one may be; then its voices are shared out."""
    pairs = split_of([2, 1, 3])
    blocks = Blocks(pairs, 2 * VOICE_BYTES)
    assert (blocks.bytes / VOICE_BYTES).tolist() == [2, 1, 2, 1] and blocks.pair_counts().tolist() == [14, 7, 14, 7]
    assert blocks.renditions(np.array([3, 0])).tolist() == [0, 1, 2, 3, 10, 11]
    assert blocks.positions(np.array([1])).tolist() == list(range(14, 21))
    assert len(Blocks(pairs, 1)) == 6  # a voice is never divided
    assert len(Blocks(pairs)) == 3


def test_blocks_of_a_store_keep_pairs_together(built_store):
    pairs = SplitPairs(open_store(built_store), "all")
    blocks = Blocks(pairs)
    assert len(blocks) == 3 == len(set(pairs.piece))
    seen = []
    for block in range(len(blocks)):
        renditions, positions = blocks.renditions(np.array([block])), blocks.positions(np.array([block]))
        assert np.isin(pairs.reference_rendition[positions], renditions).all()
        assert np.isin(pairs.snippet_rendition[positions], renditions).all()
        assert pairs.bytes_of(renditions) == blocks.bytes[block]
        seen.append(positions)
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(len(pairs)))


def taken(order, sizes, epoch=0, **options):
    """Pairs and starts of each batch."""
    out = []
    for _, parts in order.epoch(epoch).batches(sizes, **options):
        starts = [part.reference_start for part in parts if part.reference_start is not None]
        index = np.concatenate([part.index for part in parts])
        out.append((index.tolist(), np.concatenate(starts).tolist() if starts else None))
    return out


@given(
    pieces=st.lists(st.integers(1, 3), min_size=1, max_size=6),
    group=st.integers(1, 8),
    batch_size=st.integers(1, 30),
    world=st.integers(1, 4),
    first=st.integers(0, 5),
    epoch=st.integers(0, 2),
)
def test_every_pair_once_whatever_the_sizes(pieces, group, batch_size, world, first, epoch):
    pairs = split_of(pieces)
    order = PairOrder(pairs, seed=4, group_bytes=group * VOICE_BYTES, block_bytes=VOICE_BYTES)
    sizes = BatchSizes(len(pairs), batch_size)
    whole = taken(order, sizes, epoch)
    assert len(whole) == sizes.batches
    assert sorted(i for index, _ in whole for i in index) == list(range(len(pairs)))
    assert [len(index) for index, _ in whole[:-1]] == [batch_size] * (len(whole) - 1)
    # The same from any batch on, in any number of strides, and in any number of shares.
    assert taken(order, sizes, epoch, first=first) == whole[first:]
    for number in range(world):
        assert taken(order, sizes, epoch, first=first + number, step=world) == whole[first + number :: world]
    shares = [taken(order, sizes, epoch, rank=rank, world=world) for rank in range(world)]
    for batch, (index, starts) in enumerate(whole):
        for rank in range(world):
            assert shares[rank][batch] == (index[rank::world], starts[rank::world])
    # A group is whole before the next begins.
    sequence = [i for index, _ in whole for i in index]
    at = 0
    for renditions in order.epoch(epoch).renditions:
        count = int(np.isin(pairs.reference_rendition, renditions).sum())
        assert np.isin(pairs.reference_rendition[sequence[at : at + count]], renditions).all()
        assert pairs.bytes_of(renditions) <= max(group, 1) * VOICE_BYTES
        at += count


def test_order_follows_seed_epoch_and_group_size_alone():
    pairs = split_of([1] * 8)
    sizes = BatchSizes(len(pairs), 10)

    def order(seed=0, epoch=0, group=3, other_sizes=sizes):
        batches = taken(PairOrder(pairs, seed, group_bytes=group * VOICE_BYTES), other_sizes, epoch)
        return [i for index, _ in batches for i in index], [s for _, starts in batches for s in starts]

    assert order() == order() == order(other_sizes=BatchSizes(len(pairs), 3))
    different = [order(), order(seed=1), order(epoch=1), order(group=2), order(group=8)]
    assert len({str(index) for index, _ in different}) == 5 and len({str(starts) for _, starts in different}) == 5


def test_a_split_of_one_group_is_shuffled_as_a_whole():
    pairs = split_of([2, 2])
    order = PairOrder(pairs, seed=9)
    assert order.whole and order.largest_group_bytes() == pairs.frame_bytes
    rng = np.random.default_rng([9, 3])
    index = rng.permutation(len(pairs))
    part = order.epoch(3).group(0)
    np.testing.assert_array_equal(part.index, index)
    np.testing.assert_array_equal(part.reference_start, pairs.draw_starts(index, rng))


def test_unshuffled_and_pinned():
    pairs = split_of([1, 1, 1])
    for group in (1, 2, 3):
        order = PairOrder(pairs, shuffled=False, fresh_windows=False, group_bytes=group * VOICE_BYTES)
        assert [i for index, _ in taken(order, BatchSizes(21, 4)) for i in index] == list(range(21))
        assert all(starts is None for _, starts in taken(order, BatchSizes(21, 4)))


def test_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="batch_size 0; expected at least 1"):
        BatchSizes(10, 0)
    with pytest.raises(ValueError, match="remainder 'half'; expected keep, two or drop"):
        BatchSizes(10, 2, "half")
    with pytest.raises(ValueError, match="order: seed -1"):
        PairOrder(split_of([1]), -1)
    assert [BatchSizes(5, 10, remainder).batches for remainder in ("keep", "two", "drop")] == [1, 1, 1]
    assert BatchSizes(5, 1, "two").batches == 5 and BatchSizes(0, 3).batches == 0
