"""Instruments: soundfont presets, found through the registry or by path, and known by their sha256."""

import hashlib
import importlib.util
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from sfdata.shipped_files import shipped_file

DEFAULT_INSTRUMENT = "timgm6mb:0"


@dataclass(frozen=True)
class Soundfont:
    """A registry entry.

    Attributes
    ----------
    name, title, sha256, licence, source : str
    bytes : int
    locations : tuple of str
    presets : dict of int to str
        Names of the presets of bank 0 that are worth using, by program.
    """

    name: str
    title: str
    sha256: str
    bytes: int
    licence: str
    source: str
    locations: tuple[str, ...]
    presets: dict[int, str]


@dataclass(frozen=True)
class Instrument:
    """A soundfont preset on this machine.

    Attributes
    ----------
    name : str
        ``soundfont:program``.
    path : str
        The soundfont's file on this machine; not part of what makes two instruments equal.
    sha256 : str
        Of the file.
    bank, program : int
    licence : str
        Empty where unknown.
    """

    name: str
    path: str = field(compare=False)
    sha256: str
    bank: int
    program: int
    licence: str


@lru_cache(maxsize=1)
def registry() -> dict[str, Soundfont]:
    """The soundfonts that ``soundfonts.toml`` names."""
    entries = tomllib.loads(shipped_file("soundfonts.toml").read_text(encoding="utf-8"))
    return {
        name: Soundfont(
            name=name,
            title=entry["title"],
            sha256=entry["sha256"],
            bytes=entry["bytes"],
            licence=entry["licence"],
            source=entry["source"],
            locations=tuple(entry["locations"]),
            presets={int(program): title for program, title in entry["presets"].items()},
        )
        for name, entry in entries.items()
    }


@lru_cache(maxsize=64)
def _sha256(path: str, size: int, modified_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, computed once as long as its size and time of change stay."""
    stat = path.stat()
    return _sha256(str(path), stat.st_size, stat.st_mtime_ns)


def _candidates(soundfont: Soundfont) -> list[Path]:
    paths = []
    for location in soundfont.locations:
        if location.startswith("package:"):
            package, _, inside = location.removeprefix("package:").partition("/")
            spec = importlib.util.find_spec(package)  # finds without importing
            paths += [Path(folder) / inside for folder in (spec.submodule_search_locations or [])] if spec else []
        else:
            paths.append(Path(location).expanduser())
    return paths


def locate(soundfont: Soundfont) -> Path:
    """Find a registered soundfont on this machine, by its sha256.

    Raises
    ------
    FileNotFoundError
        If none of its locations holds the very file; says what each holds.
    """
    seen = []
    for path in _candidates(soundfont):
        if not path.is_file():
            seen.append(f"{path}: absent")
        elif (found := file_sha256(path)) == soundfont.sha256:
            return path
        else:
            seen.append(f"{path}: another file, sha256 {found}")
    raise FileNotFoundError(
        f"soundfont {soundfont.name!r} (sha256 {soundfont.sha256}) is not on this machine; looked at "
        f"{'; '.join(seen) or 'no location'}. Give a path to a soundfont instead, or get it from {soundfont.source}"
    )


def inventory() -> list[dict[str, Any]]:
    """Registered soundfonts with where they lie on this machine (``path``, empty where they don't)."""
    rows = []
    for soundfont in registry().values():
        try:
            path = str(locate(soundfont))
        except FileNotFoundError:
            path = ""
        rows.append(asdict(soundfont) | {"path": path})
    return rows


def verify(names: Sequence[str] = ()) -> list[str]:
    """Say for each registered soundfont (or those named) that is not on this machine what is there instead.

    Raises
    ------
    ValueError
        If a name is not registered.
    """
    unknown = [name for name in names if name not in registry()]
    if unknown:
        raise ValueError(f"no soundfont {', '.join(unknown)} in the registry; it knows {', '.join(registry())}")
    problems = []
    for name in names or registry():
        try:
            locate(registry()[name])
        except FileNotFoundError as error:
            problems.append(str(error))
    return problems


def resolve_instrument(text: str) -> Instrument:
    """Turn ``NAME[:PROGRAM]`` or ``PATH[:PROGRAM]`` into an instrument on this machine.

    Raises
    ------
    ValueError
        If the program is no number from 0 to 127, or the name is unknown and no file.
    FileNotFoundError
        If a registered soundfont is not on this machine.
    """
    name, colon, number = text.rpartition(":")
    if not colon or "/" in number or "\\" in number or Path(text).is_file():
        name, number = text, "0"
    if not number.isdigit() or not 0 <= int(number) <= 127:
        raise ValueError(f"instrument {text!r}: program {number!r}; expected NAME:PROGRAM with a program from 0 to 127")
    if name in registry():
        soundfont = registry()[name]
        path, licence = locate(soundfont), soundfont.licence
    elif Path(name).is_file():
        path, licence, name = Path(name), "", Path(name).stem
        for soundfont in registry().values():  # one instrument, by whatever path: known by its content
            if soundfont.sha256 == file_sha256(path):
                licence, name = soundfont.licence, soundfont.name
    else:
        raise ValueError(
            f"instrument {text!r}: no soundfont file of that name, and the registry knows {', '.join(registry())}; "
            "expected NAME[:PROGRAM] or a path to an .sf2 or .sf3 file"
        )
    return Instrument(f"{name}:{int(number)}", str(path.resolve()), file_sha256(path), 0, int(number), licence)
