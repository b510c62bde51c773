import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from sfdata import open_store
from sfdata.info import info
from sfdata.layout import StoreSettings, create_frames, write_tables
from sfdata.plot import plot_pair
from sfdata.validate import validate


@pytest.fixture
def copy(built_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_store, tmp_path / "copy.zarr"))


def problems(path: Path) -> dict[str, str]:
    return {problem.check: problem.detail for problem in validate(path)}


def test_a_fresh_store_is_valid(built_store: Path):
    assert problems(built_store) == {}


def test_opening_what_is_no_store(tmp_path: Path, copy: Path):
    with pytest.raises(FileNotFoundError, match="no store at"):
        open_store(tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="no Zarr group"):
        open_store(tmp_path / "folder")
    zarr.open_group(tmp_path / "other.zarr", mode="w")
    with pytest.raises(ValueError, match="format is None"):
        open_store(tmp_path / "other.zarr")
    zarr.open_group(copy, mode="r+").attrs["format_version"] = 2
    with pytest.raises(ValueError, match="format version 2; this sfdata reads version 1"):
        open_store(copy)


def test_missing_and_wrong_arrays(copy: Path):
    shutil.rmtree(copy / "pairs" / "target_s")
    with pytest.raises(ValueError, match="'pairs/target_s' is missing"):
        open_store(copy)
    assert "target_s" in problems(copy)["outline"]


def test_unusable_settings(copy: Path):
    group = zarr.open_group(copy, mode="r+")
    group.attrs["windows"] = {"reference_s": -1}
    with pytest.raises(ValueError, match="settings in its attributes"):
        open_store(copy)


def test_changed_labels_are_found(copy: Path):
    group = zarr.open_group(copy, mode="r+")
    group["pairs/target_frame"][3] = group["pairs/target_frame"][3] + 5
    found = problems(copy)
    assert "pairs/target_frame" in found["checksum"]


def change(copy: Path, column: str, values) -> dict[str, str]:
    """Change a column and its checksum with it, as a faulty writer would."""
    from sfdata.schema import array_sha256

    group = zarr.open_group(copy, mode="r+")
    group[column][:] = values
    sums = dict(group.attrs["checksums"])
    sums[column] = array_sha256(np.asarray(group[column][:]))
    group.attrs["checksums"] = sums
    return problems(copy)


def test_shifted_targets_are_found_even_with_their_checksum(copy: Path):
    targets = open_store(copy).pairs["target_frame"]
    found = change(copy, "pairs/target_frame", np.where(np.arange(len(targets)) == 3, targets + 0.5, targets))
    assert "labels" in found


@pytest.mark.parametrize("shift_s", [-0.37, -0.03, 0.03])
def test_labels_that_sound_elsewhere_are_found(copy: Path, shift_s):
    """All times off, consistently: only the sound tells."""
    store = open_store(copy)
    change(copy, "notes/onset_s", store.notes["onset_s"] + shift_s)
    change(copy, "notes/offset_s", store.notes["offset_s"] + shift_s)
    change(copy, "pairs/snippet_centre_s", store.pairs["snippet_centre_s"] + shift_s)
    change(copy, "pairs/target_s", store.pairs["target_s"] + shift_s)
    change(copy, "pairs/target_frame", (store.pairs["target_s"] + shift_s) * 20)
    found = validate(copy)
    assert {problem.check for problem in found} <= {"sounding", "labels", "records"}
    said = [problem.detail for problem in found if problem.check == "sounding"]
    assert len(said) >= 5 and any("in the median" in detail for detail in said)
    if abs(shift_s) > 0.3:
        assert any("energy rises at" in detail for detail in said)


def test_leaks_are_found_even_where_the_column_of_works_lies(copy: Path):
    store = open_store(copy)
    titles, composers = store.pieces["title"].copy(), store.pieces["composer"].copy()
    titles[:2], composers[:2] = ("Sonata, Op. 7", "Opus 7 again"), ("A B", "B")
    change(copy, "pieces/title", titles)
    assert "catalogue:b:op7" in change(copy, "pieces/composer", composers)["leak"]


