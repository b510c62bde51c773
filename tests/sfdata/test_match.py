"""Match files, through partitura: who plays which note of which score."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from sfdata import open_store
from sfdata.import_aligned import AlignedSettings, import_aligned
from sfdata.match import read_match
from sfdata.validate import validate


@pytest.fixture
def match_file(shared_data: Path) -> Path:
    pytest.importorskip("partitura")
    return next((shared_data / "recordings" / "mozart_k265_var1").glob("*.match"))


def test_notes_of_both_sides(match_file: Path):
    match = read_match(match_file)
    assert len(match.score) > 100 and match.score["onset_s"][0] == 0.5
    source = match.performance["source"]
    matched = source >= 0
    assert matched.mean() > 0.9 and len(set(source[matched].tolist())) == matched.sum()
    assert np.array_equal(match.performance["pitch"][matched], match.score["pitch"][source[matched]])
    # At one tempo the score runs along with the performance.
    slope = np.polyfit(match.score["onset_s"][source[matched]], match.performance["onset_s"][matched], 1)[0]
    assert 0.9 < slope < 1.1


def test_a_folder_with_a_match_file_becomes_a_store(match_file: Path, tmp_path: Path):
    shutil.copytree(match_file.parent, tmp_path / "set" / "mozart")
    for name in ("alignment.csv", "score.mid", "notes.csv"):
        (tmp_path / "set" / "mozart" / name).unlink(missing_ok=True)
    result = import_aligned(tmp_path / "set", tmp_path / "s.zarr", workers=1)
    assert result.pieces == 1 and not result.skipped
    assert not [problem for problem in validate(tmp_path / "s.zarr") if problem.check != "sounding"]
    assert result.pairs > 50


def test_performances_without_sound_can_be_rendered(match_file: Path, tmp_path: Path):
    (tmp_path / "set" / "mozart").mkdir(parents=True)
    shutil.copy(match_file, tmp_path / "set" / "mozart")
    shutil.copy(match_file.parent / "meta.json", tmp_path / "set" / "mozart")
    with pytest.raises(ValueError, match="--performed-by"):
        import_aligned(tmp_path / "set", tmp_path / "s.zarr", workers=1)
    import_aligned(tmp_path / "set", tmp_path / "s.zarr", AlignedSettings(performed_by="timgm6mb:1"), workers=1)
    assert not validate(tmp_path / "s.zarr")
    assert set(open_store(tmp_path / "s.zarr").instruments["name"]) == {"timgm6mb:0", "timgm6mb:1"}


def test_without_partitura(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "partitura", None)
    (tmp_path / "x.match").write_text("info(matchFileVersion,1.0.0).")
    with pytest.raises(ValueError, match=r"pip install 'sfdata\[partitura\]'"):
        read_match(tmp_path / "x.match")


def test_damaged_files(tmp_path: Path):
    pytest.importorskip("partitura")
    (tmp_path / "x.match").write_text("nothing of the kind")
    with pytest.raises(ValueError, match=r"x\.match"):
        read_match(tmp_path / "x.match")
