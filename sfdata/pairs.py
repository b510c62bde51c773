"""Pairs: every onset of every snippet rendition, with a reference that holds it and the exact target."""

import itertools
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import NoteArray
from sfdata.operations.base import CHORD_S, chord_firsts, chord_numbers
from sfdata.plan import PiecePlan, RenditionPlan
from sfdata.schema import TABLES, Table
from sfdata.windows import WindowSettings, reference_start_grid

LOOKALIKE_TOLERANCE_S = 0.05
COMPARED_AT_ONCE = 1 << 17  # distances between chords, of which several arrays of 8 bytes are held
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


class Lookalikes:
    """Notes around which the same notes sound at the same times.

    Two notes look alike when they are the same note of the same chord, and the chords within `half_width_s` of them
    have the same pitches and begin within 50 ms of the same distance; in what order the notes of a chord come does not
    matter. Only notes at most `within_s` apart are compared: no reference holds others together.

    Parameters
    ----------
    notes : NoteArray
        Sorted by onset and pitch.
    half_width_s, within_s : float
    """

    def __init__(self, notes: NoteArray, half_width_s: float, within_s: float) -> None:
        self._within_s = within_s
        self._note_onset = np.ascontiguousarray(notes["onset_s"])
        self._chord = chord_numbers(notes)
        self._order = np.lexsort((notes["pitch"], self._chord))  # chord by chord, each from its lowest note up
        self._first = np.append(chord_firsts(self._chord), len(notes))
        self._rank = np.empty(len(notes), dtype=np.int64)
        self._rank[self._order] = np.arange(len(notes)) - self._first[self._chord]
        self._onset = onset = self._note_onset[self._first[:-1]]
        self._low = np.searchsorted(onset, onset - half_width_s, side="left")
        self._context = np.searchsorted(onset, onset + half_width_s, side="right") - self._low  # chords in it
        group = self._groups(notes["pitch"][self._order].tobytes())
        # Chords of each group in order, as one number each, so that those of a stretch are found among them.
        self._group = group * len(onset)
        self._sorted = np.sort(self._group + np.arange(len(onset)))
        self._alone = np.bincount(group)[group] == 1

    def _groups(self, pitches: bytes) -> NDArray[np.int64]:
        """Number of the group of each chord: the same chords before it, and after it."""
        kinds: dict[bytes, int] = {}
        bounds = itertools.pairwise(self._first.tolist())
        kind = [kinds.setdefault(pitches[begin:end], len(kinds)) for begin, end in bounds]
        context, size = np.array(kind, dtype=np.uint32).tobytes(), 4
        groups: dict[tuple[bytes, int], int] = {}
        ends = (self._low + self._context).tolist()
        found = [
            groups.setdefault((context[low * size : end * size], chord - low), len(groups))
            for chord, (low, end) in enumerate(zip(self._low.tolist(), ends, strict=True))
        ]
        return np.array(found, dtype=np.int64)

    def _alike(
        self, chord: NDArray[np.int64], from_s: NDArray[np.float64], to_s: NDArray[np.float64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Pairs of a place in `chord` and another chord that looks like the one there, and begins in its time.

        They come in order, some thousands at once, so that a chord that is repeated for hours fills no memory.
        """
        asked = np.flatnonzero(~self._alone[chord])
        chord, group = chord[asked], self._group[chord[asked]]
        onset_s = self._onset[chord]
        earliest = np.maximum(onset_s - self._within_s, from_s[asked])
        latest = np.minimum(onset_s + self._within_s, to_s[asked])
        begin = np.searchsorted(self._sorted, group + np.searchsorted(self._onset, earliest, side="left"))
        end = np.searchsorted(self._sorted, group + np.searchsorted(self._onset, latest, side="right"))
        end = np.maximum(end, begin)
        compared = np.cumsum((end - begin) * self._context[chord])
        until = np.arange(0, compared[-1] if len(asked) else 0, COMPARED_AT_ONCE)
        parts = np.searchsorted(compared, until, side="right")
        for first, last in itertools.pairwise([*np.unique(parts).tolist(), len(asked)]):
            place = np.repeat(np.arange(first, last), (end - begin)[first:last])
            other = self._sorted[_ranges(begin[first:last], end[first:last])] - group[place]
            place, other = place[other != chord[place]], other[other != chord[place]]
            if not len(place):
                continue
            one, length = chord[place], self._context[chord[place]]
            near = np.repeat(self._onset[one], length), np.repeat(self._onset[other], length)
            here = self._onset[_ranges(self._low[one], self._low[one] + length)] - near[0]
            there = self._onset[_ranges(self._low[other], self._low[other] + length)] - near[1]
            differs = np.abs(there - here) > LOOKALIKE_TOLERANCE_S
            alike = ~np.logical_or.reduceat(differs, np.cumsum(length) - length)
            yield asked[place[alike]], other[alike]

    def count(self, note: NDArray[np.int64], begin_s: NDArray[np.float64], length_s: float) -> NDArray[np.int64]:
        """How many others look like each of some notes, and begin within a stretch of time.

        Parameters
        ----------
        note : ndarray of int64, shape (asked,)
        begin_s : ndarray of float64, shape (asked,)
            Where the stretch begins, for each of them.
        length_s : float

        Returns
        -------
        ndarray of int64, shape (asked,)
        """
        counts = np.zeros(len(note), dtype=np.int64)
        end_s = begin_s + length_s
        # A note begins a little after its chord's first one.
        for place, chord in self._alike(self._chord[note], begin_s - 2 * CHORD_S, end_s):
            other_s = self._note_onset[self._order[self._first[chord] + self._rank[note[place]]]]
            inside = (other_s >= begin_s[place]) & (other_s < end_s[place])
            counts += np.bincount(place[inside], minlength=len(note))
        return counts

    def lists(self) -> list[NDArray[np.int64]]:
        """For each note, indices of its look-alikes, itself excluded."""
        note = np.arange(len(self._order))
        whenever = np.full(len(note), np.inf)
        found = [(note[:0], note[:0])]
        for place, chord in self._alike(self._chord, -whenever, whenever):
            found.append((place, self._order[self._first[chord] + self._rank[place]]))
        places, others = (np.concatenate(part) for part in zip(*found, strict=True))
        bounds = np.searchsorted(places, np.append(note, len(note))).tolist()
        return [others[begin:end] for begin, end in itertools.pairwise(bounds)]


def lookalike_lists(notes: NoteArray, half_width_s: float, within_s: float) -> list[NDArray[np.int64]]:
    """For each note, the others that look like it; see :class:`Lookalikes`.

    Returns
    -------
    list of ndarray of int64
        For each note, indices of its look-alikes, itself excluded.
    """
    return Lookalikes(notes, half_width_s, within_s).lists()


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
        p.voice: Lookalikes(p.notes, settings.snippet_s / 2, settings.reference_s)
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
            alike = lookalikes[performance.voice].count(counterparts, start_s, settings.reference_s)
            for name, values in {
                "reference_rendition": np.full(len(notes), reference_index),
                "reference_start_frame": start,
                "snippet_rendition": np.full(len(notes), snippet_index),
                "snippet_centre_s": performance.notes["onset_s"][notes],
                "target_frame": onset_s * frame_rate_hz - start,
                "target_s": onset_s - start_s,
                "note": notes,
                "lookalikes": alike,
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


def _ranges(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers of each range, one after another."""
    count = end - begin
    return np.arange(count.sum()) + np.repeat(begin - (np.cumsum(count) - count), count)
