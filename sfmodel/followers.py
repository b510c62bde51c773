"""Ways to follow, by name: what is heard, and how places follow one another; causal ones and ones that know the end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.render import read_audio
from sfdata.side import SCORE_VELOCITY, Side, read_side, sound_side
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfdata.spectrogram import SpectrogramSettings
from sfmodel.aligning import AlignSettings, align
from sfmodel.evidence import CLASSIC, LEARNED, open_evidence
from sfmodel.follower import AnyMotionSettings, Follower
from sfmodel.following import answers_s
from sfmodel.motion import MotionSettings
from sfmodel.oltw import ArztSettings, DixonSettings
from sfmodel.online_dtw import OnlineDtwSettings
from sfmodel.sound_sources import BLOCK_S

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class FollowMethod:
    """A way to follow.

    Attributes
    ----------
    name, description : str
    evidence : str
        As :func:`sfmodel.evidence.open_evidence` takes it.
    settings : MotionSettings, OnlineDtwSettings, DixonSettings, ArztSettings or AlignSettings
        The last one knows the whole performance.
    delay_s : float
        See :class:`sfmodel.follower.Follower`.
    """

    name: str
    description: str
    evidence: str
    settings: AnyMotionSettings | AlignSettings
    delay_s: float = 0.0

    @property
    def causal(self) -> bool:
        """Whether it uses only what has been heard."""
        return not isinstance(self.settings, AlignSettings)


FOLLOWERS: dict[str, FollowMethod] = {
    method.name: method
    for method in (
        FollowMethod(
            "follow", "belief over place and tempo; trained frame matcher and features", LEARNED, MotionSettings()
        ),
        FollowMethod(
            "follow-delayed",
            "the same, telling where the music was 0.1 s before",
            LEARNED,
            MotionSettings(),
            delay_s=0.1,
        ),
        FollowMethod(
            "follow-hmm",
            "the same belief, a hidden Markov model, on classic features alone",
            CLASSIC,
            MotionSettings(),
        ),
        FollowMethod("online-dtw", "online dynamic time warping", CLASSIC, OnlineDtwSettings(lead_s=0.02)),
        FollowMethod("oltw-dixon", "on-line time warping, Dixon 2005", CLASSIC, DixonSettings(lead_s=0.02)),
        FollowMethod("oltw-arzt", "on-line time warping, Arzt, Widmer, Dixon 2008", CLASSIC, ArztSettings(lead_s=0.02)),
        FollowMethod("align", "best path through all of it; the same evidence", LEARNED, AlignSettings()),
        FollowMethod(
            "offline-dtw",
            "dynamic time warping of the whole, steps of 0 to 3 frames at no cost",
            CLASSIC,
            AlignSettings(evidence=1.0, slack=0.0, step_cost=(0.0, 0.0, 0.0, 0.0), end_cost=2.0, lead_s=0.0),
        ),
    )
}


@dataclass(frozen=True)
class Followed:
    """A performance that was followed.

    Attributes
    ----------
    performance_time_s, reference_time_s : ndarray of float64, shape (reports,)
    compute_s : float
        How long it took, the sound's reading left out.
    worst_block_s : float
        The longest time for a block; of one that knows the whole, for all of it.
    duration_s : float
        Of the performance.
    causal : bool
    """

    performance_time_s: FloatArray
    reference_time_s: FloatArray
    compute_s: float
    worst_block_s: float
    duration_s: float
    causal: bool

    def at(self, onset_s: FloatArray, start_s: float) -> FloatArray:
        """What was known at moments of the performance: the last report, or the path itself."""
        if self.causal:
            return answers_s(self.performance_time_s, self.reference_time_s, onset_s, start_s)
        return np.asarray(np.interp(onset_s, self.performance_time_s, self.reference_time_s))


class References:
    """References as every way to follow needs them, rendered once."""

    def __init__(self, soundfont: str = DEFAULT_INSTRUMENT) -> None:
        self.soundfont = soundfont
        self._read: dict[tuple[Path, SpectrogramSettings], Side] = {}

    def get(self, path: Path, spectrogram: SpectrogramSettings) -> Side:
        """Read, or give what was read."""
        key = (path, spectrogram)
        if key not in self._read:
            self._read = {k: side for k, side in self._read.items() if k[0] == path}  # one piece at a time
            self._read[key] = read_side(path, spectrogram, self.soundfont, SCORE_VELOCITY)
        return self._read[key]


def choose_followers(names: Sequence[str] = ()) -> Sequence[FollowMethod]:
    """Ways to follow by their names; all of them if none is given.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    for name in names:
        if name not in FOLLOWERS:
            raise ValueError(f"follower {name!r}; expected one of {', '.join(FOLLOWERS)}")
    return [FOLLOWERS[name] for name in (names or FOLLOWERS)]


def follow_recording(
    method: FollowMethod,
    reference: Path,
    performance: Path,
    references: References | None = None,
    clock: Callable[[], float] = time.perf_counter,
    settings: Any = None,
) -> Followed:
    """Follow a recording from beginning to end, in blocks as they would come.

    Parameters
    ----------
    method : FollowMethod
    reference, performance : Path
        The performance is sound.
    references : References, optional
    settings : optional
        In place of the method's.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is not there or cannot be read.
    """
    method = method if settings is None else replace(method, settings=settings)
    evidence = open_evidence(method.evidence)
    rate_hz = evidence.spectrogram.sample_rate_hz
    score = (references or References()).get(reference, evidence.spectrogram)
    sound = read_audio(performance, rate_hz)
    duration_s = len(sound) / rate_hz
    if isinstance(method.settings, AlignSettings):
        played = sound_side(performance, sound, evidence.spectrogram)
        began = clock()
        aligned = align(score, played, evidence, method.settings)
        took = clock() - began
        return Followed(aligned.performance_time_s, aligned.reference_time_s, took, took, duration_s, False)
    follower = Follower(score, evidence, method.settings, delay_s=method.delay_s)
    follower.warm_up()  # before the clock runs
    size = round(BLOCK_S * rate_hz)
    reports, taken = [], []
    for begin in range(0, len(sound), size):
        began = clock()
        reports += follower.push(sound[begin : begin + size])
        taken.append(clock() - began)
    began = clock()
    reports += follower.finish()
    taken.append(clock() - began)
    return Followed(
        np.array([report.performance_time_s for report in reports]),
        np.array([report.reference_time_s for report in reports]),
        float(sum(taken)),
        float(max(taken)),
        duration_s,
        True,
    )
