"""Stores that grow: what they hold stays, what is new is whole, and what does not belong is refused."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sfdata import open_store
from sfdata.augment import AugmentSettings
from sfdata.build import build
from sfdata.midi import read_piece, write_midi
from sfdata.operations import Tempo
from sfdata.recipe import InstrumentSettings
from sfdata.schema import TABLES
from sfdata.splits import SplitSettings, assign_splits
from sfdata.validate import validate
from sfdata.verify import verify


@pytest.fixture(scope="module")
def recipe(small_recipe):
    return replace(
        small_recipe,
        augment=AugmentSettings(copies=1, tempo=Tempo((0.8, 1.25))),
        instruments=InstrumentSettings(("timgm6mb:0",), ("timgm6mb:1",)),
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory, recipe, short_midi) -> Path:
    path = tmp_path_factory.mktemp("first") / "s.zarr"
    build(recipe, path, short_midi[:2], workers=1)
    return path


@pytest.fixture
def grown(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "s.zarr"))


def held_stays(before: Path, after: Path) -> None:
    """Rows, frames and splits of a store stand unchanged at the beginning of another."""
    one, other = open_store(before), open_store(after)
    for name in TABLES:
        for column, values in one.table(name).items():
            assert np.array_equal(other.table(name)[column][: len(values)], values), (name, column)
    assert np.array_equal(other.frames[: one.frames.shape[0]], one.frames[:])


def test_pieces_are_added_and_nothing_is_written_twice(first, grown, recipe, short_midi):
    shards = {path: path.stat().st_ino for path in (grown / "frames").rglob("c/*/0")}
    result = build(recipe, grown, short_midi[2:], workers=1, append=True)  # the new file alone is enough
    assert result.pieces == 3 and result.renditions == 6
    held_stays(first, grown)
    assert all(path.stat().st_ino == number for path, number in shards.items())
    assert not validate(grown)
    found = verify(grown, midi=short_midi)
    assert found.verified and not found.not_rebuilt
    assert not grown.with_name("s.zarr.wip").exists()


def test_all_at_once_or_one_after_another_give_the_same_pairs(first, grown, recipe, short_midi, tmp_path):
    """Rows lie elsewhere, but each note's pair is the same where its references are."""
    build(recipe, grown, short_midi, workers=1, append=True)
    build(recipe, tmp_path / "once.zarr", short_midi, workers=1)

    def pairs(path: Path) -> set[tuple]:
        store = open_store(path)
        piece = store.pieces["sha256"][store.pair_pieces(np.arange(store.rows("pairs")))]
        columns = ("snippet_centre_s", "target_frame", "reference_start_frame", "lookalikes")
        return set(zip(piece, *(store.pairs[name].tolist() for name in columns), strict=True))

    assert pairs(grown) == pairs(tmp_path / "once.zarr")


def test_instruments_and_copies_are_added(first, grown, recipe, short_midi):
    more = replace(
        recipe,
        augment=replace(recipe.augment, copies=2),
        instruments=InstrumentSettings(("timgm6mb:2", "timgm6mb:0"), ("timgm6mb:4", "timgm6mb:1")),
    )
    result = build(more, grown, short_midi, workers=1, append=True)
    assert result.renditions == 3 * (2 + 2 * 2)
    held_stays(first, grown)
    assert not validate(grown)
    assert verify(grown, midi=short_midi, sample=100).verified
    store = open_store(grown)
    old = store.attrs["appended_to"][0]["rows"]["renditions"]
    references = store.pairs["reference_rendition"][store.pairs["snippet_rendition"] >= old]
    assert (references < old).any() and (references >= old).any()  # new snippets meet old and new references
    again = build(more, grown, short_midi, workers=1, append=True)  # nothing is new: nothing happens
    assert again.pairs == result.pairs


