"""Reading what a soundfont says about itself: version, title, copyright, and the names of its presets.

An sf2 or sf3 file is one RIFF chunk of the form ``sfbk``, holding three lists: ``INFO`` (texts), ``sdta`` (samples) and
``pdta`` (presets, instruments, sample headers); see the SoundFont Technical Specification 2.04, sections 4 to 7. sf3
has the same outline with the samples compressed by Vorbis, so this reader takes both, touching no sample.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PRESET = struct.Struct("<20sHH14x")  # achPresetName, wPreset, wBank; what follows points into other chunks
_MAX_PRESETS = 65536
_MAX_TEXT = 65536  # the specification's own limit for a comment
_TEXTS = {b"INAM": "title", b"ICOP": "copyright", b"ICMT": "comment"}


@dataclass(frozen=True)
class SoundfontFacts:
    """What a soundfont says about itself.

    Attributes
    ----------
    version : tuple of int
        Major and minor; 2 is sf2, 3 is sf3.
    title, copyright, comment : str
        Empty where the file has none.
    presets : dict of (int, int) to str
        Name of each preset by bank and program, in that order. Percussion is bank 128.
    """

    version: tuple[int, int]
    title: str
    copyright: str
    comment: str
    presets: dict[tuple[int, int], str]


def _chunks(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give id, begin and end of the data of each chunk between two places of a file."""
    while begin + 8 <= end:
        file.seek(begin)
        kind, size = struct.unpack("<4sI", file.read(8))
        begin += 8
        if begin + size > end:
            raise ValueError(f"its chunk {kind!r} at byte {begin - 8} has {size} bytes, {end - begin} are left")
        yield kind, begin, begin + size
        begin += size
        if size % 2:  # chunks begin at even places; MuseScore's converter does not keep to that
            file.seek(begin)
            begin += file.read(4) != b"LIST"


def _text(content: bytes) -> str:
    """Text up to the first zero byte, with nothing in it that would steer a terminal."""
    content = content.split(b"\0", 1)[0]
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return "".join(letter for letter in text if letter.isprintable() or letter in "\r\n\t").strip()


def _presets(records: bytes) -> dict[tuple[int, int], str]:
    if len(records) % 38 or not 2 * 38 <= len(records) <= _MAX_PRESETS * 38:
        raise ValueError(f"its table of presets has {len(records)} bytes; expected 38 for each, and one more record")
    names: dict[tuple[int, int], str] = {}
    for name, program, bank in list(_PRESET.iter_unpack(records))[:-1]:  # the last only marks the end
        names.setdefault((bank, program), _text(name))
    return dict(sorted(names.items()))


def read_soundfont(path: Path) -> SoundfontFacts:
    """Read a soundfont's outline.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If it is no sf2 or sf3 file, or a damaged one; says where.
    FileNotFoundError
        If there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no soundfont at {path}; expected an .sf2 or .sf3 file")
    texts = dict.fromkeys(_TEXTS.values(), "")
    version, records = (0, 0), b""
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"sfbk":
            raise ValueError(f"{path} begins with {head!r}; expected a soundfont, RIFF….sfbk (.sf2 or .sf3)")
        end = path.stat().st_size
        try:
            for kind, begin, stop in _chunks(file, 12, end):
                if kind != b"LIST" or stop - begin < 4:
                    continue
                file.seek(begin)
                form = file.read(4)
                if form not in (b"INFO", b"pdta"):
                    continue
                for inner, first, last in _chunks(file, begin + 4, stop):
                    file.seek(first)
                    if inner == b"ifil" and last - first == 4:
                        version = struct.unpack("<HH", file.read(4))
                    elif inner in _TEXTS and form == b"INFO":
                        texts[_TEXTS[inner]] = _text(file.read(min(last - first, _MAX_TEXT)))
                    elif inner == b"phdr":
                        records = file.read(min(last - first, (_MAX_PRESETS + 1) * 38))
            presets = _presets(records)
        except ValueError as error:
            raise ValueError(f"soundfont {path} is damaged: {error}") from None
    if version[0] not in (2, 3):
        raise ValueError(f"soundfont {path} has version {version[0]}.{version[1]}; expected 2 (sf2) or 3 (sf3)")
    return SoundfontFacts(version, presets=presets, **texts)


def preset_names(path: Path) -> dict[tuple[int, int], str]:
    """Names of a soundfont's presets by bank and program, in that order.

    Raises
    ------
    ValueError
        If it is no sf2 or sf3 file, or a damaged one.
    FileNotFoundError
        If there is no such file.
    """
    return read_soundfont(path).presets
