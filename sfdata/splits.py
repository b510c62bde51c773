"""Splits: whole works go to train, validation or test, so that nothing leaks.

Two other ways are there to be compared with: pieces by themselves, and single onsets.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.naming import PieceName
from sfdata.schema import EVERY, SPLITS

KINDS = ("work", "composer", "piece", "onset")
_REMARKS = {
    "piece": "splits are by piece: pieces of one work, even with the same notes, may stand in several of them, so that "
    "figures on test also measure memory",
    "onset": "splits are by onset: neighbours in the same music stand in train, validation and test, so that figures "
    "on test also measure memory",
}


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the works that go to each split.

    Attributes
    ----------
    train, validation, test : float
        In any unit; they are divided by their sum. With three works or more, every split whose share is above
        zero gets at least one; of two, one goes to train and one to test; a single one goes to train.
    by : {"work", "composer", "piece", "onset"}
        What is kept whole: works; all works of a composer (pieces of unknown composers: works); a piece, whatever else
        is the same work; or nothing but an onset of the score side: each is drawn by itself, with the shares as
        probabilities.
    """

    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15
    by: str = "work"

    def __post_init__(self) -> None:
        if self.by not in KINDS:
            raise ValueError(f"splits: by {self.by!r}; expected one of {', '.join(KINDS)}")
        if min(self.train, self.validation, self.test) < 0 or self.train + self.validation + self.test <= 0:
            raise ValueError(
                f"splits: train {self.train}, validation {self.validation}, test {self.test}; expected shares of 0 or "
                "more, one of them above 0"
            )

    @property
    def shares(self) -> NDArray[np.float64]:
        """The three shares, with a sum of 1."""
        shares = np.array([self.train, self.validation, self.test], dtype=np.float64)
        return shares / shares.sum()


def split_remark(by: str) -> str:
    """What readers of figures must know of a way to split; empty where it keeps works whole.

    Examples
    --------
    >>> split_remark("work"), split_remark("onset")[:19]
    ('', 'splits are by onset')
    """
    return _REMARKS.get(by, "")


def group_works(keys: Sequence[Set[str]]) -> list[str]:
    """Name of the work each piece belongs to: pieces that share a key, directly or through others, are one work.

    Parameters
    ----------
    keys : sequence of set of str
        For each piece, as :func:`sfdata.naming.work_keys` and :func:`sfdata.similarity.same_music_keys` give them.

    Returns
    -------
    list of str
        For each piece, the alphabetically first key of its work.

    Examples
    --------
    >>> group_works([{"a", "x"}, {"b"}, {"x", "c"}])
    ['a', 'b', 'a']
    """
    parent = list(range(len(keys)))

    def root(piece: int) -> int:
        while parent[piece] != piece:
            parent[piece] = parent[parent[piece]]
            piece = parent[piece]
        return piece

    holder: dict[str, int] = {}
    for piece, own in enumerate(keys):
        for key in own:
            parent[root(piece)] = root(holder.setdefault(key, piece))
    first: dict[int, str] = {}
    for piece, own in enumerate(keys):
        first[root(piece)] = min(first.get(root(piece), "\uffff"), *own)
    return [first[root(piece)] for piece in range(len(keys))]


def split_groups(works: list[str], composers: list[str], contents: list[str], settings: SplitSettings) -> list[str]:
    """For each piece, a name for what is kept whole: its work, all that its composer wrote, or its content alone.

    Where onsets are divided, it is the work: it tells which pieces a demanded split concerns.

    Examples
    --------
    >>> composers, contents = ["J. S. Bach", "Johann Sebastian Bach", ""], ["0f", "1e", "2d"]
    >>> split_groups(["a", "b", "c"], composers, contents, SplitSettings(by="composer"))
    ['a', 'a', 'c']
    >>> split_groups(["a", "a", "c"], composers, contents, SplitSettings(by="piece"))
    ['0f', '1e', '2d']
    """
    if settings.by == "piece":
        return list(contents)
    if settings.by != "composer":
        return list(works)
    keys = [
        {work} | ({f"composer:{surname}"} if (surname := PieceName("", composer).surname) else set())
        for work, composer in zip(works, composers, strict=True)
    ]
    return group_works(keys)


def assign_splits(
    works: list[str], fixed: list[str], settings: SplitSettings, seed: int, held: frozenset[str] = frozenset()
) -> list[str]:
    """Assign each piece a split, all pieces of a work the same; ``all`` where its onsets are divided.

    Parameters
    ----------
    works : list of str
        For each piece, the name of its work, or of what else is kept whole.
    fixed : list of str
        For each piece, the split its source demands; empty for none.
    settings : SplitSettings
    seed : int
    held : frozenset of str
        Works that a store holds already: what their splits have too little of, the others get.

    Returns
    -------
    list of str
        For each piece.

    Raises
    ------
    ValueError
        If two sources demand different splits for one work.
    """
    demanded: dict[str, str] = {}
    for work, split in zip(works, fixed, strict=True):
        if split and demanded.setdefault(work, split) != split:
            raise ValueError(
                f"work {work!r} is demanded for split {demanded[work]!r} and {split!r}: one work, one split"
            )
    if settings.by == "onset":
        return [demanded.get(work, EVERY) for work in works]
    free = sorted(set(works) - set(demanded))
    there = np.array([sum(demanded[work] == split for work in held & set(demanded)) for split in SPLITS])
    lacking = np.maximum(settings.shares * (len(free) + there.sum()) - there, 0)
    counts = _share_out(len(free), lacking / max(lacking.sum(), 1e-12))
    order = np.random.default_rng([seed, 1]).permutation(len(free))
    names = np.repeat(np.array(SPLITS), counts)
    chosen = {free[work]: str(names[place]) for place, work in enumerate(order)}
    return [demanded.get(work) or chosen[work] for work in works]


def onset_splits(onsets: int, settings: SplitSettings, seed: int, sha256: str, voice: int) -> NDArray[np.uint8]:
    """Draw a split for each onset of a voice's score side, from a generator of its own.

    Parameters
    ----------
    onsets : int
        How many chords the score side has; one note alone is a chord.
    settings : SplitSettings
        Its shares are the probabilities.
    seed : int
    sha256 : str
        Of the piece's file.
    voice : int

    Returns
    -------
    ndarray of uint8, shape (onsets,)
        Numbers of splits in :data:`sfdata.schema.SPLITS`.

    Examples
    --------
    >>> onset_splits(3, SplitSettings(0, 1, 0, by="onset"), 1, "00", 0).tolist()
    [1, 1, 1]
    """
    rng = np.random.default_rng([seed, int(sha256[:16], 16), 5, voice, 1])
    wanted = np.flatnonzero(settings.shares)
    below = np.cumsum(settings.shares[wanted])[:-1]
    return wanted[np.searchsorted(below, rng.random(onsets), side="right")].astype(np.uint8)


def _share_out(total: int, shares: np.ndarray) -> list[int]:
    """Whole numbers that add up to `total`, by largest remainder, with at least one each where that can be."""
    wanted = shares > 0
    if total == 2 and wanted[0] and wanted[2]:
        return [1, 0, 1]
    least = wanted.astype(int) if total >= wanted.sum() else np.zeros(3, dtype=int)
    exact = shares * total
    counts = np.maximum(np.floor(exact).astype(int), least)
    while counts.sum() < total:
        counts[np.argmax(np.where(wanted, exact - counts, -np.inf))] += 1
    while counts.sum() > total:
        counts[np.argmax(np.where(counts > least, counts - exact, -np.inf))] -= 1
    return [int(count) for count in counts]
