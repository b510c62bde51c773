"""What a frame of a performance says about its place in a reference, from sound already heard.

Two kinds: that of the trained frame matcher (:mod:`sfmodel.frame_matcher`), and the similarity of classic features,
which needs no training; they err at different places, so both together are better than either. They take frames as
they come and give a log likelihood, up to a constant, for every cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sfdata.spectrogram import SpectrogramSettings
from sfmodel.features import raise_contrast
from sfmodel.frame_matcher import FrameMatcher, load_frame_matcher
from sfmodel.silence import CONTRAST_BINS, LEVEL_QUANTILE, Loudness, frame_levels, running_peak

CELLS_PER_FRAME = 2
LEARNED, CLASSIC = "follow", "features"
LEARNED_WEIGHT, CLASSIC_WEIGHT = 0.67, 0.5  # where both are heard

Float32Array = NDArray[np.float32]


class Listening(Protocol):
    """A performance being heard."""

    def push(self, frames: NDArray[np.floating]) -> Float32Array:
        """Next frames (frames, bins) to log likelihoods (frames, cells)."""
        ...


class Evidence(Protocol):
    """A way to hear.

    Attributes
    ----------
    name : str
    spectrogram : SpectrogramSettings
    anchor_s : float
        What a frame says holds for so long after its middle.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def spectrogram(self) -> SpectrogramSettings:
        """See the class."""
        ...

    @property
    def anchor_s(self) -> float:
        """See the class."""
        ...

    def listen(self, reference: NDArray[np.floating]) -> Listening:
        """Begin to compare with a reference, (frames, bins)."""
        ...


def in_cells(values: Float32Array) -> Float32Array:
    """Put cells between the frames of a reference, by straight lines: (frames, size) to (cells, size)."""
    cells = np.empty((CELLS_PER_FRAME * (len(values) - 1) + 1, *values.shape[1:]), dtype=np.float32)
    for part in range(CELLS_PER_FRAME):
        share = np.float32(part / CELLS_PER_FRAME)
        if part == 0:
            cells[::CELLS_PER_FRAME] = values
        else:
            cells[part::CELLS_PER_FRAME] = (1 - share) * values[:-1] + share * values[1:]
    return cells


@dataclass(frozen=True)
class LearnedEvidence:
    """That of a frame matcher."""

    matcher: FrameMatcher
    name: str = LEARNED

    @property
    def spectrogram(self) -> SpectrogramSettings:
        """What its frames are."""
        return self.matcher.settings.spectrogram

    @property
    def anchor_s(self) -> float:
        """What a frame says holds for so long after its middle."""
        return self.matcher.settings.anchor_s

    def listen(self, reference: NDArray[np.floating]) -> "_Learned":
        """Begin to compare with a reference, (frames, bins)."""
        return _Learned(self.matcher, reference)


class _Learned:
    def __init__(self, matcher: FrameMatcher, reference: NDArray[np.floating]) -> None:
        vector, level = matcher.encode_reference(reference)
        self.places, self.level = np.ascontiguousarray(in_cells(vector).T), in_cells(level[:, None])[:, 0]
        self.matcher, self.stack = matcher, matcher.performance_stack()

    def push(self, frames: NDArray[np.floating]) -> Float32Array:
        return np.asarray(self.matcher.weigh(*self.stack.push(frames)) @ self.places + self.level)


@dataclass(frozen=True)
class ClassicEvidence:
    """Similarity of spectrum and rise, both of unit length, less a share of what the reference has and is not heard.

    Attributes
    ----------
    rise_weight : float
        Of the rise's vector, against that of the spectrum.
    rise_s : float
        The rise is what a frame has more than the one so long before.
    floor : float
        Frames far below this share of the usual level come out short.
    contrast, contrast_bins :
        See :func:`sfmodel.features.raise_contrast`.
    absence : float
        Share of a reference frame's squared length that is taken off.
    scale : float
        From similarity to log likelihood.
    """

    name: str = CLASSIC
    spectrogram: SpectrogramSettings = field(default_factory=lambda: SpectrogramSettings(frame_rate_hz=50.0))
    anchor_s: float = 0.035
    rise_weight: float = 1.4
    rise_s: float = 0.04
    floor: float = 0.2
    contrast: float = 0.5
    contrast_bins: int = CONTRAST_BINS
    absence: float = 0.3
    scale: float = 13.0

    @property
    def lag_frames(self) -> int:
        """Frames of `rise_s`."""
        return max(1, round(self.rise_s * self.spectrogram.frame_rate_hz))

    def listen(self, reference: NDArray[np.floating]) -> "_Classic":
        """Begin to compare with a reference, (frames, bins)."""
        return _Classic(self, reference)


