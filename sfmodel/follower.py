"""Following a performance while it sounds: from samples as they come to places in the reference.

>>> from sfmodel.follower import open_follower
>>> follower = open_follower("score.mid")                                                         # doctest: +SKIP
>>> for block in blocks_of_sound:                                                                 # doctest: +SKIP
...     for report in follower.push(block):
...         print(report.performance_time_s, report.reference_time_s)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.side import SCORE_VELOCITY, Side, open_sound, read_side
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfdata.spectrogram import SpectrogramStream
from sfmodel.evidence import CELLS_PER_FRAME, LEARNED, Evidence, in_cells, open_evidence, silent_frames
from sfmodel.motion import Motion, MotionSettings
from sfmodel.online_dtw import OnlineDtw, OnlineDtwSettings
from sfmodel.trace import Trace

BELIEF_EVERY_S = 0.1  # a follower that keeps its belief keeps so many of them,
BELIEF_CELL_S = 0.1  # in cells of such length


@dataclass(frozen=True)
class Report:
    """Where the performance is.

    Attributes
    ----------
    performance_time_s : float
        How much of the performance has been heard.
    reference_time_s : float
        Where in the reference's file that lies.
    confidence : float
        Belief in that place and its surroundings, 0 to 1.
    """

    performance_time_s: float
    reference_time_s: float
    confidence: float

    def as_json(self) -> dict[str, float]:
        """For programs."""
        return {
            "performance_time_s": round(self.performance_time_s, 4),
            "reference_time_s": round(self.reference_time_s, 4),
            "confidence": round(self.confidence, 4),
        }


class Follower:
    """Follows one performance through one reference.

    Causal: a report uses no sound after its time. It comes as soon as the samples up to there have been pushed.

    Parameters
    ----------
    reference : Side
        Frames as `evidence` takes them.
    evidence : Evidence, optional
        Default the trained one that ships.
    motion : MotionSettings or OnlineDtwSettings, optional
        How places follow one another: a belief, or the path of online dynamic time warping.
    keep_belief : bool
        Keep the belief every 0.1 s, for :meth:`trace`.

    Attributes
    ----------
    sample_rate_hz : int
        Of the sound it takes.
    performance_start_s : float
        Time of the first sample, 0 unless set: where a file's beginning was left out.

    Raises
    ------
    ValueError
        If the reference's frames are others than the evidence's.
    """

    def __init__(
        self,
        reference: Side,
        evidence: Evidence | None = None,
        motion: MotionSettings | OnlineDtwSettings | None = None,
        keep_belief: bool = False,
    ) -> None:
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
        silent, _ = silent_frames(reference.frames)
        silent_cells = in_cells(silent.astype(np.float32)[:, None])[:, 0] > 0.5
        cells = len(silent_cells)
        self.motion: Motion | OnlineDtw
        if isinstance(motion, OnlineDtwSettings):
            self.motion = OnlineDtw(cells, self.cell_s, self.step_s, motion)
        else:
            self.motion = Motion(cells, self.cell_s, self.step_s, silent_cells, motion)
        self._stream = SpectrogramStream(spectrogram)
        self._listening = self.evidence.listen(reference.frames)
        self._loudest, self._steps = 0.0, 0
        self.performance_start_s = 0.0
        self._kept: list[tuple[float, NDArray[np.float32]]] | None = [] if keep_belief else None
        self._reports: list[Report] = []
        half_window_s = spectrogram.n_fft / 2 / spectrogram.sample_rate_hz
        self._heard_after_s = half_window_s  # a frame has been heard so long after its middle
        self._ahead_s = half_window_s - self.evidence.anchor_s + self.motion.settings.lead_s

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
            One for every frame that is complete.
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
        other = Follower(self.reference, self.evidence, self.motion.settings)
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
        silent, self._loudest = silent_frames(frames, self._loudest)
        heard = self._listening.push(frames) if listen else [None] * len(frames)
        reports = []
        for is_silent, log_likelihood in zip(silent.tolist(), heard, strict=True):
            # silence sounds alike wherever it is, but that places that are not silent speak against it
            estimate = self.motion.step(None if is_silent else log_likelihood, is_silent and listen)
            ahead_cells = estimate.cells_per_step * self._ahead_s / self.step_s
            cell = min(estimate.cell + ahead_cells, self.motion.cells - 1.0)
            time_s = self._steps * self.step_s + self._heard_after_s + self.performance_start_s
            place_s = cell * self.cell_s + self.reference.start_s
            reports.append(Report(time_s, place_s, estimate.confidence))
            self._steps += 1
            if self._kept is not None and time_s - self.performance_start_s >= len(self._kept) * BELIEF_EVERY_S:
                self._kept.append((time_s, self._coarse_belief()))
        if self._kept is not None:
            self._reports += reports
        return reports

    def _coarse_belief(self) -> NDArray[np.float32]:
        step = round(BELIEF_CELL_S / self.cell_s)
        padded = np.pad(self.motion.belief, (0, -self.motion.cells % step))
        return np.asarray(padded.reshape(-1, step).sum(axis=1), dtype=np.float32)


def open_follower(
    reference: str | Path | Side,
    evidence: str | Path | Evidence = LEARNED,
    soundfont: str = DEFAULT_INSTRUMENT,
    motion: MotionSettings | OnlineDtwSettings | None = None,
    keep_belief: bool = False,
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
    return Follower(reference, hearing, motion, keep_belief)


def follow_files(
    reference: str | Path,
    performance: str | Path,
    evidence: str | Path | Evidence = LEARNED,
    soundfont: str = DEFAULT_INSTRUMENT,
    follower: Follower | None = None,
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

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If one cannot be read.
    """
    if not Path(performance).is_file():
        raise FileNotFoundError(f"there is no file {performance}; expected MIDI, or sound to read")
    if follower is None:
        follower = open_follower(reference, evidence, soundfont)
    blocks, start_s = open_sound(performance, follower.sample_rate_hz, soundfont)
    follower.performance_start_s = start_s
    return follower.follow(blocks)
