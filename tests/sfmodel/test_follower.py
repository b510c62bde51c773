"""The follower: causal, the same however sound is cut, right on rendered sound; the benchmark and its command."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata.midi import read_piece, write_midi
from sfdata.notes import make_notes
from sfdata.side import SCORE_VELOCITY, Side, read_side, side_notes
from sfdata.spectrogram import spectrogram
from sfmodel.cli import main
from sfmodel.evidence import ClassicEvidence, open_evidence
from sfmodel.follower import Follower, follow_files, open_follower
from sfmodel.followers import FOLLOWERS, choose_followers, follow_recording
from sfmodel.following import answers_s
from sfmodel.silence import Beginning, Silence, struck_frames

RATE = 22050
EVIDENCE = ("follow", "features")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, short_midi, write_recorded):
    """A recorded set of one piece, played 1.15 times as slow by another instrument."""
    return write_recorded(tmp_path_factory.mktemp("set") / "piece", short_midi[0], 16, lambda time_s: 1.15 * time_s)


@pytest.fixture(scope="module", params=EVIDENCE)
def evidence(request):
    return open_evidence(request.param)


def reports_of(follower, sound, size):
    blocks = [sound[begin : begin + size] for begin in range(0, len(sound), size)]
    return list(follower.follow(blocks))


def test_onsets_of_rendered_sound_are_found(recorded, evidence):
    folder, sound, score_s, played_s = recorded
    reports = reports_of(open_follower(folder / "score.mid", evidence), sound, 441)
    times, places = (np.array([getattr(r, k) for r in reports]) for k in ("performance_time_s", "reference_time_s"))
    error_s = np.abs(answers_s(times, places, played_s, 0.0) - score_s)
    assert np.mean(error_s < 0.1) > 0.9 and np.mean(error_s < 0.25) > 0.95
    assert (np.diff(times) > 0).all() and all(0 <= report.confidence <= 1 for report in reports)


def test_reports_do_not_depend_on_how_sound_is_cut(recorded, evidence):
    folder, sound, *_ = recorded
    sound = sound[: 6 * RATE]
    one, other = (reports_of(open_follower(folder / "score.mid", evidence), sound, size) for size in (441, 5000))
    assert len(one) == len(other)
    for key in ("performance_time_s", "reference_time_s", "confidence"):
        np.testing.assert_allclose([getattr(r, key) for r in one], [getattr(r, key) for r in other], atol=1e-3)


def test_no_report_knows_what_comes_later(recorded, evidence):
    folder, sound, *_ = recorded
    cut = 5 * RATE
    changed = np.concatenate([sound[:cut], np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)])
    reports = [reports_of(open_follower(folder / "score.mid", evidence), s, 441) for s in (sound[: 6 * RATE], changed)]
    before = [[r for r in each if r.performance_time_s <= 5.0] for each in reports]
    assert len(before[0]) > 240 and before[0] == before[1]
    assert reports[0] != reports[1]


def test_a_delayed_report_knows_what_came_since_and_tells_of_before(recorded, evidence):
    folder, sound, score_s, played_s = recorded
    errors_s = []
    for delay_s in (0.0, 0.2):
        reports = reports_of(open_follower(folder / "score.mid", evidence, delay_s=delay_s), sound, 441)
        times, places = (np.array([getattr(r, k) for r in reports]) for k in ("performance_time_s", "reference_time_s"))
        assert times[0] >= 0 and times[-1] == pytest.approx(len(sound) / RATE + 0.046 - delay_s, abs=0.03)
        errors_s.append(np.abs(answers_s(times, places, played_s, 0.0) - score_s))
    assert np.mean(errors_s[1] < 0.05) >= np.mean(errors_s[0] < 0.05)
    assert np.mean(errors_s[1] < 0.05) > 0.9


@pytest.mark.parametrize("delay_s", [-0.1, 2.5, float("nan")])
def test_delays_that_cannot_be_are_refused(recorded, delay_s):
    with pytest.raises(ValueError, match=r"a delay of .* s; expected 0 to 2"):
        open_follower(recorded[0] / "score.mid", "features", delay_s=delay_s)


def test_frames_are_those_of_the_batch_code(recorded):
    _, sound, *_ = recorded
    heard = []

    class Listening:
        def push(self, frames):
            heard.append(frames)
            return np.zeros((len(frames), 2 * 100 - 1), dtype=np.float32)

    class Evidence(ClassicEvidence):
        def listen(self, reference):
            return Listening()

    settings = ClassicEvidence().spectrogram
    side = Side("s", np.ones((100, 88), dtype=np.float32), 50.0)
    reports_of(Follower(side, Evidence()), sound[: 3 * RATE], 777)
    np.testing.assert_array_equal(np.concatenate(heard), spectrogram(sound[: 3 * RATE], settings))


def test_going_on_without_listening(recorded):
    folder, sound, *_ = recorded
    follower = open_follower(folder / "score.mid", "features")
    reports = follower.push(sound[: 8 * RATE]) + follower.push(sound[8 * RATE : 9 * RATE], listen=False)
    assert reports[-1].reference_time_s == pytest.approx(9 / 1.15, abs=0.25)


def test_files_and_times_of_files(recorded, tmp_path):
    folder, *_ = recorded
    notes = read_piece(folder / "score.mid").notes
    later = make_notes(notes["onset_s"] + 30, notes["offset_s"] + 30, notes["pitch"], 80)
    write_midi(tmp_path / "later.mid", later)
    reports = list(follow_files(folder / "score.mid", tmp_path / "later.mid", "features"))
    assert reports[0].performance_time_s > 25
    assert reports[-1].reference_time_s == pytest.approx(reports[-1].performance_time_s - 30, abs=3)
    with pytest.raises(FileNotFoundError, match=r"nothing\.wav"):
        follow_files(folder / "score.mid", tmp_path / "nothing.wav")


def test_a_reference_of_other_frames(recorded):
    folder, *_ = recorded
    from sfdata.spectrogram import SpectrogramSettings

    with pytest.raises(ValueError, match=r"at 20\.0 Hz"):
        Follower(read_side(folder / "score.mid", SpectrogramSettings()), ClassicEvidence())


def test_a_trace_holds_beliefs(recorded):
    folder, sound, *_ = recorded
    follower = open_follower(folder / "score.mid", "features", keep_belief=True)
    reports = reports_of(follower, sound[: 4 * RATE], 441)
    trace = follower.trace()
    assert len(trace.performance_time_s) == len(reports)
    assert trace.belief.shape == (len(trace.belief_time_s), -(-follower.motion.cells // 10))
    np.testing.assert_allclose(trace.belief.sum(axis=1), 1, atol=1e-3)
    best_s = trace.start_s + trace.cell_s * (trace.belief[-1].argmax() + 0.5)
    assert best_s == pytest.approx(reports[-1].reference_time_s, abs=0.3)


def test_follow_command(recorded):
    folder, sound, *_ = recorded
    arguments = ["follow", str(folder / "score.mid"), str(folder / "performance.flac")]
    result = CliRunner().invoke(main, [*arguments, "--json"], catch_exceptions=False)
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert len(rows) == pytest.approx(50 * len(sound) / RATE, abs=3)
    assert set(rows[0]) == {"performance_time_s", "reference_time_s", "confidence"}
    plain = CliRunner().invoke(main, [*arguments, "--every", "5"], catch_exceptions=False)
    assert len(plain.output.splitlines()) == len(sound) // RATE // 5 + 1
    missing = CliRunner().invoke(main, ["follow", str(folder / "none.mid"), str(folder / "performance.flac")])
    assert missing.exit_code == 2 and "none.mid" in missing.output


def test_benchmark_of_following(recorded, tmp_path):
    folder, *_ = recorded
    arguments = ["benchmark", str(folder.parent), "-o", str(tmp_path), "--task", "following", "--json"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    rows = json.loads(result.output)
    assert [row["method"] for row in rows] == list(FOLLOWERS)
    for row in rows:
        assert row["pooled"]["within_250ms"] > 0.9, row["method"]
        assert row["real_time_factor"] > 0 and row["recordings"].keys() == {"piece"}
        assert (row["latency_ms"] is not None) == row["causal"]
    assert json.loads((tmp_path / "following.json").read_text()) == rows
    assert "follow-hmm" in (tmp_path / "following.md").read_text()


def test_followers_by_name():
    assert [method.name for method in choose_followers(["align"])] == ["align"]
    with pytest.raises(ValueError, match="expected one of follow, "):
        choose_followers(["nobody"])


def test_worst_block_is_measured(recorded):
    folder, *_ = recorded
    ticks = iter(range(10**6))
    followed = follow_recording(
        FOLLOWERS["online-dtw"], folder / "score.mid", folder / "performance.flac", clock=lambda: float(next(ticks))
    )
    assert followed.worst_block_s == 1.0 and followed.compute_s == pytest.approx(followed.duration_s * 50, rel=0.02)


@pytest.mark.parametrize("name, level", [("follow", 0.0), ("features", 0.0), ("follow", 0.002)])
def test_silence_before_the_start_is_waited_out(recorded, name, level):
    folder, sound, score_s, played_s = recorded
    before = np.random.default_rng(0).normal(0, level, 12 * RATE).astype(np.float32)
    follower = open_follower(folder / "score.mid", name)
    waiting = follower.push(before)
    assert all(report.reference_time_s <= score_s.min() + 0.3 for report in waiting)
    reports = waiting + follower.push(sound[: 8 * RATE])
    times, places = (np.array([getattr(r, k) for r in reports]) for k in ("performance_time_s", "reference_time_s"))
    heard = (played_s > 1) & (played_s < 7.5)
    error_s = np.abs(answers_s(times, places, played_s[heard] + 12, 0.0) - score_s[heard])
    assert np.mean(error_s < 0.25) > 0.9


def heard_frames(sound):
    return spectrogram(sound.astype(np.float32), ClassicEvidence().spectrogram)


@pytest.mark.parametrize("level", [0.0005, 0.002, 0.01, 0.05])
def test_noise_is_no_beginning(level):
    noise = np.random.default_rng(1).normal(0, level, 20 * RATE)
    frames, beginning = heard_frames(noise), Beginning()
    assert sum(beginning.push(frames[first : first + 7]) for first in range(0, len(frames), 7)) == len(frames)


@pytest.mark.parametrize("shape", ["note", "cluster"])
def test_a_note_after_noise_is_the_beginning(shape):
    """A note for its peaks; a blow, which has none, for being louder than all before."""
    rng, time_s = np.random.default_rng(1), np.arange(RATE) / RATE
    blow = np.sin(2 * np.pi * 440 * time_s) if shape == "note" else 0.3 * rng.normal(size=RATE)
    sound = np.concatenate([rng.normal(0, 0.002, 2 * RATE), 0.2 * blow])
    assert Beginning().push(heard_frames(sound)) * 0.02 == pytest.approx(2.0, abs=0.06)


def test_sound_may_begin_at_once(recorded):
    frames = heard_frames(recorded.sound[round((recorded.played_s.min()) * RATE) :])
    assert Beginning().push(frames) <= 3


@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_a_long_pause_is_waited_out(recorded, noise):
    folder, sound, score_s, played_s = recorded
    last = np.searchsorted(played_s, 6.0)
    cut_s = played_s[last] - 0.02
    cut, pause_s = round(cut_s * RATE), 12.0
    pause = np.random.default_rng(0).normal(0, noise, round(pause_s * RATE)).astype(np.float32)
    reports = open_follower(folder / "score.mid").push(np.concatenate([sound[:cut], pause, sound[cut : 10 * RATE]]))
    times, places = (np.array([getattr(r, k) for r in reports]) for k in ("performance_time_s", "reference_time_s"))
    waiting = (times > cut_s + 0.2) & (times < cut_s + pause_s)
    assert places[waiting].min() > score_s[last - 1] - 0.25 and places[waiting].max() < score_s[last] + 0.25
    later = (played_s > cut_s + 0.5) & (played_s < 9.5)
    error_s = np.abs(answers_s(times, places, played_s[later] + pause_s, 0.0) - score_s[later])
    assert np.mean(error_s < 0.25) > 0.9


def test_a_knock_does_not_deafen(recorded):
    """Loud, but over at once: what is played softly after it is still heard."""
    folder, sound, score_s, played_s = recorded
    soft = 0.1 * sound[: 9 * RATE]
    soft[4 * RATE : 4 * RATE + 441] += np.random.default_rng(0).uniform(-1, 1, 441).astype(np.float32)
    reports = open_follower(folder / "score.mid").push(soft)
    times, places = (np.array([getattr(r, k) for r in reports]) for k in ("performance_time_s", "reference_time_s"))
    later = (played_s > 4.5) & (played_s < 8.5)
    error_s = np.abs(answers_s(times, places, played_s[later], 0.0) - score_s[later])
    assert np.mean(error_s < 0.25) > 0.9


def test_silence_whatever_the_blocks(recorded):
    frames = heard_frames(recorded.sound[: 10 * RATE])
    whole, cut = Silence(True), Silence(True)
    parts = [cut.push(frames[first : first + 3]) for first in range(0, len(frames), 3)]
    assert np.array_equal(np.concatenate(parts), whole.push(frames))
    quiet = heard_frames(np.random.default_rng(0).normal(0, 0.001, 2 * RATE))
    assert cut.push(quiet[10:]).all()  # noise, soft
    assert not cut.push(frames[100:110]).any()


def test_notes_begin_where_they_are_struck(recorded):
    folder, *_ = recorded
    side = read_side(folder / "score.mid", ClassicEvidence().spectrogram, velocity=SCORE_VELOCITY)
    struck = struck_frames(side.frames)
    onsets = np.unique(side_notes(folder / "score.mid")["onset_s"].round(3)) - side.start_s
    apart = np.diff(onsets, prepend=-1) > 0.12
    frame = np.round(onsets[apart] * side.frame_rate_hz).astype(int)
    assert np.mean([struck[max(0, at - 2) : at + 4].any() for at in frame]) > 0.95
    assert struck.mean() < 0.9 and not struck_frames(np.zeros((0, 88))).size