def test_killed_while_it_grows(first, recipe, short_midi, tmp_path, monkeypatch):
    """At every step that changes names the old store is there, or comes back; the same command ends the same."""
    build(recipe, whole := tmp_path / "whole.zarr", short_midi[:2], workers=1)
    build(recipe, whole, short_midi, workers=1, append=True)
    for stop_at in ("content.json", "s.zarr.wip/old", "s.zarr"):
        target = Path(shutil.copytree(first, tmp_path / f"until {stop_at}".replace("/", " ") / "s.zarr"))
        real = os.replace

        def replace_then_stop(source, destination, real=real, stop_at=stop_at):
            real(source, destination)
            if str(destination).endswith("/" + stop_at):
                raise KeyboardInterrupt

        monkeypatch.setattr("os.replace", replace_then_stop)
        with pytest.raises(KeyboardInterrupt):
            build(recipe, target, short_midi, workers=1, append=True)
        monkeypatch.undo()
        build(recipe, target, short_midi, workers=1, append=True)
        assert [path.name for path in target.parent.iterdir()] == ["s.zarr"]
        files = [sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file()) for root in (target, whole)]
        assert files[0] == files[1]
        assert all((target / name).read_bytes() == (whole / name).read_bytes() for name in files[0])


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda r: replace(r, seed=9), "was built with seed = 1, the recipe says 9"),
        (
            lambda r: replace(r, spectrogram=replace(r.spectrogram, n_fft=4096)),
            r"\[spectrogram\] n_fft = 2048, the recipe says 4096",
        ),
        (lambda r: replace(r, augment=AugmentSettings(copies=0)), "holds performances of .* no longer makes"),
        (
            lambda r: replace(r, instruments=InstrumentSettings(("timgm6mb:0",), ("timgm6mb:6",))),
            "holds instruments or sounds of .* no longer makes",
        ),
    ],
)
def test_another_recipe_is_refused(first, grown, recipe, short_midi, change, said):
    with pytest.raises(ValueError, match=said):
        build(change(recipe), grown, short_midi, workers=1, append=True)
    held_stays(first, grown)


def test_what_cannot_grow(grown, recipe, short_midi, tmp_path):
    with pytest.raises(FileNotFoundError, match="no store at"):
        build(recipe, tmp_path / "none.zarr", short_midi, workers=1, append=True)
    with pytest.raises(ValueError, match="lies elsewhere"):
        build(recipe, "memory://x.zarr", short_midi, workers=1, append=True)
    with pytest.raises(ValueError, match="--append to extend it"):
        build(recipe, grown, short_midi, workers=1)


def test_a_damaged_store_does_not_grow(grown, recipe, short_midi):
    import zarr

    column = zarr.open_group(grown, mode="r+")["notes/pitch"]
    column[0] = int(column[0]) + 1
    with pytest.raises(ValueError, match="notes/pitch differs from its recorded sha256"):
        build(recipe, grown, short_midi, workers=1, append=True)


def test_a_piece_that_would_tear_the_splits_stays_out(grown, recipe, short_midi, tmp_path):
    """A recital of two pieces that stand in different splits belongs in neither."""
    assert len(set(open_store(grown).pieces["split"])) == 2
    one, other = (read_piece(path).notes for path in short_midi[:2])
    other = other.copy()
    for name in ("onset_s", "offset_s"):
        other[name] += one["offset_s"].max() + 1
    write_midi(tmp_path / "recital.mid", np.concatenate([one, other]))
    recipe = replace(recipe, voices=replace(recipe.voices, method="skyline"))
    result = build(recipe, grown, [tmp_path / "recital.mid", short_midi[2]], workers=1, append=True)
    assert [entry.source for entry in result.skipped] == ["recital.mid"]
    assert "belongs to works that stand in splits" in result.skipped[0].reason
    assert result.pieces == 3 and not validate(grown)


def test_new_works_fill_up_what_splits_lack():
    shares = SplitSettings(0.5, 0.25, 0.25)
    held = [f"h{number}" for number in range(4)]
    works, fixed = [*held, "a", "b", "c", "d"], ["train"] * 4 + [""] * 4
    splits = assign_splits(works, fixed, shares, 1, frozenset(held))
    assert sorted(splits[4:]) == ["test", "test", "validation", "validation"]
    assert assign_splits(works, fixed, shares, 1, frozenset(held)) == splits


def test_records_of_what_was_appended(grown, recipe, short_midi):
    build(recipe, grown, short_midi, workers=1, append=True)
    (entry,) = open_store(grown).attrs["appended_to"]
    assert entry["rows"]["pieces"] == 2 and entry["recipe"]["name"] == "demo" and "fluidsynth" in entry["software"]
    assert json.dumps(entry)
