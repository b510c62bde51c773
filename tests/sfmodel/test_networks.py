from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sfdata.windows import soft_target_buckets
from sfmodel.networks import (
    NETWORKS,
    NetworkSettings,
    build_network,
    count_parameters,
    default_settings,
    parameter_count,
    predict_proba,
    soft_target_loss,
)

TINY = NetworkSettings("reduced", 24, 9, 12, ((2,),), 0, (8,), pool_dropout=0.0, head_dropout=0.15)


def layer_names(module: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in module]


def test_reduced_reads_as_table_1():
    network = build_network(default_settings("reduced"))
    stack = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Flatten"]
    assert layer_names(network.reference_stack) == layer_names(network.snippet_stack) == stack
    assert layer_names(network.head) == ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]
    assert network.head[3].p == 0.15
    assert network.reference_stack[0].padding == (2, 2) and network.reference_stack[0].kernel_size == (3, 3)


def test_full_reads_as_table_2():
    network = build_network(default_settings("full"))
    conv, pool = ["Conv2d", "BatchNorm2d", "ReLU"], ["MaxPool2d", "Dropout"]
    dense = ["ChannelDense", "BatchNorm2d", "ReLU", "Dropout", "Flatten"]
    assert layer_names(network.reference_stack) == conv + conv + pool + conv + pool + conv + pool + dense
    assert layer_names(network.head) == ["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2 + ["Linear"]
    drops = [layer.p for layer in network.snippet_stack if isinstance(layer, nn.Dropout)]
    assert drops == [0.15, 0.15, 0.15, 0.3]
    assert [layer.p for layer in network.head if isinstance(layer, nn.Dropout)] == [0.3, 0.3]


def test_parameter_counts_by_hand():
    # Table I with 8 channels and 64 units: 240 + 2 → 121 frames, 88 + 2 → 45 bins; 27 + 2 → 14 frames.
    reduced = replace(default_settings("reduced"), stack_channels=((8,),), dense=(64,))
    features = 8 * 45 * (121 + 14)
    assert count_parameters(reduced) == 2 * (8 * 9 + 16) + features * 64 + 2 * 64 + (64 * 240 + 240)
    # Table II: 240 → 242 → 244 → 122 → 124 → 62 → 64 → 32 frames, 88 → 92 → 46 → 24 → 13 bins, 27 → 15 → 8 → 5.
    stack = 9 * (16 + 16 * 16 + 16 * 32 + 32 * 64) + 2 * (16 + 16 + 32 + 64) + 64 * 32 + 2 * 32
    head = 32 * 13 * (32 + 5) * 768 + 2 * 768 + 768 * 768 + 2 * 768 + 768 * 240 + 240
    assert count_parameters(default_settings("full")) == 2 * stack + head == 12_654_224


def test_full_has_more_than_ten_million_and_middle_lies_between():
    counts = {name: count_parameters(default_settings(name)) for name in NETWORKS}
    assert counts["full"] > 10_000_000
    assert counts["reduced"] < counts["middle"] < counts["full"]
    assert counts["reduced"] == parameter_count(build_network(default_settings("reduced")))


@pytest.mark.parametrize("name", NETWORKS)
def test_output_has_a_score_for_every_frame(name):
    network = build_network(default_settings(name, 40, 9, 32)).eval()
    assert network(torch.rand(3, 40, 32), torch.rand(3, 9, 32)).shape == (3, 40)


@pytest.mark.parametrize("name", NETWORKS)
def test_stacks_do_not_share_weights(name):
    network = build_network(default_settings(name, 40, 9, 32))
    ids = {id(parameter) for parameter in network.reference_stack.parameters()}
    assert not ids & {id(parameter) for parameter in network.snippet_stack.parameters()}


@pytest.mark.parametrize(
    ("where", "in_stacks", "in_head"),
    [("all", True, True), ("none", False, False), ("stacks", True, False), ("concatenation", False, True)],
)
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "match"])  # which has no batch norm
def test_batch_norm_stands_where_it_is_asked_for(name, where, in_stacks, in_head):
    network = build_network(replace(default_settings(name, 40, 9, 32), batch_norm=where))
    for part, wanted in (
        (network.reference_stack, in_stacks),
        (network.snippet_stack, in_stacks),
        (network.head, in_head),
    ):
        assert any("BatchNorm" in layer for layer in layer_names(part)) == wanted
    # Whatever batch norm would subtract has no bias, everything else has one.
    assert (network.reference_stack[0].bias is None) == in_stacks
    assert (network.head[0].bias is None) == in_head
    assert network.head[-1].bias is not None
    assert network(torch.rand(2, 40, 32), torch.rand(2, 9, 32)).shape == (2, 40)


