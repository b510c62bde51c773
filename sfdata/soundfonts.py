"""Instruments: soundfont presets, found through the registry or by path, and known by their sha256."""

import hashlib
import importlib.util
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sfdata.programs import parse_programs
from sfdata.registry import Soundfont, fetched_folder, registered, registry
from sfdata.sf2 import preset_names

DEFAULT_INSTRUMENT = "timgm6mb:0"
SYSTEM_FOLDERS = (
    "/usr/share/sounds/sf2",  # Debian, Ubuntu, openSUSE, Gentoo
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",  # Fedora, Arch
    "/usr/local/share/sounds/sf2",
    "/usr/local/share/sounds/sf3",
    "/usr/local/share/soundfonts",  # Homebrew on Intel, BSD
    "/opt/homebrew/share/soundfonts",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",  # macOS
)
_MAX_BANK = 16383


@dataclass(frozen=True)
class Instrument:
    """A soundfont preset on this machine.

    Attributes
    ----------
    name : str
        ``soundfont:program``, or ``soundfont:bank:program`` where the bank is not 0.
    path : str
        The soundfont's file on this machine; not part of what makes two instruments equal.
    sha256 : str
        Of the file.
    bank, program : int
    licence : str
        Empty where unknown.
    split : str
        ``all``, or the split that the instrument is kept to; not part of what makes two instruments equal.
    """

    name: str
    path: str = field(compare=False)
    sha256: str
    bank: int
    program: int
    licence: str
    split: str = field(default="all", compare=False)


@dataclass(frozen=True)
class Check:
    """What is amiss with registered soundfonts.

    Attributes
    ----------
    problems : tuple of str
        Of those with another file in their place, and of those asked for that are nowhere.
    absent : tuple of str
        Names of those that are not on this machine.
    """

    problems: tuple[str, ...]
    absent: tuple[str, ...]


