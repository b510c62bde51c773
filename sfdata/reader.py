"""Reading pairs in batches: the one way from a store to arrays, for training, evaluation and baselines.

:class:`PairReader` holds a split's frames in memory; :class:`sfdata.block_reader.BlockReader` reads them in blocks.
Either cuts the same bytes for the same pair.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sfdata.schema import SPLITS, array_sha256
from sfdata.store import Store
from sfdata.windows import cut_windows, draw_reference_starts, nearest_frame

IntArray = NDArray[np.int64]
READ_BYTES = 64 * 2**20  # of frames in one request, at most, unless one rendition alone is larger


@dataclass(frozen=True)
class Batch:
    """Pairs, cut out of their renditions.

    Attributes
    ----------
    reference : ndarray, shape (pairs, reference_frames, bins)
    snippet : ndarray, shape (pairs, snippet_frames, bins)
    target_frame : ndarray of float64, shape (pairs,)
        The onset's position in the reference, in frames.
    index : ndarray of int64, shape (pairs,), optional
        Positions of the pairs within their split.
    """

    reference: NDArray[np.floating]
    snippet: NDArray[np.floating]
    target_frame: NDArray[np.float64]
    index: IntArray | None = None

    def __len__(self) -> int:
        return len(self.target_frame)


def join_batches(parts: Sequence[Batch]) -> Batch:
    """One batch of several, in order."""
    if len(parts) == 1:
        return parts[0]
    index = [part.index for part in parts if part.index is not None]
    return Batch(
        np.concatenate([part.reference for part in parts]),
        np.concatenate([part.snippet for part in parts]),
        np.concatenate([part.target_frame for part in parts]),
        np.concatenate(index) if len(index) == len(parts) else None,
    )


class SplitPairs:
    """The pairs of a split: where their windows lie, without the frames.

    Parameters
    ----------
    store : Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.

    Attributes
    ----------
    rows : ndarray of int64, shape (pairs,)
        The pairs' rows in the store's table.
    renditions : ndarray of int, shape (used,)
        Rows of the renditions that the pairs need, ascending.
    frame_bytes : int
        Size of all frames of those renditions.

    Raises
    ------
    ValueError
        If the split holds no pairs, or the tables are damaged.
    """

    def __init__(self, store: Store, split: str = "train") -> None:
        self.store, self.split, self.rows = store, split, store.pair_rows(split)
        if not len(self.rows):
            held = {name: len(store.pair_rows(name)) for name in SPLITS}
            raise ValueError(f"{store.path}: split {split!r} holds no pairs; pairs by split: {held}")
        self.windows, self.frame_rate_hz = store.windows, store.spectrogram.frame_rate_hz
        self.reference_frames, self.snippet_frames = store.reference_frames, store.snippet_frames
        self.bins = int(store.frames.shape[1])
        first, count = store.renditions["first_frame"], store.renditions["frame_count"]
        if np.any((first < 0) | (count < 0) | (count > store.frames.shape[0] - first)):
            raise ValueError(
                f"{store.path}: renditions claim frames beyond the {store.frames.shape[0]} there are; the store is "
                f"damaged: see 'sfdata validate {store.path}'"
            )
        self.reference_rendition = store.pairs["reference_rendition"][self.rows]
        self.snippet_rendition = store.pairs["snippet_rendition"][self.rows]
        self.renditions = np.union1d(self.reference_rendition, self.snippet_rendition)
        self.frame_count: IntArray = store.renditions["frame_count"]  # (all renditions,)
        centre = store.pairs["snippet_centre_s"][self.rows]
        self.snippet_start = nearest_frame(centre * self.frame_rate_hz) - self.snippet_frames // 2
        self.reference_start = store.pairs["reference_start_frame"][self.rows]
        self.target_frame = store.pairs["target_frame"][self.rows]
        self.lookalikes = store.pairs["lookalikes"][self.rows]
        self.frame_bytes = self.bytes_of(self.renditions)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def piece(self) -> NDArray[np.int32]:
        """Row of each pair's piece, shape (pairs,)."""
        return self.store.pair_pieces(self.rows)

    def bytes_of(self, renditions: NDArray[np.integer]) -> int:
        """Size of the frames of some renditions."""
        return int(self.frame_count[renditions].sum()) * self.bins * int(self.store.frames.dtype.itemsize)

    def draw_starts(self, index: NDArray[np.integer], rng: np.random.Generator) -> IntArray:
        """Draw fresh references for a batch: any window that holds the onset, with the recipe's margin."""
        onset_frame = self.reference_start[index] + self.target_frame[index]
        count = self.frame_count[self.reference_rendition[index]]
        return draw_reference_starts(onset_frame, count, self.windows, self.frame_rate_hz, rng)

    def cut(
        self,
        frames: NDArray[np.floating],
        first_of: IntArray,
        index: NDArray[np.integer] | slice,
        reference_start: IntArray | None = None,
    ) -> Batch:
        """Cut pairs out of frames in memory.

        Parameters
        ----------
        frames : ndarray, shape (frames, bins)
            Renditions, back to back.
        first_of : ndarray of int64, shape (all renditions,)
            Where each rendition begins in `frames`.
        index, reference_start :
            See :meth:`PairReader.batch`.
        """
        if isinstance(index, slice):
            index = np.arange(len(self))[index]
        reference, snippet = self.reference_rendition[index], self.snippet_rendition[index]
        pinned = self.reference_start[index]
        start = pinned if reference_start is None else reference_start
        length = self.reference_frames
        return Batch(
            cut_windows(frames, first_of[reference], self.frame_count[reference], start, length),
            cut_windows(
                frames, first_of[snippet], self.frame_count[snippet], self.snippet_start[index], self.snippet_frames
            ),
            np.asarray(self.target_frame[index] + (pinned - start), dtype=np.float64),
            np.asarray(index, dtype=np.int64),
        )

    def read(
        self, renditions: NDArray[np.integer], cancelled: Callable[[], bool] = lambda: False
    ) -> tuple[NDArray[np.floating], IntArray]:
        """Read renditions, few large requests in place of many small ones, and check them.

        Parameters
        ----------
        renditions : ndarray of int, ascending
        cancelled : callable
            Asked before each request whether to give up.

        Returns
        -------
        frames : ndarray, shape (frames, bins)
            The renditions, back to back.
        first_of : ndarray of int64, shape (all renditions,)
            Where each of them begins; -1 for the others.

        Raises
        ------
        ValueError
            If a rendition cannot be read, differs from its checksum, or holds values that are no finite numbers.
        CancelledError
            If it was cancelled.
        """
        count = self.frame_count[renditions]
        first_of = np.full(len(self.frame_count), -1, dtype=np.int64)
        first_of[renditions] = np.cumsum(count) - count
        frames = np.empty((int(count.sum()), self.bins), dtype=self.store.frames.dtype)
        row_bytes = self.bins * frames.itemsize
        for run in _runs(self.store.renditions["first_frame"][renditions], count, READ_BYTES // row_bytes):
            if cancelled():
                raise CancelledError(f"reading {self.store.path} was cancelled")
            part = renditions[run]
            begin, end = first_of[part[0]], first_of[part[-1]] + self.frame_count[part[-1]]
            self._read_run(part, frames[begin:end])
        return frames, first_of

    def _read_run(self, renditions: NDArray[np.integer], out: NDArray[np.floating]) -> None:
        """Read renditions that lie back to back in the store as well."""
        first = int(self.store.renditions["first_frame"][renditions[0]])
        try:
            out[:] = self.store.frames[first : first + len(out)]
            readable = True
        except Exception:  # damaged chunks raise whatever their codec does
            readable = False
        at = 0
        for rendition in renditions.tolist():
            frames = out[at : at + int(self.frame_count[rendition])]
            whole = readable and array_sha256(frames) == self.store.renditions["sha256"][rendition]
            if not (whole and np.isfinite(frames).all()):
                frames[:] = self.store.rendition_frames(rendition)  # which says what is wrong, unless it was passing
            at += len(frames)


def _runs(first: IntArray, count: IntArray, max_frames: int) -> list[slice]:
    """Split renditions into runs that lie back to back, each of no more frames than allowed if it can be.

    Examples
    --------
    >>> _runs(np.array([0, 10, 30, 35]), np.array([10, 5, 5, 5]), 100)
    [slice(0, 2, None), slice(2, 4, None)]
    >>> _runs(np.array([0, 10, 30, 35]), np.array([10, 5, 5, 5]), 12)
    [slice(0, 1, None), slice(1, 2, None), slice(2, 4, None)]
    """
    runs, begin, frames = [], 0, 0
    for i in range(len(first)):
        if i > begin and (first[i] != first[i - 1] + count[i - 1] or frames + count[i] > max_frames):
            runs.append(slice(begin, i))
            begin, frames = i, 0
        frames += int(count[i])
    return [*runs, slice(begin, len(first))] if len(first) else []


class PairReader(SplitPairs):
    """Holds the renditions of a split in memory and cuts whole batches of pairs out of them.

    Parameters
    ----------
    store : Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    max_bytes : int, optional
        Refuse to hold more than this.

    Attributes
    ----------
    frames : ndarray, shape (frames, bins)

    Raises
    ------
    ValueError
        If the split holds no pairs, needs more than `max_bytes`, or what it needs of the store is damaged.
    """

    def __init__(self, store: Store, split: str = "train", max_bytes: int | None = None) -> None:
        super().__init__(store, split)
        if max_bytes is not None and self.frame_bytes > max_bytes:
            raise ValueError(
                f"{store.path}: split {split!r} needs {self.frame_bytes / 2**20:.0f} MiB in memory, "
                f"{max_bytes / 2**20:.0f} MiB are allowed; read it in blocks, build a smaller store or use a machine "
                "with more memory"
            )
        self.frames, self._first_of = self.read(self.renditions)

    def batch(self, index: NDArray[np.integer] | slice, reference_start: IntArray | None = None) -> Batch:
        """Cut a batch.

        Parameters
        ----------
        index : ndarray of int, shape (pairs,), or slice
            Positions within this split (0 … ``len(reader)`` - 1).
        reference_start : ndarray of int64, shape (pairs,), optional
            References to take in place of the pinned ones, as :meth:`draw_starts` gives them.
        """
        return self.cut(self.frames, self._first_of, index, reference_start)

    def holding(self, groups: Sequence[NDArray[np.integer]]) -> AbstractContextManager["PairReader"]:
        """Hold groups of renditions one after another, as a block reader does: here all of them are held."""
        return nullcontext(self)

    def group_batch(self, group: int, index: NDArray[np.integer], reference_start: IntArray | None = None) -> Batch:
        """Cut pairs of one group."""
        return self.batch(index, reference_start)
