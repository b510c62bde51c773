"""Note-by-note alignments of scores and performances: match files, and those of the (n)ASAP dataset.

A match file (``.match``: Foscarin et al., "The match file format", MEC 2022) holds a score, a performance, and which
note is which. (n)ASAP (Peter et al., TISMIR 2023) ships these, and the same as
``WHO_note_alignments/note_alignment.tsv`` beside ``WHO.mid`` and ``xml_score.musicxml``. Both are read with partitura:
``pip install 'sfdata[partitura]'``.

A score on paper has no seconds: it is laid out at one tempo throughout, that of the performance on the whole.
"""

import csv
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sfdata.aligned import RecordingMeta
from sfdata.notes import TICK_S, NoteArray, make_notes, round_to_ticks

GRACE_S = 0.08  # length of notes that have none on paper
QUARTER_S = (0.05, 20.0)
NOTE_ALIGNMENT = "note_alignment.tsv"
ASAP_METADATA = "metadata.csv"
_ASAP_SOURCE = (
    "(n)ASAP: Foscarin et al., ISMIR 2020, and Peter et al., TISMIR 2023, https://github.com/CPJKU/asap-dataset"
)
_ASAP_LICENCE = "CC-BY-NC-SA-4.0"
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class NoteMatch:
    """A score and a performance of it, note by note.

    Attributes
    ----------
    score : NoteArray
        At one tempo; ``source`` is 0, 1, 2, …
    performance : NoteArray
        As played; ``source`` is the score's note, -1 where there is none: wrong and added notes, and ornaments, which
        have no time of their own on paper.
    quarter_s : float
        Seconds a quarter note of the score lasts.
    """

    score: NoteArray
    performance: NoteArray
    quarter_s: float


def read_match(path: Path, lead_in_s: float = 0.5, quarter_s: float | None = None, pedal: bool = False) -> NoteMatch:
    """Read a match file.

    Parameters
    ----------
    path : Path
    lead_in_s : float
        When the score's first note begins.
    quarter_s : float, optional
        Tempo of the score; by default the score takes as long as the performance.
    pedal : bool
        Whether the sustain pedal lengthens the performed notes.

    Raises
    ------
    ValueError
        If partitura is not installed, the file is no match file, or too few notes correspond.
    """
    partitura = _partitura()
    performance, alignment, score = _quietly(path, lambda: partitura.load_match(str(path), create_score=True))
    return _joined(path.name, score[0], performance[0], alignment, lead_in_s, quarter_s, pedal)


def read_note_alignment(
    path: Path, lead_in_s: float = 0.5, quarter_s: float | None = None, pedal: bool = False
) -> NoteMatch:
    """Read ``WHO_note_alignments/note_alignment.tsv`` with ``xml_score.musicxml`` and ``WHO.mid`` beside its folder.

    Parameters
    ----------
    path, lead_in_s, quarter_s, pedal :
        As for :func:`read_match`.

    Raises
    ------
    ValueError
        As there, or if score or performance are missing.
    """
    partitura = _partitura()
    folder = path.parent.parent
    score_path = folder / "xml_score.musicxml"
    midi_path = folder / f"{path.parent.name.removesuffix('_note_alignments')}.mid"
    for file in (path, score_path, midi_path):
        if not file.is_file():
            raise ValueError(f"no {file.name} beside {path.parent.name}/{path.name}")

    def read() -> tuple[Any, Any, Any]:
        alignment = partitura.io.importparangonada.load_alignment_from_ASAP(str(path))
        parts = partitura.load_score(str(score_path)).parts
        whole = partitura.score.merge_parts(parts) if len(parts) > 1 else parts[0]
        unfolded = partitura.score.unfold_part_maximal(whole, update_ids=True)  # repeats as ids number them
        return alignment, unfolded, partitura.load_performance_midi(str(midi_path))[0]

    alignment, score, performance = _quietly(path, read)
    return _joined(f"{path.parent.name}/{path.name}", score, performance, alignment, lead_in_s, quarter_s, pedal)


def read_note_match(path: Path, lead_in_s: float = 0.5, quarter_s: float | None = None) -> NoteMatch:
    """Read a match file or an (n)ASAP note alignment, by its name."""
    reader = read_note_alignment if path.name == NOTE_ALIGNMENT else read_match
    return reader(path, lead_in_s, quarter_s)


@dataclass(frozen=True)
class AsapFacts:
    """What (n)ASAP's ``metadata.csv`` tells.

    Attributes
    ----------
    pieces : dict of str to RecordingMeta
        By the piece's folder.
    doubtful : frozenset of str
        Performances, as ``FOLDER/WHO``, whose note alignment the dataset itself calls not robust.
    """

    pieces: Mapping[str, RecordingMeta]
    doubtful: frozenset[str]


