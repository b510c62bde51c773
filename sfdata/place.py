"""Places: where stores lie, a folder or a zip file of this machine or anything that fsspec reaches (``s3://``, …).

Credentials and endpoints come from where the protocol's own tools look for them (for S3: ``AWS_*`` variables and
``~/.aws``), or from fsspec's configuration files, never from a store.
"""

import errno
import os
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import zarr

from sfdata.files import write_atomically
from sfdata.reaching import is_gone, reach_error
from sfdata.zipped import open_zip

_LOCAL = ("file://", "local://")


class Place:
    """A folder, here or elsewhere; small and picklable, so that workers can be told it.

    Parameters
    ----------
    url : str or Path
        A path of this machine (made absolute: workers may have another working directory), or an fsspec URL.

    Attributes
    ----------
    url : str
        The absolute path, or the URL.
    given : str
        As it was named.

    Examples
    --------
    >>> Place("s3://bucket/store.zarr").beside(".wip").url, Place("file:///tmp/a.zarr").url
    ('s3://bucket/store.zarr.wip', '/tmp/a.zarr')
    """

    def __init__(self, url: "str | Path | Place") -> None:
        self.given: str = url.given if isinstance(url, Place) else str(url)
        text = self.given
        for prefix in _LOCAL:
            text = text.removeprefix(prefix)
        self.is_local = "://" not in text
        self.url = str(Path(text).absolute()) if self.is_local else text.rstrip("/")

    def __reduce__(self) -> tuple[type["Place"], tuple[str]]:
        return Place, (self.url,)

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"Place({self.url!r})"

    def __truediv__(self, name: str) -> "Place":
        return Place(f"{self.url}/{name}")

    def beside(self, suffix: str) -> "Place":
        """The place of the same name with something appended."""
        return Place(self.url + suffix)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.url.rsplit("/", 1)[-1] if not self.is_local else self.path.name

    @property
    def is_zip(self) -> bool:
        """Whether it is one zip file, which is read only."""
        return self.url.endswith(".zip")

    @property
    def path(self) -> Path:
        """The folder, or zip file, on this machine.

        Raises
        ------
        ValueError
            If it is elsewhere.
        """
        if not self.is_local:
            raise ValueError(f"{self.url} is no folder of this machine")
        return Path(self.url)

    @property
    def _options(self) -> dict[str, Any]:
        """What the filesystem is told: s3fs asks for a file's size before it reads it, to read large ones in parts."""
        return {"max_concurrency": 1} if self.url.startswith(("s3://", "s3a://")) else {}

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        import fsspec

        try:
            filesystem, path = fsspec.url_to_fs(self.url, use_listings_cache=False, **self._options)
        except (ImportError, ValueError) as error:
            raise ValueError(f"{self.url} cannot be reached: {error}") from None
        return filesystem, path

    @property
    def shared(self) -> bool:
        """Whether other processes see it: all do but fsspec's ``memory://``."""
        return not self.url.startswith("memory://")

    def exists(self) -> bool:
        """Whether anything is there.

        Raises
        ------
        ConnectionError
            If one cannot look: nothing answers, or the server refuses.
        """
        if self.is_local:
            return self.path.exists()
        filesystem, path = self._remote
        try:
            if not self._is_http:
                return bool(filesystem.exists(path))
            # HTTP knows no folders, and fsspec's own exists() asks for the whole file
            filesystem.info(path if self.is_zip else f"{path}/zarr.json")
        except Exception as error:  # each protocol's library has its own
            if is_gone(error):
                return False
            raise reach_error(self.url, error) from error
        return True

    @property
    def _is_http(self) -> bool:
        return self.url.startswith(("http://", "https://"))

    def read(self, name: str) -> bytes | None:
        """Content of a file in it; None where there is none."""
        try:
            if self.is_local:
                return (self.path / name).read_bytes()
            filesystem, path = self._remote
            return bytes(filesystem.cat_file(f"{path}/{name}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file in it, whole or not at all."""
        if self.is_local:
            write_atomically(self.path / name, content)
        else:
            filesystem, path = self._remote
            filesystem.pipe_file(f"{path}/{name}", content)

    def delete(self, name: str) -> None:
        """Delete a file in it, if it is there."""
        if self.is_local:
            (self.path / name).unlink(missing_ok=True)
            return
        filesystem, path = self._remote
        if filesystem.exists(f"{path}/{name}"):
            filesystem.rm_file(f"{path}/{name}")

    def make(self) -> None:
        """Make the folder and those above it; elsewhere folders need not be made."""
        if self.is_local:
            self.path.mkdir(parents=True, exist_ok=True)

    def names(self) -> set[str]:
        """Names of the files and folders in it."""
        if self.is_local:
            return {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        filesystem, path = self._remote
        if not filesystem.exists(path):
            return set()
        return {str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in filesystem.ls(path, detail=False)}

    def remove(self) -> None:
        """Remove it and all that is in it, if it is there."""
        if self.is_local:
            shutil.rmtree(self.path, ignore_errors=False) if self.path.exists() else None
            return
        filesystem, path = self._remote
        if filesystem.exists(path):
            filesystem.rm(path, recursive=True)

    def size_bytes(self) -> int | None:
        """Bytes of all files in it; None where they cannot be listed: HTTP knows no folders."""
        if self.is_zip:
            return self.path.stat().st_size if self.is_local else int(self._remote[0].info(self._remote[1])["size"])
        if self._is_http:
            return None
        if self.is_local:
            return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        filesystem, path = self._remote
        return int(sum(filesystem.du(path, total=False).values()))

    def group(self, mode: Literal["r", "r+", "w"]) -> zarr.Group:
        """Open it as a Zarr group.

        Raises
        ------
        ValueError
            If it is a zip file and to be written, or no proper one.
        """
        if self.is_zip:
            if mode != "r":
                raise ValueError(f"{self.url}: a zip file is only read; build a folder, and zip it by 'sfdata share'")
            return zarr.open_group(open_zip(self.url, self.is_local), mode="r", zarr_format=3)
        if self.is_local:
            return zarr.open_group(self.path, mode=mode, zarr_format=3)
        return zarr.open_group(self.url, mode=mode, zarr_format=3, storage_options=self._options)

    def settle(self, *names: str) -> None:
        """See to it that files in it outlive a power cut; what is elsewhere is safe once written.

        Raises
        ------
        OSError
            If the disk cannot.
        """
        if not self.is_local:
            return
        files = [self.path / name for name in names]
        for path in {*files, *(file.parent for file in files)}:
            if not path.exists():  # Zarr writes no file for nothing but zeros
                continue
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EBADF):  # folders on some filesystems
                    raise
            finally:
                os.close(handle)
