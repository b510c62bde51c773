"""The matched filter, against a brute-force loop and in cases whose answer is known; what all baselines share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sfmodel.baselines import (
    BASELINES,
    FIVE_SCALES,
    normalised_cross_correlation,
    sliding_sum,
    stretch_snippet,
)

MATCHED_FILTERS = [name for name in BASELINES if name.startswith("matched-filter")]
PATHS = ["subsequence-dtw", "hmm"]


def brute_force(reference: np.ndarray, snippet: np.ndarray, remove_mean: bool) -> np.ndarray:
    """One pair, one position at a time, in float64."""
    frames, half = len(reference), len(snippet) // 2
    padded = np.pad(reference.astype(np.float64), ((half, half), (0, 0)))
    scores = np.zeros(frames)
    for centre in range(frames):
        window, template = padded[centre : centre + len(snippet)], snippet.astype(np.float64)
        if remove_mean:
            window, template = window - window.mean(), template - template.mean()
        norm = np.linalg.norm(window) * np.linalg.norm(template)
        scores[centre] = (window * template).sum() / norm if norm > 1e-6 else 0.0
    return scores


def melody(rng: np.random.Generator, frames: int = 240, bins: int = 88) -> np.ndarray:
    """Decaying tones at random pitches, 2 to 8 frames apart, on silence."""
    sound = np.zeros((frames, bins), dtype=np.float32)
    onset = 1
    while onset < frames:
        key = rng.integers(10, 60)
        decay = np.linspace(4, 1, 8)[: frames - onset, None]
        sound[onset : onset + 8, [key, key + 12]] = decay * [1, 0.5]
        onset += int(rng.integers(2, 9))
    return sound


@pytest.mark.parametrize("remove_mean", [False, True])
def test_equals_a_brute_force_loop(remove_mean):
    rng = np.random.default_rng(0)
    reference, snippet = rng.random((3, 31, 5)) ** 3, rng.random((3, 7, 5)) ** 3
    reference[1, 10:25] = 0
    scores = normalised_cross_correlation(reference, snippet, remove_mean=remove_mean)
    assert scores.shape == (3, 31) and scores.dtype == np.float32
    for pair in range(3):
        assert scores[pair] == pytest.approx(brute_force(reference[pair], snippet[pair], remove_mean), abs=1e-5)


def test_several_scales_are_the_best_of_each_at_every_frame():
    rng = np.random.default_rng(1)
    reference, snippet = rng.random((2, 60, 6)), rng.random((2, 9, 6))
    each = [normalised_cross_correlation(reference, stretch_snippet(snippet, scale)) for scale in FIVE_SCALES]
    assert np.array_equal(normalised_cross_correlation(reference, snippet, FIVE_SCALES), np.max(each, axis=0))


@pytest.mark.parametrize("name", BASELINES)
def test_a_snippet_cut_from_the_reference_is_found_everywhere(name):
    rng = np.random.default_rng(2)
    whole = melody(rng)
    padded = np.pad(whole, ((13, 13), (0, 0)))
    centres = np.arange(240)
    snippets = np.stack([padded[centre : centre + 27] for centre in centres])
    references = np.broadcast_to(whole, (240, 240, 88))
    found = BASELINES[name].scores(references, snippets).argmax(axis=1)
    assert np.array_equal(found, centres)


def test_five_scales_find_what_is_played_slower_or_faster():
    rng = np.random.default_rng(3)
    hits = {name: 0 for name in BASELINES}
    for _ in range(40):
        whole = melody(rng)
        centre = int(rng.integers(40, 200))
        scale = rng.choice([0.7, 1.41])  # the snippet's tempo against the reference's
        position = centre + np.arange(-13, 14) * scale
        left = np.floor(position).astype(int)
        weight = (position - left)[:, None]
        snippet = whole[left] * (1 - weight) + whole[left + 1] * weight
        for name, baseline in BASELINES.items():
            hits[name] += abs(int(baseline.scores(whole[None], snippet[None]).argmax()) - centre) <= 1
    assert min(hits["matched-filter-5"], hits["subsequence-dtw"], hits["hmm"]) >= 36 > hits["matched-filter"]


@pytest.mark.parametrize("name", MATCHED_FILTERS)
def test_silence_scores_nothing(name):
    rng = np.random.default_rng(4)
    sound, silence = rng.random((1, 240, 88)), np.zeros((1, 240, 88))
    scores = BASELINES[name].scores
    assert not scores(sound, silence[:, :27]).any()
    assert not scores(silence, sound[:, :27]).any()
    assert not scores(silence, silence[:, :27]).any()
    half = sound * (np.arange(240) < 100)[None, :, None]
    result = scores(half, sound[:, 50:77])
    assert np.isfinite(result).all() and not result[0, 140:].any() and result.argmax() == 63


@pytest.mark.parametrize("name", PATHS)
def test_paths_take_silence(name):
    rng = np.random.default_rng(4)
    sound, silence = rng.random((1, 240, 88)), np.zeros((1, 240, 88))
    for reference, snippet in ((sound, silence), (silence, sound), (silence, silence)):
        scores = BASELINES[name].scores(reference, snippet[:, :27])
        assert scores.shape == (1, 240) and np.isfinite(scores).all()
    half = sound * (np.arange(240) < 100)[None, :, None]
    assert BASELINES[name].scores(half, sound[:, 50:77]).argmax() == 63


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(("frames", "length", "bins"), [(300, 41, 40), (60, 27, 229), (9, 3, 1)])
def test_any_windows_and_bins_are_taken(name, frames, length, bins):
    reference = np.random.default_rng(7).random((2, frames, bins)).astype(np.float16) ** 3
    middle = frames // 2
    snippet = reference[:, middle - length // 2 : middle + length // 2 + 1]
    scores = BASELINES[name].scores(reference, snippet)
    assert scores.shape == (2, frames) and scores.dtype == np.float32
    if bins > 1:
        assert scores.argmax(axis=1).tolist() == [middle, middle]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_refuse_what_does_not_fit_together(name):
    with pytest.raises(ValueError, match="same pairs and bins"):
        BASELINES[name].scores(np.ones((2, 10, 3)), np.ones((2, 5, 4)))
    with pytest.raises(ValueError, match="4 frames; expected an odd number"):
        BASELINES[name].scores(np.ones((2, 10, 3)), np.ones((2, 4, 3)))
    assert BASELINES[name].scores(np.ones((0, 10, 3)), np.ones((0, 5, 3))).shape == (0, 10)


def test_half_precision_as_stored_is_taken():
    rng = np.random.default_rng(5)
    reference = rng.random((2, 50, 8)).astype(np.float16)
    scores = normalised_cross_correlation(reference, reference[:, 20:27])
    assert scores.argmax(axis=1).tolist() == [23, 23]
    assert scores.max() == pytest.approx(1, abs=1e-3)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (1, 20, 3), elements=st.floats(0, 8, width=16)), st.integers(0, 17), st.booleans())
def test_scores_stay_within_one(reference, start, remove_mean):
    snippet = reference[:, start : start + 3]
    scores = normalised_cross_correlation(reference, snippet, FIVE_SCALES, remove_mean)
    assert np.isfinite(scores).all() and np.abs(scores).max() <= 1


def test_stretching():
    snippet = np.random.default_rng(6).random((2, 27, 4)).astype(np.float32)
    assert np.array_equal(stretch_snippet(snippet, 1.0), snippet)
    for scale in FIVE_SCALES:
        stretched = stretch_snippet(snippet, scale)
        assert stretched.shape[1] == 2 * int(13 * scale) + 1
        assert np.array_equal(stretched[:, stretched.shape[1] // 2], snippet[:, 13])  # the onset stays in the middle
    ramp = np.arange(27, dtype=np.float32)[None, :, None]
    assert np.allclose(np.diff(stretch_snippet(ramp, 1.41)[0, :, 0]), 1 / 1.41, atol=1e-5)


def test_sliding_sum_of_a_window_longer_than_the_signal():
    assert sliding_sum(np.array([[1.0, 2.0]]), 7).tolist() == [[3.0, 3.0]]


@pytest.mark.parametrize(
    ("reference", "snippet", "scales", "message"),
    [
        ((2, 10, 3), (1, 5, 3), (1.0,), "same pairs and bins"),
        ((2, 10, 3), (2, 5, 4), (1.0,), "same pairs and bins"),
        ((10, 3), (5, 3), (1.0,), "same pairs and bins"),
        ((2, 10, 3), (2, 4, 3), (1.0,), "4 frames; expected an odd number"),
        ((2, 10, 3), (2, 5, 3), (), "no time scales"),
        ((2, 10, 3), (2, 5, 3), (0.0,), "time scale 0.0"),
    ],
)
def test_unusable_input_is_an_error(reference, snippet, scales, message):
    with pytest.raises(ValueError, match=message):
        normalised_cross_correlation(np.ones(reference), np.ones(snippet), scales)


def test_no_pairs_give_no_scores():
    assert normalised_cross_correlation(np.ones((0, 10, 3)), np.ones((0, 5, 3))).shape == (0, 10)


def test_every_baseline_is_described():
    assert list(BASELINES) == ["matched-filter", "matched-filter-5", "matched-filter-flux", "subsequence-dtw", "hmm"]
    assert all(baseline.name == name and baseline.description for name, baseline in BASELINES.items())
