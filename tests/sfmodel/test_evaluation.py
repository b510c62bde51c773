"""Evaluation of baselines and networks on a small store, and the command."""

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from sfdata.reader import PairReader
from sfdata.store import open_store
from sfmodel.baselines import BASELINES
from sfmodel.cli import main
from sfmodel.evaluation import (
    PREDICTION_COLUMNS,
    Method,
    check_agreement,
    evaluate,
    open_method,
    score_pairs,
    write_predictions,
)
from sfmodel.metrics import RATES, evaluate_predictions
from sfmodel.settings import TrainingSettings
from sfmodel.training import train


@pytest.fixture(scope="module")
def small_run(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    train(small_store, run_dir, TrainingSettings(epochs=1, network={"stack_channels": ((2,),), "dense": (8,)}))
    return run_dir


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_find_tones_of_another_instrument(small_store, name):
    result = evaluate(name, small_store)
    assert result.metrics["method"] == name and result.metrics["split"] == "test"
    assert result.metrics["pairs"] == 80 and result.metrics["pieces"] == 2
    assert result.metrics["bucket1"] > 0.95
    assert set(RATES) < set(result.metrics) and result.metrics["ci95"]["bucket1"][1] <= 1


def test_damaged_stores_give_no_figures(small_store, tmp_path):
    """Neither damage that the codec notices nor damage that it does not."""
    copy = Path(shutil.copytree(small_store, tmp_path / "damaged.zarr"))
    frames = zarr.open_group(copy, mode="r+")["frames"]
    for rendition in open_store(copy).renditions["first_frame"]:
        frames[int(rendition)] = frames[int(rendition)] + 1
    with pytest.raises(ValueError, match="differs from its recorded sha256; the store is damaged"):
        evaluate("matched-filter", copy)
    (copy / "pairs" / "target_frame" / "c" / "0").write_bytes(b"no zstd")
    with pytest.raises(ValueError, match=r"pairs/target_frame cannot be read .*damaged"):
        evaluate("matched-filter", copy)


def test_every_method_gets_the_same_items(small_store, small_run):
    store = open_store(small_store)
    results = [evaluate(method, store) for method in (small_run, "matched-filter")]
    assert np.array_equal(results[0].rows, store.pair_rows("test"))
    for field in ("rows", "piece", "target_frame", "lookalikes"):
        assert np.array_equal(getattr(results[0], field), getattr(results[1], field))


def test_network_result_is_its_most_probable_frame(small_store, small_run):
    reader = PairReader(open_store(small_store), "test")
    method = open_method(small_run, "cpu")
    belief = score_pairs(method, reader, slice(None))
    assert belief.shape == (80, 240) and belief.sum(axis=1) == pytest.approx(1, abs=1e-5)
    result = evaluate(small_run / "best.safetensors", small_store, batch_size=7)
    assert np.array_equal(result.predicted_frame, belief.argmax(axis=1))
    assert result.score == pytest.approx(belief.max(axis=1), abs=1e-6)
    expected = evaluate_predictions(belief.argmax(axis=1), reader.target_frame, 20.0, reader.piece, reader.lookalikes)
    assert {key: result.metrics[key] for key in expected} == expected


def test_batch_size_changes_nothing(small_store):
    results = [evaluate("matched-filter", small_store, batch_size=size) for size in (1, 33, 1000)]
    assert results[0].metrics == results[1].metrics == results[2].metrics


def test_reading_in_blocks_changes_nothing(small_store):
    for limit in (None, 30):
        results = [
            evaluate("matched-filter", small_store, max_pairs=limit, loading=way) for way in ("memory", "blocks")
        ]
        assert results[0].metrics == results[1].metrics and np.array_equal(results[0].score, results[1].score)


def test_fewer_pairs_are_spread_evenly(small_store):
    result = evaluate("matched-filter", small_store, split="train", max_pairs=10)
    assert result.position.tolist() == list(range(0, 160, 16))
    assert evaluate("matched-filter", small_store, split="all", max_pairs=10_000).metrics["pairs"] == 320


def test_unknown_method_split_and_store(small_store, tmp_path):
    with pytest.raises(ValueError, match=r"'guess' is neither a run directory .* nor a baseline; .*matched-filter-5"):
        evaluate("guess", small_store)
    with pytest.raises(ValueError, match="split 'exam'; expected one of train"):
        evaluate("matched-filter", small_store, split="exam")
    with pytest.raises(FileNotFoundError, match="no store at"):
        evaluate("matched-filter", tmp_path / "none.zarr")
    with pytest.raises(FileNotFoundError, match=r"no config.json in"):
        evaluate(tmp_path, small_store)
    with pytest.raises(ValueError, match="batch_size 0"):
        evaluate("matched-filter", small_store, batch_size=0)


def test_a_network_of_other_settings_is_refused(small_store, small_run):
    store, method = open_store(small_store), open_method(small_run, "cpu")
    assert method.spectrogram is not None and method.windows is not None
    check_agreement(method, store)
    gain = store.spectrogram.gain
    for changed, message in (
        (replace(method, spectrogram=replace(method.spectrogram, gain=51.0)), f"spectrogram gain 51.0 against {gain}"),
        (replace(method, windows=replace(method.windows, reference_s=10.0)), "reference frames 200 against 240"),
        (replace(method, windows=replace(method.windows, snippet_s=2.0)), "snippet frames 41 against 27"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(changed, store)


def test_scores_that_are_not_finite_are_refused(small_store):
    broken = Method(
        "broken", "network", "", lambda reference, snippet: np.full(reference.shape[:2], np.nan, np.float32)
    )
    with pytest.raises(ValueError, match="scores of 64 of 64 pairs are not finite"):
        evaluate(broken, small_store)


def test_predictions_as_csv(small_store, tmp_path):
    store = open_store(small_store)
    result = evaluate("matched-filter", store)
    write_predictions(tmp_path / "p.csv", result, store)
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == PREDICTION_COLUMNS and len(rows) == 80
    assert [int(row["row"]) for row in rows] == result.rows.tolist()
    assert np.mean([float(row["error_ms"]) for row in rows]) == pytest.approx(result.metrics["mean_ms"], abs=1e-3)
    assert rows[0]["title"] == "Piece 6"
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_predictions(tmp_path / "none" / "p.csv", result, store)


def test_command_prints_a_table_or_json(small_store, small_run, tmp_path):
    run = CliRunner().invoke
    shown = run(main, ["evaluate", "matched-filter", str(small_store), "--predictions", str(tmp_path / "p.csv")])
    assert shown.exit_code == 0, shown.output
    assert "matched-filter on split test: 80 pairs of 2 pieces" in shown.output and "95 % interval" in shown.output
    assert (tmp_path / "p.csv").exists()
    printed = run(main, ["evaluate", str(small_run), str(small_store), "--split", "validation", "--json"])
    assert printed.exit_code == 0, printed.output
    figures = json.loads(printed.stdout)
    wanted = "method split pairs bucket1 bucket2 within_50ms within_100ms within_250ms beyond_500ms mean_ms median_ms"
    assert set(wanted.split()) < set(figures) and len(figures["ci95"]["mean_ms"]) == 2
    assert figures["method"] == str(small_run) and figures["split"] == "validation"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["guess", "STORE"], "neither a run directory"),
        (["matched-filter", "none.zarr"], "no store at none.zarr"),
        (["matched-filter", "STORE", "--split", "exam"], "split 'exam'"),
        (["matched-filter", "STORE", "--predictions", "none/p.csv"], "there is no folder none"),
    ],
)
def test_command_explains_what_is_wrong(small_store, arguments, message):
    arguments = [str(small_store) if argument == "STORE" else argument for argument in arguments]
    result = CliRunner().invoke(main, ["evaluate", *arguments])
    assert result.exit_code == 2 and message in result.output and "Traceback" not in result.output


def test_baselines_need_no_pytorch(small_store):
    code = (
        "import sys; from sfmodel.evaluation import evaluate; "
        f"evaluate('matched-filter', {str(small_store)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
