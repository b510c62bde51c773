"""Methods on recordings: figures against those of evaluate, parts by hand, the page, what is skipped."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sfmodel.benchmark import Asked, default_methods, methods_asked, run_benchmark
from sfmodel.benchmark_page import worst_cases, write_benchmark
from sfmodel.bundled import BUNDLED, bundled_weights
from sfmodel.cli import main
from sfmodel.evaluation import EvaluationResult, evaluate
from sfmodel.metrics import RATES

METHODS = ("matched-filter", "hmm")
RATE = 22050


def result_of(error_frames: list[int], score: list[float], piece: list[int], lookalikes: list[int]) -> EvaluationResult:
    count = len(error_frames)
    target = np.full(count, 100.0)
    return EvaluationResult(
        metrics={},
        frame_rate_hz=20.0,
        position=np.arange(count),
        rows=np.arange(count),
        piece=np.array(piece),
        target_frame=target,
        predicted_frame=(target + error_frames).astype(np.int64),
        score=np.array(score, dtype=np.float32),
        lookalikes=np.array(lookalikes),
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, short_midi, write_recorded) -> Path:
    """Two short recordings by two instruments, and one that is damaged."""
    root = tmp_path_factory.mktemp("recordings")
    for number, (midi, sounds) in enumerate(zip(short_midi, ("timgm6mb:1", "timgm6mb:4"), strict=False)):
        told = {"title": f"Piece {number}", "instrument": f"tim{number}"}
        write_recorded(root / f"piece-{number}", midi, 20, lambda time_s: 1.1 * time_s, sounds, shortest_s=0.05, **told)
    shutil.copytree(root / "piece-0", root / "broken")
    (root / "broken" / "performance.flac").write_bytes(b"nothing")
    return root


@pytest.fixture(scope="module")
def found(recordings, tmp_path_factory):
    output = tmp_path_factory.mktemp("benchmark")
    return run_benchmark(recordings, output, METHODS), output


def test_figures_are_those_of_evaluate(found):
    benchmark, output = found
    assert [entry["source"] for entry in benchmark.skipped] == ["broken"]
    rows = json.loads((output / "benchmark.json").read_text())
    assert rows == benchmark.as_json() and [row["method"] for row in rows] == list(METHODS)
    for row in rows:
        metrics = evaluate(row["method"], output / "recordings.zarr", "all").metrics
        assert row["pooled"] == {key: metrics[key] for key in row["pooled"]} and row["ci95"] == metrics["ci95"]
        assert row["causal"] is False and row["pairs_per_s"] > 0 and row["pieces"] == 2
        assert set(row["recordings"]) == {"piece-0", "piece-1"} and set(row["instruments"]) == {"tim0", "tim1"}
        for part in ("recordings", "instruments"):  # parts make the whole, pooled; their mean is the piece-wise figure
            weights = [entry["pairs"] for entry in row[part].values()]
            for key in RATES:
                values = [entry[key] for entry in row[part].values()]
                assert np.average(values, weights=weights) == pytest.approx(row["pooled"][key])
                assert np.mean(values) == pytest.approx(row["piecewise"][key])
    assert rows[0]["pooled"]["within_100ms"] > 0.5


def test_a_store_is_taken_as_it_is(small_store, tmp_path):
    benchmark = run_benchmark(small_store, tmp_path, ["matched-filter"], split="validation")
    assert benchmark.measured[0].result.metrics == evaluate("matched-filter", small_store, "validation").metrics
    assert [path.name for path in tmp_path.iterdir()] == ["benchmark.json"]


def test_the_page_tells_everything_and_needs_nothing(found):
    benchmark, output = found
    (output / "figures").mkdir(exist_ok=True)
    (output / "figures" / "worst-9.png").write_bytes(b"of an earlier benchmark")
    page = write_benchmark(benchmark, output).read_text()
    for said in ("matched-filter", "hmm", "piece-1", "tim1", "Mean over pieces", "By recording", "Left out: broken"):
        assert said in page
    assert "http" not in page.replace("http-equiv", "") and "<script" not in page
    names = {path.name for path in (output / "figures").iterdir()}
    assert {"hit-rates.png", "errors.png"} <= names and "worst-9.png" not in names
    told = (output / "benchmark.md").read_text()
    assert "| matched-filter |" in told and "By instrument" in told


def test_worst_cases_are_sure_spread_and_of_both_kinds():
    result = result_of(
        error_frames=[0, 40, 50, 60, 30, -99, 5, 12],
        score=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 1.0, 0.3],
        piece=[0, 0, 0, 1, 1, 2, 2, 2],
        lookalikes=[0, 0, 0, 0, 1, 2, 0, 0],
    )
    chosen = [choice.index for choice in worst_cases(result, 5)]
    assert chosen == [1, 3, 7, 4, 5]  # 2 is of a piece that 1 stands for; 0 and 6 are no gross errors
    assert [choice.index for choice in worst_cases(result, 8)] == [1, 3, 7, 2, 4, 5]
    assert worst_cases(result_of([0], [1.0], [0], [0])) == []


def test_mistakes(small_store, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is nothing at"):
        run_benchmark(tmp_path / "none", tmp_path, ["hmm"])
    with pytest.raises(ValueError, match="neither a run directory"):
        run_benchmark(small_store, tmp_path, ["no-such-method"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no recorded set"):
        run_benchmark(tmp_path / "empty", tmp_path, ["hmm"])


@pytest.mark.parametrize(
    ("task", "methods", "is_store", "windows", "following"),
    [
        ("all", [], False, (), ()),
        ("all", [], True, (), None),
        ("all", ["hmm"], False, ("hmm",), None),
        ("all", ["follow", "hmm", "align", "follow"], False, ("hmm",), ("follow", "align")),
        ("all", ["follow"], False, None, ("follow",)),
        ("windows", ["hmm", "follow"], False, ("hmm", "follow"), None),  # refused when it is opened
        ("following", ["hmm", "follow"], False, None, ("hmm", "follow")),
        ("following", [], False, None, ()),
    ],
)
def test_every_name_is_measured_or_refused(task, methods, is_store, windows, following):
    assert methods_asked(task, methods, is_store) == Asked(windows, following)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--task", "following", "--method", "nope"], "follower 'nope'; expected one of follow, "),
        (["--task", "following", "--method", "hmm", "--method", "follow"], "follower 'hmm'; expected one of follow, "),
        (["--task", "windows", "--method", "follow", "--method", "hmm"], "'follow' is neither a run directory"),
        (["--method", "folow", "--method", "follow"], "method 'folow'; expected a run directory or weights, or one of"),
        (["--task", "edits", "--method", "nope", "--method", "follow"], "follower 'nope'; expected one of follow, "),
        (["--task", "edits", "--method", "align", "--method", "follow"], "align does not follow while it hears"),
    ],
)
def test_names_that_the_task_does_not_know(recordings, tmp_path, options, told):
    output = tmp_path / "output"
    result = CliRunner().invoke(main, ["benchmark", str(recordings), "-o", str(output), *options])
    assert result.exit_code == 2 and told in result.output
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--task", "following"], "nothing is followed; expected recordings"),
        (["--method", "follow", "--method", "hmm"], "; follow cannot be measured on it; expected recordings"),
    ],
)
def test_a_store_cannot_be_followed(small_store, tmp_path, options, told):
    result = CliRunner().invoke(main, ["benchmark", str(small_store), "-o", str(tmp_path), *options])
    assert result.exit_code == 2 and told in result.output


def test_the_bundled_network_comes_first():
    assert default_methods()[0] == (BUNDLED if bundled_weights().is_file() else "matched-filter")


def test_on_the_command_line(small_store, tmp_path):
    options = ["benchmark", str(small_store), "-o", str(tmp_path), "--method", "matched-filter"]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    assert "**All pairs" in result.output and str(tmp_path / "benchmark.html") in result.output
    result = CliRunner().invoke(main, [*options, "--json"])
    assert json.loads(result.output)[0]["method"] == "matched-filter"
    assert CliRunner().invoke(main, ["benchmark", "none", "-o", str(tmp_path)]).exit_code == 2
