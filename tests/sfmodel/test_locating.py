import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.render import render
from sfdata.side import Side
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import SpectrogramSettings
from sfdata.windows import WindowSettings
from sfmodel.baselines import normalised_cross_correlation
from sfmodel.cli import main
from sfmodel.evaluation import Method, open_method
from sfmodel.locating import Locator, load_locator

RATE = 22050


def believing(reference: np.ndarray, snippet: np.ndarray) -> np.ndarray:
    """A belief out of the matched filter."""
    weight = np.exp(40 * normalised_cross_correlation(reference, snippet))
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


LOCATOR = Locator(Method("filter", "network", "", believing, SpectrogramSettings(), WindowSettings()))


@pytest.fixture(scope="module")
def melody(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A long melody as sound, and its onsets: it begins with two seconds of silence."""
    rng = np.random.default_rng(3)
    onset_s = 2 + np.cumsum(rng.uniform(0.2, 0.6, 60))
    notes = snap_to_event_grid(make_notes(onset_s, onset_s + 0.3, rng.integers(50, 80, 60), [80] * 60), RATE)
    path = tmp_path_factory.mktemp("melody") / "melody.wav"
    soundfile.write(path, render(notes, resolve_instrument("timgm6mb:0"), RATE), RATE)
    return path, notes["onset_s"]


def test_a_performance_is_found_in_itself_to_the_millisecond(melody):
    path, onset_s = melody
    places = LOCATOR.locate(path, path, onset_s[10:50:5])
    for place, asked in zip(places, onset_s[10:50:5], strict=True):
        assert place.at_s == asked and abs(place.time_s - asked) < 0.02 and place.confidence > 0.5
        assert place.belief.sum() == pytest.approx(1, abs=1e-4) and len(place.belief) > 240


def test_times_are_those_of_the_files(melody):
    """Sides may begin elsewhere than at 0; a passage that returns is named as another place."""
    path, onset_s = melody
    side = LOCATOR.read(path)
    moved = Side("moved", side.frames[40:], 20.0, 102.0)
    (place,) = LOCATOR.locate(moved, side, onset_s[20])
    assert abs(place.time_s - 100 - onset_s[20]) < 0.02
    (place,) = LOCATOR.locate(side, moved, onset_s[20] + 100)
    assert abs(place.time_s - onset_s[20]) < 0.02
    twice = Side("twice", np.concatenate([side.frames, side.frames]), 20.0)
    (place,) = LOCATOR.locate(twice, side, onset_s[20])
    again = onset_s[20] + len(side.frames) / 20
    assert sorted([place.time_s, place.others[0][0]]) == pytest.approx([onset_s[20], again], abs=0.03)
    assert abs(place.confidence - place.others[0][1]) < 0.1


def test_what_cannot_be_located(melody):
    path, _ = melody
    with pytest.raises(ValueError, match=r"-1\.0 s lies outside of melody\.wav; expected 0\.00 to"):
        LOCATOR.locate(path, path, -1.0)
    with pytest.raises(FileNotFoundError, match="no file"):
        LOCATOR.locate(path.with_name("none.mid"), path, 1.0)
    with pytest.raises(ValueError, match="matched-filter gives scores, no belief"):
        Locator(open_method("matched-filter"))
    with pytest.raises(ValueError, match="neither a run directory"):
        load_locator("nothing")


def test_the_bundled_network_on_the_command_line(short_midi, tmp_path: Path):
    """Another piano, from MIDI to MIDI and from sound to MIDI."""
    from sfdata.midi import read_piece

    piece = read_piece(short_midi[0])
    onset_s = np.unique(piece.notes["onset_s"])[40:90:10] + piece.cut_s
    at = [argument for time_s in onset_s for argument in ("--at", f"{time_s:.3f}")]
    result = CliRunner().invoke(main, ["predict", str(short_midi[0]), str(short_midi[0]), *at, "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)
    assert [row["performance_time_s"] for row in rows] == pytest.approx(onset_s, abs=1e-3)
    errors = np.array([abs(row["reference_time_s"] - row["performance_time_s"]) for row in rows])
    assert (errors < 0.05).mean() >= 0.8 and all(0 < row["confidence"] <= 1 for row in rows)
    text = CliRunner().invoke(main, ["predict", str(short_midi[0]), str(short_midi[0]), *at[:2]]).output
    assert text.startswith(f"{onset_s[0]:.2f} s -> ") and "%" in text


def test_mistakes_on_the_command_line(tmp_path: Path, short_midi):
    result = CliRunner().invoke(main, ["predict", "none.mid", str(short_midi[0]), "--at", "1", "--model", "nothing"])
    assert result.exit_code == 2 and "neither a run directory" in result.output
