"""Counterparts of the paper's figures: distances worked by hand, and what is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from sfmodel.evaluation import EvaluationResult
from sfmodel.figures import png_bytes
from sfmodel.metrics import bucket_hits
from sfmodel.paper_figures import NEAR_FRAMES, bucket_distances, bucket_distances_frames, paper_curves


def result_of(predicted: list[int], target: list[float]) -> EvaluationResult:
    count = len(predicted)
    whole = np.arange(count)
    return EvaluationResult(
        metrics={},
        frame_rate_hz=20.0,
        position=whole,
        rows=whole,
        piece=np.zeros(count, dtype=np.int32),
        target_frame=np.array(target, dtype=np.float64),
        predicted_frame=np.array(predicted, dtype=np.int64),
        score=np.ones(count, dtype=np.float32),
        lookalikes=np.zeros(count, dtype=np.int16),
    )


def test_distances_by_hand():
    # on a frame; nearest of 3 and 4; the other of them; one before both; two after both
    first, second = bucket_distances_frames(result_of([6, 3, 4, 2, 6], [5.0, 3.25, 3.25, 3.25, 3.25]))
    assert first.tolist() == [1, 0, 1, -1, 3]
    assert second.tolist() == [1, 0, 0, -1, 2]


@given(st.lists(st.tuples(st.integers(0, 239), st.floats(0, 239)), min_size=1, max_size=30))
def test_zero_is_a_hit(pairs):
    result = result_of([predicted for predicted, _ in pairs], [target for _, target in pairs])
    first, second = bucket_distances_frames(result)
    hits = bucket_hits(result.predicted_frame, result.target_frame)
    assert ((first == 0) == hits[0]).all()
    assert (np.abs(second) <= np.abs(first)).all()
    # the metrics' weights are single precision: nearer to a frame than they can tell, it is the frame
    clear = np.abs(result.target_frame - np.round(result.target_frame)) > 1e-4
    assert ((second == 0) == hits[1])[clear].all()


def bars(figure: Figure) -> list[dict[int, float]]:
    """Share by distance of bucket 1 and of bucket 2, in the first row."""
    return [
        {round(bar.get_x() + bar.get_width() / 2 + shift): round(bar.get_height(), 6) for bar in container}
        for container, shift in zip(figure.axes[0].containers, (0.2, -0.2), strict=True)
    ]


def test_bars_hold_all_pairs():
    result = result_of([6, 3, 4, 2, 200], [5.0, 3.25, 3.25, 3.25, 3.25])
    first, second = bars(bucket_distances({"test": result}))
    assert first == {1: 40.0, 0: 20.0, -1: 20.0, NEAR_FRAMES + 1: 20.0}
    assert second == {0: 40.0, 1: 20.0, -1: 20.0, NEAR_FRAMES + 1: 20.0}


def test_counts_by_half_second():
    figure = bucket_distances({"a": result_of([6, 3, 83], [5.0, 3.0, 3.0]), "b": result_of([0], [0.0])})
    wide = figure.axes[1]
    outlines = [polygon.get_xy() for polygon in wide.patches]
    assert len(figure.axes) == 4 and len(outlines) == 2
    x, y = outlines[0][:, 0], outlines[0][:, 1]
    assert y[(x > -0.3) & (x < 0.3)].max() == 2, "two within a quarter of a second"
    assert y[(x > 3.7) & (x < 4.3)].max() == 1, "one four seconds late"


def log_of(epochs: int, phase: list[int] | None = None) -> dict[str, np.ndarray]:
    names = [f"{part}_{figure}" for part in ("train", "validation") for figure in ("loss", "bucket1", "bucket2")]
    log = {name: np.linspace(0.6, 0.4, epochs) for name in names} | {"epoch": np.arange(1.0, epochs + 1)}
    return log if phase is None else log | {"phase": np.array(phase, dtype=float)}


def test_phases_and_printed_accuracies_are_marked():
    loss, rate = paper_curves(log_of(5, [1, 1, 2, 2, 3]), 240, {"test": 0.53, "train": 0.99}).axes
    assert [text.get_text().strip() for text in loss.texts] == ["phase 2", "phase 3"]
    assert [text.get_position()[0] for text in loss.texts] == [2.5, 4.5]
    assert [text.get_text() for text in rate.texts] == ["paper, test: 53 %", "paper, train: 99 %"]
    assert rate.get_ylim()[1] > 99
    plain = paper_curves(log_of(5)).axes
    assert not plain[0].texts and not plain[1].texts


@pytest.mark.parametrize("epochs", [1, 200])
def test_same_input_same_bytes(epochs):
    log = log_of(epochs, [1] * epochs)
    assert png_bytes(paper_curves(log, 240)) == png_bytes(paper_curves(log, 240))
    result = {"test": result_of([6, 3], [5.0, 3.25])}
    assert png_bytes(bucket_distances(result)) == png_bytes(bucket_distances(result))
