import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.midi import read_piece
from sfdata.notes import NoteArray, is_monophonic, make_notes, round_to_ticks
from sfdata.voices import METHODS, VoiceSettings, extract_voices, lowest, skyline


@st.composite
def pieces(draw):
    count = draw(st.integers(0, 40))
    onset = np.round(np.cumsum(draw(st.lists(st.floats(0, 0.4), min_size=count, max_size=count))), 4)
    length = np.round(draw(st.lists(st.floats(0.001, 3), min_size=count, max_size=count)), 4)
    pitch = draw(st.lists(st.integers(21, 108), min_size=count, max_size=count))
    return make_notes(onset, onset + length, pitch, [80] * count)


@given(pieces())
def test_the_skyline_is_truly_monophonic_and_knows_its_sources(piece):
    (voice,) = skyline(piece, VoiceSettings())
    assert is_monophonic(voice)
    sources = piece[voice["source"]]
    assert np.array_equal(sources["onset_s"], voice["onset_s"])  # onsets are never moved
    assert np.array_equal(sources["pitch"], voice["pitch"])
    assert (voice["offset_s"] <= sources["offset_s"]).all()  # notes are only ever shortened
    assert (voice["offset_s"] - voice["onset_s"] >= 0.04 - 1e-9).all()


def test_real_files(short_midi):
    for path in short_midi:
        piece = read_piece(path)
        (voice,) = extract_voices(piece.notes)
        assert is_monophonic(voice) and len(voice) > 100
        # The highest line lies above the rest.
        assert voice["pitch"].mean() > piece.notes["pitch"].mean() + 3


def test_a_monophonic_piece_is_its_own_voice():
    piece = make_notes([0, 1, 2], [1, 2, 3], [60, 40, 80], [80, 81, 82])
    (voice,) = extract_voices(piece)
    assert np.array_equal(voice, piece)


def test_by_hand():
    piece = make_notes(
        [0.0, 0.02, 1.0, 1.5, 2.0, 3.0],
        [1.0, 0.9, 2.05, 1.9, 3.0, 3.01],
        [48, 72, 76, 60, 55, 60],
        [80] * 6,
    )
    (voice,) = skyline(piece, VoiceSettings())
    # The chord's top; the melody; 60 lies below it; 55 takes over though 76 overlaps by 50 ms; 10 ms is no note.
    assert voice["pitch"].tolist() == [72, 76, 55]
    assert voice["offset_s"].tolist() == [0.9, 2.0, 3.0]


def test_bad_settings_and_nothing_left():
    with pytest.raises(ValueError, match="expected one of skyline"):
        VoiceSettings(method="magic")
    with pytest.raises(ValueError, match="expected none below zero"):
        VoiceSettings(chord_s=-1)
    with pytest.raises(ValueError, match="no note of at least"):
        extract_voices(make_notes([0.0], [0.01], [60], [80]))


MONOPHONIC = [method for method in METHODS if not method.startswith("all")]


@pytest.fixture(scope="module")
def real(short_midi) -> NoteArray:
    return read_piece(short_midi[0]).notes


@pytest.mark.parametrize("method", METHODS)
def test_every_method_on_a_real_piece(method, real):
    if method == "chew-wu":
        pytest.importorskip("partitura")
    chosen = VoiceSettings(method=method)
    voices = extract_voices(real, chosen)
    for voice in voices:
        assert is_monophonic(voice) or method not in MONOPHONIC
        sources = real[voice["source"]]
        assert np.array_equal(sources["onset_s"], voice["onset_s"])
        assert np.array_equal(sources["pitch"], voice["pitch"])
        assert (voice["offset_s"] - voice["onset_s"] >= chosen.min_note_s - 1e-9).all()
    used = np.concatenate([voice["source"] for voice in voices])
    assert len(set(used.tolist())) == len(used) or method == "all-and-skyline"  # else no note is in two voices
    means = [voice["pitch"].mean() for voice in voices]
    assert means == sorted(means, reverse=True)
    again = extract_voices(real, chosen)
    assert all(np.array_equal(one, other) for one, other in zip(voices, again, strict=True))


def test_all_and_skyline_are_both(real):
    both = extract_voices(real, VoiceSettings(method="all-and-skyline"))
    one_by_one = [extract_voices(real, VoiceSettings(method=method))[0] for method in ("all", "skyline")]
    assert sorted(map(len, both)) == sorted(map(len, one_by_one))
    for voice in one_by_one:
        assert any(np.array_equal(voice, other) for other in both)


