"""Leaks: works, performances, instruments and onsets that stand in two splits of a store, found in what it holds."""

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sfdata.fingerprint import fingerprint_of_voices
from sfdata.naming import PieceName, work_keys
from sfdata.notes import NoteArray
from sfdata.onsets import pair_onsets
from sfdata.schema import SPLITS
from sfdata.similarity import same_music_keys
from sfdata.splits import group_works
from sfdata.store import Store

FEWEST_NOTES = 8  # fewer could agree by chance


def find_leaks(store: Store, composers: bool = False, instruments: bool = False) -> Iterator[str]:
    """Whatever stands in two splits and must not, in words; parameters as for :func:`sfdata.validate.validate`."""
    split = store.pieces["split"]
    if store.splits_by != "piece":
        yield from _work_leaks(store)
    if composers:
        surnames = [PieceName("", str(composer)).surname for composer in store.pieces["composer"]]
        yield from _in_two_splits("composer", np.array(surnames, dtype=object), split)
    yield from _instrument_leaks(store, instruments)
    if store.splits_by == "onset":
        yield from _onset_leaks(store)
    pairs, number = store.pairs, np.array([SPLITS.index(name) if name in SPLITS else -1 for name in split])
    for side in ("reference_rendition", "snippet_rendition"):
        of_piece = number[store.performances["piece"][store.renditions["performance"][pairs[side]]]]
        wrong = int(((of_piece != pairs["split"]) & (of_piece >= 0)).sum())
        if wrong:
            yield f"{wrong} pairs are in another split than the piece of their {side}"


def _work_leaks(store: Store) -> Iterator[str]:
    """Works, by what the store holds and as it names them, and performances that stand in two splits."""
    split = store.pieces["split"]
    works = np.array(group_works(_work_keys(store)), dtype=object)
    for work in sorted(set(works)):
        found = sorted(set(split[works == work]))
        if len(found) > 1:
            titles = ", ".join(sorted({repr(str(title)) for title in store.pieces["title"][works == work]}))
            yield f"one work ({work}) stands in splits {', '.join(found)}: {titles}"
    yield from _in_two_splits("work", store.pieces["work"], split)
    played = [_played(store.note_array(number)) for number in range(len(store.performances["piece"]))]
    yield from _in_two_splits("performance", np.array(played, dtype=object), split[store.performances["piece"]])


def _onset_leaks(store: Store) -> Iterator[str]:
    """Onsets of a score side whose pairs, with whatever instruments, stand in two splits."""
    score, number = pair_onsets(store)
    order = np.lexsort((number, score))
    first = np.flatnonzero(np.diff(score[order], prepend=-2) | np.diff(number[order], prepend=-2))
    if not len(first):
        return
    split = store.pairs["split"][order]
    torn = np.minimum.reduceat(split, first) != np.maximum.reduceat(split, first)
    pieces = store.performances["piece"][score[order[first[torn]]]]
    for piece, onsets in zip(*np.unique(pieces, return_counts=True), strict=True):
        yield f"{onsets} onsets of {store.pieces['file'][piece]} have pairs in two splits"


def _played(notes: NoteArray) -> str:
    """What tells a performance from others, in whatever key; empty for a few notes, which could agree by chance."""
    if len(notes) < FEWEST_NOTES:
        return ""
    steps = np.stack([np.diff(notes["onset_s"]), np.diff(notes["pitch"].astype(np.float64))])
    return hashlib.sha256(steps.tobytes()).hexdigest()[:16]


def _in_two_splits(what: str, values: NDArray, split: NDArray) -> Iterator[str]:
    found: dict[str, set[str]] = {}
    for value, name in zip(values, split, strict=True):
        found.setdefault(str(value), set()).add(str(name))
    for value in sorted(value for value, names in found.items() if value and len(names) > 1):
        yield f"{what} {value!r} stands in splits {', '.join(sorted(found[value]))}"


def _instrument_leaks(store: Store, everywhere: bool) -> Iterator[str]:
    """Instruments heard outside the split they are kept to; with `everywhere`, snippets' ones in test and another."""
    pairs, names = store.pairs, store.instruments["name"]
    in_test = pairs["split"] == SPLITS.index("test")
    for side in ("reference_rendition", "snippet_rendition"):
        instrument = store.renditions["instrument"][pairs[side]]
        kept_to = store.instruments["split"][instrument]
        astray = ((kept_to == "train") & in_test) | ((kept_to == "test") & ~in_test)
        for row in np.unique(instrument[astray]):
            where = store.instruments["split"][row]
            yield f"instrument {names[row]} is kept to {where} and plays {side[:-10]}s elsewhere"
        if everywhere and side == "snippet_rendition":
            for row in np.intersect1d(instrument[in_test], instrument[~in_test]):
                yield f"instrument {names[row]} plays snippets in test and in another split"


def _work_keys(store: Store) -> list[set[str]]:
    """Keys of each piece's work, made again from what the store tells of it."""
    of_piece: list[list[NoteArray]] = [[] for _ in store.pieces["title"]]
    for performance in np.flatnonzero(store.performances["role"] == "score"):
        of_piece[store.performances["piece"][performance]].append(store.note_array(int(performance)))
    same_music = same_music_keys([fingerprint_of_voices(voices) for voices in of_piece])
    keys = []
    for piece, voices in enumerate(of_piece):
        facts = {name: str(values[piece]) for name, values in store.pieces.items()}
        name = PieceName(facts["title"], facts["composer"], facts["source_id"])
        keys.append(work_keys(name, facts["sha256"], voices[0] if voices else None) | same_music[piece])
    return keys
