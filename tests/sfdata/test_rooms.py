"""Rooms: synthetic responses measure as drawn, files are cut to their direct sound, and both leave onsets alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from sfdata.filters import convolve
from sfdata.rooms import RoomFile, find_rooms, measured_response, synthetic_response
from sfdata.soundfonts import file_sha256

RATE = 22050
HALL = {"rt60_s": 0.8, "drr_db": 3.0, "predelay_s": 0.01, "damping": 1.0, "reflections": 8, "seed": 5}


def reverberation_time_s(response: np.ndarray, rate: int) -> float:
    """Decay by 60 dB, from the slope of Schroeder's backward integral between -5 and -25 dB (ISO 3382's T20)."""
    energy = np.cumsum(np.square(response.astype(float))[::-1])[::-1]
    level_db = 10 * np.log10(energy / energy[0])
    part = np.flatnonzero((level_db <= -5) & (level_db >= -25))
    return -60 / float(np.polyfit(part / rate, level_db[part], 1)[0])


def band(response: np.ndarray, low_hz: float, high_hz: float, rate: int) -> np.ndarray:
    sections = scipy.signal.butter(4, [low_hz, high_hz], "bandpass", fs=rate, output="sos")
    return scipy.signal.sosfiltfilt(sections, response.astype(float))


def drr_db(response: np.ndarray) -> float:
    return float(10 * np.log10(float(response[0]) ** 2 / np.square(response[1:].astype(float)).sum()))


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("rt60_s", [0.25, 0.8, 2.0])
@pytest.mark.parametrize("reflections", [0, 1, 12])
def test_reverberation_time_is_the_one_drawn(rate, rt60_s, reflections):
    drawn = {**HALL, "rt60_s": rt60_s, "reflections": reflections}
    begin = round(0.01 * rate)
    measured = [
        reverberation_time_s(synthetic_response({**drawn, "seed": seed}, rate)[begin:], rate) for seed in range(5)
    ]
    assert np.mean(measured) == pytest.approx(rt60_s, rel=0.03)
    assert measured == pytest.approx([rt60_s] * 5, rel=0.1)


def test_high_frequencies_decay_as_much_faster_as_drawn():
    begin, wanted = round(0.01 * RATE), {(350, 700): 1.0, (1800, 2200): 0.7, (3600, 4400): 0.7**2, (7200, 8800): 0.7**3}
    for (low_hz, high_hz), factor in wanted.items():
        measured = [
            reverberation_time_s(
                band(synthetic_response({**HALL, "damping": 0.7, "seed": s}, RATE)[begin:], low_hz, high_hz, RATE), RATE
            )
            for s in range(12)
        ]
        assert np.mean(measured) == pytest.approx(0.8 * factor, rel=0.07), (low_hz, high_hz)


@pytest.mark.parametrize("wanted_db", [-6.0, 0.0, 4.5, 20.0])
@pytest.mark.parametrize("damping, reflections", [(1.0, 0), (0.6, 4), (0.9, 30)])
def test_direct_to_reverberant_ratio_is_the_one_drawn(wanted_db, damping, reflections):
    drawn = {**HALL, "drr_db": wanted_db, "damping": damping, "reflections": reflections}
    response = synthetic_response(drawn, RATE)
    assert drr_db(response) == pytest.approx(wanted_db, abs=0.01)
    assert np.square(response.astype(float)).sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(response[1:]).max() < response[0]


def test_reverberation_begins_after_the_predelay():
    for predelay_s in (0.0, 0.003, 0.03):
        response = synthetic_response({**HALL, "predelay_s": predelay_s}, RATE)
        begin = max(1, round(predelay_s * RATE))
        assert not response[1:begin].any() and response[begin]


def test_few_reflections_stand_out_of_what_follows_at_once():
    """Between the first reflections there is little; without them noise begins at once."""
    begin = round(0.01 * RATE)
    sparse, diffuse = (synthetic_response({**HALL, "reflections": n}, RATE)[begin : begin + 100] for n in (1, 0))
    assert np.abs(sparse[0]) > 5 * np.abs(sparse[1:]).max()
    assert np.abs(diffuse[0]) < 2 * np.abs(diffuse[1:]).max()


def test_the_seed_alone_makes_the_noise():
    assert np.array_equal(synthetic_response(HALL, RATE), synthetic_response(dict(HALL), RATE))
    assert not np.array_equal(synthetic_response(HALL, RATE), synthetic_response({**HALL, "seed": 6}, RATE))


def test_a_click_stays_at_its_sample_and_sound_keeps_its_level():
    click = np.zeros(RATE, dtype=np.float32)
    click[5000] = 1
    heard = convolve(click, synthetic_response(HALL, RATE))
    assert not heard[:5000].any() and np.abs(heard).argmax() == 5000
    noise = np.random.default_rng(0).standard_normal(5 * RATE, dtype=np.float32)
    within = convolve(noise, synthetic_response(HALL, RATE))[RATE:]
    assert float(within.std()) == pytest.approx(1, rel=0.03)


def measured(rate: int, seed: int = 0) -> np.ndarray:
    """What a microphone in a room might record: faint noise, a direct sound of falling polarity, a reverberation."""
    rng = np.random.default_rng(seed)
    response = 1e-4 * rng.standard_normal(rate)
    tail = rng.standard_normal(rate - 2000) * 10 ** (-3 * np.arange(rate - 2000) / (0.5 * rate))
    response[2000:] += 0.03 * tail
    response[2000] = -0.6
    response[2700] = 0.9  # a reflection louder than the direct sound
    return response


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "church").mkdir()
    stereo = np.stack([measured(RATE), np.roll(measured(RATE, 1), 50)], axis=1)
    soundfile.write(tmp_path / "b.wav", stereo, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "church" / "far.FLAC", measured(44100), 44100, format="FLAC")
    (tmp_path / "read me.txt").write_text("not a room")
    return tmp_path


def test_a_folder_of_rooms(folder: Path):
    rooms = find_rooms(folder)
    assert [room.name for room in rooms] == ["b.wav", "church/far.FLAC"]
    assert [room.path for room in rooms] == [folder / "b.wav", folder / "church" / "far.FLAC"]
    assert [room.sha256 for room in rooms] == [file_sha256(room.path) for room in rooms]
    assert rooms == [replace(room, path=Path("elsewhere")) for room in rooms]


def test_a_file_begins_with_its_direct_sound(folder: Path):
    """At the file's own rate: the very samples from the direct sound on, of the first channel, at energy 1."""
    response = measured_response(find_rooms(folder)[0], RATE)
    original = measured(RATE)[2000:].astype(np.float32)
    scaled = original / np.sqrt(np.square(original.astype(float)).sum())
    assert response.dtype == np.float32 and np.allclose(response, scaled[: len(response)], atol=1e-7)
    assert 0 < np.square(scaled[len(response) :].astype(float)).sum() < 1e-6
    assert np.square(response.astype(float)).sum() == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="read-only"):
        response[0] = 0


