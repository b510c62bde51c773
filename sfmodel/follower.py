"""Following a performance while it sounds: from samples as they come to places in the reference.

>>> from sfmodel.follower import open_follower
>>> follower = open_follower("score.mid")                                                         # doctest: +SKIP
>>> for block in blocks_of_sound:                                                                 # doctest: +SKIP
...     for report in follower.push(block):
...         print(report.performance_time_s, report.reference_time_s)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.side import SCORE_VELOCITY, Side, existing_file, open_sound, read_side
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfdata.spectrogram import SpectrogramStream
from sfmodel.evidence import CELLS_PER_FRAME, LEARNED, Evidence, in_cells, open_evidence
from sfmodel.motion import Motion, MotionSettings
from sfmodel.oltw import ArztSettings, ArztWarping, DixonSettings, DixonWarping
from sfmodel.online_dtw import OnlineDtw, OnlineDtwSettings
from sfmodel.silence import Beginning, Silence, struck_frames
from sfmodel.trace import Trace

AnyMotionSettings = MotionSettings | OnlineDtwSettings | DixonSettings | ArztSettings

BELIEF_EVERY_S = 0.1  # a follower that keeps its belief keeps so many of them,
BELIEF_CELL_S = 0.1  # in cells of such length
WARMING_FRAMES = 64
LONGEST_DELAY_S = 2.0


@dataclass(frozen=True)
class Report:
    """Where the performance is.

    Attributes
    ----------
    performance_time_s : float
        The moment it speaks of: how much of the performance has been heard, less the follower's delay.
    reference_time_s : float
        Where in the reference's file that lies.
    confidence : float
        Belief in that place and its surroundings, 0 to 1.
    """

    performance_time_s: float
    reference_time_s: float
    confidence: float


class Follower:
    """Follows one performance through one reference.

    Causal: a report comes as soon as the samples up to its time, and for `delay_s` after it, have been pushed, and
    uses no sound after these.

    Parameters
    ----------
    reference : Side
        Frames as `evidence` takes them.
    evidence : Evidence, optional
        Default the trained one that ships.
    motion : MotionSettings, OnlineDtwSettings, DixonSettings or ArztSettings, optional
        How places follow one another: a belief, or the path of one of the kinds of online dynamic time warping.
    keep_belief : bool
        Keep the belief every 0.1 s, for :meth:`trace`.
    delay_s : float
        Tell where the music was so long ago, rather than where it is now: what came since makes that surer.

    Attributes
    ----------
    sample_rate_hz : int
        Of the sound it takes.
    performance_start_s : float
        Time of the first sample, 0 unless set: where a file's beginning was left out.

    Raises
    ------
    ValueError
        If the reference's frames are others than the evidence's, or the delay is negative or longer than 2 s.
    """

    def __init__(
        self,
        reference: Side,
        evidence: Evidence | None = None,
        motion: AnyMotionSettings | None = None,
        keep_belief: bool = False,
        delay_s: float = 0.0,
    ) -> None:
        if not 0 <= delay_s <= LONGEST_DELAY_S:
            raise ValueError(f"a delay of {delay_s} s; expected 0 to {LONGEST_DELAY_S:.0f}")
        self.evidence = evidence or open_evidence()
        spectrogram = self.evidence.spectrogram
        if reference.frame_rate_hz != spectrogram.frame_rate_hz or reference.frames.shape[1] != spectrogram.n_bins:
            raise ValueError(
                f"{reference.name} has {reference.frames.shape[1]} bins at {reference.frame_rate_hz} Hz; this follower "
                f"hears {spectrogram.n_bins} at {spectrogram.frame_rate_hz} Hz"
            )
        self.reference, self.spectrogram = reference, spectrogram
        self.sample_rate_hz = spectrogram.sample_rate_hz
        self.step_s = 1 / spectrogram.frame_rate_hz
        self.cell_s = self.step_s / CELLS_PER_FRAME
        tonal = spectrogram.scale == "log"
        cells = CELLS_PER_FRAME * (len(reference.frames) - 1) + 1
        self.motion: Motion | OnlineDtw | DixonWarping | ArztWarping
        if isinstance(motion, OnlineDtwSettings):
            self.motion = OnlineDtw(cells, self.cell_s, self.step_s, motion)
        elif isinstance(motion, DixonSettings | ArztSettings):
            silent = in_cells(Silence(tonal).push(reference.frames).astype(np.float32)[:, None])[:, 0] > 0.5
            if isinstance(motion, DixonSettings):
                self.motion = DixonWarping(cells, self.cell_s, self.step_s, silent, motion)
            else:
                self.motion = ArztWarping(cells, self.cell_s, self.step_s, silent, motion)
        else:
            struck = np.repeat(struck_frames(reference.frames), CELLS_PER_FRAME)[:cells]
            self.motion = Motion(cells, self.cell_s, self.step_s, struck, motion)
        self._stream = SpectrogramStream(spectrogram)
        self._listening = self.evidence.listen(reference.frames)
        self._silence, self._steps = Silence(tonal), 0
        self._beginning = Beginning() if tonal else None
        self.performance_start_s = 0.0
        self._kept: list[tuple[float, NDArray[np.float32]]] | None = [] if keep_belief else None
        self._reports: list[Report] = []
        half_window_s = spectrogram.n_fft / 2 / spectrogram.sample_rate_hz
        self._heard_after_s = half_window_s  # a frame has been heard so long after its middle
        self._ahead_s = half_window_s - self.evidence.anchor_s + self.motion.settings.lead_s - delay_s
        self._delay_s = delay_s

    def push(self, samples: NDArray[np.float32], listen: bool = True) -> list[Report]:
        """Take the next samples.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)
            Mono, at `sample_rate_hz`; any number of them.
        listen : bool
            False moves on without weighing what is heard, for when time is short.

        Returns
        -------
        list of Report
            One for every frame that is complete; while less than the delay has been heard, none.
        """
        return self._follow(self._stream.push(np.asarray(samples, dtype=np.float32)), listen)

    def finish(self) -> list[Report]:
        """End the performance: the reports of its last frames, beyond which all is silent."""
        return self._follow(self._stream.finish(), True)

    def follow(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[Report]:
        """Follow a whole performance that comes in blocks."""
        for block in blocks:
            yield from self.push(block)
        yield from self.finish()

    def warm_up(self) -> None:
        """Have everything compiled and loaded, so that the first block costs no more than others."""
        beginning = replace(self.reference, frames=self.reference.frames[:WARMING_FRAMES])
        other = Follower(beginning, self.evidence, self.motion.settings)
        other.push(np.zeros(self.spectrogram.n_fft, dtype=np.float32))

    def trace(self) -> Trace:
        """All reports so far, and the beliefs that were kept."""
        step = round(BELIEF_CELL_S / self.cell_s)
        cells = -(-self.motion.cells // step)
        belief = np.zeros((0, cells), dtype=np.float32)
        if self._kept:
            belief = np.stack([row for _, row in self._kept])
        return Trace(
            np.array([report.performance_time_s for report in self._reports]),
            np.array([report.reference_time_s for report in self._reports]),
            np.array([report.confidence for report in self._reports]),
            belief,
            np.array([time_s for time_s, _ in self._kept or ()]),
            step * self.cell_s,
            self.reference.start_s,
        )

    def _follow(self, frames: NDArray[np.float32], listen: bool) -> list[Report]:
        if not len(frames):
            return []
        silent = self._silent(frames)
        heard = self._listening.push(frames) if listen else [None] * len(frames)
        reports = []
        for is_silent, log_likelihood in zip(silent.tolist(), heard, strict=True):
            if listen:  # silence sounds alike wherever it is
                estimate = self.motion.step(None if is_silent else log_likelihood, is_silent)
            else:
                estimate = self.motion.skip(is_silent)
            ahead_cells = estimate.cells_per_step * self._ahead_s / self.step_s
            cell = min(max(estimate.cell + ahead_cells, 0.0), self.motion.cells - 1.0)
            time_s = self._steps * self.step_s + self._heard_after_s + self.performance_start_s
            place_s = cell * self.cell_s + self.reference.start_s
            if time_s - self._delay_s >= self.performance_start_s:
                reports.append(Report(time_s - self._delay_s, place_s, estimate.confidence))
            self._steps += 1
            if self._kept is not None and time_s - self.performance_start_s >= len(self._kept) * BELIEF_EVERY_S:
                self._kept.append((time_s, self._coarse_belief()))
        if self._kept is not None:
            self._reports += reports
        return reports

    def _silent(self, frames: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which frames are silent; noise before the first note is."""
        noise = self._beginning.push(frames) if self._beginning else 0
        if noise < len(frames):
            self._beginning = None
        return np.concatenate([np.ones(noise, dtype=bool), self._silence.push(frames[noise:])])

    def _coarse_belief(self) -> NDArray[np.float32]:
        step = round(BELIEF_CELL_S / self.cell_s)
        padded = np.pad(self.motion.belief, (0, -self.motion.cells % step))
        return np.asarray(padded.reshape(-1, step).sum(axis=1), dtype=np.float32)


