"""What a follower said of a whole performance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Trace:
    """All reports of a performance, and some of the beliefs behind them.

    Attributes
    ----------
    performance_time_s : ndarray of float64, shape (reports,)
        Sound that had been heard; grows.
    reference_time_s : ndarray of float64, shape (reports,)
        Where that lies in the reference's file.
    confidence : ndarray of float64, shape (reports,)
        Between 0 and 1.
    belief : ndarray of float32, shape (steps, cells)
        Over the reference, coarse; each row sums to one. No rows if beliefs were not kept.
    belief_time_s : ndarray of float64, shape (steps,)
        Performance time of each row.
    cell_s : float
        Width of a cell.
    start_s : float
        Reference time of the first cell's left edge.
    """

    performance_time_s: NDArray[np.float64]
    reference_time_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    belief: NDArray[np.float32]
    belief_time_s: NDArray[np.float64]
    cell_s: float
    start_s: float
