"""Filters have the spectrum asked for, sound at once, and move nothing."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.blocks import joined
from sfdata.filters import (
    combined,
    convolve,
    convolve_blocks,
    equaliser_response,
    high_shelf,
    low_shelf,
    minimum_phase,
    response_taps,
    tilted,
)

RATE = 22050
FLAT = {
    "tilt_db_per_octave": 0.0,
    "pivot_hz": 1000.0,
    "low_shelf_db": 0.0,
    "low_shelf_hz": 200.0,
    "high_shelf_db": 0.0,
    "high_shelf_hz": 4000.0,
}


def spectrum_db(response: np.ndarray, frequency_hz: np.ndarray, rate: int) -> np.ndarray:
    _, amplitude = scipy.signal.freqz(response.astype(float), worN=frequency_hz, fs=rate)
    return 20 * np.log10(np.abs(amplitude))


def test_a_flat_equaliser_does_nothing():
    response = equaliser_response(FLAT, RATE)
    assert len(response) == response_taps(RATE) and response[0] == 1 and not response[1:].any()
    samples = np.random.default_rng(0).standard_normal(50_000, dtype=np.float32)
    assert np.allclose(convolve(samples, response), samples, atol=3e-6)


def test_curves_worked_by_hand():
    octaves = np.array([250.0, 500.0, 1000.0, 4000.0])
    assert 20 * np.log10(tilted(octaves, -3, 1000)) == pytest.approx([6, 3, 0, -6])
    assert tilted(np.array([0.0, 10.0]), -3, 1000) == pytest.approx(tilted(np.array([20.0, 20.0]), -3, 1000))
    for curve, far, near in ((low_shelf, 1e-3, 1e7), (high_shelf, 1e7, 1e-3)):
        assert 20 * np.log10(curve(np.array([far, 300.0, near]), -9, 300)) == pytest.approx([-9, -4.5, 0], abs=1e-3)


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
@pytest.mark.parametrize("tilt, low, high", [(3.0, 0.0, 0.0), (-1.5, 6.0, -6.0), (0.0, -12.0, 3.0)])
def test_the_response_has_the_spectrum_asked_for(rate, tilt, low, high):
    drawn = {**FLAT, "tilt_db_per_octave": tilt, "low_shelf_db": low, "high_shelf_db": high}
    frequency_hz = np.geomspace(40, 0.45 * rate, 60)
    wanted = tilt * np.log2(frequency_hz / 1000)
    wanted += 20 * np.log10(low_shelf(frequency_hz, low, 200.0) * high_shelf(frequency_hz, high, 4000.0))
    assert spectrum_db(equaliser_response(drawn, rate), frequency_hz, rate) == pytest.approx(wanted, abs=0.1)


@settings(max_examples=25, deadline=None)
@given(
    tilt=st.floats(-1.5, 1.5),
    low=st.floats(-3, 3),
    high=st.floats(-3, 3),
    low_hz=st.floats(80, 300),
    high_hz=st.floats(2000, 6000),
)
def test_mid_frequencies_are_not_delayed(tilt, low, high, low_hz, high_hz):
    """Group delay from 200 Hz up below 1 ms over the whole default range, and the first sample is the loudest."""
    drawn = dict(zip(FLAT, (tilt, 1000.0, low, low_hz, high, high_hz), strict=True))
    response = equaliser_response(drawn, RATE)
    _, delay = scipy.signal.group_delay((response.astype(float), 1), w=np.geomspace(200, 8000, 40), fs=RATE)
    assert np.abs(delay).max() / RATE < 1e-3
    assert np.argmax(np.abs(response)) == 0


def test_minimum_phase_against_a_filter_that_is_known():
    """y[n] = x[n] + 0.5 x[n-1] has its zero inside the unit circle, so its spectrum gives it back."""
    amplitude = np.abs(np.fft.rfft([1.0, 0.5], 256))
    assert minimum_phase(amplitude)[:4] == pytest.approx([1, 0.5, 0, 0], abs=1e-6)


@pytest.mark.parametrize("count, taps", [(0, 3), (1, 5), (7, 1), (1000, 3000), (70_001, 900)])
def test_convolution_agrees_with_its_definition(count, taps):
    rng = np.random.default_rng(1)
    samples, response = (rng.standard_normal(size, dtype=np.float32) for size in (count, taps))
    convolved = convolve(samples, response)
    assert convolved.dtype == np.float32 and len(convolved) == count
    if count:
        wanted = np.convolve(samples.astype(float), response.astype(float))[:count]
        assert np.abs(convolved - wanted).max() < 1e-5 * max(1.0, np.abs(wanted).max())


def test_a_convolution_longer_than_its_blocks():
    """Against the transform of all at once."""
    rng = np.random.default_rng(2)
    samples = rng.standard_normal(300_000, dtype=np.float32)
    response = (rng.standard_normal(20_000) * np.exp(-np.arange(20_000) / 3000)).astype(np.float32)
    wanted = scipy.signal.fftconvolve(samples.astype(float), response.astype(float))[: len(samples)]
    assert np.abs(convolve(samples, response) - wanted).max() < 2e-6 * np.abs(wanted).max()


def test_silence_stays_exact():
    samples = np.zeros(60_000, dtype=np.float32)
    assert not convolve(samples, np.ones(100, dtype=np.float32)).any()
    samples[30_001] = 1
    convolved = convolve(samples, np.ones(100, dtype=np.float32))
    assert not convolved[:30_001].any() and not convolved[30_101:].any()
    assert np.allclose(convolved[30_001:30_101], 1, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(0, 150_000),
    taps=st.sampled_from([1, 50, 5000, 20_000]),
    cuts=st.lists(st.integers(0, 10**6), max_size=6),
)
def test_blocks_of_any_sizes_give_the_same_bytes(count, taps, cuts):
    rng = np.random.default_rng(count)
    samples, response = (rng.standard_normal(size, dtype=np.float32) for size in (count, taps))
    blocks = np.split(samples, sorted(cut % (count + 1) for cut in cuts))
    assert joined(convolve_blocks(blocks, response)).tobytes() == convolve(samples, response).tobytes()


def test_silence_between_sounds_stays_exact_across_blocks():
    samples = np.zeros(400_000, dtype=np.float32)
    samples[[100, 350_000]] = 1
    convolved = convolve(samples, np.ones(6000, dtype=np.float32))
    assert not convolved[:100].any() and not convolved[6100:350_000].any() and not convolved[356_000:].any()
    assert np.allclose(convolved[100:6100], 1, atol=1e-5) and np.allclose(convolved[350_000:356_000], 1, atol=1e-5)


def test_two_filters_as_one():
    rng = np.random.default_rng(4)
    samples = rng.standard_normal(50_000, dtype=np.float32)
    first, second = ((rng.standard_normal(n) * np.exp(-np.arange(n) / 300)).astype(np.float32) for n in (5000, 2000))
    one_by_one = convolve(convolve(samples, first), second)
    at_once = convolve(samples, combined(first, second))
    assert np.abs(at_once - one_by_one).max() < 3e-6 * np.abs(one_by_one).max()
    one = np.array([1], dtype=np.float32)
    assert np.allclose(combined(first, one), first, atol=1e-7) and combined(one, first).dtype == np.float32
