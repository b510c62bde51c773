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
from sfmodel.features import positive_difference, raise_contrast
from sfmodel.frame_matcher import FrameMatcher, load_frame_matcher

CELLS_PER_FRAME = 2
LEARNED, CLASSIC = "follow", "features"
SILENT_SHARE = 0.08  # of the loudest level so far
WEAK_SHARE, NOISE_SHARE = 0.25, 0.25  # of it; and of what stands out from its neighbours, below which it is noise
LASTING_FRAMES = 8  # as long as which a level must last to count
LEVEL_QUANTILE = 0.95
PEAK_SHARE = 0.34  # what stands out from its neighbours, of all; noise has 0.32 or less, most frames of a piano more
LOUDER = 3.0  # than all before: a note, if it has no peaks
RISE_FRAMES, RISE_SHARE, STRUCK_EARLY, STRUCK_FRAMES = 2, 0.15, 2, 5
FILLING_FRAMES = 6  # the first windows hold sound in part
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
    return frame_levels(raise_contrast(spectrum[None], 1.0, ClassicEvidence.contrast_bins)[0])


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
        if self.tonal:
            silent |= (level <= WEAK_SHARE * peak) & (peak_levels(frames) <= NOISE_SHARE * level)
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
    contrast_bins: int = 7
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
