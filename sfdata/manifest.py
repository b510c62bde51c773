"""Manifests: what the files of a folder are, one JSON object a line, so that steps can follow one another.

``sfdata extract``, ``augment`` and ``render`` each write ``manifest.jsonl`` beside their files; the next step reads
it. A folder without one (one's own MIDI files or recordings) is described from its files alone.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.files import check_folder, write_atomically
from sfdata.midi import read_midi_notes
from sfdata.naming import parse_name
from sfdata.notes import NoteArray, read_notes_csv
from sfdata.render import AUDIO_FORMATS

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Entry:
    """One voice, performance or rendition in a folder.

    Attributes
    ----------
    file : str
        MIDI or sound file, relative to the folder.
    title, composer, source_id, piece_file, sha256 : str
        The piece's facts; `sha256` is that of its source file.
    cut_s : float
        Leading silence cut from the source.
    voice : int
    method, role : str
    copy : int
    source : list of int
        For each note in file order, the index of the voice's note.
    piece_note : list of int
        For each of the voice's notes, the index of the piece's note.
    augmentation : dict
        What was drawn.
    instrument : dict
        Of a rendition: the instrument's name, path, sha256, bank, program, licence.
    sample_rate_hz : int
        Of a rendition.
    gain : float
        Of a rendition: factor applied so that the file does not clip, and what `sound` says of it.
    sound : dict
        Of a rendition: what was drawn to befall its sound.
    """

    file: str
    title: str
    composer: str
    source_id: str
    piece_file: str
    sha256: str
    cut_s: float
    voice: int
    method: str
    role: str
    copy: int
    source: list[int]
    piece_note: list[int]
    augmentation: dict[str, Any] = field(default_factory=dict)
    instrument: dict[str, Any] = field(default_factory=dict)
    sample_rate_hz: int = 0
    gain: float = 1.0
    sound: dict[str, Any] = field(default_factory=dict)


def write_manifest(folder: Path, entries: list[Entry]) -> None:
    """Write a folder's manifest, whole or not at all."""
    lines = (json.dumps(asdict(entry), ensure_ascii=False) for entry in sorted(entries, key=lambda entry: entry.file))
    write_atomically(folder / MANIFEST, "".join(line + "\n" for line in lines).encode())


def read_manifest(folder: Path, kind: str) -> list[Entry]:
    """Read a folder's manifest, or make entries for its files where there is none.

    Parameters
    ----------
    folder : Path
    kind : {"midi", "audio"}
        What to look for where there is no manifest.

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no such file.
    ValueError
        If a line is no entry.
    """
    check_folder(folder)
    path = folder / MANIFEST
    if not path.is_file():
        endings = [".mid", ".midi"] if kind == "midi" else [f".{name}" for name in AUDIO_FORMATS]
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in endings)
        if not files:
            raise FileNotFoundError(f"folder {folder} holds neither {MANIFEST} nor {' or '.join(endings)} files")
        return [_bare_entry(file) for file in files]
    entries = []
    names = {entry.name for entry in fields(Entry)}
    for number, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        try:
            values = json.loads(line)
            entries.append(Entry(**{name: value for name, value in values.items() if name in names}))
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {number} is no entry: {error}") from None
    return entries


def entry_notes(folder: Path, entry: Entry) -> NoteArray:
    """Notes of an entry, from its MIDI or from the ``.notes.csv`` beside its sound; ``source`` as recorded.

    Raises
    ------
    ValueError
        If the notes cannot be read, or are not as many as the manifest says.
    """
    path = folder / entry.file
    notes = read_midi_notes(path) if path.suffix.lower() in (".mid", ".midi") else read_notes_csv(notes_path(path))
    if entry.source:
        if len(notes) != len(entry.source):
            raise ValueError(f"{entry.file} has {len(notes)} notes, the manifest {len(entry.source)}; was it changed?")
        notes["source"] = entry.source
    return notes


def entry_piece_note(entry: Entry, notes: NoteArray) -> np.ndarray:
    """The piece's note of each of the voice's notes, shape (voice notes,); the voice itself where none is recorded."""
    if entry.piece_note:
        return np.asarray(entry.piece_note, dtype=np.int32)
    return np.arange(int(notes["source"].max(initial=-1)) + 1, dtype=np.int32)


def notes_path(audio: Path) -> Path:
    """Where the notes of a sound file lie: ``NAME.notes.csv`` beside it."""
    return audio.with_name(audio.stem + ".notes.csv")


def _bare_entry(file: Path) -> Entry:
    """An entry for a file nothing is known of but its name: a score side of its own."""
    name = parse_name(file.stem)
    # Reference and snippet recordings of one name belong together, so the name, not the content, identifies it.
    identity = hashlib.sha256(file.stem.encode()).hexdigest()
    return Entry(
        file=file.name,
        title=name.title,
        composer=name.composer,
        source_id=name.source_id,
        piece_file=file.stem,
        sha256=identity,
        cut_s=0.0,
        voice=0,
        method="",
        role="score",
        copy=0,
        source=[],
        piece_note=[],
    )
