"""Pulling what others share: as SHA256SUMS lists it, resumed where it broke off, checked, and only then named."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from sfdata.progress import Progress
from sfdata.store import open_store
from sfdata.whole_folder import SUMS

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_CHUNK_BYTES = 1 << 14  # what is lost, at most, where a connection breaks off
_TIMEOUT_S = (15, 60)
_MOST_FILES, _MOST_SUMS_BYTES = 100_000, 1 << 24
_TRIES = 3


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
        If the connection breaks off again and again; what came is kept.
    """
    folder, origin = Path(folder), _Origin(str(source))
    if folder.exists():
        raise ValueError(f"{folder} exists already; choose another name")
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    text = origin.small(SUMS)
    listed = parse_sums(text, str(source))
    fetched = kept = 0
    for number, (name, sha256) in enumerate(listed.items()):
        if progress:
            progress("pull", number, len(listed))
        target = part / name
        target.parent.mkdir(parents=True, exist_ok=True)
        there = target.stat().st_size if target.is_file() else 0
        if there and _sha256(target) == sha256:
            kept += there
            continue
        target.unlink(missing_ok=True)
        partial = target.with_name(target.name + ".part")
        begun = partial.stat().st_size if partial.is_file() else 0
        for _ in range(2):  # what an earlier call left may belong to an earlier version: then once more from the start
            origin.fetch(name, partial)
            if _sha256(partial) == sha256 or not begun:
                break
            partial.unlink()
            begun = 0
        found = _sha256(partial)
        if found != sha256:
            partial.unlink()
            raise ValueError(
                f"{source}: {name} has sha256 {found}; {SUMS} says {sha256}: it is damaged there, or changed"
            )
        fetched, kept = fetched + partial.stat().st_size - begun, kept + begun
        os.replace(partial, target)
    (part / SUMS).write_bytes(text)
    stores = [name for name in listed if name.endswith(".zarr.zip")]
    for name in stores:
        open_store(part / name)
    for left in part.rglob("*"):
        if left.is_file() and left.relative_to(part).as_posix() not in {*listed, SUMS}:
            left.unlink()  # of an earlier version
    os.replace(part, folder)
    if progress:
        progress("pull", len(listed), len(listed))
    return Pulled(str(folder), tuple(str(folder / name) for name in stores), len(listed) + 1, fetched, kept)


def parse_sums(content: bytes, source: str) -> dict[str, str]:
    """Read a list as ``sha256sum`` writes it; names stay within the folder.

    Raises
    ------
    ValueError
        If a line is no such line, a name would lie outside, or there are too many or none.

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
        outside = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0] or "\0" in name
        if outside or name != path.as_posix():
            raise ValueError(
                f"{source}: {SUMS} names {name!r}, which would lie outside the folder; nothing was fetched"
            )
        listed[name] = match[1]
    if not 0 < len(listed) <= _MOST_FILES:
        raise ValueError(f"{source}: {SUMS} names {len(listed)} files; expected 1 to {_MOST_FILES:,}")
    return listed


class _Origin:
    """Where files come from: a folder here, or an address for each file."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.local: Path | None = None
        self._repository: Any = None
        if source.startswith("hf://"):
            self.base = hugging_face_address(source)
        elif source.lower().startswith(("doi:", "https://doi.org/", "http://doi.org/")):
            import pooch  # type: ignore[import-untyped]

            doi = re.sub(r"(?i)^(doi:|https?://doi\.org/)", "", source)
            self._repository = pooch.downloaders.doi_to_repository(doi)
        elif source.startswith(("http://", "https://")):
            self.base = source.rstrip("/")
        elif "://" in source:
            raise ValueError(f"{source}: expected a folder, http(s)://, hf://datasets/OWNER/NAME, or doi:…")
        else:
            self.local = Path(source)
            if not (self.local / SUMS).is_file():
                raise FileNotFoundError(f"{self.local} holds no {SUMS}; expected a folder that 'sfdata share' has made")

    def address(self, name: str) -> str:
        """Of a file."""
        from urllib.parse import quote

        if self._repository is not None:
            return str(self._repository.download_url(file_name=name.replace("/", "_")))
        return f"{self.base}/{quote(name)}"

    def small(self, name: str) -> bytes:
        """Content of a small file."""
        if self.local is not None:
            return (self.local / name).read_bytes()
        with self._answer(name, 0) as answer:
            content = b""
            for part in answer.iter_content(_CHUNK_BYTES):
                content += part
                if len(content) > _MOST_SUMS_BYTES:
                    raise ValueError(f"{self.source}: {name} is longer than {_MOST_SUMS_BYTES:,} bytes")
            return content

    def fetch(self, name: str, target: Path) -> None:
        """Fetch a file, going on where `target` ends."""
        if self.local is not None:
            source = self.local / name
            if source.is_symlink() or not source.is_file():
                raise FileNotFoundError(f"{source} is listed in {SUMS} and is no file there")
            shutil.copyfile(source, target)
            return
        from requests import exceptions

        for attempt in range(_TRIES):
            begun = target.stat().st_size if target.is_file() else 0
            try:
                with target.open("ab") as file:
                    self._append(name, begun, file)
                return
            except (exceptions.ChunkedEncodingError, exceptions.ConnectionError, exceptions.Timeout) as error:
                if attempt == _TRIES - 1:
                    raise ConnectionError(
                        f"{self.address(name)}: the connection broke off after {target.stat().st_size} bytes, which "
                        "are kept: the same command goes on from there"
                    ) from error

    def _append(self, name: str, begun: int, file: BinaryIO) -> None:
        with self._answer(name, begun) as answer:
            if answer.status_code == 416:  # all of it is there
                return
            if begun and answer.status_code != 206:  # a server that knows no ranges sends all of it
                file.truncate(0)
                begun = 0
            expected = answer.headers.get("Content-Length")
            came = 0
            for part in answer.iter_content(_CHUNK_BYTES):
                file.write(part)
                came += len(part)
            if expected is not None and came < int(expected) and "Content-Encoding" not in answer.headers:
                from requests import exceptions

                raise exceptions.ConnectionError("fewer bytes than were announced")

    @contextmanager
    def _answer(self, name: str, begun: int) -> Iterator[Any]:
        import requests

        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={begun}-"} if begun else {})}
        url = self.address(name)
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            if answer.status_code in (404, 410):
                raise FileNotFoundError(
                    f"{url}: not there ({answer.status_code}); expected what 'sfdata share' has made"
                )
            if answer.status_code >= 400 and answer.status_code != 416:
                raise ValueError(f"{url}: the server answered {answer.status_code} {answer.reason}")
            yield answer


def hugging_face_address(source: str) -> str:
    """Address of the folder that a ``hf://`` source names.

    Raises
    ------
    ValueError
        If it is none of a dataset.

    Examples
    --------
    >>> hugging_face_address("hf://datasets/someone/piano@v1/store")
    'https://huggingface.co/datasets/someone/piano/resolve/v1/store'
    """
    match = re.fullmatch(r"hf://datasets/([\w.-]+)/([\w.-]+)(?:@([\w.-]+))?(/.*)?", source)
    if not match:
        raise ValueError(f"{source}: expected hf://datasets/OWNER/NAME, with @REVISION and a folder at will")
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    owner, name, revision, path = match.groups()
    return f"{endpoint}/datasets/{owner}/{name}/resolve/{revision or 'main'}{(path or '').rstrip('/')}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
