"""Metrics, against figures worked out by hand."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmodel.metrics import (
    ERRORS,
    RATES,
    bucket_hits,
    error_ms,
    evaluate_predictions,
    piecewise_means,
    resampled_median,
)


def test_tiny_case_by_hand():
    # at 20 Hz, frames are 50 ms apart;   errors: 12.5, 37.5, 50, 400, 550 ms
    predicted = np.array([3, 4, 6, 2, 20])
    target = np.array([3.25, 3.25, 5.0, 10.0, 9.0])
    figures = evaluate_predictions(predicted, target, 20.0, np.array([0, 0, 0, 1, 1]))
    assert figures["pairs"] == 5 and figures["pieces"] == 2
    assert figures["bucket1"] == pytest.approx(1 / 5)
    assert figures["bucket2"] == pytest.approx(2 / 5)  # 6 is beside 5.0, which lies on a frame: no second bucket
    assert figures["within_50ms"] == pytest.approx(3 / 5)  # up to and including the limit
    assert figures["within_100ms"] == figures["within_250ms"] == pytest.approx(3 / 5)
    assert figures["within_500ms"] == pytest.approx(4 / 5)
    assert figures["beyond_500ms"] == pytest.approx(1 / 5)
    assert figures["mean_ms"] == pytest.approx((12.5 + 37.5 + 50 + 400 + 550) / 5)
    assert figures["median_ms"] == pytest.approx(50)


def test_limits_hold_exactly_in_spite_of_rounding():
    target = np.array([5.0, 4.95, 0.1, 7.3])
    figures = evaluate_predictions(target + 1, target, 20.0, np.zeros(4, int))
    assert figures["within_50ms"] == 1


def test_halves_go_up_for_the_first_bucket_and_either_counts_for_the_second():
    first, either = bucket_hits(np.array([2, 3, 4, 1]), np.array([2.5, 2.5, 2.5, 2.5]))
    assert first.tolist() == [False, True, False, False]
    assert either.tolist() == [True, True, False, False]


def test_last_frame_of_a_reference_is_a_bucket():
    first, either = bucket_hits(np.array([239, 238, 238]), np.array([239.0, 239.0, 238.9]))
    assert first.tolist() == [True, False, False]
    assert either.tolist() == [True, False, True]


def test_perfect_predictions_reach_every_rate():
    target = np.linspace(0, 239, 50)
    figures = evaluate_predictions(np.floor(target + 0.5), target, 20.0, np.arange(50) // 10)
    assert [figures[key] for key in RATES] == [1, 1, 1, 1, 1, 1, 0]
    assert figures["mean_ms"] <= 25
    assert all(figures["ci95"][key] == [1, 1] for key in RATES[:-1])


def test_interval_of_a_single_piece_is_a_point():
    figures = evaluate_predictions(np.array([1, 9]), np.array([1.0, 1.0]), 20.0, np.array([7, 7]))
    assert figures["ci95"]["bucket1"] == [0.5, 0.5]
    assert figures["ci95"]["median_ms"] == [200, 200]


def test_interval_draws_whole_pieces():
    # two pieces, one all right and one all wrong: a resample is all right, half or all wrong, 1 : 2 : 1
    predicted = np.repeat([5, 50], 100)
    figures = evaluate_predictions(predicted, np.full(200, 5.0), 20.0, np.repeat([0, 1], 100))
    assert figures["ci95"]["bucket1"] == [0, 1]
    assert figures["ci95"]["median_ms"] == [0, 2250]


def test_intervals_hold_their_figure_and_are_seeded():
    rng = np.random.default_rng(3)
    target, piece = rng.uniform(0, 239, 500), rng.integers(0, 12, 500)
    predicted = np.clip(np.rint(target + rng.laplace(0, 3, 500)), 0, 239)
    figures = evaluate_predictions(predicted, target, 20.0, piece)
    for key in (*RATES, *ERRORS):
        low, high = figures["ci95"][key]
        assert low <= figures[key] <= high and low < high
    assert figures == evaluate_predictions(predicted, target, 20.0, piece)
    assert figures["ci95"] != evaluate_predictions(predicted, target, 20.0, piece, seed=1)["ci95"]


def test_unique_and_repeated_passages_are_told_apart():
    predicted, target = np.array([1, 2, 30]), np.array([1.0, 2.0, 3.0])
    figures = evaluate_predictions(predicted, target, 20.0, np.arange(3), np.array([0, 0, 2]))
    assert figures["unique"]["bucket1"] == 1 and figures["unique"]["pairs"] == 2
    assert figures["repeated"]["bucket1"] == 0 and figures["repeated"]["pairs"] == 1
    assert "repeated" not in evaluate_predictions(predicted, target, 20.0, np.arange(3), np.zeros(3))
    assert "unique" not in evaluate_predictions(predicted, target, 20.0, np.arange(3))


@pytest.mark.parametrize(
    ("predicted", "target", "rate", "piece", "message"),
    [
        ([], [], 20.0, [], "no pairs to evaluate"),
        ([1.0, np.nan], [1.0, 1.0], 20.0, [0, 0], "1 of 2 predicted frames are not finite"),
        ([1.0], [np.inf], 20.0, [0], "target frames are not finite"),
        ([1.0], [-0.5], 20.0, [0], "smallest target frame is -0.5"),
        ([1.0, 2.0], [1.0], 20.0, [0], r"shape \(2,\), targets \(1,\)"),
        ([1.0], [1.0], 0.0, [0], "frame_rate_hz is 0.0"),
        ([1.0], [1.0], 20.0, [0, 1], r"pieces have shape \(2,\)"),
    ],
)
def test_unusable_input_is_an_error(predicted, target, rate, piece, message):
    with pytest.raises(ValueError, match=message):
        evaluate_predictions(np.array(predicted), np.array(target), rate, np.array(piece))


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 4)), min_size=1, max_size=40), st.integers(0, 99))
def test_resampled_median_is_the_median_of_the_repeated_pairs(pairs, seed):
    values = np.array([value for value, _ in pairs])
    _, piece = np.unique([number for _, number in pairs], return_inverse=True)
    pieces = piece.max() + 1
    times = np.random.default_rng(seed).multinomial(pieces, np.full(pieces, 1 / pieces), size=20)
    expected = [np.median(np.repeat(values, drawn[piece])) for drawn in times]
    assert resampled_median(values, piece, times) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 239), st.floats(0, 239)), min_size=1, max_size=30))
def test_rates_are_ordered(pairs):
    predicted, target = np.array(pairs).T
    figures = evaluate_predictions(predicted, target, 20.0, np.zeros(len(pairs), int), draws=10)
    assert 0 <= figures["bucket1"] <= figures["bucket2"] <= figures["within_50ms"] <= figures["within_100ms"]
    assert figures["within_500ms"] + figures["beyond_500ms"] == pytest.approx(1)
    assert figures["mean_ms"] == pytest.approx(error_ms(predicted, target, 20.0).mean())


def test_hundred_thousand_pairs_are_quick():
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 239, 100_000)
    started = time.perf_counter()
    evaluate_predictions(np.floor(target), target, 20.0, rng.integers(0, 1000, 100_000))
    assert time.perf_counter() - started < 10


def test_piecewise_means_by_hand():
    # at 20 Hz; piece 7 has errors of 0, 50 and 400 ms, piece 3 one of 550 ms
    predicted, target, piece = np.array([3, 6, 2, 20]), np.array([3.0, 5.0, 10.0, 9.0]), np.array([7, 7, 7, 3])
    figures = piecewise_means(predicted, target, 20.0, piece)
    assert figures["pieces"] == 2
    assert figures["bucket1"] == figures["bucket2"] == pytest.approx((1 / 3 + 0) / 2)
    assert figures["within_50ms"] == figures["within_250ms"] == pytest.approx((2 / 3 + 0) / 2)
    assert figures["within_500ms"] == figures["beyond_500ms"] == pytest.approx((1 + 0) / 2)
    assert figures["mean_ms"] == pytest.approx((150 + 550) / 2)
    assert figures["median_ms"] == pytest.approx((50 + 550) / 2)
    # of two pieces one alone is drawn in half of all resamples, either in a quarter: both bounds are those of one piece
    assert figures["ci95"]["median_ms"] == [50, 550] and figures["ci95"]["within_500ms"] == [0, 1]


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
def test_pieces_of_one_length_make_both_means_the_same(pieces, each, seed):
    rng = np.random.default_rng(seed)
    predicted, target = rng.integers(0, 240, pieces * each), rng.uniform(0, 239, pieces * each)
    piece = np.repeat(rng.permutation(pieces), each)
    pooled = evaluate_predictions(predicted, target, 20.0, piece, draws=50)
    own = piecewise_means(predicted, target, 20.0, piece, draws=50)
    for key in (*RATES, "mean_ms"):
        assert own[key] == pytest.approx(pooled[key])
        assert own["ci95"][key] == pytest.approx(pooled["ci95"][key])


def test_piecewise_means_refuse_what_the_pooled_figures_refuse():
    with pytest.raises(ValueError, match="no pairs to evaluate"):
        piecewise_means(np.array([]), np.array([]), 20.0, np.array([]))
    with pytest.raises(ValueError, match=r"pieces have shape \(1,\), targets \(2,\)"):
        piecewise_means(np.array([1, 2]), np.array([1.0, 2.0]), 20.0, np.array([0]))
