"""The follower: causal, the same however sound is cut, right on rendered sound; the benchmark and its command."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata.midi import read_piece, write_midi
from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.render import render, write_audio
from sfdata.side import Side, read_side
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import spectrogram
from sfmodel.cli import main
from sfmodel.evidence import ClassicEvidence, open_evidence
from sfmodel.follower import Follower, follow_files, open_follower
from sfmodel.followers import FOLLOWERS, choose_followers, follow_recording
from sfmodel.following import answers_s

RATE = 22050
EVIDENCE = ("follow", "features")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, short_midi):
    """A recorded set of one piece, played 1.15 times as slow by another instrument."""
    folder = tmp_path_factory.mktemp("set") / "piece"
    folder.mkdir()
    notes = read_piece(short_midi[0]).notes
    notes = notes[notes["onset_s"] < 25]
    score = make_notes(notes["onset_s"], notes["offset_s"], notes["pitch"], 64)
    write_midi(folder / "score.mid", score)
    played = make_notes(1.15 * score["onset_s"], 1.15 * score["offset_s"], score["pitch"], notes["velocity"])
    played = snap_to_event_grid(played, RATE)
    sound = render(played, resolve_instrument("timgm6mb:1"), RATE)
    write_audio(folder / "performance.flac", sound, RATE)
    rows = dict(zip(score["onset_s"].round(4).tolist(), played["onset_s"].tolist(), strict=True))
    text = "".join(f"{performed:.6f},{written:.6f}\n" for written, performed in sorted(rows.items()))
    (folder / "alignment.csv").write_text("performance_time_s,score_time_s\n" + text)
    (folder / "meta.json").write_text(json.dumps({"title": "A", "source": "made here", "licence": "CC0-1.0"}))
    return folder, sound, score["onset_s"], played["onset_s"]


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
    assert reports[-1].reference_time_s == pytest.approx(9 / 1.15, abs=0.2)


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
    before = np.random.default_rng(0).normal(0, level, 4 * RATE).astype(np.float32)
    follower = open_follower(folder / "score.mid", name)
    waiting = follower.push(before)
    assert all(report.reference_time_s <= score_s.min() + 0.3 for report in waiting)
    reports = waiting + follower.push(sound[: 8 * RATE])
    times, places = (np.array([getattr(r, k) for r in reports]) for k in ("performance_time_s", "reference_time_s"))
    heard = (played_s > 1) & (played_s < 7.5)
    error_s = np.abs(answers_s(times, places, played_s[heard] + 4, 0.0) - score_s[heard])
    assert np.mean(error_s < 0.25) > 0.9