@lru_cache(maxsize=8192)  # of all files of a shared folder
def _sha256(path: str, size: int, modified_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, computed once as long as its size and time of change stay."""
    stat = path.stat()
    return _sha256(str(path), stat.st_size, stat.st_mtime_ns)


def on_this_machine(instrument: Instrument) -> Instrument:
    """The same instrument with the path that its soundfont has here; on another machine it may lie elsewhere.

    Raises
    ------
    ValueError
        If the file is not here, or is another one by now.
    """
    path = Path(instrument.path)
    try:
        found = file_sha256(path) if path.is_file() else ""
    except OSError as error:
        found = error.strerror or "cannot be read"
    if found == instrument.sha256:
        return instrument
    for soundfont in registry().values():
        elsewhere = _search(soundfont)[0] if soundfont.sha256 == instrument.sha256 else None
        if elsewhere is not None:
            return replace(instrument, path=str(elsewhere))
    there = f"another file is there, sha256 {found[:12]}…" if found else "no such file"
    raise ValueError(
        f"the machine {platform.node()} lacks the soundfont of {instrument.name}: {path} is expected with sha256 "
        f"{instrument.sha256[:12]}…, {there}; put it there, or register it with 'sfdata soundfonts add'"
    )


def _candidates(soundfont: Soundfont) -> list[Path]:
    paths: list[Path] = []
    for location in soundfont.locations:
        kind, _, rest = location.partition(":")
        if kind == "package":
            package, _, inside = rest.partition("/")
            spec = importlib.util.find_spec(package)  # finds without importing
            paths += [Path(folder) / inside for folder in (spec.submodule_search_locations or [])] if spec else []
        elif kind == "system":
            paths += [Path(folder).expanduser() / rest for folder in SYSTEM_FOLDERS]
        else:
            paths.append(Path(location).expanduser())
    return [*paths, fetched_folder() / soundfont.file_name]


def _search(soundfont: Soundfont) -> tuple[Path | None, list[str]]:
    """Where a font lies, or else what was seen in its places: first what is not simply absent."""
    odd, absent = [], []
    for path in _candidates(soundfont):
        try:
            if not path.is_file():
                absent.append(path)
                continue
            found = file_sha256(path)
        except OSError as error:
            odd.append(f"{path}: {error.strerror}")
            continue
        if found == soundfont.sha256:
            return path, []
        odd.append(f"{path}: another file, sha256 {found}")
    if absent:
        more = f" and {len(absent) - 1} other places" if len(absent) > 1 else ""
        odd.append(f"{absent[0]}{more}: absent")
    return None, odd


def _how_to_get(soundfont: Soundfont) -> str:
    if soundfont.download is None:
        return f"get it from {soundfont.source or 'where it came from'}"
    return f"run 'sfdata soundfonts fetch {soundfont.name}' ({soundfont.download.bytes / 1e6:.0f} MB)"


def _missing(soundfont: Soundfont, seen: Sequence[str]) -> str:
    return (
        f"soundfont {soundfont.name!r} (sha256 {soundfont.sha256}) is not on this machine; looked at "
        f"{'; '.join(seen)}. Give a path to a soundfont instead, or {_how_to_get(soundfont)}"
    )


def locate(soundfont: Soundfont) -> Path:
    """Find a registered soundfont on this machine, by its sha256.

    Raises
    ------
    FileNotFoundError
        If none of its locations holds the very file; says what each holds, and how to get it.
    """
    path, seen = _search(soundfont)
    if path is None:
        raise FileNotFoundError(_missing(soundfont, seen))
    return path


def inventory() -> list[dict[str, Any]]:
    """Registered soundfonts, each with its ``path`` on this machine (empty where it has none) and how to ``get`` it."""
    return [
        asdict(soundfont) | {"path": str(_search(soundfont)[0] or ""), "get": _how_to_get(soundfont)}
        for soundfont in registry().values()
    ]


def check(names: Sequence[str] = ()) -> Check:
    """Look whether registered soundfonts are on this machine with the right content.

    Parameters
    ----------
    names : sequence of str
        Those that must be there. Without any, all are looked at, and only another file in a font's place is a
        problem.

    Raises
    ------
    ValueError
        If a name is not registered.
    """
    problems, absent = [], []
    for soundfont in [registered(name) for name in names] or registry().values():
        path, seen = _search(soundfont)
        if path is None:
            absent.append(soundfont.name)
            if names or not all(text.endswith(": absent") for text in seen):
                problems.append(_missing(soundfont, seen))
    return Check(tuple(problems), tuple(absent))


def verify(names: Sequence[str] = ()) -> list[str]:
    """Problems that :func:`check` finds.

    Raises
    ------
    ValueError
        If a name is not registered.
    """
    return list(check(names).problems)


def _find(name: str, text: str) -> tuple[str, Path, Soundfont | None]:
    """Name, file and registry entry of the font that a name or path means; `text` is what to call it in an error."""
    entries = registry()
    if name in entries:
        return name, locate(entries[name]), entries[name]
    path = Path(name)
    if path.is_file():
        for soundfont in entries.values():  # one instrument, by whatever path: known by its content
            if soundfont.bytes == path.stat().st_size and soundfont.sha256 == file_sha256(path):
                return soundfont.name, path, soundfont
        return path.stem, path, None
    raise ValueError(
        f"instrument {text!r}: no soundfont file of that name, and the registry knows {', '.join(entries)}; "
        "expected NAME[:PROGRAM] or a path to an .sf2 or .sf3 file"
    )


def _split_text(text: str) -> tuple[str, str]:
    """The font's name or path, and what stands after the last colon (``0`` where there is none)."""
    name, colon, rest = text.rpartition(":")
    if not colon or "/" in rest or "\\" in rest or Path(text).is_file():
        return text, "0"
    return name, rest


def _instrument(name: str, path: Path, soundfont: Soundfont | None, bank: int, program: int) -> Instrument:
    label = f"{name}:{bank}:{program}" if bank else f"{name}:{program}"
    licence, split = (soundfont.licence, soundfont.split_of(bank, program)) if soundfont else ("", "all")
    return Instrument(label, str(path.resolve()), file_sha256(path), bank, program, licence, split)


def resolve_instrument(text: str) -> Instrument:
    """Turn ``NAME[:[BANK:]PROGRAM]`` or ``PATH[:[BANK:]PROGRAM]`` into an instrument on this machine.

    Parameters
    ----------
    text : str
        Program and bank are 0 where they are not told.

    Raises
    ------
    ValueError
        If the program is no number from 0 to 127, or the name is unknown and no file.
    FileNotFoundError
        If a registered soundfont is not on this machine.
    """
    name, number = _split_text(text)
    if not (number.isascii() and number.isdigit()) or int(number) > 127:
        raise ValueError(f"instrument {text!r}: program {number!r}; expected NAME:PROGRAM with a program from 0 to 127")
    font, _, bank = name.rpartition(":")
    if not font or not (bank.isascii() and bank.isdigit()) or name in registry() or Path(name).is_file():
        font, bank = name, "0"
    if int(bank) > _MAX_BANK:
        raise ValueError(f"instrument {text!r}: bank {bank}; expected 0 to {_MAX_BANK}")
    return _instrument(*_find(font, text), int(bank), int(number))


def resolve_pool(names: Sequence[str]) -> list[Instrument]:
    """Turn texts into the instruments they stand for, each once, in order.

    Parameters
    ----------
    names : sequence of str
        As :func:`resolve_instrument` takes them, or with several programs of bank 0 after the colon, as
        :func:`sfdata.programs.parse_programs` reads them: ``timgm6mb:0-7``, ``fluidr3-gm:0,2,4``, ``timgm6mb:piano``.
        Of several programs, those that the font lacks are left out.

    Returns
    -------
    list of Instrument

    Raises
    ------
    ValueError
        If a text cannot be read, or the font has none of its programs.
    FileNotFoundError
        If a registered soundfont is not on this machine.
    """
    pool: dict[tuple[str, int, int], Instrument] = {}
    for text in names:
        name, selection = _split_text(text)
        if selection.isdigit():
            chosen = [resolve_instrument(text)]
        else:
            wanted = parse_programs(selection, f"instruments {text!r}")
            found = _find(name, text)
            held = {program for bank, program in preset_names(found[1]) if bank == 0}
            chosen = [_instrument(*found, 0, program) for program in wanted if program in held]
            if not chosen:
                has = ", ".join(map(str, sorted(held))) or "none"
                raise ValueError(f"instruments {text!r}: {found[1]} has none of these programs in bank 0; it has {has}")
        for instrument in chosen:
            pool.setdefault((instrument.sha256, instrument.bank, instrument.program), instrument)
    return list(pool.values())
