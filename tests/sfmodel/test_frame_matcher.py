"""The frame matcher: NumPy against PyTorch, frame by frame against all at once, files, training that resumes."""

import numpy as np
import pytest

from sfmodel.frame_matcher import FrameMatcher, FrameMatcherSettings, load_frame_matcher

torch = pytest.importorskip("torch")

from sfmodel.frame_network import FrameNetwork  # noqa: E402
from sfmodel.frame_training import frame_loss  # noqa: E402

SMALL = FrameMatcherSettings(width=8, dilations=(1, 3), size=5)


def network(settings: FrameMatcherSettings = SMALL) -> FrameNetwork:
    torch.manual_seed(0)
    made = FrameNetwork(settings)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def frames(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 88)).astype(np.float32)


@pytest.mark.parametrize("cuts", [(), (1,), (7, 8, 30), tuple(range(1, 40))])
def test_numpy_and_torch_agree_however_frames_come(cuts):
    made = network()
    reference, performance = frames(50), frames(40, 1)
    with torch.no_grad():
        expected = made(torch.tensor(reference)[None], torch.tensor(performance)[None])[0].numpy()
    matcher = made.as_matcher()
    places, level = matcher.encode_reference(reference)
    stack = matcher.performance_stack()
    heard = [matcher.weigh(*stack.push(part)) for part in np.split(performance, list(cuts))]
    np.testing.assert_allclose(np.concatenate(heard) @ places.T + level, expected, atol=2e-4)


def test_the_performance_is_heard_up_to_now_only():
    made = network()
    performance = frames(40, 1)
    changed = performance.copy()
    changed[25:] = 0
    with torch.no_grad():
        one, other = (made.performance(torch.tensor(given)[None])[0].numpy() for given in (performance, changed))
    np.testing.assert_array_equal(one[..., :25], other[..., :25])
    assert (one[..., 25:] != other[..., 25:]).any()


def test_files(tmp_path):
    matcher = network().as_matcher()
    matcher.save(tmp_path / "follow.safetensors", {"note": "a test"})
    again, facts = load_frame_matcher(tmp_path)
    assert facts["note"] == "a test" and again.settings == SMALL and again.parameters == matcher.parameters
    for name, tensor in matcher.tensors.items():
        np.testing.assert_array_equal(tensor, again.tensors[name])


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-follower"):
        load_frame_matcher(tmp_path / "nothing.safetensors")
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")
    with pytest.raises(ValueError, match="cannot be read"):
        load_frame_matcher(path)
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3, dtype=np.float32)}, path)
    with pytest.raises(ValueError, match="no frame matcher"):
        load_frame_matcher(path)


def test_a_file_that_lies_about_its_shapes(tmp_path):
    matcher = network().as_matcher()
    wrong = FrameMatcher(SMALL, matcher.tensors)
    object.__setattr__(wrong, "settings", FrameMatcherSettings(width=512, dilations=(1, 3), size=5))
    wrong.save(tmp_path / "follow.safetensors", {})
    with pytest.raises(ValueError, match="another shape"):
        load_frame_matcher(tmp_path)


def test_tensors_that_are_not_finite():
    tensors = dict(network().as_matcher().tensors)
    tensors["scale"] = np.array(np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match="finite"):
        FrameMatcher(SMALL, tensors)


@pytest.mark.parametrize("settings", [{"width": 0}, {"dilations": ()}, {"anchor_s": 0.5}])
def test_settings_that_cannot_be(settings):
    with pytest.raises(ValueError, match="frame matcher"):
        FrameMatcherSettings(**settings)


def test_loss_by_hand():
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    loss, share = frame_loss(logits, torch.tensor([[0.5, float("nan")]]))
    assert loss.item() == pytest.approx(-(0.5 * np.log(0.5) + 0.5 * np.log(0.25)))
    assert share.tolist() == [[1.0, 0.0]]
