from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmodel.baselines import BASELINES
from sfmodel.features import FeatureSettings
from sfmodel.paths import (
    HiddenMarkov,
    SubsequenceDtw,
    best_paths,
    both_ways,
    similarities,
    step_weights,
    summed_paths,
)

NAMES = ("matched-filter-tuned", "subsequence-dtw", "hmm")


def every_path(length: int, frames: int, steps: int):
    """All paths, as frames and the steps between them."""
    for begin, taken in product(range(frames), product(range(steps), repeat=length - 1)):
        places = begin + np.cumsum([0, *taken])
        if places[-1] < frames:
            yield places, list(taken)


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 5), frames=st.integers(4, 8), steps=st.integers(1, 4), seed=st.integers(0, 999))
def test_against_every_path(length, frames, steps, seed):
    rng = np.random.default_rng(seed)
    gain = rng.normal(0, 1, (length, 2, frames)).astype(np.float32)
    penalty = rng.random(steps).astype(np.float32)
    best, total = np.full((2, frames), -np.inf), np.zeros((2, frames))
    for places, taken in every_path(length, frames, steps):
        along = gain[range(length), :, places].sum(axis=0) - penalty[taken].sum()
        best[:, places[-1]] = np.maximum(best[:, places[-1]], along)
        total[:, places[-1]] += np.exp(along)
    reached = np.isfinite(best)
    np.testing.assert_allclose(best_paths(gain, penalty)[reached], best[reached], rtol=1e-4, atol=1e-5)
    found = summed_paths(np.exp(gain), np.exp(-penalty))
    np.testing.assert_allclose(found[reached], np.log(total[reached]), rtol=1e-4, atol=1e-4)


def test_halves_end_at_the_middle():
    similarity = np.arange(5 * 3, dtype=np.float32).reshape(5, 1, 3)
    left, right = both_ways(similarity)
    assert left[:, 0].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert right[:, 0].tolist() == [[14, 13, 12], [11, 10, 9], [8, 7, 6]]


def test_steps_have_the_tempo_as_their_mean():
    for tempo in (0.3, 1.0, 1.6, 2.9):
        weights = step_weights(tempo, 4, 0.0)
        assert weights.sum() == pytest.approx(1) and weights @ np.arange(4) == pytest.approx(tempo)
    assert step_weights(1.0, 4, 1.0).tolist() == [0.25] * 4


def played(tempo: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """A reference of tones and a snippet of it, played at another tempo, with its place."""
    rng = np.random.default_rng(seed)
    reference = np.zeros((400, 88), dtype=np.float32)
    for frame in range(0, 400, 3):
        for key in rng.integers(0, 88, 2):
            reference[frame : frame + 8, key] += np.linspace(3, 1, 8)[: 400 - frame]
    centre = 120.0
    position = centre + tempo * np.arange(-13, 14)
    whole = position.astype(int)
    part = (position - whole)[:, None]
    snippet = reference[whole] * (1 - part) + reference[whole + 1] * part
    return reference[None, :240], (snippet + rng.uniform(0, 0.1, snippet.shape))[None], centre


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tempo", [0.7, 1.0, 1.4])
def test_found_at_other_tempi(name, tempo):
    for seed in range(3):
        reference, snippet, centre = played(tempo, seed)
        scores = BASELINES[name].scores(reference, snippet)
        assert scores.shape == (1, 240) and scores.dtype == np.float32 and np.isfinite(scores).all()
        assert abs(scores.argmax() - centre) <= 1


@pytest.mark.parametrize("method", [SubsequenceDtw(), HiddenMarkov()])
def test_a_reference_moved_moves_the_answer_and_silence_has_none(method):
    reference, snippet, _ = played(1.2)
    first = method.scores(reference[:, :200], snippet)
    moved = method.scores(np.pad(reference[:, :200], ((0, 0), (17, 0), (0, 0))), snippet)
    difference = (moved[:, 17:] - first)[:, 60:140]
    assert np.ptp(difference) < 1e-3  # a posterior is moved by what the new frames take of it
    for silent in (method.scores(np.zeros((1, 50, 88)), snippet), method.scores(reference, np.zeros((1, 27, 88)))):
        assert np.ptp(silent) < 1e-4


def test_posteriors_sum_to_one():
    reference, snippet, _ = played(1.0)
    assert np.exp(HiddenMarkov().scores(reference, snippet)).sum() == pytest.approx(1, rel=1e-4)


def test_beyond_the_reference_is_silence():
    reference, snippet, _ = played(1.0)
    found = similarities(reference, snippet, FeatureSettings(), 5)
    assert found.shape == (27, 1, 250) and not found[..., :5].any() and not found[..., -5:].any()
    assert found[..., 5:-5].max() <= 1 + 1e-5
