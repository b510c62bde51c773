"""Training the frame matcher on a small store: labels, resuming to the same weights."""

import numpy as np
import pytest

from sfdata.store import open_store

pytest.importorskip("torch")

from dataclasses import replace

from sfmodel.frame_matcher import FrameMatcherSettings, load_frame_matcher
from sfmodel.frame_training import FrameTrainingSettings, train_follower
from sfmodel.time_maps import time_maps

NETWORK = FrameMatcherSettings(width=8, dilations=(1, 2), size=6)
TRAINING = FrameTrainingSettings(steps=30, windows=2, device="cpu")


def test_time_maps_tell_when_notes_sound(following_store):
    opened = open_store(following_store)
    maps = time_maps(opened, "all")
    assert maps
    for entry in maps:
        assert (np.diff(entry.performed_s) > 0).all() and (np.diff(entry.score_s) > 0).all()
        performance = int(opened.renditions["performance"][entry.performance])
        onsets_s = opened.performance_notes(performance)["onset_s"]
        assert np.mean(np.abs(entry.performed_s[:, None] - onsets_s).min(axis=1) < 0.03) > 0.7  # but for spread chords
        middle_s = (entry.performed_s[:-1] + entry.performed_s[1:]) / 2
        apart = np.diff(entry.performed_s) > 1e-6
        expected_s = (entry.score_s[:-1] + entry.score_s[1:]) / 2
        np.testing.assert_allclose(entry.score_time_s(middle_s)[apart], expected_s[apart], atol=1e-6)
        assert np.isnan(entry.score_time_s(np.array([-1.0]))).all()


def test_a_resumed_training_gives_the_same_weights(following_store, tmp_path):
    told = train_follower(following_store, tmp_path / "whole", NETWORK, TRAINING)
    assert told["steps"] == 30 and np.isfinite(told["validation"].get("loss", 0.0))

    class Stopped(Exception):
        pass

    def stop(stage, done, total):
        if done == 20:
            raise Stopped

    import sfmodel.frame_training as module

    before = module.LOG_EVERY, module.SAVE_EVERY_S
    module.LOG_EVERY, module.SAVE_EVERY_S = 5, 0.0
    try:
        with pytest.raises(Stopped):
            train_follower(following_store, tmp_path / "parts", NETWORK, TRAINING, progress=stop)
        with pytest.raises(ValueError, match="--resume"):
            train_follower(following_store, tmp_path / "parts", NETWORK, TRAINING)
        with pytest.raises(ValueError, match="training was"):
            train_follower(following_store, tmp_path / "parts", NETWORK, replace(TRAINING, seed=1), resume=True)
        train_follower(following_store, tmp_path / "parts", NETWORK, TRAINING, resume=True)
    finally:
        module.LOG_EVERY, module.SAVE_EVERY_S = before
    one, other = (load_frame_matcher(tmp_path / name)[0].tensors for name in ("whole", "parts"))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_a_store_of_other_frames(small_store, tmp_path):
    with pytest.raises(ValueError, match=r"following\.toml"):
        train_follower(small_store, tmp_path / "run", NETWORK, TRAINING)
