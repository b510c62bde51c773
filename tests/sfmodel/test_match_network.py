from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmodel.architectures import MatchSettings, default_settings, settings_from
from sfmodel.match import Match, PathSums
from sfmodel.memory import activation_values
from sfmodel.networks import build_network, count_parameters, predict_proba
from sfmodel.path_sum import path_sum

TINY = MatchSettings(
    "match", 24, 9, 12, width=8, dilations=(1,), heads=2, head_size=4, beyond_frames=5, head_channels=6
)


def by_hand(emission: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Every path, one by one: (length, frames) and (steps,) give (frames,)."""
    length, frames = emission.shape
    total = np.zeros(frames)
    for begin in range(frames):
        for steps in product(range(len(step)), repeat=length - 1):
            places = begin + np.cumsum([0, *steps])
            if places[-1] < frames:
                total[places[-1]] += np.exp(emission[range(length), places].sum() + step[list(steps)].sum())
    return np.log(total)


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 5),
    frames=st.integers(1, 8),
    steps=st.integers(1, 4),
    seed=st.integers(0, 1000),
    level=st.sampled_from([-80.0, 0.0, 80.0]),
)
def test_sums_are_those_over_all_paths(length, frames, steps, seed, level):
    rng = np.random.default_rng(seed)
    emission, step = level + rng.normal(0, 3, (length, 2, 3, frames)), rng.normal(0, 1, (3, steps))
    step[:, 0] = rng.normal(0, 1, 3)
    found = path_sum(torch.from_numpy(emission), torch.from_numpy(step)).numpy()
    for pair, channel in product(range(2), range(3)):
        np.testing.assert_allclose(found[pair, channel], by_hand(emission[:, pair, channel], step[channel]), rtol=1e-9)


def test_gradients_of_sums():
    emission = torch.randn(4, 2, 2, 7, dtype=torch.float64, requires_grad=True)
    step = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(path_sum, (emission, step))


def test_sums_neither_overflow_nor_vanish():
    """Of frames far from any path what is left is a floor, and every gradient is a number."""
    emission = torch.full((14, 1, 1, 50), -300.0)
    emission[:, :, :, 20] = 500.0
    emission.requires_grad_()
    step = torch.zeros(1, 4, requires_grad=True)
    found = path_sum(emission, step)
    assert found.argmax() == 20 and found[0, 0, 20].item() == pytest.approx(14 * 500)
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(emission.grad).all() and torch.isfinite(step.grad).all()


def test_left_and_right_meet_at_the_middle():
    """A similarity that is high along a line of twice the tempo: both sums are highest where its middle frame lies."""
    layer = PathSums(replace(TINY, heads=1))
    similarity = torch.full((9, 1, 1, 60), -1.0)
    for k in range(9):
        similarity[k, 0, 0, 30 + 2 * (k - 4)] = 1.0
    found = layer(similarity)
    assert found.shape == (1, 2, 60) and found.argmax(dim=2).tolist() == [[30, 30]]


def test_a_reference_moved_moves_the_answer():
    """Nothing depends on where in the reference something lies, away from its ends; and its length is free."""
    torch.manual_seed(0)
    network = Match(TINY).double().eval()
    tones = torch.rand(1, 40, 12, dtype=torch.float64)
    silence = torch.zeros(1, 40, 12, dtype=torch.float64)
    snippet = tones[:, 15:24]
    with torch.no_grad():
        first = network(torch.cat([silence, tones, silence], 1), snippet)
        later = network(torch.cat([silence, silence[:, :7], tones, silence], 1), snippet)
    assert later.shape == (1, 127)
    torch.testing.assert_close(first[:, 30:100], later[:, 37:107])


def test_it_begins_as_a_filter():
    """Before any training: random features that both stacks share, and the mean of the path sums for an answer."""
    rng = np.random.default_rng(0)
    for seed in range(5):
        torch.manual_seed(seed)
        reference = np.zeros((1, 120, 88), dtype=np.float32)
        for frame in range(0, 120, 2):
            reference[0, frame : frame + 6, rng.integers(0, 88, 3)] = 2
        belief = predict_proba(build_network(default_settings("match")), reference, reference[:, 47:74])
        assert belief.argmax() == 60


def test_equal_references_are_encoded_once_with_the_same_result():
    torch.manual_seed(0)
    network = Match(TINY)
    references, snippets = torch.rand(2, 24, 12)[[0, 0, 1, 1, 1, 0]], torch.rand(6, 9, 12)
    seen = []
    network.reference_stack.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    together = network(references, snippets)
    assert seen == [3]
    apart = torch.cat([network(references[i : i + 1], snippets[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, apart)


def test_what_is_given_is_checked():
    network = Match(TINY)
    with pytest.raises(ValueError, match=r"snippet has shape \(1, 8, 12\); this network expects \(pairs, 9, 12\)"):
        network(torch.rand(1, 24, 12), torch.rand(1, 8, 12))
    with pytest.raises(ValueError, match=r"reference has shape \(1, 24, 11\)"):
        network(torch.rand(1, 24, 11), torch.rand(1, 9, 12))
    for wrong in ({"snippet_frames": 8}, {"heads": 0}, {"steps": 0}, {"dilations": (1, 0)}, {"beyond_frames": -1}):
        with pytest.raises(ValueError, match="network: "):
            replace(TINY, **wrong)


def test_settings_come_back_from_json_and_choose_the_network():
    table = {**asdict(TINY), "dilations": [1]}
    assert settings_from(table) == TINY and isinstance(build_network(TINY), Match)
    assert settings_from(asdict(default_settings("reduced"))) == default_settings("reduced")
    with pytest.raises(TypeError):
        settings_from({**table, "pool": 2})


def test_parameters_by_hand():
    stack = 3 * 24 * 8 + 8 + (3 * 8 * 8 + 8) + 8 * 8 + 8
    paths = 2 + 2 + 5 * 4 + 4 * 4
    head = (8 + 1) + (5 * 8 * 6 + 6) + (5 * 6 * 6 + 6) + (3 * 6 + 1)
    assert count_parameters(TINY) == 2 * stack + paths + head
    assert count_parameters(default_settings("match")) < 400_000


def test_beliefs_and_memory():
    belief = predict_proba(build_network(TINY), np.random.rand(3, 50, 12), np.random.rand(3, 9, 12))
    assert belief.shape == (3, 50) and belief.sum(axis=1) == pytest.approx(1)
    assert activation_values(TINY) > 9 * 24 * 2


def test_sums_are_computed_in_full_precision_under_autocast():
    network = Match(TINY)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(torch.rand(2, 24, 12), torch.rand(2, 9, 12))
    logits.float().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert network.paths.step.grad.dtype == torch.float32
