"""Stores rebuilt from what they tell of themselves; whatever was changed is found, and named."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from sfdata import open_store
from sfdata.build import build
from sfdata.cli import main
from sfdata.effects import NoiseSettings, RoomSettings, TuningSettings
from sfdata.schema import array_sha256
from sfdata.sound import SoundSettings
from sfdata.verify import verify


@pytest.fixture(scope="module")
def lively_store(tmp_path_factory, small_recipe, short_midi) -> Path:
    path = tmp_path_factory.mktemp("verify") / "s.zarr"
    sound = SoundSettings(tuning=TuningSettings(), room=RoomSettings(), noise=NoiseSettings())
    build(replace(small_recipe, sound=sound), path, short_midi, workers=1)
    return path


@pytest.fixture
def copy(lively_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lively_store, tmp_path / "copy.zarr"))


def change(path: Path, column: str, values: np.ndarray) -> None:
    """Change a column and its checksum, so that only rebuilding can tell."""
    group = zarr.open_group(path, mode="r+")
    group[column][:] = values
    group.attrs["checksums"] = dict(group.attrs["checksums"]) | {column: array_sha256(values)}


def test_a_true_store_is_rebuilt_byte_for_byte(lively_store: Path, short_midi):
    result = verify(lively_store, sample=30, midi=short_midi)
    assert result.verified and not result.not_rebuilt and not result.software
    assert result.pairs == 30 and result.renditions >= 6 and result.scores == 3


def test_without_the_midi_the_rest_is_rebuilt(lively_store: Path, monkeypatch, tmp_path: Path, short_midi):
    (tmp_path / "other.mid").write_bytes(short_midi[0].read_bytes() + b" ")
    monkeypatch.setattr("sfdata.verify.shipped_file", lambda name: tmp_path)
    result = verify(lively_store, sample=5)
    assert result.verified and result.scores == 0
    assert result.not_rebuilt and all("its MIDI file is not at hand" in reason for reason in result.not_rebuilt)
    assert verify(lively_store, sample=5, midi=short_midi).scores > 0


@pytest.mark.parametrize("column, by", [("onset_s", 0.01), ("pitch", 1), ("velocity", 1), ("source", 1)])
def test_changed_notes_are_found(copy: Path, short_midi, column, by):
    values = open_store(copy).notes[column].copy()
    values[::7] += np.asarray(by).astype(values.dtype)
    change(copy, f"notes/{column}", values)
    result = verify(copy, sample=30, midi=short_midi)
    assert not result.verified
    assert any(d.what == "notes" and column in d.detail for d in result.differences)


def test_changed_frames_are_found_and_measured(copy: Path):
    store = open_store(copy)
    row = int(store.pairs["snippet_rendition"][0])
    first, count = (int(store.renditions[name][row]) for name in ("first_frame", "frame_count"))
    group = zarr.open_group(copy, mode="r+")
    frames = group["frames"][first : first + count]
    frames[5] += np.float16(0.25)
    group["frames"][first : first + count] = frames
    sums = store.renditions["sha256"].copy()
    sums[row] = array_sha256(frames)
    change(copy, "renditions/sha256", sums)
    result = verify(copy, sample=len(store.pairs["note"]))
    (found,) = result.differences
    assert (found.what, found.row) == ("frames", row)
    assert "by 0.25 at most; correlation 0.99" in found.detail


def test_a_changed_record_of_the_sound_is_found(copy: Path):
    store = open_store(copy)
    records = store.renditions["sound"].copy()
    row = int(store.pairs["snippet_rendition"][0])
    record = json.loads(records[row])
    record["operations"][0]["cents"] += 5
    records[row] = json.dumps(record, sort_keys=True)
    change(copy, "renditions/sound", records)
    assert [(d.what, d.row) for d in verify(copy, sample=len(store.pairs["note"])).differences] == [("frames", row)]


def test_changed_pairs_are_found(copy: Path):
    store = open_store(copy)
    start = store.pairs["reference_start_frame"].copy()
    start[3] += 1
    change(copy, "pairs/reference_start_frame", start)
    (found,) = verify(copy, sample=len(start)).differences
    assert (found.what, found.row) == ("pair", 3)
    assert found.detail == f"reference_start_frame is {start[3] - 1}, the store holds {start[3]}"


def test_other_versions_and_soundfonts_are_named(copy: Path):
    group = zarr.open_group(copy, mode="r+")
    group.attrs["software"] = dict(group.attrs["software"]) | {"fluidsynth": "2.0.0"}
    sums = open_store(copy).instruments["sha256"].copy()
    sums[:] = "0" * 64
    change(copy, "instruments/sha256", sums)
    result = verify(copy, sample=5)
    assert result.software["fluidsynth"][0] == "2.0.0"
    assert result.renditions == 0 and not result.verified
    assert {d.what for d in result.differences} == {"instrument"}
    assert all("another soundfont file here" in d.detail for d in result.differences)


def test_the_command(lively_store: Path, copy: Path, short_midi):
    folder = str(short_midi[0].parent)
    done = CliRunner().invoke(main, ["verify", str(lively_store), "--sample", "4", "--midi", folder, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["verified"] and told["pairs"] == 4 and told["differences"] == []
    change(copy, "pairs/lookalikes", open_store(copy).pairs["lookalikes"] + 1)
    done = CliRunner().invoke(main, ["verify", str(copy), "--sample", "4"])
    assert done.exit_code == 1 and "lookalikes is" in done.output and "4 differences" in done.output


def test_bad_input(lively_store: Path):
    with pytest.raises(ValueError, match="sample 0"):
        verify(lively_store, sample=0)
    with pytest.raises(FileNotFoundError, match="no store"):
        verify("nowhere.zarr")
