"""Online dynamic time warping: the classic way to follow, to compare with.

One cost for every frame of the performance; from one to the next the path goes on by 0 to 3 frames of the reference.
The answer is the end of the cheapest path so far, within a window about the last answer (after Dixon, "Live tracking of
musical performances using on-line time warping", DAFx 2005, with steps bounded by frames of the performance alone).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfmodel.compiling import compiled
from sfmodel.motion import Estimate

Float32Array = NDArray[np.float32]
NEVER = np.float32(1e30)


@dataclass(frozen=True)
class OnlineDtwSettings:
    """How far it looks.

    Attributes
    ----------
    window_s : float
        To both sides of the last answer.
    largest_step : int
        Frames of the reference for one of the performance.
    lead_s : float
        As in :class:`sfmodel.motion.MotionSettings`.
    """

    window_s: float = 10.0
    largest_step: int = 3
    lead_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.window_s > 0 or self.largest_step < 1:
            raise ValueError(
                f"online DTW: window_s {self.window_s}, largest_step {self.largest_step}; expected above zero, and 1 "
                "or more"
            )


class OnlineDtw:
    """The path so far; takes what :class:`sfmodel.motion.Motion` takes, and answers alike.

    Parameters
    ----------
    cells : int
    cell_s, step_s : float
    settings : OnlineDtwSettings, optional
    """

    def __init__(self, cells: int, cell_s: float, step_s: float, settings: OnlineDtwSettings | None = None) -> None:
        self.settings = settings or OnlineDtwSettings()
        self.cells, self.stride = cells, max(1, round(step_s / cell_s))
        frames = -(-cells // self.stride)
        self.window = round(self.settings.window_s / step_s)
        self.total = np.full(frames, NEVER, dtype=np.float32)  # (frames,): cost of the cheapest path to each
        self.total[0], self.place = 0.0, 0

    @property
    def belief(self) -> Float32Array:
        """All of it at the place, shape (cells,)."""
        belief = np.zeros(self.cells, dtype=np.float32)
        belief[self.place * self.stride] = 1
        return belief

    def step(self, log_likelihood: Float32Array | None = None, silent: bool = False) -> Estimate:
        """Go on by a frame of the performance; one that was not heard costs nothing."""
        del silent
        cost = np.zeros_like(self.total)
        if log_likelihood is not None:
            heard = log_likelihood[:: self.stride]
            cost = np.asarray(heard.max() - heard, dtype=np.float32)
        self.total, self.place = compiled(_step)(self.total, cost, self.place, self.window, self.settings.largest_step)
        return Estimate(float(self.place * self.stride), 1.0, float(self.stride))

    def skip(self, silent: bool = False) -> Estimate:
        """Go on by a frame for which there is no time: as by one that was not heard."""
        del silent
        return self.step()


def _step(total: Float32Array, cost: Float32Array, place: int, window: int, largest: int) -> tuple[Float32Array, int]:
    frames = len(total)
    new = np.full(frames, NEVER, np.float32)
    first, last = max(0, place - window), min(frames, place + window + 1)
    least, best = NEVER, place
    for x in range(first, last):
        cheapest = total[x]
        for step in range(1, largest + 1):
            if x >= step and total[x - step] < cheapest:
                cheapest = total[x - step]
        new[x] = min(cheapest + cost[x], NEVER)
        if new[x] < least:
            least, best = new[x], x
    new -= least  # so that the sums stay small
    return new, best
