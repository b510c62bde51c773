"""The user's own soundfonts: adding a file to the user's registry."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sfdata.files import write_atomically
from sfdata.fluidsynth import SynthHost, find_library
from sfdata.registry import FORMATS, Soundfont, read_registry, registry, user_registry_path
from sfdata.sf2 import read_soundfont
from sfdata.soundfonts import file_sha256


@dataclass(frozen=True)
class Added:
    """What was added.

    Attributes
    ----------
    soundfont : Soundfont
        The entry.
    registry : Path
        The file it stands in now.
    warnings : tuple of str
        What the user should know about it.
    """

    soundfont: Soundfont
    registry: Path
    warnings: tuple[str, ...]


def _quoted(text: str) -> str:
    r"""A basic string of TOML: JSON's escapes, and DEL, which JSON leaves as it is.

    Examples
    --------
    >>> print(_quoted('a "b"'))
    "a \"b\""
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _entry(soundfont: Soundfont) -> str:
    """A registry entry as TOML."""
    name = _quoted(soundfont.name) if set(soundfont.name) & set(".+") else soundfont.name  # these no bare key may have
    splits = soundfont.preset_splits or {}
    lines = [
        f"[{name}]",
        f"title = {_quoted(soundfont.title)}",
        f"format = {_quoted(soundfont.format)}",
        f"sha256 = {_quoted(soundfont.sha256)}",
        f"bytes = {soundfont.bytes}",
        f"licence = {_quoted(soundfont.licence)}",
        f"source = {_quoted(soundfont.source)}",
        f"split = {_quoted(soundfont.split)}",
        f"locations = [{', '.join(map(_quoted, soundfont.locations))}]",
        "",
        f"[{name}.presets]",
        *(
            f"{program} = {{ name = {_quoted(title)}, split = {_quoted(splits[program])} }}"
            if program in splits
            else f"{program} = {_quoted(title)}"
            for program, title in soundfont.presets.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _warnings(soundfont: Soundfont, said: str) -> tuple[str, ...]:
    found = []
    if not soundfont.licence:
        says = (
            f"the file itself says: {' '.join(said.split())[:200]!r}"
            if said.strip()
            else "the file itself says nothing"
        )
        found.append(f"{soundfont.name} has no licence ({says}): what is made with it should not be passed on")
    if not soundfont.presets:
        found.append(f"{soundfont.name} has no presets in bank 0: name its instruments {soundfont.name}:BANK:PROGRAM")
    return tuple(found)


def add_soundfont(
    path: Path, name: str, licence: str = "", source: str = "", split: str = "", title: str = ""
) -> Added:
    """Register a soundfont of the user's own, by its content; the file stays where it is.

    Parameters
    ----------
    path : Path
        An sf2 or sf3 file.
    name : str
        What instruments are called by, as in ``NAME:PROGRAM``. The name of a font that ships with sfdata is taken only
        for the very file: that tells where it lies.
    licence : str
        SPDX expression.
    source : str
        Home page.
    split : str
        ``all``, ``train``, ``validation`` or ``test``. Without it ``all``, or as the font ships.
    title : str
        Without it the file's own.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no soundfont, or one that FluidSynth cannot load, if the name is taken or cannot be one, the font is
        registered by another name, or the split is unknown.
    """
    facts = read_soundfont(path)
    target = user_registry_path()
    entries, sha256 = registry(), file_sha256(path)
    own = read_registry(target) if target.is_file() else {}
    known = entries.get(name)
    if name in own or (known is not None and known.sha256 != sha256):
        taken = f"stands in {target}; choose another, or change the entry there"
        raise ValueError(f"the name {name!r} {taken if name in own else 'is that of another font; choose another'}")
    same = [entry.name for entry in entries.values() if entry.sha256 == sha256 and entry.name != name]
    if same:
        remedy = "use it by that name" if same[0] in own else f"add it with the name {same[0]} to tell where it lies"
        raise ValueError(f"{path} is the font that is registered as {same[0]!r}; {remedy}")
    _check_playable(path)
    place = str(path.resolve())
    if not place.isprintable():
        raise ValueError(f"the path {place!r} cannot stand in a TOML file; rename it")
    if known is not None:
        splits = {} if split else dict(known.preset_splits or {})
        made = (title or known.title, licence or known.licence, source or known.source, split or known.split)
        presets = known.presets
    else:
        splits = {}
        made = (title or facts.title or path.stem, licence, source, split or "all")
        presets = {program: text for (bank, program), text in facts.presets.items() if bank == 0 and program < 128}
    soundfont = Soundfont(
        name=name,
        title=made[0],
        sha256=sha256,
        bytes=path.stat().st_size,
        licence=made[1],
        source=made[2],
        locations=(place,),
        presets=presets,
        format=FORMATS[facts.version[0] - 2],
        split=made[3],
        preset_splits=splits,
    )
    _append(target, _entry(soundfont))
    return Added(soundfont, target, _warnings(soundfont, f"{facts.copyright} {facts.comment}"))


def _check_playable(path: Path) -> None:
    """Let FluidSynth load it, where FluidSynth is here: it minds more than the outline."""
    try:
        find_library()
    except FileNotFoundError:
        return
    SynthHost(str(path), sample_rate_hz=44100, gain=1.0).close()


def _append(target: Path, entry: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    real = Path(os.path.realpath(target))  # a link to a file kept elsewhere stays a link
    before = real.read_text(encoding="utf-8") if real.is_file() else "# Soundfonts of one's own, known to sfdata.\n"
    write_atomically(real, f"{before.rstrip()}\n\n{entry}".encode())
