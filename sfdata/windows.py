"""Windows into spectrograms: references, snippets, and targets.

Conventions
-----------
Frame ``i`` of a rendition is centred at ``i / frame_rate_hz`` seconds. A *reference* is ``reference_frames``
frames from a start frame on; a *snippet* is an odd number of frames whose middle one is the frame nearest to
an onset. The *target* is the onset's position in the reference in fractional frames. Frames outside the
rendition are silence, which is zero in every compressed spectrogram here.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.int64]
MOST_REFERENCE_S = 3600  # what is longer than a piece is padding


@dataclass(frozen=True)
class WindowSettings:
    """Lengths of the windows, in seconds.

    Attributes
    ----------
    reference_s : float
        Length of a reference (paper: 12 s).
    snippet_s : float
        Length of a snippet (paper: 1.35 s).
    reference_hop_s : float
        Distance between the starts of two successive, overlapping references in the pinned pairs.
    margin_s : float
        A pair's reference is chosen so that the onset stays this far from both its ends wherever the piece
        allows (all do but those at the very beginning and end).
    """

    reference_s: float = 12.0
    snippet_s: float = 1.35
    reference_hop_s: float = 3.0
    margin_s: float = 0.675

    def __post_init__(self) -> None:
        if not self.reference_s <= MOST_REFERENCE_S:  # also catches NaN
            raise ValueError(f"windows: reference_s {self.reference_s}; expected {MOST_REFERENCE_S} at most")
        if not (0 < self.snippet_s < self.reference_s and 0 < self.reference_hop_s <= self.reference_s):
            raise ValueError(
                f"windows: snippet_s {self.snippet_s}, reference_s {self.reference_s}, reference_hop_s "
                f"{self.reference_hop_s}; expected 0 < snippet_s < reference_s and 0 < reference_hop_s <= reference_s"
            )
        if not 0 <= self.margin_s < self.reference_s / 2:
            raise ValueError(f"windows: margin_s {self.margin_s}; expected 0 <= margin_s < reference_s / 2")
        if self.reference_hop_s > self.reference_s - 2 * self.margin_s:
            raise ValueError(
                f"windows: reference_hop_s {self.reference_hop_s} leaves gaps between references; expected at most "
                f"reference_s - 2 margin_s = {self.reference_s - 2 * self.margin_s}"
            )

    def reference_frames(self, frame_rate_hz: float) -> int:
        """Frames in a reference: 240 for 12 s at 20 Hz."""
        return round(self.reference_s * frame_rate_hz)

    def snippet_frames(self, frame_rate_hz: float) -> int:
        """Frames in a snippet, made odd so that one is in the middle: 27 for 1.35 s at 20 Hz."""
        return 2 * int(self.snippet_s * frame_rate_hz / 2 + 1e-9) + 1


def nearest_frame(position_frames: FloatArray | float) -> IntArray:
    """Nearest frame of a fractional position; halves go up.

    Examples
    --------
    >>> nearest_frame(np.array([1.4, 1.5, 2.5])).tolist()
    [1, 2, 3]
    """
    return np.floor(np.asarray(position_frames, dtype=np.float64) + 0.5).astype(np.int64)


def soft_target_buckets(target_frame: FloatArray, frames: int) -> tuple[IntArray, NDArray[np.float32]]:
    """Indices and weights of the paper's 2-hot soft target.

    The two frames nearest to the target, weighted linearly by nearness; a target that lies on a frame gives that
    frame all the weight.

    Parameters
    ----------
    target_frame : ndarray of float, shape (pairs,)
        Fractional frames, within ``[0, frames - 1]``.
    frames : int
        Frames in the reference.

    Returns
    -------
    buckets : ndarray of int64, shape (pairs, 2)
    weights : ndarray of float32, shape (pairs, 2)
        Rows sum to one.

    Raises
    ------
    ValueError
        If a target lies outside the reference.

    Notes
    -----
    "Towards audio based score following", section II.A.

    Examples
    --------
    >>> buckets, weights = soft_target_buckets(np.array([3.25, 5.0]), 240)
    >>> buckets.tolist(), weights.tolist()
    ([[3, 4], [5, 6]], [[0.75, 0.25], [1.0, 0.0]])
    """
    target = np.asarray(target_frame, dtype=np.float64)
    if target.size and not (np.all(target >= 0) and np.all(target <= frames - 1)):  # also catches NaN
        raise ValueError(f"target frames span {target.min()} to {target.max()}; expected all within 0 to {frames - 1}")
    first = np.minimum(np.floor(target).astype(np.int64), frames - 2)
    second_weight = (target - first).astype(np.float32)
    return np.stack([first, first + 1], axis=1), np.stack([1 - second_weight, second_weight], axis=1)


def cut_windows(
    frames: FloatArray, first_frame: IntArray, frame_count: IntArray, start: IntArray, length: int
) -> FloatArray:
    """Cut equally long windows out of renditions that lie back to back on one time axis.

    Parameters
    ----------
    frames : ndarray, shape (frames, bins)
    first_frame, frame_count : ndarray of int, shape (windows,)
        Where each window's rendition lies in `frames`.
    start : ndarray of int, shape (windows,)
        Start of each window relative to its rendition; may be negative.
    length : int
        Frames in a window.

    Returns
    -------
    ndarray, shape (windows, length, bins), dtype of `frames`
        Zero where a window reaches beyond its rendition.

    Examples
    --------
    >>> cut_windows(np.arange(1, 7.0).reshape(6, 1), np.array([3]), np.array([3]), np.array([-1]), 5)[0, :, 0].tolist()
    [0.0, 4.0, 5.0, 6.0, 0.0]
    """
    frames = np.ascontiguousarray(frames)
    start, frame_count, first_frame = np.asarray(start), np.asarray(frame_count), np.asarray(first_frame)
    inside = (start >= 0) & (start <= frame_count - length)
    windows = _whole_windows(frames, np.where(inside, first_frame + start, 0), length)
    for i in np.flatnonzero(~inside).tolist():
        low = min(max(0, -int(start[i])), length)
        high = max(low, min(length, int(frame_count[i] - start[i])))
        windows[i, :low] = windows[i, high:] = 0
        begin = int(first_frame[i] + start[i])
        windows[i, low:high] = frames[begin + low : begin + high]
    return windows


def _whole_windows(frames: FloatArray, begin: IntArray, length: int) -> FloatArray:
    """Windows that lie within contiguous `frames`; left open where there are too few frames for even one."""
    shape = (len(begin), length, frames.shape[1])
    item_bytes = length * frames.shape[1] * frames.itemsize
    if len(frames) < length or not item_bytes:
        return np.empty(shape, dtype=frames.dtype)
    # One opaque item per possible window, overlapping: picking items copies each window in one go, which is several
    # times faster than picking its frames one by one.
    windows: NDArray[np.void] = np.ndarray(
        len(frames) - length + 1, dtype=f"V{item_bytes}", buffer=frames, strides=frames.strides[:1]
    )
    return windows[begin].view(frames.dtype).reshape(shape)


def reference_start_grid(frame_count: int, settings: WindowSettings, frame_rate_hz: float) -> IntArray:
    """Start frames of the continuing, overlapping references that cover a whole rendition.

    The last one ends at or after the last frame; a rendition shorter than a reference has just one.

    Examples
    --------
    >>> reference_start_grid(400, WindowSettings(), 20.0).tolist()
    [0, 60, 120, 160]
    """
    last = max(0, frame_count - settings.reference_frames(frame_rate_hz))
    hop = max(1, round(settings.reference_hop_s * frame_rate_hz))
    return np.unique(np.append(np.arange(0, last + 1, hop), last)).astype(np.int64)


def draw_reference_starts(
    onset_frame: FloatArray,
    frame_count: IntArray,
    settings: WindowSettings,
    frame_rate_hz: float,
    rng: np.random.Generator,
    last_onset_frame: FloatArray | None = None,
) -> IntArray:
    """Draw for each onset a reference that holds it, evenly among all start frames that keep the margin.

    Parameters
    ----------
    onset_frame : ndarray of float, shape (pairs,)
        Position of the onset in its reference rendition, in frames.
    frame_count : ndarray of int, shape (pairs,)
        Frames of that rendition.
    last_onset_frame : ndarray of float, shape (pairs,), optional
        Where each reference is to hold several onsets: the last of them, `onset_frame` being the first.

    Returns
    -------
    ndarray of int64, shape (pairs,)
        Start frames; where the piece's beginning or end leaves no choice, the first or last reference.
    """
    length = settings.reference_frames(frame_rate_hz)
    margin = settings.margin_s * frame_rate_hz
    last = np.maximum(0, np.asarray(frame_count) - length)
    final = onset_frame if last_onset_frame is None else last_onset_frame
    low = np.clip(np.ceil(final + margin).astype(np.int64) - (length - 1), 0, last)
    high = np.clip(np.floor(onset_frame - margin).astype(np.int64), low, last)
    return low + np.floor(rng.random(len(low)) * (high - low + 1)).astype(np.int64)


def exact_ratio(sample_rate_hz: int, frame_rate_hz: float) -> tuple[int, int]:
    """Samples a frame as a fraction in lowest terms: 22,050 Hz at 20 frames a second is 2205 / 2.

    Raises
    ------
    ValueError
        If the frame rate is no ratio of small whole numbers, so that frames could not be placed exactly.
    """
    samples = sample_rate_hz / Fraction(str(float(frame_rate_hz)))  # the decimal as written: 7.3 is 73 / 10
    if samples.denominator > 256:
        raise ValueError(
            f"frame_rate_hz {frame_rate_hz} at {sample_rate_hz} Hz needs {samples.denominator} different window "
            "positions; expected at most 256: choose a rate that divides the sample rate more evenly"
        )
    return samples.numerator, samples.denominator
