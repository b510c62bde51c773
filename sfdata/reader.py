"""Reading pairs in batches: the one way from a store to arrays, for training, evaluation and baselines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.schema import SPLITS
from sfdata.store import Store
from sfdata.windows import cut_windows, draw_reference_starts, nearest_frame


@dataclass(frozen=True)
class Batch:
    """Pairs, cut out of their renditions.

    Attributes
    ----------
    reference : ndarray, shape (pairs, reference_frames, bins)
    snippet : ndarray, shape (pairs, snippet_frames, bins)
    target_frame : ndarray of float64, shape (pairs,)
        The onset's position in the reference, in frames.
    """

    reference: NDArray[np.floating]
    snippet: NDArray[np.floating]
    target_frame: NDArray[np.float64]


class PairReader:
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
    rows : ndarray of int64, shape (pairs,)
        The pairs' rows in the store's table.

    Raises
    ------
    ValueError
        If the split holds no pairs, needs more than `max_bytes`, or what it needs of the store is damaged.
    """

    def __init__(self, store: Store, split: str = "train", max_bytes: int | None = None) -> None:
        self.rows = store.pair_rows(split)
        if not len(self.rows):
            held = {name: len(store.pair_rows(name)) for name in SPLITS}
            raise ValueError(f"{store.path}: split {split!r} holds no pairs; pairs by split: {held}")
        self.windows, self.frame_rate_hz = store.windows, store.spectrogram.frame_rate_hz
        self.reference_frames, self.snippet_frames = store.reference_frames, store.snippet_frames
        pairs = {name: values[self.rows] for name, values in store.pairs.items()}
        used = np.union1d(pairs["reference_rendition"], pairs["snippet_rendition"])
        counts = store.renditions["frame_count"][used]
        bins = store.frames.shape[1]
        needed = int(counts.sum()) * bins * store.frames.dtype.itemsize
        if max_bytes is not None and needed > max_bytes:
            raise ValueError(
                f"{store.path}: split {split!r} needs {needed / 2**20:.0f} MiB in memory, {max_bytes / 2**20:.0f} MiB "
                "are allowed; build a smaller store or use a machine with more memory"
            )
        self.frames = np.empty((int(counts.sum()), bins), dtype=store.frames.dtype)
        first_of = np.zeros(len(store.renditions["frame_count"]), dtype=np.int64)
        first_of[used] = np.cumsum(counts) - counts
        for rendition, count in zip(used, counts, strict=True):
            first = first_of[rendition]
            self.frames[first : first + count] = store.rendition_frames(int(rendition))
        self._reference_first = first_of[pairs["reference_rendition"]]
        self._reference_count = store.renditions["frame_count"][pairs["reference_rendition"]]
        self._snippet_first = first_of[pairs["snippet_rendition"]]
        self._snippet_count = store.renditions["frame_count"][pairs["snippet_rendition"]]
        self._snippet_start = nearest_frame(pairs["snippet_centre_s"] * self.frame_rate_hz) - self.snippet_frames // 2
        self.reference_start = pairs["reference_start_frame"]
        self.target_frame = pairs["target_frame"]
        self.piece = store.pair_pieces(self.rows)
        self.lookalikes = pairs["lookalikes"]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: NDArray[np.integer] | slice, reference_start: NDArray[np.int64] | None = None) -> Batch:
        """Cut a batch.

        Parameters
        ----------
        index : ndarray of int, shape (pairs,), or slice
            Positions within this split (0 … ``len(reader)`` - 1).
        reference_start : ndarray of int64, shape (pairs,), optional
            References to take in place of the pinned ones, as :meth:`draw_starts` gives them.
        """
        pinned = self.reference_start[index]
        start = pinned if reference_start is None else reference_start
        reference = cut_windows(
            self.frames, self._reference_first[index], self._reference_count[index], start, self.reference_frames
        )
        snippet = cut_windows(
            self.frames,
            self._snippet_first[index],
            self._snippet_count[index],
            self._snippet_start[index],
            self.snippet_frames,
        )
        return Batch(reference, snippet, np.asarray(self.target_frame[index] + (pinned - start), dtype=np.float64))

    def draw_starts(self, index: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw fresh references for a batch: any window that holds the onset, with the recipe's margin."""
        onset_frame = self.reference_start[index] + self.target_frame[index]
        return draw_reference_starts(onset_frame, self._reference_count[index], self.windows, self.frame_rate_hz, rng)
