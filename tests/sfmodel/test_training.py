import csv
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from sfdata.block_reader import epoch_batches
from sfdata.order import BatchSizes, PairOrder
from sfdata.reader import PairReader
from sfdata.store import open_store
from sfdata.windows import nearest_frame, soft_target_buckets
from sfmodel import learner, run
from sfmodel.batches import device_batches, tensor_batch
from sfmodel.checkpoint import load_network, read_tensors
from sfmodel.devices import available_bytes, choose_device, choose_precision
from sfmodel.memory import activation_values, estimate_memory
from sfmodel.networks import default_settings, predict_proba
from sfmodel.progress import LOG_COLUMNS, read_log
from sfmodel.settings import SCHEDULES, TrainingSettings
from sfmodel.training import train

# Dropout and batch norm in, so that both have to come back right; 160 pairs in batches of 48 leave an uneven one.
TINY = {"stack_channels": [[1], [2]], "stack_dense": 2, "dense": [8]}
SETTINGS = TrainingSettings(model="middle", network=TINY, epochs=3, batch_size=48, seed=5, device="cpu")
STEPS = 4


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def changed(**changes):
    return replace(SETTINGS, **changes)


def weights(run_dir: Path, which: str = "last") -> dict:
    return read_tensors(run_dir / f"{which}.safetensors", "sfmodel-weights")[0]


def same_weights(one: Path, other: Path) -> bool:
    for which in ("last", "best"):
        a, b = weights(one, which), weights(other, which)
        if a.keys() != b.keys() or not all(torch.equal(a[name], b[name]) for name in a):
            return False
    return True


def log_without_times(run_dir: Path) -> list:
    return [{k: v for k, v in row.items() if k not in ("pairs_per_s", "seconds")} for row in read_log(run_dir)]


