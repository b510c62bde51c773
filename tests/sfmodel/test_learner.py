"""One step of gradient descent: whole, in parts, compiled."""

from dataclasses import replace

import pytest
import torch

from sfdata.reader import PairReader
from sfdata.store import open_store
from sfmodel.batches import tensor_batch
from sfmodel.learner import Learner
from sfmodel.settings import NO_DROPOUT, TrainingSettings
from sfmodel.training import train

NETWORK = {"stack_channels": [[1], [2]], "stack_dense": 2, "dense": [8], **NO_DROPOUT}
SETTINGS = TrainingSettings(model="middle", network={**NETWORK, "batch_norm": "none"}, seed=5, device="cpu")


@pytest.fixture
def batch(small_store):
    return tensor_batch(PairReader(open_store(small_store), "train").batch(slice(0, 23)))


def learner_of(store, settings=SETTINGS):
    made = Learner(settings.network_settings(open_store(store)), settings, torch.device("cpu"), torch.float32)
    made.network.train()
    return made


def gradients(learner):
    return [parameter.grad.clone() for parameter in learner.network.parameters()]


@pytest.mark.parametrize("accumulate", [2, 5, 11, 23])
def test_parts_add_up_to_the_whole(small_store, batch, accumulate):
    whole, parts = learner_of(small_store), learner_of(small_store)
    sums = whole.step(batch, 0, 0, 1e-3)
    assert torch.allclose(parts.step(batch, 0, 0, 1e-3, accumulate=accumulate), sums)
    for one, other in zip(gradients(whole), gradients(parts), strict=True):
        assert (one - other).abs().max() <= 1e-4 * one.abs().max() + 1e-8


def test_parts_differ_where_batch_norm_sees_less(small_store, batch):
    settings = replace(SETTINGS, network={**NETWORK, "batch_norm": "all"})
    whole, parts = learner_of(small_store, settings), learner_of(small_store, settings)
    whole.step(batch, 0, 0, 1e-3)
    parts.step(batch, 0, 0, 1e-3, accumulate=99)  # no part has less than two pairs, which batch norm needs
    assert not torch.allclose(gradients(whole)[0], gradients(parts)[0], rtol=1e-2)


def test_dropout_differs_between_parts_and_repeats_itself(small_store, batch):
    settings = replace(SETTINGS, network={"stack_channels": [[1]], "dense": [8], "batch_norm": "none"})
    made = [learner_of(small_store, settings) for _ in range(2)]
    assert torch.equal(*(learner.step(batch, 0, 0, 1e-3, accumulate=2) for learner in made))
    assert all(torch.equal(one, other) for one, other in zip(*map(gradients, made), strict=True))
    states = []
    for part in (0, 1):
        made[0]._seed(0, 0, part)
        states.append(torch.get_rng_state())
    assert not torch.equal(*states)


def test_accumulation_trains(small_store, tmp_path):
    whole = train(small_store, tmp_path / "whole", replace(SETTINGS, epochs=2, batch_size=48))
    parts = train(small_store, tmp_path / "parts", replace(SETTINGS, epochs=2, batch_size=48, accumulate=3))
    assert parts["last"]["train_loss"] == pytest.approx(whole["last"]["train_loss"], rel=1e-4)
    assert parts["last"]["step"] == whole["last"]["step"] == 8


def test_compiled_networks_learn_the_same(small_store, batch, monkeypatch):
    # Traced as for kernels, but without making them: that takes a compiler, and minutes.
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network: compiler(network, backend="aot_eager"))
    plain, compiled = learner_of(small_store), learner_of(small_store, replace(SETTINGS, compile=True))
    sums = [learner.step(batch, 0, 0, 1e-3) for learner in (plain, compiled)]
    assert torch.allclose(*sums, rtol=1e-5)
    for one, other in zip(gradients(plain), gradients(compiled), strict=True):
        assert (one - other).abs().max() <= 1e-3 * one.abs().max() + 1e-8
    assert plain.network.state_dict().keys() == compiled.network.state_dict().keys()
