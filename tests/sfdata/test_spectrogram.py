from fractions import Fraction

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.filterbanks import FILTERBANKS
from sfdata.spectrogram import (
    BLOCK_FRAMES,
    SCALES,
    SpectrogramSettings,
    SpectrogramStream,
    frame_count,
    spectrogram,
    spectrogram_blocks,
)
from sfdata.windows import exact_ratio

DEFAULT = SpectrogramSettings()


def click(samples: int, at: int) -> np.ndarray:
    signal = np.zeros(samples, dtype=np.float32)
    signal[at] = 1
    return signal


def test_default_lengths():
    assert frame_count(12 * 22050, DEFAULT) == 240
    assert spectrogram(np.zeros(22050, dtype=np.float32), DEFAULT).shape == (20, 88)
    assert frame_count(22051, DEFAULT) == 21


def test_silence_is_zero_and_nothing_is_empty():
    assert not spectrogram(np.zeros(5000, dtype=np.float32), DEFAULT).any()
    assert spectrogram(np.zeros(0, dtype=np.float32), DEFAULT).shape == (0, 88)
    with pytest.raises(ValueError, match="mono"):
        spectrogram(np.zeros((10, 2), dtype=np.float32), DEFAULT)


@pytest.mark.parametrize("rate_hz", [20.0, 10.0, 43.06640625, 50.0])
@pytest.mark.parametrize("seconds", [2.0, 3600.0])
def test_frames_are_centred_exactly_even_after_an_hour(rate_hz, seconds):
    """The centre of gravity of a click's response over finely shifted clicks is the frame's time, to microseconds."""
    settings = SpectrogramSettings(frame_rate_hz=rate_hz)
    frame = round(seconds * rate_hz) + 1  # odd and even frames both occur
    centre = Fraction(frame) * Fraction(*exact_ratio(22050, rate_hz))  # in samples, exact
    # A long signal costs little if only its end is not silent: cut it at a frame that lies on a whole sample.
    step = Fraction(*exact_ratio(22050, rate_hz))
    back = frame - frame % step.denominator - 4 * step.denominator * max(1, int(rate_hz // 4))
    origin = int(back * step)
    positions = np.arange(int(centre) - 1100, int(centre) + 1102, 25)
    signal_end = int(centre) + 6000
    power = []
    for position in positions:
        short = click(signal_end - origin, position - origin)
        power.append(float(np.expm1(spectrogram(short, settings)[frame - back, 60])) ** 2)
    off_samples = np.average([float(position - centre) for position in positions], weights=power)
    assert abs(off_samples) / 22050 < 30e-6


def test_no_drift_over_a_real_hour():
    """An hour's signal in one piece: clicks at whole seconds peak in the frames at whole seconds, to the end."""
    seconds = np.array([0, 1, 1799, 3598, 3599])
    signal = np.zeros(3600 * 22050, dtype=np.float32)
    signal[seconds * 22050] = 1
    frames = spectrogram(signal, DEFAULT)
    assert len(frames) == 72000
    energy = frames.sum(axis=1)
    for second in seconds:
        around = energy[max(0, second * 20 - 2) : second * 20 + 3]
        assert int(np.argmax(around)) + max(0, second * 20 - 2) == second * 20
        if second:
            assert energy[second * 20 - 1] == pytest.approx(energy[second * 20 + 1], rel=0.02)  # symmetric: centred


def test_a_frame_does_not_depend_on_what_lies_elsewhere():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(40 * 22050).astype(np.float32) * 0.1
    whole = spectrogram(signal, DEFAULT)
    shorter = spectrogram(signal[: 20 * 22050], DEFAULT)
    assert np.array_equal(whole[:390], shorter[:390])
    assert np.array_equal(whole, spectrogram(signal.copy(), DEFAULT))


RATES_HZ = (20.0, 10.0, 43.06640625, 50.0)


@settings(deadline=None, max_examples=40)
@given(
    frame_rate_hz=st.sampled_from(RATES_HZ),
    count=st.integers(0, 30_000),
    sizes=st.lists(st.one_of(st.integers(0, 2), st.integers(0, 30_000)), min_size=1, max_size=12),
    together=st.sampled_from([1, 1, 3, BLOCK_FRAMES]),
)
def test_blocks_of_any_sizes_give_the_same_bytes(frame_rate_hz, count, sizes, together):
    chosen = SpectrogramSettings(frame_rate_hz=frame_rate_hz)
    signal = np.random.default_rng(count).standard_normal(count, dtype=np.float32)
    stream, given_frames, begin = SpectrogramStream(chosen), [], 0
    for size in [*sizes, count]:
        frames = stream.push(signal[begin : begin + size], together)
        assert len(frames) % together == 0
        given_frames.append(frames)
        begin = min(begin + size, count)
        assert stream.samples == begin
    given_frames.append(stream.finish())
    made = np.concatenate(given_frames)
    assert stream.frames == len(made) == frame_count(count, chosen)
    assert made.tobytes() == spectrogram(signal, chosen).tobytes()
    blocks = list(spectrogram_blocks(np.split(signal, [count // 3, count // 3, count // 2]), chosen))
    assert np.concatenate(blocks).tobytes() == made.tobytes()


@pytest.mark.parametrize("frame_rate_hz", RATES_HZ)
def test_single_samples_give_the_same_bytes(frame_rate_hz):
    chosen = SpectrogramSettings(frame_rate_hz=frame_rate_hz)
    signal = np.random.default_rng(1).standard_normal(7001, dtype=np.float32)
    stream = SpectrogramStream(chosen)
    made = [stream.push(signal[i : i + 1]) for i in range(len(signal))]
    assert np.concatenate([*made, stream.finish()]).tobytes() == spectrogram(signal, chosen).tobytes()


@pytest.mark.parametrize("frame_rate_hz", RATES_HZ)
def test_a_frame_is_given_with_the_last_sample_that_it_sees(frame_rate_hz):
    """Not a sample later; and no sample that comes after it changes it."""
    chosen = SpectrogramSettings(frame_rate_hz=frame_rate_hz)
    signal = np.random.default_rng(2).standard_normal(9000, dtype=np.float32)
    whole, stream = spectrogram(signal, chosen), SpectrogramStream(chosen)
    step, given_frames = Fraction(*exact_ratio(22050, frame_rate_hz)), 0
    for i in range(len(signal)):
        frames = stream.push(signal[i : i + 1])
        # The window reaches half its length beyond its centre; the sample at that very distance weighs nothing.
        complete = sum(frame * step + 1024 <= i + 1 for frame in range(given_frames, given_frames + 2))
        assert len(frames) == complete
        assert np.array_equal(frames, whole[given_frames : given_frames + complete])
        given_frames += complete
    assert given_frames >= 4


def test_a_stream_holds_seconds_not_hours():
    stream = SpectrogramStream(DEFAULT)
    for _ in range(200):
        stream.push(np.zeros(44_100, dtype=np.float32), together=BLOCK_FRAMES)
    assert stream._held.nbytes < 4 * 30 * 22050
    with pytest.raises(ValueError, match="mono"):
        stream.push(np.zeros((2, 2), dtype=np.float32))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("frame_rate_hz", [20.0, 43.06640625])
def test_single_precision_is_enough(scale, frame_rate_hz):
    """Against the definition in double precision, for noise, and a loud low tone beside silence."""
    chosen = SpectrogramSettings(frame_rate_hz=frame_rate_hz, scale=scale, n_fft=4096)
    tone = np.sin(2 * np.pi * 100 * np.arange(22050) / 22050)
    noise = 0.3 * np.random.default_rng(3).standard_normal(22050)
    for signal in (tone.astype(np.float32), noise.astype(np.float32)):
        assert np.abs(spectrogram(signal, chosen) - by_definition(signal, chosen)).max() < 2e-5


def by_definition(signal: np.ndarray, chosen: SpectrogramSettings) -> np.ndarray:
    step, size = Fraction(*exact_ratio(chosen.sample_rate_hz, chosen.frame_rate_hz)), chosen.n_fft
    padded = np.pad(signal.astype(float), size)
    frames = []
    for frame in range(frame_count(len(signal), chosen)):
        first = int(frame * step) - size // 2
        away = np.arange(first, first + size + 1) - float(frame * step)
        window = np.where(np.abs(away) <= size / 2, 0.5 + 0.5 * np.cos(2 * np.pi * away / size), 0)
        cut = padded[first + size : first + 2 * size + 1] * window * 4 / size
        folded = np.append(cut[0] + cut[-1], cut[1:-1])  # both ends have the same place in the transform
        frames.append(np.log1p(chosen.gain * (FILTERBANKS[chosen.scale](chosen) @ np.abs(np.fft.rfft(folded)))))
    return np.array(frames)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("pitch", [45, 69, 88, 100])
def test_a_tone_peaks_in_its_bin(scale, pitch):
    settings = SpectrogramSettings(scale=scale, n_fft=4096)
    hz = 440 * 2 ** ((pitch - 69) / 12)
    tone = np.sin(2 * np.pi * hz * np.arange(22050) / 22050).astype(np.float32)
    peak = int(spectrogram(tone, settings)[10].argmax())
    distance = np.abs(np.log2(settings.bin_frequencies_hz() / hz))
    assert distance[peak] <= np.sort(distance)[1] + 1e-9  # the nearest bin, or the other one beside the tone


def test_level():
    """A full-scale tone reads about 1 (a band sums the window's main lobe), and half of it half as much."""
    tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    full, half = (np.expm1(spectrogram(tone * level, DEFAULT)[10].max()) / DEFAULT.gain for level in (1, 0.5))
    assert 0.9 < full < 2 and half == pytest.approx(full / 2, rel=1e-3)


def test_agrees_with_librosa_where_the_hop_is_whole():
    settings = SpectrogramSettings(frame_rate_hz=22050 / 1024, scale="mel", n_bins=40)
    signal = np.random.default_rng(1).standard_normal(3 * 22050).astype(np.float32) * 0.1
    ours = spectrogram(signal, settings)
    magnitudes = np.abs(librosa.stft(signal, n_fft=2048, hop_length=1024, window="hann", pad_mode="constant")) / 512
    mel = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=40, fmin=27.5, norm=None)
    theirs = np.log1p(settings.gain * (mel @ magnitudes)).T
    assert np.allclose(ours, theirs[: len(ours)], atol=2e-4)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"scale": "bark"}, "log, mel, cqt"),
        ({"n_fft": 2047}, "even"),
        ({"sample_rate_hz": 8000}, "above half the sample rate"),
        ({"frame_rate_hz": 20.101}, "divides the sample rate more evenly"),
        ({"frame_rate_hz": 0.0}, "1 to 1000"),
        ({"gain": 0.0}, "above zero"),
    ],
)
def test_bad_settings(settings, said):
    with pytest.raises(ValueError, match=said):
        SpectrogramSettings(**settings)


def test_bins_between_the_lines_of_the_fft_are_refused():
    with pytest.warns(UserWarning, match="Empty filters"), pytest.raises(ValueError, match="would always be zero"):
        spectrogram(click(2000, 5), SpectrogramSettings(scale="mel", n_bins=400, n_fft=512))


def test_decimal_frame_rates_are_taken_as_written():
    assert exact_ratio(22050, 7.3) == (220500, 73)
    assert frame_count(22050 * 10, SpectrogramSettings(frame_rate_hz=7.3)) == 73
