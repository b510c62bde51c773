import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from sfdata.build import build
from sfdata.locks import TakenError, only_builder
from sfdata.place import Place
from sfdata.recipe import read_recipe
from sfmodel import sweep_stores
from sfmodel.checkpoint import WEIGHTS_FORMAT as WEIGHTS
from sfmodel.checkpoint import read_tensors
from sfmodel.cli import main
from sfmodel.evaluation import evaluate
from sfmodel.experiment import read_experiment
from sfmodel.progress import read_log
from sfmodel.settings import training_settings
from sfmodel.sweep import run_sweep
from sfmodel.tables import sweep_text
from sfmodel.training import train

ROOT = Path(__file__).parents[2]
EXPERIMENT = """
name = "try"
seeds = [0, 1]
baselines = ["matched-filter"]
[stores.small]
recipe = "small.toml"
[training]
model = "reduced"
epochs = 2
batch_size = 48
device = "cpu"
[training.network]
dense = [8]
[[runs]]
name = "plain"
[[runs]]
name = "pool-4"
network = {pool = 4}
seeds = [0]
"""


@pytest.fixture
def folder(small_store, tmp_path):
    """An experiment whose store is there."""
    (tmp_path / "e.toml").write_text(EXPERIMENT)
    (tmp_path / "small.toml").write_text("name = 'never built'\n")
    shutil.copytree(small_store, tmp_path / "stores" / "small.zarr")
    return tmp_path


def sweep(folder: Path, to: str = "out", **options):
    options = {"stores": folder / "stores", **options}
    return run_sweep(read_experiment(folder / "e.toml"), folder / to, **options)


def weights(run_dir: Path) -> dict:
    tensors = read_tensors(run_dir / "last.safetensors", WEIGHTS)[0]
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


RUNS = ("small/plain/seed-0", "small/pool-4/seed-0", "small/plain/seed-1")


