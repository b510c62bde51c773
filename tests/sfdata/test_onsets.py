"""Splits by onset: each chord of the score side drawn by itself, whoever plays it, however a store is built."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from sfdata import open_store
from sfdata.augment import AugmentSettings
from sfdata.build import build
from sfdata.cli import main
from sfdata.info import info
from sfdata.notes import make_notes
from sfdata.onsets import onset_numbers, pair_onsets
from sfdata.operations import Tempo
from sfdata.recipe import InstrumentSettings, SourceSettings, recipe_from_dict
from sfdata.schema import array_sha256
from sfdata.splits import SplitSettings
from sfdata.store import Store
from sfdata.validate import remarks, validate
from sfdata.verify import verify

SHARES = SplitSettings(0.6, 0.2, 0.2, by="onset")


@pytest.fixture(scope="module")
def recipe(small_recipe):
    """Chords, two variants that omit nothing, two instruments for each."""
    return replace(
        small_recipe,
        voices=replace(small_recipe.voices, method="all"),
        augment=AugmentSettings(copies=1, tempo=Tempo((0.8, 1.25))),
        instruments=InstrumentSettings(("timgm6mb:0",), ("timgm6mb:1", "timgm6mb:4")),
        splits=SHARES,
    )


@pytest.fixture(scope="module")
def divided(tmp_path_factory, recipe, short_midi) -> Path:
    path = tmp_path_factory.mktemp("divided") / "s.zarr"
    build(recipe, path, short_midi, workers=1)
    return path


@pytest.fixture
def copy(divided: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(divided, tmp_path / "copy.zarr"))


def change(path: Path, column: str, values: np.ndarray) -> None:
    """Change a column and its checksum with it, as a faulty writer would."""
    group = zarr.open_group(path, mode="r+")
    group[column][:] = values
    group.attrs["checksums"] = dict(group.attrs["checksums"]) | {column: array_sha256(np.asarray(group[column][:]))}


def by_onset(store: Store) -> dict[tuple[str, int, int], set[int]]:
    """Splits of the pairs of each onset, known by file, voice and number of the chord."""
    score, number = pair_onsets(store)
    file = store.pieces["sha256"][store.performances["piece"][score]]
    found: dict[tuple[str, int, int], set[int]] = {}
    for key, split in zip(
        zip(file, store.performances["voice"][score].tolist(), number.tolist(), strict=True),
        store.pairs["split"].tolist(),
        strict=True,
    ):
        found.setdefault(key, set()).add(split)
    return found


def test_onsets_are_numbered_by_chords():
    score = make_notes([0, 0.01, 1, 2], [3, 3, 3, 3], [60, 64, 67, 72], [80] * 4)
    assert onset_numbers(score, np.array([3, 0, 1, 2])).tolist() == [2, 0, 0, 1]
    assert onset_numbers(score, np.array([-1, 4, 9])).tolist() == [-1, -1, -1]
    assert onset_numbers(score[:0], np.array([0])).tolist() == [-1]
    assert onset_numbers(score, np.empty(0, dtype=np.int32)).tolist() == []


def test_an_onset_has_one_split_whoever_plays_it(divided):
    store = open_store(divided)
    assert set(store.pieces["split"]) == {"all"} and store.splits_by == "onset"
    found = by_onset(store)
    assert all(len(splits) == 1 for splits in found.values())
    assert len(found) * 2 == store.rows("pairs")  # two instruments play each
    shares = np.bincount([min(splits) for splits in found.values()]) / len(found)
    assert np.abs(shares - [0.6, 0.2, 0.2]).max() < 4 * np.sqrt(0.25 / len(found))
    for sha256 in set(store.pieces["sha256"]):  # within each piece, not only on the whole
        own = {min(splits) for key, splits in found.items() if key[0] == sha256}
        assert own == {0, 1, 2}
    assert info(divided)["splits_by"] == "onset"
    assert info(divided)["splits"] == {
        name: int((store.pairs["split"] == number).sum()) for number, name in enumerate(("train", "validation", "test"))
    }


def test_workers_order_and_company_change_nothing(divided, recipe, short_midi, tmp_path):
    build(recipe, tmp_path / "two.zarr", short_midi[::-1], workers=2)
    files = {str(file.relative_to(divided)): file.read_bytes() for file in divided.rglob("*") if file.is_file()}
    two = tmp_path / "two.zarr"
    assert files == {str(file.relative_to(two)): file.read_bytes() for file in two.rglob("*") if file.is_file()}
    build(recipe, tmp_path / "alone.zarr", short_midi[1:2], workers=1)
    alone, together = by_onset(open_store(tmp_path / "alone.zarr")), by_onset(open_store(divided))
    assert alone and alone == {key: together[key] for key in alone}


def test_what_is_appended_has_the_same_splits(copy, divided, recipe, short_midi, tmp_path):
    more = replace(
        recipe,
        augment=replace(recipe.augment, copies=2),
        instruments=replace(recipe.instruments, snippets=("timgm6mb:1", "timgm6mb:4", "timgm6mb:2")),
    )
    build(more, copy, short_midi, workers=1, append=True)
    grown, before = open_store(copy), open_store(divided)
    assert grown.rows("pairs") == 3 * before.rows("pairs")
    assert by_onset(grown) == by_onset(before)
    assert not validate(copy)
    found = verify(copy, sample=20, midi=short_midi)
    assert found.verified and not found.not_rebuilt
    for splits in (replace(SHARES, test=0.3), SplitSettings()):
        with pytest.raises(ValueError, match="drawn with the same shares"):
            build(replace(more, splits=splits), copy, short_midi, workers=1, append=True)


def test_a_demanded_split_is_kept(recipe, short_midi, tmp_path):
    sources = [SourceSettings(str(short_midi[0]), split="test"), SourceSettings(str(short_midi[1]))]
    build(replace(recipe, sources=tuple(sources), folder=Path("/")), tmp_path / "s.zarr", workers=1)
    store = open_store(tmp_path / "s.zarr")
    assert dict(zip(store.pieces["file"], store.pieces["split"], strict=True)) == {
        short_midi[0].name: "test",
        short_midi[1].name: "all",
    }
    of_piece = store.pieces["split"][store.pair_pieces(np.arange(store.rows("pairs")))]
    assert set(store.pairs["split"][of_piece == "test"]) == {2}
    assert set(store.pairs["split"][of_piece == "all"]) == {0, 1, 2}
    assert not validate(tmp_path / "s.zarr")
    assert verify(tmp_path / "s.zarr", sample=10, midi=short_midi).verified


def test_validate_tells_that_splits_are_by_onset(divided, built_store):
    assert not validate(divided) and not validate(built_store)
    assert [text.split(":")[0] for text in remarks(divided)] == ["splits are by onset"]
    assert remarks(built_store) == []
    done = CliRunner().invoke(main, ["validate", str(divided)])
    assert done.exit_code == 0 and "note: splits are by onset" in done.output and "valid" in done.output
    told = json.loads(CliRunner().invoke(main, ["validate", str(divided), "--json"]).stdout)
    assert told["valid"] and told["remarks"] == remarks(divided)


def test_an_onset_in_two_splits_is_a_leak(copy, short_midi):
    store = open_store(copy)
    split = store.pairs["split"].copy()
    row = int(np.flatnonzero(split == 0)[5])
    split[row] = 2
    change(copy, "pairs/split", split)
    (problem,) = validate(copy)
    file = store.pieces["file"][store.pair_pieces(np.array([row]))[0]]
    assert problem.check == "leak" and problem.detail == f"1 onsets of {file} have pairs in two splits"
    differences = verify(copy, sample=len(split), midi=short_midi).differences
    assert [(found.what, found.row, found.detail) for found in differences] == [
        ("pair", row, "split is 0, the store holds 2")
    ]


def test_pieces_in_all_splits_are_none_of_a_store_by_works(copy):
    group = zarr.open_group(copy, mode="r+")
    recipe = dict(group.attrs["recipe"])
    group.attrs["recipe"] = recipe | {"splits": recipe["splits"] | {"by": "work"}}
    assert any("splits other than train, validation, test are named: ['all']" in p.detail for p in validate(copy))
    assert remarks(copy) == []


def test_a_pool_of_the_tests_own_is_refused(recipe):
    with pytest.raises(ValueError, match=r"test_snippets with \[splits\] by = 'onset'"):
        replace(recipe, instruments=InstrumentSettings(test_snippets=("timgm6mb:5",)))
    with pytest.raises(ValueError, match="test_references and test_snippets"):
        recipe_from_dict(
            {
                "splits": {"by": "onset"},
                "instruments": {"test_references": ["timgm6mb:0"], "test_snippets": ["timgm6mb:5"]},
            }
        )
