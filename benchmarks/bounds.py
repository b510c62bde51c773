"""The pipeline's steps against their bounds and against what is usually written, as ratios measured side by side.

Each contender works on the same voices; after a warm-up, repetitions are interleaved and medians of CPU time compared.
The bound of synthesis is raw ``fluid_synth_write_float`` into a reused buffer with the events at the same places; that
of spectrograms is scipy's bare real FFT of the same float32 frames.

Run: python benchmarks/bounds.py [--repetitions 5]
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import librosa
import numpy as np
import scipy.fft

from sfdata.fluidsynth import library_version
from sfdata.midi import read_piece
from sfdata.notes import NoteArray, event_grid_samples
from sfdata.render import BLOCK_SAMPLES, RenderSettings, render, synth_host
from sfdata.shipped_files import shipped_file
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import SpectrogramSettings, frame_count, spectrogram
from sfdata.voices import extract_voices

RATE = 22050
PIECES = ("Handel*", "Scarlatti*K9_*", "Bach*BWV862*")


def raw_synthesis(notes: NoteArray, instrument) -> None:
    """The least that synthesis can cost: the same events and samples, nothing kept."""
    host = synth_host(instrument.path, instrument.sha256, RATE, RenderSettings().gain)
    library = host.library
    on, off = event_grid_samples(notes, RATE)
    events = sorted(
        [(t, 0, int(p), 0) for t, p in zip(off, notes["pitch"], strict=True)]
        + [(t, 1, int(p), int(v)) for t, p, v in zip(on, notes["pitch"], notes["velocity"], strict=True)]
    )
    events.append((int(off.max()) + int(1.5 * RATE), 2, 0, 0))
    buffer = np.empty((2, BLOCK_SAMPLES), dtype=np.float32)
    left, right = buffer[0].ctypes.data, buffer[1].ctypes.data
    with host.lend(instrument.bank, instrument.program) as lent:
        synth, position = lent.synth, 0
        for at, kind, pitch, velocity in events:
            while position < at:
                samples = min(int(at) - position, BLOCK_SAMPLES)
                library.fluid_synth_write_float(synth, samples, left, 0, 1, right, 0, 1)
                position += samples
            if kind == 1:
                library.fluid_synth_noteon(synth, 0, pitch, velocity)
            elif kind == 0:
                library.fluid_synth_noteoff(synth, 0, pitch)


def bare_fft(frames: int, settings: SpectrogramSettings) -> Callable[[], object]:
    """The FFT alone, over ready float32 frames in blocks that fit the cache."""
    block = np.random.default_rng(0).standard_normal((128, settings.n_fft)).astype(np.float32)
    rest = block[: frames % len(block)]

    def work() -> None:
        for _ in range(frames // len(block)):
            scipy.fft.rfft(block, axis=1, workers=1)
        if len(rest):
            scipy.fft.rfft(rest, axis=1, workers=1)

    return work


def measure(contenders: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Median CPU seconds of each, interleaved, after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(repetitions + 1):
        for name, work in contenders.items():
            began = time.process_time()
            work()
            if repetition:
                times[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def show(title: str, seconds: dict[str, float]) -> None:
    bound = next(iter(seconds.values()))
    print(f"\n{title}")
    for name, value in seconds.items():
        print(f"  {name:52} {value / bound:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    folder = shipped_file("giantmidi")
    voices = [extract_voices(read_piece(next(folder.glob(pattern))).notes)[0] for pattern in PIECES]
    instrument = resolve_instrument("timgm6mb:0")
    settings = SpectrogramSettings()
    sounds = [render(voice, instrument, RATE) for voice in voices]
    seconds = sum(len(sound) for sound in sounds) / RATE
    print(f"{platform.machine()}, Python {platform.python_version()}, FluidSynth {library_version()}, "
          f"{len(voices)} voices, {seconds:.0f} s of sound; ratios of CPU time")  # fmt: skip
    show(
        "synthesis",
        measure(
            {
                "bound: write_float into a reused buffer": lambda: [raw_synthesis(v, instrument) for v in voices],
                "sfdata.render": lambda: [render(v, instrument, RATE) for v in voices],
            },
            repetitions,
        ),
    )
    frames = sum(frame_count(len(sound), settings) for sound in sounds)
    mel = librosa.filters.mel(sr=RATE, n_fft=settings.n_fft, n_mels=settings.n_bins)

    def with_librosa() -> None:
        for sound in sounds:
            np.log1p(100 * (mel @ np.abs(librosa.stft(sound, n_fft=settings.n_fft, hop_length=1102))))

    show(
        "spectrogram",
        measure(
            {
                "bound: bare real FFT of the same frames": bare_fft(frames, settings),
                "sfdata.spectrogram": lambda: [spectrogram(sound, settings) for sound in sounds],
                "librosa.stft and a mel filterbank (drifting hop)": with_librosa,
            },
            repetitions,
        ),
    )


if __name__ == "__main__":
    main()
