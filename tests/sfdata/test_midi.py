import random
from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pytest

from sfdata.midi import MidiSettings, find_midi, read_midi_notes, read_piece, write_midi


def fifo_notes(path: Path) -> list[tuple[float, float, int]]:
    """An independent reading with mido: each note-off ends the earliest open note of its key."""
    file = mido.MidiFile(path)
    clock, open_notes, notes = 0.0, {}, []
    for message in file:
        clock += message.time
        if message.type == "note_on" and message.velocity:
            open_notes.setdefault(message.note, []).append(clock)
        elif message.type in ("note_on", "note_off") and open_notes.get(message.note):
            notes.append((open_notes[message.note].pop(0), clock, message.note))
    return sorted(notes)


def test_notes_agree_with_an_independent_reader(short_midi):
    for path in short_midi:
        piece = read_piece(path)
        expected = fifo_notes(path)
        found = sorted(zip(piece.notes["onset_s"] + piece.cut_s, piece.notes["pitch"].tolist(), strict=True))
        assert len(found) == len(expected)
        # 0.1 ms grid: half a step each for the note and for the cut
        assert np.abs(np.array([f[0] for f in found]) - np.array([e[0] for e in expected])).max() < 1.01e-4
        assert Counter(f[1] for f in found) == Counter(e[2] for e in expected)
        # Ends agree but where the key was struck again before it was lifted: there the earlier note ends.
        offsets = np.sort(piece.notes["offset_s"] + piece.cut_s)
        later = np.sort([e[1] for e in expected])
        assert (np.abs(offsets - later) < 1.01e-4).mean() > 0.85
        assert offsets.max() <= later.max() + 1e-4


def test_no_key_sounds_twice_at_once(short_midi):
    for path in short_midi:
        notes = read_piece(path, MidiSettings(pedal=True)).notes
        for pitch in np.unique(notes["pitch"]):
            own = notes[notes["pitch"] == pitch]
            assert (own["onset_s"][1:] >= own["offset_s"][:-1]).all()


def test_leading_silence_is_cut_and_remembered(giantmidi: Path):
    path = next(giantmidi.glob("Chopin_Etudes*no_12*"))
    piece = read_piece(path)
    assert piece.notes["onset_s"][0] == 0.5
    assert piece.cut_s == pytest.approx(fifo_notes(path)[0][0] - 0.5, abs=1e-4)
    assert piece.cut_s > 1600  # this file begins after 28 minutes of silence
    assert read_piece(path, MidiSettings(lead_in_s=2)).notes["onset_s"][0] == 2


def test_tempo_map(tmp_path: Path):
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=0))
    track.append(mido.Message("note_on", note=60, velocity=80, time=480))  # 1 s
    track.append(mido.MetaMessage("set_tempo", tempo=250_000, time=240))  # 1.5 s
    track.append(mido.Message("note_off", note=60, time=480))  # 1.75 s
    file.save(tmp_path / "tempo.mid")
    piece = read_piece(tmp_path / "tempo.mid")
    assert piece.notes["onset_s"][0] + piece.cut_s == pytest.approx(1.0)
    assert piece.notes["offset_s"][0] + piece.cut_s == pytest.approx(1.75)


def pedalled(tmp_path: Path, *events: tuple) -> Path:
    file = mido.MidiFile(ticks_per_beat=500)  # a tick is a millisecond
    track = mido.MidiTrack()
    file.tracks.append(track)
    clock = 0
    for at, kind, number, value in sorted(events, key=lambda event: event[0]):
        if kind == "cc":
            track.append(mido.Message("control_change", control=number, value=value, time=at - clock))
        else:
            track.append(mido.Message(kind, note=number, velocity=value, time=at - clock))
        clock = at
    file.save(tmp_path / "pedal.mid")
    return tmp_path / "pedal.mid"


def test_pedal_lengthens_to_its_release_or_the_next_stroke(tmp_path: Path):
    path = pedalled(
        tmp_path,
        (500, "note_on", 60, 80),
        (600, "cc", 64, 100),
        (700, "note_off", 60, 0),
        (900, "note_on", 64, 80),
        (1000, "note_off", 64, 0),
        (1500, "note_on", 60, 80),
        (1600, "note_off", 60, 0),
        (2000, "cc", 64, 0),
        (2500, "note_on", 67, 80),
        (2600, "note_off", 67, 0),
    )
    plain = read_piece(path, MidiSettings(lead_in_s=0.5)).notes
    held = read_piece(path, MidiSettings(lead_in_s=0.5, pedal=True)).notes
    assert plain["offset_s"].tolist() == [0.7, 1.0, 1.6, 2.6]
    assert held["offset_s"].tolist() == [1.5, 2.0, 2.0, 2.6]


