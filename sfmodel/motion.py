"""A belief about where in a reference a performance is, and how fast it moves: a Bayes filter over frames.

Conventions
-----------
The reference is cut into *cells* of equal length; a state is a cell, a tempo (cells a frame, one of some classes whose
logarithms lie evenly), and whether the music moves or is *held*: a pause, during which the place stays and the tempo is
remembered. With every frame of the performance (a *step*) the belief moves on by the tempi, tempi change to their
neighbours, holds begin and end, and a small share jumps anywhere: a passage played again, left out, or begun in the
middle. Then what was heard is weighed in.

Neighbouring frames hear nearly the same sound, so their evidence must not count in full: it is raised to a power
below one (``evidence``). Silence is no evidence of any place; while the performance is silent and the reference is not,
it speaks for a hold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfmodel.compiling import compiled

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class MotionSettings:
    """How a performance moves, and how far what is heard counts.

    Attributes
    ----------
    tempos : int
        Classes, odd.
    fastest : float
        The fastest tempo against the reference's; the slowest is as many times slower.
    tempo_spread : float
        Standard deviation of the tempo's natural logarithm where nothing is known of it.
    tempo_change : float
        Probability that the tempo goes to a neighbouring class in a step.
    hold_begin, hold_end : float
        Probabilities of a step.
    jump : float
        Probability of a jump in a step.
    start_share : float
        Belief that the performance begins at the reference's beginning; the rest lies anywhere.
    evidence : float
        Exponent of what is heard; log likelihoods are multiplied by it.
    silence : float
        Log weight of a silent frame against moving through what is not silent.
    near_s : float
        The answer is the place with the greatest belief within so much to both sides.
    lead_s : float
        The answer tells where the music will be after so much more time.
    """

    tempos: int = 19
    fastest: float = 2.4
    tempo_spread: float = 0.25
    tempo_change: float = 0.2
    hold_begin: float = 1e-6
    hold_end: float = 0.05
    jump: float = 1e-14
    start_share: float = 1 - 1e-5
    evidence: float = 0.15
    silence: float = 2.0
    near_s: float = 0.06
    lead_s: float = 0.027

    def __post_init__(self) -> None:
        if self.tempos < 3 or self.tempos % 2 == 0 or self.tempos > 255:
            raise ValueError(f"motion: tempos {self.tempos}; expected an odd number from 3 to 255")
        if not self.fastest > 1:
            raise ValueError(f"motion: fastest {self.fastest}; expected a factor above 1")
        for name in ("tempo_change", "hold_begin", "hold_end", "jump", "start_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"motion: {name} {getattr(self, name)}; expected a probability below 1")
        for name in ("tempo_spread", "evidence", "near_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"motion: {name} {getattr(self, name)}; expected a number above zero")
        if not (self.silence >= 0 and np.isfinite(self.lead_s)):
            raise ValueError(f"motion: silence {self.silence}, lead_s {self.lead_s}; expected 0 or more, and a number")

    def tempo_classes(self) -> NDArray[np.float64]:
        """Reference seconds a second, shape (tempos,)."""
        return np.exp(np.linspace(-np.log(self.fastest), np.log(self.fastest), self.tempos))

    def tempo_prior(self) -> NDArray[np.float64]:
        """Probability of every class, shape (tempos,)."""
        weight = np.exp(-(np.log(self.tempo_classes()) ** 2) / (2 * self.tempo_spread**2))
        return np.asarray(weight / weight.sum())


@dataclass(frozen=True)
class Estimate:
    """What a belief comes down to.

    Attributes
    ----------
    cell : float
        The place, in cells.
    confidence : float
        Belief within ``near_s`` of it.
    cells_per_step : float
        The tempo there; held music counts as standing.
    """

    cell: float
    confidence: float
    cells_per_step: float


class Motion:
    """The filter.

    Parameters
    ----------
    cells : int
        Of the reference.
    cell_s, step_s : float
        Length of a cell, and of a frame of the performance.
    silent : ndarray of bool, shape (cells,)
        Where the reference is silent.
    settings : MotionSettings, optional

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
        settings: MotionSettings | None = None,
    ) -> None:
        if cells < 1 or len(silent) != cells:
            raise ValueError(f"{cells} cells, {len(silent)} of them known as silent or not; expected one or more")
        self.settings = settings = settings or MotionSettings()
        self.cells, self.near = cells, max(1, round(settings.near_s / cell_s))
        self.shift = settings.tempo_classes() * step_s / cell_s  # (tempos,): cells a step
        prior = settings.tempo_prior().astype(np.float32)
        self._sounding = (~silent).astype(np.float32)
        self._nowhere = np.zeros(cells, dtype=np.float32)
        self._moving = np.zeros((settings.tempos, cells), dtype=np.float32)
        self._held = np.full((settings.tempos, cells), (1 - settings.start_share) / cells, dtype=np.float32)
        self._held[:, 0] += settings.start_share
        self._held *= prior[:, None]
        self._moved = np.zeros_like(self._moving)
        self._prior = prior
        self.belief = self._held.sum(axis=0)  # (cells,): about the place alone

    def step(self, log_likelihood: Float32Array | None = None, silent: bool = False) -> Estimate:
        """Move on by a frame, and weigh in what was heard.

        Parameters
        ----------
        log_likelihood : ndarray of float32, shape (cells,), optional
            Up to a constant; None where nothing is known.
        silent : bool
            Whether the performance is.
        """
        given = self.settings
        evidence = given.evidence if log_likelihood is not None else 0.0
        heard = self._nowhere if log_likelihood is None else np.ascontiguousarray(log_likelihood, dtype=np.float32)
        cell, confidence, tempo = compiled(_step, fastmath=True)(
            self._moving,
            self._held,
            self._moved,
            self.belief,
            heard,
            self._sounding,
            self.shift,
            self._prior,
            *(evidence, given.silence if silent else 0.0, given.tempo_change, given.hold_begin, given.hold_end),
            given.jump,
            self.near,
        )
        return Estimate(cell, confidence, tempo)


