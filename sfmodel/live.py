"""Following live: sound is taken as it comes, and a machine that is too slow gives up evidence, not time.

A thread reads the source; the caller's own follows. As soon as a block has waited longer than the limit, blocks are
passed without being listened to, which costs little, until one has come that waits no longer than it is long. So
reports are at most the limit and one block's work behind the sound, however slow the machine.

>>> from sfmodel.sound_sources import FileSound
>>> source = FileSound("performance.flac", follower.sample_rate_hz)                               # doctest: +SKIP
>>> run_live(follower, source, [JsonLines(sys.stdout)]).real_time_factor                          # doctest: +SKIP
0.11
"""

import queue
import signal
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sfmodel.position_messages import Report, Sender
from sfmodel.sound_sources import SoundSource

LIMIT_S = 0.1
HELD_BLOCKS = 4096  # that wait at most; 80 s of sound, which is long for one block to be worked on
_POLL_S = 0.05


class Follows(Protocol):
    """What follows: see :class:`sfmodel.follower.Follower`."""

    sample_rate_hz: int

    def push(self, samples: NDArray[np.float32], listen: bool = True) -> Sequence[Report]:
        """Take the next samples and give the reports that are due."""

    def finish(self) -> Sequence[Report]:
        """Give the last reports."""


@dataclass(frozen=True)
class LiveStatistics:
    """How following kept up.

    Attributes
    ----------
    sound_s : float
        Sound that was followed.
    reports : int
    blocks : int
        Of sound, whether listened to or not.
    dropped_blocks : int
        Passed without being listened to, to catch up.
    real_time_factor : float
        Time spent on blocks that were listened to, as a share of their sound; 0 if there were none. Below 1 the
        machine is fast enough.
    worst_block_ms, median_block_ms : float
        Time spent on a block that was listened to.
    worst_lag_ms : float
        Longest time from a block's coming to its reports' having been sent. Of a source that waits, this is its time
        in the queue, which says nothing.
    overflows : int
        Times that the source lost sound.
    interrupted : bool
        Whether it was ended before the sound was.
    """

    sound_s: float
    reports: int
    blocks: int
    dropped_blocks: int
    real_time_factor: float
    worst_block_ms: float
    median_block_ms: float
    worst_lag_ms: float
    overflows: int
    interrupted: bool


@dataclass(frozen=True)
class _Block:
    samples: NDArray[np.float32]
    came: float  # monotonic seconds


_END = object()


def run_live(
    follower: Follows,
    source: SoundSource,
    senders: Iterable[Sender],
    limit_s: float | None = LIMIT_S,
    stop: threading.Event | None = None,
) -> LiveStatistics:
    """Follow a source to its end and send what is found.

    Ctrl-C ends it after the block that is being followed (where this runs in the main thread); a second one raises
    KeyboardInterrupt.

    Parameters
    ----------
    follower : Follows
    source : SoundSource
        At the follower's rate. Is closed at the end.
    senders : iterable of Sender
        Are left open.
    limit_s : float, optional
        A block that has waited longer is not listened to. None listens to all, and may fall behind; so it is with
        sources that wait to be taken.
    stop : threading.Event, optional
        Ends it when set, as Ctrl-C does; is set at the end.

    Returns
    -------
    LiveStatistics

    Raises
    ------
    ValueError
        If the limit is not above 0, or the source cannot be read.
    OSError
        If the source breaks, or a sender cannot send.
    """
    if limit_s is not None and not limit_s > 0:
        raise ValueError(f"a limit of {limit_s} s; expected more than 0, or None to listen to all")
    stop, senders = stop or threading.Event(), list(senders)
    limit_s = limit_s if source.live else None
    waiting: queue.Queue[Any] = queue.Queue(HELD_BLOCKS)
    reader = threading.Thread(target=_read, args=(source, waiting, stop), name="sound", daemon=True)
    counts = _Counts(follower.sample_rate_hz)
    with _ends_at_ctrl_c(stop):
        reader.start()
        try:
            pace, ended = Pace(limit_s), False
            for item in _taken(waiting, stop):
                if item is _END:
                    ended = True
                    break
                if isinstance(item, BaseException):
                    raise item
                waited_s, block_s = time.monotonic() - item.came, len(item.samples) / follower.sample_rate_hz
                listen = pace.listens(waited_s, block_s)
                begin = time.perf_counter()
                reports = follower.push(item.samples, listen)
                counts.block(len(item.samples), time.perf_counter() - begin, listen)
                counts.send(reports, senders)
                counts.worst_lag_s = max(counts.worst_lag_s, time.monotonic() - item.came)
            if ended:
                counts.send(follower.finish(), senders)
        finally:
            stop.set()
            source.close()
            reader.join(1.0)  # one that waits on a pipe stays, and ends with the program
    return counts.statistics(source.overflows, not ended)


