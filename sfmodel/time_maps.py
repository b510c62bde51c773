"""From a store to what played where: performances and scores of it, with the time of the one in the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.store import Store

TOGETHER_S = 0.001  # notes of the score that begin within less are one onset


@dataclass(frozen=True)
class TimeMap:
    """A rendition of a performance, one of its score, and when the onsets of the one sound in the other.

    Attributes
    ----------
    reference, performance : int
        Rows of the renditions.
    piece : int
        Row of the piece.
    performed_s, score_s : ndarray of float64, shape (onsets,)
        Both grow.
    """

    reference: int
    performance: int
    piece: int
    performed_s: NDArray[np.float64]
    score_s: NDArray[np.float64]

    @property
    def duration_s(self) -> float:
        """From the first onset to the last, in the performance."""
        return float(self.performed_s[-1] - self.performed_s[0])

    def score_time_s(self, performed_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Time in the score, by straight lines between onsets; before the first and after the last, NaN."""
        return np.asarray(np.interp(performed_s, self.performed_s, self.score_s, left=np.nan, right=np.nan))


def growing_points(
    performed_s: NDArray[np.float64], score_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean performed time of every onset of the score, without those that run against the order of the score.

    Parameters
    ----------
    performed_s, score_s : ndarray of float64, shape (notes,)

    Returns
    -------
    performed_s, score_s : ndarray of float64, shape (onsets,)
        Both grow.

    Examples
    --------
    >>> growing_points(np.array([1.0, 1.2, 3.0, 2.0, 4.0]), np.array([0.0, 0.0, 1.0, 2.0, 3.0]))
    (array([1.1, 2. , 4. ]), array([0., 2., 3.]))
    """
    order = np.argsort(score_s, kind="stable")
    score_s, performed_s = score_s[order], performed_s[order]
    onset = np.cumsum(np.diff(score_s, prepend=-np.inf) >= TOGETHER_S) - 1  # (notes,)
    first = np.flatnonzero(np.diff(onset, prepend=-1))
    mean_s = np.bincount(onset, performed_s) / np.bincount(onset)
    later_s = np.minimum.accumulate(mean_s[::-1])[::-1]  # the earliest from here on
    kept = mean_s <= later_s
    kept[1:] &= np.diff(mean_s) != 0
    mean_s, times_s = mean_s[kept], score_s[first][kept]
    rising = np.diff(mean_s, prepend=-np.inf) > 0
    return mean_s[rising], times_s[rising]


def time_maps(store: Store, split: str = "train") -> list[TimeMap]:
    """Every performance of a split with every reference of the same voice.

    Parameters
    ----------
    store : Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.

    Returns
    -------
    list of TimeMap
        Those with two onsets or more, in the order of the store.
    """
    pieces = set(np.unique(store.pair_pieces(store.pair_rows(split))).tolist())
    performance = np.asarray(store.renditions["performance"])
    piece, voice = store.performances["piece"], [str(name) for name in store.performances["voice"]]
    is_score = np.array([str(role) == "score" for role in store.performances["role"]])
    references: dict[tuple[int, str], list[int]] = {}
    for row, played in enumerate(performance.tolist()):
        if is_score[played]:
            references.setdefault((int(piece[played]), voice[played]), []).append(row)
    found = []
    for row, played in enumerate(performance.tolist()):
        if is_score[played] or int(piece[played]) not in pieces:
            continue
        notes = store.performance_notes(played)
        for reference in references.get((int(piece[played]), voice[played]), []):
            score = store.performance_notes(int(performance[reference]))
            onset_s = dict(zip(score["source"].tolist(), score["onset_s"].tolist(), strict=True))
            known = np.array([source in onset_s for source in notes["source"].tolist()], dtype=bool)
            score_s = np.array([onset_s[source] for source in notes["source"][known].tolist()])
            points = growing_points(np.asarray(notes["onset_s"], dtype=np.float64)[known], score_s)
            if len(points[0]) > 1:
                found.append(TimeMap(reference, row, int(piece[played]), *points))
    return found