def test_a_file_of_another_rate_is_resampled(folder: Path):
    room = find_rooms(folder)[1]
    response = measured_response(room, RATE)
    assert np.abs(response[:200]).argmax() == 0
    assert np.abs(response).argmax() == pytest.approx(350, abs=1)  # the loud reflection, 700 samples at 44.1 kHz
    assert reverberation_time_s(response[400:], RATE) == pytest.approx(0.5, rel=0.15)
    assert len(measured_response(room, 44100)) == pytest.approx(2 * len(response), rel=0.05)


def test_bad_files_are_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        find_rooms(tmp_path / "nowhere")
    with pytest.raises(
        FileNotFoundError, match=r"holds no impulse responses; expected files that end in \.wav or \.flac"
    ):
        find_rooms(tmp_path)
    rng = np.random.default_rng(0)
    bad = {
        "cannot be read as sound": b"RIFFnothing",
        "is silent": np.zeros(100),
        "no numbers": np.array([0, np.nan]),
        "lasts 31 s": np.ones(31 * 8000),
        "of its energy in its second half": rng.standard_normal(8000),
    }
    for said, content in bad.items():
        file = tmp_path / "bad.wav"
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            soundfile.write(file, content, 8000, subtype="FLOAT")
        with pytest.raises(ValueError, match=said):
            find_rooms(tmp_path)
        with pytest.raises(ValueError, match=said):
            measured_response(RoomFile("bad.wav", file, file_sha256(file)), RATE)


def test_a_file_that_has_changed_is_refused(folder: Path):
    room = replace(find_rooms(folder)[0], sha256="0" * 64)
    with pytest.raises(ValueError, match="has changed; expected a file with sha256 0000"):
        measured_response(room, RATE)


def test_the_shortest_response(tmp_path: Path):
    soundfile.write(tmp_path / "click.wav", np.array([0, 0.5]), RATE, subtype="FLOAT")
    assert measured_response(find_rooms(tmp_path)[0], RATE).tolist() == [1]
