import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdata.augment import (
    ARTICULATIONS,
    AugmentSettings,
    apply_variation,
    draw_transposition,
    draw_variation,
    generator,
    transpose,
)
from sfdata.midi import read_piece
from sfdata.notes import is_monophonic, make_notes
from sfdata.voices import extract_voices

EVERYTHING = AugmentSettings(
    copies=3,
    tempo=(0.7, 1.4),
    articulations=("as-is", *ARTICULATIONS),
    note_length=(0.5, 1.5),
    rest_insert=0.1,
    rest_remove=0.5,
    transpose=(-6, 6),
)
SCALE = make_notes([0.5, 1.0, 1.5, 2.5], [1.0, 1.5, 2.0, 3.0], [60, 62, 64, 65], [80, 81, 82, 83])
NOTHING = {"tempo": 1.0, "articulation": "as-is", "sounding": [], "note_length": [], "rests_inserted": [],
           "rests_removed": []}  # fmt: skip


def test_defaults_change_nothing():
    drawn = draw_variation(SCALE, AugmentSettings(), np.random.default_rng(0))
    assert drawn == NOTHING
    assert np.array_equal(apply_variation(SCALE, drawn), SCALE)
    assert draw_transposition(AugmentSettings(), np.random.default_rng(0)) == 0
    assert np.array_equal(transpose(SCALE, 0), SCALE)


def test_empty_voice():
    empty = SCALE[:0]
    assert len(apply_variation(empty, draw_variation(empty, EVERYTHING, np.random.default_rng(0)))) == 0


def test_tempo_by_hand():
    fast = apply_variation(SCALE, NOTHING | {"tempo": 2.0})
    assert fast["onset_s"].tolist() == [0.5, 0.75, 1.0, 1.5]
    assert fast["offset_s"].tolist() == [0.75, 1.0, 1.25, 1.75]


def test_rests_by_hand():
    changed = apply_variation(SCALE, NOTHING | {"rests_inserted": [[0, 0.25]], "rests_removed": [2]})
    assert changed["onset_s"].tolist() == [0.5, 1.25, 1.75, 2.25]
    assert changed["offset_s"].tolist() == [1.0, 1.75, 2.25, 2.75]


def test_articulation_by_hand():
    short = apply_variation(SCALE, NOTHING | {"articulation": "staccato", "sounding": [0.5] * 4})
    assert np.allclose(short["offset_s"] - short["onset_s"], [0.25, 0.25, 0.5, 0.25])
    bound = apply_variation(SCALE, NOTHING | {"articulation": "legato", "sounding": [1.0] * 4})
    assert bound["offset_s"].tolist() == [1.0, 1.5, 2.5, 3.0]  # legato closes the rest after the third note
    assert np.array_equal(short["onset_s"], SCALE["onset_s"])


def test_note_length_never_reaches_the_next_onset():
    longer = apply_variation(SCALE, NOTHING | {"note_length": [3.0] * 4})
    assert longer["offset_s"].tolist() == [1.0, 1.5, 2.5, 3.0]


@given(st.integers(0, 2**32 - 1))
def test_variants_keep_the_map_to_the_score_and_stay_monophonic(seed):
    rng = np.random.default_rng(seed)
    onset = 0.5 + np.round(np.cumsum(rng.uniform(0.05, 1, 30)), 4)
    length = np.round(np.diff(onset, append=onset[-1] + 1) * rng.uniform(0.2, 1, 30), 4)
    voice = make_notes(onset, onset + length, rng.integers(21, 109, 30), [80] * 30)
    variant = apply_variation(voice, draw_variation(voice, EVERYTHING, rng))
    assert variant["source"].tolist() == list(range(30))
    assert np.array_equal(variant["pitch"], voice["pitch"])
    assert is_monophonic(variant)
    assert (variant["offset_s"] > variant["onset_s"]).all()


def test_what_was_drawn_goes_through_json_and_gives_the_same_notes(short_midi):
    piece = read_piece(short_midi[0])
    (voice,) = extract_voices(piece.notes)
    drawn = draw_variation(voice, EVERYTHING, generator(5, piece.sha256, 0, 1))
    again = json.loads(json.dumps(drawn))
    assert np.array_equal(apply_variation(voice, drawn), apply_variation(voice, again))
    assert drawn == draw_variation(voice, EVERYTHING, generator(5, piece.sha256, 0, 1))
    assert drawn != draw_variation(voice, EVERYTHING, generator(5, piece.sha256, 0, 2))
    assert drawn != draw_variation(voice, EVERYTHING, generator(6, piece.sha256, 0, 1))


def test_drawn_values_lie_in_their_ranges_and_reach_them(short_midi):
    (voice,) = extract_voices(read_piece(short_midi[0]).notes)
    drawn = [draw_variation(voice, EVERYTHING, np.random.default_rng(seed)) for seed in range(200)]
    tempos = np.array([d["tempo"] for d in drawn])
    assert 0.7 <= tempos.min() < 0.75 and 1.33 < tempos.max() <= 1.4
    assert abs(np.median(np.log(tempos))) < 0.06  # as often slower as faster
    assert {d["articulation"] for d in drawn} == {"as-is", *ARTICULATIONS}
    shares = [len(d["rests_inserted"]) / len(voice) for d in drawn]
    assert abs(np.mean(shares) - 0.1) < 0.01


@given(st.integers(-87, 87), st.integers(21, 108))
def test_transposition_stays_on_the_keyboard(semitones, pitch):
    moved = int(transpose(make_notes([0], [1], [pitch], [80]), semitones)["pitch"][0])
    assert 21 <= moved <= 108
    assert (moved - pitch - semitones) % 12 == 0


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"tempo": (2.0, 1.0)}, "tempo"),
        ({"articulations": ("slurred",)}, "slurred"),
        ({"rest_insert": 2.0}, "probability"),
        ({"copies": -1}, "copies"),
        ({"note_length": (0.0, 1.0)}, "note_length"),
    ],
)
def test_bad_settings(settings, said):
    with pytest.raises(ValueError, match=said):
        AugmentSettings(**settings)


def test_a_record_of_another_voice_is_refused():
    with pytest.raises(ValueError, match="the voice has 4"):
        apply_variation(SCALE, NOTHING | {"note_length": [1.0]})
