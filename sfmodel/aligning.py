"""Aligning a performance with its reference when all of it is known: labels for one's own recordings.

The evidence is that of the follower (:mod:`sfmodel.evidence`), the path the best one through all of it
(:mod:`sfmodel.warping`).
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.aligned import ALIGNMENT_COLUMNS
from sfdata.files import check_folder_of, write_atomically
from sfdata.side import Side
from sfmodel.evidence import CELLS_PER_FRAME, Evidence, open_evidence
from sfmodel.warping import COARSE, warping_path

PART_FRAMES = 20 * COARSE  # of the performance, heard at a time

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class AlignSettings:
    """What a path costs.

    Attributes
    ----------
    evidence, slack : float
        Exponent of what is heard, and how much worse than the best a place may fit and count like it, as in
        :class:`sfmodel.motion.MotionSettings`.
    step_cost : tuple of float
        Of going on by 0, 1, 2, … frames of the reference with a frame of the performance.
    end_cost : float
        Of each frame of the reference that is not played, at the beginning and at the end.
    band_s : float
        The fine path is sought so far about the coarse one.
    lead_s : float
        What a frame tells holds for so much later than its anchor.
    """

    evidence: float = 0.15
    slack: float = 1.0
    step_cost: tuple[float, ...] = (0.5, 0.0, 0.5, 1.0)
    end_cost: float = 0.05
    band_s: float = 5.0
    lead_s: float = -0.010

    def __post_init__(self) -> None:
        if len(self.step_cost) < 2 or not (
            self.evidence > 0 and self.band_s > 0 and min(self.end_cost, self.slack) >= 0
        ):
            raise ValueError(
                f"align: evidence {self.evidence}, slack {self.slack}, band_s {self.band_s}, end_cost {self.end_cost}, "
                f"step_cost {self.step_cost}; expected evidence and band_s above zero, slack and end_cost 0 or more, "
                "and two steps or more"
            )


@dataclass(frozen=True)
class Aligned:
    """Where each moment of a performance lies.

    Attributes
    ----------
    performance_time_s, reference_time_s : ndarray of float64, shape (frames,)
        Both grow, the latter not strictly.
    """

    performance_time_s: FloatArray
    reference_time_s: FloatArray

    def reference_at(self, performance_s: FloatArray) -> FloatArray:
        """Where moments of the performance lie in the reference."""
        return np.asarray(np.interp(performance_s, self.performance_time_s, self.reference_time_s))

    def performed_at(self, reference_s: FloatArray) -> FloatArray:
        """When moments of the reference were played; where the path waits before one, when it goes on."""
        rising = np.diff(self.reference_time_s, append=np.inf) > 0  # the last frame of every wait
        return np.asarray(np.interp(reference_s, self.reference_time_s[rising], self.performance_time_s[rising]))


def align(
    reference: Side, performance: Side, evidence: Evidence | None = None, settings: AlignSettings | None = None
) -> Aligned:
    """Align a performance with its reference.

    Parameters
    ----------
    reference, performance : Side
        Frames as the evidence takes them.
    evidence : Evidence, optional
        Default the trained one that ships.
    settings : AlignSettings, optional

    Raises
    ------
    ValueError
        If the frames do not fit, or one side has none.
    """
    evidence, settings = evidence or open_evidence(), settings or AlignSettings()
    rate_hz = evidence.spectrogram.frame_rate_hz
    for side in (reference, performance):
        if side.frame_rate_hz != rate_hz or side.frames.shape[1] != evidence.spectrogram.n_bins:
            raise ValueError(
                f"{side.name} has {side.frames.shape[1]} bins at {side.frame_rate_hz} Hz; expected "
                f"{evidence.spectrogram.n_bins} at {rate_hz} Hz"
            )

    def parts() -> Iterator[NDArray[np.float32]]:
        listening = evidence.listen(reference.frames)
        for begin in range(0, len(performance.frames), PART_FRAMES):
            heard = listening.push(performance.frames[begin : begin + PART_FRAMES])[:, ::CELLS_PER_FRAME]
            below = heard - heard.max(axis=1, keepdims=True)
            yield np.asarray(settings.evidence * np.minimum(below + settings.slack, 0), dtype=np.float32)

    path = warping_path(
        parts,
        len(performance.frames),
        len(reference.frames),
        settings.step_cost,
        settings.end_cost,
        settings.end_cost,
        round(settings.band_s * rate_hz),
    )
    moments_s = np.arange(len(path)) / rate_hz + evidence.anchor_s + settings.lead_s + performance.start_s
    return Aligned(moments_s, path / rate_hz + reference.start_s)


def alignment_rows(aligned: Aligned, onset_s: FloatArray, end_s: float) -> tuple[FloatArray, FloatArray]:
    """Performed time of every onset of a score that was played: performance_s and score_s, both growing.

    Parameters
    ----------
    aligned : Aligned
    onset_s : ndarray of float64, shape (onsets,)
        In the reference.
    end_s : float
        Of the performance; onsets that would lie outside of it are left out, as are those beyond the path.
    """
    onset_s = np.unique(np.asarray(onset_s, dtype=np.float64))
    inside = (onset_s >= aligned.reference_time_s[0]) & (onset_s <= aligned.reference_time_s[-1])
    performed_s = aligned.performed_at(onset_s[inside])
    kept = (performed_s >= 0) & (performed_s < end_s)
    return performed_s[kept], onset_s[inside][kept]


def write_alignment(path: str | Path, performance_s: FloatArray, score_s: FloatArray) -> None:
    """Write ``performance_time_s,score_time_s``, as ``sfdata import aligned`` reads it.

    Raises
    ------
    FileNotFoundError
        If the folder to write into does not exist.
    """
    path = Path(path)
    check_folder_of(path)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(ALIGNMENT_COLUMNS)
    writer.writerows((f"{p:.4f}", f"{s:.6f}") for p, s in zip(performance_s, score_s, strict=True))
    write_atomically(path, text.getvalue().encode())
