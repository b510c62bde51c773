"""Sets of pairs that share a reference: a network that encodes references apart encodes each once for the whole set."""

import numpy as np
from numpy.typing import NDArray

from sfdata.reader import SplitPairs
from sfdata.windows import draw_reference_starts

IntArray = NDArray[np.int64]


def draw_sets(
    rendition: NDArray[np.integer],
    onset_frame: NDArray[np.floating],
    span_frames: float,
    most: int,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    """Share pairs out among sets whose onsets lie in one rendition and near each other.

    Every rendition is cut into spans, from a place that is drawn; the pairs of a span are shuffled and dealt out.

    Parameters
    ----------
    rendition : ndarray of int, shape (pairs,)
        Of each pair's reference.
    onset_frame : ndarray of float, shape (pairs,)
        Where its onset lies there.
    span_frames : float
        Onsets of a set lie less than this apart.
    most : int
        Pairs in a set; the last one of a span may hold fewer.

    Returns
    -------
    order : ndarray of int64, shape (pairs,)
        The pairs, set by set; the sets in shuffled order.
    begin : ndarray of int64, shape (sets,)
        Where each set begins in `order`.
    """
    count = len(rendition)
    phase = rng.random(int(rendition.max(initial=-1)) + 1) * span_frames
    span = np.floor((onset_frame + phase[rendition]) / span_frames).astype(np.int64)
    shuffled = rng.permutation(count)
    order = shuffled[np.lexsort((span[shuffled], rendition[shuffled]))]
    place = np.arange(count)
    is_first = np.ones(count, dtype=bool)
    is_first[1:] = (np.diff(rendition[order]) != 0) | (np.diff(span[order]) != 0)
    within = place - np.maximum.accumulate(np.where(is_first, place, 0))  # number of each pair within its span
    begin = np.flatnonzero(within % most == 0)
    size = np.diff(np.append(begin, count))
    taken = rng.permutation(len(begin))
    ends = np.cumsum(size[taken])
    starts = ends - size[taken]
    inside = place - np.repeat(starts, size[taken])
    return order[np.repeat(begin[taken], size[taken]) + inside], starts


def draw_shared(pairs: SplitPairs, index: IntArray, most: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Put pairs into sets, each with one fresh reference.

    Parameters
    ----------
    pairs : SplitPairs
    index : ndarray of int64, shape (pairs,)
        Positions within the split.
    most : int
        Pairs in a set.

    Returns
    -------
    index, reference_start : ndarray of int64, shape (pairs,)
        In the order of the sets; every reference holds all onsets of its set, with the recipe's margin.
    """
    onset_frame = pairs.reference_start[index] + pairs.target_frame[index]
    rendition = pairs.reference_rendition[index]
    margin_frames = pairs.windows.margin_s * pairs.frame_rate_hz
    # a frame less than what fits: starts are whole frames
    span_frames = pairs.reference_frames - 2 - 2 * margin_frames
    order, begin = draw_sets(rendition, onset_frame, max(span_frames, 1.0), most, rng)
    onset_frame = onset_frame[order]
    start = draw_reference_starts(
        np.minimum.reduceat(onset_frame, begin),
        pairs.frame_count[rendition[order][begin]],
        pairs.windows,
        pairs.frame_rate_hz,
        rng,
        last_onset_frame=np.maximum.reduceat(onset_frame, begin),
    )
    return index[order], np.repeat(start, np.diff(np.append(begin, len(order))))
