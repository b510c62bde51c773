import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdata.midi import read_piece
from sfdata.notes import is_monophonic, make_notes
from sfdata.voices import VoiceSettings, extract_voices, skyline


@st.composite
def pieces(draw):
    count = draw(st.integers(0, 40))
    onset = np.round(np.cumsum(draw(st.lists(st.floats(0, 0.4), min_size=count, max_size=count))), 4)
    length = np.round(draw(st.lists(st.floats(0.001, 3), min_size=count, max_size=count)), 4)
    pitch = draw(st.lists(st.integers(21, 108), min_size=count, max_size=count))
    return make_notes(onset, onset + length, pitch, [80] * count)


@given(pieces())
def test_the_skyline_is_truly_monophonic_and_knows_its_sources(piece):
    voice = skyline(piece, VoiceSettings())
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
    voice = skyline(piece, VoiceSettings())
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
