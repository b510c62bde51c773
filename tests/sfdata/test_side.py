from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import symusic

from sfdata.midi import MidiSettings, read_midi_notes, read_piece
from sfdata.notes import snap_to_event_grid
from sfdata.render import render
from sfdata.side import SCORE_VELOCITY, read_side, side_notes, sound_side
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import SpectrogramSettings, spectrogram

SETTINGS = SpectrogramSettings()


def test_midi_and_its_sound_are_the_same_frames(short_midi, tmp_path: Path):
    side = read_side(short_midi[0], SETTINGS)
    piece = read_piece(short_midi[0], MidiSettings(pedal=True))
    notes = snap_to_event_grid(piece.notes, SETTINGS.sample_rate_hz)
    samples = render(notes, resolve_instrument("timgm6mb:0"), SETTINGS.sample_rate_hz)
    assert np.array_equal(side.frames, spectrogram(samples, SETTINGS)) and side.start_s == piece.cut_s
    soundfile.write(tmp_path / "a.WAV", samples, SETTINGS.sample_rate_hz, subtype="FLOAT")
    heard = read_side(tmp_path / "a.WAV", SETTINGS)
    assert np.array_equal(heard.frames, side.frames) and heard.start_s == 0
    given = sound_side(tmp_path / "a.WAV", samples, SETTINGS)
    assert np.array_equal(given.frames, heard.frames)
    assert (given.name, given.frame_rate_hz, given.start_s) == (heard.name, heard.frame_rate_hz, heard.start_s)
    assert side.end_s == side.start_s + (len(side.frames) - 1) / 20
    # the first note begins where the file says
    first = np.flatnonzero(side.frames.max(axis=1) > 0.05)[0] / 20 + side.start_s
    assert abs(first - (piece.notes["onset_s"][0] + piece.cut_s)) < 0.1


def test_scores_are_played_without_dynamics(short_midi):
    loud = read_side(short_midi[0], SETTINGS, velocity=100)
    soft = read_side(short_midi[0], SETTINGS, velocity=SCORE_VELOCITY)
    own = read_side(short_midi[0], SETTINGS, "timgm6mb:1")
    assert loud.frames.mean() > soft.frames.mean() and own.frames.shape == soft.frames.shape
    assert not np.array_equal(own.frames, soft.frames)


def test_the_pedal_of_a_performance_sounds(tmp_path: Path):
    """A key let go after 0.1 s, with the pedal down for two: heard until then, and written as it was played."""
    score = symusic.Score(480)
    track = symusic.Track()
    track.notes.append(symusic.Note(0, 96, 60, 80))  # 480 ticks are half a second
    track.controls.extend([symusic.ControlChange(0, 64, value) for value in (127,)])
    track.controls.append(symusic.ControlChange(1920, 64, 0))
    track.notes.append(symusic.Note(2880, 96, 72, 80))
    score.tracks.append(track)
    score.dump_midi(tmp_path / "pedal.mid")
    side = read_side(tmp_path / "pedal.mid", SETTINGS)
    level = side.frames.sum(axis=1)
    at = round((1.5 - side.start_s) * SETTINGS.frame_rate_hz)
    assert level[at] > 1 and level[at + round(SETTINGS.frame_rate_hz)] < 0.1
    assert side_notes(tmp_path / "pedal.mid")["offset_s"][0] == pytest.approx(0.1, abs=0.005)


def test_notes_lie_where_the_file_says(short_midi, tmp_path: Path):
    for path in short_midi:
        notes, own = side_notes(path), read_midi_notes(path)
        for column in ("onset_s", "offset_s", "pitch", "velocity"):
            assert np.array_equal(notes[column], own[column])
    with pytest.raises(FileNotFoundError, match="there is no file"):
        side_notes(tmp_path / "none.mid")
    (tmp_path / "a.mid").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"a\.mid: is no MIDI file"):
        side_notes(tmp_path / "a.mid")
    (tmp_path / "a.wav").touch()
    assert not len(side_notes(tmp_path / "a.wav"))


def test_what_cannot_be_read(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_side(tmp_path / "none.mid", SETTINGS)
    for name, content, said in (
        ("a.txt", b"x", r"ends in '\.txt'; expected MIDI \(\.mid, \.midi\) or sound"),
        ("a.mid", b"x", "a.mid"),
        ("a.wav", b"RIFF", "cannot be read as sound"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=said):
            read_side(tmp_path / name, replace(SETTINGS))
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 22050)
    with pytest.raises(ValueError, match="holds no sound"):
        read_side(tmp_path / "b.wav", SETTINGS)
    with pytest.raises(ValueError, match=r"b\.wav holds no sound"):
        sound_side(tmp_path / "b.wav", np.zeros(0, dtype=np.float32), SETTINGS)
