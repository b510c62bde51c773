"""Beats of a MIDI file: its tempo map, from seconds of the file to quarter notes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.midi import read_tempos


@dataclass(frozen=True)
class BeatMap:
    """Where the quarter notes of a piece lie.

    Attributes
    ----------
    start_s : ndarray of float64, shape (tempos,)
        Where each tempo begins; the first is 0.
    quarters_per_s : ndarray of float64, shape (tempos,)

    Raises
    ------
    ValueError
        If the shapes differ, the first is not 0, times do not rise, or a tempo is not above 0.

    Examples
    --------
    >>> beats = BeatMap(np.array([0.0, 2.0]), np.array([2.0, 1.0]))
    >>> beats([0.5, 2.0, 3.0]).tolist()
    [1.0, 4.0, 5.0]
    """

    start_s: NDArray[np.float64]
    quarters_per_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        start, rate = self.start_s, self.quarters_per_s
        if start.ndim != 1 or start.shape != rate.shape or not len(start):
            raise ValueError(f"tempo map of shapes {start.shape} and {rate.shape}; expected the same, (tempos,)")
        if start[0] != 0 or not (np.diff(start) > 0).all() or not (np.isfinite(rate) & (rate > 0)).all():
            raise ValueError("tempo map: expected rising times from 0 on, and tempos above 0")

    def __call__(self, time_s: NDArray[np.floating] | list[float] | float) -> NDArray[np.float64]:
        """Tell how many quarter notes lie before times; negative before the file's beginning."""
        time_s = np.asarray(time_s, dtype=np.float64)
        first = np.concatenate([[0.0], np.cumsum(np.diff(self.start_s) * self.quarters_per_s[:-1])])
        segment = np.maximum(np.searchsorted(self.start_s, time_s, side="right") - 1, 0)
        return np.asarray(first[segment] + (time_s - self.start_s[segment]) * self.quarters_per_s[segment])


def read_beat_map(path: str | Path) -> BeatMap:
    """Read the tempo map of a MIDI file; 120 quarters a minute where it tells none.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there, or no file")
    try:
        return BeatMap(*read_tempos(path))
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
