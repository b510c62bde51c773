"""Quarter notes of MIDI files."""

import mido
import numpy as np
import pytest

from sfdata.beats import BeatMap, read_beat_map


def write(path, tempos, ticks_per_beat=96):
    """Tempos as (quarters before it, microseconds a quarter)."""
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    track = mido.MidiTrack()
    file.tracks.append(track)
    last = 0
    for quarters, microseconds in tempos:
        tick = round(quarters * ticks_per_beat)
        track.append(mido.MetaMessage("set_tempo", tempo=microseconds, time=tick - last))
        last = tick
    track.append(mido.Message("note_on", note=60, velocity=64, time=ticks_per_beat))
    track.append(mido.Message("note_off", note=60, velocity=0, time=ticks_per_beat))
    file.save(path)
    return path


def test_without_a_tempo_there_are_120_quarters_a_minute(tmp_path):
    beats = read_beat_map(write(tmp_path / "plain.mid", []))
    assert beats([-1.0, 0.0, 0.5, 10.0]).tolist() == [-2, 0, 1, 20]


def test_tempos_change(tmp_path):
    # 4 quarters at 60 a minute, 2 at 240, then 120 for good.
    beats = read_beat_map(write(tmp_path / "tempos.mid", [(0, 1_000_000), (4, 250_000), (6, 500_000)], 480))
    assert beats([0, 1, 4, 4.25, 4.5, 5.5]).tolist() == pytest.approx([0, 1, 4, 5, 6, 8])


def test_a_tempo_of_its_own_begins_later(tmp_path):
    beats = read_beat_map(write(tmp_path / "later.mid", [(2, 1_000_000)]))
    assert beats([1.0, 2.0]).tolist() == [2, 3]


def test_beats_agree_with_another_reader(tmp_path):
    path = write(tmp_path / "tempos.mid", [(0, 700_000), (1.5, 300_000), (7, 1_100_000)])
    elapsed_s = quarters = 0.0
    tempo, beats = 500_000, read_beat_map(path)
    for message in mido.MidiFile(path).tracks[0]:
        quarters += message.time / 96
        elapsed_s += mido.tick2second(message.time, 96, tempo)
        tempo = message.tempo if message.type == "set_tempo" else tempo
        assert beats(elapsed_s) == pytest.approx(quarters)


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mid is not there"):
        read_beat_map(tmp_path / "none.mid")
    (tmp_path / "text.mid").write_text("text")
    with pytest.raises(ValueError, match=r"text\.mid is no MIDI file"):
        read_beat_map(tmp_path / "text.mid")


@pytest.mark.parametrize(
    ("start_s", "rate", "message"),
    [
        ([0.0, 1.0], [2.0], r"shapes \(2,\) and \(1,\)"),
        ([1.0], [2.0], "rising times from 0"),
        ([0.0, 0.0], [2.0, 2.0], "rising times from 0"),
        ([0.0], [0.0], "tempos above 0"),
        ([], [], "expected the same"),
    ],
)
def test_bad_maps_are_refused(start_s, rate, message):
    with pytest.raises(ValueError, match=message):
        BeatMap(np.array(start_s), np.array(rate))
