"""The matching network in training: shared references, transposed batches, resumed, compiled, evaluated."""

import json
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sfdata.reader import Batch
from sfdata.store import open_store
from sfmodel import learner
from sfmodel.batches import tensor_batch
from sfmodel.checkpoint import load_network
from sfmodel.cli import main
from sfmodel.evaluation import evaluate
from sfmodel.learner import Learner
from sfmodel.path_sum import path_sum
from sfmodel.settings import TrainingSettings, read_settings
from sfmodel.training import train

NETWORK = {"width": 16, "dilations": [1], "heads": 2, "head_size": 8, "head_channels": 8}
SETTINGS = TrainingSettings(
    model="match",
    network=NETWORK,
    epochs=6,
    batch_size=16,
    snippets_per_reference=4,
    transpose_semitones=3,
    learning_rate=0.005,
    schedule="cosine",
    device="cpu",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(small_store, tmp_path_factory):
    return train(small_store, tmp_path_factory.mktemp("match"), SETTINGS)


def test_it_learns_in_seconds(whole, small_store):
    """A chance hit is one in 240."""
    metrics = evaluate(whole["run_dir"], small_store, "test").metrics
    assert metrics["bucket1"] > 0.5 and metrics["within_100ms"] > 0.6
    assert 0 <= metrics["expected_calibration_error"] <= 1
    assert metrics["refined_median_ms"] < 50


def test_interrupted_and_resumed_equals_uninterrupted(whole, small_store, tmp_path, monkeypatch):
    calls, loss = [], learner.soft_target_loss

    def stopping(*arguments):
        calls.append(0)
        if len(calls) == 17:
            signal.raise_signal(signal.SIGINT)
        return loss(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(learner, "soft_target_loss", stopping)
        assert train(small_store, tmp_path / "run", SETTINGS)["ended"] == "interrupted"
    train(small_store, tmp_path / "run", SETTINGS, resume=True)
    for name, tensor in load_network(tmp_path / "run", "last")[0].state_dict().items():
        assert torch.equal(tensor, load_network(whole["run_dir"], "last")[0].state_dict()[name]), name


def batch_of(frames: np.ndarray) -> Batch:
    return Batch(frames, frames[:, :27], np.full(len(frames), 20.0))


def test_transposed_by_hand():
    frames = np.random.default_rng(0).random((6, 40, 88)).astype(np.float16)
    bins = np.array([2, 2, 0, -3, -3, 100])
    moved = tensor_batch(batch_of(frames)).transposed(bins)
    expected = np.zeros_like(frames)
    for pair, up in enumerate(bins):
        for key in range(88):
            if 0 <= key + up < 88:
                expected[pair, :, key + up] = frames[pair, :, key]
    assert np.array_equal(moved.reference.numpy(), expected)
    assert np.array_equal(moved.snippet.numpy(), expected[:, :27])
    assert moved.target_frame.tolist() == [20.0] * 6


def test_transpositions_are_known_by_the_step_and_keep_references_together(small_store):
    store = open_store(small_store)
    bins = SETTINGS.transpose_bins(store)
    assert bins == (-3, -2, -1, 0, 1, 2, 3) and replace(SETTINGS, transpose_semitones=0).transpose_bins(store) == (0,)
    made = Learner(SETTINGS.network_settings(store), SETTINGS, torch.device("cpu"), torch.float32, transpose_bins=bins)
    drawn = np.concatenate([made._drawn_bins(0, step, 33) for step in range(50)])
    assert len(drawn) == 50 * 33 and set(drawn) == set(bins)
    assert np.array_equal(made._drawn_bins(0, 7, 33), made._drawn_bins(0, 7, 33))
    assert not np.array_equal(made._drawn_bins(0, 7, 33), made._drawn_bins(1, 7, 33))
    assert len(set(made._drawn_bins(0, 0, 33)[:8])) == 1  # pairs of two references, four of each


def test_long_gradients_are_shortened(small_store):
    store = open_store(small_store)
    batch = tensor_batch(batch_of(np.random.default_rng(1).random((4, 240, 88)).astype(np.float32)))
    norms = []
    for most in (0.0, 0.01):
        settings = replace(SETTINGS, gradient_norm=most)
        made = Learner(settings.network_settings(store), settings, torch.device("cpu"), torch.float32)
        made.step(batch, 0, 0, 1e-3)
        norms.append(torch.stack([p.grad.norm() for p in made.network.parameters()]).norm().item())
    assert norms[0] > 0.1 and norms[1] == pytest.approx(0.01, rel=1e-3)


def test_bins_that_are_no_semitones_are_refused(small_store, write_store):
    store = open_store(small_store)
    for spectrogram, said in (
        (replace(store.spectrogram, scale="mel"), "with mel bins"),
        (replace(store.spectrogram, bins_per_octave=18), "18 an octave"),
    ):
        other = type("Other", (), {"spectrogram": spectrogram})()
        with pytest.raises(ValueError, match=said):
            SETTINGS.transpose_bins(other)
    finer = type("Finer", (), {"spectrogram": replace(store.spectrogram, bins_per_octave=24, n_bins=176)})()
    assert SETTINGS.transpose_bins(finer) == (-6, -4, -2, 0, 2, 4, 6)
    with pytest.raises(ValueError, match="without fresh_windows"):
        replace(SETTINGS, fresh_windows=False)


def test_compiled_networks_learn_the_same(small_store, monkeypatch):
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network: compiler(network, backend="aot_eager"))
    compiling = []

    def watched(emission, step):
        compiling.append(torch.compiler.is_compiling())
        return path_sum(emission, step)

    monkeypatch.setattr("sfmodel.match.path_sum", watched)
    store = open_store(small_store)
    batch = tensor_batch(batch_of(np.random.default_rng(1).random((6, 240, 88)).astype(np.float32)))
    sums = []
    for compile_it in (False, True):
        settings = replace(SETTINGS, compile=compile_it)
        made = Learner(settings.network_settings(store), settings, torch.device("cpu"), torch.float32)
        sums.append(made.step(batch, 0, 0, 1e-3))
    torch.testing.assert_close(*sums, rtol=1e-5, atol=1e-5)
    assert compiling == [False, False]  # its steps, one after another, are nothing for a compiler


def test_a_compiler_is_imported_where_one_is_wanted():
    """It takes as long to import as PyTorch does; who follows or evaluates needs none."""
    code = """
        import sys, sfmodel.locating, sfmodel.evaluation, sfmodel.training
        from sfmodel.networks import default_settings, new_network
        new_network(default_settings("match"))
        assert "torch" in sys.modules and "torch._dynamo" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_exported_on_the_command_line(whole, small_store, tmp_path):
    target = tmp_path / "net.safetensors"
    result = CliRunner().invoke(main, ["export", whole["run_dir"], "-o", str(target), "--json"])
    assert result.exit_code == 0 and json.loads(result.output) == {"file": str(target), "bytes": target.stat().st_size}
    assert (
        evaluate(target, small_store).metrics["bucket1"] == evaluate(whole["run_dir"], small_store).metrics["bucket1"]
    )
    assert CliRunner().invoke(main, ["export", whole["run_dir"], "-o", "net.pt"]).exit_code == 2


def test_references_may_be_of_another_length(whole, small_store):
    from sfmodel.evaluation import check_agreement, open_method

    method, store = open_method(whole["run_dir"]), open_store(small_store)
    longer = type("Longer", (), {"spectrogram": store.spectrogram, "reference_frames": 400, "snippet_frames": 27})()
    check_agreement(method, longer)
    longer.snippet_frames, longer.path = 29, "longer.zarr"
    with pytest.raises(ValueError, match="snippet frames 27 against 29"):
        check_agreement(method, longer)


def test_the_settings_that_ship_can_be_read():
    settings = read_settings("pipelines/bundled-training.toml")
    assert settings.model == "match" and settings.patience is None and settings.snippets_per_reference > 1
