"""Phases, saving in mid-epoch, and limits of time."""

import json
import signal
from dataclasses import replace

import pytest
import torch

from sfmodel import run as run_module
from sfmodel.checkpoint import read_tensors
from sfmodel.progress import LOG_COLUMNS, read_log
from sfmodel.run import Clock
from sfmodel.settings import TrainingSettings
from sfmodel.training import train

TINY = {"stack_channels": [[1], [2]], "stack_dense": 2, "dense": [8]}
SETTINGS = TrainingSettings(model="middle", network=TINY, epochs=2, batch_size=48, seed=5, device="cpu")
STEPS = 4  # of 160 pairs


# Four steps a phase, of two epochs each; phases end in different ways.
PHASES = ({"epochs": 2, "batch_size": 80}, {"epochs": 2, "batch_size": 100, "learning_rate": 0.01}, {"epochs": 1})


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(one_thread, small_store, tmp_path_factory):
    """The run that was not interrupted."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    train(small_store, run_dir, SETTINGS)
    return run_dir


@pytest.fixture(scope="module")
def whole_in_phases(one_thread, small_store, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("phases") / "run"
    train(small_store, run_dir, replace(SETTINGS, phases=PHASES))
    return run_dir


def weights(run_dir):
    return read_tensors(run_dir / "last.safetensors", "sfmodel-weights")[0]


def same_weights(one, other):
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def columns(run_dir, *names):
    return [tuple(row[name] for name in names) for row in read_log(run_dir)]


def test_phases_follow_each_other(whole, small_store, tmp_path):
    phases = (
        {"epochs": 2},
        {"epochs": 1, "batch_size": 80, "learning_rate": 0.01},
        {"epochs": 2, "batch_size": 160, "weight_decay": 0.1},
    )
    settings = replace(SETTINGS, phases=phases)
    lines: list[str] = []
    summary = train(small_store, tmp_path / "run", settings, log=lines.append)
    assert summary["epochs"] == settings.total_epochs == 5 and summary["ended"] == "epochs"
    assert columns(tmp_path / "run", "epoch", "phase", "step", "learning_rate") == [
        (1, 1, 4, 0.001),
        (2, 1, 8, 0.001),
        (3, 2, 10, 0.01),
        (4, 3, 11, 0.001),
        (5, 3, 12, 0.001),
    ]
    assert "phase 2 of 3: at most 1 epochs, batches of 80, learning rate 0.01" in lines
    assert any(line.startswith("epoch 4/5: ") for line in lines)
    # the first phase is a training by itself, of which the others make the best
    names = [name for name in LOG_COLUMNS if name not in ("pairs_per_s", "seconds")]
    assert columns(whole, *names) == columns(tmp_path / "run", *names)[:2]


@pytest.mark.parametrize("stopped_after", [3, 4, 5, 8, 9, 10])
def test_stopped_anywhere_among_phases_and_resumed(whole_in_phases, small_store, tmp_path, monkeypatch, stopped_after):
    settings = replace(SETTINGS, phases=PHASES)
    with monkeypatch.context() as patch:
        step, done = run_module.Learner.step, 0

        def counted(*arguments):
            nonlocal done
            done += 1
            if done == stopped_after:
                signal.raise_signal(signal.SIGINT)
            return step(*arguments)

        patch.setattr(run_module.Learner, "step", counted)
        assert train(small_store, tmp_path / "run", settings)["ended"] == "interrupted"
    assert train(small_store, tmp_path / "run", settings, resume=True)["ended"] == "epochs"
    assert same_weights(whole_in_phases, tmp_path / "run")
    names = [name for name in LOG_COLUMNS if name not in ("pairs_per_s", "seconds")]
    assert columns(whole_in_phases, *names) == columns(tmp_path / "run", *names)


def test_patience_ends_a_phase_and_the_last_one_ends_the_run(small_store, tmp_path):
    still = {**TINY, "batch_norm": "none"}  # and a rate this low: no epoch is better than the first
    phases = (
        {"epochs": 9, "patience": 2},
        {"epochs": 9, "patience": 3, "plateau_patience": 1, "plateau_factor": 0.1},
        {"epochs": 2, "patience": None, "plateau_patience": None},
    )
    settings = replace(SETTINGS, network=still, learning_rate=1e-30, phases=phases)
    assert train(small_store, tmp_path / "run", settings)["ended"] == "epochs"
    rows = columns(tmp_path / "run", "phase", "learning_rate")
    assert [phase for phase, _ in rows] == [1] * 3 + [2] * 3 + [3] * 2
    assert [rate for _, rate in rows] == pytest.approx([1e-30] * 4 + [1e-31, 1e-32] + [1e-30] * 2, rel=1e-9, abs=0)


def test_phases_cannot_change_on_resuming(small_store, tmp_path):
    settings = replace(SETTINGS, phases=({"epochs": 1}, {"epochs": 1, "batch_size": 80}))
    train(small_store, tmp_path / "run", settings)
    with pytest.raises(ValueError, match="training phases was"):
        train(small_store, tmp_path / "run", replace(settings, phases=({"epochs": 1}, {"epochs": 2})), resume=True)


def test_a_config_from_before_phases_resumes(small_store, tmp_path):
    run_dir = tmp_path / "run"
    train(small_store, run_dir, replace(SETTINGS, epochs=1))
    config = json.loads((run_dir / "config.json").read_text())
    for name in ("phases", "accumulate", "compile"):
        del config["training"][name]
    (run_dir / "config.json").write_text(json.dumps(config))
    assert train(small_store, run_dir, SETTINGS, resume=True)["epochs"] == 2


def test_a_log_from_before_phases_is_read(small_store, tmp_path):
    (tmp_path / "log.csv").write_text(
        ",".join(name for name in LOG_COLUMNS if name != "phase") + "\n" + ",".join(["1"] * 11) + "\n"
    )
    assert read_log(tmp_path) == [dict.fromkeys(LOG_COLUMNS, 1.0)]


def test_killed_in_mid_epoch_a_run_goes_on_where_it_last_saved(whole, small_store, tmp_path, train_and_kill):
    """Saved after every batch and killed in the third of the first epoch, none of whose files is there yet."""
    run_dir = tmp_path / "run"
    train_and_kill(small_store, run_dir, SETTINGS, 3, save_every_s=1e-9)
    facts = read_tensors(run_dir / "resume.safetensors", "sfmodel-state")[1]
    assert (facts["epoch"], facts["step"], facts["sums"][3]) == (0, 2, 96)
    lines: list[str] = []
    train(small_store, run_dir, SETTINGS, resume=True, log=lines.append)
    assert "resumed at epoch 1, batch 3" in lines[0]
    assert same_weights(whole, run_dir)
    names = ("epoch", "step", "train_loss", "train_bucket1", "validation_loss")
    assert columns(whole, *names) == columns(run_dir, *names)


def test_time_runs_out_again_and_again(whole, small_store, tmp_path):
    run_dir, ended, rounds = tmp_path / "run", "time", 0
    while ended == "time":
        summary = train(small_store, run_dir, SETTINGS, resume=True, time_limit_s=1e-9)
        ended, rounds = summary["ended"], rounds + 1
    assert ended == "epochs" and rounds == 2 * STEPS  # the fourth batch and the validation are one call
    assert same_weights(whole, run_dir)


def test_impossible_times():
    with pytest.raises(ValueError, match="save_every_s 0, time_limit_s None; expected more than 0"):
        Clock(0, None)
    with pytest.raises(ValueError, match="time_limit_s -1"):
        Clock(1, -1)
