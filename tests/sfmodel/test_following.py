"""Figures of following, by hand."""

import numpy as np
import pytest

from sfmodel.following import FIGURES, answers_s, following_figures, set_figures


def test_the_last_report_before_an_onset_counts():
    answered = answers_s(np.array([0.02, 0.04]), np.array([5.0, 6.0]), np.array([0.0, 0.02, 0.0399, 0.04, 9.0]), 1.0)
    assert answered.tolist() == [1.0, 5.0, 5.0, 6.0, 6.0]


def test_without_reports_the_beginning_counts():
    assert answers_s(np.zeros(0), np.zeros(0), np.array([1.0, 2.0]), 0.5).tolist() == [0.5, 0.5]


def test_figures_by_hand():
    error_s = np.array([0.0, -0.05, 0.1, 0.2, -0.4, 0.9, 1.5, 3.0])
    found = following_figures(error_s)
    assert [found[f"within_{limit}ms"] for limit in (50, 100, 250, 500, 1000, 2000)] == [
        *(0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
    ]
    assert found["miss_rate"] == 0.125 and found["misalign_rate"] == 0.5
    assert found["mean_ms"] == pytest.approx(450) and found["median_ms"] == pytest.approx(200)
    assert found["imprecision_ms"] == pytest.approx(87.5)
    assert found["piece_completion"] == 0.5  # lost for good after the fourth onset


def test_a_follower_that_comes_back_completes():
    assert following_figures(np.array([0.0, 5.0, 5.0, 0.1]))["piece_completion"] == 1.0
    assert following_figures(np.array([5.0, 5.0]))["piece_completion"] == 0.0


@pytest.mark.parametrize("error_s", [np.zeros(0), np.array([0.0, np.nan])])
def test_errors_that_cannot_be(error_s):
    with pytest.raises(ValueError, match="every onset"):
        following_figures(error_s)


def test_a_set_pooled_and_by_piece():
    errors = {"a": np.zeros(30), "b": np.full(10, 0.2)}
    found = set_figures(errors, draws=200)
    assert found["onsets"] == 40
    assert found["pooled"]["within_50ms"] == 0.75 and found["piecewise"]["within_50ms"] == 0.5
    assert found["ci95"]["within_50ms"] == [0.0, 1.0] and found["worst_within_250ms"] == 1.0
    assert set(found["recordings"]) == {"a", "b"} and set(found["piecewise"]) == set(FIGURES)
