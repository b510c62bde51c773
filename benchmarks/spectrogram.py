"""Spectrograms against the bare FFT of the same frames.

The bound is scipy's real FFT of float32 frames that lie ready in blocks which fit the cache. All contenders go from the
samples to the logarithm of 88 bands. Only sfdata's frames lie where they should: the others' hop of 1102 samples in
place of 1102.5 drifts by 2 s an hour.

Run: python benchmarks/spectrogram.py [--repetitions 5] [--json FILE]
"""

from collections.abc import Callable

import librosa
import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from timing import RATE, arguments, measure, optional, pieces, ratios, save, show

from sfdata.midi import read_piece
from sfdata.render import render
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import SpectrogramSettings, frame_count, spectrogram
from sfdata.voices import extract_voices

HOP, GAIN = 1102, 100
PIECES = ("Handel*", "Scarlatti*K9_*", "Bach*BWV862*")
Samples = NDArray[np.float32]


def bare_fft(frames: int, n_fft: int) -> Callable[[], object]:
    """The FFT alone, over ready float32 frames in blocks that fit the cache."""
    block = np.random.default_rng(0).standard_normal((128, n_fft)).astype(np.float32)

    def work() -> None:
        for begin in range(0, frames, len(block)):
            scipy.fft.rfft(block[: frames - begin], axis=1, workers=1)

    return work


def with_dense_filterbank(sound: Samples, mel: Samples) -> Samples:
    """Blocks of frames, scipy's FFT, and the filterbank as a dense matrix: a product that BLAS computes."""
    window = scipy.signal.get_window("hann", 2048).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, 1024), 2048)[::HOP]
    spectra = np.concatenate([np.abs(scipy.fft.rfft(frames[i : i + 128] * window)) for i in range(0, len(frames), 128)])
    return np.log1p(GAIN * (spectra @ mel.T))


def main() -> None:
    options = arguments(__doc__, 5).parse_args()
    settings, instrument = SpectrogramSettings(), resolve_instrument("timgm6mb:0")
    sounds = [render(extract_voices(read_piece(path).notes)[0], instrument, RATE) for path in pieces(*PIECES)]
    mel = librosa.filters.mel(sr=RATE, n_fft=settings.n_fft, n_mels=settings.n_bins)
    short_time = scipy.signal.ShortTimeFFT(scipy.signal.get_window("hann", settings.n_fft), HOP, RATE)

    def with_librosa(sound: Samples) -> object:
        return np.log1p(GAIN * (mel @ np.abs(librosa.stft(sound, n_fft=settings.n_fft, hop_length=HOP))))

    def limited(threads: int) -> Callable[[Samples], object]:
        def work(sound: Samples) -> object:
            with threadpool_limits(threads, user_api="blas"):
                return with_dense_filterbank(sound, mel)

        return work

    ways: dict[str, Callable[[Samples], object]] = {
        "sfdata.spectrogram": lambda sound: spectrogram(sound, settings),
        "librosa.stft and a mel filterbank": with_librosa,
        "scipy.signal.ShortTimeFFT and the filterbank": lambda sound: np.log1p(
            GAIN * (mel @ np.abs(short_time.stft(sound)))
        ),
        "blocks, scipy's FFT, dense filterbank: one BLAS thread": limited(1),
        "blocks, scipy's FFT, dense filterbank: two BLAS threads": limited(2),
    }
    if torch := optional("torch"):
        torch.set_num_threads(1)
        bands, window = torch.from_numpy(mel), torch.hann_window(settings.n_fft)

        def with_torch(sound: Samples) -> object:
            spectra = torch.stft(torch.from_numpy(sound), settings.n_fft, HOP, window=window, return_complex=True)
            return torch.log1p(GAIN * (bands @ spectra.abs()))

        ways["torch.stft and the filterbank, one thread"] = with_torch
    frames = sum(frame_count(len(sound), settings) for sound in sounds)
    with threadpool_limits(1):  # as in sfdata's workers; the contender with two threads sets its own
        found = ratios(
            measure(
                {"bound: bare real FFT of the same frames": bare_fft(frames, settings.n_fft)}
                | {name: lambda way=way: [way(sound) for sound in sounds] for name, way in ways.items()},
                options.repetitions,
            )
        )
    show(f"spectrograms of {len(sounds)} renditions, {frames} frames: CPU over bound", found)
    save(options, {"ratios": found})


if __name__ == "__main__":
    main()
