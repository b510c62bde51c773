"""Two processes on this machine, as ``torchrun`` starts them."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sfdata.store import open_store
from sfmodel.batch_norm import SharedBatchNorm, share_batch_norm
from sfmodel.checkpoint import load_network, read_tensors
from sfmodel.processes import Processes, joined_processes, speaks_for_all
from sfmodel.progress import read_log
from sfmodel.run import Clock, Run
from sfmodel.settings import TrainingSettings
from sfmodel.training import train

NO_DROPOUT = {"pool_dropout": 0.0, "stack_dropout": 0.0, "head_dropout": 0.0}
NETWORK = {"stack_channels": [[1], [2]], "stack_dense": 2, "dense": [8], **NO_DROPOUT}
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
# 160 pairs in batches of 53: shares of 27 and 26, and a last batch of a single pair, which is left out
CONFIG = """
[training]
model = "middle"
epochs = 2
batch_size = 53
seed = 5
device = "cpu"
[training.network]
stack_channels = [[1], [2]]
stack_dense = 2
dense = [8]
pool_dropout = 0.0
stack_dropout = 0.0
head_dropout = 0.0
"""
SETTINGS = TrainingSettings(model="middle", network=NETWORK, epochs=2, batch_size=53, seed=5, device="cpu")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def torchrun(*arguments, expected: int = 0, **options) -> subprocess.CompletedProcess:
    command = [*TORCHRUN, *(str(argument) for argument in arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, **options)
    assert done.returncode == expected, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def one_process(small_store, tmp_path_factory):
    run_dir, threads = tmp_path_factory.mktemp("one") / "run", torch.get_num_threads()
    torch.set_num_threads(1)
    train(small_store, run_dir, SETTINGS)
    torch.set_num_threads(threads)
    return run_dir


GRADIENTS = f"""
import sys, torch
from sfdata.block_reader import epoch_batches
from sfdata.order import BatchSizes, PairOrder
from sfdata.reader import PairReader
from sfdata.store import open_store
from sfmodel.batches import tensor_batch
from sfmodel.learner import Learner
from sfmodel.processes import joined_processes
from sfmodel.settings import TrainingSettings

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)  # in float32 the sums over a million values differ by some thousandths
store = open_store(sys.argv[1])
with joined_processes() as processes:
    reader = PairReader(store, "train")
    share = {{"rank": processes.rank, "world": processes.world}}
    batch = tensor_batch(next(epoch_batches(reader, PairOrder(reader, 5), BatchSizes(160, 53), 0, **share)))
    assert len(batch) == (53 if processes.world == 1 else 27 - processes.rank)
    for norm, parts in (("all", 1), ("none", 3)):  # without batch norm, parts change nothing
        network = {{**{NETWORK!r}, "batch_norm": norm}}
        settings = TrainingSettings(model="middle", network=network, seed=5)
        learner = Learner(settings.network_settings(store), settings, torch.device("cpu"), torch.float32, processes)
        learner.network.train()
        parts = 1 if processes.world == 1 else parts
        sums = processes.total(learner.step(batch, 0, 0, 1e-3, 53, parts))
        if processes.first:
            found = {{n: p.grad for n, p in learner.network.named_parameters()}}
            found |= {{n: b.clone() for n, b in learner.network.named_buffers()}}
            torch.save((sums, found), sys.argv[2] + norm)
"""
# One start for all: what the first process finds wrong, a whole training, one that stops at once, and the gradients.
TOGETHER = """
import os, runpy, sys
from contextlib import redirect_stderr, redirect_stdout
from glob import glob
from pathlib import Path
from sfmodel.cli import main
from sfmodel.processes import joined_processes

store, config, gradients = sys.argv[1:]
sys.argv = [gradients, store, "two-"]
with joined_processes("cpu"):  # once: commands use what is set up
    for name, more in (("taken", ()), ("whole", ()), ("stopped", ("--resume", "--time-limit", "1e-6"))):
        with open(f"{name}.out.{os.environ['RANK']}", "w") as out, open(f"{name}.err.{os.environ['RANK']}", "w") as err:
            with redirect_stdout(out), redirect_stderr(err):
                try:
                    main(["train", store, "-o", name, "--config", config, "--json", *more])
                except SystemExit as ended:
                    if bool(ended.code) != (name == "taken"):
                        raise
    runpy.run_path(gradients)
