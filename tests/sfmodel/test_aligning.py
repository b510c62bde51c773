"""Warping paths and alignment: exact paths, bands, labels of rendered sound, and the circle to a store."""

import io
import itertools
import json
import shutil

import numpy as np
import pretty_midi
import pytest
import soundfile
from click.testing import CliRunner

from sfdata.aligned import read_alignment
from sfdata.import_aligned import import_aligned
from sfdata.midi import read_piece, write_midi
from sfdata.notes import make_notes
from sfmodel.align_files import midi_onsets, performed_midi
from sfmodel.aligning import Aligned, AlignSettings, alignment_rows
from sfmodel.cli import main
from sfmodel.warping import warping_path

COSTS = (0.5, 0.0, 0.25)


def path_value(path, scores, end_cost=0.1):
    value = scores[np.arange(len(path)), path].sum() - sum(COSTS[k] for k in np.diff(path))
    return value - end_cost * path[0] - end_cost * (scores.shape[1] - 1 - path[-1])


def found_path(scores, band):
    return warping_path(lambda: np.split(scores, range(100, len(scores), 100)), *scores.shape, COSTS, 0.1, 0.1, band)


def test_the_best_of_all_paths():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.normal(size=(5, 4)).astype(np.float32)
        every = (
            np.cumsum((first, *steps))
            for first in range(4)
            for steps in itertools.product(range(3), repeat=4)
            if first + sum(steps) < 4
        )
        best = max(path_value(path, scores) for path in every)
        assert path_value(found_path(scores, 10), scores) == pytest.approx(best, abs=1e-5)


def test_a_band_finds_what_the_whole_does():
    rng = np.random.default_rng(1)
    truth = np.minimum(np.cumsum(rng.choice([0, 1, 1, 2], 900)), 799)
    scores = -0.01 * np.abs(np.arange(800) - truth[:, None]).astype(np.float32) ** 1.5
    whole, banded = found_path(scores, 2000), found_path(scores, 60)
    np.testing.assert_array_equal(whole, banded)
    assert np.abs(whole - truth).max() <= 8 and np.abs(whole - truth).mean() < 2


def test_one_frame_and_none():
    assert found_path(np.zeros((1, 1), dtype=np.float32), 5).tolist() == [0]
    with pytest.raises(ValueError, match="expected some"):
        warping_path(lambda: [], 0, 3, COSTS, 0, 0, 5)


def test_a_place_where_the_path_waits_is_played_when_it_goes_on():
    aligned = Aligned(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0, 2.0]))
    assert aligned.performed_at(np.array([1.0, 1.5])).tolist() == [2.0, 2.5]
    assert aligned.reference_at(np.array([0.5, 1.7])).tolist() == [0.5, 1.0]


def test_rows_outside_of_the_performance_are_left_out():
    aligned = Aligned(np.array([-0.5, 1.0, 4.0]), np.array([0.0, 1.5, 4.5]))
    performed, score = alignment_rows(aligned, np.array([0.2, 1.5, 2.0, 4.4, 9.0]), 3.0)
    assert score.tolist() == [1.5, 2.0] and performed.tolist() == [1.0, 1.5]


@pytest.mark.parametrize("settings", [{"evidence": 0.0}, {"step_cost": (1.0,)}, {"band_s": 0.0}])
def test_settings_that_cannot_be(settings):
    with pytest.raises(ValueError, match="align"):
        AlignSettings(**settings)


@pytest.mark.parametrize("begin_s", [0.0, 0.7, 1234.5678])
def test_notes_that_begin_together_are_one_onset(tmp_path, begin_s):
    onset_s = begin_s + np.array([0.0, 0.0099, 0.02, 0.03])  # 9.9 ms are together, 10 ms are not
    write_midi(tmp_path / "a.mid", make_notes(onset_s, onset_s + 0.5, [60, 62, 64, 65], 64))
    assert midi_onsets(tmp_path / "a.mid") == pytest.approx(onset_s[[0, 2, 3]], abs=1e-9)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, short_midi, write_recorded):
    """A score and its performance, slower and with a pause, by another instrument."""

    def when(time_s):
        return 1.2 * time_s + np.where(time_s > 12, 0.8, 0.0) + 0.3

    return write_recorded(tmp_path_factory.mktemp("recorded") / "piece", short_midi[0], 25, when, "timgm6mb:3")


