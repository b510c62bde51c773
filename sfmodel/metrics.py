"""Metrics of following: from predicted and true positions to hit rates, errors and their intervals.

Conventions
-----------
One prediction a pair: the *predicted frame* is the top-1 frame of the reference, and stands for the time of its
centre, ``predicted_frame / frame_rate_hz``. The *target frame* is the onset's position in the same reference, in
fractional frames. Errors are absolute, in milliseconds; rates lie between 0 and 1.

Two hit rates follow the paper ("Towards audio based score following", sections II.A and III), which calls a frame
a bucket:

* ``bucket1``: the predicted frame is the one nearest to the target (:func:`sfdata.windows.nearest_frame`);
* ``bucket2``: the predicted frame is one of the two of the soft target
  (:func:`sfdata.windows.soft_target_buckets`). A frame to which the soft target gives no weight does not count: an
  onset that lies right on a frame has that frame only. So ``bucket2`` is never below ``bucket1``, and means an error
  of less than one frame.

``within_50ms`` … ``within_500ms`` are shares of pairs with an error up to and including that limit; ``beyond_500ms``
is the share of all others. A top-1 frame cannot be better than the frames are fine: 50 ms apart, the best possible
predictions have errors between 0 and 25 ms, 12.5 ms in the mean, and ``within_50ms`` says the same as ``bucket2``.

Intervals
---------
Onsets of one piece resemble each other, so a piece, not a pair, is what was drawn at random from all music.
The 95 % intervals are percentiles (2.5, 97.5) over :data:`DRAWS` resamples of *pieces*, with replacement, all pairs
of a drawn piece coming along (a cluster bootstrap). With a single piece every resample is that piece: the interval
shrinks to a point and says nothing; with a handful of pieces it is too narrow rather than too wide.

*Pooled* figures are taken over all pairs, so long pieces count more; *piece-wise* ones (:func:`piecewise_means`) are
the mean over pieces of each piece's own.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.windows import nearest_frame, soft_target_buckets

LIMITS_MS = (50, 100, 250, 500)
RATES = ("bucket1", "bucket2", *(f"within_{limit}ms" for limit in LIMITS_MS), "beyond_500ms")
ERRORS = ("mean_ms", "median_ms")
DRAWS = 1000
GUARD_MS = 1e-6  # (6 - 5) / 20 s is 50.000000000000044 ms in floating point, and is meant to lie within 50 ms

FloatArray = NDArray[np.float64]


def validate(predicted_frame: NDArray[Any], target_frame: NDArray[Any], frame_rate_hz: float) -> None:
    """Check that predictions and targets can be compared.

    Raises
    ------
    ValueError
        If there are none, the shapes differ or are not one-dimensional, a value is not finite, a target is negative,
        or the frame rate is not positive.
    """
    predicted, target = np.asarray(predicted_frame), np.asarray(target_frame)
    if predicted.shape != target.shape or predicted.ndim != 1:
        raise ValueError(f"predictions have shape {predicted.shape}, targets {target.shape}; expected both (pairs,)")
    if not len(predicted):
        raise ValueError("there are no pairs to evaluate; expected at least one")
    for name, values in (("predicted", predicted), ("target", target)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ValueError(
                f"{len(bad)} of {len(values)} {name} frames are not finite (the first is number {bad[0]}: "
                f"{values[bad[0]]}); expected finite numbers"
            )
    if target.min() < 0:
        raise ValueError(f"the smallest target frame is {target.min()}; expected none below 0")
    if not (np.isfinite(frame_rate_hz) and frame_rate_hz > 0):
        raise ValueError(f"frame_rate_hz is {frame_rate_hz}; expected a positive number")


def error_ms(predicted_frame: NDArray[Any], target_frame: NDArray[Any], frame_rate_hz: float) -> FloatArray:
    """Absolute error of each prediction in milliseconds, shape (pairs,).

    Examples
    --------
    >>> error_ms(np.array([3, 10]), np.array([3.25, 8.0]), 20.0).tolist()
    [12.5, 100.0]
    """
    distance = np.asarray(predicted_frame, dtype=np.float64) - np.asarray(target_frame, dtype=np.float64)
    return np.abs(distance) * 1000.0 / frame_rate_hz


def bucket_hits(
    predicted_frame: NDArray[Any], target_frame: NDArray[Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each prediction is the nearest frame, and whether it is one of the soft target's.

    Returns
    -------
    bucket1, bucket2 : ndarray of bool, shape (pairs,)

    Examples
    --------
    >>> first, either = bucket_hits(np.array([3, 4, 5, 6]), np.array([3.25, 3.25, 5.0, 5.0]))
    >>> first.tolist(), either.tolist()
    ([True, False, True, False], [True, True, True, False])
    """
    predicted = nearest_frame(predicted_frame)
    target = np.asarray(target_frame, dtype=np.float64)
    bucket1 = predicted == nearest_frame(target)
    frames = int(target.max(initial=0.0)) + 2  # however long the reference is, it reaches beyond its targets
    buckets, weights = soft_target_buckets(target, frames)  # both (pairs, 2)
    either = ((buckets == predicted[:, None]) & (weights > 0)).any(axis=1)
    return bucket1, bucket1 | either


