"""Following what sounds now, by its command: MIDI at its pace, pipes, and options that do not fit."""

import io
import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sfdata.midi import write_midi
from sfdata.notes import make_notes
from sfmodel.cli import main


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A score of four notes, the same played 5 s later, and no sound at all."""
    folder = tmp_path_factory.mktemp("live")
    onset_s, pitch = np.arange(4) * 0.25, [60, 64, 67, 72]
    for name, later_s in (("score.mid", 0.0), ("later.mid", 5.0)):
        write_midi(folder / name, make_notes(onset_s + later_s, onset_s + later_s + 0.25, pitch, 80))
    soundfile.write(folder / "nothing.wav", np.zeros(0), 22050)
    soundfile.write(folder / "short.wav", np.zeros(2205), 22050)
    return folder


def follow(files, *options, **given):
    return CliRunner().invoke(main, ["follow", str(files / "score.mid"), "--evidence", "features", *options], **given)


def test_midi_is_followed_at_its_pace_and_in_its_own_time(files):
    result = follow(files, str(files / "later.mid"), "--stream", catch_exceptions=False)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    told = json.loads(result.stderr.splitlines()[-1])
    assert told["reports"] == len(rows) and told["sound_s"] > 1
    assert rows[0]["performance_time_s"] > 4.5  # what is silent before it is left out
    assert np.diff([row["performance_time_s"] for row in rows]) == pytest.approx(0.02)


@pytest.mark.parametrize("options", [(), ("--json",), ("--stream",), ("--html", "page.html")])
def test_a_performance_without_a_sample(files, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = follow(files, str(files / "nothing.wav"), *options)
    assert result.exit_code == 2 and not result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_without_a_sample(files):
    header = io.BytesIO()
    soundfile.write(header, np.zeros(0), 22050, format="WAV")
    result = follow(files, "-", "--stream", input=header.getvalue())
    assert result.exit_code == 2 and "standard input holds no sound; expected at least one sample" in result.output


def test_less_than_the_delay(files):
    result = follow(files, str(files / "short.wav"), "--delay", "1")
    assert result.exit_code == 2 and "holds no sound, or less than the delay of 1.0 s" in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["p.wav", "--live"], "a microphone (--live) or a PERFORMANCE; expected one of them"),
        ([], "a microphone (--live) or a PERFORMANCE; expected one of them"),
        (["--live", "--stream"], "--stream follows a PERFORMANCE, --live a microphone"),
        (["-"], "expected --stream with -"),
        (["p.wav", "--raw", "s16le:44100:1"], "--raw tells what standard input is; expected - --stream"),
        (["p.wav", "--stream", "--raw", "s16le:0:1"], "--raw tells what standard input is; expected - --stream"),
        (["p.wav", "--stream", "--microphone", "3"], "--microphone needs --live"),
        (["p.wav", "--port", "8000"], "--port needs --page"),
        (["p.wav", "--html", "a.html", "--port", "8000"], "--port needs --page"),
        (["p.wav", "--block", "0.01"], "--block needs --stream or --live"),
        (["p.wav", "--osc", "9000"], "--osc needs --stream or --live"),
        (["p.wav", "--midi-port", "x"], "--midi-port needs --stream or --live"),
        (["p.wav", "--stream", "--page"], "--page shows a performance in a file"),
        (["--live", "--html", "a.html"], "--html shows a performance in a file"),
        (["p.wav", "--json", "--every", "1"], "--every is of plain output"),
        (["p.wav", "--every", "nan"], "--every nan; expected seconds, 0 or more"),
        (["p.wav", "--every", "-1"], "--every -1.0; expected seconds, 0 or more"),
        (["p.wav", "--html", "p.wav"], "is to be the performance and the page; expected different files"),
    ],
)
def test_options_that_would_mean_nothing(files, options, told):
    result = follow(files, *options)
    assert result.exit_code == 2 and told in " ".join(result.output.split())


def test_the_page_is_told_as_json(files, tmp_path):
    page = tmp_path / "page.html"
    result = follow(files, str(files / "short.wav"), "--html", str(page), "--json", catch_exceptions=False)
    assert json.loads(result.stdout) == {"html": str(page)} and page.is_file()
