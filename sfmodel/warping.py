"""Warping paths through log likelihoods, performance frame by reference frame: dynamic programming, compiled.

Conventions
-----------
A path gives each frame of the performance a frame of the reference; from one to the next it goes on by 0 to K - 1
frames, each step at its cost. The best path has the greatest sum of log likelihoods less costs. Where a matrix would be
large, a coarse path is sought first, and the fine one in a band about it.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sfmodel.compiling import compiled

Float32Array = NDArray[np.float32]
COARSE = 10  # frames in one, to both sides
NEVER = np.float32(-1e30)


def _best_path(
    first: NDArray[np.int64],
    rows: Float32Array,
    step_cost: Float32Array,
    start_cost: float,
    end_cost: float,
    frames: int,
) -> NDArray[np.int64]:
    """Best path within a band, to be compiled.

    `rows` (performed frames, width) holds the log likelihoods of the frames from `first` (performed frames,) on.
    """
    count, width = rows.shape
    came = np.zeros((count, width), np.int8)
    value = np.full(width, NEVER, np.float32)
    for w in range(width):
        if first[0] + w < frames:
            value[w] = rows[0, w] - np.float32(start_cost) * (first[0] + w)
    for t in range(1, count):
        moved = first[t] - first[t - 1]
        new = np.full(width, NEVER, np.float32)
        for w in range(width):
            if first[t] + w >= frames:
                break
            best, by = NEVER, 0
            for k in range(len(step_cost)):
                place = w + moved - k
                if 0 <= place < width:
                    here = value[place] - step_cost[k]
                    if here > best:
                        best, by = here, k
            new[w] = best + rows[t, w]
            came[t, w] = by
        value = new
    last, best = 0, NEVER
    for w in range(width):
        if first[-1] + w < frames:
            here = value[w] - np.float32(end_cost) * (frames - 1 - first[-1] - w)
            if here > best:
                best, last = here, w
    path = np.empty(count, np.int64)
    place = first[-1] + last
    for t in range(count - 1, -1, -1):
        path[t] = place
        place -= came[t, place - first[t]]
    return path


def warping_path(
    parts: Callable[[], Iterable[Float32Array]],
    performed_frames: int,
    reference_frames: int,
    step_cost: Sequence[float],
    start_cost: float,
    end_cost: float,
    band_frames: int,
) -> NDArray[np.int64]:
    """Find the best path.

    Parameters
    ----------
    parts : callable
        Gives the log likelihoods of the performance's frames, part after part: (frames, reference_frames), in all but
        the last one a multiple of :data:`COARSE` frames. Is called once, or twice where a coarse path is sought first.
    performed_frames, reference_frames : int
    step_cost : sequence of float
        Of going on by 0, 1, 2, … frames.
    start_cost, end_cost : float
        Of every frame of the reference that is left out before the path, and after it.
    band_frames : int
        The fine path lies within so many frames of the coarse one, to both sides.

    Returns
    -------
    ndarray of int64, shape (performed_frames,)
        Never falls.

    Raises
    ------
    ValueError
        If one side has no frames.
    """
    if performed_frames < 1 or reference_frames < 1:
        raise ValueError(f"{performed_frames} frames of performance, {reference_frames} of reference; expected some")
    best_path, cost = compiled(_best_path), np.asarray(step_cost, dtype=np.float32)
    width = min(reference_frames, 2 * band_frames + 1)
    first = np.zeros(performed_frames, dtype=np.int64)
    if width < reference_frames:
        coarse = _coarse_rows(parts(), reference_frames)
        count = coarse.shape[1]
        zeros = np.zeros(len(coarse), dtype=np.int64)
        # a coarse step is the mean of COARSE frames, so their sum, and costs but those of the ends stay as they are
        path = best_path(zeros, COARSE * coarse, cost, COARSE * start_cost, COARSE * end_cost, count)
        middle = np.interp(np.arange(performed_frames), COARSE * (np.arange(len(path)) + 0.5), COARSE * (path + 0.5))
        first = np.clip(middle.astype(np.int64) - band_frames, 0, reference_frames - width)
    rows = np.empty((performed_frames, width), dtype=np.float32)
    for t, row in enumerate(chain.from_iterable(parts())):
        rows[t] = row[first[t] : first[t] + width]
    return np.asarray(best_path(first, rows, cost, start_cost, end_cost, reference_frames))


def _coarse_rows(parts: Iterable[Float32Array], reference_frames: int) -> Float32Array:
    """Means over COARSE by COARSE frames; those left over at the ends stand alone."""
    edges = np.arange(0, reference_frames, COARSE)
    widths = np.diff(np.append(edges, reference_frames)).astype(np.float32)
    rows = []
    for fine in parts:
        part = np.add.reduceat(fine, edges, axis=1) / widths
        starts = np.arange(0, len(part), COARSE)
        heights = np.diff(np.append(starts, len(part))).astype(np.float32)
        rows.append(np.add.reduceat(part, starts, axis=0) / heights[:, None])
    return np.asarray(np.concatenate(rows), dtype=np.float32)