def read_asap_metadata(root: Path) -> AsapFacts:
    """Read the table in (n)ASAP's main folder; nothing where there is none.

    Raises
    ------
    ValueError
        If it cannot be read or lacks the columns composer, title, folder, midi_performance, robust_note_alignment.
    """
    path = root / ASAP_METADATA
    if not path.is_file():
        return AsapFacts({}, frozenset())
    needed = ("composer", "title", "folder", "midi_performance", "robust_note_alignment")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in needed if name not in (reader.fieldnames or [])]
            if missing:
                raise ValueError(f"{path} has no column {', '.join(missing)}; expected (n)ASAP's table")
            rows = [{name: row[name] or "" for name in needed} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV: {error}") from None
    pieces = {row["folder"]: RecordingMeta(row["title"], _ASAP_SOURCE, _ASAP_LICENCE, row["composer"]) for row in rows}
    doubtful = {row["midi_performance"].removesuffix(".mid") for row in rows if row["robust_note_alignment"] != "1.0"}
    return AsapFacts(pieces, frozenset(doubtful))


def _partitura() -> Any:
    try:
        return import_module("partitura")
    except ImportError as error:
        raise ValueError(
            f"match files are read with partitura, which is not there ({error}): pip install 'sfdata[partitura]'"
        ) from None


def _quietly(path: Path, read: Callable[[], _Result]) -> _Result:
    """Without partitura's warnings, and with one kind of error for the many that damage brings up."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path.name} cannot be read as a note alignment: {type(error).__name__}: {reason}") from None


def _joined(
    name: str,
    part: Any,
    played: Any,
    alignment: list[dict[str, Any]],
    lead_in_s: float,
    quarter_s: float | None,
    pedal: bool,
) -> NoteMatch:
    written = part.note_array()
    row = {str(note): index for index, note in enumerate(written["id"])}
    partner = {str(pair["performance_id"]): str(pair["score_id"]) for pair in alignment if pair["label"] == "match"}
    performed = played.notes
    counterpart = np.array([row.get(partner.get(str(note["id"]), ""), -1) for note in performed], dtype=np.int64)
    known = np.flatnonzero(counterpart >= 0)
    if len(known) < 2 or 2 * len(known) < len(performed):
        raise ValueError(f"{name}: {len(known)} of {len(performed)} performed notes have a counterpart in the score")
    on = np.array([note["note_on"] for note in performed], dtype=np.float64)
    off = np.array([note["sound_off" if pedal else "note_off"] for note in performed], dtype=np.float64)
    quarter, duration = (written[f"{column}_quarter"].astype(np.float64) for column in ("onset", "duration"))
    if quarter_s is None:
        quarter_s = float(np.ptp(on[known]) / max(np.ptp(quarter[counterpart[known]]), 1e-9))
    if not QUARTER_S[0] <= quarter_s <= QUARTER_S[1]:
        raise ValueError(f"{name}: a quarter note lasts {quarter_s:.3g} s; expected {QUARTER_S[0]} to {QUARTER_S[1]}")
    onset = round_to_ticks(lead_in_s + (quarter - quarter.min()) * quarter_s)
    offset = round_to_ticks(onset + np.where(duration > 0, duration * quarter_s, GRACE_S))
    score = _playable(make_notes(onset, offset, written["pitch"], 64, np.arange(len(written))))
    # Two voices may share a note: it is one on the piano, and the counterpart of both.
    keys = zip(score["onset_s"].tolist(), score["pitch"].tolist(), strict=True)
    place = {key: index for index, key in enumerate(keys)}
    score["source"] = np.arange(len(score))
    source = np.full(len(performed), -1, dtype=np.int32)
    for index, note in zip(known, counterpart[known], strict=True):
        kept = place[float(onset[note]), int(written["pitch"][note])]
        if duration[note] > 0 and kept not in source:
            source[index] = kept
    pitch = [note["midi_pitch"] for note in performed]
    velocity = [max(1, note["velocity"]) for note in performed]
    on = round_to_ticks(on)
    performance = _playable(make_notes(on, np.maximum(round_to_ticks(off), on + TICK_S), pitch, velocity, source))
    return NoteMatch(score, performance, quarter_s)


def _playable(notes: NoteArray) -> NoteArray:
    """One note a key and onset (the longest), which ends where its key is struck again."""
    order = np.lexsort((-notes["offset_s"], notes["onset_s"], notes["pitch"]))
    notes = notes[order]
    same_key = notes["pitch"][1:] == notes["pitch"][:-1]
    first = np.append(True, ~(same_key & (notes["onset_s"][1:] == notes["onset_s"][:-1])))
    notes = notes[first]
    struck = np.append(np.where(notes["pitch"][1:] == notes["pitch"][:-1], notes["onset_s"][1:], np.inf), np.inf)
    notes["offset_s"] = np.minimum(notes["offset_s"], struck)
    return make_notes(*(notes[name] for name in ("onset_s", "offset_s", "pitch", "velocity", "source")))
