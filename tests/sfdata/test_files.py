"""Folders that have to be there, files that appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from sfdata.files import check_different, check_folder, check_folder_of, write_atomically


def test_a_folder_has_to_be_there(tmp_path: Path):
    check_folder(tmp_path)
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path / "none", file):
        with pytest.raises(FileNotFoundError, match=f"^no folder at {path}$"):
            check_folder(path)
        with pytest.raises(FileNotFoundError, match=f"^no folder of rooms at {path}$"):
            check_folder(path, "folder of rooms")


def test_the_folder_of_a_file_to_write_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for fine in (tmp_path / "new", tmp_path / "file", Path("new"), None):
        check_folder_of(fine)
    for path, folder in (
        (tmp_path / "none" / "new", tmp_path / "none"),
        (Path("none/new"), "none"),
        (Path("file/new"), "file"),
    ):
        told = f"^cannot write {path}: there is no folder {folder}; make it first$"
        with pytest.raises(FileNotFoundError, match=told):
            check_folder_of(path)


def test_writing_replaces_and_leaves_nothing_else(tmp_path: Path):
    path = tmp_path / "file"
    for content in (b"old", b"", b"new"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def test_what_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError("no space left on the device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_the_error_names_the_file_and_the_reason(tmp_path: Path):
    (tmp_path / "folder" / "full").mkdir(parents=True)
    for path, kind, number, reason in (
        (tmp_path / "none" / "x.csv", FileNotFoundError, errno.ENOENT, "No such file or directory"),
        (tmp_path / "folder", IsADirectoryError, errno.EISDIR, "Is a directory"),
    ):
        with pytest.raises(kind, match=f"{reason}: '{path}'$") as caught:
            write_atomically(path, b"new")
        assert caught.value.errno == number
    assert os.listdir(tmp_path) == ["folder"]


def test_files_that_are_to_be_different(tmp_path: Path):
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    check_different({"the one": tmp_path / "a", "the other": tmp_path / "b", "this": None, "that": None})
    for same in (tmp_path / "a", tmp_path / "none" / ".." / "a", tmp_path / "link"):
        with pytest.raises(ValueError, match=r"^.* is to be the one and the other; expected different files$"):
            check_different({"the one": tmp_path / "a", "this": tmp_path / "b", "the other": same})
