from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Trace:
    performance_time_s: NDArray[np.float64]
    reference_time_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    belief: NDArray[np.float32]
    belief_time_s: NDArray[np.float64]
    cell_s: float
    start_s: float
