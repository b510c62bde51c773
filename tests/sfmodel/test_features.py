"""Frame features, in cases worked by hand and against the cosines that they stand for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sfmodel.features import (
    FeatureSettings,
    fold_octaves,
    frame_features,
    frame_similarity,
    positive_difference,
    raise_contrast,
    unit_length,
)

PLAIN = FeatureSettings(flux=0, contrast=0, floor=0, absence=0)


def test_dot_products_are_weighted_means_of_cosines():
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 1, 6, 24), dtype=np.float32)
    chosen = FeatureSettings(spectrum=1, flux=2, chroma=3, chroma_flux=2, contrast=0, floor=0)
    similarity = frame_similarity(frame_features(one, chosen), frame_features(other, chosen))[0]

    def cosine(a, b):
        return a @ b / np.sqrt((a @ a) * (b @ b))

    def rise(x, i):
        return np.maximum(x[0, i] - x[0, i - 1], 0)

    def fold(x):
        return x[:12] + x[12:]

    expected = (
        1 * cosine(one[0, 4], other[0, 2])
        + 2 * cosine(rise(one, 4), rise(other, 2))
        + 3 * cosine(fold(one[0, 4]), fold(other[0, 2]))
        + 2 * cosine(fold(rise(one, 4)), fold(rise(other, 2)))
    ) / 8
    assert similarity.shape == (6, 6)
    assert similarity[4, 2] == pytest.approx(expected, abs=1e-5)


def test_absence_makes_the_similarity_a_distance():
    rng = np.random.default_rng(1)
    reference, snippet = rng.random((2, 3, 5, 4), dtype=np.float32)
    similarity = frame_similarity(reference, snippet, 0.5)
    square = ((reference[:, :, None] - snippet[:, None]) ** 2).sum(axis=3)
    assert similarity == pytest.approx((snippet**2).sum(axis=2)[:, None] / 2 - square / 2, abs=1e-5)


def test_contrast_by_hand():
    frames = np.array([[[1, 5, 1, 0]]], dtype=np.float32)
    assert raise_contrast(frames, 0, 3) is frames
    assert raise_contrast(frames, 1, 3)[0, 0] == pytest.approx([0, 5 - 7 / 3, 0, 0])
    assert raise_contrast(frames, 0.3, 3)[0, 0] == pytest.approx([0.4, 4.3, 0.4, 0], abs=1e-6)
    assert np.array_equal(raise_contrast(frames, 1, 1), np.zeros_like(frames))


def test_rises_by_hand():
    frames = np.array([[[0, 4], [1, 2], [3, 3]]], dtype=np.float32)
    assert positive_difference(frames)[0].tolist() == [[0, 0], [1, 0], [2, 1]]
    assert positive_difference(frames, 2)[0].tolist() == [[0, 0], [1, 0], [3, 1]]
    assert positive_difference(frames, 9)[0].tolist() == [[0, 0], [1, 0], [3, 1]]
    assert positive_difference(frames[:, :1])[0].tolist() == [[0, 0]]


def test_octaves_fold_whatever_the_number_of_bins():
    frames = np.arange(30, dtype=np.float32).reshape(1, 1, 30)
    folded = fold_octaves(frames)[0, 0]
    assert folded[0] == 0 + 12 + 24 and folded[5] == 5 + 17 + 29 and folded[6] == 6 + 18
    assert folded.sum() == frames.sum()
    assert np.array_equal(fold_octaves(frames[..., :12]), frames[..., :12])


def test_quiet_frames_stay_short():
    part = np.array([[[3, 4], [0.3, 0.4], [0, 0]]], dtype=np.float32)  # norms 5, 0.5, 0
    lengths = np.linalg.norm(unit_length(part, 0.1), axis=2)[0]
    assert lengths == pytest.approx([5 / np.sqrt(25 + 0.25), 0.5 / np.sqrt(0.25 + 0.25), 0])
    assert np.linalg.norm(unit_length(part), axis=2)[0] == pytest.approx([1, 1, 0])


def test_loudness_changes_nothing():
    frames = np.random.default_rng(2).random((2, 9, 88), dtype=np.float32)
    chosen = FeatureSettings(chroma=1, chroma_flux=1)
    assert frame_features(frames * 7, chosen) == pytest.approx(frame_features(frames, chosen), abs=1e-5)


def test_silence_gives_zeros():
    chosen = FeatureSettings(chroma=1, chroma_flux=1, floor=0)
    features = frame_features(np.zeros((2, 5, 88), dtype=np.float16), chosen)
    assert features.shape == (2, 5, 88 + 12 + 88 + 12) and features.dtype == np.float32
    assert not features.any()
    assert not frame_similarity(features, features, 0.5).any()


def test_no_pairs_give_no_features():
    assert frame_features(np.zeros((0, 5, 88)), PLAIN).shape == (0, 5, 88)
    assert frame_similarity(np.zeros((0, 5, 3), np.float32), np.zeros((0, 3, 3), np.float32), 0.1).shape == (0, 5, 3)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float16, (1, 7, 14), elements=st.floats(0, 12, width=16)), st.sampled_from([0.0, 0.1, 1.0]))
def test_similarities_lie_between_0_and_1(frames, floor):
    features = frame_features(frames, FeatureSettings(chroma=0.5, floor=floor))
    similarity = frame_similarity(features, features)
    assert np.isfinite(similarity).all() and similarity.min() >= 0 and similarity.max() <= 1 + 1e-5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"flux": -1.0}, r"flux -1\.0; expected a finite number, not negative"),
        ({"floor": float("nan")}, "floor nan"),
        ({"spectrum": 0.0, "flux": 0.0}, "all weights are 0"),
        ({"power": 0.0}, r"power 0\.0; expected a number above zero"),
        ({"contrast": 1.5}, r"contrast 1\.5; expected 0 to 1"),
        ({"contrast_bins": 4}, "contrast_bins 4; expected an odd number"),
        ({"lag_frames": 0}, "lag_frames 0; expected at least 1"),
    ],
)
def test_unusable_settings_are_an_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        FeatureSettings(**wrong)


def test_unusable_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"\(5, 3\); expected \(pairs, frames, bins\)"):
        frame_features(np.ones((5, 3)), PLAIN)
    with pytest.raises(ValueError, match="same pairs and bins"):
        frame_similarity(np.ones((2, 5, 3), np.float32), np.ones((2, 5, 4), np.float32))