@pytest.mark.parametrize("evidence", ["features", "follow"])
def test_labels_of_rendered_sound(recorded, tmp_path, evidence):
    folder, _, score_s, played_s = recorded
    target = tmp_path / "piece"
    target.mkdir()
    arguments = ["align", str(folder / "score.mid"), str(folder / "performance.flac"), "--evidence", evidence, "--json"]
    arguments += ["-o", str(target / "alignment.csv"), "--midi", str(tmp_path / "p.mid")]
    result = CliRunner().invoke(main, [*arguments, "--picture", str(tmp_path / "p.png")], catch_exceptions=False)
    assert result.exit_code == 0
    rows = read_alignment(target / "alignment.csv")
    assert json.loads(result.output)["rows"] == len(rows.score_s)
    near = np.abs(rows.score_s[:, None] - score_s).argmin(axis=1)
    error_s = np.abs(rows.performance_s - played_s[near])
    assert np.mean(error_s < 0.05) > 0.9 and np.mean(error_s < 0.1) > 0.95
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    performed = read_piece(tmp_path / "p.mid")
    assert len(performed.notes) == len(score_s)
    assert np.median(np.abs(np.sort(performed.notes["onset_s"] + performed.cut_s) - np.sort(played_s))) < 0.05
    # the circle closes: what was aligned is read as recorded data
    shutil.copy(folder / "score.mid", target)
    shutil.copy(folder / "performance.flac", target)
    meta = {"title": "A", "source": "made here", "licence": "CC0-1.0"}
    (target / "meta.json").write_text(json.dumps(meta))
    done = import_aligned(tmp_path, tmp_path / "store.zarr", workers=1)
    assert done.pairs > 50


def test_an_unplayed_beginning_is_left_out_of_the_midi(tmp_path):
    """Played from the note at 4 s on; that one is found 20 ms before the sound begins."""
    midi = pretty_midi.PrettyMIDI()
    part = pretty_midi.Instrument(3)
    part.notes = [pretty_midi.Note(64, 60 + k, float(k), k + 0.5) for k in range(8)]
    controls = ((64, 127, 0.5), (64, 0, 3.0), (7, 90, 1.0), (64, 127, 5.0))
    part.control_changes = [pretty_midi.ControlChange(*control) for control in controls]
    midi.instruments.append(part)
    midi.write(str(tmp_path / "score.mid"))
    aligned = Aligned(np.array([-0.02, 2.98]), np.array([4.0, 7.0]))
    (made,) = pretty_midi.PrettyMIDI(io.BytesIO(performed_midi(tmp_path / "score.mid", aligned))).instruments
    starts = [(note.pitch, note.start) for note in made.notes]
    assert starts == [(64, 0.0), *((64 + k, pytest.approx(k - 0.02, abs=1e-3)) for k in (1, 2, 3))]
    found = {(c.number, c.value, round(c.time, 2)) for c in made.control_changes}
    assert found == {(7, 90, 0.0), (64, 0, 0.0), (64, 127, 0.98)}


@pytest.mark.parametrize("seconds", [0.1, 5.0])
def test_silence_is_not_aligned_and_nothing_is_written(recorded, tmp_path, seconds):
    soundfile.write(tmp_path / "silence.wav", np.zeros(round(22050 * seconds)), 22050)
    out = tmp_path / "out"
    out.mkdir()
    arguments = [str(recorded.folder / "score.mid"), str(tmp_path / "silence.wav"), "--evidence", "features"]
    arguments += ["-o", str(out / "a.csv"), "--midi", str(out / "a.mid"), "--picture", str(out / "a.png")]
    result = CliRunner().invoke(main, ["align", *arguments])
    assert result.exit_code == 2 and "silence.wav" in result.output and "is found nowhere in" in result.output
    assert list(out.iterdir()) == []


def test_files_that_would_be_written_over_one_another(recorded, tmp_path):
    score, sound = tmp_path / "score.mid", str(recorded.folder / "performance.flac")
    shutil.copy(recorded.folder / "score.mid", score)
    before = score.read_bytes()
    same = str(tmp_path / "same")
    for options, told in (
        (["-o", same, "--midi", same], "the alignment and the performed MIDI"),
        (["-o", same + ".csv", "--midi", same, "--picture", same], "the performed MIDI and the picture"),
        (["-o", str(score)], "the reference and the alignment"),
    ):
        result = CliRunner().invoke(main, ["align", str(score), sound, *options])
        assert result.exit_code == 2 and f"is to be {told}; expected different files" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["score.mid"] and score.read_bytes() == before


def test_midi_of_a_reference_that_is_sound(recorded, tmp_path):
    folder, *_ = recorded
    arguments = [str(folder / "performance.flac")] * 2 + [
        "-o",
        str(tmp_path / "a.csv"),
        "--midi",
        str(tmp_path / "m.mid"),
    ]
    result = CliRunner().invoke(main, ["align", *arguments])
    assert result.exit_code == 2 and "only of a MIDI reference" in result.output
