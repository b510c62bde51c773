"""Sound from a microphone, with sounddevice's place taken."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from sfmodel.microphone import Microphone, microphones

DEVICES = [
    {"name": "Speakers", "max_input_channels": 0, "default_samplerate": 48000.0},
    {"name": "Built-in Microphone", "max_input_channels": 1, "default_samplerate": 44100.0},
    {"name": "USB Audio", "max_input_channels": 8, "default_samplerate": 48000.0},
    {"name": "USB Audio 2", "max_input_channels": 2, "default_samplerate": 22050.0},
]


class Stream:
    """Gives its blocks to the callback when it starts, as another thread would."""

    def __init__(self, given, refuse=None, **options):
        if refuse:
            raise refuse
        self.given, self.options, self.active, self.closed = given, options, False, 0

    def start(self):
        for block, overflow in self.given:
            status = SimpleNamespace(input_overflow=True) if overflow else None
            self.options["callback"](block, len(block), None, status)

    def close(self):
        self.closed += 1


@pytest.fixture
def sounddevice(monkeypatch):
    class PortAudioError(Exception):
        pass

    made = []

    def open_stream(**options):
        made.append(Stream(fake.given, fake.refuse, **options))
        return made[-1]

    fake = SimpleNamespace(
        query_devices=lambda: DEVICES,
        default=SimpleNamespace(device=(1, 0)),
        InputStream=open_stream,
        PortAudioError=PortAudioError,
        given=[],
        refuse=None,
        made=made,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def test_only_devices_with_inputs_are_listed(sounddevice):
    assert [(number, device["name"]) for number, device in microphones()] == [
        (1, "Built-in Microphone"),
        (2, "USB Audio"),
        (3, "USB Audio 2"),
    ]


@pytest.mark.parametrize(
    ("device", "number"), [(None, 1), (2, 2), ("3", 3), ("built", 1), ("USB Audio", 2), ("audio 2", 3)]
)
def test_a_device_is_chosen_by_number_or_name(sounddevice, device, number):
    with Microphone(22050, device) as microphone:
        assert sounddevice.made[0].options["device"] == number
        assert microphone.name == DEVICES[number]["name"]
    assert sounddevice.made[0].closed == 1
    microphone.close()
    assert sounddevice.made[0].closed == 1


def test_channels_are_averaged_and_blocks_resampled(sounddevice):
    left = np.sin(2 * np.pi * 440 * np.arange(9600) / 48000).astype(np.float32)
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    sounddevice.given = [(stereo[i : i + 960], False) for i in range(0, 9600, 960)]
    microphone = Microphone(22050, 2, 0.02)
    options = sounddevice.made[0].options
    assert (options["samplerate"], options["blocksize"], options["channels"]) == (48000, 960, 2)
    sound = []
    with pytest.raises(OSError, match=r"USB Audio gives no more sound; is it still connected\?"):
        sound.extend(microphone)
    made = np.concatenate(sound)
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(made)) / 22050) / 2
    assert len(made) == (9600 - 36 - 1) * 147 // 320 + 1  # the last 0.75 ms have to wait
    assert np.abs(made - wanted)[100:].max() < 1e-4
    assert microphone.overflows == 0 and microphone.live


def test_blocks_end_where_frames_are_complete(sounddevice):
    sounddevice.given = [(np.zeros((960, 1), dtype=np.float32), False)] * 5
    lengths = []
    with pytest.raises(OSError, match="no more sound"):
        lengths.extend(len(block) for block in Microphone(22050, 2, 0.02, first_s=1024 / 22050 % 0.02))
    assert lengths == [142, 441, 441, 441, 441]


def test_the_callbacks_array_is_not_kept(sounddevice):
    shared = np.ones((441, 1), dtype=np.float32)
    sounddevice.given = [(shared, False)]
    microphone = Microphone(22050, 3, 0.02)
    shared[:] = 5
    assert next(iter(microphone)).tolist() == [1.0] * 441


def test_a_block_with_samples_that_are_no_numbers_is_silence(sounddevice):
    rubbish = np.array([[1.0, 1.0], [np.nan, 1.0], [np.inf, 0.0]], dtype=np.float32)
    sounddevice.given = [(rubbish, False), (np.ones((2, 2), dtype=np.float32), False)]
    blocks = iter(Microphone(22050, 3))
    assert next(blocks).tolist() == [0, 0, 0]
    assert next(blocks).tolist() == [1, 1]


def test_lost_sound_is_counted(sounddevice):
    block = np.zeros((2205, 2), dtype=np.float32)
    sounddevice.given = [(block, True), (block, False)] + [(block, False)] * 50
    assert Microphone(22050, 3, 0.1).overflows == 1 + 2  # told by PortAudio; and 52 blocks where 50 are held


def test_a_closed_microphone_ends(sounddevice):
    sounddevice.given = [(np.zeros((441, 2), dtype=np.float32), False)] * 3
    microphone = Microphone(22050, 3)
    blocks = iter(microphone)
    next(blocks)
    microphone.close()
    assert list(blocks) == []


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (0, r"there is no microphone 0; expected one of 1: Built-in Microphone \(1 channels\), 2: USB Audio"),
        ("violin", "there is no microphone 'violin'; expected one of 1: Built-in"),
        ("usb", "2 devices fit microphone 'usb'; expected one of"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(sounddevice, device, message):
    with pytest.raises(ValueError, match=message):
        Microphone(22050, device)


def test_no_device_at_all(sounddevice):
    sounddevice.query_devices = lambda: DEVICES[:1]
    with pytest.raises(ValueError, match="there is no microphone; no device gives sound here"):
        Microphone(22050)


def test_a_device_that_cannot_be_opened(sounddevice):
    sounddevice.refuse = sounddevice.PortAudioError("Device unavailable")
    with pytest.raises(ValueError, match="USB Audio cannot be opened: Device unavailable; expected one of 1:"):
        Microphone(22050, 2)


def test_bad_blocks_are_refused(sounddevice):
    with pytest.raises(ValueError, match=r"blocks of 0\.5 s; expected 0\.01 to 0\.1"):
        Microphone(22050, block_s=0.5)


def test_without_sounddevice(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ImportError, match=r"needs sounddevice; install it with: pip install 'sfdata\[live\]'"):
        Microphone(22050)


def test_without_portaudio(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"PortAudio.*not found\): install the package libportaudio2"):
        microphones()
