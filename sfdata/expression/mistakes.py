"""What a performance plays otherwise than written: notes missing, wrong, added; and what kinds of added notes.

A note is *wrong* where the alignment or the record says so (matched, another pitch), or where an extra note stands near
the time and pitch at which one is missing. A missing note whose very pitch is extra within a second is *displaced*: the
alignment's doing more often than the player's; it counts as neither. Editions differ too, so all rates are upper
bounds of mistakes.
"""

from dataclasses import dataclass

import numpy as np

from sfdata.expression.matching import Chords, ExpressionSettings, Matching, trill_notes, when_played
from sfdata.expression.robust import FloatArray, IntArray
from sfdata.notes import NoteArray

KINDS = ("trill", "repeat", "beside", "octave", "other")
DISPLACED_S = 1.0
REPEAT_S = 0.5
TOGETHER_S = 0.08
OCTAVE = 12


@dataclass(frozen=True)
class Mistakes:
    """What is played otherwise than written.

    Attributes
    ----------
    missing : ndarray of int64
        Score notes that are neither played, nor played wrongly, nor displaced.
    wrong_interval : ndarray of int64
        Played less written pitch of the wrong notes, in semitones.
    displaced : int
    extra : dict of str to ndarray of int64
        Played notes that are neither wrong nor displaced ones, by kind: ``trill`` (the key comes again, a neighbour
        between), ``repeat`` (the same key within 0.5 s), ``beside`` (one or two semitones from a note struck within
        0.08 s), ``octave`` (of such a note), ``other``.
    repeat_s : ndarray of float64
        Time from each repeat to the nearest stroke of its key.
    """

    missing: IntArray
    wrong_interval: IntArray
    displaced: int
    extra: dict[str, IntArray]
    repeat_s: FloatArray


def find_mistakes(
    score: NoteArray, performance: NoteArray, matching: Matching, chords: Chords, settings: ExpressionSettings
) -> Mistakes:
    """Tell wrong, displaced, missing and extra notes apart."""
    written, played = score["pitch"].astype(int), performance["pitch"].astype(int)
    flagged = played[matching.performed] - written[matching.score]
    pairs = _wrong_or_displaced(score, performance, matching, chords, settings)
    intervals = [int(played[extra] - written[missing]) for missing, extra in pairs]
    missing = np.setdiff1d(matching.missing, [pair[0] for pair in pairs])
    extra = np.setdiff1d(matching.extra, [pair[1] for pair in pairs])
    trills = trill_notes(performance, extra, settings.trill_s)
    kinds: dict[str, list[int]] = {kind: [] for kind in KINDS}
    kinds["trill"] = trills.tolist()
    repeat_s = []
    for row in np.setdiff1d(extra, trills):
        kind, distance_s = _kind_of_extra(performance, row)
        kinds[kind].append(int(row))
        if kind == "repeat":
            repeat_s.append(distance_s)
    return Mistakes(
        missing=missing,
        wrong_interval=np.array([*flagged[flagged != 0], *(step for step in intervals if step)], dtype=np.int64),
        displaced=sum(step == 0 for step in intervals),
        extra={kind: np.array(rows, dtype=np.int64) for kind, rows in kinds.items()},
        repeat_s=np.array(repeat_s, dtype=np.float64),
    )


def chord_places(score: NoteArray, chords: Chords) -> dict[str, IntArray]:
    """Rows of the score's notes by their place: ``single``, and in chords ``top``, ``inner``, ``bass``."""
    order = np.lexsort((score["pitch"], chords.of_note))
    chord = chords.of_note[order]
    lowest, highest = np.diff(chord, prepend=-1) != 0, np.diff(chord, append=-1) != 0
    places = {
        "single": lowest & highest,
        "top": highest & ~lowest,
        "inner": ~lowest & ~highest,
        "bass": lowest & ~highest,
    }
    return {place: np.sort(order[chosen]) for place, chosen in places.items()}


def _wrong_or_displaced(
    score: NoteArray, performance: NoteArray, matching: Matching, chords: Chords, settings: ExpressionSettings
) -> list[tuple[int, int]]:
    """Pairs of a missing and an extra note, nearest pitches first, each note once."""
    if not len(chords.score_s):
        return []
    due_s = when_played(chords, score["onset_s"][matching.missing])
    extra_s = performance["onset_s"][matching.extra]
    candidates = []
    for missing, at_s in zip(matching.missing, due_s, strict=True):
        for place in np.flatnonzero(np.abs(extra_s - at_s) <= DISPLACED_S):
            extra, apart_s = matching.extra[place], abs(float(extra_s[place] - at_s))
            interval = abs(int(performance["pitch"][extra]) - int(score["pitch"][missing]))
            near = apart_s <= settings.wrong_s and (interval <= settings.wrong_semitones or interval == OCTAVE)
            if interval == 0 or near:
                candidates.append((interval, apart_s, int(missing), int(extra)))
    used_missing: set[int] = set()
    used_extra: set[int] = set()
    pairs = []
    for _, _, missing, extra in sorted(candidates):
        if missing not in used_missing and extra not in used_extra:
            used_missing.add(missing)
            used_extra.add(extra)
            pairs.append((missing, extra))
    return pairs


def _kind_of_extra(performance: NoteArray, row: int) -> tuple[str, float]:
    """Kind of an extra note that belongs to no trill, and its distance from the nearest stroke of its key."""
    onset, pitch = performance["onset_s"], performance["pitch"].astype(int)
    first, end = np.searchsorted(onset, [onset[row] - REPEAT_S, onset[row] + REPEAT_S])
    others = np.r_[first:row, row + 1 : end]
    apart_s = np.abs(onset[others] - onset[row])
    same = pitch[others] == pitch[row]
    if same.any():
        return "repeat", float(apart_s[same].min())
    interval = np.abs(pitch[others] - pitch[row])[apart_s <= TOGETHER_S]
    if np.isin(interval, (1, 2)).any():
        return "beside", float("nan")
    return ("octave" if (interval == OCTAVE).any() else "other"), float("nan")
