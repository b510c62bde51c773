"""Folders that are there whole or not at all."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from sfdata.whole_folder import SUMS, check_name, list_files, refuse_existing, refuse_inside, whole_folder


def made(folder: Path, text: str, overwrite: bool = False) -> Path:
    with whole_folder(folder, overwrite) as scratch:
        assert not (folder / text).exists() and scratch.parent == folder.parent
        (scratch / "part").mkdir()
        (scratch / "part" / "a.txt").write_text(text)
    return folder


def test_a_folder_is_listed_and_named(tmp_path: Path):
    folder = made(tmp_path / "new" / "out", "one")
    sha256 = hashlib.sha256(b"one").hexdigest()
    assert (folder / SUMS).read_text() == f"{sha256}  part/a.txt\n"
    assert list_files(folder)["part/a.txt"] == (3, sha256) and os.listdir(folder.parent) == ["out"]


def test_an_empty_one(tmp_path: Path):
    with whole_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / SUMS).read_text() == "" and os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_all_as_it_was(tmp_path: Path, error: type[BaseException]):
    folder = made(tmp_path / "out", "one")
    for target in (folder, tmp_path / "other"):
        with pytest.raises(error), whole_folder(target, overwrite=True) as scratch:
            (scratch / "b.txt").write_text("two")
            raise error
    assert os.listdir(tmp_path) == ["out"] and (folder / "part" / "a.txt").read_text() == "one"


def test_one_that_is_there_is_replaced_only_if_it_is_of_the_kind(tmp_path: Path):
    folder = made(tmp_path / "out", "one")
    with pytest.raises(ValueError, match="out exists already; choose another name, or say --overwrite"):
        made(folder, "two")
    made(folder, "two", overwrite=True)
    assert (folder / "part" / "a.txt").read_text() == "two" and os.listdir(tmp_path) == ["out"]
    with pytest.raises(ValueError, match=r"out exists already and holds no mine\.json, so it was not made by this"):
        refuse_existing(folder, True, "mine.json")
    refuse_existing(tmp_path / "none")


def test_the_old_one_comes_back_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, real = made(tmp_path / "out", "one"), os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(source).suffix == ".tmp":
            raise OSError("no room")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no room"):
        made(folder, "two", overwrite=True)
    assert os.listdir(tmp_path) == ["out"] and (folder / "part" / "a.txt").read_text() == "one"


def test_what_its_list_does_not_name_is_not_deleted(tmp_path: Path):
    folder = made(tmp_path / "out", "one")
    (folder / "part" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"out holds part/notes\.txt, which SHA256SUMS does not list"):
        made(folder, "two", overwrite=True)
    (folder / "part" / "notes.txt").unlink()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="holds link"):
        made(folder, "two", overwrite=True)
    (folder / "link").unlink()
    (folder / SUMS).unlink()
    (folder / "mine.json").write_text("{}")
    with pytest.raises(ValueError, match=r"holds no SHA256SUMS"):
        refuse_existing(folder, True, "mine.json")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\nb", "..", ".x", "-x", "x.", "a\\b", "c:x", "a*", "é" * 101])
def test_names_that_files_cannot_have_everywhere(name: str):
    with pytest.raises(ValueError, match="expected letters, digits"):
        check_name(name)
    assert check_name("it's bach_(2) é+1.5") == "it's bach_(2) é+1.5"


def test_a_folder_within_the_store_is_refused(tmp_path: Path):
    store = tmp_path / "s.zarr"
    (store / "x").mkdir(parents=True)
    (tmp_path / "link").symlink_to(store / "x")
    for folder in (store, store / "a" / "b", tmp_path / "link" / "a"):
        with pytest.raises(ValueError, match="lies in the store"):
            refuse_inside(folder, store)
    refuse_inside(tmp_path / "s.zarr.d", store)


def test_a_full_disk_is_told_with_the_folder(tmp_path: Path):
    with pytest.raises(OSError, match=r"No space left on device: .*out"), whole_folder(tmp_path / "out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
