"""The chain gives what its steps give one after the other, whatever the blocks; recordings too."""

from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from sfdata import blocks
from sfdata.effects import OPERATIONS
from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.render import BLOCK_SAMPLES, RenderSettings, read_audio, render
from sfdata.rendition import recording_frames, rendition_frames
from sfdata.sound import SoundSettings, apply_sound, draw_sound, tuning_cents
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import SpectrogramSettings, frame_count, spectrogram

RATE = 22050
PIANO = resolve_instrument("timgm6mb:0")
EVERYTHING = SoundSettings(**{name: kind() for name, kind in OPERATIONS.items()})
SPECTROGRAM = SpectrogramSettings()


def some_notes(seconds: float):
    rng = np.random.default_rng(0)
    onset_s = 0.5 + np.arange(0, seconds - 1, 0.3)
    pitches = rng.integers(21, 109, len(onset_s))
    return snap_to_event_grid(make_notes(onset_s, onset_s + 0.4, pitches, [80] * len(pitches)), RATE)


@pytest.mark.parametrize("record", [{}, draw_sound(EVERYTHING, np.random.default_rng(2))], ids=["dry", "everything"])
def test_the_chain_is_its_steps(record, monkeypatch: pytest.MonkeyPatch):
    notes, settings = some_notes(20.0), RenderSettings(tail_s=1.0)
    samples = render(notes, PIANO, RATE, settings, tuning_cents(record))
    wanted = spectrogram(apply_sound(samples, RATE, record), SPECTROGRAM)
    made = list(rendition_frames(notes, PIANO, SPECTROGRAM, settings, record))
    assert len(made) > 2 and np.concatenate(made).tobytes() == wanted.tobytes()
    monkeypatch.setattr(blocks, "MEMORY_SAMPLES", 1000)  # through temporary files
    monkeypatch.setattr(blocks, "FILE_BLOCK_SAMPLES", 777)
    made = list(rendition_frames(notes, PIANO, SPECTROGRAM, settings, record))
    assert np.concatenate(made).tobytes() == wanted.tobytes()


def test_no_notes_are_silence():
    frames = np.concatenate(list(rendition_frames(some_notes(20.0)[:0], PIANO, SPECTROGRAM)))
    assert frames.shape == (31, 88) and not frames.any()  # a tail of 1.5 s, filled up to 64 samples


def test_what_cannot_be_played_is_refused_before_the_first_block():
    with pytest.raises(ValueError, match="no preset at bank 77"):
        rendition_frames(some_notes(2.0), replace(PIANO, bank=77), SPECTROGRAM)
    with pytest.raises(ValueError, match="operation 'echo'"):
        rendition_frames(some_notes(2.0), PIANO, SPECTROGRAM, sound={"operations": [{"operation": "echo"}]})


@pytest.mark.parametrize("rate", [RATE, 44100, 48000, 16000])
@pytest.mark.parametrize("off", [-5000, 0, 5000])
def test_recordings_are_cut_or_filled_to_their_length(tmp_path: Path, rate, off):
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, (3 * BLOCK_SAMPLES + 77, 2)).astype(np.float32)
    soundfile.write(tmp_path / "stereo.wav", samples, rate, subtype="FLOAT")
    whole = samples.mean(axis=1, dtype=np.float32)
    if rate != RATE:
        whole = librosa.resample(whole, orig_sr=rate, target_sr=RATE, res_type="soxr_hq")
    assert np.array_equal(read_audio(tmp_path / "stereo.wav", RATE), whole)
    count = len(whole) + off
    wanted = spectrogram(np.pad(whole[:count], (0, count - len(whole[:count]))), SPECTROGRAM)
    made = np.concatenate(list(recording_frames(tmp_path / "stereo.wav", count, SPECTROGRAM)))
    assert len(made) == frame_count(count, SPECTROGRAM) and made.tobytes() == wanted.tobytes()


def test_recordings_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "no.wav").write_bytes(b"RIFFnothing")
    with pytest.raises(ValueError, match="cannot be read as sound"):
        recording_frames(tmp_path / "no.wav", 1000, SPECTROGRAM)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan]), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="no finite numbers"):
        list(recording_frames(tmp_path / "nan.wav", 1000, SPECTROGRAM))