@pytest.fixture(scope="module")
def whole_run(small_store, tmp_path_factory):
    """The run that every resumed one must equal."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lines: list[str] = []
    summary = train(small_store, run_dir, SETTINGS, log=lines.append)
    torch.set_num_threads(threads)
    return run_dir, summary, lines


def stop_after(monkeypatch, batches: int, act):
    """Do something in the middle of the batch with that number, counting from one."""
    done = 0
    loss = learner.soft_target_loss

    def counted(*arguments):
        nonlocal done
        done += 1
        if done == batches:
            act()
        return loss(*arguments)

    monkeypatch.setattr(learner, "soft_target_loss", counted)


def test_a_run_leaves_what_it_promises(whole_run, small_store):
    run_dir, summary, lines = whole_run
    names = {path.name for path in run_dir.iterdir()}
    assert names == {"config.json", "best.safetensors", "last.safetensors", "resume.safetensors", "log.csv"}
    config = json.loads((run_dir / "config.json").read_text())
    assert config["store"]["path"] == str(small_store) and config["store"]["spectrogram"]["frame_rate_hz"] == 20.0
    assert config["training"]["batch_size"] == 48 and config["network"]["name"] == "middle"
    assert config["software"]["torch"] == torch.__version__
    with (run_dir / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == LOG_COLUMNS and [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [int(row["step"]) for row in rows] == [STEPS, 2 * STEPS, 3 * STEPS]
    assert summary["ended"] == "epochs" and summary["pairs"] == {"train": 160, "validation": 80}
    assert summary["best"]["validation_loss"] == min(float(row["validation_loss"]) for row in rows)
    assert "160 pairs to train on, 80 to validate, on cpu in float32" in lines[0]
    assert "memory: about" in lines[1] and "MiB are free on cpu" in lines[1]
    assert len(lines) == 5 and lines[2].startswith("epoch 1/3: loss 5.")


def test_logged_validation_is_that_of_the_saved_weights(whole_run, small_store):
    run_dir, _, _ = whole_run
    network, config = load_network(run_dir, "last")
    reader = PairReader(open_store(small_store), "validation")
    batch = reader.batch(slice(None))
    probability = predict_proba(network, batch.reference, batch.snippet)
    buckets, share = soft_target_buckets(batch.target_frame, 240)
    predicted = probability.argmax(1)
    loss = -(share * np.log(np.take_along_axis(probability, buckets, 1))).sum(1).mean()
    row = read_log(run_dir)[-1]
    assert row["validation_loss"] == pytest.approx(loss, rel=1e-4)
    assert row["validation_bucket1"] == pytest.approx((predicted == nearest_frame(batch.target_frame)).mean())
    hits = ((predicted[:, None] == buckets) & (share > 0)).any(1)
    assert row["validation_bucket2"] == pytest.approx(hits.mean())
    assert config["checkpoint"]["validation_loss"] == row["validation_loss"]


def test_the_same_seed_gives_the_same_weights(whole_run, small_store, tmp_path):
    generator_before = torch.get_rng_state()
    train(small_store, tmp_path / "again", SETTINGS)
    assert same_weights(whole_run[0], tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), generator_before), "the caller's generator was touched"
    train(small_store, tmp_path / "other", changed(seed=6, epochs=1))
    assert not torch.equal(weights(tmp_path / "other")["head.0.weight"], weights(whole_run[0])["head.0.weight"])


# Batches 5 to 8 are the second epoch's; 4 is the last of the first; validation adds one call per epoch.
@pytest.mark.parametrize("calls", [1, 4, 5, 7, 11])
def test_interrupted_and_resumed_equals_uninterrupted(whole_run, small_store, tmp_path, monkeypatch, calls):
    run_dir = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, calls, lambda: signal.raise_signal(signal.SIGINT))
        summary = train(small_store, run_dir, SETTINGS)
    assert summary["ended"] == "interrupted" and summary["epochs"] < 3
    lines: list[str] = []
    resumed = train(small_store, run_dir, SETTINGS, resume=True, log=lines.append)
    assert "resumed at epoch" in lines[0]
    assert resumed["ended"] == "epochs"
    assert same_weights(whole_run[0], run_dir)
    assert log_without_times(run_dir) == log_without_times(whole_run[0])


def test_interrupted_again_and_again(whole_run, small_store, tmp_path, monkeypatch):
    run_dir, ended, rounds = tmp_path / "run", "interrupted", 0
    while ended == "interrupted":
        with monkeypatch.context() as patch:
            stop_after(patch, 3, lambda: signal.raise_signal(signal.SIGTERM))
            ended = train(small_store, run_dir, SETTINGS, resume=True)["ended"]
        rounds += 1
    assert rounds >= 4
    assert same_weights(whole_run[0], run_dir)


def test_killed_and_resumed_equals_uninterrupted(whole_run, small_store, tmp_path, train_and_kill):
    """Kill -9 in the middle of the second epoch: the state of the first one is there, and enough."""
    run_dir = tmp_path / "run"
    train_and_kill(small_store, run_dir, SETTINGS, STEPS + 2)
    assert len(read_log(run_dir)) == 1
    train(small_store, run_dir, SETTINGS, resume=True)
    assert same_weights(whole_run[0], run_dir)
    assert log_without_times(run_dir) == log_without_times(whole_run[0])


def test_an_error_in_between_leaves_a_run_that_resumes(whole_run, small_store, tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        stop_after(patch, 7, fail)
        with pytest.raises(RuntimeError, match="power cut"):
            train(small_store, tmp_path / "run", SETTINGS)
    train(small_store, tmp_path / "run", SETTINGS, resume=True)
    assert same_weights(whole_run[0], tmp_path / "run")


@pytest.fixture(scope="module")
def large_split(write_store, tmp_path_factory):
    """A store with splits of several groups of a MiB: 13 pieces of half a MiB and few pairs."""
    path = tmp_path_factory.mktemp("large") / "large.zarr"
    return write_store(path, ("train",) * 10 + ("validation",) * 3, notes=24, gap_s=(2.0, 4.0))


LARGE = replace(SETTINGS, batch_size=16, shuffle_mib=1, epochs=2)  # 15 batches an epoch, and one of validation


@pytest.fixture(scope="module")
def run_in_memory(large_split, tmp_path_factory):
    run_dir, lines, threads = tmp_path_factory.mktemp("memory") / "run", [], torch.get_num_threads()
    torch.set_num_threads(1)
    train(large_split, run_dir, LARGE, log=lines.append)
    torch.set_num_threads(threads)
    assert "MiB in memory" in lines[0]
    return run_dir


def test_blocks_give_the_weights_that_memory_gives(large_split, run_in_memory, tmp_path):
    lines: list[str] = []
    train(large_split, tmp_path / "run", LARGE, loading="blocks", log=lines.append)
    assert "MiB read in blocks" in lines[0]
    assert same_weights(run_in_memory, tmp_path / "run")
    assert log_without_times(run_in_memory) == log_without_times(tmp_path / "run")
    train(large_split, tmp_path / "other", replace(LARGE, shuffle_mib=2))
    assert not same_weights(run_in_memory, tmp_path / "other")
    with pytest.raises(ValueError, match="training shuffle_mib was 2, is 1"):
        train(large_split, tmp_path / "other", LARGE, resume=True)


@pytest.mark.parametrize(("calls", "then"), [(3, "blocks"), (12, "memory"), (20, "blocks")])
def test_interrupted_among_blocks_and_resumed(large_split, run_in_memory, tmp_path, monkeypatch, calls, then):
    run_dir = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, calls, lambda: signal.raise_signal(signal.SIGINT))
        assert train(large_split, run_dir, LARGE, loading="blocks")["ended"] == "interrupted"
    train(large_split, run_dir, LARGE, loading=then, resume=True)
    assert same_weights(run_in_memory, run_dir)
    assert log_without_times(run_dir) == log_without_times(run_in_memory)


def test_what_does_not_fit_is_read_in_blocks(large_split, tmp_path, monkeypatch):
    monkeypatch.setattr("sfmodel.loading.free_for_frames", lambda: 5 * 2**20)
    lines: list[str] = []
    train(large_split, tmp_path / "run", replace(LARGE, epochs=1), log=lines.append)
    assert "MiB read in blocks" in lines[0]


@pytest.mark.parametrize("loading", ["memory", "blocks"])
def test_damaged_frames_stop_a_training(large_split, tmp_path, loading):
    damaged = tmp_path / "damaged.zarr"
    shutil.copytree(large_split, damaged)
    frames = zarr.open_group(damaged, mode="r+")["frames"]
    frames[700, 3] = 7  # within the first piece
    with pytest.raises(ValueError, match=r"rendition \d+ differs from its recorded sha256; the store is damaged"):
        train(damaged, tmp_path / "run", replace(LARGE, epochs=1), loading=loading)


def test_unknown_loading(small_store, tmp_path):
    with pytest.raises(ValueError, match="loading 'disk'; expected one of auto, memory, blocks"):
        train(small_store, tmp_path / "run", SETTINGS, loading="disk")


def test_more_epochs_extend_a_run(whole_run, small_store, tmp_path):
    run_dir = tmp_path / "run"
    train(small_store, run_dir, changed(epochs=1))
    assert train(small_store, run_dir, changed(epochs=1), resume=True)["ended"] == "epochs"  # nothing left to do
    train(small_store, run_dir, SETTINGS, resume=True)
    assert same_weights(whole_run[0], run_dir)


def test_cosine_resumes_but_cannot_be_extended(small_store, tmp_path, monkeypatch):
    settings = changed(schedule="cosine", epochs=2)
    train(small_store, tmp_path / "whole", settings)
    rows = read_log(tmp_path / "whole")
    assert rows[0]["learning_rate"] > rows[1]["learning_rate"] > 0
    with monkeypatch.context() as patch:
        stop_after(patch, 6, lambda: signal.raise_signal(signal.SIGINT))
        train(small_store, tmp_path / "run", settings)
    with pytest.raises(ValueError, match="training epochs was 2, is 3"):
        train(small_store, tmp_path / "run", changed(schedule="cosine", epochs=3), resume=True)
    train(small_store, tmp_path / "run", settings, resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "run")


def test_schedules_by_hand():
    assert [SCHEDULES["constant"](step, 100) for step in (0, 99)] == [1.0, 1.0]
    cosine = SCHEDULES["cosine"]
    assert cosine(0, 100) == pytest.approx(0.2) and cosine(50, 100) == pytest.approx(0.5)
    assert cosine(4, 100) > 0.99 and 0 < cosine(99, 100) < 0.001
    assert cosine(0, 1) == 1.0


def test_resuming_refuses_other_settings_and_stores(write_store, whole_run, small_store, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(whole_run[0], run_dir)
    with pytest.raises(ValueError, match=r"learning_rate was 0\.001, is 0\.01.*take another folder"):
        train(small_store, run_dir, changed(learning_rate=0.01), resume=True)
    with pytest.raises(ValueError, match=r"network pool was 2, is 3"):
        train(small_store, run_dir, changed(network={**TINY, "pool": 3}), resume=True)
    other = write_store(tmp_path / "other.zarr", ("train", "validation"), notes=30, seed=3)
    with pytest.raises(ValueError, match=r"store pairs was 320, is 60; store sha256 was"):
        train(other, run_dir, SETTINGS, resume=True)
    moved = tmp_path / "moved.zarr"
    shutil.copytree(small_store, moved)
    assert train(moved, run_dir, SETTINGS, resume=True)["ended"] == "epochs"  # only its place differs


def test_a_damaged_state_is_refused(whole_run, small_store, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(whole_run[0], run_dir)
    path = run_dir / "resume.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"resume\.safetensors .* is damaged"):
        train(small_store, run_dir, changed(epochs=4), resume=True)


def test_a_run_is_not_overwritten_by_accident(whole_run, small_store, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(whole_run[0], run_dir)
    with pytest.raises(ValueError, match="holds a run already; take --resume, --overwrite or another folder"):
        train(small_store, run_dir, SETTINGS)
    (run_dir / "notes.txt").write_text("mine")
    summary = train(small_store, run_dir, changed(epochs=1), overwrite=True)
    assert summary["epochs"] == 1 and len(read_log(run_dir)) == 1 and (run_dir / "notes.txt").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file; expected a folder"):
        train(small_store, tmp_path / "file", SETTINGS)


def test_patience_ends_a_run_and_plateaus_lower_the_rate(small_store, tmp_path):
    # A rate this low changes nothing, and without batch norm nothing else does: no epoch is better than the first.
    still = {**TINY, "batch_norm": "none"}
    settings = changed(
        epochs=12, learning_rate=1e-30, patience=4, plateau_patience=2, plateau_factor=0.1, network=still
    )
    summary = train(small_store, tmp_path / "run", settings)
    rows = read_log(tmp_path / "run")
    assert summary["ended"] == "patience" and summary["best"]["epoch"] == 1
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-30] * 3 + [1e-31] * 2, abs=0)


def test_without_validation_the_training_loss_chooses(write_store, tmp_path):
    store = write_store(tmp_path / "one.zarr", ("train",), notes=30)
    lines: list[str] = []
    summary = train(store, tmp_path / "run", changed(epochs=2), log=lines.append)
    assert any("'best' is chosen by the training loss" in line for line in lines)
    rows = read_log(tmp_path / "run")
    assert rows[0]["validation_loss"] is None
    assert summary["best"]["train_loss"] == min(row["train_loss"] for row in rows)


def test_without_training_pairs_the_splits_are_told(write_store, tmp_path):
    store = write_store(tmp_path / "one.zarr", ("test",), notes=30)
    with pytest.raises(ValueError, match="split 'train' holds no pairs; pairs by split"):
        train(store, tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run").exists()


def test_wrong_and_damaged_stores(small_store, tmp_path):
    with pytest.raises(FileNotFoundError, match="no store at"):
        train(tmp_path / "nothing.zarr", tmp_path / "run", SETTINGS)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="Zarr group"):
        train(tmp_path / "folder", tmp_path / "run", SETTINGS)
    damaged = tmp_path / "damaged.zarr"
    shutil.copytree(small_store, damaged)
    shard = next(path for path in sorted((damaged / "frames").rglob("*")) if path.is_file() and path.name == "0")
    shard.unlink()  # Zarr reads a missing shard as zeros: only the checksum tells
    with pytest.raises(ValueError, match=r"rendition 0 differs from its recorded sha256; the store is damaged"):
        train(damaged, tmp_path / "run", SETTINGS)
    shutil.rmtree(damaged)
    shutil.copytree(small_store, damaged)
    starts = zarr.open_group(damaged, mode="r+")["pairs/reference_start_frame"]
    starts[:] = starts[:] + 100_000
    with pytest.raises(ValueError, match="column pairs/reference_start_frame differs from its recorded sha256"):
        train(damaged, tmp_path / "run", SETTINGS)


def test_a_loss_that_explodes_is_told(small_store, tmp_path):
    with pytest.raises(ValueError, match=r"no longer finite in epoch 1.*lower learning_rate"):
        train(small_store, tmp_path / "run", changed(learning_rate=1e30, network={**TINY, "batch_norm": "none"}))


def test_bfloat16_trains_and_resumes_on_a_processor(small_store, tmp_path, monkeypatch):
    settings = changed(precision="bfloat16", epochs=2)
    summary = train(small_store, tmp_path / "whole", settings)
    assert summary["precision"] == "bfloat16" and np.isfinite(summary["last"]["train_loss"])
    assert weights(tmp_path / "whole")["head.0.weight"].dtype == torch.float32
    with monkeypatch.context() as patch:
        stop_after(patch, 2, lambda: signal.raise_signal(signal.SIGINT))
        train(small_store, tmp_path / "run", settings)
    train(small_store, tmp_path / "run", settings, resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "run")


def test_float16_scales_gradients_and_resumes(small_store, tmp_path, monkeypatch):
    # As on a GPU without bfloat16; a processor computes it too, only slowly.
    monkeypatch.setattr(run, "choose_precision", lambda name, device: torch.float16)
    settings = changed(epochs=1)
    summary = train(small_store, tmp_path / "whole", settings)
    assert summary["precision"] == "float16" and np.isfinite(summary["last"]["train_loss"])
    assert read_tensors(tmp_path / "whole" / "resume.safetensors", "sfmodel-state")[1]["scaler"]["scale"] > 1
    with monkeypatch.context() as patch:
        stop_after(patch, 2, lambda: signal.raise_signal(signal.SIGINT))
        train(small_store, tmp_path / "run", settings)
    train(small_store, tmp_path / "run", settings, resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "run")


def test_fresh_windows_differ_by_epoch_and_pinned_ones_do_not(small_store, tmp_path, monkeypatch):
    seen: list[float] = []
    batches = run.epoch_batches

    def spied(reader, order, sizes, epoch, first=0, **share):
        for batch in batches(reader, order, sizes, epoch, first, **share):
            pinned = reader.target_frame[batch.index]
            seen.append(float((batch.target_frame - pinned).sum()) if order.shuffled else 0.0)
            yield batch

    monkeypatch.setattr(run, "epoch_batches", spied)
    train(small_store, tmp_path / "fresh", changed(epochs=2))
    assert len({value for value in seen if value}) == 2 * STEPS
    seen.clear()
    train(small_store, tmp_path / "pinned", changed(epochs=2, fresh_windows=False))
    assert not any(seen)


def test_too_little_memory_is_told_before_anything_is_built(small_store, tmp_path, monkeypatch):
    monkeypatch.setattr("sfmodel.memory.available_bytes", lambda device: 50 * 2**20)
    with pytest.raises(
        ValueError, match=r"too little memory on cpu: .*batches of 160 needs about \d+ MiB.*at most \d+"
    ):
        train(small_store, tmp_path / "run", changed(batch_size=4096))  # of which the split fills 160
    monkeypatch.setattr("sfmodel.memory.available_bytes", lambda device: 2**10)
    with pytest.raises(ValueError, match="take a smaller network"):
        train(small_store, tmp_path / "run", SETTINGS)
    monkeypatch.undo()
    monkeypatch.setattr("sfmodel.loading.free_for_frames", lambda: 2**10)
    with pytest.raises(ValueError, match="MiB are allowed; read it in blocks"):
        train(small_store, tmp_path / "run", SETTINGS, loading="memory")
    with pytest.raises(ValueError, match=r"in blocks holds up to \d MiB, 0 MiB are free; shuffle less than 512 MiB"):
        train(small_store, tmp_path / "run", SETTINGS)


def test_memory_estimate_by_hand():
    settings = default_settings("reduced", 10, 3, 8)
    # Per stack: convolution, batch norm, ReLU, pooling, flattening; the head: dense, norm, ReLU, dropout, dense.
    by_stack = [3 * 8 * (n + 2) * 10 + 2 * 8 * ((n + 2) // 2) * 5 for n in (10, 3)]
    units = settings.dense[0]
    channels = settings.stack_channels[0][0] / 8
    expected = channels * sum(by_stack) + 4 * units + 10 + (10 + 3) * 8
    assert activation_values(settings) == expected
    half = estimate_memory(settings, 4, torch.bfloat16)
    assert half.activations == 2 * 4 * expected * 2 and half.weights % 16 == 0


def test_memory_that_is_free():
    assert 0 < available_bytes(torch.device("cpu")) < 2**50


def test_devices_and_precisions():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("gpu", "cuda:x", "cpu:1", ""):
        with pytest.raises(ValueError, match="expected auto, cpu, cuda, cuda:N or mps"):
            choose_device(name)
    with pytest.raises(ValueError, match=r"this machine has \d+ CUDA devices"):
        choose_device("cuda:99")
    with pytest.raises(ValueError, match="needs CUDA; take bfloat16 or float32"):
        choose_precision("float16", torch.device("cpu"))
    with pytest.raises(ValueError, match="expected auto, float32, bfloat16, float16"):
        choose_precision("int8", torch.device("cpu"))


def test_precision_on_cuda(monkeypatch):
    for has, expected in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has=has: has)
        assert choose_precision("auto", torch.device("cuda")) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"patience": 0},
        {"schedule": "x"},
    ],
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match=f"training: {next(iter(changes))}"):
        changed(**changes)


def test_unknown_models_and_network_settings(small_store, tmp_path):
    with pytest.raises(ValueError, match="expected one of reduced, middle, full"):
        train(small_store, tmp_path / "run", changed(model="huge"))
    with pytest.raises(ValueError, match="no setting depth; expected some of"):
        train(small_store, tmp_path / "run", changed(network={"depth": 3}))
    with pytest.raises(ValueError, match="batches of two pairs"):
        train(small_store, tmp_path / "run", changed(batch_size=1))


def test_batches_of_one_without_batch_norm(write_store, tmp_path):
    store = write_store(tmp_path / "s.zarr", ("train", "validation"), notes=12)
    settings = changed(batch_size=1, epochs=1, network={**TINY, "batch_norm": "none"})
    assert train(store, tmp_path / "run", settings)["last"]["step"] == 12


def test_batches_arrive_in_order_and_whole(small_store):
    reader = PairReader(open_store(small_store), "train")
    order, sizes = PairOrder(reader, seed=3, fresh_windows=False), BatchSizes(160, 37)
    index = order.epoch(0).group(0).index
    batches = list(device_batches(epoch_batches(reader, order, sizes, 0), torch.device("cpu")))
    assert [len(batch.nearest) for batch in batches] == [37, 37, 37, 37, 12]
    for i, batch in enumerate(batches):
        expected = reader.batch(index[37 * i : 37 * i + 37])
        np.testing.assert_array_equal(batch.reference.numpy(), expected.reference)
        np.testing.assert_array_equal(batch.nearest.numpy(), nearest_frame(expected.target_frame))
    assert list(device_batches(epoch_batches(reader, order, sizes, 0, 5), torch.device("cpu"))) == []


def test_errors_of_the_cutting_thread_arrive(small_store):
    reader = PairReader(open_store(small_store), "train")

    def batches():
        yield reader.batch(np.array([10**6]))

    with pytest.raises(IndexError):
        list(device_batches(batches(), torch.device("cpu")))


def test_a_frame_without_weight_is_no_hit(small_store):
    reader = PairReader(open_store(small_store), "train")
    batch = reader.batch(np.arange(2))
    on_frame = type(batch)(batch.reference, batch.snippet, np.array([5.0, 6.5]))
    assert tensor_batch(on_frame).buckets.tolist() == [[5, 5], [6, 7]]


def test_tensorboard_only_when_asked(small_store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install 'sfdata\[tensorboard\]'"):
        train(small_store, tmp_path / "without", changed(epochs=1, tensorboard=True))
    monkeypatch.undo()
    pytest.importorskip("tensorboard")
    train(small_store, tmp_path / "with", changed(epochs=1, tensorboard=True))
    assert any("tfevents" in name for name in os.listdir(tmp_path / "with" / "tensorboard"))


def test_two_interruptions_kill():
    from sfmodel.progress import Interruption

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_damaged_logs(whole_run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no log\.csv"):
        read_log(tmp_path)
    text = (whole_run[0] / "log.csv").read_text()
    (tmp_path / "log.csv").write_text(text.replace("train_loss", "loss"))
    with pytest.raises(ValueError, match="no column train_loss"):
        read_log(tmp_path)
    (tmp_path / "log.csv").write_text(text.replace("1,4,", "one,4,"))
    with pytest.raises(ValueError, match="row 2 cannot be read"):
        read_log(tmp_path)
