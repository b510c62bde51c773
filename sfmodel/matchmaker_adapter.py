"""A follower in the place of one of Matchmaker's (``pip install pymatchmaker``, 0.3).

Matchmaker's followers take features and give beats; ours takes sound and gives seconds. So its stream must pass sound
on as it is (a processor that changes nothing), and seconds are turned into beats by a function of one's own.

>>> from matchmaker import Matchmaker                                                             # doctest: +SKIP
>>> alignment = matchmaker_alignment(follower, score_positions, beat_of)                          # doctest: +SKIP
>>> stream = alignment.stream(file_path="performance.wav")                                        # doctest: +SKIP
>>> matchmaker = Matchmaker("score.musicxml", "performance.wav", stream=stream)                   # doctest: +SKIP
>>> matchmaker.score_follower = alignment                                                         # doctest: +SKIP
>>> for beat in matchmaker.run():                                                                 # doctest: +SKIP
...     print(beat)
"""

import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfmodel.live import Follows
from sfmodel.resampler import Resampler

HOP_S = 0.02
WAIT_S = 10.0  # for the stream's next block; as long as Matchmaker's own followers of sound wait
ENDED_S = 2.0  # at or past the last score position for so long, the piece is over


class FollowerAlignment:
    """Matchmaker's ``OnlineAlignment`` around a follower; made by :func:`matchmaker_alignment`.

    An observation is sound as ``AudioStream`` passes it on: the block before, then the new one, both equally long. Of
    the first, both are new.

    Parameters
    ----------
    follower : Follows
        Follows one performance only.
    score_positions : array, shape (onsets,)
        Beats of the score's onsets, rising.
    beat_of : callable
        Turns seconds of the reference into beats.
    queue : Queue, optional
        Of (sound, time), as a stream fills it; see :meth:`stream`.
    sample_rate_hz : int, optional
        Of the sound; the follower's own by default.
    end : object, optional
        What marks the end of the queue.

    Attributes
    ----------
    current_position : float
        Beat of the newest report.
    current_index : int
        Of the last score position at or before it.
    current_perf_time : float
        Sound heard at the newest report, in seconds.
    alignment_path : ndarray of float64, shape (2, observations with reports)
        Beats, and the seconds of sound heard at them. That is later than the time that ``AudioStream`` gives with an
        observation, which is where the sound in it begins.
    latency_stats : dict
        As Matchmaker's ``get_latency_stats`` reads it; seconds.

    Raises
    ------
    ValueError
        If there are no score positions, or they fall.
    """

    def __init__(
        self,
        follower: Follows,
        score_positions: NDArray[np.floating],
        beat_of: Callable[[float], float],
        queue: Any = None,
        sample_rate_hz: int | None = None,
        end: object = None,
    ) -> None:
        positions = np.asarray(score_positions, dtype=np.float64)
        if positions.ndim != 1 or not len(positions) or (np.diff(positions) < 0).any():
            raise ValueError(f"score positions of shape {positions.shape}; expected one or more, rising")
        self.follower, self.score_positions, self.beat_of = follower, positions, beat_of
        self.queue, self.queue_timeout, self.reference_features = queue, WAIT_S, None
        self.sample_rate_hz = sample_rate_hz or follower.sample_rate_hz
        self.current_index, self.current_perf_time = 0, 0.0
        self.current_position = float(positions[0])
        self.input_index = 0
        self.latency_stats = {
            "total_latency": 0.0,
            "total_frames": 0,
            "max_latency": 0.0,
            "min_latency": float("inf"),
        }
        self._end = end
        self._alignment_path: list[tuple[float, float]] = []
        self._resampler = Resampler(self.sample_rate_hz, follower.sample_rate_hz)
        self._past_since_s: float | None = None
        self._used = False

    def __call__(self, observation: NDArray[np.floating], perf_time: float = 0.0) -> float:
        """Take an observation and give the current beat; `perf_time` is not used, see `alignment_path`."""
        before_s = self.current_perf_time
        self.step(observation)
        if self.current_perf_time > before_s:
            self._alignment_path.append((self.current_position, self.current_perf_time))
        return self.current_position

    @property
    def alignment_path(self) -> NDArray[np.float64]:
        """See above."""
        return np.array(self._alignment_path, dtype=np.float64).reshape(-1, 2).T

    def step(self, features: NDArray[np.floating]) -> None:
        """Take an observation.

        Raises
        ------
        ValueError
            If it is no sound as the stream passes it on.
        """
        begin = time.perf_counter()
        sound = np.asarray(features, dtype=np.float32)
        if sound.ndim != 1 or len(sound) % 2:
            raise ValueError(
                f"an observation of shape {sound.shape}; expected sound, two blocks of equal length, from a stream "
                "whose processor changes nothing: see FollowerAlignment.stream"
            )
        fresh = sound[len(sound) // 2 :] if self.input_index else sound
        self._note(self.follower.push(self._resampler.push(fresh)))
        self.input_index += 1
        took_s, stats = time.perf_counter() - begin, self.latency_stats
        stats["total_latency"] += took_s
        stats["total_frames"] = self.input_index
        stats["max_latency"] = max(stats["max_latency"], took_s)
        stats["min_latency"] = min(stats["min_latency"], took_s)

    def get_current_position(self) -> float:
        """Give the beat of the newest report."""
        return self.current_position

    def is_still_following(self) -> bool:
        """Tell whether the last score position was not reached, or left again within the last seconds."""
        return self._past_since_s is None or self.current_perf_time - self._past_since_s < ENDED_S

    def run(self, verbose: bool = True) -> Generator[float, None, NDArray[np.float64]]:
        """Follow what comes through the queue; `verbose` shows nothing more.

        Yields
        ------
        float
            The current beat, for each observation.

        Returns
        -------
        ndarray of float64, shape (2, observations with reports)
            See `alignment_path`.

        Raises
        ------
        ValueError
            If there is no queue, or it has run before.
        queue.Empty
            If nothing came for 10 s.
        """
        if self.queue is None or self._used:
            raise ValueError("no queue to follow" if self.queue is None else "a follower follows one performance only")
        self._used = True
        while self.is_still_following():
            item = self.queue.get(timeout=self.queue_timeout)
            if item is self._end and self._end is not None:
                before_s = self.current_perf_time
                self._note(self.follower.push(self._resampler.finish()))
                self._note(self.follower.finish())
                if self.current_perf_time > before_s:
                    self._alignment_path.append((self.current_position, self.current_perf_time))
                    yield self.current_position
                break
            if item is not None:
                yield self(*item)
        return self.alignment_path

    def stream(self, **options: Any) -> Any:
        """Make Matchmaker's ``AudioStream`` that passes sound on as it is, and take its queue.

        Parameters
        ----------
        **options
            Of ``AudioStream``, such as ``file_path`` or ``device_name_or_index``; not the rates and the processor.
        """
        from matchmaker.features.processor import DummyProcessor
        from matchmaker.io.audio import AudioStream

        made = AudioStream(
            processor=DummyProcessor(),
            sample_rate=self.sample_rate_hz,
            target_sr=self.sample_rate_hz,
            hop_length=round(HOP_S * self.sample_rate_hz),
            **options,
        )
        self.queue = made.queue
        return made

    def _note(self, reports: Any) -> None:
        for report in reports:
            self.current_perf_time = float(report.performance_time_s)
            self.current_position = float(self.beat_of(report.reference_time_s))
            if self.current_position < self.score_positions[-1]:
                self._past_since_s = None
            elif self._past_since_s is None:
                self._past_since_s = self.current_perf_time
        index = int(np.searchsorted(self.score_positions, self.current_position, side="right")) - 1
        self.current_index = max(0, index)


def matchmaker_alignment(
    follower: Follows,
    score_positions: NDArray[np.floating],
    beat_of: Callable[[float], float],
    queue: Any = None,
    sample_rate_hz: int | None = None,
) -> FollowerAlignment:
    """Make an ``OnlineAlignment`` of Matchmaker's out of a follower; see :class:`FollowerAlignment`.

    Raises
    ------
    ImportError
        If pymatchmaker is not installed.
    """
    try:
        from matchmaker.base import OnlineAlignment
        from matchmaker.io.stream import STREAM_END
    except ImportError as error:
        raise ImportError("this needs Matchmaker; install it with: pip install pymatchmaker") from error
    made = type("MatchmakerAlignment", (FollowerAlignment, OnlineAlignment), {})
    alignment: FollowerAlignment = made(follower, score_positions, beat_of, queue, sample_rate_hz, STREAM_END)
    return alignment
