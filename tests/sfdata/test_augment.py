import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.augment import AugmentSettings, apply_record, draw_score, draw_variation, generator
from sfdata.midi import read_piece
from sfdata.notes import is_monophonic, make_notes
from sfdata.operations import OPERATIONS, SCORE_OPERATIONS, Articulation, Jitter, RestInsert, Tempo, Transpose
from sfdata.recipe import settings_from
from sfdata.voices import extract_voices

EVERYTHING = AugmentSettings(copies=3, **{name: kind() for name, kind in (SCORE_OPERATIONS | OPERATIONS).items()})
SCALE = make_notes([0.5, 1.0, 1.5, 2.5], [1.0, 1.5, 2.0, 3.0], [60, 62, 64, 65], [80, 81, 82, 83])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_without_operations_nothing_changes():
    assert draw_variation(SCALE, AugmentSettings(copies=2), rng()) == {}
    assert np.array_equal(apply_record(SCALE, {}), SCALE)
    assert np.array_equal(apply_record(SCALE, {"operations": []}), SCALE)


def test_score_and_variant_operations_are_kept_apart():
    assert {drawn["operation"] for drawn in draw_score(SCALE, EVERYTHING, rng())["operations"]} == set(SCORE_OPERATIONS)
    assert {drawn["operation"] for drawn in draw_variation(SCALE, EVERYTHING, rng())["operations"]} == set(OPERATIONS)


def test_what_was_drawn_goes_through_json_and_gives_the_same_notes(short_midi):
    piece = read_piece(short_midi[0])
    drawn = draw_variation(piece.notes, EVERYTHING, generator(5, piece.sha256, 0, 1))
    made = apply_record(piece.notes, drawn)
    assert np.array_equal(made, apply_record(piece.notes, json.loads(json.dumps(drawn))))
    assert not np.array_equal(made, piece.notes)
    assert drawn == draw_variation(piece.notes, EVERYTHING, generator(5, piece.sha256, 0, 1))
    assert drawn != draw_variation(piece.notes, EVERYTHING, generator(5, piece.sha256, 0, 2))
    assert drawn != draw_variation(piece.notes, EVERYTHING, generator(6, piece.sha256, 0, 1))


def test_operations_draw_from_streams_of_their_own():
    alone = draw_variation(SCALE, AugmentSettings(tempo=Tempo(), jitter=Jitter()), rng())["operations"]
    among = draw_variation(SCALE, EVERYTHING, rng())["operations"]
    assert next(d for d in among if d["operation"] == "tempo") == alone[0]


def test_an_operation_may_be_left_to_chance():
    sometimes = AugmentSettings(tempo=Tempo(probability=0.3))
    applied = [bool(draw_variation(SCALE, sometimes, rng(seed))) for seed in range(300)]
    assert 0.22 < np.mean(applied) < 0.38


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_everything_at_once_gives_playable_notes_with_their_map(seed):
    own = rng(seed)
    onset = 0.5 + np.round(np.cumsum(own.choice([0.0, 0.02, 0.2, 1.0], 60)), 4)
    notes = make_notes(onset, onset + own.uniform(0.05, 2, 60), own.integers(21, 109, 60), own.integers(1, 128, 60))
    made = apply_record(notes, draw_variation(notes, EVERYTHING, own))
    assert (np.diff(made["onset_s"]) >= 0).all() and made["onset_s"][0] >= 0.05
    assert (made["offset_s"] > made["onset_s"]).all()
    assert np.allclose(made["onset_s"] * 10_000, np.rint(made["onset_s"] * 10_000), atol=1e-6)  # whole ticks
    kept = made["source"][made["source"] >= 0]
    assert len(set(kept.tolist())) == len(kept)
    for key in np.unique(made["pitch"]):
        own_notes = made[made["pitch"] == key]
        assert (np.diff(own_notes["onset_s"]) >= 0.00999).all()
        assert (own_notes["onset_s"][1:] >= own_notes["offset_s"][:-1] - 1e-9).all()


def test_plain_operations_keep_a_voice_monophonic(short_midi):
    plain = AugmentSettings(tempo=Tempo((0.7, 1.4)), rest_insert=RestInsert(0.1), articulation=Articulation())
    (voice,) = extract_voices(read_piece(short_midi[0]).notes)
    for seed in range(10):
        made = apply_record(voice, draw_variation(voice, plain, rng(seed)))
        assert is_monophonic(made) and np.array_equal(made["pitch"], voice["pitch"])
        assert np.array_equal(made["source"], voice["source"])


def test_an_added_stroke_gives_way_to_one_of_the_score():
    added = {"operation": "additions", "added": [[0.995, 0.3, 62, 50]]}
    made = apply_record(SCALE, {"operations": [added]})
    assert made["source"].tolist() == [0, 1, 2, 3]


def test_nothing_sounds_before_the_synth_is_ready():
    early = {"operation": "jitter", "ticks": [-4900, 0, 0, 0]}
    made = apply_record(SCALE, {"operations": [early]})
    assert made["onset_s"].tolist() == [0.05, 1.04, 1.54, 2.54]  # all move, so distances stay


def test_tempo_factors_are_as_often_slower_as_faster():
    own = rng()
    factors = [Tempo((0.7, 1.4)).draw(SCALE, own)["factor"] for _ in range(1000)]
    assert 0.7 <= min(factors) < 0.72 and 1.37 < max(factors) <= 1.4
    assert abs(np.mean(np.log(factors)) - np.log(0.7 * 1.4) / 2) < 0.03


def test_settings_come_from_tables_and_from_plain_values():
    short = settings_from("augment", AugmentSettings, {"copies": 2, "tempo": [0.7, 1.4], "rest_insert": 0.1})
    assert short == AugmentSettings(copies=2, tempo=Tempo((0.7, 1.4)), rest_insert=RestInsert(0.1))
    table = {"transpose": {"semitones": [-3, 3], "fold": "voice"}, "jitter": {}}
    assert settings_from("augment", AugmentSettings, table) == AugmentSettings(
        transpose=Transpose((-3, 3), fold="voice"), jitter=Jitter()
    )


@pytest.mark.parametrize(
    "table, said",
    [
        ({"tempo": [2.0, 1.0]}, r"augment.tempo: factor"),
        ({"tempo": {"speed": 2}}, r"\[augment.tempo\] has no key speed; expected some of factor"),
        ({"tempo": "fast"}, r"\[augment.tempo\] factor = 'fast'; expected a list"),
        ({"vibrato": {}}, "no key vibrato"),
        ({"copies": -1}, "copies"),
    ],
)
def test_bad_settings(table, said):
    with pytest.raises(ValueError, match=said):
        settings_from("augment", AugmentSettings, table)


def test_settings_of_the_wrong_kind():
    with pytest.raises(ValueError, match="jitter is Tempo"):
        AugmentSettings(jitter=Tempo())


@pytest.mark.parametrize(
    "record, said",
    [
        ({"operation": "jitter", "ticks": [1, 2]}, "ticks is for 2 notes; there are 4"),
        ({"operation": "vibrato"}, "'vibrato'; expected one of"),
        ({"operation": "omissions", "notes": [17]}, "does not fit 4 notes"),
        ({"operation": "tempo"}, "does not fit 4 notes"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(record, said):
    with pytest.raises(ValueError, match=said):
        apply_record(SCALE, {"operations": [record]})
