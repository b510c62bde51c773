from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdata.splits import SplitSettings, assign_splits, group_works


def test_works_are_joined_through_others():
    assert group_works([{"a"}, {"b"}, {"a", "b"}]) == ["a", "a", "a"]
    assert group_works([]) == []


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(0, 5))
def test_a_work_is_never_split_and_shares_are_kept(works, seed):
    names = [str(work) for work in works]
    splits = assign_splits(names, [""] * len(names), SplitSettings(0.7, 0.15, 0.15), seed)
    by_work = dict(zip(names, splits, strict=True))
    assert all(by_work[name] == split for name, split in zip(names, splits, strict=True))
    counts = Counter(by_work.values())
    if len(by_work) >= 3:
        assert all(counts[split] >= 1 for split in ("train", "validation", "test"))
    assert abs(counts["train"] - 0.7 * len(by_work)) < 2
    assert splits == assign_splits(names, [""] * len(names), SplitSettings(0.7, 0.15, 0.15), seed)


def test_few_works():
    assert assign_splits(["a"], [""], SplitSettings(), 0) == ["train"]
    assert sorted(assign_splits(["a", "b"], ["", ""], SplitSettings(), 0)) == ["test", "train"]


def test_demanded_splits():
    assert assign_splits(["a", "b", "a"], ["test", "train", ""], SplitSettings(), 0) == ["test", "train", "test"]
    with pytest.raises(ValueError, match="one work, one split"):
        assign_splits(["a", "a"], ["test", "train"], SplitSettings(), 0)
    with pytest.raises(ValueError, match="shares of 0 or more"):
        SplitSettings(0, 0, 0)
