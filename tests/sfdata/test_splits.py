from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdata.splits import SplitSettings, assign_splits, group_works, onset_splits, split_groups, split_remark


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


def test_onsets_are_drawn_one_by_one():
    settings = SplitSettings(3, 1, 1, by="onset")
    drawn = onset_splits(20_000, settings, 1, "ab" * 32, 0)
    assert np.abs(np.bincount(drawn) / len(drawn) - [0.6, 0.2, 0.2]).max() < 4 * np.sqrt(0.25 / len(drawn))
    assert np.array_equal(onset_splits(50, settings, 1, "ab" * 32, 0), drawn[:50])  # none depends on how many follow
    others = [(2, "ab" * 32, 0), (1, "cd" * 32, 0), (1, "ab" * 32, 1)]
    assert all(not np.array_equal(onset_splits(50, settings, *other), drawn[:50]) for other in others)
    # Neighbours are independent: as often the same as by chance.
    assert abs((drawn[1:] == drawn[:-1]).mean() - (0.36 + 0.04 + 0.04)) < 4 * np.sqrt(0.25 / len(drawn))
    assert onset_splits(0, settings, 1, "ab" * 32, 0).tolist() == []


@given(st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.3, 0, 0.1), (0, 0.1, 0.7)]), st.integers(0, 99))
def test_a_share_of_nothing_gets_no_onset(shares, seed):
    drawn = onset_splits(200, SplitSettings(*shares, by="onset"), seed, "0" * 64, 0)
    assert {number for number, share in enumerate(shares) if share} >= set(drawn.tolist())


def test_pieces_are_all_where_onsets_are_divided():
    settings = SplitSettings(by="onset")
    assert assign_splits(["a", "b"], ["", ""], settings, 0) == ["all", "all"]
    assert assign_splits(["a", "a", "b"], ["test", "", ""], settings, 0) == ["test", "test", "all"]


def test_pieces_alone():
    assert split_groups(["a", "a"], ["", ""], ["0", "1"], SplitSettings(by="piece")) == ["0", "1"]
    assert split_groups(["a", "a"], ["", ""], ["0", "1"], SplitSettings(by="onset")) == ["a", "a"]
    assert split_groups([], [], [], SplitSettings(by="piece")) == []


def test_what_is_kept_whole_is_one_of_few():
    with pytest.raises(ValueError, match="by 'scale'; expected one of work, composer, piece, onset"):
        SplitSettings(by="scale")
    assert all(split_remark(by) == "" for by in ("work", "composer"))
    assert all("measure memory" in split_remark(by) for by in ("piece", "onset"))
