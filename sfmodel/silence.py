"""Where a performance is silent, where it begins, and where a reference's notes begin: by the levels of frames.

Everything takes frames as they come and looks back only, but for :func:`struck_frames`, which has a whole recording.
"""

import numpy as np
from numpy.typing import NDArray

from sfmodel.features import positive_difference, raise_contrast

SILENT_SHARE = 0.08  # of the loudest level so far
WEAK_SHARE, NOISE_SHARE = 0.25, 0.25  # of it; and of what stands out from its neighbours, below which it is noise
LASTING_FRAMES = 8  # as long as which a level must last to count
LEVEL_QUANTILE = 0.95  # what counts as the usual level of a whole recording
PEAK_SHARE = 0.34  # what stands out from its neighbours, of all; noise has 0.32 or less, most frames of a piano more
LOUDER = 3.0  # than all before: a note, if it has no peaks
RISE_FRAMES, RISE_SHARE = 2, 0.15  # a rise is over so many frames; notes' rises are no smaller a share of the usual
STRUCK_EARLY, STRUCK_FRAMES = 2, 5  # a note begins in so many frames, from so many before the highest rise on
FILLING_FRAMES = 6  # the first windows hold sound in part
CONTRAST_BINS = 7  # about a bin, among which it may stand out


def running_peak(values: NDArray[np.float64], before: float) -> NDArray[np.float64]:
    """The highest value up to each one, and of those before.

    Examples
    --------
    >>> running_peak(np.array([1.0, 3.0, 2.0]), 1.5).tolist()
    [1.5, 3.0, 3.0]
    """
    return np.maximum(np.maximum.accumulate(values), before)


def frame_levels(frames: NDArray[np.floating]) -> NDArray[np.float64]:
    """Lengths of frames, (frames, bins), as vectors."""
    return np.asarray(np.sqrt(np.einsum("fb,fb->f", frames, frames, dtype=np.float64)))


def peak_levels(frames: NDArray[np.floating]) -> NDArray[np.float64]:
    """Lengths of what stands out from its neighbours in frames of semitones, (frames, bins)."""
    spectrum = np.maximum(np.asarray(frames, dtype=np.float32), 0)
    return frame_levels(raise_contrast(spectrum[None], 1.0, CONTRAST_BINS)[0])


class Loudness:
    """The highest level so far that lasted: what is over within 0.16 s, such as a knock, does not count."""

    def __init__(self) -> None:
        self._before, self._peak = np.zeros(LASTING_FRAMES - 1), 0.0

    def push(self, level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Up to each of the next frames, by their levels, (frames,): shape (frames,)."""
        if not len(level):
            return level
        seen = np.concatenate([self._before, level])
        lasting = np.lib.stride_tricks.sliding_window_view(seen, LASTING_FRAMES).min(axis=1)
        peak = running_peak(lasting, self._peak)
        self._before, self._peak = seen[len(level) :], float(peak[-1])
        return peak


class Silence:
    """Tells which frames are silent: far below the loudest so far, or weak and without the peaks that notes have.

    Parameters
    ----------
    tonal : bool
        Whether bins are semitones, in which notes have peaks; else noise cannot be told from notes.
    """

    def __init__(self, tonal: bool) -> None:
        self.tonal, self._loudness = tonal, Loudness()

    def push(self, frames: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each of the next frames, (frames, bins), is silent: shape (frames,)."""
        level = frame_levels(frames)
        peak = self._loudness.push(level)
        silent = level <= SILENT_SHARE * peak
        weak = level <= WEAK_SHARE * peak
        if self.tonal and weak.any():
            silent[weak] |= peak_levels(frames[weak]) <= NOISE_SHARE * level[weak]
        return silent


def struck_frames(frames: NDArray[np.floating]) -> NDArray[np.bool_]:
    """In which frames of a whole recording, (frames, bins), notes begin: shape (frames,).

    A note begins where the spectrum rises more than anywhere near, and not far less than it usually does.
    """
    if not len(frames):
        return np.zeros(0, dtype=bool)
    spectrum = np.maximum(np.asarray(frames, dtype=np.float32), 0)
    rise = positive_difference(spectrum[None], RISE_FRAMES)[0].sum(axis=1)
    padded = np.pad(rise, RISE_FRAMES)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * RISE_FRAMES + 1).max(axis=1)
    begins = (rise >= highest) & (rise > RISE_SHARE * np.quantile(rise, LEVEL_QUANTILE)) & (rise > 0)
    struck = np.zeros_like(begins)
    for frame in np.flatnonzero(begins):
        struck[max(0, frame - STRUCK_EARLY) : frame + STRUCK_FRAMES - STRUCK_EARLY] = True
    return struck


class Beginning:
    """Waits for the first note: before it, noise is silence.

    A note has peaks, as noise has none; or it is louder by far than all that came before.
    """

    def __init__(self) -> None:
        self.seen, self.loudest = 0, 0.0

    def push(self, frames: NDArray[np.floating]) -> int:
        """How many of the next frames, (frames, bins) of semitones, lie before the first note."""
        level, peak_level = frame_levels(frames), peak_levels(frames)
        before = np.concatenate([[self.loudest], running_peak(level, self.loudest)[:-1]])
        compared = (before > 0) & (self.seen + np.arange(len(level)) >= FILLING_FRAMES)
        found = (peak_level > PEAK_SHARE * level) | (compared & (level > LOUDER * before))
        self.seen, self.loudest = self.seen + len(level), float(level.max(initial=self.loudest))
        return int(found.argmax()) if found.any() else len(level)
