"""Sound that comes in blocks, as it would be heard: from a file at its own pace, or through a pipe.

Sources are iterated once, from any thread, and give mono blocks at the rate that was asked for. :meth:`close`, from
any thread, ends them. :mod:`sfmodel.microphone` has another source.

>>> source = FileSound("performance.flac", 22050)                                                 # doctest: +SKIP
>>> for block in source:                                                                          # doctest: +SKIP
...     reports = follower.push(block)
"""

import itertools
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from sfmodel.resampler import Resampler
from sfmodel.wav_header import PcmFormat, read_wav_header

BLOCK_S = 0.02  # of sound given to a follower at a time
BLOCKS_S = (0.005, 1.0)  # shortest and longest
# Sound through a pipe is paced a little faster than it is, so that a recorder whose clock runs fast, by 100 ppm or so,
# is never read too slowly.
PIPE_SPEED = 1.001


class SoundSource(Protocol):
    """What gives sound.

    Attributes
    ----------
    live : bool
        Whether blocks come at their own time, and whoever is too slow falls behind; else they wait to be taken.
    overflows : int
        Times that sound was lost since nobody took it.
    """

    overflows: int

    @property
    def live(self) -> bool:
        """See above."""

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Give blocks, of shape (samples,)."""

    def close(self) -> None:
        """End the sound: no further block is given."""


class RawStream(Protocol):
    """What bytes come from: an unbuffered file, a pipe, or a BytesIO."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Give some bytes, at most `size`; none at the end."""


class _Paced:
    """Gives each block when its last sample would have been heard, unless it was closed."""

    def __init__(self, sample_rate_hz: int, block_s: float, speed: float | None, first_s: float) -> None:
        if not BLOCKS_S[0] <= block_s <= BLOCKS_S[1]:
            raise ValueError(f"blocks of {block_s} s; expected {BLOCKS_S[0]} to {BLOCKS_S[1]}")
        if speed is not None and not speed > 0:
            raise ValueError(f"a speed of {speed}; expected more than 0, or None for as fast as it is taken")
        if not 0 <= first_s <= BLOCKS_S[1]:
            raise ValueError(
                f"a first block of {first_s} s; expected up to {BLOCKS_S[1]}, or 0 for one like the others"
            )
        self.sample_rate_hz, self.block_s, self.speed = sample_rate_hz, block_s, speed
        self.first_s = first_s or block_s
        self.overflows = 0
        self._closed = threading.Event()

    @property
    def live(self) -> bool:
        """Whether the sound is paced."""
        return self.speed is not None

    def close(self) -> None:
        """End the sound: no further block is given."""
        self._closed.set()

    def _sizes(self, rate_hz: int) -> Iterator[int]:
        """How many samples at a rate make each block, so that resampled it ends where it should."""
        resampler, taken = Resampler(rate_hz, self.sample_rate_hz), 0
        for number in itertools.count():
            end = resampler.needed(round((self.first_s + number * self.block_s) * self.sample_rate_hz))
            size = max(1, end - taken)
            yield size
            taken += size

    def _paced(
        self, blocks: Iterable[NDArray[np.float32]], rate_hz: int, first_at_once: bool
    ) -> Iterator[NDArray[np.float32]]:
        start, taken, resampler = time.monotonic(), 0, Resampler(rate_hz, self.sample_rate_hz)
        for block in blocks:
            if first_at_once and not taken:  # it was recorded before it came
                start = time.monotonic() - len(block) / rate_hz
            taken += len(block)
            if self.speed is not None:
                self._closed.wait(max(0.0, start + taken / rate_hz / self.speed - time.monotonic()))
            if self._closed.is_set():
                return
            made = resampler.push(block)
            if len(made):
                yield made
        made = resampler.finish()
        if len(made):
            yield made