threads = [Path(task, "comm").read_text().strip() for task in glob("/proc/self/task/*")]
Path(f"threads.{os.environ['RANK']}").write_text(" ".join(threads))
"""


@pytest.fixture(scope="module")
def two_processes(small_store, tmp_path_factory):
    """The folder in which two processes did what ``TOGETHER`` says."""
    folder = tmp_path_factory.mktemp("two")
    for name, text in (("config.toml", CONFIG), ("gradients.py", GRADIENTS), ("together.py", TOGETHER)):
        (folder / name).write_text(text)
    (folder / "taken").write_text("a file")
    torchrun("together.py", small_store, "config.toml", "gradients.py", cwd=folder)
    return folder


def test_two_processes_follow_the_curve_of_one(one_process, two_processes):
    run_dir = two_processes / "whole"
    summary, told = (
        json.loads((two_processes / "whole.out.0").read_text()),
        (two_processes / "whole.err.0").read_text(),
    )
    assert summary["processes"] == 2 and summary["ended"] == "epochs"
    assert "2 processes" in told and told.count("epoch 1/2:") == 1
    for name in ("whole.out.1", "whole.err.1"):
        assert (two_processes / name).read_text() == "", "the other process is not silent"
    assert json.loads((run_dir / "config.json").read_text())["software"]["processes"] == 2
    for one, two in zip(read_log(one_process), read_log(run_dir), strict=True):
        assert one["step"] == two["step"]
        for name in ("train_loss", "validation_loss"):
            assert two[name] == pytest.approx(one[name], rel=1e-3), name
    one, two = (read_tensors(path / "last.safetensors", "sfmodel-weights")[0] for path in (one_process, run_dir))
    assert one.keys() == two.keys()
    for name in one:
        if "running" in name:
            np.testing.assert_allclose(two[name], one[name], rtol=0.02, atol=0.02, err_msg=name)
    load_network(run_dir)


def test_gradients_are_those_of_the_whole_batch(small_store, two_processes, monkeypatch):
    """Batch norm, shares of unequal size, and parts: after one step every gradient agrees with one process's."""
    monkeypatch.setattr(sys, "argv", ["gradients.py", str(small_store), str(two_processes / "one-")])
    threads, precision = torch.get_num_threads(), torch.get_default_dtype()
    try:
        runpy.run_path(str(two_processes / "gradients.py"))  # one process: this one
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(precision)
    for norm in ("all", "none"):
        (sums, one), (shared_sums, two) = (torch.load(two_processes / f"{name}-{norm}") for name in ("one", "two"))
        assert sums[3] == shared_sums[3] == 53 and torch.allclose(sums, shared_sums, rtol=1e-6)
        assert one.keys() == two.keys() and len(one) > 10
        for name, values in one.items():
            scale = values.abs().max().item()
            assert (two[name] - values).abs().max().item() <= 1e-6 * scale, (norm, name)


def test_stopped_and_resumed_by_another_number_of_processes(one_process, two_processes, small_store):
    run_dir = two_processes / "stopped"
    stopped = json.loads((two_processes / "stopped.out.0").read_text())
    assert stopped["ended"] == "time" and stopped["epochs"] == 1
    train(small_store, run_dir, SETTINGS, resume=True)
    for one, two in zip(read_log(one_process), read_log(run_dir), strict=True):
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-3)


def test_sigterm_stops_all_with_everything_saved(small_store, config, tmp_path):
    run_dir = tmp_path / "run"
    command = [*TORCHRUN, "-m", "sfmodel", "train", small_store, "-o", run_dir, "--config", config]
    process = subprocess.Popen(
        [str(part) for part in (*command, "--epochs", "100000", "--patience", "0")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    while not (run_dir / "last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=90)
    assert "everything is saved" in output[1], output
    epochs = len(read_log(run_dir))
    assert epochs >= 1
    facts = read_tensors(run_dir / "resume.safetensors", "sfmodel-state")[1]
    assert facts["epoch"] == epochs
    assert not list(Path(run_dir).glob(".*tmp"))


def test_what_the_first_process_finds_wrong_ends_all(two_processes):
    """Both gave up, or the fixture would have failed, and each says why."""
    told = [(two_processes / f"taken.err.{rank}").read_text() for rank in (0, 1)]
    assert told[0].startswith("Error: ") and "is a file; expected a folder" in told[0]
    assert "the first process failed: " in told[1] and "is a file; expected a folder" in told[1]
    assert (two_processes / "taken").read_text() == "a file"


@pytest.mark.skipif(sys.platform != "linux", reason="threads are named in /proc")
def test_processes_part_before_they_end(two_processes):
    """A thread of gloo's that the interpreter's end meets may abort the process ("terminate called ...")."""
    for rank in (0, 1):
        threads = (two_processes / f"threads.{rank}").read_text()
        assert threads and "gloo" not in threads


def test_more_processes_than_pairs_of_a_batch(small_store, tmp_path):
    settings = replace(SETTINGS, batch_size=1, network={**NETWORK, "batch_norm": "none"})
    with pytest.raises(
        ValueError, match="batch_size 1 of 160 pairs for 2 processes; expected at least a pair for each"
    ):
        Run(
            open_store(small_store),
            tmp_path,
            settings,
            torch.device("cpu"),
            Processes(0, 2),
            Clock(1, None),
            "auto",
            lambda message: None,
        )


def test_alone_nothing_is_set_up(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with joined_processes() as processes:
        assert processes == Processes(0, 1) and processes.first
        values = torch.ones(2)
        assert processes.total(values) is values
        assert processes.any(True, False) == (True, False)
        assert processes.first_does(lambda: 7) == 7
        assert not torch.distributed.is_initialized()
    assert speaks_for_all()
    monkeypatch.setenv("RANK", "1")
    assert not speaks_for_all()


def test_one_device_is_not_for_several_processes(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ValueError, match="device 'cuda:1' for 2 processes; expected auto, cuda or cpu"):
        joined_processes("cuda:1").__enter__()


def test_more_processes_than_gpus(monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="process 2 of this machine has no GPU of its own: there are 1; start no more"):
        joined_processes().__enter__()


def test_batch_norm_becomes_pytorchs_own_on_gpus():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.BatchNorm1d(2))
    names = network.state_dict().keys()
    shared = share_batch_norm(network, torch.device("cpu"))
    assert isinstance(shared[1], SharedBatchNorm) and isinstance(shared[2], SharedBatchNorm)
    assert shared is network and shared.state_dict().keys() == names
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    share_batch_norm(network, torch.device("cuda"))
    assert isinstance(network[1], torch.nn.SyncBatchNorm)