class Pace:
    """Which blocks are listened to: none that has waited longer than the limit, and then none until one is in time.

    Parameters
    ----------
    limit_s : float, optional
        None listens to all.

    Examples
    --------
    >>> pace = Pace(0.1)
    >>> [pace.listens(waited_s, 0.02) for waited_s in (0.05, 0.12, 0.09, 0.01, 0.05)]
    [True, False, False, True, True]
    """

    def __init__(self, limit_s: float | None) -> None:
        self.limit_s, self._listening = limit_s, True

    def listens(self, waited_s: float, block_s: float) -> bool:
        """Whether the next block, which has waited so long, is listened to."""
        if self.limit_s is not None:
            self._listening = waited_s <= (self.limit_s if self._listening else min(self.limit_s, block_s))
        return self._listening


class _Counts:
    """What is counted along the way."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.samples = self.listened_samples = self.blocks = self.reports = 0
        self.worst_lag_s = 0.0
        self._work_s: list[float] = []

    def block(self, samples: int, work_s: float, listened: bool) -> None:
        self.blocks += 1
        self.samples += samples
        if listened:
            self.listened_samples += samples
            self._work_s.append(work_s)

    def send(self, reports: Sequence[Report], senders: list[Sender]) -> None:
        self.reports += len(reports)
        for report in reports:
            for sender in senders:
                sender.send(report)

    def statistics(self, overflows: int, interrupted: bool) -> LiveStatistics:
        listened_s, work_s = self.listened_samples / self.sample_rate_hz, self._work_s or [0.0]
        return LiveStatistics(
            sound_s=self.samples / self.sample_rate_hz,
            reports=self.reports,
            blocks=self.blocks,
            dropped_blocks=self.blocks - len(self._work_s),
            real_time_factor=sum(work_s) / listened_s if listened_s else 0.0,
            worst_block_ms=1000 * max(work_s),
            median_block_ms=1000 * statistics.median(work_s),
            worst_lag_ms=1000 * self.worst_lag_s,
            overflows=overflows,
            interrupted=interrupted,
        )


def _read(source: SoundSource, waiting: queue.Queue[Any], stop: threading.Event) -> None:
    """Put blocks, and in the end what ended them, into the queue."""
    last: Any = _END
    try:
        for samples in source:
            if not _put(waiting, _Block(samples, time.monotonic()), stop):
                return
    except BaseException as error:  # raised again where it is heard of
        last = error
    _put(waiting, last, stop)


def _put(waiting: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            waiting.put(item, timeout=_POLL_S)
            return True
        except queue.Full:
            continue
    return False


def _taken(waiting: queue.Queue[Any], stop: threading.Event) -> Iterator[Any]:
    while not stop.is_set():
        try:
            yield waiting.get(timeout=_POLL_S)
        except queue.Empty:
            continue


@contextmanager
def _ends_at_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C set `stop`, and so end between two blocks, with no message half sent."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT) or signal.SIG_DFL  # None where a library has set it

    def end(number: int, frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
