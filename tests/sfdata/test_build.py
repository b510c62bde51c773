import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from sfdata import open_store
from sfdata.augment import AugmentSettings, sounding_notes
from sfdata.build import build
from sfdata.locks import only_builder
from sfdata.midi import read_piece, write_midi
from sfdata.notes import make_notes
from sfdata.place import Place
from sfdata.recipe import InstrumentSettings, Recipe, recipe_from_dict
from sfdata.render import render
from sfdata.schema import TABLES
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import spectrogram
from sfdata.validate import validate
from sfdata.voices import extract_voices


def content(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_one_and_two_workers_and_another_order_give_the_same_bytes(
    built_store: Path, tmp_path: Path, small_recipe, short_midi
):
    build(small_recipe, tmp_path / "two.zarr", short_midi[::-1], workers=2)
    one, two = open_store(built_store), open_store(tmp_path / "two.zarr")
    assert one.attrs == two.attrs
    for name in TABLES:
        for column in TABLES[name]:
            assert np.array_equal(getattr(one, name)[column], getattr(two, name)[column])
    assert np.array_equal(one.frames[:], two.frames[:])
    assert content(built_store) == content(tmp_path / "two.zarr")


def test_a_dask_cluster_gives_the_same_bytes(built_store: Path, tmp_path: Path, small_recipe, short_midi):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        build(small_recipe, tmp_path / "c.zarr", short_midi, scheduler=cluster.scheduler_address)
    assert content(built_store) == content(tmp_path / "c.zarr")
    with pytest.raises(ValueError, match="no Dask scheduler answers"):
        build(small_recipe, tmp_path / "d.zarr", short_midi, scheduler="tcp://127.0.0.1:9")


def test_another_seed_draws_otherwise(built_store: Path, tmp_path: Path, small_recipe, short_midi):
    build(replace(small_recipe, seed=99), tmp_path / "s.zarr", short_midi, workers=1)
    one, other = open_store(built_store), open_store(tmp_path / "s.zarr")
    assert list(one.performances["augmentation"]) != list(other.performances["augmentation"])


def test_rows_are_rebuilt_from_what_is_stored(built_store: Path, short_midi):
    """Recorded recipe, drawn augmentation and instruments give every note and every frame again."""
    store = open_store(built_store)
    recipe = recipe_from_dict(store.attrs["recipe"] | {"sources": []})
    paths = {path.name: path for path in short_midi}
    for rendition in range(len(store.renditions["gain"])):
        performance = int(store.renditions["performance"][rendition])
        file = store.pieces["file"][store.performances["piece"][performance]]
        piece = read_piece(paths[file], recipe.midi)
        voice = extract_voices(piece.notes, recipe.voices)[store.performances["voice"][performance]]
        records = [json.loads(store.performances["augmentation"][performance])]
        if store.performances["role"][performance] == "variant":
            records.insert(0, json.loads(store.performances["augmentation"][performance - 1]))
        notes = voice.copy()
        notes["source"] = np.arange(len(voice))
        for record in records:
            notes = sounding_notes(notes, record, recipe.spectrogram.sample_rate_hz)
        stored = store.performance_notes(performance)
        for column in ("onset_s", "offset_s", "pitch", "velocity", "source"):
            assert np.array_equal(notes[column], stored[column])
        assert np.array_equal(voice["source"], stored["piece_note"])
        instrument = resolve_instrument(store.instruments["name"][store.renditions["instrument"][rendition]])
        samples = render(notes, instrument, recipe.spectrogram.sample_rate_hz, recipe.render)
        frames = spectrogram(samples, recipe.spectrogram).astype(store.frames.dtype)
        assert np.array_equal(frames, store.rendition_frames(rendition))


def test_broken_files_are_reported_and_skipped(tmp_path: Path, small_recipe, short_midi):
    (tmp_path / "midi").mkdir()
    for path in short_midi:
        (tmp_path / "midi" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "midi" / "broken.mid").write_bytes(short_midi[0].read_bytes()[:500])
    (tmp_path / "midi" / "empty.mid").write_bytes(b"")
    (tmp_path / "midi" / "twice.mid").write_bytes(short_midi[0].read_bytes())
    result = build(small_recipe, tmp_path / "s.zarr", [tmp_path / "midi"], workers=1)
    assert result.pieces == 3
    reasons = {entry.source: entry.reason for entry in result.skipped}
    assert set(reasons) == {"broken.mid", "empty.mid", "twice.mid"}
    assert "damaged" in reasons["broken.mid"] and "same content" in reasons["twice.mid"]
    store = open_store(tmp_path / "s.zarr")
    assert {entry["source"] for entry in store.attrs["skipped"]} == set(reasons)
    assert not validate(tmp_path / "s.zarr")
    with pytest.raises(ValueError, match=r"none of 1 sources could be used.*damaged"):
        build(small_recipe, tmp_path / "n.zarr", [tmp_path / "midi" / "broken.mid"], workers=1)


def test_an_interrupted_build_goes_on(built_store: Path, tmp_path: Path, small_recipe, short_midi):
    """Killed without warning after its first piece, the same command does only the rest, and ends with the same."""
    code = """
import os, sys
from pathlib import Path
import sfdata.build as b
import sfdata.writer as w
from tests_recipe import recipe, midi
note = w.note_done
def die(*noted):
    note(*noted)
    os.kill(os.getpid(), 9)
w.note_done = die
b.build(recipe, Path(sys.argv[1]), midi, workers=1)
"""
    (tmp_path / "tests_recipe.py").write_text(
        "import json\nfrom pathlib import Path\nfrom sfdata.recipe import recipe_from_dict, read_recipe\n"
        f"recipe = recipe_from_dict(json.loads({json.dumps(small_recipe.as_dict())!r}))\n"
        f"midi = [Path(p) for p in {[str(path) for path in short_midi]!r}]\n"
    )
    target = tmp_path / "k.zarr"
    killed = subprocess.run([sys.executable, "-c", code, str(target)], cwd=tmp_path, env={**os.environ})
    assert killed.returncode == -9
    assert not target.exists() and len(list((tmp_path / "k.zarr.wip" / "done").glob("*.json"))) == 1
    with pytest.raises(ValueError, match="interrupted build of other sources"):
        build(replace(small_recipe, seed=5), target, short_midi, workers=1)
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "k.zarr.wip" / "store" / "frames").rglob("c/*/0")}
    assert kept
    seen = []
    build(small_recipe, target, short_midi, workers=1, progress=lambda *state: seen.append(state))
    told = [state[:3] for state in seen]
    assert ("render", 1, 3) in told and ("render", 0, 3) not in told
    assert content(target) == content(built_store)
    assert not (tmp_path / "k.zarr.wip").exists()