class FileSound(_Paced):
    """A sound file, played without being heard.

    Parameters
    ----------
    path : path
        Flac, wav, ogg, mp3.
    sample_rate_hz : int
        Of the blocks.
    block_s : float
        Of sound in each.
    speed : float or None
        1 gives each block when its last sample would have been heard, 2 in half that time; None as soon as it is
        taken.
    first_s : float
        Of sound in the first block, so that blocks end where a follower's frames do; 0 for `block_s`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, or a number is out of range; while it is iterated, if samples are no finite numbers.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate_hz: int,
        block_s: float = BLOCK_S,
        speed: float | None = 1.0,
        first_s: float = 0.0,
    ) -> None:
        super().__init__(sample_rate_hz, block_s, speed, first_s)
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"{path} is not there, or no file")
        try:
            with soundfile.SoundFile(self.path) as file:
                self.rate_hz = file.samplerate
        except soundfile.LibsndfileError as error:
            raise ValueError(f"{path} cannot be read as sound: {error}") from None

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Give the blocks."""
        return self._paced(self._blocks(), self.rate_hz, first_at_once=False)

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        with soundfile.SoundFile(self.path) as file:
            for size in self._sizes(self.rate_hz):
                try:
                    samples = file.read(size, dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    raise ValueError(f"{self.path} cannot be read as sound: {error}") from None
                if not len(samples):
                    return
                yield _finite(samples.mean(axis=1, dtype=np.float32), str(self.path))


class GivenSound(_Paced):
    """Sound that is made, as of a MIDI file, played without being heard.

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (samples,)
        At `sample_rate_hz`, of any length.
    sample_rate_hz, block_s, speed, first_s
        See :class:`FileSound`. Time begins with the first block.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(
        self,
        blocks: Iterable[NDArray[np.float32]],
        sample_rate_hz: int,
        block_s: float = BLOCK_S,
        speed: float | None = 1.0,
        first_s: float = 0.0,
    ) -> None:
        super().__init__(sample_rate_hz, block_s, speed, first_s)
        self._given = blocks

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Give the blocks."""
        return self._paced(self._blocks(), self.sample_rate_hz, first_at_once=True)

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        sizes, held = self._sizes(self.sample_rate_hz), np.empty(0, dtype=np.float32)
        size = next(sizes)
        for block in self._given:
            held = np.concatenate([held, block])
            while len(held) >= size:
                yield held[:size]
                held, size = held[size:], next(sizes)
        if len(held):
            yield held


class StreamedSound(_Paced):
    """WAV or raw samples through a pipe, from standard input by default.

    Parameters
    ----------
    sample_rate_hz : int
        Of the blocks.
    raw : PcmFormat, optional
        How raw samples are written; without it the stream is WAV, whose header tells. The header's sizes may be 0 or
        unknown, as ffmpeg, sox and arecord write them into pipes.
    stream : RawStream, optional
        Unbuffered, so that what has come is had at once.
    name : str
        For messages.
    block_s, speed, first_s
        See :class:`FileSound`. What comes from a recorder is given as it comes, or, where more comes at once, at the
        pace of sound from the first block on.

    Raises
    ------
    ValueError
        If a number is out of range, or standard input closed; while it is iterated, if it is no WAV, or samples are no
        finite numbers.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        raw: PcmFormat | None = None,
        stream: RawStream | None = None,
        name: str = "standard input",
        block_s: float = BLOCK_S,
        speed: float | None = PIPE_SPEED,
        first_s: float = 0.0,
    ) -> None:
        super().__init__(sample_rate_hz, block_s, speed, first_s)
        self.raw, self.name = raw, name
        self._stream: RawStream = _standard_input() if stream is None else stream

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Give the blocks."""
        size: int | None = None
        form = self.raw
        if form is None:
            try:
                form, size = read_wav_header(self._read)
            except ValueError as error:
                raise ValueError(f"{self.name} {error}") from None
        return self._paced(self._blocks(form, size), form.rate_hz, first_at_once=True)

    def _blocks(self, form: PcmFormat, size: int | None) -> Iterator[NDArray[np.float32]]:
        left = size
        for frames in self._sizes(form.rate_hz):
            whole = frames * form.frame_bytes
            data = self._read(whole if left is None else min(whole, left))
            left = None if left is None else left - len(data)
            data = data[: len(data) // form.frame_bytes * form.frame_bytes]
            if not data:
                return
            yield _finite(form.mono(data), self.name)

    def _read(self, size: int) -> bytes:
        """Wait for that many bytes; fewer at the end."""
        parts: list[bytes] = []
        while size and not self._closed.is_set():
            part = self._stream.read(size)
            if part is None:  # nothing has come on a pipe that does not wait
                self._closed.wait(self.block_s / 4)
                continue
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _standard_input() -> RawStream:
    """Standard input, unbuffered: a buffered one that a thread waits on cannot be left when the program ends."""
    if sys.stdin is None or sys.stdin.closed:
        raise ValueError("standard input is closed; expected sound through it, or a performance in a file")
    raw: RawStream = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return raw


def _finite(samples: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} holds samples that are no finite numbers")
    return samples