def evaluate_predictions(
    predicted_frame: NDArray[Any],
    target_frame: NDArray[Any],
    frame_rate_hz: float,
    piece: NDArray[Any],
    lookalikes: NDArray[Any] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute all figures of one method on one set of pairs.

    Parameters
    ----------
    predicted_frame : ndarray, shape (pairs,)
        Top-1 frames, in frames of the reference.
    target_frame : ndarray of float, shape (pairs,)
        True positions, in fractional frames of the reference.
    frame_rate_hz : float
        Frames a second.
    piece : ndarray of int, shape (pairs,)
        Which piece each pair belongs to.
    lookalikes : ndarray of int, shape (pairs,), optional
        How many other passages of the reference look the same. If given, the figures are repeated for pairs without
        (``unique``) and with (``repeated``) such passages, as far as there are any.
    draws : int
        Resamples for the intervals.
    seed : int
        Seed of the resampling.

    Returns
    -------
    dict
        ``pairs``, ``pieces``, every key of :data:`RATES` and :data:`ERRORS`, and ``ci95``: each of these keys to
        ``[low, high]``. With `lookalikes` also ``unique`` and ``repeated``: dicts of the same keys.

    Raises
    ------
    ValueError
        If there are no pairs, or shapes or values cannot be used (see :func:`validate`).

    Examples
    --------
    >>> figures = evaluate_predictions(np.array([3, 4, 9]), np.array([3.25, 3.25, 5.0]), 20.0, np.array([0, 0, 1]))
    >>> figures["pairs"], round(figures["bucket2"], 3), figures["median_ms"], figures["ci95"]["beyond_500ms"]
    (3, 0.667, 37.5, [0.0, 0.0])
    """
    piece = _check_pieces(predicted_frame, target_frame, frame_rate_hz, piece)
    error = error_ms(predicted_frame, target_frame, frame_rate_hz)
    columns = _columns(predicted_frame, target_frame, error)  # (pairs, 8)

    names, piece_index = np.unique(piece, return_inverse=True)
    result: dict[str, Any] = {"pairs": len(error), "pieces": len(names)}
    result |= {key: float(value) for key, value in zip((*RATES, "mean_ms"), columns.mean(axis=0), strict=True)}
    result["median_ms"] = float(np.median(error))

    times = _draw_pieces(len(names), draws, seed)  # (draws, pieces)
    totals = np.stack([np.bincount(piece_index, column, len(names)) for column in columns.T], axis=1)  # (pieces, 8)
    pairs = times @ np.bincount(piece_index, minlength=len(names))  # (draws,)
    resampled = dict(zip((*RATES, "mean_ms"), (times @ totals / pairs[:, None]).T, strict=True))
    resampled["median_ms"] = resampled_median(error, piece_index, times)
    result["ci95"] = {key: np.percentile(resampled[key], (2.5, 97.5)).tolist() for key in (*RATES, *ERRORS)}

    if lookalikes is not None:
        repeats = np.asarray(lookalikes) > 0
        for name, chosen in (("unique", ~repeats), ("repeated", repeats)):
            if chosen.any():
                result[name] = evaluate_predictions(
                    np.asarray(predicted_frame)[chosen],
                    np.asarray(target_frame)[chosen],
                    frame_rate_hz,
                    piece[chosen],
                    draws=draws,
                    seed=seed,
                )
    return result


def piecewise_means(
    predicted_frame: NDArray[Any],
    target_frame: NDArray[Any],
    frame_rate_hz: float,
    piece: NDArray[Any],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Mean over pieces of each piece's own figures, so that a long piece counts no more than a short one.

    Parameters
    ----------
    predicted_frame, target_frame, frame_rate_hz, piece, draws, seed :
        See :func:`evaluate_predictions`; with the same seed the same pieces are drawn.

    Returns
    -------
    dict
        ``pieces``, every key of :data:`RATES` and :data:`ERRORS` (``median_ms``: the mean of the pieces' medians), and
        ``ci95``: each of these keys to ``[low, high]``.

    Raises
    ------
    ValueError
        If there are no pairs, or shapes or values cannot be used.

    Examples
    --------
    >>> figures = piecewise_means(np.array([3, 4, 9]), np.array([3.25, 3.25, 5.0]), 20.0, np.array([0, 0, 1]))
    >>> figures["pieces"], figures["bucket2"], figures["mean_ms"], figures["ci95"]["bucket2"]
    (2, 0.5, 112.5, [0.0, 1.0])
    """
    piece = _check_pieces(predicted_frame, target_frame, frame_rate_hz, piece)
    error = error_ms(predicted_frame, target_frame, frame_rate_hz)
    names, piece_index = np.unique(piece, return_inverse=True)
    columns = _columns(predicted_frame, target_frame, error)
    totals = np.stack([np.bincount(piece_index, column, len(names)) for column in columns.T], axis=1)  # (pieces, 8)
    medians = np.array([np.median(error[piece_index == i]) for i in range(len(names))])
    own = np.column_stack([totals / np.bincount(piece_index)[:, None], medians])  # (pieces, 9)
    resampled = _draw_pieces(len(names), draws, seed) @ own / len(names)  # (draws, 9)
    keys = (*RATES, *ERRORS)
    bounds = np.percentile(resampled, (2.5, 97.5), axis=0).T  # (9, 2)
    return {
        "pieces": len(names),
        **{key: float(value) for key, value in zip(keys, own.mean(axis=0), strict=True)},
        "ci95": {key: interval.tolist() for key, interval in zip(keys, bounds, strict=True)},
    }


def _check_pieces(
    predicted_frame: NDArray[Any], target_frame: NDArray[Any], frame_rate_hz: float, piece: NDArray[Any]
) -> NDArray[Any]:
    """The pieces as an array, if everything fits."""
    validate(predicted_frame, target_frame, frame_rate_hz)
    piece = np.asarray(piece)
    if piece.shape != np.shape(target_frame):
        raise ValueError(f"pieces have shape {piece.shape}, targets {np.shape(target_frame)}; expected the same")
    return piece


def _columns(predicted_frame: NDArray[Any], target_frame: NDArray[Any], error: FloatArray) -> FloatArray:
    """What is averaged over pairs, shape (pairs, 8): a hit is 1, for each of :data:`RATES`; last the error in ms."""
    within = [error <= limit + GUARD_MS for limit in LIMITS_MS]
    columns = [*bucket_hits(predicted_frame, target_frame), *within, ~within[-1], error]
    return np.stack(columns, axis=1).astype(np.float64)


def _draw_pieces(pieces: int, draws: int, seed: int) -> NDArray[np.int64]:
    """How often each piece was drawn, with replacement, shape (draws, pieces)."""
    return np.random.default_rng(seed).multinomial(pieces, np.full(pieces, 1 / pieces), size=draws)


def resampled_median(values: FloatArray, piece_index: NDArray[np.integer], times: NDArray[np.integer]) -> FloatArray:
    """Median over all pairs of the drawn pieces, for every draw, exactly.

    Parameters
    ----------
    values : ndarray of float64, shape (pairs,)
    piece_index : ndarray of int, shape (pairs,)
        Piece of each pair, counted from 0.
    times : ndarray of int, shape (draws, pieces)
        How often each piece was drawn.

    Returns
    -------
    ndarray of float64, shape (draws,)

    Notes
    -----
    Sorted values are gone through in blocks: a matrix product tells how many of each draw's pairs lie in each
    block, so only the block that holds the median is ever looked into. Repeating the pairs a thousand times would
    take minutes where this takes milliseconds.

    Examples
    --------
    >>> resampled_median(np.array([1.0, 3.0, 10.0]), np.array([0, 0, 1]), np.array([[2, 0], [0, 2], [1, 1]])).tolist()
    [2.0, 10.0, 3.0]
    """
    order = np.argsort(values, kind="stable")
    ordered, ordered_piece = values[order], piece_index[order]
    width = int(np.ceil(np.sqrt(len(values))))
    block = np.arange(len(values)) // width
    blocks = int(block[-1]) + 1
    in_block = np.zeros((times.shape[1], blocks))
    np.add.at(in_block, (ordered_piece, block), 1)
    cumulated = np.cumsum(times @ in_block, axis=1)  # (draws, blocks)
    total = cumulated[:, -1].astype(np.int64)
    draw = np.arange(len(times))
    middle = []
    for rank in ((total - 1) // 2, total // 2):  # the same one where the number of pairs is odd
        found = (cumulated <= rank[:, None]).sum(axis=1)  # (draws,): the block that holds the value of that rank
        before = np.where(found > 0, cumulated[draw, np.maximum(found - 1, 0)], 0)
        position = found[:, None] * width + np.arange(width)  # (draws, width)
        inside = position < len(values)
        position = np.minimum(position, len(values) - 1)
        counts = times[draw[:, None], ordered_piece[position]] * inside
        reached = np.cumsum(counts, axis=1) + before[:, None] > rank[:, None]
        middle.append(ordered[position[draw, reached.argmax(axis=1)]])
    return (middle[0] + middle[1]) / 2
