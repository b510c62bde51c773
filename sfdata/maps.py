"""MAPS, the database of MIDI-aligned piano sounds: its layout and its annotations.

Layout: ``INSTRUMENT/{ISOL/{NO,LG,ST,RE,CH,TR1,TR2}, RAND/M36-95/I32-96/P2, UCHO/I32-96/C0-4-7, MUS}``; each item is a
sound (``.wav``, in some copies ``.flac``) with its notes beside it (``.txt``: onset, offset and MIDI pitch; and
``.mid``). Everything about an item stands in its name (see :mod:`sfdata.maps_names`), so any part of MAPS, moved
anywhere, can be read.

Offsets in the annotations are the times at which a note is really damped: where the sustain pedal is down, the pedal's
release. V. Emiya, N. Bertin, B. David, R. Badeau: "MAPS - A piano database for multipitch estimation and automatic
transcription of music", research report, Télécom ParisTech, 2010.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.files import check_folder
from sfdata.maps_names import SUBSETS, MapsName, parse_name
from sfdata.midi import MidiSettings, printable, read_piece
from sfdata.notes import NoteArray, make_notes
from sfdata.plan import Skipped

LICENCE = "CC-BY-NC-SA-2.0-FR"
ATTRIBUTION = (
    "MAPS (Valentin Emiya, Nancy Bertin, Bertrand David, Roland Badeau; Télécom ParisTech), "
    "https://adasp.telecom-paris.fr/resources/2010-07-08-maps-database/"
)
INSTRUMENT_FILE = "instrument.json"
SOUNDS = (".wav", ".flac")
VELOCITY = 64  # annotations tell none


@dataclass(frozen=True)
class MapsItem:
    """A sound and its annotation: a ``.txt``, or a ``.mid`` where that is all there is."""

    name: MapsName
    sound: Path
    annotation: Path


@dataclass(frozen=True)
class Rights:
    """Licence of the music and of the sound, and whom to credit."""

    licence: str = LICENCE
    instrument_licence: str = LICENCE
    attribution: str = ATTRIBUTION


def find_items(folder: str | Path) -> tuple[list[MapsItem], list[Skipped]]:
    """Find all items under a folder: all of MAPS, one instrument, one subset, or any pile of its files.

    Returns
    -------
    items : list of MapsItem
        Sorted by subset, music and instrument.
    skipped : list of Skipped
        Sounds whose name is none of MAPS's, sounds without notes, notes without sound, and second copies. Other files
        are passed over in silence.

    Raises
    ------
    FileNotFoundError
        If the folder is not there.
    """
    folder = Path(folder)
    check_folder(folder)
    together: dict[Path, dict[str, Path]] = {}
    skipped: list[Skipped] = []
    for path in sorted(folder.rglob("*")):
        kind = path.suffix.lower()
        if kind not in (*SOUNDS, ".txt", ".mid") or path.name.startswith(".") or not path.is_file():
            continue
        beside = together.setdefault(path.with_suffix(""), {})
        if kind in beside:
            skipped.append(Skipped(_shown(path), f"{beside[kind].name} differs from it only in letters' case"))
        else:
            beside[kind] = path
    items: dict[tuple[int, str, str], MapsItem] = {}
    for stem, beside in together.items():
        sounds = [beside[kind] for kind in SOUNDS if kind in beside]
        name = parse_name(stem.name)
        if name is None:
            skipped += [Skipped(_shown(sound), "has none of MAPS's names") for sound in sounds]
            continue
        annotation = beside.get(".txt") or beside.get(".mid")
        if not sounds or annotation is None:
            only = sounds[0] if sounds else annotation
            assert only is not None
            lacks = "sound (.wav or .flac)" if not sounds else "annotation (.txt or .mid)"
            skipped.append(Skipped(_shown(only), f"has no {lacks} beside it"))
            continue
        skipped += [Skipped(_shown(other), f"{sounds[0].name} is taken in its place") for other in sounds[1:]]
        key = (SUBSETS.index(name.subset), name.music, name.instrument)
        if key in items:
            skipped.append(Skipped(_shown(sounds[0]), f"is there already, as {_shown(items[key].sound)}"))
        else:
            items[key] = MapsItem(name, sounds[0], annotation)
    return [items[key] for key in sorted(items)], skipped


def read_annotation(path: Path) -> NoteArray:
    """Read an annotation: a row a note with onset and offset in seconds and the MIDI pitch.

    Columns may stand apart by tabs, blanks or semicolons (or commas, where numbers have points); decimals may be
    commas; a header, a byte-order mark, any line ends and blank lines are allowed. Of notes of one pitch that overlap,
    the earlier ends where the key is struck again; notes of no length are left out. Velocities are not annotated, all
    are 64.

    Returns
    -------
    NoteArray
        ``source`` is 0, 1, 2, …

    Raises
    ------
    ValueError
        If a row is no note, or there is no note.
    """
    rows: list[tuple[float, float, int]] = []
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    for place, (number, line) in enumerate(lines):
        apart = re.split(r"[;\s]+" if re.search(r"[;\s]", line) else ",", line.strip(";"))
        try:
            onset_s, offset_s, pitch = (float(field.rstrip(",").replace(",", ".")) for field in apart[:3])
        except ValueError:
            if place == 0:
                continue  # the header
            raise ValueError(f"{path.name}, line {number} is {line[:60]!r}; expected onset, offset, pitch") from None
        if not (0 <= onset_s <= offset_s < math.inf and pitch in range(128)):
            raise ValueError(
                f"{path.name}, line {number} is {line[:60]!r}; expected 0 <= onset <= offset and a pitch from 0 to 127"
            )
        rows.append((onset_s, offset_s, int(pitch)))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3)
    onset, offset, pitches = columns[:, 0], columns[:, 1], columns[:, 2].astype(np.int64)
    offset = np.minimum(offset, next_stroke(onset, pitches))
    sounding = offset > onset
    if not sounding.any():
        raise ValueError(f"{path.name} holds no notes; expected rows of onset, offset, pitch")
    return make_notes(onset[sounding], offset[sounding], pitches[sounding], np.full(int(sounding.sum()), VELOCITY))


def item_notes(item: MapsItem) -> NoteArray:
    """Notes of an item at their times in its sound, lengthened to the pedal's release.

    Raises
    ------
    ValueError
        If its annotation cannot be read.
    """
    if item.annotation.suffix.lower() == ".txt":
        return read_annotation(item.annotation)
    return read_piece(item.annotation, MidiSettings(pedal=True)).notes_in_file()


def item_rights(item: MapsItem) -> Rights:
    """Rights in an item: those of MAPS, or what an ``instrument.json`` in a folder above it says of a set like MAPS.

    Raises
    ------
    ValueError
        If that file is no JSON object of strings.
    """
    for folder in item.sound.parents[:5]:
        path = folder / INSTRUMENT_FILE
        if not path.is_file():
            continue
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            values = {key: said.get(key, "") for key in ("licence", "instrument_licence", "attribution")}
        except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
            raise ValueError(f"{path} is no JSON object: {error}") from None
        if not all(isinstance(value, str) for value in values.values()):
            raise ValueError(f"{path} says {values}; expected text for each")
        return Rights(**values)
    return Rights()


def next_stroke(onset_s: NDArray[np.float64], pitch: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each note, when the same key is struck next; infinity where it never is. Of equal notes the first sounds.

    Examples
    --------
    >>> next_stroke(np.array([0.0, 1.0, 2.0]), np.array([60, 62, 60])).tolist()
    [2.0, inf, inf]
    """
    order = np.lexsort((-np.arange(len(onset_s)), onset_s, pitch))
    following = np.full(len(onset_s), np.inf)
    same = pitch[order][1:] == pitch[order][:-1]
    following[order[:-1][same]] = onset_s[order][1:][same]
    return following


def _shown(path: Path) -> str:
    return printable(path.name)
