"""A folder to be handed on that is there whole or not at all, with the checksums of its files in ``SHA256SUMS``."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfdata.place import Place
from sfdata.soundfonts import file_sha256

SUMS = "SHA256SUMS"


@contextmanager
def whole_folder(folder: Path, overwrite: bool = False, marker: str = SUMS) -> Iterator[Path]:
    """Give a folder to write to, beside its name; it is listed, made safe and renamed when the block ends well.

    After an error, or Ctrl-C, nothing is left. A process that is killed leaves ``.NAME.PID.tmp``, never the name.

    Parameters
    ----------
    folder : Path
    overwrite : bool
        Replace a folder of that name, if it holds a file named `marker`.
    marker : str
        What only folders of the same kind hold.

    Yields
    ------
    Path
        An empty folder.

    Raises
    ------
    ValueError
        If the folder is there already.
    """
    refuse_existing(folder, overwrite, marker)
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    scratch.mkdir(parents=True)
    try:
        yield scratch
        listed = list_files(scratch)
        sums = "".join(f"{sha256}  {path}\n" for path, (_, sha256) in sorted(listed.items()))
        (scratch / SUMS).write_text(sums, encoding="utf-8")
        Place(scratch).settle(SUMS, *listed)
        _take_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _take_place(scratch: Path, folder: Path) -> None:
    """Rename a folder, in place of one that is there, which comes back if that fails."""
    if not folder.exists():
        os.replace(scratch, folder)
        return
    old = scratch.with_suffix(".old")
    os.replace(folder, old)
    try:
        os.replace(scratch, folder)
    except BaseException:
        os.replace(old, folder)
        raise
    shutil.rmtree(old)


def refuse_existing(folder: Path, overwrite: bool = False, marker: str = SUMS) -> None:
    """Refuse a folder that is there, but for one of these that is to be replaced.

    Raises
    ------
    ValueError
        If it is in the way.
    """
    if not folder.exists() or (overwrite and (folder / marker).is_file()):
        return
    if overwrite:
        raise ValueError(f"{folder} exists already and holds no {marker}, so it was not made by this; move it away")
    raise ValueError(f"{folder} exists already; choose another name, or say --overwrite to replace what was made here")


def list_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Path of each file in a folder to bytes and sha256."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, file_sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def folder_size(folder: Path) -> tuple[int, int]:
    """How many files a folder holds, and the bytes of all but ``SHA256SUMS``."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files if path.name != SUMS)