class _Classic:
    def __init__(self, settings: ClassicEvidence, reference: NDArray[np.floating]) -> None:
        self.settings = settings
        self._begin(reference.shape[1])
        encoded = self._encode(reference, whole=True)
        # A frame tells the place `anchor_s` after its middle; so does a frame of the reference.
        later = settings.anchor_s * settings.spectrogram.frame_rate_hz
        position = np.clip(np.arange(len(encoded)) - later, 0, len(encoded) - 1)
        left = position.astype(np.int64)
        share = (position - left).astype(np.float32)[:, None]
        encoded = (1 - share) * encoded[left] + share * encoded[np.minimum(left + 1, len(encoded) - 1)]
        cells = in_cells(encoded)
        self.places = np.ascontiguousarray(cells.T)
        self.level = np.float32(-settings.absence) * np.einsum("cs,cs->c", cells, cells)
        self._begin(reference.shape[1])

    def _begin(self, bins: int) -> None:
        self.before = np.zeros((self.settings.lag_frames, bins), dtype=np.float32)
        self.loudness, self.highest_rise = Loudness(), 0.0

    def push(self, frames: NDArray[np.floating]) -> Float32Array:
        heard = self._encode(frames)
        return np.asarray(np.float32(self.settings.scale) * (heard @ self.places + self.level), dtype=np.float32)

    def _encode(self, frames: NDArray[np.floating], whole: bool = False) -> Float32Array:
        settings = self.settings
        spectrum = np.maximum(np.asarray(frames, dtype=np.float32), 0)
        spectrum = raise_contrast(spectrum[None], settings.contrast, settings.contrast_bins)[0]
        seen = np.concatenate([self.before, spectrum])
        self.before = seen[len(spectrum) :]
        rise = np.maximum(spectrum - seen[: len(spectrum)], 0)
        parts = []
        for number, (part, weight) in enumerate(((spectrum, 1.0), (rise, settings.rise_weight))):
            norm = frame_levels(part)
            usual: NDArray[np.float64] | float
            if whole:
                usual = float(np.quantile(norm, LEVEL_QUANTILE))
            elif number == 0:  # of what is still to come nothing is known
                usual = loudest = self.loudness.push(norm)
            else:
                usual = running_peak(np.minimum(norm, loudest), self.highest_rise)
                self.highest_rise = float(usual.max(initial=self.highest_rise))
            length = np.sqrt(norm**2 + (settings.floor * usual) ** 2)
            parts.append(part * (weight / np.where(length > 1e-9, length, np.inf))[:, None].astype(np.float32))
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class MixedEvidence:
    """Weighted sum of the log likelihoods of several ways to hear, all of the same frames.

    Attributes
    ----------
    name : str
    parts : tuple of (Evidence, float)
        With their weights.
    """

    name: str
    parts: tuple[tuple[Evidence, float], ...]

    @property
    def spectrogram(self) -> SpectrogramSettings:
        """What its frames are."""
        return self.parts[0][0].spectrogram

    @property
    def anchor_s(self) -> float:
        """What a frame says holds for so long after its middle."""
        return self.parts[0][0].anchor_s

    def listen(self, reference: NDArray[np.floating]) -> "_Mixed":
        """Begin to compare with a reference, (frames, bins)."""
        return _Mixed([(part.listen(reference), np.float32(weight)) for part, weight in self.parts])


class _Mixed:
    def __init__(self, parts: Sequence[tuple[Listening, np.float32]]) -> None:
        self.parts = parts

    def push(self, frames: NDArray[np.floating]) -> Float32Array:
        first, *others = (part.push(frames) * weight for part, weight in self.parts)
        for heard in others:
            first += heard
        return first


def open_evidence(name: str | Path = LEARNED) -> Evidence:
    """Open a way to hear by its name.

    Parameters
    ----------
    name : str or Path
        ``features``: classic ones, no training needed. ``follow``: the frame matcher that ships, and the classic
        features beside it. Else the weights of a frame matcher, which take its place.

    Raises
    ------
    FileNotFoundError
        If there are no such weights.
    ValueError
        If they cannot be used.
    """
    if str(name) == CLASSIC:
        return ClassicEvidence()
    matcher, _ = load_frame_matcher(None if str(name) == LEARNED else name)
    spectrogram, anchor_s = matcher.settings.spectrogram, matcher.settings.anchor_s
    classic = ClassicEvidence(spectrogram=spectrogram, anchor_s=anchor_s)
    return MixedEvidence(str(name), ((LearnedEvidence(matcher), LEARNED_WEIGHT), (classic, CLASSIC_WEIGHT)))