def test_all_runs_are_made_once_and_told(folder, small_store):
    lines: list[str] = []
    result = sweep(folder, log=lines.append)
    out = folder / "out"
    assert not result.failed and not result.left and len(result.results) == 3
    assert lines[0] == "3 runs, 0 of them made already" and sum(": begun" in line for line in lines) == 3
    for name, made in zip(RUNS, result.results, strict=True):
        run_dir = out / "runs" / name
        assert json.loads((run_dir / "result.json").read_text()) == made
        assert made["epochs"] == made["epochs_allowed"] == 2 == len(read_log(run_dir)) and made["ended"] == "epochs"
        assert made["pairs"] == {"train": 160, "validation": 80} and made["length"] == 1
        assert [(entry["store"], entry["split"]) for entry in made["evaluations"]] == [
            ("small", "train"),
            ("small", "test"),
        ]
        found = evaluate(run_dir, small_store, "test").metrics
        assert {key: made["evaluations"][1][key] for key in ("bucket1", "pairs", "mean_ms")} == {
            key: found[key] for key in ("bucket1", "pairs", "mean_ms")
        }
        with (run_dir / "predictions-small-test.csv").open() as file:
            assert len(list(csv.DictReader(file))) == found["pairs"]
    assert weights(out / "runs" / RUNS[0]) != weights(out / "runs" / RUNS[2])
    document = json.loads((out / "sweep.json").read_text())
    assert document["experiment"] == "try" and document["text"] == EXPERIMENT and document["runs"] == result.results
    (baseline,) = document["baselines"]
    assert baseline["bucket1"] == evaluate("matched-filter", small_store, "test").metrics["bucket1"]
    assert (out / "baselines" / "matched-filter-small-test.csv").exists()
    text = sweep_text(result)
    assert "small/plain" in text and "small/matched-filter, test" in text
    # again: nothing is left to do, and nothing is touched
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")}
    lines.clear()
    again = sweep(folder, log=lines.append)
    assert lines == ["3 runs, 3 of them made already"] and again.results == result.results
    assert before == {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")}
    # two at a time give the same
    two = sweep(folder, "two", only=["plain"], jobs=2)
    for name in (RUNS[0], RUNS[2]):
        assert weights(out / "runs" / name) == weights(folder / "two" / "runs" / name)
    assert [run["evaluations"] for run in two.results] == [result.results[n]["evaluations"] for n in (0, 2)]


def test_one_that_fails_stops_no_other(folder):
    text = EXPERIMENT.replace("pool = 4", "batch_norm = 'none'") + "learning_rate = 1e30\n"
    text = text.replace("seeds = [0, 1]", "seeds = [0]")
    (folder / "e.toml").write_text(text)
    result = sweep(folder)
    assert (
        list(result.failed) == ["small/pool-4, seed 0"] and "no longer finite" in result.failed["small/pool-4, seed 0"]
    )
    assert [run["name"] for run in result.results] == ["plain"]
    assert "failed: small/pool-4, seed 0: ValueError: the loss is no longer finite" in sweep_text(result)
    command = ["sweep", str(folder / "e.toml"), "-o", str(folder / "out"), "--stores", str(folder / "stores"), "--json"]
    told = CliRunner().invoke(main, command)
    assert told.exit_code == 1 and "small/pool-4, seed 0" in json.loads(told.stdout)["failed"]


def test_other_settings_are_refused(folder):
    sweep(folder, only=["pool-4"])
    (folder / "e.toml").write_text(EXPERIMENT.replace("epochs = 2", "epochs = 3"))
    with pytest.raises(ValueError, match=r"pool-4/seed-0 was made with other settings .*another folder"):
        sweep(folder)
    with pytest.raises(ValueError, match="made with other settings"):
        sweep(folder, length=0.1)


def test_what_was_made_before_stays_among_the_results(folder):
    sweep(folder, only=["pool-4"])
    both = sweep(folder, only=["plain"])
    document = json.loads((folder / "out" / "sweep.json").read_text())
    assert [run["name"] for run in document["runs"]] == ["plain", "pool-4", "plain"] and not both.left


def test_further_evaluations_need_no_further_training(folder):
    sweep(folder, only=["pool-4"])
    run_dir = folder / "out" / "runs" / RUNS[1]
    before = (run_dir / "last.safetensors").stat().st_mtime_ns
    (folder / "e.toml").write_text(EXPERIMENT.replace("seeds = [0]", 'seeds = [0]\nalso = ["small:validation"]'))
    (run,) = sweep(folder, only=["pool-4"]).results
    assert [entry["split"] for entry in run["evaluations"]] == ["train", "test", "validation"]
    assert (run_dir / "last.safetensors").stat().st_mtime_ns == before


def test_another_store_under_the_same_name_is_refused(folder, write_store):
    sweep(folder, only=["pool-4"])
    shutil.rmtree(folder / "stores" / "small.zarr")
    write_store(folder / "stores" / "small.zarr", ("train",) * 4 + ("test",) * 2, seed=9)
    with pytest.raises(ValueError, match=r"pool-4/seed-0 was made on another store than .*small\.zarr is now"):
        sweep(folder, only=["pool-4"])


def test_runs_end_with_a_sweep_that_is_killed(folder):
    (folder / "e.toml").write_text(LONG.replace("epochs = 20", "epochs = 3000"))
    out, run_dir = folder / "out", folder / "out" / "runs" / RUNS[0]
    command = [sys.executable, "-m", "sfmodel", "sweep", folder / "e.toml", "-o", out, "--stores", folder / "stores"]
    command += ["--only", "plain"]
    process = subprocess.Popen([str(part) for part in command], start_new_session=True)
    deadline = time.monotonic() + 90
    while not (run_dir / "resume.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    while time.monotonic() < deadline:
        try:
            with only_builder(Place(run_dir)):
                break
        except TakenError:  # its run is still saving
            time.sleep(0.1)
    else:
        pytest.fail("the run went on without its sweep")
    assert 1 <= len(read_log(run_dir)) < 3000


def test_limits_of_time_and_length(folder):
    result = sweep(folder, only=["pool-4"], length=0.5, time_limit_s=1e-6)
    (run,) = result.results
    assert run["ended"] == "time" and run["epochs"] == 0 and run["evaluations"] == []
    assert "pool-4" not in sweep_text(result)
    result = sweep(folder, only=["pool-4"], length=0.5)  # goes on
    (run,) = result.results
    assert run["ended"] == "epochs" and run["epochs"] == run["epochs_allowed"] == 1 and run["length"] == 0.5


def test_what_another_sweep_is_at_is_left_to_it(folder):
    with only_builder(Place(folder / "out" / "runs" / RUNS[1])):
        result = sweep(folder, only=["pool-4"])
    assert result.left == ["small/pool-4, seed 0"] and not result.results and not result.failed
    assert "not made: small/pool-4, seed 0" in sweep_text(result)


@pytest.fixture(scope="module")
def long_run(small_store, tmp_path_factory):
    """The run that one which is stopped must equal."""
    settings = read_settings_of(LONG)
    run_dir, threads = tmp_path_factory.mktemp("long") / "run", torch.get_num_threads()
    torch.set_num_threads(1)
    train(small_store, run_dir, settings)
    torch.set_num_threads(threads)
    return run_dir


LONG = EXPERIMENT.replace("epochs = 2", "epochs = 20\npatience = 0").replace("seeds = [0, 1]", "seeds = [0]")


def read_settings_of(text: str):
    settings = training_settings(tomllib.loads(text)["training"])
    return replace(settings, seed=0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_goes_on(folder, long_run, number):
    (folder / "e.toml").write_text(LONG)
    out = folder / "out"
    command = [sys.executable, "-m", "sfmodel", "sweep", folder / "e.toml", "-o", out, "--stores", folder / "stores"]
    command += ["--only", "plain"]
    process = subprocess.Popen(
        [str(part) for part in command], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 90
    while not (out / "runs" / RUNS[0] / "resume.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    if number == signal.SIGTERM:
        process.terminate()  # its runs are not told, as they are by Ctrl-C
    else:
        os.killpg(process.pid, number)
    _, told = process.communicate(timeout=90)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130), told
    assert number == signal.SIGKILL or "the same command goes on" in told
    assert not (out / "runs" / RUNS[0] / "result.json").exists()
    assert 1 <= len(read_log(out / "runs" / RUNS[0])) < 20
    sweep(folder, only=["plain"])
    assert read_tensors(out / "runs" / RUNS[0] / "last.safetensors", WEIGHTS)[1]["epoch"] == 20
    assert weights(long_run) == weights(out / "runs" / RUNS[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["no"]}, "only no, jobs 1, length 1.0; expected some of plain, pool-4"),
        ({"jobs": 0}, "jobs 0"),
        ({"length": 1.5}, "length 1.5"),
    ],
)
def test_impossible_wishes(folder, options, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        sweep(folder, **options)


def test_a_damaged_result_is_told(folder):
    (folder / "out" / "runs" / RUNS[0]).mkdir(parents=True)
    (folder / "out" / "runs" / RUNS[0] / "result.json").write_text("{")
    with pytest.raises(ValueError, match=r"result\.json is no result of a run .*remove it"):
        sweep(folder)


def test_stores_are_built_where_they_are_not_there(folder, tmp_path):
    midi = ROOT / "sfdata" / "shipped" / "giantmidi"
    (folder / "small.toml").write_text(
        f"name = 'built'\n[[sources]]\nmidi = '{next(iter(sorted(midi.glob('Scarlatti*'))))}'\nlicence = 'CC-BY-4.0'\n"
    )
    shutil.rmtree(folder / "stores")
    lines: list[str] = []
    made = sweep_stores.prepare_stores(read_experiment(folder / "e.toml"), folder / "stores", log=lines.append)
    assert lines == ["store small: building from small.toml"]
    build(read_recipe(folder / "small.toml"), tmp_path / "other.zarr")
    assert (made["small"] / "zarr.json").read_bytes() == (tmp_path / "other.zarr" / "zarr.json").read_bytes()


def test_stores_of_maps_take_stand_ins_or_maps_itself(tmp_path):
    (tmp_path / "r.toml").write_text(
        "name = 'maps'\n[maps]\nreferences = 'AkPnCGdD'\nsnippets = ['AkPnCGdD']\nsubsets = ['ISOL/CH']\n"
        "[maps.stand_ins.AkPnCGdD]\ncode = 'StandIn'\nsoundfont = 'timgm6mb:1'\n"
    )
    (tmp_path / "e.toml").write_text(EXPERIMENT.replace("small.toml", "r.toml"))
    experiment, lines = read_experiment(tmp_path / "e.toml"), []
    sweep_stores.prepare_stores(experiment, tmp_path / "stores", log=lines.append)
    assert lines[-1] == "store small: StandIn stands in for AkPnCGdD"
    # in place of MAPS, what was just made, under MAPS's own code
    maps = tmp_path / "MAPS"
    for path in (tmp_path / "stores" / "maps-like").rglob("MAPS_*"):
        (maps / "AkPnCGdD").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, maps / "AkPnCGdD" / path.name.replace("StandIn", "AkPnCGdD"))
    lines.clear()
    sweep_stores.prepare_stores(experiment, tmp_path / "real", maps, log=lines.append)
    assert lines == ["store small: building from r.toml"]


def test_the_command_has_help_and_reads_durations(folder):
    told = CliRunner().invoke(main, ["sweep", "--help"])
    assert told.exit_code == 0 and "Example: sfmodel sweep" in told.output
    told = CliRunner().invoke(main, ["sweep", str(folder / "e.toml"), "-o", str(folder), "--time-limit", "soon"])
    assert told.exit_code == 2 and "expected seconds, or a number with s, m or h" in told.stderr
