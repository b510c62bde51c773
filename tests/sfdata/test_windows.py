import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdata.windows import (
    WindowSettings,
    cut_windows,
    draw_reference_starts,
    nearest_frame,
    reference_start_grid,
    soft_target_buckets,
)

DEFAULT = WindowSettings()


def test_the_papers_lengths():
    assert DEFAULT.reference_frames(20.0) == 240
    assert DEFAULT.snippet_frames(20.0) == 27
    assert WindowSettings(snippet_s=1.4).snippet_frames(20.0) % 2 == 1


@given(st.lists(st.floats(0, 239), min_size=1, max_size=50))
def test_the_soft_target_has_the_target_as_its_mean(targets):
    buckets, weights = soft_target_buckets(np.array(targets), 240)
    assert np.allclose((buckets * weights).sum(axis=1), targets, atol=2e-5)
    assert np.allclose(weights.sum(axis=1), 1) and (weights >= 0).all()
    assert buckets.min() >= 0 and buckets.max() <= 239


def test_soft_target_at_the_ends_and_outside():
    buckets, weights = soft_target_buckets(np.array([0.0, 239.0]), 240)
    assert buckets.tolist() == [[0, 1], [238, 239]] and weights.tolist() == [[1, 0], [0, 1]]
    assert soft_target_buckets(np.empty(0), 240)[0].shape == (0, 2)
    for bad in (-0.1, 239.01, np.nan):
        with pytest.raises(ValueError, match="0 to 239"):
            soft_target_buckets(np.array([bad]), 240)


def test_cutting_never_shows_a_neighbour():
    frames = np.arange(1, 21.0).reshape(20, 1)  # two renditions of ten frames
    cut = cut_windows(frames, np.array([0, 10, 10]), np.array([10, 10, 10]), np.array([8, -2, 8]), 4)
    assert cut[:, :, 0].tolist() == [[9, 10, 0, 0], [0, 0, 11, 12], [19, 20, 0, 0]]


@given(st.integers(1, 5000))
def test_references_cover_every_frame_and_overlap(frames):
    starts = reference_start_grid(frames, DEFAULT, 20.0)
    assert starts[0] == 0 and starts[-1] + 240 >= frames
    assert (np.diff(starts) <= 60).all()
    assert starts[-1] <= max(0, frames - 240)


@given(st.floats(10, 2000), st.integers(0, 2**31))
def test_fresh_references_hold_the_onset_with_the_margin(onset, seed):
    frames = 2040
    rng = np.random.default_rng(seed)
    onsets = np.full(50, onset)
    starts = draw_reference_starts(onsets, np.full(50, frames), DEFAULT, 20.0, rng)
    position = onsets - starts
    assert (starts >= 0).all() and (starts <= frames - 240).all()
    assert (position >= 0).all() and (position <= 239).all()
    if 20 < onset < frames - 20:
        assert (position >= 13.5 - 1e-9).all() or onset < 14
        assert (position <= 239 - 13.5 + 1e-9).all()


def test_fresh_references_are_drawn_evenly():
    starts = draw_reference_starts(
        np.full(20000, 1000.0), np.full(20000, 2000), DEFAULT, 20.0, np.random.default_rng(0)
    )
    counts = np.bincount(starts - starts.min())
    assert len(counts) == 212 and counts.min() > 50  # 12 s less two margins


def test_a_piece_shorter_than_a_reference_has_one_window():
    rng = np.random.default_rng(0)
    assert reference_start_grid(100, DEFAULT, 20.0).tolist() == [0]
    assert draw_reference_starts(np.array([5.0, 90.0]), np.array([100, 100]), DEFAULT, 20.0, rng).tolist() == [0, 0]


def test_nearest_frame_is_the_snippets_middle():
    assert nearest_frame(3.49) == 3 and nearest_frame(3.5) == 4


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"snippet_s": 13.0}, "snippet_s < reference_s"),
        ({"reference_hop_s": 0.0}, "reference_hop_s"),
        ({"margin_s": 6.0}, "margin_s"),
        ({"reference_hop_s": 11.0}, "leaves gaps"),
    ],
)
def test_bad_settings(settings, said):
    with pytest.raises(ValueError, match=said):
        WindowSettings(**settings)
