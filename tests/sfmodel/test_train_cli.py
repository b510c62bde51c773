import json
import subprocess
import sys
from dataclasses import fields, replace

import click
import pytest
from click.testing import CliRunner

from sfmodel import training
from sfmodel.cli import main
from sfmodel.settings import NO_DROPOUT, TrainingSettings


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_is_fast_and_imports_nothing_heavy():
    code = "import sys, sfmodel.cli; sys.exit(any(m in sys.modules for m in ('torch', 'zarr', 'numpy', 'librosa')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_without_pytorch_the_install_line_is_told(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None; from sfmodel.cli import main; main(['train', 's.zarr', '-o', 'run'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2 and "pip install 'sfdata[model]'" in result.stderr


@pytest.mark.parametrize(
    "name", [*("models", "train", "export", "predict", "evaluate", "benchmark"), *("follow", "align", "train-follower")]
)
def test_every_command_has_help_and_an_example(name):
    result = run(name, "--help")
    assert result.exit_code == 0 and f"Example: sfmodel {name}" in result.output
    command = main.commands[name]
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_models_as_text_and_json():
    rows = json.loads(run("models", "--json").output)
    assert [row["name"] for row in rows[:6]] == ["bundled", "follow", "reduced", "middle", "full", "match"]
    assert [row["name"] for row in rows if row["bundled"]] == ["bundled", "follow"]
    assert all(set(row) == {"name", "parameters", "bundled", "description"} for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert by_name["full"]["parameters"] > 10_000_000 and by_name["matched-filter"]["parameters"] == 0
    assert "Table II" in run("models").output


def test_train_writes_a_run_and_sums_it_up(small_store, tmp_path):
    options = ("--epochs", 1, "--pool", 4, "--device", "cpu")
    result = run("train", small_store, "-o", tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    assert "best is epoch 1" in result.stdout and "160 pairs to train on" in result.stderr
    assert run("train", small_store, "-o", tmp_path / "run", *options).exit_code == 2
    result = run("train", small_store, "-o", tmp_path / "run", *options, "--resume", "--json")
    summary = json.loads(result.stdout)
    assert result.exit_code == 0 and summary["ended"] == "epochs" and summary["epochs"] == 1


def test_train_makes_exactly_this_call(tmp_path, monkeypatch):
    calls = []

    def record(*arguments, **options):
        calls.append((arguments, options))
        return {"ended": "epochs", "best": {"epoch": 1}, "epochs": 1, "seconds": 1.0}

    monkeypatch.setattr(training, "train", record)
    assert run("train", "s.zarr", "-o", tmp_path).exit_code == 0
    (store, run_dir, settings), options = calls[0]
    assert (str(store), run_dir) == ("s.zarr", tmp_path)
    assert settings == TrainingSettings(), "the command's defaults are not the library's"
    assert options["loading"] == "auto"
    assert not options["resume"] and not options["overwrite"] and options["progress"]
    changes = "--batch-norm stacks --no-dropout --patience 0 --plateau 3 --pinned-windows --seed 4 --tensorboard"
    changes += " --shuffle-mib 64 --loading blocks"
    assert run("train", "s.zarr", "-o", tmp_path, *changes.split(), "--overwrite", "--json").exit_code == 0
    settings, options = calls[1][0][2], calls[1][1]
    assert settings == TrainingSettings(
        network={"batch_norm": "stacks", **NO_DROPOUT},
        patience=None,
        plateau_patience=3,
        fresh_windows=False,
        shuffle_mib=64,
        seed=4,
        tensorboard=True,
    )
    assert options["loading"] == "blocks"
    assert options["overwrite"] and not options["progress"]


def test_a_config_gives_way_to_options_and_goes_before_their_defaults(tmp_path, monkeypatch):
    calls = []

    def record(*arguments, **options):
        calls.append(arguments[2])
        return {"ended": "time", "best": None, "epochs": 0, "seconds": 1.0}

    monkeypatch.setattr(training, "train", record)
    config = tmp_path / "c.toml"
    config.write_text(
        "name = 'whatever'\n[training]\nmodel = 'full'\nbatch_size = 3\npatience = 0\nseed = 3\n"
        "[training.network]\npool = 4\ndense = [8]\n"
        "[[training.phases]]\nepochs = 2\n[[training.phases]]\nepochs = 1\nbatch_size = 10\n"
    )
    assert run("train", "s.zarr", "-o", tmp_path, "--config", config).exit_code == 0
    phases = ({"epochs": 2}, {"epochs": 1, "batch_size": 10})
    network = {"pool": 4, "dense": [8]}
    expected = TrainingSettings(model="full", network=network, batch_size=3, patience=None, seed=3, phases=phases)
    assert calls[0] == expected
    assert run("train", "s.zarr", "-o", tmp_path, "--config", config, "--seed", 0, "--pool", 2).exit_code == 0
    assert calls[1] == replace(expected, seed=0, network={"pool": 2, "dense": [8]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 3", "has no table [training]; it has epochs"),
        ("[training]\nepoch = 3", "[training] has no key epoch; expected some of model, network"),
        ("[training]\nepochs = '3'", "[training] epochs = '3'; expected int"),
        ("[training]\nepochs = true", "[training] epochs = True; expected int"),
        ("[training]\nphases = [1]", "[training] phases = [1]; expected an array of tables"),
        ("[[training.phases]]\nbatch_size = 3", "training: phase 1 has batch_size; expected epochs, and some of"),
        ("[[training.phases]]\nepochs = 1\nbatch_size = 0", "training: batch_size 0; expected at least 1"),
        ("[training]\naccumulate = 99", "accumulate 99 parts of batches of 64; expected no more parts than pairs"),
        ("training = ", "is no TOML"),
    ],
)
def test_wrong_configs_end_with_2_and_say_why(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    result = run("train", "s.zarr", "-o", tmp_path / "run", "--config", tmp_path / "c.toml")
    assert result.exit_code == 2 and message in result.stderr and "c.toml" in result.stderr


def test_a_config_that_is_not_there(tmp_path):
    result = run("train", "s.zarr", "-o", tmp_path / "run", "--config", tmp_path / "none.toml")
    assert result.exit_code == 2 and "none.toml" in result.stderr


def test_every_setting_can_be_reached():
    options = {option.name for option in main.commands["train"].params} | {"phases"}  # by a config only
    renamed = {"network": "batch_norm", "plateau_patience": "plateau"}
    assert {renamed.get(f.name, f.name) for f in fields(TrainingSettings)} <= options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "huge"], "Error: no network named 'huge'; expected one of reduced, middle, full"),
        (["--batch-norm", "some"], "expected one of all, none, stacks, concatenation"),
        (["--device", "abacus"], "Error: device 'abacus'; expected auto, cpu"),
        (["--loading", "disk"], "Error: loading 'disk'; expected one of auto, memory, blocks"),
        (["--precision", "int4"], "expected auto, float32, bfloat16, float16"),
        (["--epochs", "0"], "Error: training: epochs 0; expected at least 1"),
        (["--epochs", "many"], "'many' is not a valid integer"),
    ],
)
def test_wrong_options_end_with_2_and_say_why(small_store, tmp_path, options, message):
    result = run("train", small_store, "-o", tmp_path / "run", *options)
    assert result.exit_code == 2 and message in result.stderr
    assert "Traceback" not in result.output and not (tmp_path / "run").exists()


def test_a_store_that_is_not_there_ends_with_2(tmp_path):
    result = run("train", tmp_path / "nothing.zarr", "-o", tmp_path / "run")
    assert result.exit_code == 2 and "Error: no store at" in result.stderr


def test_an_interrupted_run_says_how_to_go_on(tmp_path, monkeypatch):
    summary = {"ended": "interrupted", "best": None, "epochs": 0, "seconds": 1.0}
    monkeypatch.setattr(training, "train", lambda *arguments, **options: summary)
    result = run("train", "s.zarr", "-o", tmp_path, "--json")
    assert result.exit_code == 130 and "--resume" in result.stderr
    assert json.loads(result.stdout)["ended"] == "interrupted"
