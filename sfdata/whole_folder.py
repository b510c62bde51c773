"""A folder to be handed on that is there whole or not at all, with the checksums of its files in ``SHA256SUMS``."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfdata.place import Place
from sfdata.soundfonts import file_sha256

SUMS = "SHA256SUMS"
LONGEST_NAME_BYTES = 200
_NO_NAME = set('/\\:*?"<>|')
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)
_SUMS_LINE = re.compile(r"[0-9a-f]{64} [ *](.+)")


@contextmanager
def whole_folder(folder: Path, overwrite: bool = False, marker: str = SUMS) -> Iterator[Path]:
    """Give a folder to write to, beside its name; it is listed, made safe and renamed when the block ends well.

    After an error, or Ctrl-C, nothing is left. A process that is killed leaves ``.NAME.PID.tmp``, never the name.

    Parameters
    ----------
    folder : Path
    overwrite : bool
        Replace a folder of that name, if it holds a file named `marker`, and no file that its list does not name.
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
    except OSError as error:
        if error.errno in _NO_ROOM and error.filename is None:  # writing tells no name
            error.filename = str(folder)
        raise
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
    if not folder.exists():
        return
    if overwrite:
        lacks = next((name for name in (marker, SUMS) if not (folder / name).is_file()), None)
        if lacks:
            raise ValueError(f"{folder} exists already and holds no {lacks}, so it was not made by this; move it away")
        others = _unlisted(folder)
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            raise ValueError(f"{folder} holds {others[0]}{more}, which {SUMS} does not list; move it away")
        return
    raise ValueError(f"{folder} exists already; choose another name, or say --overwrite to replace what was made here")


def refuse_inside(folder: Path, store: Path) -> None:
    """Refuse a folder that lies in a store, or is one.

    Raises
    ------
    ValueError
    """
    if folder.resolve().is_relative_to(store.resolve()):
        raise ValueError(f"{folder} lies in the store {store}; choose a folder outside")


def check_name(name: str) -> str:
    """Give a dataset's name back, if files can be called so anywhere.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_name("bach é (2)")
    'bach é (2)'
    """
    is_plain = name.isprintable() and name == name.strip(" .-") and not set(name) & _NO_NAME
    if is_plain and 0 < len(name.encode()) <= LONGEST_NAME_BYTES:
        return name
    raise ValueError(
        f"name {name[:200]!r}; expected letters, digits, spaces and any of . _ - + ( ), a letter or digit first, "
        f"{LONGEST_NAME_BYTES} bytes at most (--name)"
    )


def _unlisted(folder: Path) -> list[str]:
    """Files and links in a folder that its list does not name."""
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").split("\n")
    listed = {match[1] for line in lines if (match := _SUMS_LINE.fullmatch(line))} | {SUMS}
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    names = [path.relative_to(folder).as_posix() for path in found]
    return [name for path, name in zip(found, names, strict=True) if path.is_symlink() or name not in listed]


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
