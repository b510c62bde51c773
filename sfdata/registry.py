"""The registry of soundfonts: those that ``soundfonts.toml`` names, and the user's own.

The user's registry is a file of the same form in the user's configuration folder; fonts that are fetched lie in the
user's cache folder. ``SFDATA_SOUNDFONTS`` names one folder to hold both instead.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sfdata.schema import SPLITS
from sfdata.shipped_files import shipped_file

REGISTRY_FILE = "soundfonts.toml"
FOLDER_VARIABLE = "SFDATA_SOUNDFONTS"
INSTRUMENT_SPLITS = ("all", *SPLITS)
FORMATS = ("sf2", "sf3")
DOWNLOAD_KINDS = ("file", "deb")
REDISTRIBUTION = ("yes", "no", "unknown")
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Download:
    """Where a soundfont can be fetched.

    Attributes
    ----------
    kind : str
        ``file`` is the font itself, ``deb`` a Debian package that holds it.
    urls : tuple of str
        Tried in order; all give the same bytes.
    sha256 : str
        Of what is downloaded.
    bytes : int
        Its length.
    member : str
        Path of the font inside the package, with no slash before it.
    """

    kind: str
    urls: tuple[str, ...]
    sha256: str
    bytes: int
    member: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "urls", tuple(self.urls))
        if self.kind not in DOWNLOAD_KINDS:
            raise ValueError(f"download: kind {self.kind!r}; expected one of {', '.join(DOWNLOAD_KINDS)}")
        if (self.kind == "deb") != bool(self.member):
            raise ValueError(f"download: member {self.member!r}; expected the font's path in a deb, nothing in a file")
        if not self.urls or not all(url.startswith(("https://", "http://")) for url in self.urls):
            raise ValueError(f"download: urls {list(self.urls)}; expected one or more, http or https")
        _check_content("download", self.sha256, self.bytes)


@dataclass(frozen=True)
class Redistribution:
    """What may be passed on: ``yes``, ``no`` or ``unknown`` for the font's file and for sound rendered with it.

    Attributes
    ----------
    file, sound : str
    terms : str
        On what terms, in plain words.
    """

    file: str = "unknown"
    sound: str = "unknown"
    terms: str = ""

    def __post_init__(self) -> None:
        for name in ("file", "sound"):
            if getattr(self, name) not in REDISTRIBUTION:
                raise ValueError(
                    f"redistribution: {name} {getattr(self, name)!r}; expected one of {', '.join(REDISTRIBUTION)}"
                )


@dataclass(frozen=True)
class Soundfont:
    """A registry entry.

    Attributes
    ----------
    name, title, sha256, licence, source : str
        The licence is an SPDX expression, empty where unknown; the source a home page.
    bytes : int
    locations : tuple of str
        Where the file may lie: ``package:NAME/FILE``, ``system:FILE`` or a path.
    presets : dict of int to str
        Names of the presets of bank 0 that are worth using, by program.
    format : str
        ``sf2`` or ``sf3``.
    split : str
        ``all``, or the split that the font's instruments should be kept to.
    preset_splits : dict of int to str
        The same for single presets of bank 0, where they differ from it.
    redistribution : Redistribution
    download : Download, optional
        Nothing where it cannot be fetched.
    """

    name: str
    title: str
    sha256: str
    bytes: int
    licence: str
    source: str
    locations: tuple[str, ...]
    presets: dict[int, str]
    format: str = "sf2"
    split: str = "all"
    preset_splits: dict[int, str] | None = None
    redistribution: Redistribution = Redistribution()
    download: Download | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "preset_splits", dict(self.preset_splits or {}))
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"soundfont: name {self.name!r}; expected small letters, digits and any of . _ + -, "
                "a letter or digit first, 64 at most"
            )
        _check_content(f"soundfont {self.name}", self.sha256, self.bytes)
        if self.format not in FORMATS:
            raise ValueError(f"soundfont {self.name}: format {self.format!r}; expected one of {', '.join(FORMATS)}")
        for split in (self.split, *(self.preset_splits or {}).values()):
            if split not in INSTRUMENT_SPLITS:
                raise ValueError(
                    f"soundfont {self.name}: split {split!r}; expected one of {', '.join(INSTRUMENT_SPLITS)}"
                )

    @property
    def file_name(self) -> str:
        """Name of the file that fetching writes."""
        return f"{self.name}.{self.format}"

    def split_of(self, bank: int, program: int) -> str:
        """``all``, or the split that one preset should be kept to."""
        return (self.preset_splits or {}).get(program, self.split) if bank == 0 else self.split


def _check_content(where: str, sha256: str, size: int) -> None:
    if not _SHA256.fullmatch(sha256) or size <= 0:
        raise ValueError(f"{where}: sha256 {sha256!r}, bytes {size}; expected 64 hexadecimal digits, and above 0")


def fetched_folder() -> Path:
    """Folder that fetched fonts lie in; it need not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("sfdata") / "soundfonts"


