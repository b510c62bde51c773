"""Recorded sets: folders with a recording, the score it is of, and the alignment between the two.

``NAME/performance.flac`` (or wav, ogg, mp3), ``NAME/score.mid``, ``NAME/alignment.csv`` and ``NAME/meta.json``. A piece
by several hands has ``performance-WHO.flac`` with ``alignment-WHO.csv`` beside it, as many as there are. Two more
files are read where they are there: ``notes.csv`` (``notes-WHO.csv``) with the onset of every single note played, and
a ``.match`` file, which stands in for score and alignment (see :mod:`sfdata.match`).

Score time is time in ``score.mid`` as it stands, leading silence included.
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.alignment import Alignment, FloatArray, PerformedNotes
from sfdata.files import check_folder

SOUND_ENDINGS = (".flac", ".wav", ".ogg", ".mp3")
ALIGNMENT_COLUMNS = ("performance_time_s", "score_time_s")
PERFORMED_COLUMNS = ("performance_time_s", "score_time_s", "pitch")


@dataclass(frozen=True)
class RecordingMeta:
    """What ``meta.json`` tells; other keys in it are ignored.

    Attributes
    ----------
    title, source, licence : str
        `source` is whom and what to credit.
    composer : str
        Empty where unknown.
    instrument : str
        What was played; empty for the folder's name.
    median_audio_lag_s : float
        The sound comes that much after the annotation; labels move by it.
    """

    title: str
    source: str
    licence: str
    composer: str = ""
    instrument: str = ""
    median_audio_lag_s: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.type is str and not isinstance(value, str):
                raise ValueError(f"{entry.name} is {value!r}; expected text")
        lag = self.median_audio_lag_s
        if isinstance(lag, bool) or not isinstance(lag, int | float) or not math.isfinite(lag) or abs(lag) > 1:
            raise ValueError(f"median_audio_lag_s is {lag!r}; expected seconds between -1 and 1")
        object.__setattr__(self, "median_audio_lag_s", float(lag))

    def sounding_s(self, performance_s: FloatArray) -> FloatArray:
        """When what is annotated at these times is heard in the sound."""
        return performance_s + self.median_audio_lag_s


@dataclass(frozen=True)
class RecordingFiles:
    """The files of one performance in a folder.

    Attributes
    ----------
    who : str
        ``performance-WHO.flac``, or ``WHO.match``; empty for ``performance.flac``.
    sound : Path or None
        None where only a match file tells of the performance.
    alignment, match, notes : Path or None
        ``alignment.csv``; a match file or an (n)ASAP ``note_alignment.tsv``; ``notes.csv``.
    """

    who: str
    sound: Path | None = None
    alignment: Path | None = None
    match: Path | None = None
    notes: Path | None = None


def find_recorded(root: Path) -> list[Path]:
    """Folders that hold recordings (or match files), at any depth, sorted; or the folder itself where it does.

    A folder right below `root` that holds none at any depth is among them too, so that it can be reported.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or none in it.
    """
    check_folder(root)
    if _tells_of_recording(root):
        return [root]
    found = []
    for child in sorted(_folders(root)):
        inside, below = [], [child]
        while below:
            folder = below.pop()
            if _tells_of_recording(folder):
                inside.append(folder)
            else:
                below += _folders(folder)
        found += sorted(inside) or [child]
    if not found:
        raise FileNotFoundError(
            f"folder {root} holds no recorded set; expected NAME/performance.flac, NAME/score.mid, "
            "NAME/alignment.csv, NAME/meta.json"
        )
    return found


def recording_files(folder: Path) -> list[RecordingFiles]:
    """Files of every performance in one folder, sorted by name.

    Raises
    ------
    ValueError
        If there is none, one lies there twice, or has no alignment.
    """
    sounds, matches = _sounds(folder, "performance*"), _matches(folder)
    if not sounds and matches:  # as in (n)ASAP, whose sound, where one has it, is called like the match file
        return [RecordingFiles(who, _only(_sounds(folder, who)), match=match) for who, match in sorted(matches.items())]
    stems = sorted({sound.stem for sound in sounds})
    if not stems:
        raise ValueError(f"no recording; expected performance{', performance'.join(SOUND_ENDINGS)}")
    found = []
    for stem in stems:
        suffix = stem.removeprefix("performance")
        alignment, notes = folder / f"alignment{suffix}.csv", folder / f"notes{suffix}.csv"
        match = next(iter(matches.values())) if len(matches) == len(stems) == 1 else matches.get(stem)
        found.append(
            RecordingFiles(
                who=suffix.lstrip("-"),
                sound=_only(_sounds(folder, stem)),
                alignment=alignment if alignment.is_file() else None,
                match=match,
                notes=notes if notes.is_file() else None,
            )
        )
        if match is None and not alignment.is_file():
            raise ValueError(f"no {alignment.name} for {found[-1].sound.name if found[-1].sound else stem}")
    return found


def read_alignment(path: Path) -> Alignment:
    """Read ``performance_time_s,score_time_s``, one row an onset; the two columns in any order, and no other.

    Raises
    ------
    ValueError
        If the columns are others or the rows are no alignment (see :class:`Alignment`).
    """
    columns = read_columns(path, ALIGNMENT_COLUMNS, others=False)
    try:
        return Alignment(*(columns[name] for name in ALIGNMENT_COLUMNS))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def read_performed_notes(path: Path) -> PerformedNotes:
    """Read ``performance_time_s,score_time_s,pitch``, one row a note; other columns are ignored.

    Raises
    ------
    ValueError
        If a column is missing or a value is no number.
    """
    columns = read_columns(path, PERFORMED_COLUMNS, others=True)
    return PerformedNotes(columns["performance_time_s"], columns["score_time_s"], columns["pitch"].astype(np.int64))


def read_meta(path: Path) -> RecordingMeta:
    """Read ``meta.json``.

    Raises
    ------
    ValueError
        If it is missing, no JSON object, lacks title, source or licence, or a value does not fit.
    """
    if not path.is_file():
        raise ValueError(f"no {path.name}; expected one with title, source and licence")
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # also covers text that is no UTF-8
        raise ValueError(f"{path.name} is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} holds {type(values).__name__}; expected an object")
    missing = [name for name in ("title", "source", "licence") if name not in values]
    if missing:
        raise ValueError(f"{path.name} lacks {', '.join(missing)}")
    known = {entry.name for entry in fields(RecordingMeta)}
    try:
        return RecordingMeta(**{name: value for name, value in values.items() if name in known})
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _tells_of_recording(folder: Path) -> bool:
    files = ("score.mid", "alignment.csv", "meta.json")
    return any((folder / name).is_file() for name in files) or bool(_sounds(folder, "performance*") or _matches(folder))


def _sounds(folder: Path, pattern: str) -> list[Path]:
    """Sound files whose name without its ending is the pattern (a ``*`` at its end stands for nothing or ``-WHO``)."""
    stem = pattern.removesuffix("*")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SOUND_ENDINGS
        and (path.stem == stem or (stem != pattern and path.stem.startswith(f"{stem}-")))
    )


def _matches(folder: Path) -> dict[str, Path]:
    """Match files by their stem; where one is missing, (n)ASAP's note alignment."""
    aligned = {
        path.parent.name.removesuffix("_note_alignments"): path for path in folder.glob("*_note_alignments/*.tsv")
    }
    return aligned | {path.stem: path for path in folder.glob("*.match")}


def _only(sounds: list[Path]) -> Path | None:
    if len(sounds) > 1:
        raise ValueError(f"{' and '.join(sound.name for sound in sounds)} lie side by side; expected one of them")
    return sounds[0] if sounds else None


def read_columns(path: Path, names: Sequence[str], others: bool) -> dict[str, FloatArray]:
    """Columns of numbers from a CSV with a header."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} is no CSV: {error}") from None
    header = [cell.strip() for cell in rows[0]] if rows else []
    if not set(names) <= set(header) or len(set(header)) != len(header) or (len(header) != len(names) and not others):
        raise ValueError(f"{path.name} has columns {','.join(header) or '(none)'}; expected {','.join(names)}")
    values: dict[str, list[float]] = {name: [] for name in names}
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise ValueError(f"{path.name}: row {number} has {len(row)} cells; expected {len(header)}")
        for name in names:
            cell = row[header.index(name)]
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise ValueError(f"{path.name}: row {number}: {name} {cell!r}; expected a finite number")
            values[name].append(value)
    return {name: np.array(column, dtype=np.float64) for name, column in values.items()}