def test_an_interrupted_build_of_other_sounds_is_not_continued(tmp_path: Path, small_recipe, short_midi, monkeypatch):
    """Same pieces, same lengths, another instrument: what was done must not be taken for it."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sfdata.writer.note_done", stop)
    with pytest.raises(KeyboardInterrupt):
        build(small_recipe, tmp_path / "i.zarr", short_midi, workers=1)
    monkeypatch.undo()
    assert (tmp_path / "i.zarr.wip" / "content.json").is_file()
    other = replace(small_recipe, instruments=replace(small_recipe.instruments, snippets=("timgm6mb:6", "timgm6mb:4")))
    with pytest.raises(ValueError, match="interrupted build of other"):
        build(other, tmp_path / "i.zarr", short_midi, workers=1)


def test_a_second_build_of_one_target_refuses(tmp_path: Path, small_recipe, short_midi):
    with only_builder(Place(tmp_path / "l.zarr")), pytest.raises(ValueError, match="another build is writing"):
        build(small_recipe, tmp_path / "l.zarr", short_midi[:1], workers=1)
    build(small_recipe, tmp_path / "l.zarr", short_midi[:1], workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.zarr"]


def test_a_soundfont_by_path_is_the_same_instrument(tmp_path: Path, small_recipe, short_midi):
    """Known by its content: no path in the store, and one row for it."""
    font = tmp_path / "My Font.sf2"
    font.symlink_to(resolve_instrument("timgm6mb").path)
    named = replace(small_recipe, instruments=InstrumentSettings(("timgm6mb:0",), ("timgm6mb:0", "timgm6mb:4")))
    by_path = replace(small_recipe, instruments=InstrumentSettings((f"{font}:0",), ("timgm6mb:0", f"{font}:4")))
    build(named, tmp_path / "n.zarr", short_midi[:1], workers=1)
    build(by_path, tmp_path / "p.zarr", short_midi[:1], workers=1)
    assert content(tmp_path / "n.zarr") == content(tmp_path / "p.zarr")


def test_folders_in_the_way_are_left_alone(tmp_path: Path, small_recipe, short_midi):
    for name in ("t.zarr.wip", "t.zarr.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").write_text("x")
    with pytest.raises(ValueError, match="in the way"):
        build(small_recipe, tmp_path / "t.zarr", short_midi[:1], workers=1)
    (tmp_path / "t.zarr.wip" / "precious").unlink()
    for _ in range(2):
        build(small_recipe, tmp_path / "t.zarr", short_midi[:1], workers=1, overwrite=True)
    assert (tmp_path / "t.zarr.old" / "precious").read_text() == "x"


def test_reasons_hold_no_path(tmp_path: Path, small_recipe, short_midi):
    (tmp_path / "midi" / "x.mid").mkdir(parents=True)
    (tmp_path / "midi" / "a.mid").write_bytes(short_midi[0].read_bytes())
    result = build(small_recipe, tmp_path / "s.zarr", [tmp_path / "midi"], workers=1)
    assert [entry.source for entry in result.skipped] == ["x.mid"]
    assert str(tmp_path) not in (tmp_path / "s.zarr" / "zarr.json").read_text()


def test_a_repetitive_piece_costs_no_fortune(tmp_path: Path, small_recipe):
    onset = 0.5 + np.arange(6000) / 8
    write_midi(tmp_path / "same.mid", make_notes(onset, onset + 0.1, [60] * 6000, [80] * 6000))
    began = time.process_time()
    build(replace(small_recipe, augment=AugmentSettings()), tmp_path / "s.zarr", [tmp_path / "same.mid"], workers=1)
    assert time.process_time() - began < 20
    counts = open_store(tmp_path / "s.zarr").pairs["lookalikes"]
    assert 80 <= np.median(counts) <= 96  # all the others in the same twelve seconds


def test_targets_are_never_destroyed(tmp_path: Path, small_recipe, short_midi):
    target = tmp_path / "t.zarr"
    target.mkdir()
    (target / "precious").write_text("x")
    with pytest.raises(ValueError, match="exists already"):
        build(small_recipe, target, short_midi, workers=1)
    with pytest.raises(ValueError, match="no Zarr store; it is not overwritten"):
        build(small_recipe, target, short_midi, workers=1, overwrite=True)
    assert (target / "precious").read_text() == "x"


def test_the_same_command_again_has_nothing_to_do(tmp_path: Path, small_recipe, short_midi):
    target = tmp_path / "o.zarr"
    first = build(small_recipe, target, short_midi[:1], workers=1)
    before = content(target)
    told: list[tuple] = []
    again = build(small_recipe, target, short_midi[:1], workers=1, progress=lambda *state: told.append(state))
    assert replace(again, elapsed_s=0.0) == replace(first, elapsed_s=0.0)
    assert "render" not in {state[0] for state in told}
    assert content(target) == before
    with pytest.raises(ValueError, match="exists already"):
        build(replace(small_recipe, seed=5), target, short_midi[:1], workers=1)


def test_silence_makes_no_file_and_no_trouble(tmp_path: Path, small_recipe):
    """Zarr writes no shard of nothing but zeros."""
    write_midi(tmp_path / "rest.mid", make_notes([0.5, 300.0], [0.8, 300.5], [60, 62], [80, 80]))
    result = build(
        replace(small_recipe, augment=AugmentSettings()), tmp_path / "s.zarr", [tmp_path / "rest.mid"], workers=1
    )
    assert result.pieces == 1 and not validate(tmp_path / "s.zarr")


def test_overwriting(tmp_path: Path, small_recipe, short_midi):
    target = tmp_path / "o.zarr"
    build(small_recipe, target, short_midi[:1], workers=1)
    with pytest.raises(ValueError, match="overwrite"):
        build(small_recipe, target, short_midi[:2], workers=1)
    build(small_recipe, target, short_midi[:2], workers=1, overwrite=True)
    assert len(open_store(target).pieces["title"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.zarr"]


@pytest.mark.parametrize("stop_after", [0, 1])
def test_a_build_that_ends_while_the_store_gets_its_name(
    tmp_path: Path, small_recipe, short_midi, stop_after, monkeypatch
):
    """Stopped between the renames, or after them: the next build finds a way, and nothing is left over."""
    target = tmp_path / "f.zarr"
    build(small_recipe, target, short_midi[:1], workers=1)
    calls = []

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    def replace_then_die(source: Path, destination: Path) -> None:
        os.rename(source, destination)
        if Path(destination).name in ("old", "f.zarr"):
            calls.append(destination)
            if len(calls) > stop_after:
                die()

    monkeypatch.setattr("sfdata.wip.os.replace", replace_then_die)
    with pytest.raises(KeyboardInterrupt):
        build(small_recipe, target, short_midi[:2], workers=1, overwrite=True)
    monkeypatch.undo()
    build(small_recipe, target, short_midi[:2], workers=1, overwrite=True)
    assert len(open_store(target).pieces["title"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["f.zarr"]


def test_no_sources():
    with pytest.raises(ValueError, match="names no sources"):
        build(Recipe(), "x.zarr", workers=1)


def test_the_file_is_plain_zarr(built_store: Path):
    group = zarr.open_group(built_store, mode="r")
    assert group.attrs["format"] == "sfdata-pairs" and group["frames"].shards == (1024, 88)
    assert group["pairs/target_frame"].attrs["description"]
    starts = open_store(built_store).renditions["first_frame"]
    assert starts[0] == 0 and group["frames"].shape[0] % 1024 == 0