def test_a_pedal_never_lifted_holds_to_the_end(tmp_path: Path):
    path = pedalled(
        tmp_path,
        (0, "cc", 64, 127),
        (100, "note_on", 60, 80),
        (200, "note_off", 60, 0),
        (900, "note_on", 64, 9),
        (1000, "note_off", 64, 0),
    )
    held = read_piece(path, MidiSettings(lead_in_s=0.1, pedal=True)).notes
    assert held["offset_s"].tolist() == [1.0, 1.0]


def test_pedal_on_real_files_only_lengthens(short_midi):
    for path in short_midi:
        plain, held = read_piece(path).notes, read_piece(path, MidiSettings(pedal=True)).notes
        assert np.array_equal(plain["onset_s"], held["onset_s"]) and np.array_equal(plain["pitch"], held["pitch"])
        assert (held["offset_s"] >= plain["offset_s"]).all() and (held["offset_s"] > plain["offset_s"]).any()


def test_writing_and_reading_changes_nothing(tmp_path: Path, short_midi):
    notes = read_piece(short_midi[0]).notes
    write_midi(tmp_path / "a.mid", notes)
    again = read_midi_notes(tmp_path / "a.mid")
    for column in ("onset_s", "offset_s", "pitch", "velocity"):
        assert np.array_equal(again[column], notes[column])


def midi_with(tmp_path: Path, channel: int, notes: list[tuple[int, int, int]], name: str = "x.mid") -> Path:
    """A file of (pitch, ticks before, ticks long) at 480 ticks a quarter."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    for pitch, before, length in notes:
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=before, channel=channel))
        track.append(mido.Message("note_off", note=pitch, time=length, channel=channel))
    file.save(tmp_path / name)
    return tmp_path / name


def test_refusals_give_their_reason(tmp_path: Path, short_midi):
    cases = {
        "no MIDI file": b"this is text",
        "damaged": short_midi[0].read_bytes()[:900],
    }
    for said, content in cases.items():
        (tmp_path / "bad.mid").write_bytes(content)
        with pytest.raises(ValueError, match=said):
            read_piece(tmp_path / "bad.mid")
    (tmp_path / "empty.mid").write_bytes(b"")
    with pytest.raises(ValueError, match="no MIDI file"):
        read_piece(tmp_path / "empty.mid")
    for said, path in {
        "holds no notes": midi_with(tmp_path, 0, []),
        "drums only": midi_with(tmp_path, 9, [(40, 0, 480)], "drums.mid"),
        "off the piano's keyboard": midi_with(tmp_path, 0, [(5, 0, 480), (120, 0, 480)], "off.mid"),
        "no note of any length": midi_with(tmp_path, 0, [(60, 0, 0)], "short.mid"),
        "hours": midi_with(tmp_path, 0, [(60, 0, 480), (62, 480 * 2 * 3600 * 5, 480)], "long.mid"),
    }.items():
        with pytest.raises(ValueError, match=said):
            read_piece(path)


@pytest.mark.parametrize("seed", range(3))
def test_mutated_files_are_read_or_refused(tmp_path: Path, short_midi, seed):
    random_ = random.Random(seed)
    refused = 0
    for _ in range(60):
        data = bytearray(random_.choice(short_midi).read_bytes())
        if random_.random() < 0.3:
            data = data[: random_.randrange(len(data))]
        for _ in range(random_.randrange(1, 20)):
            if data:
                data[random_.randrange(min(len(data), random_.choice([60, len(data)])))] = random_.randrange(256)
        (tmp_path / "m.mid").write_bytes(data)
        try:
            piece = read_piece(tmp_path / "m.mid")
        except ValueError as error:
            refused += 1
            assert str(error)
        else:
            assert len(piece.notes) and np.isfinite(piece.notes["offset_s"]).all()
    assert refused > 0


def test_finding_files(tmp_path: Path, short_midi):
    with pytest.raises(FileNotFoundError, match="no MIDI file or folder"):
        find_midi([tmp_path / "nowhere"])
    with pytest.raises(FileNotFoundError, match=r"no .mid or .midi file"):
        find_midi([tmp_path])
    assert find_midi([short_midi[0], short_midi[0].parent, short_midi[0]])[0] == short_midi[0]
    assert len(find_midi([short_midi[0].parent])) == len(set(find_midi([short_midi[0].parent])))


def test_all_shared_files(shared_data: Path):
    """Every real file at hand is read, and its notes are sane."""
    for path in find_midi([shared_data / "giantmidi"]):
        piece = read_piece(path)
        assert piece.notes["onset_s"][0] == 0.5
        assert (piece.notes["offset_s"] > piece.notes["onset_s"]).all()
