"""Alignments: when the moments, or the single notes, of a score were played.

Conventions
-----------
*Score time* is time in the score file as it stands, *performance time* is time in the sound. Both are seconds. Rows are
in the order of performance. Players don't always keep to the order of the score (ornaments, hands that part), so score
time may step back from row to row, by at most :data:`MAX_STEP_BACK_S`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

TOLERANCE_S = 0.025  # note against row: 21 ms at most in 25 real alignments, 35 ms at least where a row is missing
MAX_STEP_BACK_S = 1.0  # 0.35 s at most in the same
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """When the moments of a score were played.

    Attributes
    ----------
    performance_s, score_s : ndarray of float64, shape (rows,)
        In the order of performance.

    Raises
    ------
    ValueError
        If there are fewer than two rows, a time is below zero or no number, or times run backwards.
    """

    performance_s: FloatArray
    score_s: FloatArray

    def __post_init__(self) -> None:
        if len(self.performance_s) < 2:
            raise ValueError(f"{len(self.performance_s)} rows; expected one for every onset, two or more")
        for name, times in (("performance_time_s", self.performance_s), ("score_time_s", self.score_s)):
            bad = ~(np.isfinite(times) & (times >= 0))
            if bad.any():
                row = int(np.argmax(bad))
                raise ValueError(f"row {row + 1}: {name} {times[row]}; expected seconds, 0 or more")
        falls = np.diff(self.performance_s) < 0
        if falls.any():
            row = int(np.argmax(falls)) + 1
            raise ValueError(
                f"row {row + 1}: performance_time_s goes back from {self.performance_s[row - 1]} to "
                f"{self.performance_s[row]}; expected rows in the order of performance"
            )
        back_s = np.maximum.accumulate(self.score_s) - self.score_s
        if back_s.max() > MAX_STEP_BACK_S:
            row = int(np.argmax(back_s > MAX_STEP_BACK_S))
            raise ValueError(
                f"row {row + 1}: score_time_s {self.score_s[row]} lies {back_s[row]:.2f} s before an earlier row's; "
                f"expected times that grow, give or take {MAX_STEP_BACK_S} s (write repeats out in the score)"
            )
        if np.ptp(self.performance_s) <= 0 or np.ptp(self.score_s) <= 0:
            raise ValueError("times do not grow: all rows have the same performance_time_s or score_time_s")

    @cached_property
    def _by_score(self) -> NDArray[np.int64]:
        """Rows in the order of the score."""
        return np.argsort(self.score_s, kind="stable").astype(np.int64)

    def nearest_row(self, score_s: FloatArray, tolerance_s: float = TOLERANCE_S) -> NDArray[np.int64]:
        """For each score time the row nearest to it; -1 where none lies within the tolerance.

        Examples
        --------
        >>> alignment = Alignment(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0]))
        >>> alignment.nearest_row(np.array([0.01, 0.5, 2.02])).tolist()
        [0, -1, 2]
        """
        score_s = np.asarray(score_s, dtype=np.float64)
        times = self.score_s[self._by_score]
        after = np.clip(np.searchsorted(times, score_s), 1, len(times) - 1)
        place = np.where(np.abs(times[after - 1] - score_s) <= np.abs(times[after] - score_s), after - 1, after)
        near = np.abs(times[place] - score_s) <= tolerance_s
        return np.where(near, self._by_score[place], -1)

    def warp(self, score_s: FloatArray) -> FloatArray:
        """Performance time of any score time: straight lines between rows, the mean tempo beyond the first and last.

        Where rows run backwards in the score, the line stands still, so that it never falls.

        Examples
        --------
        >>> alignment = Alignment(np.array([1.0, 3.0, 5.0]), np.array([0.0, 1.0, 2.0]))
        >>> alignment.warp(np.array([0.5, 2.5])).tolist()
        [2.0, 6.0]
        """
        times, first = np.unique(self.score_s[self._by_score], return_index=True)
        played = np.maximum.accumulate(self.performance_s[self._by_score])[first]
        tempo = (played[-1] - played[0]) / (times[-1] - times[0])
        inside = np.interp(score_s, times, played)
        return np.asarray(inside + tempo * (np.minimum(score_s - times[0], 0) + np.maximum(score_s - times[-1], 0)))


@dataclass(frozen=True)
class PerformedNotes:
    """Single notes as played, where a set tells them.

    Attributes
    ----------
    performance_s, score_s : ndarray of float64, shape (notes,)
    pitch : ndarray of int64, shape (notes,)
    """

    performance_s: FloatArray
    score_s: FloatArray
    pitch: NDArray[np.int64]

    def find(
        self, score_s: FloatArray, pitch: NDArray[np.integer], tolerance_s: float = TOLERANCE_S
    ) -> NDArray[np.int64]:
        """For each score note the performed note of its pitch nearest in score time; -1 for none, each used once.

        Examples
        --------
        >>> played = PerformedNotes(np.array([1.0, 1.1]), np.array([0.0, 0.0]), np.array([60, 64]))
        >>> played.find(np.array([0.0, 0.0, 1.0]), np.array([64, 60, 60])).tolist()
        [1, 0, -1]
        """
        found = np.full(len(score_s), -1, dtype=np.int64)
        for key in np.unique(pitch):
            notes, played = np.flatnonzero(pitch == key), np.flatnonzero(self.pitch == key)
            if not len(played):
                continue
            order = played[np.argsort(self.score_s[played], kind="stable")]
            after = np.clip(np.searchsorted(self.score_s[order], score_s[notes]), 0, len(order) - 1)
            candidates = order[np.stack([np.maximum(after - 1, 0), after], axis=1)]  # (notes of this key, 2)
            distance_s = np.abs(self.score_s[candidates] - score_s[notes][:, None])
            taken: set[int] = set()
            for place in np.argsort(distance_s, axis=None, kind="stable"):
                note, other = divmod(int(place), 2)
                performed = int(candidates[note, other])
                if distance_s[note, other] <= tolerance_s and found[notes[note]] < 0 and performed not in taken:
                    found[notes[note]] = performed
                    taken.add(performed)
        return found
