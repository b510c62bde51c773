"""Pulling what others share: as SHA256SUMS lists it, resumed where it broke off, checked, and only then named."""

import hashlib
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sfdata.origin import Origin
from sfdata.progress import Progress
from sfdata.store import open_store
from sfdata.whole_folder import SUMS

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_CLASH = ", which cannot lie side by side with what else it names; nothing was fetched"
_MOST_FILES = 100_000


@dataclass(frozen=True)
class Pulled:
    """What :func:`pull` fetched: folder, stores in it, files, bytes fetched now, and bytes that were there already."""

    folder: str
    stores: tuple[str, ...]
    files: int
    fetched_bytes: int
    kept_bytes: int


def pull(source: str | Path, folder: str | Path, progress: Progress | None = None) -> Pulled:
    """Fetch what ``sfdata share`` made.

    Parameters
    ----------
    source : str or Path
        A folder, an ``http(s)://`` address of one, ``hf://datasets/OWNER/NAME`` (with ``@REVISION`` at will), or
        ``doi:…`` of a Zenodo record.
    folder : path
        Is given the files. While fetching, they lie in ``FOLDER.part``; the same command goes on from there.
    progress : callable, optional
        Called with bytes.

    Returns
    -------
    Pulled

    Raises
    ------
    FileNotFoundError
        If the source, or a file that it lists, is not there.
    ValueError
        If the folder is there, the list is not proper, a file is not what the list says, or a store does not open.
    ConnectionError
        If the connection breaks off again and again and nothing more comes; what came is kept.
    """
    folder, origin = Path(folder), Origin(str(source))
    if folder.exists():
        raise ValueError(f"{folder} exists already; choose another name")
    text = origin.small(SUMS)
    listed = parse_sums(text, str(source))
    part = folder.with_name(folder.name + ".part")
    whole, begun = part / "whole", part / "begun"  # apart, for a file may be called as another's beginning would be
    try:
        fetched, kept = _fetch_all(origin, listed, whole, begun, progress)
        (whole / SUMS).write_bytes(text)
        stores = [name for name in listed if name.endswith(".zarr.zip")]
        for name in stores:
            open_store(whole / name)
        os.replace(whole, folder)
        shutil.rmtree(begun, ignore_errors=True)
    finally:
        for empty in (begun, whole, part):
            with suppress(OSError):
                empty.rmdir()
    if progress:
        progress("pull", len(listed), len(listed))
    return Pulled(str(folder), tuple(str(folder / name) for name in stores), len(listed) + 1, fetched, kept)


def _fetch_all(
    origin: Origin, listed: dict[str, str], whole: Path, begun: Path, progress: Progress | None
) -> tuple[int, int]:
    """Fetch what is not there yet; bytes that came, and that were there."""
    for folder in (whole, begun):
        folder.mkdir(parents=True, exist_ok=True)
    for left in sorted(whole.rglob("*"), reverse=True):  # of an earlier version, in whose place a folder may come
        if left.is_dir() and not left.is_symlink():
            with suppress(OSError):
                left.rmdir()  # where it is empty
        elif left.relative_to(whole).as_posix() not in listed:
            left.unlink()
    fetched = kept = 0
    for number, (name, sha256) in enumerate(listed.items()):
        if progress:
            progress("pull", number, len(listed))
        target, partial = whole / name, begun / sha256
        target.parent.mkdir(parents=True, exist_ok=True)
        there = target.stat().st_size if target.is_file() else 0
        if target.is_file() and _sha256(target) == sha256:
            kept += there
            continue
        target.unlink(missing_ok=True)
        before = partial.stat().st_size if partial.is_file() else 0
        for _ in range(2):  # what an earlier call left may be damaged: then once more from the start
            origin.fetch(name, partial)
            found = _sha256(partial)
            if found == sha256 or not before:
                break
            partial.unlink()
            before = 0
        if found != sha256:
            partial.unlink()
            raise ValueError(
                f"{origin.source}: {name} has sha256 {found}; {SUMS} says {sha256}: it is damaged there, or changed"
            )
        fetched, kept = fetched + partial.stat().st_size - before, kept + before
        os.replace(partial, target)
    return fetched, kept


def parse_sums(content: bytes, source: str) -> dict[str, str]:
    """Read a list as ``sha256sum`` writes it; names stay within the folder.

    Raises
    ------
    ValueError
        If a line is no such line, a name would lie outside or clash with another, or there are too many or none.

    Examples
    --------
    >>> parse_sums(b"0" * 64 + b"  ../.bashrc", "there")
    Traceback (most recent call last):
    ...
    ValueError: there: SHA256SUMS names '../.bashrc', which would lie outside the folder; nothing was fetched
    """
    listed: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(f"{source}: line {number} of {SUMS} is {line[:80]!r}; expected a sha256 and a name")
        name = match[2]
        path = PurePosixPath(name)
        outside = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or ":" in name.split("/")[0]
        if outside or not path.parts or name != path.as_posix():
            raise ValueError(
                f"{source}: {SUMS} names {name!r}, which would lie outside the folder; nothing was fetched"
            )
        if name == SUMS or listed.get(name, match[1]) != match[1]:
            raise ValueError(f"{source}: {SUMS} names {name!r}{_CLASH}")
        listed[name] = match[1]
    for name in listed:
        above = next((str(folder) for folder in PurePosixPath(name).parents if str(folder) in listed), "")
        if above:
            raise ValueError(f"{source}: {SUMS} names {name!r} and {above!r}{_CLASH}")
    if not 0 < len(listed) <= _MOST_FILES:
        raise ValueError(f"{source}: {SUMS} names {len(listed)} files; expected 1 to {_MOST_FILES:,}")
    return listed


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
