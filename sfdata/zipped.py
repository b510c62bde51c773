"""Zipped stores: one file that lists its parts at its end, read in place, here or through fsspec, with a local cache.

Nothing in a zip is compressed: Zarr's chunks are already, and so a part of a part can be read by its place alone. A
zip from a stranger may lie; what ours never hold is refused before anything of it is read.
"""

import re
import stat
import weakref
import zipfile
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import zarr

from sfdata.remote_zip import open_remote

MOST_PARTS = 1_000_000
_BLOCK_BYTES = 1 << 20
_OWN = re.compile(r"(?:.+/)?(?:zarr\.json|c(?:[./]\d+)*)")  # what Zarr itself names so
_DATE = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made


def write_zip(folder: Path, target: Path, instead: Mapping[str, bytes] | None = None) -> None:
    """Zip a store's files, uncompressed and in order, so that the same content gives the same bytes.

    What else lies in its folder, such as a file manager's or one's own notes, stays there.

    Parameters
    ----------
    folder, target : Path
    instead : mapping of str to bytes, optional
        Content for files, by their path in the store, in place of what they hold.

    Raises
    ------
    ValueError
        If something with the name of a store's file is neither a file nor a folder, or links to a folder.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            name, is_folder = path.relative_to(folder).as_posix(), path.is_dir()
            if not (_OWN.fullmatch(name) or (is_folder and path.is_symlink())):
                continue
            if path.is_symlink() or not (is_folder or path.is_file()):
                raise ValueError(f"{path} is neither a file nor a folder; a store holds nothing else")
            if is_folder:
                continue
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            with archive.open(entry, "w", force_zip64=True) as sink:
                if instead and name in instead:
                    sink.write(instead[name])
                    continue
                with path.open("rb") as source:
                    while part := source.read(_BLOCK_BYTES):
                        sink.write(part)


def check_parts(name: str, parts: Iterable[zipfile.ZipInfo], file_bytes: int) -> None:
    """Refuse a zip file that is not as :func:`write_zip` makes them.

    Raises
    ------
    ValueError
        If a part would lie outside, is a link, compressed, encrypted or told twice, parts overlap, or are too many.

    Examples
    --------
    >>> check_parts("a.zip", [zipfile.ZipInfo("../passwd")], 100)
    Traceback (most recent call last):
    ...
    ValueError: a.zip: part '../passwd' would lie outside; it is no store that sfdata has zipped
    """
    seen: set[str] = set()
    spans: list[tuple[int, int]] = []

    def refuse(what: str) -> None:
        raise ValueError(f"{name}: {what}; it is no store that sfdata has zipped")

    for part in parts:
        path = PurePosixPath(part.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in part.filename or ":" in part.filename.split("/")[0]:
            refuse(f"part {part.filename!r} would lie outside")
        if stat.S_ISLNK(part.external_attr >> 16):
            refuse(f"part {part.filename!r} is a link")
        if part.compress_type != zipfile.ZIP_STORED or part.flag_bits & 1 or part.file_size != part.compress_size:
            refuse(f"part {part.filename!r} is compressed or encrypted")
        if part.filename in seen:
            refuse(f"part {part.filename!r} stands in it twice")
        seen.add(part.filename)
        spans.append((part.header_offset, part.header_offset + part.compress_size))
        if len(seen) > MOST_PARTS:
            refuse(f"it has more than {MOST_PARTS:,} parts")
    spans.sort()
    if spans and spans[-1][1] > file_bytes:
        refuse("a part ends after the file")
    if any(begin < end for (_, end), (begin, _) in pairwise(spans)):
        refuse("its parts overlap")


def open_zip(url: str, is_local: bool) -> Any:
    """Open a zip file for Zarr, to be read only.

    Of a remote one, only what is asked for is read, in blocks that are kept in :func:`sfdata.remote_zip.cache_folder`.

    Raises
    ------
    ValueError
        If it is no zip file, or not as ours are.
    OSError
        If a remote one cannot be reached, or the cache not be used.
    """
    try:
        if is_local:
            with zipfile.ZipFile(url) as archive:
                check_parts(url, archive.infolist(), Path(url).stat().st_size)
            return zarr.storage.ZipStore(url, mode="r", read_only=True)
        return _open_remote(url)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{url} cannot be read as a zip file: {error}; fetch or share it again") from None


def _open_remote(url: str) -> Any:
    from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
    from fsspec.implementations.zip import ZipFileSystem

    file, file_bytes = open_remote(url)
    try:
        try:
            archive = ZipFileSystem(file)
        except ValueError:  # it looks for the list of parts before the file's beginning
            raise zipfile.BadZipFile("it is too short to be one; its server may have answered with a page") from None
        check_parts(url, archive.zip.infolist(), file_bytes)
    except BaseException:
        file.close()
        raise
    store = zarr.storage.FsspecStore(AsyncFileSystemWrapper(archive, asynchronous=True), read_only=True, path="")
    weakref.finalize(store, file.close)  # which notes what blocks the cache holds; at the latest when Python ends
    return store
