"""Fetching registered soundfonts over the network: downloaded, compared with the registry, and only then put in place.

A fetch works in a folder of its own beside the place where the font goes, so that nothing half done can be taken for a
font, and two fetches at once do not meet.
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sfdata.deb import extract_from_deb
from sfdata.registry import Download, Soundfont, fetched_folder, registered, registry
from sfdata.soundfonts import file_sha256, locate

Progress = Callable[[str, int, int], None]
_SCRATCH = ".fetch-"
_STALE_S = 24 * 3600
_CHUNK_BYTES = 1 << 17
_TIMEOUT_S = (15, 60)  # to connect, and between two pieces of the answer


@dataclass(frozen=True)
class Fetched:
    """How fetching one soundfont ended.

    Attributes
    ----------
    name : str
    state : str
        ``fetched``, ``there`` (it was on this machine), ``no source`` or ``failed``.
    path : str
        Where it lies, empty where it does not.
    reason : str
        Why it failed.
    """

    name: str
    state: str
    path: str = ""
    reason: str = ""


class _Meter:
    """Stands in for the progress bar that pooch drives: passes on what has come, and stops an answer too long."""

    def __init__(self, name: str, expected: int, progress: Progress | None) -> None:
        self.name, self.expected, self.progress = name, expected, progress
        self.total = self.done = 0

    def update(self, count: int) -> None:
        self.done += count
        if self.done >= self.expected + _CHUNK_BYTES:
            raise ValueError(f"the answer is longer than the {self.expected} bytes that were expected")
        if self.progress is not None:
            self.progress(self.name, min(self.done, self.expected), self.expected)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


@contextmanager
def download_bars() -> Iterator[Progress]:
    """Give a function for :func:`fetch` that draws one bar a font on standard error, where that is a terminal."""
    bars: dict[str, tqdm] = {}

    def progress(name: str, done: int, total: int) -> None:
        if name not in bars:
            bars[name] = tqdm(total=total, desc=name, unit="B", unit_scale=True, disable=None)
        bars[name].update(done - bars[name].n)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder for one fetch; those that killed fetches left behind go first."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{_SCRATCH}*"):
        if old.is_dir() and old.stat().st_mtime < time.time() - _STALE_S:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
        yield Path(scratch)


def _told(error: Exception) -> str:
    """A network error in few words; what requests says runs over several lines."""
    from requests import exceptions

    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, exceptions.SSLError):
        return "the server's certificate was not accepted"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    return " ".join(str(error).split())[:200]


def _download(name: str, download: Download, folder: Path, progress: Progress | None) -> Path:
    import pooch  # type: ignore[import-untyped]
    from requests import exceptions

    pooch.get_logger().setLevel(logging.WARNING)
    tried: list[str] = []
    for url in download.urls:
        meter: Any = _Meter(name, download.bytes, progress)
        fetch = pooch.HTTPDownloader(progressbar=meter, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_S)
        try:
            return Path(pooch.retrieve(url, f"sha256:{download.sha256}", "download", folder, downloader=fetch))
        except exceptions.RequestException as error:
            tried.append(f"{url}: {_told(error)}")
        except ValueError as error:  # pooch's word for a wrong hash, or the meter's
            told = "other bytes than the registry's sha256" if "hash" in str(error) else str(error)
            tried.append(f"{url}: {told}")
    raise FileNotFoundError(
        f"soundfont {name!r} could not be fetched. Tried {'; '.join(tried)}. Try again later, or get the file by "
        f"other ways and run 'sfdata soundfonts add PATH --name {name}'"
    )


def fetch_soundfont(soundfont: Soundfont, folder: Path, progress: Progress | None = None) -> Path:
    """Download a soundfont into a folder, whether or not it is on this machine.

    Parameters
    ----------
    soundfont : Soundfont
    folder : Path
        Made where it is not there.
    progress : callable, optional
        Called with name, bytes so far and bytes in all.

    Returns
    -------
    Path
        The font, read only once its sha256 was that of the registry.

    Raises
    ------
    ValueError
        If the registry knows no place to fetch it from, or what was downloaded does not hold the font.
    FileNotFoundError
        If none of these places gives it; says what each said.
    """
    download = soundfont.download
    if download is None:
        raise ValueError(f"soundfont {soundfont.name!r} cannot be fetched: see {soundfont.source or 'its source'}")
    target = folder / soundfont.file_name
    with _scratch(folder) as scratch:
        font = _download(soundfont.name, download, scratch, progress)
        if download.kind == "deb":
            package, font = font, scratch / soundfont.file_name
            extract_from_deb(package, download.member, font, soundfont.bytes)
        found = file_sha256(font)
        if found != soundfont.sha256:
            raise ValueError(
                f"soundfont {soundfont.name!r}: what was downloaded has sha256 {found}; expected {soundfont.sha256}"
            )
        font.chmod(0o644)
        with font.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(font, target)
    return target


def fetch(names: Sequence[str] = (), progress: Progress | None = None) -> list[Fetched]:
    """Fetch soundfonts that are not on this machine into the user's folder.

    Parameters
    ----------
    names : sequence of str
        Without any, all that the registry tells a source of.
    progress : callable, optional
        Called with name, bytes so far and bytes in all.

    Returns
    -------
    list of Fetched
        One for each; that one fails keeps no other from being fetched.

    Raises
    ------
    ValueError
        If a name is not registered.
    """
    results = []
    for soundfont in [registered(name) for name in dict.fromkeys(names)] or registry().values():
        try:
            results.append(Fetched(soundfont.name, "there", str(locate(soundfont))))
            continue
        except FileNotFoundError:
            if soundfont.download is None and not names:
                results.append(Fetched(soundfont.name, "no source"))
                continue
        try:
            path = fetch_soundfont(soundfont, fetched_folder(), progress)
            results.append(Fetched(soundfont.name, "fetched", str(path)))
        except (ValueError, FileNotFoundError) as error:
            results.append(Fetched(soundfont.name, "failed", reason=str(error)))
    return results