def _step(
    moving: Float32Array,
    held: Float32Array,
    moved: Float32Array,
    belief: Float32Array,
    heard: Float32Array,
    sounding: Float32Array,
    shift: NDArray[np.float64],
    prior: Float32Array,
    evidence: float,
    silence: float,
    tempo_change: float,
    hold_begin: float,
    hold_end: float,
    jump: float,
    near: int,
) -> tuple[float, float, float]:
    """A step of the filter, to be compiled; all beliefs are changed in place."""
    tempos, cells = moving.shape
    largest = heard.max()
    for x in range(cells):
        heard_x = np.float32(evidence) * (heard[x] - largest)
        belief[x] = np.exp(heard_x)  # for the time being: the likelihood
    silent = np.float32(np.exp(-silence))
    for v in range(tempos):
        whole = int(shift[v])
        part = np.float32(shift[v] - whole)
        old, new = moving[v], moved[v]
        new[: min(whole + 1, cells)] = 0
        if whole < cells:
            new[whole] = (1 - part) * old[0]
        for x in range(whole + 1, cells):
            new[x] = (1 - part) * old[x - whole] + part * old[x - whole - 1]
        for x in range(max(0, cells - whole - 1), cells):  # what leaves the reference stays at its end
            new[cells - 1] += old[x] if x >= cells - whole else part * old[x]
    stay, change = np.float32(1 - tempo_change), np.float32(tempo_change / 2)
    begin, end = np.float32(hold_begin), np.float32(hold_end)
    total = 0.0
    for v in range(tempos):
        slower, faster, same = moved[max(v - 1, 0)], moved[min(v + 1, tempos - 1)], moved[v]
        anywhere = np.float32(jump * prior[v] / cells)
        now, rest = moving[v], held[v]
        for x in range(cells):
            come = stay * same[x] + change * (slower[x] + faster[x])
            was = rest[x]
            likely = belief[x]
            away = silent if sounding[x] > 0 else np.float32(1)
            go = ((1 - begin) * come + end * was + anywhere) * likely * away
            stand = ((1 - end) * was + begin * come) * likely
            now[x], rest[x] = go, stand
            total += go + stand
    scale = np.float32(1 / max(total, 1e-35))
    belief[:] = 0
    for v in range(tempos):
        now, rest = moving[v], held[v]
        for x in range(cells):
            now[x] *= scale
            rest[x] *= scale
            belief[x] += now[x] + rest[x]
    within, best, place = 0.0, -1.0, 0
    for x in range(min(near, cells)):
        within += belief[x]
    for x in range(cells):
        if x + near < cells:
            within += belief[x + near]
        if x - near - 1 >= 0:
            within -= belief[x - near - 1]
        if within > best:
            best, place = within, x
    first, last = max(0, place - near), min(cells, place + near + 1)
    mass, centre, speed = 0.0, 0.0, 0.0
    for x in range(first, last):
        mass += belief[x]
        centre += belief[x] * x
    for v in range(tempos):
        for x in range(first, last):
            speed += moving[v, x] * shift[v]
    if mass <= 0:
        return float(place), 0.0, 0.0
    return centre / mass, min(1.0, mass), speed / mass
