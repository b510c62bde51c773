"""Notes of both sides of a recording: the score's, and what was played of it, each with its counterpart.

Performed notes come from an alignment (every note of the score at an onset that has a row, moved to when that row was
played), from single notes where a set tells them, or from a match file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.aligned import RecordingFiles, read_alignment, read_performed_notes
from sfdata.alignment import TOLERANCE_S, Alignment, PerformedNotes
from sfdata.match import NoteMatch, read_note_match
from sfdata.midi import MidiSettings, read_piece
from sfdata.notes import NoteArray, make_notes
from sfdata.soundfonts import file_sha256

MIN_NOTE_S = 0.02
LEAST_LABELLED = 0.5
NOTES_AGREE_S = 0.1


@dataclass(frozen=True)
class Coverage:
    """How far an alignment covers its score.

    Attributes
    ----------
    recording : str
        Name of its folder, and whose it is.
    rows, rows_without_note : int
        Of the alignment (of a match file: performed notes).
    notes, labelled : int
        Of the score.
    missing, beyond : int
        Score notes that are not labelled, between the alignment's first and last row, and outside.
    """

    recording: str
    rows: int
    rows_without_note: int
    notes: int
    labelled: int
    missing: int
    beyond: int


@dataclass(frozen=True)
class Score:
    """The score side of a folder.

    Attributes
    ----------
    notes : NoteArray
        Of one velocity; ``source`` is 0, 1, 2, …
    cut_s : float
        Time in ``score.mid`` = time in `notes` + `cut_s`.
    sha256 : str
        Of the file it was read from.
    lead_in_s : float
        When the first note begins.
    match : NoteMatch or None
        Where a match file stands in for ``score.mid``.
    """

    notes: NoteArray
    cut_s: float
    sha256: str
    lead_in_s: float
    match: NoteMatch | None = None


def read_score(folder: Path, recordings: list[RecordingFiles], lead_in_s: float, velocity: int) -> Score:
    """Read ``score.mid``; where that or an alignment to it is missing, the first match file that can be read.

    Raises
    ------
    ValueError
        If there is neither, or it cannot be used.
    """
    path, matches = folder / "score.mid", [files.match for files in recordings if files.match]
    if path.is_file() and (not matches or all(files.alignment for files in recordings)):
        try:
            piece = read_piece(path, MidiSettings(lead_in_s=lead_in_s))
        except ValueError as error:
            raise ValueError(f"score.mid {error}") from None
        piece.notes["velocity"] = velocity
        return Score(piece.notes, piece.cut_s, piece.sha256, lead_in_s)
    problem = ValueError("no score.mid")
    for match_path in matches:
        try:
            match = read_note_match(match_path, lead_in_s)
        except ValueError as error:
            problem = error
            continue
        notes = match.score.copy()
        notes["velocity"] = velocity
        return Score(notes, 0.0, file_sha256(match_path), lead_in_s, match)
    raise problem


def read_performance(name: str, files: RecordingFiles, score: Score, lag_s: float) -> tuple[NoteArray, Coverage]:
    """Read what was played in one recording.

    Parameters
    ----------
    name : str
        Of the recording, for the report.
    lag_s : float
        The sound comes that much after the annotation.

    Returns
    -------
    notes : NoteArray
        At the times of the sound; ``source`` is the score's note.
    coverage : Coverage

    Raises
    ------
    ValueError
        If the alignment cannot be read, or does not belong to the score.
    """
    onset = score.notes["onset_s"] + score.cut_s  # in the score's file
    if score.match is None:
        assert files.alignment is not None
        alignment = read_alignment(files.alignment)
        end_s = float((score.notes["offset_s"] + score.cut_s).max())
        if alignment.score_s.max() > end_s + TOLERANCE_S:
            raise ValueError(
                f"{files.alignment.name} reaches to {alignment.score_s.max():.2f} s in the score, which ends at "
                f"{end_s:.2f} s; expected seconds of score.mid, leading silence included"
            )
        notes = perform(score, alignment, read_performed_notes(files.notes) if files.notes else None)
        span_s = (float(alignment.score_s.min()), float(alignment.score_s.max()))
        rows, without = len(alignment.score_s), int((nearest_distance(onset, alignment.score_s) > TOLERANCE_S).sum())
    else:
        if files.match is None:
            raise ValueError("no match file, though others in its folder have one")
        match = read_note_match(files.match, score.lead_in_s, score.match.quarter_s)
        if not np.array_equal(match.score, score.match.score):
            raise ValueError(f"{files.match.name} is of another score than the first match file in its folder")
        notes = match.performance.copy()
        of_score = onset[notes["source"][notes["source"] >= 0]]
        span_s = (float(of_score.min()), float(of_score.max()))
        rows, without = len(notes), int((notes["source"] < 0).sum())
    notes["onset_s"] += lag_s
    notes["offset_s"] += lag_s
    labelled = np.zeros(len(onset), dtype=bool)
    labelled[notes["source"][notes["source"] >= 0]] = True
    inside = (onset >= span_s[0] - TOLERANCE_S) & (onset <= span_s[1] + TOLERANCE_S)
    if labelled.sum() < LEAST_LABELLED * inside.sum() or not labelled.any():
        raise ValueError(
            f"{int(labelled.sum())} of {int(inside.sum())} score notes between the alignment's first and last row "
            f"begin within {1000 * TOLERANCE_S:.0f} ms of a row; do the two belong together?"
        )
    return notes, Coverage(
        recording=name,
        rows=rows,
        rows_without_note=without,
        notes=len(onset),
        labelled=int(labelled.sum()),
        missing=int((inside & ~labelled).sum()),
        beyond=int((~inside & ~labelled).sum()),
    )


def perform(score: Score, alignment: Alignment, played: PerformedNotes | None = None) -> NoteArray:
    """The notes of a score that an alignment tells of, at performed times.

    A note begins when its row was played; notes a little beside their row (chords that are not struck as one) keep
    that distance, warped. Lengths are those of the score, warped.

    Parameters
    ----------
    score : Score
    alignment : Alignment
    played : PerformedNotes, optional
        Single notes: then exactly these are the performance, at their own onsets.

    Returns
    -------
    NoteArray
        ``source`` is the score's note.

    Raises
    ------
    ValueError
        If single notes and alignment contradict each other.

    Examples
    --------
    >>> written = make_notes([0.5, 1.5], [1.5, 2.5], [60, 62], [64, 64])
    >>> alignment = Alignment(np.array([3.0, 5.0]), np.array([0.0, 1.0]))
    >>> notes = perform(Score(written, -0.5, "", 0.5), alignment)
    >>> notes["onset_s"].tolist(), notes["offset_s"].tolist(), notes["source"].tolist()
    ([3.0, 5.0], [5.0, 7.0], [0, 1])
    """
    on, off = score.notes["onset_s"] + score.cut_s, score.notes["offset_s"] + score.cut_s
    row = alignment.nearest_row(on)
    warped = alignment.warp(on)
    onset = alignment.performance_s[row] + warped - alignment.warp(alignment.score_s[row])
    known = row >= 0
    if played is not None:
        found = played.find(on, score.notes["pitch"])
        apart_s = np.abs(played.performance_s[found] - onset)[known & (found >= 0)]
        if not len(apart_s) or np.median(apart_s) > NOTES_AGREE_S:
            raise ValueError(
                f"notes.csv and alignment.csv contradict each other: {len(apart_s)} notes in common"
                + (f", {np.median(apart_s):.2f} s apart in the median" if len(apart_s) else "")
            )
        onset, known = played.performance_s[found], found >= 0
    length = np.maximum(alignment.warp(off) - warped, MIN_NOTE_S)
    return make_notes(
        onset[known],
        (onset + length)[known],
        score.notes["pitch"][known],
        score.notes["velocity"][known],
        np.flatnonzero(known),
    )


def nearest_distance(times: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point from the nearest of the times.

    Examples
    --------
    >>> nearest_distance(np.array([1.0, 2.0]), np.array([0.0, 1.75])).tolist()
    [1.0, 0.25]
    """
    times = np.sort(times)
    after = np.clip(np.searchsorted(times, points), 1, max(len(times) - 1, 1))
    last = np.minimum(after, len(times) - 1)
    return np.asarray(np.minimum(np.abs(times[after - 1] - points), np.abs(times[last] - points)))
