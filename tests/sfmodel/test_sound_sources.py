"""Sound from files and pipes, in blocks and in time."""

import io
import math
import os
import struct
import threading
import time

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.render import read_audio
from sfmodel.sound_sources import FileSound, GivenSound, StreamedSound
from sfmodel.wav_header import PcmFormat

RATE_HZ = 22050


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, count).astype(np.float32)


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def wav(
    data: bytes,
    kind: int = 1,
    bits: int = 16,
    channels: int = 1,
    rate_hz: int = RATE_HZ,
    size: int | None = None,
    before: bytes = b"",
    extensible: bool = False,
) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else kind, channels, rate_hz, rate_hz * frame, frame, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, kind) + bytes.fromhex("000000001000800000aa00389b71")
    return chunk(b"RIFF", b"", 0xFFFFFFFF) + b"WAVE" + before + chunk(b"fmt ", form) + chunk(b"data", data, size)


class Trickle(io.RawIOBase):
    """Gives bytes few at a time, and sometimes none yet, as pipes do."""

    def __init__(self, data: bytes, seed: int = 0) -> None:
        self.rest, self.rng = data, np.random.default_rng(seed)

    def read(self, size: int = -1) -> bytes | None:
        if self.rng.random() < 0.1:
            return None
        part = self.rest[: min(size, int(self.rng.integers(1, 4000)))]
        self.rest = self.rest[len(part) :]
        return part


def streamed(data: bytes, **options) -> np.ndarray:
    source = StreamedSound(RATE_HZ, stream=io.BytesIO(data), name="pipe", speed=None, **options)
    return np.concatenate([np.empty(0, dtype=np.float32), *source])


# Files


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16"])
def test_a_file_at_the_wanted_rate_gives_its_very_samples(tmp_path, subtype):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.stack([noise(5000), noise(5000, 1)], axis=1), RATE_HZ, subtype)
    blocks = list(FileSound(path, RATE_HZ, speed=None))
    assert [len(block) for block in blocks] == [441] * 11 + [149]
    assert np.array_equal(np.concatenate(blocks), read_audio(path, RATE_HZ))


def test_a_file_at_another_rate_sounds_as_it_does_to_the_batch_code(tmp_path):
    path = tmp_path / "sound.flac"
    time_s = np.arange(48_000) / 48_000
    tones = sum(np.sin(2 * np.pi * f * time_s) for f in (110, 441, 1760)) / 4 * np.hanning(48_000)
    soundfile.write(path, tones, 48_000)
    made = np.concatenate(list(FileSound(path, RATE_HZ, speed=None)))
    wanted = read_audio(path, RATE_HZ)
    assert made.shape == wanted.shape
    assert np.abs(made - wanted).max() < 1e-4


def test_an_empty_file_gives_nothing(tmp_path):
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0), RATE_HZ)
    assert list(FileSound(path, RATE_HZ)) == []


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_each_block_comes_when_its_last_sample_would_have_been_heard(tmp_path, speed):
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(RATE_HZ // 2), RATE_HZ)
    source = FileSound(path, RATE_HZ, 0.05, speed)
    assert source.live
    begin, taken_s, late_s = time.monotonic(), 0.0, []
    for block in source:
        taken_s += len(block) / RATE_HZ
        late_s.append(time.monotonic() - begin - taken_s / speed)
    assert taken_s == pytest.approx(0.5)
    assert min(late_s) > -1e-6
    assert min(late_s) < 0.2  # however busy the machine is, some come in time


def test_without_a_speed_a_file_waits_to_be_taken(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(30 * RATE_HZ), RATE_HZ)
    source, begin = FileSound(path, RATE_HZ, speed=None), time.monotonic()
    assert not source.live
    assert sum(len(block) for block in source) == 30 * RATE_HZ
    assert time.monotonic() - begin < 25


def test_closing_ends_a_file_while_it_waits(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(5 * RATE_HZ), RATE_HZ)
    source, begin = FileSound(path, RATE_HZ, 1.0, speed=0.1), time.monotonic()  # a block after 10 s
    threading.Timer(0.1, source.close).start()
    assert list(source) == []
    assert time.monotonic() - begin < 4.5


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.wav is not there"):
        FileSound(tmp_path / "none.wav", RATE_HZ)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav cannot be read as sound"):
        FileSound(tmp_path / "text.wav", RATE_HZ)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), RATE_HZ, "FLOAT")
    with pytest.raises(ValueError, match=r"nan\.wav holds samples that are no finite numbers"):
        list(FileSound(tmp_path / "nan.wav", RATE_HZ, speed=None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_s": 0.0}, r"blocks of 0\.0 s; expected 0\.005 to 1\.0"),
        ({"speed": 0.0}, r"a speed of 0\.0; expected more than 0"),
        ({"first_s": -0.01}, r"a first block of -0\.01 s; expected up to 1\.0, or 0"),
    ],
)
def test_bad_numbers_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StreamedSound(RATE_HZ, stream=io.BytesIO(), **options)


