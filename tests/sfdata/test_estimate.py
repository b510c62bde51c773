"""Estimates beside what builds then make; numbers of files that are read, not guessed."""

from pathlib import Path

import pytest

from sfdata.build import build
from sfdata.estimate import estimate_build
from sfdata.place import Place


def test_an_estimate_comes_near_the_build(built_store: Path, tmp_path: Path, small_recipe, short_midi):
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    estimate = estimate_build(small_recipe, tmp_path / "s.zarr", [*short_midi, tmp_path / "broken.mid"], workers=1)
    assert (estimate.files, estimate.usable) == (4, 3)
    assert [entry.source for entry in estimate.skipped] == ["broken.mid"]
    result = build(small_recipe, tmp_path / "s.zarr", short_midi, workers=1)
    assert estimate.renditions == result.renditions
    assert estimate.audio_s == pytest.approx(result.audio_s, rel=0.05)
    frames = sum(file.stat().st_size for file in (tmp_path / "s.zarr" / "frames").rglob("c/*/0"))
    assert estimate.store_bytes == pytest.approx(frames, rel=0.3)
    assert 0.05 < estimate.seconds / result.elapsed_s < 20  # one of the two may have met a busy machine
    assert estimate.free_bytes > 0 and estimate.worker_bytes > 2**25
    assert not (tmp_path / "s.zarr.wip").exists()


def test_nothing_usable(tmp_path: Path, small_recipe):
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(ValueError, match="none of 1 sources could be used"):
        estimate_build(small_recipe, tmp_path / "s.zarr", [tmp_path], workers=1)


def test_places_of_this_machine(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Place("a.zarr")
    assert place.given == "a.zarr" and place.path == tmp_path / "a.zarr" and place.name == "a.zarr"
    assert place.read("x") is None and place.names() == set() and not place.exists()
    place.make()
    place.write("x", b"1")
    place.settle("x")
    assert place.read("x") == b"1" and place.names() == {"x"} and place.size_bytes() == 1
    place.delete("x")
    place.delete("x")
    place.remove()
    place.remove()
    assert not place.exists()
    with pytest.raises(ValueError, match="no folder of this machine"):
        _ = Place("s3://bucket/x").path
