"""Which pieces of a collection hold the same music, judged by notes alone.

Pieces are compared by their fingerprints (:mod:`sfdata.fingerprint`), so another title, key, tempo, performance or
transcription makes no difference, nor that one piece is a part of the other. Every turn of every piece goes into one
sorted list; pieces that stand next to each other under the same turns, eight times or more, are compared.

Scales and figures that many works use are told from a work's own music by the collection itself: a turn weighs
1 / (1 + number of other groups of pieces that have it). A *group* is what is united beyond doubt; groups that may be
related to one of the two in question do not count as others, or a work's many versions would make its turns common.

Nothing depends on the order of the pieces.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.fingerprint import (
    Fingerprint,
    SharedTurns,
    evidence,
    most_evidence,
    places_of_turns,
    shared_turns,
    turns_of,
)

ENOUGH = 16.0
CERTAIN = 40.0
ENOUGH_OF_A_SHORT_PIECE = 0.6
FEWEST = 12.0
_PIECE_BITS = 19
_NEIGHBOURS = 4
_FEWEST_MEETINGS = 8


@dataclass(frozen=True)
class SameMusic:
    """Two pieces that hold the same music, and what speaks for it.

    Attributes
    ----------
    one, other : int
        Indices of the pieces.
    evidence : float
        See :func:`sfdata.fingerprint.evidence`; infinite where the fingerprints are equal.
    transposition : int
        Semitones by which `other` lies higher.
    """

    one: int
    other: int
    evidence: float
    transposition: int


def same_music_keys(fingerprints: Sequence[Fingerprint], enough: float = ENOUGH) -> list[set[str]]:
    """Keys of which any one in common means that two pieces hold the same music, directly or through others.

    To be united with those of :func:`sfdata.naming.work_keys` and handed to :func:`sfdata.splits.group_works`.

    Parameters
    ----------
    fingerprints : sequence of ndarray of uint64
        Of each piece, as :func:`sfdata.fingerprint.fingerprint` gives them.
    enough : float
        Evidence that unites; see docs/splits.md for what more or less of it does.

    Returns
    -------
    list of set of str
        For each piece; empty where no other holds its music.

    Raises
    ------
    ValueError
        If there are more than 524,288 different pieces.

    Examples
    --------
    >>> from sfdata.fingerprint import fingerprint
    >>> from sfdata.notes import make_notes
    >>> rng = np.random.default_rng(1)
    >>> tune, other = (rng.integers(60, 85, size=100) for _ in range(2))
    >>> def piece(pitch): return make_notes(np.arange(len(pitch)), np.arange(len(pitch)) + 1, pitch, [80] * len(pitch))
    >>> keys = same_music_keys([fingerprint(piece(pitch)) for pitch in (tune, other, tune[20:80] - 3)])
    >>> keys[0] == keys[2] != keys[1], keys[1]
    (True, set())
    """
    digests = [hashlib.sha256(np.asarray(words, dtype="<u8").tobytes()).hexdigest() for words in fingerprints]
    links = same_music(fingerprints, enough)
    group = _components(len(fingerprints), [(link.one, link.other) for link in links])
    linked = {piece for link in links for piece in (link.one, link.other)}
    first: dict[int, str] = {}
    for piece in linked:
        first[group[piece]] = min(first.get(group[piece], digests[piece]), digests[piece])
    return [{f"music:{first[group[piece]][:16]}"} if piece in linked else set() for piece in range(len(fingerprints))]


def same_music(fingerprints: Sequence[Fingerprint], enough: float = ENOUGH) -> list[SameMusic]:
    """Find pairs of pieces that hold the same music, enough of them that chains join all that belong together.

    Parameters
    ----------
    fingerprints : sequence of ndarray of uint64
    enough : float
        See :func:`same_music_keys`.

    Returns
    -------
    list of SameMusic
        In order of `one` and `other`, with `one` before `other`.
    """
    alike = defaultdict(list)
    for piece, words in enumerate(fingerprints):
        alike[hashlib.sha256(words.tobytes()).digest()].append(piece)
    copies = [alike[digest] for digest in sorted(alike)]  # by content, not by order of the pieces
    distinct = [np.asarray(fingerprints[pieces[0]], dtype=np.uint64) for pieces in copies]
    if len(distinct) > 1 << _PIECE_BITS:
        raise ValueError(f"{len(distinct)} pieces of different music; expected at most {1 << _PIECE_BITS}")
    most = [most_evidence(words) for words in distinct]
    found = [
        SameMusic(pieces[0], other, np.inf, 0)
        for pieces, has in zip(copies, most, strict=True)
        if has >= FEWEST
        for other in pieces[1:]
    ]
    for (one, other), shared, has in _links(distinct, most, enough):
        a, b, up = copies[one][0], copies[other][0], shared.transposition
        found.append(SameMusic(a, b, has, up) if a < b else SameMusic(b, a, has, -up))
    return sorted(found, key=lambda link: (link.one, link.other))


def _links(
    distinct: list[Fingerprint], most: list[float], enough: float
) -> Iterable[tuple[tuple[int, int], SharedTurns, float]]:
    """Pairs with enough evidence, weighted, with what they share."""
    index = _index(distinct)
    possible: dict[tuple[int, int], tuple[SharedTurns, float]] = {}
    places: dict[int, NDArray[np.int32]] = {}
    for one, other in _candidates(index):
        for piece in (one, other):
            if piece not in places:
                places[piece] = places_of_turns(distinct[piece]).astype(np.int32)
        needed = _needed(most[one], most[other], enough)
        shared = shared_turns(distinct[one], distinct[other], (places[one], places[other]), needed)
        has = evidence(shared)
        if has >= needed:
            possible[one, other] = shared, has
    group = _components(len(distinct), [pair for pair, (_, has) in possible.items() if has >= CERTAIN])
    related: dict[int, set[int]] = defaultdict(set)
    for one, other in possible:
        related[group[one]].add(group[other])
        related[group[other]].add(group[one])
    for (one, other), (shared, has) in possible.items():
        if has < CERTAIN:
            relatives = related[group[one]] | related[group[other]] | {group[one], group[other]}
            has = evidence(shared, _weights(shared.turns, index, group, relatives))
        if has >= _needed(most[one], most[other], enough):
            yield (one, other), shared, has


def _needed(one: float, other: float, enough: float) -> float:
    """Evidence that two pieces need, by the most that each can have."""
    return min(enough, max(FEWEST, ENOUGH_OF_A_SHORT_PIECE * min(one, other)))


def _index(distinct: list[Fingerprint]) -> NDArray[np.uint64]:
    """Every turn of every piece, once, sorted: the turn in the upper 45 bits, the piece in the lower 19."""
    entries = [
        np.unique(turns_of(words[words > 0])) << np.uint64(_PIECE_BITS) | np.uint64(piece)
        for piece, words in enumerate(distinct)
    ]
    index = np.concatenate([np.zeros(0, dtype=np.uint64), *entries])
    index.sort()
    return index


def _candidates(index: NDArray[np.uint64]) -> list[tuple[int, int]]:
    """Pairs of pieces that stand within four places of each other under at least eight turns."""
    turn, piece = index >> np.uint64(_PIECE_BITS), index & np.uint64((1 << _PIECE_BITS) - 1)
    meetings = [np.zeros(0, dtype=np.uint64)]
    for distance in range(1, _NEIGHBOURS + 1):
        same = turn[distance:] == turn[:-distance]
        meetings.append(piece[:-distance][same] << np.uint64(32) | piece[distance:][same])
    pairs, count = np.unique(np.concatenate(meetings), return_counts=True)
    pairs = pairs[count >= _FEWEST_MEETINGS]
    return [(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in pairs]


def _weights(
    turns: NDArray[np.uint64], index: NDArray[np.uint64], group: list[int], relatives: set[int]
) -> NDArray[np.float64]:
    """1 / (1 + number of groups, relatives apart, that have the turn)."""
    low, high = turns << np.uint64(_PIECE_BITS), (turns + np.uint64(1)) << np.uint64(_PIECE_BITS)
    weights = np.empty(len(turns))
    for number, (begin, end) in enumerate(zip(np.searchsorted(index, low), np.searchsorted(index, high), strict=True)):
        holders = {group[int(entry) & ((1 << _PIECE_BITS) - 1)] for entry in index[begin:end]}
        weights[number] = 1 / (1 + len(holders - relatives))
    return weights


def _components(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `count` things, the first of those that links join it with."""
    parent = list(range(count))

    def root(thing: int) -> int:
        while parent[thing] != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing

    for one, other in links:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(thing) for thing in range(count)]
