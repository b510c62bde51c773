"""Where shared files come from: a folder here, or addresses, asked again where a connection breaks off."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sfdata.whole_folder import SUMS

_CHUNK_BYTES = 1 << 14  # what is lost, at most, where a connection breaks off
_TIMEOUT_S = (15, 60)
_MOST_SMALL_BYTES = 1 << 24
_TRIES = 3  # that bring nothing, one after another
_PAUSE_S = 0.5  # before the second of them; longer before each further one


class Origin:
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
            self._repository = self._tried(lambda: pooch.downloaders.doi_to_repository(doi))
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

        def read() -> bytes:
            content = b""
            with self._answer(name, 0) as answer:
                for part in answer.iter_content(_CHUNK_BYTES):
                    content += part
                    if len(content) > _MOST_SMALL_BYTES:
                        raise ValueError(f"{self.source}: {name} is longer than {_MOST_SMALL_BYTES:,} bytes")
            return content

        return bytes(self._tried(read))

    def fetch(self, name: str, target: Path) -> None:
        """Fetch a file, going on where `target` ends."""
        if self.local is not None:
            source = self.local / name
            if source.is_symlink() or not source.is_file():
                raise FileNotFoundError(f"{source} is listed in {SUMS} and is no file there")
            shutil.copyfile(source, target)
            return

        def came() -> int:
            return target.stat().st_size if target.is_file() else 0

        def append() -> None:
            try:
                with target.open("ab") as file:
                    self._append(name, came(), file)
            except OSError as error:
                if error.errno is not None and error.filename is None:  # a full disk tells no name
                    error.filename = str(target)
                raise

        self._tried(append, came)

    def _tried(self, action: Callable[[], Any], came: Callable[[], int] = lambda: 0) -> Any:
        """Do what needs a connection, again where it breaks off: as long as more comes, and then a few times."""
        from requests import exceptions

        failed, most = 0, came()
        while True:
            try:
                return action()
            except (exceptions.ChunkedEncodingError, exceptions.ConnectionError, exceptions.Timeout) as error:
                failed = 0 if came() > most else failed + 1
                most = max(most, came())
                if failed == _TRIES:
                    kept = f"; {most} bytes of a file are kept: the same command goes on from there" if most else ""
                    raise ConnectionError(
                        f"{self.source}: no connection, or it broke off, {_TRIES} times running ({_plain(error)}){kept}"
                    ) from error
                time.sleep(_PAUSE_S * failed)
            except exceptions.RequestException as error:
                raise ValueError(
                    f"{self.source}: {_plain(error)}; expected the address of what 'sfdata share' has made"
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


def _plain(error: Exception) -> str:
    """What an error of a connection says at its root, in one line."""
    from requests import exceptions

    if isinstance(error, exceptions.TooManyRedirects):
        return "it leads from one address to another without an end"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    root: BaseException = error
    while inner := getattr(root, "reason", None) or next((a for a in root.args if isinstance(a, Exception)), None):
        if not isinstance(inner, BaseException):
            break
        root = inner
    if type(root).__name__ == "IncompleteRead":
        return "fewer bytes came than were announced"
    told = getattr(root, "strerror", None) or str(root).rpartition(": ")[2] or type(root).__name__
    return re.sub(r"^\[Errno -?\d+\] ", "", " ".join(str(told).split()))[:200]


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
