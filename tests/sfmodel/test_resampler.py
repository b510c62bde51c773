"""Resampling sound as it comes."""

import math

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmodel.resampler import Resampler

RATES_HZ = (8000, 16000, 22050, 32000, 44100, 48000, 96000)


def resampled(sound: np.ndarray, rate_hz: int, wanted_hz: int, sizes: list[int]) -> np.ndarray:
    resampler, parts, begin = Resampler(rate_hz, wanted_hz), [], 0
    for size in sizes:
        parts.append(resampler.push(sound[begin : begin + size]))
        begin += size
    return np.concatenate([*parts, resampler.push(sound[begin:]), resampler.finish()])


def tone(frequency_hz: float, rate_hz: int, duration_s: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate_hz)) / rate_hz).astype(np.float32)


def test_the_same_rate_changes_nothing():
    sound = tone(440, 22050)
    assert np.array_equal(resampled(sound, 22050, 22050, [7, 0, 500]), sound)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("frequency_hz", [27.5, 440, 3000])
def test_a_tone_is_the_same_tone_at_the_same_times(rate_hz, frequency_hz):
    made = resampled(tone(frequency_hz, rate_hz), rate_hz, 22050, [])
    wanted = tone(frequency_hz, 22050)
    inner = slice(200, -200)  # beyond the ends is silence
    assert np.abs(made[: len(wanted)] - wanted)[inner].max() < 5e-5


@pytest.mark.parametrize("rate_hz", [32000, 44100, 48000, 96000])
def test_what_is_too_high_is_gone_or_folded_above_what_is_passed(rate_hz):
    made = resampled(tone(13_500, rate_hz), rate_hz, 22050, [])
    assert np.abs(made[200:-200]).max() < 2e-5
    spectrum = np.abs(np.fft.rfft(resampled(tone(12_500, rate_hz), rate_hz, 22050, [])[:11000] * np.hanning(11000)))
    passed = spectrum[: int(0.8 * 5500) - 10]
    assert passed.max() < 2e-5 * 11000


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_close_to_soxr_below_what_is_passed(rate_hz):
    rng = np.random.default_rng(0)
    steps = rng.standard_normal(rate_hz // 2)
    limit = 0.7 * min(rate_hz, 22050) / 2
    spectrum = np.fft.rfft(steps)
    spectrum[np.fft.rfftfreq(len(steps), 1 / rate_hz) > limit] = 0
    sound = np.fft.irfft(spectrum, len(steps)).astype(np.float32)
    sound *= np.hanning(len(sound)).astype(np.float32) / np.abs(sound).max()
    wanted = soxr.resample(sound, rate_hz, 22050, quality="soxr_hq")
    made = resampled(sound, rate_hz, 22050, [])
    assert np.abs(made[: len(wanted)] - wanted[: len(made)]).max() < 1e-4


@given(
    st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    st.lists(st.integers(0, 900), max_size=6),
    st.integers(0, 3000),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_cuts_change_no_byte_and_the_length_is_right(rate_hz, sizes, count, seed):
    sound = np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)
    whole, cut = resampled(sound, rate_hz, 22050, []), resampled(sound, rate_hz, 22050, sizes)
    assert whole.dtype == np.float32 and whole.tobytes() == cut.tobytes()
    assert len(whole) == math.ceil(count * 22050 / rate_hz)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_sample_is_given_when_the_sound_up_to_the_delay_has_come(rate_hz):
    resampler, given = Resampler(rate_hz, 22050), 0
    for last in range(3000):
        given += len(resampler.push(np.zeros(1, dtype=np.float32)))
        assert given == max(0, math.floor((last / rate_hz - resampler.delay_s) * 22050 + 1e-6) + 1)


def test_delays():
    delays_ms = [round(1000 * Resampler(rate_hz, 22050).delay_s, 2) for rate_hz in RATES_HZ]
    assert delays_ms == pytest.approx([2.12, 1.06, 0.0, 0.75, 0.75, 0.75, 0.74], abs=0.01)


def test_nothing_gives_nothing():
    assert resampled(np.zeros(0, dtype=np.float32), 48000, 22050, []).shape == (0,)


def test_no_rate_is_refused():
    with pytest.raises(ValueError, match="from 0 Hz to 22050 Hz; expected rates above 0"):
        Resampler(0, 22050)
