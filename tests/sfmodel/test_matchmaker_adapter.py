"""A follower behind Matchmaker's interface; Matchmaker itself is replaced where it is not installed."""

import queue
import sys
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest

from sfmodel.matchmaker_adapter import FollowerAlignment, matchmaker_alignment

HOP = 441
BEATS = np.arange(0, 11.0)


@dataclass(frozen=True)
class Place:
    performance_time_s: float
    reference_time_s: float
    confidence: float


class Follower:
    """Reports every 20 ms that the reference goes at double speed; keeps what it heard."""

    sample_rate_hz = 22050

    def __init__(self):
        self.heard, self.reported, self.finished = np.empty(0, dtype=np.float32), 0, 0

    def push(self, samples, listen=True):
        self.heard = np.concatenate([self.heard, samples])
        due = len(self.heard) // HOP
        reports = [Place(i / 50, i / 25, 1.0) for i in range(self.reported + 1, due + 1)]
        self.reported = due
        return reports

    def finish(self):
        self.finished += 1
        return [Place((self.reported + 1) / 50, (self.reported + 1) / 25, 1.0)]


def observations(sound, hop=HOP):
    """What AudioStream puts into its queue: with each block but the first, the block before it."""
    blocks = sound.reshape(-1, hop)
    return [(np.concatenate(pair), i * hop / 22050) for i, pair in enumerate(pairwise(blocks))]


def noise(blocks, hop=HOP):
    return np.random.default_rng(0).uniform(-1, 1, blocks * hop).astype(np.float32)


@pytest.fixture
def base(monkeypatch):
    """Matchmaker's own base class, or one in its place."""
    try:
        from matchmaker.base import OnlineAlignment

        return OnlineAlignment
    except ImportError:
        pass
    modules = {name: ModuleType(name) for name in ("matchmaker", "matchmaker.base", "matchmaker.io")}
    modules["matchmaker.io.stream"] = ModuleType("matchmaker.io.stream")
    modules["matchmaker.base"].OnlineAlignment = type("OnlineAlignment", (), {})
    modules["matchmaker.io.stream"].STREAM_END = object()
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return modules["matchmaker.base"].OnlineAlignment


def twice(time_s):
    return 2 * time_s


def test_it_is_one_of_matchmakers_and_every_sample_is_heard_once(base):
    follower, sound = Follower(), noise(20)
    alignment = matchmaker_alignment(follower, BEATS, twice)
    assert isinstance(alignment, base) and isinstance(alignment, FollowerAlignment)
    beats = [alignment(*observation) for observation in observations(sound)]
    assert np.array_equal(follower.heard, sound)
    # After the first observation 40 ms were heard, then 20 ms more each; the reference is twice, beats twice again.
    heard_s = np.arange(2, 21) / 50
    assert beats == pytest.approx(4 * heard_s)
    assert alignment.alignment_path == pytest.approx(np.stack([4 * heard_s, heard_s]))
    assert alignment.current_position == alignment.get_current_position() == pytest.approx(1.6)
    assert alignment.current_index == 1
    assert alignment.latency_stats["total_frames"] == 19
    assert 0 < alignment.latency_stats["min_latency"] <= alignment.latency_stats["max_latency"]


def test_it_runs_from_a_queue_to_its_end(base):
    from matchmaker.io.stream import STREAM_END

    waiting, follower = queue.Queue(), Follower()
    for item in [*observations(noise(6)), None, STREAM_END, "left"]:
        waiting.put(item)
    running, beats = matchmaker_alignment(follower, BEATS, twice, waiting).run(verbose=False), []
    while True:
        try:
            beats.append(next(running))
        except StopIteration as end:
            path = end.value
            break
    assert beats == pytest.approx(4 * np.arange(2, 8) / 50)
    assert path == pytest.approx(np.stack([beats, np.arange(2, 8) / 50]))
    assert follower.finished == 1 and waiting.get() == "left"


def test_it_ends_two_seconds_after_the_last_score_position(base):
    waiting = queue.Queue()
    for item in observations(noise(200)):
        waiting.put(item)
    alignment = matchmaker_alignment(Follower(), np.array([0.0, 1.0]), twice, waiting)
    list(alignment.run())  # beat 1 comes after 0.25 s, so at the report of 0.26 s
    assert alignment.current_perf_time == pytest.approx(2.26, abs=0.021)  # one report more where it is rounded
    assert alignment.current_index == 1


def test_other_rates_are_resampled(base):
    follower = Follower()
    sound = np.sin(2 * np.pi * 440 * np.arange(20 * 882) / 44100).astype(np.float32)
    alignment = matchmaker_alignment(follower, BEATS, twice, sample_rate_hz=44100)
    for observation in observations(sound, 882):
        alignment(*observation)
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(follower.heard)) / 22050)
    assert len(follower.heard) == 20 * 441 - 16  # the last 0.75 ms have to wait
    assert np.abs(follower.heard - wanted)[50:].max() < 1e-4


def test_before_anything_comes(base):
    alignment = matchmaker_alignment(Follower(), BEATS + 3, twice)
    assert alignment.alignment_path.shape == (2, 0)
    assert (alignment.current_position, alignment.current_index) == (3.0, 0)
    assert alignment.is_still_following()


def test_bad_input_is_refused(base):
    with pytest.raises(ValueError, match=r"score positions of shape \(0,\)"):
        matchmaker_alignment(Follower(), np.empty(0), twice)
    alignment = matchmaker_alignment(Follower(), BEATS, twice)
    with pytest.raises(ValueError, match=r"an observation of shape \(1, 12\); expected sound"):
        alignment(np.zeros((1, 12)), 0.0)
    with pytest.raises(ValueError, match="no queue to follow"):
        next(alignment.run())
    alignment.queue = queue.Queue()
    alignment.queue_timeout = 0.01
    with pytest.raises(queue.Empty):
        next(alignment.run())
    with pytest.raises(ValueError, match="one performance only"):
        next(alignment.run())


def test_without_matchmaker(monkeypatch):
    monkeypatch.setitem(sys.modules, "matchmaker.base", None)
    monkeypatch.setitem(sys.modules, "matchmaker", None)
    with pytest.raises(ImportError, match="pip install pymatchmaker"):
        matchmaker_alignment(Follower(), BEATS, twice)


def test_with_matchmakers_own_stream(tmp_path):
    pytest.importorskip("matchmaker")
    import soundfile

    path, sound, follower = tmp_path / "sound.wav", noise(50), Follower()
    soundfile.write(path, sound, 22050, "FLOAT")
    alignment = matchmaker_alignment(follower, BEATS, twice)
    with alignment.stream(file_path=str(path)):
        beats = list(alignment.run(verbose=False))
    assert np.array_equal(follower.heard, sound)
    assert beats == pytest.approx(4 * np.arange(2, 52) / 50)
