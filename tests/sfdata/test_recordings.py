"""Recordings as their alignments tell of them: the sound's lag added, several hands, what is left out and why."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from sfdata.aligned import RecordingFiles, RecordingMeta, recording_files
from sfdata.recordings import read_recording, read_recordings


def write_set(folder: Path, whos: tuple[str, ...] = ("",), **meta: object) -> Path:
    """A folder of recordings; no sound and no score is decoded here, so these files are empty."""
    folder.mkdir(parents=True)
    (folder / "score.mid").touch()
    for who in whos:
        (folder / f"performance{who}.flac").touch()
        (folder / f"alignment{who}.csv").write_text("performance_time_s,score_time_s\n1.0,0.5\n2.5,1.25\n")
    (folder / "meta.json").write_text(json.dumps({"title": "T", "source": "S", "licence": "CC0-1.0"} | meta))
    return folder


def test_onsets_are_those_of_the_sound(tmp_path: Path):
    folder = write_set(tmp_path / "one", median_audio_lag_s=0.25, instrument="grand")
    found = read_recording(folder, *recording_files(folder))
    assert (found.name, found.instrument) == ("one", "grand")
    assert (found.sound, found.score) == (folder / "performance.flac", folder / "score.mid")
    assert found.performance_s.tolist() == [1.25, 2.75] and found.score_s.tolist() == [0.5, 1.25]


def test_no_lag_changes_nothing():
    annotated_s = np.array([0.0, 1.0])
    assert np.array_equal(RecordingMeta("T", "S", "CC0-1.0").sounding_s(annotated_s), annotated_s)


def test_each_hand_is_a_recording(tmp_path: Path):
    write_set(tmp_path / "a", ("-two", "-one"))
    write_set(tmp_path / "b")
    found, skipped = read_recordings(tmp_path)
    assert [recording.name for recording in found] == ["a/one", "a/two", "b"] and not skipped
    assert [recording.instrument for recording in found] == ["", "", ""]


@pytest.mark.parametrize(
    "missing, reason",
    [
        ("score.mid", "no score.mid; expected sound, alignment.csv, score.mid"),
        ("alignment.csv", "no alignment.csv for performance.flac"),
        ("meta.json", "no meta.json; expected one with title, source and licence"),
    ],
)
def test_what_is_left_out_is_told(tmp_path: Path, missing: str, reason: str):
    write_set(tmp_path / "whole")
    (write_set(tmp_path / "broken") / missing).unlink()
    found, skipped = read_recordings(tmp_path)
    assert [recording.name for recording in found] == ["whole"]
    assert skipped == [{"source": "broken", "reason": reason}]


def test_a_match_file_alone_is_no_recording(tmp_path: Path):
    told = re.escape("no sound and no alignment.csv and no score.mid; expected sound, alignment.csv, score.mid")
    with pytest.raises(ValueError, match=told):
        read_recording(tmp_path, RecordingFiles("who", match=tmp_path / "who.match"))


def test_nothing_there(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="holds no recorded set"):
        read_recordings(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder at"):
        read_recordings(tmp_path / "none")