def open_follower(
    reference: str | Path | Side,
    evidence: str | Path | Evidence = LEARNED,
    soundfont: str = DEFAULT_INSTRUMENT,
    motion: AnyMotionSettings | None = None,
    keep_belief: bool = False,
    delay_s: float = 0.0,
) -> Follower:
    """Make a follower for a reference.

    Parameters
    ----------
    reference : path or Side
        MIDI, all of whose notes are played with the same velocity, or sound.
    evidence : str, path or Evidence
        See :func:`sfmodel.evidence.open_evidence`.
    soundfont : str
        Plays MIDI.
    motion, keep_belief, delay_s :
        See :class:`Follower`.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If it cannot be read or does not fit.
    """
    hearing = open_evidence(evidence) if isinstance(evidence, str | Path) else evidence
    if not isinstance(reference, Side):
        reference = read_side(reference, hearing.spectrogram, soundfont, SCORE_VELOCITY)
    return Follower(reference, hearing, motion, keep_belief, delay_s)


def follow_files(
    reference: str | Path,
    performance: str | Path,
    evidence: str | Path | Evidence = LEARNED,
    soundfont: str = DEFAULT_INSTRUMENT,
    follower: Follower | None = None,
    delay_s: float = 0.0,
) -> Iterator[Report]:
    """Follow a performance in a file, times being those of the file.

    Parameters
    ----------
    reference, performance : path
        MIDI or sound.
    evidence, soundfont :
        See :func:`open_follower`.
    follower : Follower, optional
        One that is at its beginning, in place of a new one for `reference`.
    delay_s : float
        See :class:`Follower`.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If one cannot be read.
    """
    existing_file(performance)
    if follower is None:
        follower = open_follower(reference, evidence, soundfont, delay_s=delay_s)
    blocks, start_s = open_sound(performance, follower.sample_rate_hz, soundfont)
    follower.performance_start_s = start_s
    return follower.follow(blocks)
