"""Reader for the alignments of GiantMIDI-Piano's evaluation: scores, performances, and which note is which.

A correspondence file (Nakamura's format) has one line a note, ten columns between tabs: number, onset, spelled pitch,
MIDI pitch and velocity of the performance's note ("align"), and the same of the score's ("ref"); ``*`` and -1 where a
side has none. Onsets are the times of the two MIDI files, so lines are joined with their notes by pitch and onset.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray

from sfdata.expression import pedal_use
from sfdata.midi import MidiSettings, read_midi_notes, read_piece
from sfdata.notes import NoteArray

COLUMNS = 10
NEAREST_S = 0.003
# of `index.tsv`: where the MIDI files of a kind lie, below the data folder, and where their alignments
FOLDERS = {
    "performance": ("alignments/performance", "alignments/corresp-performance"),
    "giantmidi": ("giantmidi", "alignments/corresp-giantmidi"),
}


@dataclass(frozen=True)
class AlignedWork:
    """One performance of a work and its score.

    Attributes
    ----------
    title, score_file : str
    score : NoteArray
    performance : NoteArray
        ``source`` is the row of the score's note, -1 for extra notes.
    sounding : NoteArray
        The same notes, as long as they sound with the pedal.
    pedal : dict
        As :func:`sfdata.expression.pedal_use` gives it.
    lost : int
        Notes of the alignment that the MIDI files don't have.
    """

    title: str
    score_file: str
    score: NoteArray
    performance: NoteArray
    sounding: NoteArray
    pedal: dict[str, float]
    lost: int


def read_works(data: Path, kind: str) -> list[AlignedWork]:
    """Read all works with their performances of a kind in :data:`FOLDERS`."""
    midi_folder, corresp_folder = FOLDERS[kind]
    works = []
    with (data / "alignments" / "index.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            midi = data / midi_folder / row[kind]
            score = read_midi_notes(data / "alignments" / "score" / row["score"])
            lines = (data / corresp_folder / f"{midi.stem}_corresp.txt").read_text(encoding="utf-8")
            performance, lost = link(lines, score, read_midi_notes(midi))
            heard = performance["onset_s"][performance["source"] >= 0]
            pedal = pedal_use(*pedal_events(midi), float(heard.min()), float(heard.max()))
            sounding = sounding_notes(midi, performance)
            works.append(AlignedWork(row["title"], row["score"], score, performance, sounding, pedal, lost))
    return works


def link(lines: str, score: NoteArray, performance: NoteArray) -> tuple[NoteArray, int]:
    """The performance with ``source`` as a correspondence file tells it, and how many notes could not be found.

    Raises
    ------
    ValueError
        If a line has not the format's columns.
    """
    find_played, find_written = _Finder(performance), _Finder(score)
    linked, lost = performance.copy(), 0
    linked["source"] = -1
    for number, line in enumerate(lines.splitlines(), 1):
        if line.startswith("//") or not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) < COLUMNS:
            raise ValueError(f"line {number} has {len(cells)} columns; expected {COLUMNS}, separated by tabs")
        played = find_played(float(cells[1]), int(cells[3])) if cells[0] != "*" else None
        written = find_written(float(cells[6]), int(cells[8])) if cells[5] != "*" else None
        lost += (played == -1) + (written == -1)
        if played is not None and written is not None and played >= 0 and written >= 0:
            linked["source"][played] = written
    return linked, lost


def pedal_events(midi: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times in seconds and values of the sustain pedal's events (CC64), in order."""
    score: Any = symusic.Score(str(midi), ttype="second")
    events = [(c.time, c.value) for track in score.tracks for c in track.controls if c.number == 64]
    columns = np.array(sorted(events, key=lambda event: event[0]), dtype=np.float64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1].astype(np.int64)


def sounding_notes(midi: Path, performance: NoteArray) -> NoteArray:
    """The notes of a performance, as long as they sound with the pedal."""
    piece = read_piece(midi, MidiSettings(pedal=True))
    ends = {
        (round(1e4 * (note["onset_s"] + piece.cut_s)), int(note["pitch"])): note["offset_s"] + piece.cut_s
        for note in piece.notes
    }
    sounding = performance.copy()
    for note in sounding:
        key = (round(1e4 * note["onset_s"]), int(note["pitch"]))
        note["offset_s"] = max(note["offset_s"], ends.get(key, 0.0))
    return sounding


class _Finder:
    """Finds the row of the note with a pitch nearest to an onset; -1 where none is near."""

    def __init__(self, notes: NoteArray) -> None:
        rows = {int(pitch): np.flatnonzero(notes["pitch"] == pitch) for pitch in np.unique(notes["pitch"])}
        self.notes = {pitch: (notes["onset_s"][at], at) for pitch, at in rows.items()}

    def __call__(self, onset_s: float, pitch: int) -> int:
        if pitch not in self.notes:
            return -1
        onsets, rows = self.notes[pitch]
        nearest = int(np.argmin(np.abs(onsets - onset_s)))
        return int(rows[nearest]) if abs(onsets[nearest] - onset_s) <= NEAREST_S else -1