def user_registry_path() -> Path:
    """File of the user's own entries; it need not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser() / REGISTRY_FILE
    import platformdirs

    return platformdirs.user_config_path("sfdata") / REGISTRY_FILE


def _table(where: str, values: Mapping[str, Any], made: type) -> dict[str, Any]:
    known = {entry.name for entry in fields(made)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} is unknown; expected {', '.join(sorted(known))}")
    return dict(values)


def _preset(where: str, program: str, value: Any) -> tuple[int, str, str]:
    entry = {"name": value} if isinstance(value, str) else value
    if not program.isdecimal() or int(program) > 127 or not isinstance(entry, dict) or not {"name"} <= set(entry):
        raise ValueError(f'{where}: presets {program} = {value!r}; expected 0 to 127 = "NAME" or {{ name, split }}')
    if not set(entry) <= {"name", "split"}:
        raise ValueError(f"{where}: presets {program} has {sorted(entry)}; expected name and split")
    return int(program), str(entry["name"]), str(entry.get("split", ""))


def _soundfont(where: str, name: str, entry: Any) -> Soundfont:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: {entry!r}; expected a table")
    values = _table(where, {"name": name, **entry}, Soundfont)
    try:
        presets = [_preset(where, str(program), value) for program, value in values.get("presets", {}).items()]
        values["presets"] = {program: title for program, title, _ in presets}
        values["preset_splits"] = {program: split for program, _, split in presets if split}
        values["locations"] = tuple(values.get("locations", ()))
        for key, made in {"redistribution": Redistribution, "download": Download}.items():
            if key in values:
                values[key] = made(**_table(f"{where}.{key}", values[key], made))
        return Soundfont(**values)
    except (TypeError, AttributeError) as error:  # a key that lacks, or a value of another kind
        raise ValueError(f"{where}: {error}; expected an entry like those of sfdata's own {REGISTRY_FILE}") from None


@lru_cache(maxsize=8)
def _read(path: str, size: int, modified_ns: int) -> dict[str, Soundfont]:
    try:
        entries = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the registry of soundfonts {path} cannot be read: {error}; mend it or move it away"
        ) from None
    return {name: _soundfont(f"{path}: {name}", name, entry) for name, entry in entries.items()}


def read_registry(path: Path) -> dict[str, Soundfont]:
    """Entries of a registry file, read once as long as its size and time of change stay.

    Raises
    ------
    ValueError
        If it is no TOML, or an entry is not as it should be; says which.
    """
    stat = path.stat()
    return dict(_read(str(path), stat.st_size, stat.st_mtime_ns))


def registry() -> dict[str, Soundfont]:
    """All registered soundfonts by name: those that ship with sfdata, then the user's own.

    A user's entry with the name and the sha256 of one that ships tells another location and its own splits of it.

    Raises
    ------
    ValueError
        If the user's registry cannot be read, or gives a shipped name to another font.
    """
    entries = read_registry(shipped_file(REGISTRY_FILE))
    path = user_registry_path()
    for name, own in (read_registry(path) if path.is_file() else {}).items():
        shipped = entries.get(name)
        if shipped is None:
            entries[name] = own
        elif shipped.sha256 == own.sha256:
            places = shipped.locations + own.locations
            entries[name] = replace(shipped, locations=places, split=own.split, preset_splits=own.preset_splits)
        else:
            raise ValueError(
                f"{path} gives the name {name!r} to a font with sha256 {own.sha256}; sfdata's own {name} has "
                f"{shipped.sha256}: give the entry another name there"
            )
    return entries


def registered(name: str) -> Soundfont:
    """Look up a soundfont by name.

    Raises
    ------
    ValueError
        If it is not registered; lists the names that are.
    """
    entries = registry()
    if name not in entries:
        raise ValueError(f"no soundfont {name} in the registry; it knows {', '.join(entries)}")
    return entries[name]
