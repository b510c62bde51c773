"""On-line time warping by name: Dixon's and Arzt's, the classic followers of the field, to compare with.

Both add up costs, not negative, over frames of performance and reference, in steps of one frame of either or of both;
the place is the end of the path that is cheapest for its length. Dixon's chooses at every step whose next frame comes
in; Arzt's takes one frame of the performance at a time, and never goes back.

A frame's cost at a place is the best log likelihood of the frame less that of the place. A frame of silence costs
nothing where the reference is silent. Elsewhere it costs half of what frames have cost on average, and so does one that
was not heard everywhere: from a sound to none the squared distance is half of that to an unlike sound. Silence before
the first sound counts on neither side: the path begins with the first frame that is heard.

Sources: Dixon, "Live tracking of musical performances using on-line time warping", DAFx 2005; Arzt, Widmer, Dixon,
"Automatic page turning for musicians via real-time machine listening", ECAI 2008, in the form that Matchmaker (Park et
al., ISMIR 2025) gives it: one pass forward.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfmodel.compiling import compiled
from sfmodel.motion import Estimate, check_cells

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
NEITHER, PERFORMANCE, REFERENCE = 0, 1, 2  # whose frames came in alone
SILENCE_SHARE = 0.5  # of the average cost


@dataclass(frozen=True)
class DixonSettings:
    """How Dixon's looks.

    Attributes
    ----------
    window_s : float
        So much of either side is kept, and its costs are summed up; ``c`` in the paper.
    square_s : float
        Until so much was heard, both sides go on together; in the paper as long as the window.
    most_alone : int
        No side goes on alone for more frames than that; ``MaxRunCount``.
    lead_s : float
        As in :class:`sfmodel.motion.MotionSettings`.
    """

    window_s: float = 10.0
    square_s: float = 10.0
    most_alone: int = 3
    lead_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.window_s > 0 or self.most_alone < 1:
            raise ValueError(
                f"Dixon's time warping: window_s {self.window_s}, most_alone {self.most_alone}; expected above zero, "
                "and 1 or more"
            )
        if not 0 <= self.square_s <= self.window_s or not np.isfinite(self.lead_s):
            raise ValueError(
                f"Dixon's time warping: square_s {self.square_s}, lead_s {self.lead_s}; expected 0 to {self.window_s}, "
                "and a number"
            )


@dataclass(frozen=True)
class ArztSettings:
    """How Arzt's looks.

    Attributes
    ----------
    window_s : float
        To both sides of the last answer.
    largest_step : int
        Frames of the reference that the answer may go on for one of the performance.
    diagonal : float
        Weight of a frame's cost where both sides go on: 1 as Matchmaker has it, or 2, which is as much as two steps.
    lead_s : float
        As in :class:`sfmodel.motion.MotionSettings`.
    """

    window_s: float = 10.0
    largest_step: int = 3
    diagonal: float = 1.0
    lead_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.window_s > 0 or self.largest_step < 1:
            raise ValueError(
                f"Arzt's time warping: window_s {self.window_s}, largest_step {self.largest_step}; expected above "
                "zero, and 1 or more"
            )
        if not self.diagonal > 0 or not np.isfinite(self.lead_s):
            raise ValueError(
                f"Arzt's time warping: diagonal {self.diagonal}, lead_s {self.lead_s}; expected above zero, and a "
                "number"
            )


class _Costs(ABC):
    """Frames of the performance to costs at frames of the reference.

    Parameters
    ----------
    cells : int
    cell_s, step_s : float
    silent : ndarray of bool, shape (cells,)
        Where the reference is silent.

    Raises
    ------
    ValueError
        If there are no cells, or `silent` does not fit.
    """

    def __init__(self, cells: int, cell_s: float, step_s: float, silent: NDArray[np.bool_]) -> None:
        check_cells(cells, silent)
        self.cells, self.stride = cells, max(1, round(step_s / cell_s))
        quiet = np.asarray(silent[:: self.stride])
        sounding = np.flatnonzero(~quiet)
        self._before = max(0, int(sounding[0]) - 1) if len(sounding) else 0  # frames of silence that do not count
        self._silent = quiet[self._before :]
        self.frames = len(self._silent)
        self.place = 0  # the answer, in these frames of the reference
        self._sum, self._heard = 0.0, 0

    @property
    def belief(self) -> Float32Array:
        """All of it at the place, shape (cells,)."""
        belief = np.zeros(self.cells, dtype=np.float32)
        belief[(self._before + self.place) * self.stride] = 1
        return belief

    @abstractmethod
    def step(self, log_likelihood: Float32Array | None = None, silent: bool = False) -> Estimate:
        """Take a frame of the performance."""

    def skip(self, silent: bool = False) -> Estimate:
        """Take a frame for which there is no time: as one that was not heard."""
        del silent
        return self.step()

    def _cost(self, log_likelihood: Float32Array | None, silent: bool, first: int, last: int) -> Float32Array:
        if log_likelihood is not None:
            heard = log_likelihood[:: self.stride][self._before :]
            cost = np.asarray(heard.max() - heard[first:last], dtype=np.float32)
            self._sum, self._heard = self._sum + float(cost.mean()), self._heard + 1
            return cost
        usual = np.float32(SILENCE_SHARE * self._sum / self._heard)
        return np.where(self._silent[first:last] & silent, np.float32(0), usual)

    def _waiting(self, log_likelihood: Float32Array | None) -> bool:
        return log_likelihood is None and not self._heard

    def _estimate(self) -> Estimate:
        return Estimate(float((self._before + self.place) * self.stride), 1.0, float(self.stride))


class DixonWarping(_Costs):
    """Dixon's; takes what :class:`sfmodel.motion.Motion` takes, and answers alike.

    Frames of both sides are counted from 0. With a frame of the performance its costs at the last `window_s` of the
    reference come in, with a frame of the reference those of the last `window_s` of the performance. Where among the
    newest frames of either side the cheapest path for its length ends tells which side goes on: where it ends at the
    newest frame of the performance but not of the reference, the performance; the other way round, the reference; else
    both. A step of both sides weighs twice, so that all paths to a place are as long.

    Parameters
    ----------
    cells, cell_s, step_s, silent :
        As :class:`sfmodel.motion.Motion` takes them.
    settings : DixonSettings, optional

    Attributes
    ----------
    heard, reached : int
        The newest frames of performance and reference since sound began, -1 before the first.

    Raises
    ------
    ValueError
        If there are no cells, or `silent` does not fit.
    """

    def __init__(
        self,
        cells: int,
        cell_s: float,
        step_s: float,
        silent: NDArray[np.bool_],
        settings: DixonSettings | None = None,
    ) -> None:
        super().__init__(cells, cell_s, step_s, silent)
        self.settings = settings or DixonSettings()
        self.window = max(1, round(self.settings.window_s / step_s))
        self.square = round(self.settings.square_s / step_s)
        self.heard = self.reached = -1
        # While a frame of the performance is kept, so many frames of the reference at most can come in.
        width = min(self.frames, (self.settings.most_alone + 2) * self.window)
        self._costs = np.zeros((self.window, width), dtype=np.float32)  # of frame x in row x % window,
        self._first = np.zeros(self.window, dtype=np.int64)  # from this frame of the reference on
        self._total = np.full((self.window, self.window), np.inf)  # to x, y at [x % window, y % window]
        self._alone, self._run = NEITHER, 0

    def step(self, log_likelihood: Float32Array | None = None, silent: bool = False) -> Estimate:
        """Take a frame of the performance, and as many of the reference as the costs call for."""
        if self._waiting(log_likelihood):
            return self._estimate()
        self.heard += 1
        first = max(0, min(self.reached - self.window + 1, self.frames - self._costs.shape[1]))
        row = self.heard % self.window
        self._first[row] = first
        self._costs[row] = self._cost(log_likelihood, silent, first, first + self._costs.shape[1])
        if self.reached >= 0:
            self._add(self.heard, self.heard + 1, self.reached - self.window + 1, self.reached + 1)
        if self._alone == NEITHER:
            self._reach()
        # whether the reference goes on needs no further sound
        while self._next() == REFERENCE:
            self._reach()
        return self._estimate()

    def _reach(self) -> None:
        if self.reached + 1 < self.frames:
            self.reached += 1
            self._add(self.heard - self.window + 1, self.heard + 1, self.reached, self.reached + 1)

    def _next(self) -> int:
        """Find the place, and which side goes on; keeps count of how often one did alone."""
        x, self.place = compiled(_cheapest)(self._total, self.heard, self.reached)
        if self.reached == self.frames - 1:
            side = PERFORMANCE
        elif self.heard + 1 < self.square:
            side = NEITHER
        elif self._alone != NEITHER and self._run >= self.settings.most_alone:
            side = PERFORMANCE + REFERENCE - self._alone
        elif x < self.heard:
            side = REFERENCE
        else:
            side = PERFORMANCE if self.place < self.reached else NEITHER
        self._run = self._run + 1 if side == self._alone else 1
        self._alone = side
        return side

    def _add(self, x_first: int, x_end: int, y_first: int, y_end: int) -> None:
        compiled(_add_up)(
            self._total,
            self._costs,
            self._first,
            *(max(0, x_first), x_end, max(0, y_first), y_end),
            *(max(0, self.heard - self.window + 1), max(0, self.reached - self.window + 1)),
        )


class ArztWarping(_Costs):
    """Arzt's; takes what :class:`sfmodel.motion.Motion` takes, and answers alike.

    Parameters
    ----------
    cells, cell_s, step_s, silent :
        As :class:`sfmodel.motion.Motion` takes them.
    settings : ArztSettings, optional

    Raises
    ------
    ValueError
        If there are no cells, or `silent` does not fit.
    """

    def __init__(
        self,
        cells: int,
        cell_s: float,
        step_s: float,
        silent: NDArray[np.bool_],
        settings: ArztSettings | None = None,
    ) -> None:
        super().__init__(cells, cell_s, step_s, silent)
        self.settings = settings or ArztSettings()
        self.window = max(1, round(self.settings.window_s / step_s))
        self.heard = -1
        self._total = np.full(self.frames, np.inf)  # (frames,): of the cheapest path to each

    def step(self, log_likelihood: Float32Array | None = None, silent: bool = False) -> Estimate:
        """Take a frame of the performance."""
        if self._waiting(log_likelihood):
            return self._estimate()
        self.heard += 1
        first, last = max(0, self.place - self.window), min(self.frames, self.place + self.window + 1)
        cost = self._cost(log_likelihood, silent, first, last)
        self._total, cheapest = compiled(_take)(self._total, cost, first, self.heard, self.settings.diagonal)
        self.place = min(max(cheapest, self.place), self.place + self.settings.largest_step)
        return self._estimate()


def _add_up(
    total: FloatArray,
    costs: Float32Array,
    first: NDArray[np.int64],
    x_first: int,
    x_end: int,
    y_first: int,
    y_end: int,
    x_kept: int,
    y_kept: int,
) -> None:
    window = len(total)
    for x in range(x_first, x_end):
        row = x % window
        for y in range(y_first, y_end):
            cost = costs[row, y - first[row]]
            cheapest = 2 * cost if x == 0 and y == 0 else np.inf
            if x > x_kept:
                cheapest = min(cheapest, total[(x - 1) % window, y % window] + cost)
            if y > y_kept:
                cheapest = min(cheapest, total[row, (y - 1) % window] + cost)
            if x > x_kept and y > y_kept:
                cheapest = min(cheapest, total[(x - 1) % window, (y - 1) % window] + 2 * cost)
            total[row, y % window] = cheapest


def _cheapest(total: FloatArray, heard: int, reached: int) -> tuple[int, int]:
    window = len(total)
    least, at_x, at_y = np.inf, heard, reached
    for y in range(reached, max(-1, reached - window), -1):  # of ends that are as good, the one with no sound beyond it
        mean = total[heard % window, y % window] / (heard + y + 2)
        if mean < least:
            least, at_x, at_y = mean, heard, y
    for x in range(heard - 1, max(-1, heard - window), -1):
        mean = total[x % window, reached % window] / (x + reached + 2)
        if mean < least:
            least, at_x, at_y = mean, x, reached
    return at_x, at_y


def _take(before: FloatArray, cost: Float32Array, first: int, heard: int, diagonal: float) -> tuple[FloatArray, int]:
    total = np.full(len(before), np.inf)
    least, at = np.inf, 0
    for y in range(first, first + len(cost)):
        here = float(cost[y - first])
        cheapest = here if heard == 0 and y == 0 else before[y] + here
        if y > 0:
            cheapest = min(cheapest, total[y - 1] + here, before[y - 1] + diagonal * here)
        total[y] = cheapest
        mean = cheapest / (heard + y + 1)
        if mean < least:
            least, at = mean, y
    return total, at
