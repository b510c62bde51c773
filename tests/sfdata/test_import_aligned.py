"""Recordings with alignments become stores: labels exact where the truth is known, bad folders reported."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata import PairReader, open_store
from sfdata.aligned import find_recorded, read_alignment, read_meta, recording_files
from sfdata.alignment import Alignment, PerformedNotes
from sfdata.cli import main
from sfdata.import_aligned import AlignedSettings, import_aligned
from sfdata.midi import read_midi_notes, read_piece, write_midi
from sfdata.notes import NoteArray, make_notes, snap_to_event_grid
from sfdata.operations.base import chord_numbers, warp
from sfdata.render import render, write_audio
from sfdata.soundfonts import resolve_instrument
from sfdata.validate import validate
from sfmodel.baselines import BASELINES

RATE = 22050
LAG_S = 0.02
META = {"title": "Prelude", "composer": "J. S. Bach", "source": "made for this test", "licence": "CC0-1.0"}


def write_recording(folder: Path, score: NoteArray, lag_s: float = 0.0, who: str = "", seed: int = 0) -> NoteArray:
    """A folder as a user would have it: a performance whose tempo wanders, `lag_s` after its annotation."""
    folder.mkdir(parents=True, exist_ok=True)
    write_midi(folder / "score.mid", score)
    rng = np.random.default_rng(seed)
    at = np.linspace(0, score["offset_s"].max(), 12)
    to = 1.3 + np.concatenate([[0], np.cumsum(np.diff(at) / rng.uniform(0.7, 1.3, 11))])
    played = snap_to_event_grid(warp(score, at, to), RATE)
    samples = render(played, resolve_instrument("timgm6mb:1"), RATE)
    write_audio(folder / f"performance{who}.flac", np.concatenate([np.zeros(round(lag_s * RATE), "f4"), samples]), RATE)
    onsets = dict(zip(score["onset_s"].tolist(), played["onset_s"].tolist(), strict=True))
    rows = "".join(f"{performed:.6f},{written:.6f}\n" for written, performed in sorted(onsets.items()))
    (folder / f"alignment{who}.csv").write_text("performance_time_s,score_time_s\n" + rows)
    (folder / "meta.json").write_text(json.dumps(META | {"instrument": "piano", "median_audio_lag_s": lag_s}))
    return played


@pytest.fixture(scope="module")
def score(short_midi) -> NoteArray:
    """The first 25 s of a real piece, its chords made one, after a silence of its own."""
    notes = read_piece(short_midi[1]).notes
    notes = notes[(notes["onset_s"] < 25) & (notes["offset_s"] - notes["onset_s"] > 0.04)]
    notes["onset_s"], notes["offset_s"] = np.round(notes["onset_s"], 2) + 2, np.round(notes["offset_s"], 2) + 2
    notes = make_notes(*(notes[name] for name in ("onset_s", "offset_s", "pitch", "velocity")))
    _, first = np.unique(np.stack([np.round(notes["onset_s"], 2), notes["pitch"]]), axis=1, return_index=True)
    return notes[np.sort(first)]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, score) -> Path:
    root = tmp_path_factory.mktemp("recordings")
    write_recording(root / "prelude", score, LAG_S)
    for who in ("-ann", "-ben"):
        write_recording(root / "two hands", score, who=who, seed=ord(who[1]))
    return root


@pytest.fixture(scope="module")
def store_path(tmp_path_factory, recordings) -> Path:
    path = tmp_path_factory.mktemp("aligned") / "s.zarr"
    result = import_aligned(recordings, path, workers=1)
    assert (result.pieces, result.renditions, result.skipped) == (2, 5, ())
    assert [covered.recording for covered in result.performances] == ["prelude", "two hands/ann", "two hands/ben"]
    assert all(covered.labelled == covered.notes and covered.missing == 0 for covered in result.performances)
    return path


def test_labels_are_exact(store_path: Path, recordings: Path, score: NoteArray):
    store = open_store(store_path)
    assert not validate(store_path)
    file = store.pieces["file"].tolist()
    rendition = store.renditions["performance"][store.pairs["snippet_rendition"]]
    for name, who, lag_s in (("prelude", "", LAG_S), ("two hands", "-ann", 0.0), ("two hands", "-ben", 0.0)):
        truth = np.loadtxt(recordings / name / f"alignment{who}.csv", delimiter=",", skiprows=1)
        piece = file.index(name)
        of_piece = np.flatnonzero(store.performances["piece"] == piece)
        number = of_piece[0] + (2 if who == "-ben" else 1)
        own = rendition == number
        starts = store.pairs["reference_start_frame"][own] / store.spectrogram.frame_rate_hz
        written = store.pairs["target_s"][own] + starts + store.pieces["cut_s"][piece]
        played = store.pairs["snippet_centre_s"][own] - lag_s
        assert own.sum() == chord_numbers(score)[-1] + 1  # one label for each chord
        nearest = np.abs(truth[:, 1][:, None] - written).argmin(axis=0)
        assert np.abs(truth[nearest, 1] - written).max() < 0.0016  # the score side lies on the event grid
        assert np.abs(truth[nearest, 0] - played).max() < 1e-6


def test_references_are_plain_and_facts_are_kept(store_path: Path):
    store = open_store(store_path)
    assert set(store.notes["velocity"]) == {64}
    assert set(store.pieces["split"]) == {"test"} and set(store.pieces["licence"]) == {"CC0-1.0"}
    assert set(store.pieces["composer"]) == {"J. S. Bach"} and set(store.instruments["name"]) == {"timgm6mb:0", "piano"}
    batch = PairReader(store, "test").batch(slice(0, 200))
    found = BASELINES["matched-filter-5"].scores(batch.reference, batch.snippet).argmax(axis=1)
    assert (np.abs(found - batch.target_frame) <= 2).mean() > 0.8


def test_bad_folders_are_reported_and_the_others_used(tmp_path: Path, recordings: Path):
    def damaged(name: str, change) -> None:
        change(Path(shutil.copytree(recordings / "prelude", tmp_path / "set" / name)))

    def rows(folder: Path, text: str) -> None:
        (folder / "alignment.csv").write_text("performance_time_s,score_time_s\n" + text)

    damaged("a-good", lambda folder: None)
    damaged("b-no-score", lambda folder: (folder / "score.mid").unlink())
    damaged("c-no-alignment", lambda folder: (folder / "alignment.csv").unlink())
    damaged("d-no-sound", lambda folder: (folder / "performance.flac").unlink())
    damaged("e-backwards", lambda folder: rows(folder, "1,1\n3,2\n2,3\n"))
    damaged("f-no-number", lambda folder: rows(folder, "1,1\nnan,2\n"))
    damaged("g-columns", lambda folder: (folder / "alignment.csv").write_text("a,b\n1,2\n"))
    damaged("h-empty", lambda folder: rows(folder, ""))
    late = np.loadtxt(recordings / "prelude" / "alignment.csv", delimiter=",", skiprows=1)
    damaged("i-beyond", lambda folder: rows(folder, "".join(f"{row[0] + 99},{row[1]}\n" for row in late)))
    damaged("j-other", lambda folder: rows(folder, "".join(f"{i},{i * 0.9137}\n" for i in range(3, 20))))
    damaged("k-sound", lambda folder: (folder / "performance.flac").write_bytes(b"fLaC nonsense"))
    damaged("l-meta", lambda folder: (folder / "meta.json").write_text("{"))
    damaged("m-past-score", lambda folder: rows(folder, "1,2.5\n3,3.5\n4,999\n"))
    damaged("n-twice", lambda folder: shutil.copy(folder / "performance.flac", folder / "performance.wav"))
    result = import_aligned(tmp_path / "set", tmp_path / "s.zarr", workers=1)
    assert result.pieces == 1
    reasons = {entry.source[0]: entry.reason for entry in result.skipped}
    expected = {
        "b": "no score.mid", "c": "no alignment.csv", "d": "no recording", "e": "goes back from 3.0 to 2.0",
        "f": "'nan'; expected a finite number", "g": "has columns a,b; expected", "h": "0 rows",
        "i": "outside performance.flac", "j": "do the two belong together", "k": "cannot be read as sound",
        "l": "no JSON", "m": "reaches to 999.00 s in the score", "n": "side by side",
    }  # fmt: skip
    assert set(reasons) == set(expected)
    for letter, said in expected.items():
        assert said in reasons[letter], (letter, reasons[letter])


def test_one_folder_alone_and_other_settings(tmp_path: Path, recordings: Path):
    settings = AlignedSettings(soundfont="timgm6mb:4", velocity=90, split="train")
    import_aligned(recordings / "prelude", tmp_path / "s.zarr", settings, workers=1)
    store = open_store(tmp_path / "s.zarr")
    assert set(store.pieces["split"]) == {"train"} and set(store.notes["velocity"]) == {90}
    assert "timgm6mb:4" in store.instruments["name"]


def test_bad_settings(tmp_path: Path):
    with pytest.raises(ValueError, match="velocity 0"):
        AlignedSettings(velocity=0)
    with pytest.raises(ValueError, match="'dev'; expected one of train, validation, test, shares"):
        AlignedSettings(split="dev")
    with pytest.raises(FileNotFoundError, match="no folder"):
        import_aligned(tmp_path / "nowhere", tmp_path / "s.zarr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no recorded set"):
        find_recorded(tmp_path / "empty")


def test_the_command(tmp_path: Path, recordings: Path):
    done = CliRunner().invoke(
        main, ["import", "aligned", str(recordings), "-o", str(tmp_path / "s.zarr"), "--workers", "1", "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {"store", "pieces", "renditions", "pairs", "audio_s", "elapsed_s", "skipped"} <= set(told)
    assert told["pieces"] == 2 and told["skipped"] == []


def test_reading_by_hand(tmp_path: Path):
    path = tmp_path / "alignment.csv"
    path.write_text("\ufeffscore_time_s, performance_time_s\r\n1.0,2.0\r\n\r\n3.0,2.5\r\n")
    alignment = read_alignment(path)
    assert alignment.performance_s.tolist() == [2.0, 2.5] and alignment.score_s.tolist() == [1.0, 3.0]
    assert alignment.warp(np.array([2.0, 5.0])).tolist() == [2.25, 3.0]
    assert alignment.nearest_row(np.array([1.02, 2.0])).tolist() == [0, -1]
    with pytest.raises(ValueError, match=r"lies 5\.00 s before an earlier row's"):
        Alignment(np.array([0.0, 1.0]), np.array([6.0, 1.0]))
    played = PerformedNotes(np.array([1.0, 1.1, 1.2]), np.array([0.0, 0.0, 0.01]), np.array([60, 60, 64]))
    assert played.find(np.array([0.0, 0.01]), np.array([60, 60])).tolist() == [0, 1]  # each is used once
    (tmp_path / "meta.json").write_text('{"title": "x", "source": "y", "licence": "z", "median_audio_lag_s": 5}')
    with pytest.raises(ValueError, match="between -1 and 1"):
        read_meta(tmp_path / "meta.json")
    with pytest.raises(ValueError, match="no recording"):
        recording_files(tmp_path)


def test_real_recordings(shared_data: Path, tmp_path: Path):
    for name in ("scn15_9_ENSTDkAm", "chpn-p19_ENSTDkCl"):
        shutil.copytree(shared_data / "recordings" / name, tmp_path / "set" / name)
    result = import_aligned(tmp_path / "set", tmp_path / "s.zarr", workers=1)
    assert result.pieces == 2 and all(covered.labelled == covered.notes for covered in result.performances)
    assert not validate(tmp_path / "s.zarr")
    assert not read_midi_notes(tmp_path / "set" / name / "score.mid")["onset_s"].min() < 0
