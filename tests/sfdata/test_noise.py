"""Noise has its colour; levels are those of what sounds."""

import numpy as np
import pytest
import scipy.signal

from sfdata.blocks import joined
from sfdata.noise import NOISE_DB_PER_OCTAVE, add_noise, coloured_noise, noise_blocks, rms, sounding_rms

RATE = 22050


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("colour", NOISE_DB_PER_OCTAVE)
def test_colours(colour, rate):
    noise = coloured_noise(30 * rate, rate, colour, 3)
    assert noise.dtype == np.float32 and len(noise) == 30 * rate
    frequency_hz, power = scipy.signal.welch(noise, rate, nperseg=8192)
    part = (frequency_hz > 50) & (frequency_hz < 0.4 * rate)
    slope = np.polyfit(np.log2(frequency_hz[part]), 10 * np.log10(power[part]), 1)[0]
    assert slope == pytest.approx(NOISE_DB_PER_OCTAVE[colour], abs=0.1)


@pytest.mark.parametrize("colour", NOISE_DB_PER_OCTAVE)
def test_noise_is_steady_from_its_first_sample_on(colour):
    """Its level over the first milliseconds is that of the last ones, before any filter could have filled."""
    pieces = np.array([coloured_noise(2000, RATE, colour, seed) for seed in range(200)])
    first, last = (np.sqrt(np.square(part).mean()) for part in (pieces[:, :60], pieces[:, -60:]))
    assert first == pytest.approx(last, rel=0.15)


def test_the_seed_alone_makes_the_noise():
    assert np.array_equal(coloured_noise(1000, RATE, "pink", 1), coloured_noise(1000, RATE, "pink", 1))
    assert not np.array_equal(coloured_noise(1000, RATE, "pink", 1), coloured_noise(1000, RATE, "pink", 2))
    assert len(coloured_noise(0, RATE, "brown", 1)) == len(coloured_noise(0, RATE, "white", 1)) == 0
    with pytest.raises(ValueError, match="colour 'blue'; expected one of white, pink, brown"):
        coloured_noise(10, RATE, "blue", 0)


def test_levels():
    assert rms(np.array([3, -4], dtype=np.float32)) == pytest.approx(12.5**0.5) and rms(np.empty(0, np.float32)) == 0
    assert sounding_rms(np.empty(0, np.float32), RATE) == sounding_rms(np.zeros(999, np.float32), RATE) == 0
    loud, soft, softer = (np.full(20, level, np.float32) for level in (1.0, 0.0101, 0.0099))  # 40 dB are 0.01
    assert sounding_rms(np.concatenate([loud, softer]), 400) == 1
    assert sounding_rms(np.concatenate([loud, soft]), 400) == pytest.approx(((1 + 0.0101**2) / 2) ** 0.5)
    assert sounding_rms(np.concatenate([np.zeros(4000, np.float32), loud]), 400) == 1


def test_a_spectrogram_finds_the_noise_normally_distributed():
    """Lines of its transforms have the skew and tails (0 and 3) of a normal distribution."""
    white = coloured_noise(400 * 2048, RATE, "white", 5).reshape(-1, 2048)
    lines = np.fft.rfft(white * np.hanning(2048))[:, 1:-1:3]
    for part in (lines.real, lines.imag):
        scaled = (part / part.std()).ravel()
        assert np.mean(scaled**3) == pytest.approx(0, abs=0.05) and np.mean(scaled**4) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("count", [0, 1, 1101, 100_000])
@pytest.mark.parametrize("colour", NOISE_DB_PER_OCTAVE)
def test_blocks_of_any_sizes_give_the_same_bytes(count, colour):
    samples = np.random.default_rng(count).standard_normal(count, dtype=np.float32)
    samples[: count // 2] = 0

    def noisy(*cuts: int) -> bytes:
        noise = noise_blocks(RATE, colour, 3)
        return joined(add_noise(np.split(samples, cuts), RATE, 20.0, noise)).tobytes()

    assert noisy() == noisy(count // 3, count // 3, count // 2) == noisy(*range(0, count, 4999))
