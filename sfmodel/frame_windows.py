"""Windows to train the frame matcher on: of a performance, of its reference, and where the frames belong in it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.store import Store
from sfmodel.frame_matcher import FrameMatcherSettings
from sfmodel.time_maps import TimeMap, time_maps


class Windows:
    """Draws windows of a split and where their frames belong.

    Parameters
    ----------
    store : Store
    split : str
    network : FrameMatcherSettings
    reference_s, performance_s : float
        Their lengths.
    transpose_semitones : int
        Windows are moved by up to so many bins.

    Raises
    ------
    ValueError
        If the store's spectrograms are others than the network's, or none of its renditions is long enough.
    """

    def __init__(
        self,
        store: Store,
        split: str,
        network: FrameMatcherSettings,
        reference_s: float,
        performance_s: float,
        transpose_semitones: int,
    ) -> None:
        if store.spectrogram != network.spectrogram:
            raise ValueError(
                f"{store.path} holds {store.spectrogram}; the frame matcher takes {network.spectrogram}: build a store "
                "with 'sfdata build pipelines/following.toml'"
            )
        rate_hz = network.spectrogram.frame_rate_hz
        self.anchor_s, self.rate_hz, self.shift = network.anchor_s, rate_hz, transpose_semitones
        self.reference_frames, self.frames = round(reference_s * rate_hz), round(performance_s * rate_hz)
        count = store.renditions["frame_count"]
        self.maps = [
            entry
            for entry in time_maps(store, split)
            if count[entry.reference] >= self.reference_frames and count[entry.performance] >= self.frames
        ]
        if not self.maps:
            raise ValueError(f"{store.path}: split {split!r} holds no performance that is long enough to train on")
        used = {row for entry in self.maps for row in (entry.reference, entry.performance)}
        self.renditions = {row: store.rendition_frames(row) for row in sorted(used)}
        duration_s = np.array([entry.duration_s for entry in self.maps])
        self.share = duration_s / duration_s.sum()

    def batch(self, count: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        """Draw windows.

        Returns
        -------
        reference : ndarray, shape (count, reference_frames, bins)
        performance : ndarray, shape (count, frames, bins)
        place : ndarray of float64, shape (count, frames)
            Frame of the reference, fractional; NaN where there is none.
        """
        parts: list[tuple[NDArray[Any], ...]] = []
        while len(parts) < count:
            entry = self.maps[rng.choice(len(self.maps), p=self.share)]
            begin_s, share = rng.uniform(entry.performed_s[0] - 0.5, entry.performed_s[-1]), rng.uniform(0.15, 0.85)
            shift = int(rng.integers(-self.shift, self.shift + 1))
            part = self._cut(entry, begin_s, share, shift)
            if part is not None:
                parts.append(part)
        reference, performance, place = zip(*parts, strict=True)
        return np.stack(reference), np.stack(performance), np.stack(place)

    def _cut(self, entry: TimeMap, begin_s: float, share: float, shift: int) -> tuple[NDArray[Any], ...] | None:
        reference, performance = self.renditions[entry.reference], self.renditions[entry.performance]
        begin = max(0, min(int(begin_s * self.rate_hz), len(performance) - self.frames))
        heard_s = (begin + np.arange(self.frames)) / self.rate_hz + self.anchor_s
        place = entry.score_time_s(heard_s) * self.rate_hz  # (frames,)
        if not np.isfinite(place).any():
            return None
        first = int(np.nanmedian(place) - share * self.reference_frames)
        first = max(0, min(first, len(reference) - self.reference_frames))
        place = place - first
        place[~((place >= 0) & (place < self.reference_frames - 1))] = np.nan
        return (
            _transposed(reference[first : first + self.reference_frames], shift),
            _transposed(performance[begin : begin + self.frames], shift),
            place,
        )


def _transposed(frames: NDArray[Any], shift: int) -> NDArray[Any]:
    """Frames moved by some bins; what leaves is gone."""
    out = np.zeros_like(frames)
    if shift >= 0:
        out[:, shift:] = frames[:, : frames.shape[1] - shift]
    else:
        out[:, :shift] = frames[:, -shift:]
    return out
