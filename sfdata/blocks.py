"""Blocks of sound: a sound that is too long to be held is a stream of them, one after the other.

A stream is an iterable of float32 arrays of shape (samples,), of any lengths, empty ones included. Who gives a block
away does not change it any more. What is made of a stream must not depend on where it was cut, so steps whose
arithmetic could tell cut it anew, always from sample 0 on.
"""

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

MEMORY_SAMPLES = 8_000_000
"""A sound is kept in memory up to this length, 32 MB: six minutes at 22,050 Hz."""
FILE_BLOCK_SAMPLES = 1 << 16


def recut(blocks: Iterable[Samples], size: int) -> Iterator[Samples]:
    """Cut a stream into blocks of one size, the last one shorter.

    Examples
    --------
    >>> sound = [np.zeros(count, dtype=np.float32) for count in (5, 0, 1, 3)]
    >>> [len(block) for block in recut(sound, 4)]
    [4, 4, 1]
    """
    parts: list[Samples] = []
    held = 0
    for block in blocks:
        begin = 0
        while begin < len(block):
            whole = begin == 0 and len(block) <= size - held
            part = block if whole else block[begin : begin + size - held]
            parts.append(part)
            held, begin = held + len(part), begin + len(part)
            if held == size:
                yield joined(parts)
                parts, held = [], 0
    if held:
        yield joined(parts)


def fitted(blocks: Iterable[Samples], count: int) -> Iterator[Samples]:
    """Cut a stream to a number of samples, or fill it up with silence."""
    left = count
    for block in blocks:
        if len(block) >= left:
            yield block[:left]
            return
        left -= len(block)
        yield block
    while left:
        silence = np.zeros(min(left, FILE_BLOCK_SAMPLES), dtype=np.float32)
        left -= len(silence)
        yield silence


def joined(blocks: Iterable[Samples]) -> Samples:
    """Make one array of a stream; a stream of one block is that block itself."""
    parts = list(blocks)
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype=np.float32), *parts])


class KeptSound:
    """A sound kept until something is known of the whole of it: in memory, or in a file without a name if it is long.

    To be used in a ``with`` statement, which ends the file. The file lies where the system keeps temporary files
    (``TMPDIR`` in the environment says where).

    Parameters
    ----------
    memory_samples : int, optional
        Kept in memory at most; default :data:`MEMORY_SAMPLES`.
    """

    def __init__(self, memory_samples: int | None = None) -> None:
        self.memory_samples = MEMORY_SAMPLES if memory_samples is None else memory_samples
        self.samples = 0
        self._blocks: deque[Samples] = deque()
        self._file: IO[Any] | None = None

    def __enter__(self) -> "KeptSound":
        return self

    def __exit__(self, *_: object) -> None:
        self._blocks.clear()
        if self._file is not None:
            self._file.close()

    def append(self, block: Samples) -> None:
        """Keep the next block; it must not be changed afterwards.

        Raises
        ------
        OSError
            If the file cannot be made, or its disk is full.
        """
        self._blocks.append(block)
        self.samples += len(block)
        if self.samples <= self.memory_samples and self._file is None:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="sfdata-", buffering=0)  # noqa: SIM115
            while self._blocks:
                data = memoryview(self._blocks.popleft().tobytes())
                while data:  # a disk that fills up takes a part first
                    data = data[self._file.write(data) :]
        except OSError as error:
            raise OSError(
                error.errno,
                f"sound of {self.samples:,} samples cannot be kept in a temporary file in {tempfile.gettempdir()} "
                f"({error.strerror}); it needs {4 * self.samples / 1e6:,.0f} MB and more: make room there, or set "
                "TMPDIR to a folder that has it",
            ) from None

    def drain(self) -> Iterator[Samples]:
        """Give the sound back, once; memory is freed as it goes."""
        while self._blocks:
            yield self._blocks.popleft()
        if self._file is not None:
            self._file.seek(0)
            while data := self._file.read(4 * FILE_BLOCK_SAMPLES):
                yield np.frombuffer(data, dtype=np.float32)