def test_who_takes_how_much(short_midi):
    notes = read_piece(short_midi[1]).notes
    share = {
        method: sum(len(voice) for voice in extract_voices(notes, VoiceSettings(method=method))) / len(notes)
        for method in ("skyline", "lowest", "voice-separation", "all")
    }
    assert max(share["skyline"], share["lowest"]) < share["voice-separation"] <= share["all"] <= 1
    assert share["voice-separation"] > 0.85 and share["all"] > 0.97


@pytest.mark.parametrize("method", ["skyline", "lowest", "voice-separation", "all"])
def test_time_and_key_do_not_matter(method, real):
    moved = real.copy()
    moved["onset_s"], moved["offset_s"] = round_to_ticks(real["onset_s"] + 7.3), round_to_ticks(real["offset_s"] + 7.3)
    moved["pitch"] -= 2
    here, there = (extract_voices(notes, VoiceSettings(method=method)) for notes in (real, moved))
    assert [voice["source"].tolist() for voice in here] == [voice["source"].tolist() for voice in there]


@given(pieces())
@settings(max_examples=60, deadline=None)
def test_separated_voices_of_anything(piece):
    voices = METHODS["voice-separation"](piece, VoiceSettings())
    used = [source for voice in voices for source in voice["source"].tolist()]
    assert len(set(used)) == len(used)
    for voice in voices:
        assert is_monophonic(voice) and np.array_equal(piece["onset_s"][voice["source"]], voice["onset_s"])


@given(pieces())
def test_the_lowest_line_is_the_skyline_upside_down(piece):
    turned = piece.copy()
    turned["pitch"] = 129 - piece["pitch"]
    order = np.lexsort((turned["offset_s"], turned["pitch"], turned["onset_s"]))
    (low,), (high,) = lowest(piece, VoiceSettings()), skyline(turned[order], VoiceSettings())
    assert low["onset_s"].tolist() == high["onset_s"].tolist()
    assert sorted(low["offset_s"].tolist()) == sorted(high["offset_s"].tolist())


def test_two_hands_are_told_apart():
    onset = np.repeat(np.arange(0, 8, 0.5), 2)
    pitch = np.stack([48 + np.arange(16) % 5, 76 - np.arange(16) % 4], axis=1).ravel()
    voices = extract_voices(make_notes(onset, onset + 0.5, pitch, [80] * 32), VoiceSettings("voice-separation"))
    assert [len(voice) for voice in voices] == [16, 16]
    assert voices[0]["pitch"].min() > 70 and voices[1]["pitch"].max() < 55


def test_all_keeps_chords_drops_stubs_and_lengthens_short_notes():
    piece = make_notes([0, 0, 0, 1, 2, 3, 3.02], [1, 1, 1, 1.02, 2.01, 3.01, 4], [48, 60, 64, 67, 72, 50, 50], [80] * 7)
    (voice,) = extract_voices(piece, VoiceSettings("all"))
    assert voice["source"].tolist() == [0, 1, 2, 3, 6]  # 10 ms is no note, nor is one struck again after 20 ms
    assert voice["offset_s"].tolist() == [1, 1, 1, 1.04, 4]


def test_taking_voices_by_number(real):
    every = extract_voices(real, VoiceSettings("voice-separation"))
    assert len(every) >= 2

    def taken(*numbers):
        return [
            voice["source"].tolist() for voice in extract_voices(real, VoiceSettings("voice-separation", take=numbers))
        ]

    sources = [voice["source"].tolist() for voice in every]
    assert taken(0) == sources[:1] and taken(-1) == sources[-1:] and taken(0, -1) == [sources[0], sources[-1]]
    assert taken(0, 40) == sources[:1]
    with pytest.raises(ValueError, match=r"none of the voices to take, \[40\], is there"):
        taken(40)
    with pytest.raises(ValueError, match="no voice has min_notes 9999 notes"):
        extract_voices(real, VoiceSettings("voice-separation", min_notes=9999))
    with pytest.raises(ValueError, match="each voice once"):
        VoiceSettings(take=(1, 1))


def test_chew_and_wu_without_partitura(monkeypatch, real):
    monkeypatch.setitem(sys.modules, "partitura", None)
    monkeypatch.setitem(sys.modules, "partitura.musicanalysis", None)
    with pytest.raises(ValueError, match=r"pip install 'sfdata\[partitura\]'"):
        extract_voices(real, VoiceSettings("chew-wu"))
