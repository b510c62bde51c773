"""Spectrograms whose frame times are exact.

Conventions
-----------
Frame ``i`` is centred at ``i / frame_rate_hz`` seconds, exactly: where the hop is no whole number of samples
(22,050 / 20 = 1102.5) the window itself is evaluated half a sample off, so that no rounding is left and nothing
drifts. Sound outside the signal is silence. A frame's magnitudes are scaled so that a full-scale sine's peak reads 1,
gathered into bins by a filterbank, and compressed as ``log(1 + gain * magnitude)``, so silence is 0.

Everything is computed in float32, one thread, no BLAS, each frame by itself: the same samples give the same bytes in
whatever blocks they come and however the work is spread.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from sfdata.filterbanks import FILTERBANKS
from sfdata.windows import exact_ratio

BLOCK_FRAMES = 64
VECTOR = 16  # float32 numbers in the longest vectors (AVX-512) that a processor may work on at once
SCALES = ("log", "mel", "cqt")
SAMPLE_RATES_HZ = (8000, 96_000)
N_FFT = (64, 1 << 16)  # up to seconds of sound
MOST_BINS = 1 << 10


@dataclass(frozen=True)
class SpectrogramSettings:
    """Everything that determines a spectrogram; stored with the data.

    Attributes
    ----------
    sample_rate_hz : int
        Rate at which sound is rendered, or to which recordings are resampled.
    frame_rate_hz : float
        Frames a second.
    n_fft : int
        Window length in samples (Hann).
    scale : {"log", "mel", "cqt"}
        ``log``: triangular bands, ``bins_per_octave`` an octave from ``f_min_hz`` up (88 semitones from A0 by
        default: one bin a piano key). ``mel``: librosa's mel bands. ``cqt``: librosa's constant-Q wavelets
        applied to the magnitudes (a pseudo-CQT), as far as ``n_fft`` holds them.
    n_bins, bins_per_octave, f_min_hz :
        The bins; ``mel`` ignores ``bins_per_octave`` and reaches up to half the sample rate.
    gain : float
        The compression's gain.
    """

    sample_rate_hz: int = 22050
    frame_rate_hz: float = 20.0
    n_fft: int = 2048
    scale: str = "log"
    n_bins: int = 88
    bins_per_octave: int = 12
    f_min_hz: float = 27.5
    gain: float = 100.0

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"spectrogram: scale {self.scale!r}; expected one of {', '.join(SCALES)}")
        if not SAMPLE_RATES_HZ[0] <= self.sample_rate_hz <= SAMPLE_RATES_HZ[1]:
            raise ValueError(
                f"spectrogram: sample_rate_hz {self.sample_rate_hz}; expected {SAMPLE_RATES_HZ[0]} to "
                f"{SAMPLE_RATES_HZ[1]}, as FluidSynth does"
            )
        if not 1 <= self.frame_rate_hz <= 1000:
            raise ValueError(f"spectrogram: frame_rate_hz {self.frame_rate_hz}; expected 1 to 1000")
        if not N_FFT[0] <= self.n_fft <= N_FFT[1] or self.n_fft % 2:
            raise ValueError(f"spectrogram: n_fft {self.n_fft}; expected an even number from {N_FFT[0]} to {N_FFT[1]}")
        if self.n_bins < 1 or self.bins_per_octave < 1 or self.f_min_hz <= 0 or self.gain <= 0:
            raise ValueError(
                f"spectrogram: n_bins {self.n_bins}, bins_per_octave {self.bins_per_octave}, f_min_hz "
                f"{self.f_min_hz}, gain {self.gain}; expected all above zero"
            )
        if self.n_bins > MOST_BINS:
            raise ValueError(f"spectrogram: n_bins {self.n_bins}; expected {MOST_BINS} at most")
        top_hz = self.f_min_hz * 2 ** ((self.n_bins - 1) / self.bins_per_octave)
        if self.scale != "mel" and top_hz > self.sample_rate_hz / 2:
            raise ValueError(
                f"spectrogram: the highest of {self.n_bins} bins lies at {top_hz:.0f} Hz, above half the sample rate "
                f"({self.sample_rate_hz / 2:.0f} Hz); take fewer bins or a higher sample_rate_hz"
            )
        exact_ratio(self.sample_rate_hz, self.frame_rate_hz)

    def bin_frequencies_hz(self) -> NDArray[np.float64]:
        """Centre frequency of each bin, shape (bins,)."""
        if self.scale == "mel":
            import librosa

            edges = librosa.mel_frequencies(self.n_bins + 2, fmin=self.f_min_hz, fmax=self.sample_rate_hz / 2)
            return np.asarray(edges[1:-1], dtype=np.float64)
        return self.f_min_hz * 2.0 ** (np.arange(self.n_bins) / self.bins_per_octave)


def frame_count(samples: int, settings: SpectrogramSettings) -> int:
    """Frames whose centre lies before a signal's end: 240 for 12 s at 20 Hz; whole-number arithmetic.

    Examples
    --------
    >>> frame_count(12 * 22050, SpectrogramSettings())
    240
    >>> frame_count(0, SpectrogramSettings())
    0
    """
    if samples == 0:
        return 0
    numerator, denominator = exact_ratio(settings.sample_rate_hz, settings.frame_rate_hz)
    return (samples - 1) * denominator // numerator + 1


@lru_cache(maxsize=8)
def _tables(settings: SpectrogramSettings) -> tuple[NDArray[np.float32], scipy.sparse.csr_array, int]:
    """Windows (one per sub-sample offset), the sparse filterbank, and how many FFT bins it reaches.

    The filterbank maps magnitudes, and a 1 after them, to ``1 + gain * magnitude`` of its bands.
    """
    _, denominator = exact_ratio(settings.sample_rate_hz, settings.frame_rate_hz)
    offset = np.arange(denominator)[:, None] / denominator  # the centre's part of a sample
    position = np.arange(settings.n_fft + 1) - settings.n_fft // 2 - offset  # samples from the centre
    windows = 0.5 + 0.5 * np.cos(2 * np.pi * np.clip(position / settings.n_fft, -0.5, 0.5))
    windows *= 2 / (settings.n_fft / 2)  # a full-scale sine reads 1: a Hann window sums to n_fft / 2
    weights = FILTERBANKS[settings.scale](settings)
    empty = int((~weights.any(axis=1)).sum())
    if empty:
        raise ValueError(
            f"spectrogram: {empty} of {settings.n_bins} bins lie between the FFT's lines and would always be zero; "
            f"take fewer bins or a larger n_fft than {settings.n_fft}"
        )
    reach = int(np.flatnonzero(weights.any(axis=0))[-1]) + 1
    weights = np.column_stack([settings.gain * weights[:, :reach], np.ones(settings.n_bins)])
    return windows.astype(np.float32), scipy.sparse.csr_array(weights.astype(np.float32)), reach


class SpectrogramStream:
    """Takes sound in blocks of any size and gives each frame as soon as the last sample that it sees has come.

    The frames' bytes do not depend on how the sound was cut into blocks. Memory is some seconds of sound, however
    long the whole is.

    Parameters
    ----------
    settings : SpectrogramSettings

    Attributes
    ----------
    settings : SpectrogramSettings
    samples : int
        Taken so far.
    frames : int
        Given so far.

    Examples
    --------
    >>> stream = SpectrogramStream(SpectrogramSettings())
    >>> [len(stream.push(np.zeros(count, dtype=np.float32))) for count in (1023, 1, 0, 2205)]
    [0, 1, 0, 2]
    >>> len(stream.finish())
    0
    """

    def __init__(self, settings: SpectrogramSettings) -> None:
        self.settings = settings
        self.samples = self.frames = 0
        self._step, self._offsets = exact_ratio(settings.sample_rate_hz, settings.frame_rate_hz)
        self._windows, self._filterbank, reach = _tables(settings)
        half = settings.n_fft // 2
        self._held = np.zeros(4 * settings.n_fft, dtype=np.float32)  # what later frames see, and room for more
        self._first, self._end = -half, half  # the first sample held, and where in `_held` the next one goes
        self._cut = np.empty((0, settings.n_fft), dtype=np.float32)
        self._magnitudes = np.empty((reach + 1, 0), dtype=np.float32)

    @property
    def block_samples(self) -> int:
        """Samples between frames :data:`BLOCK_FRAMES` apart, rounded down: blocks of that size cost least."""
        return max(1, BLOCK_FRAMES * self._step // self._offsets)

    def push(self, samples: NDArray[np.float32], together: int = 1) -> NDArray[np.float32]:
        """Take the sound's next samples and give the frames that are complete.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)
            Full scale is 1; may be empty.
        together : int
            Frames are given in multiples of this number, the rest later: many at once cost less each.

        Returns
        -------
        ndarray of float32, shape (frames, bins)
            Next to those given before.

        Raises
        ------
        ValueError
            If the samples are not one-dimensional.
        """
        if samples.ndim != 1:
            raise ValueError(f"samples have shape {samples.shape}; expected a mono signal, shape (samples,)")
        step, given = self.block_samples, []
        for begin in range(0, len(samples), step):
            self._hold(samples[begin : begin + step])
            self.samples += len(samples[begin : begin + step])
            # Frame i sees no sample after i * step / offsets + n_fft / 2.
            seen = self.samples - self.settings.n_fft // 2
            complete = seen * self._offsets // self._step + 1 - self.frames if seen >= 0 else 0
            if complete >= together:
                given.append(self._take(complete - complete % together))
        return self._joined(given)

    def finish(self) -> NDArray[np.float32]:
        """Give the last frames, beyond which the sound is silent.

        Returns
        -------
        ndarray of float32, shape (frames, bins)
        """
        self._hold(np.zeros(self.settings.n_fft, dtype=np.float32))
        return self._joined([self._take(frame_count(self.samples, self.settings) - self.frames)])

    def _joined(self, given: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        if len(given) == 1:
            return given[0]
        return np.concatenate([np.empty((0, self.settings.n_bins), dtype=np.float32), *given])

    def _hold(self, samples: NDArray[np.float32]) -> None:
        if self._end + len(samples) > len(self._held):
            centre = self.frames * self._step // self._offsets
            unused = max(0, min(centre - self.settings.n_fft // 2 - self._first, self._end))
            kept = self._held[unused : self._end]
            enough = 2 * (len(kept) + len(samples))  # so that it is moved seldom
            room = self._held if enough <= len(self._held) else np.empty(enough, dtype=np.float32)
            room[: len(kept)] = kept
            self._held, self._first, self._end = room, self._first + unused, len(kept)
        self._held[self._end : self._end + len(samples)] = samples
        self._end += len(samples)

    def _take(self, count: int) -> NDArray[np.float32]:
        out = np.empty((count, self.settings.n_bins), dtype=np.float32)
        for begin in range(0, count, BLOCK_FRAMES):
            self._compute(out[begin : begin + BLOCK_FRAMES])
        return out

    def _compute(self, out: NDArray[np.float32]) -> None:
        """Compute the next frames, as many as `out` has rows, at most a block."""
        size = self.settings.n_fft
        # All work is done on a multiple of the longest vectors, so that each frame's arithmetic is the same wherever
        # in a block it stands.
        rows = -(-len(out) // VECTOR) * VECTOR
        if len(self._cut) != rows:
            self._cut = np.zeros((rows, size), dtype=np.float32)
            self._magnitudes = np.ones((len(self._magnitudes), rows), dtype=np.float32)
        if self._offsets == 2 and len(out) % 2 == 0:  # both offsets at once: the sound is gone through only once
            self._cut_out(self._cut[: len(out)].reshape(-1, 2, size), 0)
        else:
            for place in range(min(self._offsets, len(out))):  # frames `offsets` apart share their offset
                self._cut_out(self._cut[place : len(out) : self._offsets, None], place)
        spectra = scipy.fft.rfft(self._cut.T, axis=0, workers=1)  # (lines, rows)
        np.abs(spectra[: len(self._magnitudes) - 1], out=self._magnitudes[:-1])
        levels = self._filterbank @ self._magnitudes  # (bins, rows)
        np.log(levels, out=levels)
        out[...] = levels[:, : len(out)].T
        self.frames += len(out)

    def _cut_out(self, frames: NDArray[np.float32], place: int) -> None:
        """Cut frames out of the sound, times their windows, from the next but `place` on.

        `frames` has shape (periods, n, n_fft); its frames lie one after the other if n is the number of offsets, or
        that number apart if n is 1.
        """
        size, item = self.settings.n_fft, self._held.itemsize
        following = [divmod((self.frames + place + k) * self._step, self._offsets) for k in range(frames.shape[1])]
        centres, offsets = zip(*following, strict=True)
        seen = np.lib.stride_tricks.as_strided(
            self._held[centres[0] - size // 2 - self._first :],
            (*frames.shape[:2], size + 1),
            (self._step * item, (centres[-1] - centres[0]) * item, item),
        )
        windows = self._windows[list(offsets)]
        np.multiply(seen[..., :-1], windows[:, :-1], out=frames)
        # A window's first sample is zero; its last one, as far from it as the transform is long, takes its place.
        np.multiply(seen[..., -1], windows[:, -1], out=frames[..., 0])


def spectrogram(samples: NDArray[np.float32], settings: SpectrogramSettings) -> NDArray[np.float32]:
    """Compute the compressed spectrogram of a mono signal.

    Parameters
    ----------
    samples : ndarray of float32, shape (samples,)
        Full scale is 1.
    settings : SpectrogramSettings

    Returns
    -------
    ndarray of float32, shape (frames, bins)
        Frame ``i`` is centred at ``i / frame_rate_hz`` seconds.

    Raises
    ------
    ValueError
        If the signal is not one-dimensional.
    """
    stream = SpectrogramStream(settings)
    out = np.empty((frame_count(samples.size, settings), settings.n_bins), dtype=np.float32)
    step = stream.block_samples
    for begin in range(0, samples.size, step):
        given = stream.push(samples[begin : begin + step])
        out[stream.frames - len(given) : stream.frames] = given
    given = stream.finish()
    out[stream.frames - len(given) : stream.frames] = given
    return out


def spectrogram_blocks(
    blocks: Iterable[NDArray[np.float32]], settings: SpectrogramSettings
) -> Iterator[NDArray[np.float32]]:
    """Compute the spectrogram of a sound that comes in blocks of any size; see :func:`spectrogram`.

    Yields
    ------
    ndarray of float32, shape (frames, bins)
        A multiple of :data:`BLOCK_FRAMES`, but for the last ones.
    """
    stream = SpectrogramStream(settings)
    for block in blocks:
        frames = stream.push(block, together=BLOCK_FRAMES)
        if len(frames):
            yield frames
    yield stream.finish()