def test_pairs_of_two_pieces_are_found(copy: Path):
    store = open_store(copy)
    piece = store.performances["piece"][store.renditions["performance"][store.pairs["reference_rendition"]]]
    other = store.pairs["reference_rendition"].copy()
    other[piece == 0] = store.pairs["reference_rendition"][piece == 1][0]
    assert "another piece" in str(change(copy, "pairs/reference_rendition", other)) or any(
        "another piece" in problem.detail for problem in validate(copy)
    )


def test_leaks_are_found(copy: Path):
    store = open_store(copy)
    works = store.pieces["work"].copy()
    works[:] = works[0]
    assert "stands in splits" in change(copy, "pieces/work", works)["leak"]


def test_leaks_and_damaged_frames_are_found_beside_wrong_labels(copy: Path):
    store = open_store(copy)
    change(copy, "pieces/work", np.full_like(store.pieces["work"], store.pieces["work"][0]))
    sums = store.renditions["sha256"].copy()
    sums[0] = "0" * 64
    change(copy, "renditions/sha256", sums)
    found = change(copy, "pairs/target_frame", store.pairs["target_frame"] + 0.25)
    assert {"labels", "leak", "frames"} <= found.keys()


def test_composers_leak_only_when_asked(copy: Path):
    assert not validate(copy)
    assert any("bach" in problem.detail for problem in validate(copy, composers=True))  # two of the three pieces


def test_dangling_rows_and_overlaps_are_found(copy: Path):
    store = open_store(copy)
    assert (
        "outside table" in change(copy, "pairs/reference_rendition", store.pairs["reference_rendition"] + 99)["links"]
    )
    first = store.renditions["first_frame"].copy()
    first[1] = first[0] + 1
    assert "overlap" in change(copy, "renditions/first_frame", first)["links"]


def test_damaged_frames_are_found(copy: Path):
    shard = max((copy / "frames" / "c").rglob("*"), key=lambda file: file.stat().st_size if file.is_file() else 0)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    found = problems(copy)
    assert "the store is damaged" in found["frames"]


def test_frames_that_are_no_numbers_are_found(copy: Path):
    from sfdata.schema import array_sha256

    group = zarr.open_group(copy, mode="r+")
    group["frames"][5, 5] = np.nan
    store = open_store(copy)
    sums = store.renditions["sha256"].copy()
    sums[0] = array_sha256(np.asarray(store.frames[: int(store.renditions["frame_count"][0])]))
    assert "no finite numbers" in change(copy, "renditions/sha256", sums)["frames"]


def test_info(built_store: Path):
    facts = info(built_store)
    assert facts["pieces"] == 3 and facts["renditions"] == 9 and facts["bins"] == 88
    assert sum(facts["splits"].values()) == facts["pairs"] and all(facts["splits"].values())
    assert facts["bytes"] > 10_000 and facts["frame_rate_hz"] == 20.0


@pytest.mark.parametrize("pair", [0, -1])
def test_pictures_of_pairs(built_store: Path, tmp_path: Path, pair):
    store = open_store(built_store)
    number = pair % len(store.pairs["note"])
    plot_pair(store, number, tmp_path / "pair.png")
    assert (tmp_path / "pair.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="holds pairs 0 to"):
        plot_pair(store, len(store.pairs["note"]), tmp_path / "pair.png")
    with pytest.raises(ValueError, match=r"cannot draw .*pair\.gif; expected a name that ends in \.png, \.pdf, \.svg"):
        plot_pair(store, number, tmp_path / "pair.gif")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        plot_pair(store, number, tmp_path / "none" / "pair.png")


def test_writing_refuses_what_does_not_fit(tmp_path: Path):
    with pytest.raises(ValueError, match="whole number of shards"):
        create_frames(tmp_path / "x.zarr", 100, 88, StoreSettings(64, 128))
    create_frames(tmp_path / "x.zarr", 128, 88, StoreSettings(64, 128))
    with pytest.raises(ValueError, match="expected \\['instruments'"):
        write_tables(tmp_path / "x.zarr", {}, {})
    with pytest.raises(ValueError, match="float16 or float32"):
        StoreSettings(dtype="int8")
