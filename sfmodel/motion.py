"""A belief about where in a reference a performance is, and how fast it moves: a Bayes filter over frames.

Conventions
-----------
The reference is cut into *cells* of equal length; a state is a cell, a tempo (cells a frame, one of some classes whose
logarithms lie evenly), and whether the music moves or is *held*: a pause, during which the place stays and the tempo is
remembered. With every frame of the performance (a *step*) the belief moves on by the tempi, tempi change to their
neighbours or are drawn anew about what they have been of late, holds begin and end, and a small share jumps anywhere: a
passage played again, left out, or begun in the middle. Then what was heard is weighed in.

Neighbouring frames hear nearly the same sound, so their evidence must not count in full: it is raised to a power
below one (``evidence``). While a note sounds on, no frame tells how long it has been sounding, but one place in it
always fits a little better than the others, and would draw the belief to itself: so places that fit nearly as well as
the best one count like it (``slack``).

Silence is no evidence of any place, but no note begins in it: while the performance is silent, the music goes on to
where the reference's next note begins, no further, and waits there, be it a rest, a note cut short, a pause, or that
nothing has been played yet. Nothing is lost on the way, so however long the silence, no other place gains by it.

The next onset keeps the belief from running ahead of what has been heard, so that at the moment it sounds what is not
yet there lies behind it: a mean would always come late. The answer is a higher quantile of the belief.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sfmodel.compiling import compiled
from sfmodel.motion_step import filter_step

BEGUN = 0.5  # believed so far that the music moves, a pause is over

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
    tempo_reset : float
        Probability that it is drawn anew in a step, about the mean of its logarithm so far.
    tempo_memory_s : float
        How far back that mean reaches.
    hold_begin, hold_end : float
        Probabilities of a step.
    pause_after_s, pause_end : float
        During silence this is the probability that a hold ends; after one that has lasted so long, and before the
        music begins, it is so until the music moves.
    jump : float
        Probability of a jump in a step.
    start_share : float
        Belief that the performance begins at the reference's beginning; the rest lies anywhere.
    evidence : float
        Exponent of what is heard; log likelihoods are multiplied by it.
    slack : float
        Log likelihoods that lie no further below the best one count like it.
    passing : float
        While the performance is silent, this share of what moves goes on, in a step, where a note begins.
    near_s : float
        The answer lies about the place with the greatest belief within so much to both sides.
    around_s, quantile : float
        It is this quantile of the belief within so much of that place.
    lead_s : float
        The answer tells where the music will be after so much more time.
    """

    tempos: int = 19
    fastest: float = 2.4
    tempo_spread: float = 0.25
    tempo_change: float = 0.2
    tempo_reset: float = 0.03
    tempo_memory_s: float = 8.0
    hold_begin: float = 1e-3
    hold_end: float = 0.5
    pause_after_s: float = 0.5
    pause_end: float = 0.05
    jump: float = 1e-14
    start_share: float = 1 - 1e-5
    evidence: float = 0.22
    slack: float = 2.0
    passing: float = 0.005
    near_s: float = 0.06
    around_s: float = 0.4
    quantile: float = 0.75
    lead_s: float = 0.007

    def __post_init__(self) -> None:
        if self.tempos < 3 or self.tempos % 2 == 0 or self.tempos > 255:
            raise ValueError(f"motion: tempos {self.tempos}; expected an odd number from 3 to 255")
        if not self.fastest > 1:
            raise ValueError(f"motion: fastest {self.fastest}; expected a factor above 1")
        for name in (
            "tempo_change",
            "tempo_reset",
            "hold_begin",
            "hold_end",
            "pause_end",
            "passing",
            "jump",
            "start_share",
            "quantile",
        ):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"motion: {name} {getattr(self, name)}; expected a probability below 1")
        if self.tempo_change + self.tempo_reset > 1:
            raise ValueError(
                f"motion: tempo_change {self.tempo_change} and tempo_reset {self.tempo_reset}; expected no more than 1 "
                "together"
            )
        for name in ("tempo_spread", "tempo_memory_s", "evidence", "near_s", "around_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"motion: {name} {getattr(self, name)}; expected a number above zero")
        if not (self.slack >= 0 and np.isfinite(self.lead_s)):
            raise ValueError(f"motion: slack {self.slack}, lead_s {self.lead_s}; expected 0 or more, and a number")

    def tempo_classes(self) -> NDArray[np.float64]:
        """Reference seconds a second, shape (tempos,)."""
        return np.exp(np.linspace(-np.log(self.fastest), np.log(self.fastest), self.tempos))

    def tempo_prior(self, about: float = 0.0) -> NDArray[np.float64]:
        """Probability of every class, shape (tempos,), where the tempo's natural logarithm has been `about`."""
        weight = np.exp(-((np.log(self.tempo_classes()) - about) ** 2) / (2 * self.tempo_spread**2))
        return np.asarray(weight / weight.sum())


@dataclass(frozen=True)
class Estimate:
    """What a belief comes down to.

    Attributes
    ----------
    cell : float
        The place, in cells.
    confidence : float
        Belief within ``near_s`` of where it is greatest.
    cells_per_step : float
        The tempo there; held music counts as standing.
    """

    cell: float
    confidence: float
    cells_per_step: float


def check_cells(cells: int, known: NDArray[np.bool_]) -> None:
    """Refuse a reference without cells, or of which something is not known of every cell.

    Raises
    ------
    ValueError
        If there are no cells, or `known` does not fit.
    """
    if cells < 1 or len(known) != cells:
        raise ValueError(f"{cells} cells, something known of {len(known)}; expected one or more, and all of them known")


class Motion:
    """The filter.

    Parameters
    ----------
    cells : int
        Of the reference.
    cell_s, step_s : float
        Length of a cell, and of a frame of the performance.
    struck : ndarray of bool, shape (cells,)
        Where notes of the reference begin.
    settings : MotionSettings, optional

    Raises
    ------
    ValueError
        If there are no cells, or `struck` does not fit.
    """

    def __init__(
        self,
        cells: int,
        cell_s: float,
        step_s: float,
        struck: NDArray[np.bool_],
        settings: MotionSettings | None = None,
    ) -> None:
        check_cells(cells, struck)
        self.settings = settings = settings or MotionSettings()
        self.cells, self.near = cells, max(1, round(settings.near_s / cell_s))
        self.around = max(self.near, round(settings.around_s / cell_s))
        self.shift = settings.tempo_classes() * step_s / cell_s  # (tempos,): cells a step
        self._log_tempo, self._usual = np.log(settings.tempo_classes()), 0.0  # its logarithm's mean so far
        self._forget = step_s / settings.tempo_memory_s
        self._step_s, self._silent_s, self._paused = step_s, 0.0, True
        prior = settings.tempo_prior().astype(np.float32)
        self._struck = struck.astype(np.float32)
        self._nowhere = np.zeros(cells, dtype=np.float32)
        self._moving = np.zeros((settings.tempos, cells), dtype=np.float32)
        self._held = np.full((settings.tempos, cells), (1 - settings.start_share) / cells, dtype=np.float32)
        self._held[:, 0] += settings.start_share
        self._held *= prior[:, None]
        self._moved = np.zeros_like(self._moving)
        self._tempo_prior = prior
        self._tempo_belief = np.zeros(settings.tempos, dtype=np.float64)  # of what moves
        self._somewhere = np.zeros(cells, dtype=np.float32)
        self.belief = self._held.sum(axis=0)  # (cells,): about the place alone
        self._last, self._skipped = Estimate(0.0, 0.0, 0.0), 0

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
        self._silent_s = self._silent_s + self._step_s if silent else 0.0
        self._paused |= self._silent_s > given.pause_after_s
        hold_end = given.pause_end if silent or self._paused else given.hold_end
        evidence = given.evidence if log_likelihood is not None else 0.0
        heard = self._nowhere if log_likelihood is None else np.ascontiguousarray(log_likelihood, dtype=np.float32)
        cell, confidence, tempo = compiled(filter_step, fastmath=True)(
            self._moving,
            self._held,
            self._moved,
            self._somewhere,
            self.belief,
            self._tempo_belief,
            heard,
            self._struck,
            self.shift * (1 + self._skipped),
            self._tempo_prior,
            *(evidence, given.slack, given.passing if silent else 1.0),
            *(given.tempo_change, given.tempo_reset, given.hold_begin, hold_end, given.jump),
            *(self.near, self.around, given.quantile),
        )
        tempo /= 1 + self._skipped
        self._last, self._skipped = Estimate(cell, confidence, tempo), 0
        if self._tempo_belief.sum() > BEGUN:
            self._paused = False
        if not silent:
            # moves in proportion to the belief that the music moves at all
            away = self._tempo_belief @ (self._log_tempo - self._usual)
            self._usual += self._forget * float(away)
            self._tempo_prior = given.tempo_prior(self._usual).astype(np.float32)
        return self._last

    def skip(self, silent: bool = False) -> Estimate:
        """Let a frame pass for which there is no time: costs nothing, and the next step is as much longer.

        Parameters
        ----------
        silent : bool
            Whether the performance is; then the music waits.
        """
        if not silent:
            self._skipped += 1
            cell = min(self._last.cell + self._last.cells_per_step, self.cells - 1.0)
            self._last = replace(self._last, cell=cell)
        return self._last