def test_pooling_by_four():
    wide = replace(default_settings("reduced"), pool=4)
    assert wide.stack_shape(240)[1:] == (60, 22)
    assert count_parameters(wide) < count_parameters(default_settings("reduced")) / 3


def test_dense_before_flatten_maps_channels():
    network = build_network(default_settings("middle", 40, 9, 32))
    dense = next(layer for layer in network.reference_stack if type(layer).__name__ == "ChannelDense")
    given_values = torch.rand(2, dense.in_features, 3, 5)
    expected = torch.einsum("pctb,uc->putb", given_values, dense.weight)
    torch.testing.assert_close(dense(given_values), expected)


def test_same_numbers_whatever_the_input_dtype():
    network = build_network(TINY).eval()
    reference, snippet = torch.rand(2, 24, 12).half(), torch.rand(2, 9, 12).half()
    assert torch.equal(network(reference, snippet), network(reference.double(), snippet.float()))


@pytest.mark.parametrize(("frames", "part"), [(23, "reference"), (24, "snippet")])
def test_wrong_shapes_are_named(frames, part):
    with pytest.raises(ValueError, match=rf"{part} has shape .*expects \(pairs, "):
        build_network(TINY)(torch.rand(2, frames, 12), torch.rand(2, 8, 12))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_norm": "some"}, "expected one of all, none, stacks, concatenation"),
        ({"stack_channels": ()}, "at least one convolution"),
        ({"stack_channels": ((2,), ())}, "at least one convolution"),
        ({"dense": (0,)}, "dense"),
        ({"pool": 0}, "pool"),
        ({"head_dropout": 1.0}, "head_dropout"),
        ({"bins": 0}, "bins"),
        ({"stack_channels": ((2,),) * 3, "pool": 4}, "too small for 3 poolings of 4"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_absurd_networks_are_refused_before_anything_is_allocated():
    with pytest.raises(ValueError, match="parameters, at most"):
        build_network(replace(default_settings("full"), dense=(10_000_000, 10_000_000)))


def test_unknown_network_lists_the_known():
    with pytest.raises(ValueError, match="no network named 'huge'; expected one of reduced, middle, full"):
        default_settings("huge")


def test_settings_survive_json_lists():
    assert replace(TINY, stack_channels=[[2]], dense=[8]) == TINY


def test_loss_by_hand():
    # Probabilities 1/4, 1/2, 1/4; target 0.25 weighs frames 0 and 1 by 3/4 and 1/4.
    logits = torch.tensor([[1.0, 2.0, 1.0]]).log()
    expected = -(0.75 * np.log(0.25) + 0.25 * np.log(0.5))
    assert soft_target_loss(logits, torch.tensor([0.25])).item() == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(targets=st.lists(st.floats(0, 30), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_loss_agrees_with_a_dense_computation(targets, seed):
    target = np.array(targets)
    logits = np.random.default_rng(seed).normal(size=(len(target), 31)) * 5
    buckets, weights = soft_target_buckets(target, 31)
    dense = np.zeros(logits.shape)
    np.put_along_axis(dense, buckets, weights, axis=1)
    log_probability = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -(dense * log_probability).sum(1).mean()
    found = soft_target_loss(torch.from_numpy(logits), torch.from_numpy(target))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_loss_is_float32_under_autocast():
    network = build_network(TINY)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(torch.rand(2, 24, 12), torch.rand(2, 9, 12))
        loss = soft_target_loss(logits, torch.tensor([3.5, 23.0]))
    assert logits.dtype == torch.bfloat16 and loss.dtype == torch.float32 and torch.isfinite(loss)


def test_predict_proba_sums_to_one_and_leaves_the_mode():
    network = build_network(TINY).train()
    rng = np.random.default_rng(0)
    reference, snippet = rng.random((5, 24, 12)).astype("f2"), rng.random((5, 9, 12)).astype("f2")
    probability = predict_proba(network, reference, snippet, "cpu")
    assert probability.shape == (5, 24) and probability.dtype == np.float32
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-5)
    assert network.training
    np.testing.assert_array_equal(probability, predict_proba(network, reference, snippet))
    assert predict_proba(network, reference[:0], snippet[:0]).shape == (0, 24)


def test_sixteen_pairs_can_be_learnt_by_heart():
    torch.manual_seed(0)
    network = build_network(replace(TINY, dense=(32,), head_dropout=0.0))
    reference, snippet = torch.rand(16, 24, 12), torch.rand(16, 9, 12)
    target = torch.arange(16) * 1.4
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        soft_target_loss(network(reference, snippet), target).backward()
        optimiser.step()
    predicted = network.eval()(reference, snippet).argmax(1)
    assert torch.equal(predicted, (target + 0.5).floor().long())
