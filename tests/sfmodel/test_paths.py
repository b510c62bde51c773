"""Paths that meet at the middle frame, against an enumeration of all of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sfmodel.paths import PathSettings, path_scores, score_frames


def enumerate_paths(emission, outside, log_steps, log_prior, combine):
    """One pair: every path written out. emission (S, T), outside (S,), log_steps (classes, D)."""
    length, frames = emission.shape
    half = length // 2
    scores = np.zeros(frames)
    for middle in range(frames):
        found = []
        for steps, prior in zip(log_steps, log_prior, strict=True):
            for taken in product(range(len(steps)), repeat=length - 1):
                start = middle - sum(taken[:half])
                place = start + np.concatenate([[0], np.cumsum(taken)])
                value = prior + sum(steps[step] for step in taken)
                for k, at in enumerate(place):
                    value += emission[k, at] if 0 <= at < frames else outside[k]
                found.append(value)
        scores[middle] = max(found) if combine == "max" else np.logaddexp.reduce(found)
    return scores


@pytest.mark.parametrize("combine", ["max", "sum"])
@pytest.mark.parametrize("frames", [1, 2, 6])
def test_equals_an_enumeration_of_all_paths(combine, frames):
    rng = np.random.default_rng(frames)
    emission = rng.normal(size=(5, 2, frames)).astype(np.float32)
    outside = rng.normal(size=(5, 2, 1)).astype(np.float32)
    steps = np.log(rng.dirichlet(np.ones(4), size=2)).astype(np.float32)
    prior = np.log(np.array([0.3, 0.7], dtype=np.float32))
    scores = path_scores(emission, outside, steps, prior, combine)
    assert scores.shape == (2, frames) and scores.dtype == np.float32
    for pair in range(2):
        expected = enumerate_paths(emission[:, pair], outside[:, pair, 0], steps, prior, combine)
        assert scores[pair] == pytest.approx(expected, abs=1e-4)


def test_by_hand():
    """Three snippet frames, steps of 0 and 1 with weights -1 and 0: the best path goes straight up."""
    emission = np.eye(3, dtype=np.float32)[:, None]  # snippet frame k fits with reference frame k
    steps, zero = np.array([[-1, 0]], dtype=np.float32), np.zeros(1, dtype=np.float32)
    scores = path_scores(emission, np.zeros((3, 1, 1), dtype=np.float32), steps, zero, "max")
    # at 0: outside, 0, 1 or 0, 0, 1: nothing fits; at 1: all three fit; at 2: the first frame lies at 1 at best
    assert scores.tolist() == [[0.0, 3.0, 0.0]]
    total = path_scores(emission, np.zeros((3, 1, 1), dtype=np.float32), steps, zero, "sum")[0]
    stay = np.exp(-1)
    # frame 1: to the left stay (0) or come from 0 (1); to the right stay (0) or go on to 2 (1); itself 1
    assert np.exp(total[1]) == pytest.approx(np.e * (stay + np.e) ** 2, rel=1e-5)


def sequence(rng, frames, bins=12):
    """Frames that each resemble their neighbours a little, and no others."""
    noise = rng.random((frames + 1, bins)) ** 4
    vectors = noise[1:] + 0.5 * noise[:-1]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("combine", ["max", "sum"])
@pytest.mark.parametrize("tempo", [0.7, 1.0, 1.5])
def test_snippets_at_other_tempos_are_found(combine, tempo):
    rng = np.random.default_rng(3)
    found, centres = [], rng.integers(30, 90, size=20)
    for centre in centres:
        whole = sequence(rng, 120)
        place = np.rint(centre + tempo * np.arange(-13, 14)).astype(int)
        similarity = (whole @ whole[place].T)[None]
        scores = score_frames(similarity, np.ones((1, 27), dtype=bool), PathSettings(combine))
        found.append(int(scores.argmax()))
    assert (np.abs(np.array(found) - centres) <= 1).mean() >= 0.95
    if tempo == 1:
        assert np.array_equal(found, centres)


def test_sums_are_log_posteriors():
    rng = np.random.default_rng(4)
    similarity = rng.random((3, 50, 9), dtype=np.float32)
    scores = score_frames(similarity, np.ones((3, 9), dtype=bool), PathSettings("sum"))
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_strong_emissions_neither_overflow_nor_vanish():
    similarity = np.zeros((1, 60, 27), dtype=np.float32)
    similarity[0, np.arange(20, 47), np.arange(27)] = 1
    scores = score_frames(similarity, np.ones((1, 27), dtype=bool), PathSettings("sum", kappa=500.0))
    assert np.isfinite(scores).all() and scores.argmax() == 33


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float32, (1, 20, 5), elements=st.floats(0, 1, width=32)),
    st.integers(1, 12),
    st.sampled_from(["max", "sum"]),
)
def test_what_stands_later_is_found_later(similarity, shift, combine):
    """Far from the ends, moving the reference moves the scores, up to what the sum is normalised by."""
    chosen, sounding = PathSettings(combine), np.ones((1, 5), dtype=bool)
    padded = np.pad(similarity, ((0, 0), (10, 30), (0, 0)))
    moved = np.pad(similarity, ((0, 0), (10 + shift, 30 - shift), (0, 0)))
    one, other = score_frames(padded, sounding, chosen)[0], score_frames(moved, sounding, chosen)[0]
    difference = other[10 + shift : 40 + shift] - one[10:40]
    if combine == "max":
        assert difference == pytest.approx(np.zeros(30), abs=1e-4)
    else:
        assert np.ptp(difference) <= 1e-3


def test_turning_time_round_turns_the_scores_round():
    rng = np.random.default_rng(5)
    similarity, sounding = rng.random((2, 40, 9), dtype=np.float32), rng.random((2, 9)) < 0.8
    for combine in ("max", "sum"):
        chosen = PathSettings(combine, outside=0.3)
        scores = score_frames(similarity, sounding, chosen)
        turned = score_frames(similarity[:, ::-1, ::-1], sounding[:, ::-1], chosen)
        assert turned[:, ::-1] == pytest.approx(scores, abs=1e-4)


def test_steps_and_priors_are_probabilities():
    chosen = PathSettings(tempos=(0.5, 1.0, 2.0), tempo_spread=0.5)
    assert np.exp(chosen.log_steps()).sum(axis=1) == pytest.approx(np.ones(3))
    prior = np.exp(chosen.log_prior())
    assert prior.sum() == pytest.approx(1) and prior[0] == pytest.approx(prior[2])
    assert prior[1] / prior[0] == pytest.approx(np.exp(np.log(2) ** 2 / (2 * 0.25)), rel=1e-5)
    narrow = PathSettings(tempos=(1.0,), spread=0.1).log_steps()
    assert np.exp(narrow[0, 1]) == pytest.approx(1)


@pytest.mark.parametrize("combine", ["max", "sum"])
def test_silence_and_nothing(combine):
    chosen = PathSettings(combine)
    silent = score_frames(np.zeros((2, 40, 9), np.float32), np.zeros((2, 9), bool), chosen)
    assert np.isfinite(silent).all() and np.ptp(silent) <= 1e-3  # no frame before another
    assert score_frames(np.zeros((0, 40, 9), np.float32), np.zeros((0, 9), bool), chosen).shape == (0, 40)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"combine": "mean"}, "combine 'mean'; expected max or sum"),
        ({"tempos": ()}, "expected at least one"),
        ({"tempos": (1.0, -1.0)}, "all above zero"),
        ({"kappa": 0.0}, r"kappa 0\.0; expected a number above zero"),
        ({"focus_frames": -1.0}, "focus_frames"),
    ],
)
def test_unusable_settings_are_an_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        PathSettings(**wrong)


def test_snippets_have_a_middle():
    with pytest.raises(ValueError, match="4 frames; expected an odd number"):
        score_frames(np.zeros((1, 9, 4), np.float32), np.ones((1, 4), bool), PathSettings())
