"""Tempo: a global factor, a smooth curve, slowing at the ends of phrases, sudden changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import NoteArray, copy_notes
from sfdata.operations.base import (
    Drawn,
    check_between,
    check_range,
    chord_numbers,
    chord_onsets,
    draw_log,
    random_walk,
    tempo_map,
    warp_by_tempo,
    warp_in_turn,
)

SLOWING_STEPS = 8
LONGEST_WALK = 5.0  # the curve stays within this many times the walk's deviation


@dataclass(frozen=True)
class Tempo:
    """One factor for a whole variant.

    Attributes
    ----------
    factor : (float, float)
        Range, drawn on a logarithmic scale; 2 is twice as fast.
    """

    name: ClassVar[str] = "tempo"
    factor: tuple[float, float] = (0.8, 1.25)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "factor", self.factor, 0.1, 10)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``factor``."""
        return {"factor": round(float(draw_log(self.factor, 1, rng)[0]), 6)}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Divide all distances from the first onset by the factor."""
        first_s = notes["onset_s"][0]
        return copy_notes(
            notes, **{name: first_s + (notes[name] - first_s) / drawn["factor"] for name in ("onset_s", "offset_s")}
        )


@dataclass(frozen=True)
class TempoWalk:
    """A tempo curve: a random walk that is drawn back to the mean (Ornstein-Uhlenbeck process), and unsteadiness.

    Human tempo has both: what happens two seconds apart is but weakly related, yet eight seconds apart not much less.

    Attributes
    ----------
    deviation : (float, float)
        Range of the walk's standard deviation in octaves of tempo (0.1: a tenth of a doubling), drawn for each
        variant.
    memory_s : float
        Time after which the walk has forgotten two thirds of where it was.
    unsteadiness : (float, float)
        Range of the standard deviation of each step by itself, as a multiple of the walk's: free players are free in
        both.
    every_s : float
        Distance between the curve's steps.
    """

    name: ClassVar[str] = "tempo_walk"
    deviation: tuple[float, float] = (0.04, 0.16)
    memory_s: float = 12.0
    unsteadiness: tuple[float, float] = (1.4, 2.0)
    every_s: float = 0.5
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "deviation", self.deviation, 0, 1)
        check_range(self.name, "unsteadiness", self.unsteadiness, 0, 10)
        check_between(self.name, 0.05, 600, memory_s=self.memory_s, every_s=self.every_s)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``octaves``: thousandths of an octave for each step of ``every_s`` from the first onset on."""
        deviation, unsteadiness = rng.uniform(*self.deviation), rng.uniform(*self.unsteadiness)
        length_s = float(notes["offset_s"].max() - notes["onset_s"][0])
        steps = max(1, int(np.ceil(length_s / self.every_s)))
        walk, own = random_walk(np.full(steps, self.every_s), self.memory_s, rng), rng.standard_normal(steps)
        curve = deviation * np.clip(walk + unsteadiness * own, -LONGEST_WALK, LONGEST_WALK)
        return {"every_s": self.every_s, "octaves": np.rint(curve * 1000).astype(int).tolist()}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Play each step at its tempo."""
        octaves = np.asarray(drawn["octaves"], dtype=np.float64) / 1000
        at_s = notes["onset_s"][0] + drawn["every_s"] * np.arange(len(octaves) + 1)
        return warp_by_tempo(notes, at_s, 2.0**octaves)


@dataclass(frozen=True)
class PhraseSlowing:
    """Slowing towards the ends of phrases, and of the piece.

    A phrase may end with a chord that is followed by a time at least `break_ratio` times as long as usual around it
    (the median of 16 chords): a long note, or a rest. Time slows down towards that chord, and towards the last one.

    Attributes
    ----------
    factor : (float, float)
        Range of the tempo reached at a phrase's end; 0.7 is 0.7 times as fast.
    end_factor : (float, float)
        The same at the piece's end.
    length_s : (float, float)
        Range of the time before the end in which it slows down.
    rate : float
        Share of the possible phrase ends that get one; the piece's end always does.
    break_ratio : float
    """

    name: ClassVar[str] = "phrase_slowing"
    factor: tuple[float, float] = (0.6, 0.95)
    end_factor: tuple[float, float] = (0.45, 0.95)
    length_s: tuple[float, float] = (0.8, 3.0)
    rate: float = 0.5
    break_ratio: float = 1.8
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "factor", self.factor, 0.1, 1)
        check_range(self.name, "end_factor", self.end_factor, 0.1, 1)
        check_range(self.name, "length_s", self.length_s, 0.1, 60)
        check_between(self.name, 1, 100, break_ratio=self.break_ratio)
        check_between(self.name, 0, 1, probability=self.probability, rate=self.rate)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``slowings``: a list of [end in seconds, length in seconds, tempo reached]."""
        onset_s = chord_onsets(notes, chord_numbers(notes))
        between_s = np.diff(onset_s)
        usual_s = _running_median(between_s, 8)
        ends = np.append(onset_s[:-1][between_s >= self.break_ratio * usual_s], onset_s[-1])
        chosen = rng.random(len(ends)) < self.rate
        chosen[-1] = True
        lengths, factors = rng.uniform(*self.length_s, len(ends)), rng.uniform(*self.factor, len(ends))
        factors[-1] = rng.uniform(*self.end_factor)
        slowings: list[list[float]] = []
        free_from_s = float(onset_s[0])
        for end_s, length_s, factor in zip(ends[chosen], lengths[chosen], factors[chosen], strict=True):
            length_s = min(length_s, end_s - free_from_s)
            if length_s > 0.1:
                slowings.append([round(float(end_s), 4), round(float(length_s), 4), round(float(factor), 4)])
                free_from_s = float(end_s)
        return {"slowings": slowings}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Slow down along a parabola; after the end, the tempo is what it was before."""
        edges = np.linspace(0, 1, SLOWING_STEPS + 1)
        middle_squared = ((np.arange(SLOWING_STEPS) + 0.5) / SLOWING_STEPS) ** 2

        def maps() -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
            shift_s = 0.0
            for end_s, length_s, factor in drawn["slowings"]:
                at_s = shift_s + end_s - length_s + length_s * edges
                tempo = 1 - (1 - factor) * middle_squared
                yield at_s, tempo_map(at_s, tempo)
                shift_s += float(((at_s[1:] - at_s[:-1]) / tempo).sum() - length_s)

        return warp_in_turn(notes, maps())


@dataclass(frozen=True)
class TempoChange:
    """Sudden changes: from somewhere on, the music goes at another tempo for a while.

    Attributes
    ----------
    factor : (float, float)
        Range of the tempo, drawn on a logarithmic scale.
    per_minute : float
        Mean number of changes a minute.
    length_s : (float, float)
        Range of the time it lasts.
    """

    name: ClassVar[str] = "tempo_change"
    factor: tuple[float, float] = (0.7, 1.4)
    per_minute: float = 0.5
    length_s: tuple[float, float] = (3.0, 20.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.name, "factor", self.factor, 0.1, 10)
        check_range(self.name, "length_s", self.length_s, 0.1, 3600)
        check_between(self.name, 0, 60, per_minute=self.per_minute)
        check_between(self.name, 0, 1, probability=self.probability)

    def draw(self, notes: NoteArray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw ``changes``: a list of [from in seconds, to in seconds, factor], each from one onset to another."""
        onset_s = notes["onset_s"]
        changes: list[list[float]] = []
        time_s, end_s = float(onset_s[0]), float(onset_s[-1])
        while self.per_minute > 0:
            time_s += rng.exponential(60 / self.per_minute)
            length_s, factor = rng.uniform(*self.length_s), float(draw_log(self.factor, 1, rng)[0])
            begin = int(np.searchsorted(onset_s, time_s))
            end = min(int(np.searchsorted(onset_s, time_s + length_s)), len(onset_s) - 1)
            if time_s >= end_s or begin >= end:
                break
            changes.append([round(float(onset_s[begin]), 4), round(float(onset_s[end]), 4), round(factor, 4)])
            time_s = max(time_s + length_s, float(onset_s[end]))
        return {"changes": changes}

    @staticmethod
    def apply(notes: NoteArray, drawn: Drawn) -> NoteArray:
        """Play each stretch at its tempo."""
        if not drawn["changes"]:
            return notes
        knots: list[float] = []
        tempo: list[float] = []
        for begin_s, end_s, factor in drawn["changes"]:
            if knots and begin_s == knots[-1]:
                tempo[-1] = factor
            else:
                knots.append(begin_s)
                tempo.append(factor)
            knots.append(end_s)
            tempo.append(1.0)
        return warp_by_tempo(notes, np.array(knots), np.array(tempo[:-1]))


def _running_median(values: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Median of each value, the `half` before it, and the ``half - 1`` after it; of fewer at both ends."""
    width = 2 * half
    whole = np.lib.stride_tricks.sliding_window_view(values, width) if len(values) >= width else np.empty((0, width))
    ranks = np.sort(whole, axis=1)[:, half - 1 : half + 1]
    medians = np.empty(len(values))
    medians[half : half + len(ranks)] = (ranks[:, 0] + ranks[:, 1]) / 2
    for place in [*range(min(half, len(values))), *range(max(half, half + len(ranks)), len(values))]:
        ranked = np.sort(values[max(0, place - half) : place + half])
        medians[place] = (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    return medians
