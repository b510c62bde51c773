"""Pairs: every onset of every snippet rendition, with a reference that holds it and the exact target."""

import zlib

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import NoteArray
from sfdata.operations.base import chord_numbers, chord_onsets
from sfdata.plan import PiecePlan, RenditionPlan
from sfdata.schema import TABLES, Table
from sfdata.windows import WindowSettings, reference_start_grid

LOOKALIKE_TOLERANCE_S = 0.05
_COLUMNS = {name: dtype for name, (dtype, _) in TABLES["pairs"].items() if name != "split"}


def choose_references(
    onset_frame: NDArray[np.float64],
    frames: int,
    settings: WindowSettings,
    frame_rate_hz: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw one of the overlapping references for each onset, among those that hold it with the margin.

    Where the piece's beginning or end allows none, the reference that holds the onset farthest from its ends.

    Parameters
    ----------
    onset_frame : ndarray of float64, shape (onsets,)
    frames : int
        Of the reference rendition.

    Returns
    -------
    ndarray of int64, shape (onsets,)
        Start frames.
    """
    starts = reference_start_grid(frames, settings, frame_rate_hz)
    last, margin = settings.reference_frames(frame_rate_hz) - 1, settings.margin_s * frame_rate_hz

    def room(number: NDArray[np.int64]) -> NDArray[np.float64]:
        """How far each onset stays from the nearer end of the reference of that number; negative outside."""
        position = onset_frame - starts[number]
        return np.asarray(np.minimum(position, last - position))

    # References that keep the margin are neighbours; where there are none, the one with most room is among the
    # neighbours of where they would be.
    first = np.searchsorted(starts, onset_frame + margin - last, side="left")
    end = np.searchsorted(starts, onset_frame - margin, side="right")
    drawn = first + np.floor(rng.random(len(onset_frame)) * np.maximum(end - first, 0)).astype(np.int64)
    near = np.clip(first[:, None] + np.arange(-1, 2), 0, len(starts) - 1)  # (onsets, 3)
    roomiest = near[np.arange(len(near)), np.stack([room(column) for column in near.T], axis=1).argmax(axis=1)]
    return np.asarray(starts[np.where(end > first, np.minimum(drawn, len(starts) - 1), roomiest)])


def lookalike_lists(notes: NoteArray, half_width_s: float, within_s: float) -> list[NDArray[np.int64]]:
    """For each note, the others around which the same notes sound at the same times.

    Two notes look alike when they are the same note of the same chord, and the chords within `half_width_s` of them
    have the same pitches and begin within 50 ms of the same distance; in what order the notes of a chord come does not
    matter. Only notes at most `within_s` apart are compared: no reference holds others together.

    Returns
    -------
    list of ndarray of int64
        For each note, indices of its look-alikes, itself excluded.
    """
    number = chord_numbers(notes)
    onset = chord_onsets(notes, number) if len(notes) else np.empty(0)
    order = np.lexsort((notes["pitch"], number))
    pitch = notes["pitch"][order]  # chord by chord, each from its lowest note up
    first = np.searchsorted(number, np.arange(len(onset) + 1))
    low = np.searchsorted(onset, onset - half_width_s, side="left")
    high = np.searchsorted(onset, onset + half_width_s, side="right")
    groups: dict[tuple[bytes, bytes, int], list[int]] = {}
    for chord in range(len(onset)):
        part = slice(first[low[chord]], first[high[chord]])
        sizes = np.diff(first[low[chord] : high[chord] + 1])
        key = (pitch[part].tobytes(), sizes.tobytes(), chord - low[chord])
        groups.setdefault(key, []).append(chord)
    found: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * len(notes)
    for members in groups.values():
        if len(members) < 2:
            continue
        group = np.array(members)
        distance = np.stack([onset[low[chord] : high[chord]] - onset[chord] for chord in group])  # (group, context)
        begin = np.searchsorted(onset[group], onset[group] - within_s, side="left")
        end = np.searchsorted(onset[group], onset[group] + within_s, side="right")
        for place, chord in enumerate(group):
            others = slice(begin[place], end[place])
            alike = np.abs(distance[others] - distance[place]).max(axis=1) <= LOOKALIKE_TOLERANCE_S
            chords = group[others][alike & (group[others] != chord)]
            for rank in range(first[chord + 1] - first[chord]):
                found[order[first[chord] + rank]] = order[first[chords] + rank]
    return found


def labelled(performance: NoteArray, score: NoteArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Notes of a performance that stand for an onset of the score, one for each of the score's chords.

    Of a chord's notes it is the one that is played first; an added note, which has no counterpart, is never among
    them.

    Returns
    -------
    notes, counterparts : ndarray of int64, shape (onsets,)
        Numbers of notes in `performance` and in `score`.
    """
    place = np.full(max(int(performance["source"].max(initial=-1)), int(score["source"].max(initial=-1))) + 1, -1)
    place[score["source"]] = np.arange(len(score))
    notes = np.flatnonzero(performance["source"] >= 0)
    counterparts = place[performance["source"][notes]]
    notes, counterparts = notes[counterparts >= 0], counterparts[counterparts >= 0]
    # Notes are in the order of their onsets, so that the first of each chord is the one played first.
    _, first = np.unique(chord_numbers(score)[counterparts], return_index=True)
    first = np.sort(first)
    return notes[first], counterparts[first]


def piece_pairs(plan: PiecePlan, settings: WindowSettings, frame_rate_hz: float, seed: int) -> Table:
    """Pairs of a piece's snippets that are to be made, with renditions and notes numbered within the piece.

    Every chord of the score side that a snippet rendition plays gets one pair (see :func:`labelled`); the reference's
    instrument is drawn among those that differ from the snippet's, where there are any. Each snippet draws from a
    stream of its own, among references that are there when it is made, so pairs stay as they are when a store grows.

    Parameters
    ----------
    plan : PiecePlan
    settings : WindowSettings
    frame_rate_hz : float
    seed : int
        The build's.

    Returns
    -------
    dict of column name to ndarray
        As in the store's table of pairs, without ``split``; ``reference_rendition`` and ``snippet_rendition`` index
        the plan's renditions, ``note`` the notes of the snippet's performance. In the order of snippets and notes.
    """
    parts: dict[str, list[NDArray]] = {name: [np.empty(0, dtype=kind)] for name, kind in _COLUMNS.items()}
    lookalikes = {
        p.voice: lookalike_lists(p.notes, settings.snippet_s / 2, settings.reference_s)
        for p in plan.performances
        if p.role == "score"
    }
    for snippet_index, snippet in enumerate(plan.renditions):
        if not snippet.is_snippet or snippet.row >= 0:
            continue
        performance = plan.performances[snippet.performance]
        candidates = _candidates(plan, snippet)
        if not candidates:
            continue
        own = (performance.voice, performance.copy, zlib.crc32(snippet.instrument.name.encode()))
        rng = np.random.default_rng([seed, int(plan.facts["sha256"][:16], 16), 2, *own])
        chosen = rng.integers(len(candidates), size=len(performance.notes))
        found: dict[str, list[NDArray]] = {name: [] for name in _COLUMNS}
        for number, reference_index in enumerate(candidates):
            reference = plan.renditions[reference_index]
            score = plan.performances[reference.performance]
            notes, counterparts = labelled(performance.notes, score.notes)
            notes, counterparts = notes[chosen[notes] == number], counterparts[chosen[notes] == number]
            onset_s = score.notes["onset_s"][counterparts]
            start = choose_references(onset_s * frame_rate_hz, reference.frames, settings, frame_rate_hz, rng)
            start_s = start / frame_rate_hz
            alike = [
                _count_between(score.notes["onset_s"], lookalikes[performance.voice][note], begin, settings.reference_s)
                for note, begin in zip(counterparts, start_s, strict=True)
            ]
            for name, values in {
                "reference_rendition": np.full(len(notes), reference_index),
                "reference_start_frame": start,
                "snippet_rendition": np.full(len(notes), snippet_index),
                "snippet_centre_s": performance.notes["onset_s"][notes],
                "target_frame": onset_s * frame_rate_hz - start,
                "target_s": onset_s - start_s,
                "note": notes,
                "lookalikes": np.array(alike, dtype=np.int64),
            }.items():
                found[name].append(values)
        order = np.argsort(np.concatenate(found["note"]), kind="stable")
        for name, values in found.items():
            parts[name].append(np.concatenate(values)[order])
    return {name: np.concatenate(values) for name, values in parts.items()}


def _candidates(plan: PiecePlan, snippet: RenditionPlan) -> list[int]:
    """References that a snippet may be paired with, by generation and name: of other instruments, if there are any."""
    voice = plan.performances[snippet.performance].voice
    found = [
        (rendition.generation, rendition.instrument.name, index)
        for index, rendition in enumerate(plan.renditions)
        if rendition.is_reference
        and rendition.generation <= snippet.generation
        and plan.performances[rendition.performance].voice == voice
    ]
    others = [entry for entry in found if entry[1] != snippet.instrument.name]
    return [index for _, _, index in sorted(others or found)]


def _count_between(onset_s: NDArray[np.float64], notes: NDArray[np.int64], begin_s: float, length_s: float) -> int:
    if not len(notes):
        return 0
    return int(((onset_s[notes] >= begin_s) & (onset_s[notes] < begin_s + length_s)).sum())
