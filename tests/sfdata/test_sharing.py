from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_order import VOICE_BYTES, split_of, taken

from sfdata.order import BatchSizes, PairOrder
from sfdata.sharing import draw_sets, draw_shared


@given(
    counts=st.lists(st.integers(0, 40), min_size=0, max_size=5),
    most=st.integers(1, 9),
    span=st.floats(1, 300),
    seed=st.integers(0, 1000),
)
def test_sets_hold_every_pair_once_and_are_near(counts, most, span, seed):
    rng = np.random.default_rng(seed)
    rendition = np.repeat(np.arange(len(counts)) * 3, counts).astype(np.int32)
    onset = rng.uniform(0, 1000, len(rendition))
    order, begin = draw_sets(rendition, onset, span, most, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(rendition)))
    for members in np.split(order, begin[1:]) if len(begin) else []:
        assert 1 <= len(members) <= most
        assert len(set(rendition[members])) == 1 and np.ptp(onset[members]) <= span
    again = draw_sets(rendition, onset, span, most, np.random.default_rng(seed))
    assert np.array_equal(order, again[0]) and np.array_equal(begin, again[1])


def test_most_sets_are_full():
    onset = np.random.default_rng(0).uniform(0, 3000, 10_000)
    order, begin = draw_sets(np.zeros(10_000, dtype=int), onset, 200.0, 4, np.random.default_rng(1))
    sizes = np.diff(np.append(begin, len(order)))
    assert (sizes == 4).mean() > 0.98
    assert np.abs(np.corrcoef(begin, onset[order][begin])[0, 1]) < 0.1  # sets come in no order of time


def test_shared_references_hold_all_their_onsets_with_the_margin():
    pairs = split_of([2, 1], pairs_of=60, frames=2400)
    pairs.reference_frames = 240
    pairs.target_frame = np.tile(np.linspace(14, 2200, 60), 3)
    index, start = draw_shared(pairs, np.arange(180), 5, np.random.default_rng(2))
    place = pairs.target_frame[index] - start
    margin = pairs.windows.margin_s * 20
    assert (place >= margin - 0.5).all() and (place <= 239 - margin + 0.5).all()
    alone = PairOrder(pairs, seed=1, snippets_per_reference=5)
    batches = taken(alone, BatchSizes(180, 10))
    assert sorted(i for batch, _ in batches for i in batch) == list(range(180))
    keys = [list(zip(pairs.reference_rendition[batch], starts, strict=True)) for batch, starts in batches]
    changes = [sum(a != b for a, b in pairwise(batch)) for batch in keys]
    assert np.mean(changes) < 5  # of nine
    assert taken(alone, BatchSizes(180, 10)) == batches != taken(alone, BatchSizes(180, 10), epoch=1)
    assert taken(alone, BatchSizes(180, 10), first=3) == batches[3:]
    small = PairOrder(pairs, seed=1, snippets_per_reference=5, group_bytes=VOICE_BYTES, block_bytes=VOICE_BYTES)
    assert sorted(i for batch, _ in taken(small, BatchSizes(180, 10)) for i in batch) == list(range(180))


def test_pinned_references_cannot_be_shared():
    with pytest.raises(ValueError, match="shared only where they are fresh"):
        PairOrder(split_of([1]), snippets_per_reference=2, fresh_windows=False)
    with pytest.raises(ValueError, match="snippets_per_reference 0"):
        PairOrder(split_of([1]), snippets_per_reference=0)