@pytest.mark.parametrize("block_s", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("rate_hz", [16_000, RATE_HZ, 44_100, 48_000])
def test_blocks_end_where_frames_are_complete(tmp_path, rate_hz, block_s):
    """Half a window of 2048 samples after the beginning, and every 20 ms from then on."""
    samples = noise(2 * rate_hz)
    soundfile.write(tmp_path / "sound.wav", samples, rate_hz, "FLOAT")
    first_s = 1024 / RATE_HZ % block_s
    options = {"block_s": block_s, "speed": None, "first_s": first_s}
    form = PcmFormat("f32le", rate_hz, 1)
    sources = [FileSound(tmp_path / "sound.wav", RATE_HZ, **options)]
    sources += [StreamedSound(RATE_HZ, form, io.BytesIO(samples.tobytes()), **options)]
    sources += [GivenSound([noise(RATE_HZ), noise(RATE_HZ, 1)], RATE_HZ, **options)]
    for source in sources:
        ends = np.cumsum([len(block) for block in source])
        assert ends[0] == round(first_s * RATE_HZ) and ends[-1] == 2 * RATE_HZ
        assert np.isin(1024 + 441 * np.arange(97), ends).all()


def test_made_sound_is_given_in_blocks_and_in_time():
    given = [noise(count, count) for count in (5000, 0, 1, 441)]
    blocks = list(GivenSound(given, RATE_HZ, speed=None))
    assert [len(block) for block in blocks] == [441] * 12 + [150]
    assert np.array_equal(np.concatenate(blocks), np.concatenate(given))
    begin = time.monotonic()
    assert len(list(GivenSound([noise(RATE_HZ // 4)], RATE_HZ))) == 13
    assert time.monotonic() - begin > 0.25 - 0.02 - 1e-3  # the first block comes at once


# Pipes


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ValueError, match=r"^standard input is closed; expected sound through it, or"):
        StreamedSound(RATE_HZ)


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("before", [b"", chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0\0"), chunk(b"junk", b"odd")])
def test_wav_whose_header_may_not_know_the_size(size, before):
    samples = np.array([0, 16384, -32768, 32767], dtype="<i2")
    made = streamed(wav(samples.tobytes(), size=size, before=before))
    assert made.tolist() == [0, 0.5, -1, 32767 / 32768]


def test_what_comes_after_the_sound_is_left_out():
    samples = np.array([16384, -16384], dtype="<i2").tobytes()
    assert streamed(wav(samples) + chunk(b"LIST", b"\xff" * 40)).tolist() == [0.5, -0.5]


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(
    ("kind", "bits", "data"),
    [
        (1, 8, np.array([128, 192, 0], dtype="u1").tobytes()),
        (1, 16, np.array([0, 16384, -32768], dtype="<i2").tobytes()),
        (1, 24, b"\0\0\0" + b"\0\0\x40" + b"\0\0\x80"),
        (1, 32, np.array([0, 2**30, -(2**31)], dtype="<i4").tobytes()),
        (3, 32, np.array([0, 0.5, -1], dtype="<f4").tobytes()),
        (3, 64, np.array([0, 0.5, -1], dtype="<f8").tobytes()),
    ],
)
def test_every_kind_of_samples(kind, bits, data, extensible):
    assert streamed(wav(data, kind, bits, extensible=extensible)).tolist() == [0, 0.5, -1]


def test_channels_are_averaged_and_half_a_frame_at_the_end_is_left_out():
    samples = np.array([[16384, 0], [0, -16384]], dtype="<i2").tobytes()
    assert streamed(wav(samples + b"\x01\x02\x03", channels=2, size=0)[:-1]).tolist() == [0.25, -0.25]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
def test_what_libsndfile_writes_is_read_as_it_reads_it(subtype, kind):
    file = io.BytesIO()
    soundfile.write(file, np.stack([noise(3000), noise(3000, 1)], axis=1), RATE_HZ, subtype, format=kind)
    file.seek(0)
    wanted = soundfile.read(file, dtype="float32", always_2d=True)[0].mean(axis=1, dtype=np.float32)
    assert np.array_equal(streamed(file.getvalue()), wanted)


@given(st.integers(0, 4000), st.integers(0, 100), st.sampled_from([16000, 22050, 44100]))
@settings(max_examples=30, deadline=None)
def test_how_bytes_trickle_in_changes_nothing(count, seed, rate_hz):
    data = noise(count).tobytes()
    form = PcmFormat("f32le", rate_hz, 1)
    whole = streamed(data, raw=form)
    trickled = StreamedSound(RATE_HZ, form, Trickle(data, seed), speed=None)
    assert np.array_equal(np.concatenate([np.empty(0, np.float32), *trickled]), whole)
    assert len(whole) == math.ceil(count * RATE_HZ / rate_hz)


def test_raw_samples():
    data = np.array([[16384, 0], [-32768, 0]], dtype="<i2").tobytes()
    assert streamed(data, raw=PcmFormat("s16le", RATE_HZ, 2)).tolist() == [0.25, -0.5]


def test_an_empty_pipe_of_raw_samples_gives_nothing():
    assert len(streamed(b"", raw=PcmFormat("s16le", RATE_HZ, 1))) == 0


def test_sound_faster_than_it_is_heard_is_held_back():
    source = StreamedSound(RATE_HZ, PcmFormat("f32le", RATE_HZ, 1), io.BytesIO(noise(RATE_HZ // 4).tobytes()))
    begin = time.monotonic()
    given_s = [time.monotonic() - begin for _ in source]
    assert given_s[-1] > 0.25 / 1.001 - 0.02 - 1e-3  # its first block was recorded before it came


def test_a_pipe_gives_what_has_come_before_more_comes():
    receiving, sending = os.pipe()
    with open(receiving, "rb", buffering=0) as pipe:
        os.write(sending, wav(b"", size=0) + noise(441).tobytes()[: 2 * 441])
        blocks = iter(StreamedSound(RATE_HZ, stream=pipe, name="pipe"))
        assert len(next(blocks)) == 441
        os.close(sending)
        assert list(blocks) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"fLaC" + bytes(40), r"pipe is no WAV: begins with b'fLaC.*ffmpeg -i … -f wav -"),
        (b"", r"pipe is no WAV: begins with b''"),
        (wav(b"")[:30], "pipe is a damaged WAV: ends within its header"),
        (wav(b"", kind=6, bits=8), "pipe is WAV of kind 6 with 8 bits; expected PCM of 8 to 32 bits, or floats"),
        (chunk(b"RIFF", b"") + b"WAVE" + chunk(b"data", b"12"), "no 'fmt ' before the sound"),
        (wav(b"", before=chunk(b"LIST", b"", 2**30)), "damaged WAV: 1073741824 bytes of b'LIST' before the sound"),
        (wav(b"", channels=0), "sound at 22050 Hz in 0 channels; expected 1000 to 768000 Hz, 1 to 64 channels"),
    ],
)
def test_bad_wav_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        streamed(data)


def test_samples_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="pipe holds samples that are no finite numbers"):
        streamed(np.array([0, np.inf], dtype="<f4").tobytes(), raw=PcmFormat("f32le", RATE_HZ, 1))


def test_an_unknown_encoding_is_refused():
    with pytest.raises(ValueError, match="sound as 's16be'; expected one of u8, s16le"):
        PcmFormat("s16be", RATE_HZ, 1)
