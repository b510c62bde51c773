"""Zip files elsewhere, read in place: in blocks, which are kept on this machine for the next time."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import platformdirs
from fsspec.caching import MMapCache

from sfdata.reaching import is_gone, reach_error, status_of

CACHE_VARIABLE = "SFDATA_CACHE"
TRIES = 4
_BLOCK_BYTES = 1 << 20
_MOST_BLOCKS = 16  # in one request: what breaks off is asked for again
_PAUSE_S = 0.2
_END_BYTES = 1 << 16  # where a zip file says what is in it
_LAYOUT = 2  # of the cache: a block of an older one may be zeros, as it counted before it had come


def cache_folder() -> Path:
    """Where blocks of remote zip files are kept: the variable ``SFDATA_CACHE``, or the user's folder for caches."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path(platformdirs.user_cache_dir("sfdata")) / "remote")


class _Blocks(MMapCache):
    """Blocks of a remote file in a sparse local one; a block counts as held once all of it has come.

    fsspec's own notes blocks before it fetches them, so that after a broken connection zeros would stand for them for
    good, and at once for another thread.
    """

    def __init__(self, url: str, of: MMapCache) -> None:
        self.url = url
        super().__init__(of.blocksize, of.fetcher, of.size, of.location, of.blocks)

    def _fetch(self, start: int | None, end: int | None) -> bytes:
        first, last = start or 0, self.size if end is None else min(end, self.size)
        if first >= last:
            return b""
        size = self.blocksize
        missing = [block for block in range(first // size, (last - 1) // size + 1) if block not in self.blocks]
        while missing:
            together = 1
            while together < min(len(missing), _MOST_BLOCKS) and missing[together] == missing[0] + together:
                together += 1
            run, missing = missing[:together], missing[together:]
            begin, stop = run[0] * size, min((run[-1] + 1) * size, self.size)
            self.cache[begin:stop] = self._whole(begin, stop)
            self.blocks.update(run)
        return bytes(self.cache[first:last])

    def _whole(self, begin: int, stop: int) -> bytes:
        """Bytes of the remote file, asked for again where a connection breaks."""
        for attempt in range(TRIES):
            time.sleep(_PAUSE_S * attempt)
            try:
                got = bytes(self.fetcher(begin, stop))
            except Exception as error:
                if isinstance(error, ValueError) and "range requests" in str(error):
                    raise _no_ranges(self.url) from error
                if attempt + 1 == TRIES or is_gone(error) or 400 <= (status_of(error) or 0) < 500:
                    raise reach_error(self.url, error) from error
                continue
            if len(got) > stop - begin:
                raise _no_ranges(self.url)
            if len(got) == stop - begin:
                return got
        raise ConnectionError(f"{self.url} cannot be read: connections break off again and again; try again later")


def _no_ranges(url: str) -> ValueError:
    return ValueError(
        f"{url}: its server does not send parts of a file (byte ranges) or tell its size, which reading a zipped store "
        "in place needs; download the file, and open the copy"
    )


def open_remote(url: str) -> tuple[Any, int]:
    """Open a remote zip file to be read in place.

    Returns
    -------
    file : file object
        To be closed, which notes what blocks the cache holds.
    bytes : int
        Its size.

    Raises
    ------
    ConnectionError
        If its server cannot be reached, or refuses.
    OSError
        If the folder of the cache cannot be used.
    ValueError
        If its server does not send parts of files.
    """
    import fsspec

    filesystem, path = fsspec.url_to_fs(url)
    try:
        facts = filesystem.info(path)
    except Exception as error:
        raise reach_error(url, error) from error
    if facts.get("size") is None or facts.get("partial") is False:
        raise _no_ranges(url)
    known = {key: str(facts.get(key)) for key in ("size", "ETag", "etag", "LastModified", "mtime", "mimetype")}
    version = repr((_LAYOUT, url, sorted(known.items())))  # a new file, a new cache
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cached = fsspec.filesystem(
            "blockcache",
            fs=filesystem,
            cache_storage=str(folder / hashlib.sha256(version.encode()).hexdigest()[:24]),
            check_files=False,
            expiry_time=False,
        )
        file = cached.open(path, "rb", block_size=_BLOCK_BYTES)
    except OSError as error:
        raise OSError(
            f"{url}: the cache folder {folder} cannot be used ({error}); set {CACHE_VARIABLE} to one that can"
        ) from error
    if isinstance(getattr(file, "cache", None), MMapCache):  # else all of it is here
        file.cache = _Blocks(url, file.cache)
        try:
            file.cache._fetch(max(0, file.size - _END_BYTES), file.size)  # zipfile would call any failure "no zip file"
        except BaseException:
            file.close()
            raise
    return file, int(facts["size"])
