"""Folders that have to be there, files that appear whole or not at all."""

import os
from pathlib import Path

import pytest

from sfdata.files import check_folder, check_folder_of, write_atomically


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
