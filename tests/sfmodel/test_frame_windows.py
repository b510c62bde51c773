"""Windows to train the frame matcher on: shapes, places, drawn by seed, and stores that do not fit."""

from pathlib import Path

import numpy as np
import pytest

from sfdata.store import open_store
from sfmodel.frame_matcher import FrameMatcherSettings
from sfmodel.frame_windows import Windows

NETWORK = FrameMatcherSettings()


def test_windows_hold_what_they_say(following_store: Path):
    windows = Windows(open_store(following_store), "train", NETWORK, 12.0, 3.0, 0)
    reference, performance, place = windows.batch(4, np.random.default_rng(0))
    assert reference.shape == (4, 600, 88) and performance.shape == (4, 150, 88) and place.shape == (4, 150)
    known = place[np.isfinite(place)]
    assert len(known) > 100 and known.min() >= 0 and known.max() < 599
    again = windows.batch(4, np.random.default_rng(0))
    for one, other in zip((reference, performance, place), again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_both_sides_are_transposed_alike(following_store: Path):
    """Drawn from the same generator, windows lie where they did; only their bins are moved."""
    store = open_store(following_store)
    as_they_are, moved = (Windows(store, "train", NETWORK, 12.0, 3.0, most) for most in (0, 6))
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    found, expected = moved.batch(1, rng), as_they_are.batch(1, other)
    np.testing.assert_array_equal(found[2], expected[2])
    shifts = [
        shift
        for shift in range(-6, 7)
        if all(
            np.array_equal(
                found[side][0, :, max(0, shift) : 88 + min(0, shift)],
                expected[side][0, :, max(0, -shift) : 88 + min(0, -shift)],
            )
            for side in (0, 1)
        )
    ]
    assert len(shifts) == 1 and shifts[0] != 0


def test_stores_that_do_not_fit(following_store: Path, small_store: Path):
    with pytest.raises(ValueError, match=r"following\.toml"):
        Windows(open_store(small_store), "train", NETWORK, 12.0, 3.0, 0)
    with pytest.raises(ValueError, match="no performance that is long enough"):
        Windows(open_store(following_store), "train", NETWORK, 3600.0, 3.0, 0)
