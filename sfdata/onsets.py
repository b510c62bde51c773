"""Onsets of the score side: which one a pair stands for, and its split where onsets are divided.

An onset is a chord of the score side of a voice (a note alone is a chord of one), known by its number within the voice.
Whichever performance and rendition plays it, it keeps that number, and hence its split.
"""

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import NoteArray
from sfdata.operations.base import chord_numbers
from sfdata.plan import PiecePlan
from sfdata.schema import Table
from sfdata.splits import SplitSettings, onset_splits
from sfdata.store import Store


def onset_numbers(score: NoteArray, source: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number of the score side's chord that each of some notes stands for.

    Parameters
    ----------
    score : NoteArray
        Sorted by onset.
    source : ndarray of int, shape (notes,)
        The voice's note that each is.

    Returns
    -------
    ndarray of int64, shape (notes,)
        -1 where the score side has no such note.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> score = make_notes([0, 0, 1], [2, 2, 2], [60, 64, 67], [80] * 3)
    >>> onset_numbers(score, np.array([2, 1, 0, 3, -1])).tolist()
    [1, 0, 0, -1, -1]
    """
    size = int(max(score["source"].max(initial=-1), source.max(initial=-1))) + 2
    number = np.full(size, -1, dtype=np.int64)  # the last one stays: what source -1 finds
    real = score["source"] >= 0
    number[score["source"][real]] = chord_numbers(score)[real]
    return number[source]


def pair_splits(plan: PiecePlan, pairs: Table, settings: SplitSettings, seed: int) -> NDArray[np.uint8]:
    """Split of each pair of a piece whose onsets are divided.

    Parameters
    ----------
    plan : PiecePlan
    pairs : dict of column name to ndarray
        As :func:`sfdata.pairs.piece_pairs` makes them.
    settings : SplitSettings
    seed : int
        The build's.

    Returns
    -------
    ndarray of uint8, shape (pairs,)
        Numbers of splits in :data:`sfdata.schema.SPLITS`.
    """
    scores = {p.voice: p.notes for p in reversed(plan.performances) if p.role == "score"}  # the first one of each
    drawn = {
        voice: onset_splits(int(chord_numbers(score)[-1]) + 1, settings, seed, str(plan.facts["sha256"]), voice)
        for voice, score in scores.items()
        if len(score)
    }
    splits = np.empty(len(pairs["note"]), dtype=np.uint8)
    for rendition in np.unique(pairs["snippet_rendition"]):
        performance = plan.performances[plan.renditions[rendition].performance]
        own = np.flatnonzero(pairs["snippet_rendition"] == rendition)
        source = performance.notes["source"][pairs["note"][own]]
        splits[own] = drawn[performance.voice][onset_numbers(scores[performance.voice], source)]
    return splits


def pair_onsets(store: Store) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which onset each pair of a store stands for.

    Returns
    -------
    score, number : ndarray of int64, shape (pairs,)
        Row of the performance that is the score side, and number of the chord in it; -1 where there is none.
    """
    columns, pairs = store.performances, store.pairs
    side = np.flatnonzero(columns["role"] == "score")[::-1]  # of several, the first one counts
    first = dict(zip(zip(columns["piece"][side], columns["voice"][side], strict=True), side, strict=True))
    performance = store.renditions["performance"][pairs["snippet_rendition"]]
    source = store.notes["source"][pairs["note"]]
    score, number = (np.full(len(performance), -1, dtype=np.int64) for _ in range(2))
    for row in np.unique(performance):
        own, voice = np.flatnonzero(performance == row), (columns["piece"][row], columns["voice"][row])
        if voice in first:
            score[own] = first[voice]
            number[own] = onset_numbers(store.note_array(int(first[voice])), source[own])
    return score, number
