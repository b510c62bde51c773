"""Each operation by itself: by hand on a tiny case, within its ranges, and for any notes."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.midi import read_piece
from sfdata.notes import make_notes
from sfdata.operations import OPERATIONS, SCORE_OPERATIONS
from sfdata.operations.articulation import STYLES, Articulation, NoteLength, Pedal
from sfdata.operations.base import chord_numbers, room_s, warp_by_tempo
from sfdata.operations.dynamics import Accents, ConstantVelocity, VelocityCurve, VelocityNoise
from sfdata.operations.mistakes import Additions, Omissions, WrongNotes
from sfdata.operations.onsets import AlignChords, ChordSpread, Jitter
from sfdata.operations.ornaments import GraceNotes, RepeatedNotes, Trills
from sfdata.operations.pitch import Transpose
from sfdata.operations.rests import Fermata, RestInsert, RestRemove
from sfdata.operations.tempo import PhraseSlowing, Tempo, TempoChange, TempoWalk

ALL = SCORE_OPERATIONS | OPERATIONS
SCALE = make_notes([0.5, 1.0, 1.5, 2.5], [1.0, 1.5, 2.0, 3.0], [60, 62, 64, 65], [80, 81, 82, 83])
CHORDS = make_notes(
    [0.5, 0.5, 0.51, 1.5, 1.5, 2.5], [1.4, 1.4, 1.4, 2.5, 2.5, 3.0], [48, 60, 64, 50, 65, 67], [70, 60, 80, 70, 80, 90]
)
ONE = make_notes([0.5], [1.0], [60], [80])


@pytest.fixture(scope="module")
def real(short_midi):
    """All notes of a real transcription: chords, overlaps, short notes."""
    return read_piece(short_midi[0]).notes


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@st.composite
def any_notes(draw):
    """Polyphonic notes, no key struck while it sounds."""
    count = draw(st.integers(1, 40))
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    onset = 0.5 + np.round(np.cumsum(source.choice([0.0, 0.01, 0.2, 0.5, 2.0], count)), 4)
    pitch = source.permutation(np.arange(21, 109))[:count]
    return make_notes(onset, onset + np.round(source.uniform(0.03, 3, count), 4), pitch, source.integers(1, 128, count))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25, deadline=None)
@given(notes=any_notes(), seed=st.integers(0, 2**32 - 1))
def test_any_notes_stay_notes(name, notes, seed):
    """The map to the score holds: sources are those before or -1, pitch is kept but where the operation is about it."""
    before = notes.copy()
    drawn = ALL[name]().draw(notes, rng(seed))
    assert drawn == json.loads(json.dumps(drawn))
    made = ALL[name].apply(notes, drawn)
    assert np.array_equal(notes, before)  # nothing is changed in place
    assert np.isfinite(made["onset_s"]).all() and (made["offset_s"] > made["onset_s"]).all()
    assert (made["velocity"] >= 1).all() and (made["velocity"] <= 127).all()
    assert (made["pitch"] >= 21).all() and (made["pitch"] <= 108).all()
    kept = made[made["source"] >= 0]
    assert len(set(kept["source"].tolist())) == len(kept) and set(kept["source"]) <= set(notes["source"])
    if name not in ("wrong_notes", "transpose"):
        pitch = dict(zip(notes["source"].tolist(), notes["pitch"].tolist(), strict=True))
        assert [pitch[source] for source in kept["source"].tolist()] == kept["pitch"].tolist()
    if name not in ("omissions", "align_chords", "transpose"):
        assert len(kept) == len(notes)
    if name not in ("additions", "trills", "grace_notes", "repeated_notes"):
        assert len(kept) == len(made)
    assert ALL[name]().draw(notes, rng(seed)) == drawn


@pytest.mark.parametrize("name", ALL)
def test_one_note_is_enough(name):
    made = ALL[name].apply(ONE, ALL[name]().draw(ONE, rng()))
    assert 1 in (made["source"] == 0).tolist() or len(made) >= 1


NOTHING = {
    "transpose": Transpose(),
    "align_chords": AlignChords(within_s=0.0),
    "omissions": Omissions(rate=0.0, chord_rate=0.0),
    "wrong_notes": WrongNotes(rate=0.0),
    "additions": Additions(rate=0.0),
    "repeated_notes": RepeatedNotes(rate=0.0),
    "trills": Trills(rate=0.0),
    "grace_notes": GraceNotes(rate=0.0),
    "tempo": Tempo((1.0, 1.0)),
    "tempo_walk": TempoWalk(deviation=(0.0, 0.0)),
    "phrase_slowing": PhraseSlowing(factor=(1.0, 1.0), end_factor=(1.0, 1.0)),
    "tempo_change": TempoChange(per_minute=0.0),
    "rest_remove": RestRemove(rate=0.0),
    "rest_insert": RestInsert(rate=0.0),
    "fermata": Fermata(rate=0.0),
    "chord_spread": ChordSpread((0.0, 0.0), (0.0, 0.0), 0.0),
    "jitter": Jitter((0.0, 0.0)),
    "articulation": Articulation(styles=("as-is",)),
    "note_length": NoteLength((1.0, 1.0)),
    "pedal": Pedal(rate=(0.0, 0.0)),
    "velocity_curve": VelocityCurve((0, 0), (0.0, 0.0), 4.0, (0.0, 0.0)),
    "accents": Accents(rate=0.0),
    "velocity_noise": VelocityNoise((0.0, 0.0)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_an_operation_of_no_strength_changes_nothing(name, real):
    made = ALL[name].apply(real, NOTHING[name].draw(real, rng()))
    for column in ("pitch", "velocity", "source"):
        assert np.array_equal(made[column], real[column])
    for column in ("onset_s", "offset_s"):
        longest = np.maximum(real["offset_s"], real["onset_s"] + 0.03) if name == "note_length" else real["offset_s"]
        assert np.allclose(made[column], real["onset_s"] if column == "onset_s" else longest, atol=1e-9)


def test_every_operation_has_a_case_of_no_strength():
    assert set(NOTHING) | {"constant_velocity"} == set(ALL)


def test_chords_by_hand():
    assert chord_numbers(CHORDS).tolist() == [0, 0, 0, 1, 1, 2]
    assert np.allclose(room_s(SCALE), [0.5, 0.5, 1.0, 0.5])
    assert np.allclose(room_s(CHORDS), [1.0, 1.0, 0.99, 1.0, 1.0, 0.5])


def test_tempo_by_hand():
    fast = Tempo.apply(SCALE, {"factor": 2.0})
    assert fast["onset_s"].tolist() == [0.5, 0.75, 1.0, 1.5]
    assert fast["offset_s"].tolist() == [0.75, 1.0, 1.25, 1.75]


def test_warping_by_hand():
    warped = warp_by_tempo(SCALE, np.array([1.0, 2.0]), np.array([0.5]))  # half as fast between 1 s and 2 s
    assert warped["onset_s"].tolist() == [0.5, 1.0, 2.0, 3.5]
    assert warped["offset_s"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_tempo_walk_by_hand():
    walked = TempoWalk.apply(SCALE, {"every_s": 1.0, "octaves": [1000, -1000, 0]})  # 0.5 s to 1.5 s twice as fast …
    assert np.allclose(walked["onset_s"], [0.5, 0.75, 1.0, 3.0])


def test_phrase_slowing_by_hand():
    slowed = PhraseSlowing.apply(SCALE, {"slowings": [[1.0, 0.5, 0.5]]})
    middle = (np.arange(8) + 0.5) / 8
    lasts_s = 0.5 / 8 * (1 / (1 - 0.5 * middle**2)).sum()
    assert np.allclose(slowed["onset_s"], [0.5, 0.5 + lasts_s, 1.0 + lasts_s, 2.0 + lasts_s])
    assert lasts_s > 0.55


def test_phrases_end_where_the_next_note_is_far():
    onset = np.append(np.arange(0.5, 5.5, 0.25), np.arange(6.5, 9.5, 0.25))
    notes = make_notes(onset, onset + 0.2, np.full(len(onset), 60), np.full(len(onset), 80))
    ends = [end for end, _, _ in PhraseSlowing(rate=1.0).draw(notes, rng())["slowings"]]
    assert ends == [5.25, 9.25]  # the last note before it, and the last of all


def test_tempo_changes_by_hand():
    changed = TempoChange.apply(SCALE, {"changes": [[0.5, 1.0, 2.0], [1.0, 1.5, 0.5]]})
    assert changed["onset_s"].tolist() == [0.5, 0.75, 1.75, 2.75]


def test_rests_by_hand():
    inserted = RestInsert.apply(SCALE, {"rests": [[1.0, 0.25]]})
    assert inserted["onset_s"].tolist() == [0.5, 1.25, 1.75, 2.75]
    assert inserted["offset_s"].tolist() == [1.0, 1.75, 2.25, 3.25]  # the first has ended: it stays so
    held = make_notes([0.5, 1.0], [2.0, 1.5], [48, 60], [80, 80])
    assert RestInsert.apply(held, {"rests": [[1.0, 0.25]]})["offset_s"].tolist() == [2.25, 1.75]  # it is held on
    assert RestRemove(rate=1.0).draw(SCALE, rng()) == {"rests": [[2.0, 2.5]]}
    removed = RestRemove.apply(SCALE, {"rests": [[2.0, 2.5]]})
    assert removed["onset_s"].tolist() == [0.5, 1.0, 1.5, 2.0]


def test_fermata_by_hand():
    held = Fermata.apply(SCALE, {"fermatas": [[1.0, 1.5, 2.0], [1.5, 2.5, 1.5]]})
    assert held["onset_s"].tolist() == [0.5, 1.0, 2.0, 3.5]
    assert held["offset_s"].tolist() == [1.0, 2.0, 2.75, 4.0]


def test_shifts_move_whole_notes_and_keep_the_order_of_chords(real):
    moved = Jitter.apply(SCALE, {"ticks": [100, -100, 0, 0]})
    assert np.allclose(moved["onset_s"], [0.51, 0.99, 1.5, 2.5])
    assert np.allclose(moved["offset_s"] - moved["onset_s"], SCALE["offset_s"] - SCALE["onset_s"])
    number = chord_numbers(real)
    drawn = Jitter((0.2, 0.2)).draw(real, rng())
    ticks = np.array(drawn["ticks"])
    assert all(len(set(ticks[number == chord])) == 1 for chord in range(50))  # a chord moves as one
    onset = Jitter.apply(real, drawn)["onset_s"]
    first, last = (np.array([f(onset[number == chord]) for chord in range(number[-1] + 1)]) for f in (np.min, np.max))
    assert (first[1:] > first[:-1]).all() and (np.abs(ticks) > 10).any() and last[0] > 0


def test_jitter_and_spread_have_the_deviation_asked_for():
    onset = 0.5 + np.arange(400.0)
    notes = make_notes(np.repeat(onset, 3), np.repeat(onset, 3) + 0.5, np.tile([48, 60, 72], 400), np.full(1200, 80))
    jitter = np.array(Jitter((0.02, 0.02)).draw(notes, rng())["ticks"])[::3] / 10_000
    assert 0.017 < np.quantile(np.abs(jitter), 0.61) < 0.023  # a Student distribution's scale
    assert (np.abs(jitter) > 0.06).mean() > 0.03  # with its tails
    spread = np.array(ChordSpread((0.01, 0.01), (0.02, 0.02), 0.0).draw(notes, rng())["ticks"]).reshape(400, 3) / 10_000
    assert 0.009 < spread[:, :2].std() < 0.011
    assert -0.022 < spread[:, 2].mean() < -0.018  # the melody leads
    rolled = np.array(ChordSpread((0.01, 0.01), (0.0, 0.0), 1.0, (0.04, 0.04)).draw(notes, rng())["ticks"])
    assert {tuple(chord) for chord in rolled.reshape(400, 3).tolist()} == {(0, 400, 800), (800, 400, 0)}
    assert ChordSpread().draw(SCALE, rng())["ticks"] == [0, 0, 0, 0]  # a note alone has nothing to come apart from


def test_aligning_chords_by_hand():
    aligned = AlignChords.apply(CHORDS, {"within_s": 0.03})
    assert aligned["onset_s"].tolist() == [0.5, 0.5, 0.5, 1.5, 1.5, 2.5]
    assert aligned["source"].tolist() == [0, 1, 2, 3, 4, 5]
    twice = make_notes([0.5, 0.52], [0.51, 1.0], [60, 60], [80, 80])  # one key struck twice: the stub goes
    assert AlignChords.apply(twice, {"within_s": 0.03})[["onset_s", "offset_s", "source"]].tolist() == [(0.5, 1.0, 1)]


def test_articulation_by_hand():
    def played(style, thousandths):
        return Articulation.apply(SCALE, {"stretches": [[0, style]], "thousandths": [thousandths] * 4})

    assert np.allclose(played("staccato", 500)["offset_s"] - SCALE["onset_s"], [0.25, 0.25, 0.5, 0.25])
    assert played("legato", 1000)["offset_s"].tolist() == [1.0, 1.5, 2.5, 3.0]
    assert np.allclose(played("overlapping", 1200)["offset_s"], [1.1, 1.6, 2.7, 3.1])
    mixed = Articulation.apply(SCALE, {"stretches": [[0, "staccato"], [2, "as-is"]], "thousandths": [500, 500, 0, 0]})
    assert mixed["offset_s"].tolist() == [0.75, 1.25, 2.0, 3.0]
    rest = make_notes([0.5, 3.0], [1.0, 3.5], [60, 62], [80, 80])
    bound = Articulation.apply(rest, {"stretches": [[0, "legato"]], "thousandths": [1000, 1000]})
    assert bound["offset_s"].tolist() == [1.0, 3.5]  # a real rest stays one


def test_styles_change_along_the_way(real):
    drawn = Articulation(styles=tuple(STYLES), stretch_s=(1.0, 2.0)).draw(real, rng())
    assert {style for _, style in drawn["stretches"]} == set(STYLES)
    assert len(drawn["stretches"]) > 20 and drawn["stretches"][0][0] == 0


def test_note_lengths_by_hand():
    def longer(beyond):
        return NoteLength.apply(SCALE, {"thousandths": [3000] * 4, "beyond_room": beyond})["offset_s"].tolist()

    assert longer(False) == [1.0, 1.5, 2.5, 3.0]
    assert longer(True) == [2.0, 2.5, 3.0, 4.0]


def test_pedal_by_hand():
    held = Pedal.apply(SCALE, {"down": [[0.55, 2.5]]})
    assert held["offset_s"].tolist() == [2.5, 2.5, 2.5, 3.0]
    down = Pedal(rate=(1.0, 1.0), length_s=(0.4, 0.6)).draw(SCALE, rng())["down"]
    assert down[0][0] == 0.55 and all(lifted > pressed for pressed, lifted in down)
    assert all(lifted in SCALE["onset_s"] for _, lifted in down)  # lifted with a chord, pressed after it


def test_loudness_by_hand():
    assert ConstantVelocity.apply(SCALE, {"velocity": 64})["velocity"].tolist() == [64] * 4
    assert VelocityNoise.apply(SCALE, {"steps": [-200, 1, 2, 200]})["velocity"].tolist() == [1, 82, 84, 127]
    assert Accents.apply(SCALE, {"accents": [[1, 10]]})["velocity"].tolist() == [80, 91, 82, 83]
    voiced = VelocityCurve((0, 0), (0.0, 0.0), 4.0, (10.0, 10.0)).draw(CHORDS, rng())["steps"]
    assert voiced == [-10, -10, 0, -10, 0, 0]  # all but the highest of each chord


def test_mistakes_by_hand():
    assert Omissions.apply(SCALE, {"notes": [1]})["source"].tolist() == [0, 2, 3]
    wrong = WrongNotes.apply(SCALE, {"wrong": [[1, 63]]})
    assert wrong["pitch"].tolist() == [60, 63, 64, 65] and wrong["source"].tolist() == [0, 1, 2, 3]
    added = Additions.apply(SCALE, {"added": [[0.8, 0.1, 72, 50]]})
    assert added["source"].tolist() == [0, -1, 1, 2, 3] and added["pitch"][1] == 72


@pytest.mark.parametrize(
    "operation, key, share",
    [
        (Omissions(rate=0.1, chord_rate=0.0), "notes", 0.1),
        (WrongNotes(rate=0.1), "wrong", 0.1),
        (Additions(rate=0.1), "added", 0.1),
        (GraceNotes(rate=0.1), "grace", 0.1),
    ],
)
def test_rates_are_kept(operation, key, share, real):
    """A little less than asked for, since keys that sound are not struck."""
    counts = [len(operation.draw(real, rng(seed))[key]) / len(real) for seed in range(20)]
    assert 0.7 * share < np.mean(counts) < 1.1 * share
    spread = type(operation)(**{f.name: getattr(operation, f.name) for f in fields(operation)} | {"spread": 0.8})
    assert np.std([len(spread.draw(real, rng(seed))[key]) for seed in range(20)]) > 2 * np.std(counts) * len(real)


def test_no_key_is_struck_while_it_sounds(real):
    for operation in (Additions(rate=0.3), WrongNotes(rate=0.3), GraceNotes(rate=0.3), Trills(rate=0.3)):
        made = operation.apply(real, operation.draw(real, rng()))
        order = np.lexsort((made["onset_s"], made["pitch"]))
        same = made["pitch"][order][1:] == made["pitch"][order][:-1]
        overlap = (made["offset_s"][order][:-1] - made["onset_s"][order][1:])[same]
        before = np.lexsort((real["onset_s"], real["pitch"]))
        assert (overlap > 0.01).mean() < 0.02, operation
        assert (np.diff(real["onset_s"][before])[np.diff(real["pitch"][before].astype(int)) == 0] > 0).all()


def test_ornaments_by_hand():
    trill = Trills.apply(SCALE, {"trills": [[0, 2, 0.125]]})
    assert trill["pitch"][:4].tolist() == [60, 62, 60, 62] and trill["source"][:5].tolist() == [0, -1, -1, -1, 1]
    assert trill["onset_s"][:4].tolist() == [0.5, 0.625, 0.75, 0.875] and trill["offset_s"][3] == 1.0
    grace = GraceNotes.apply(SCALE, {"grace": [[1, -1, 0.05]]})
    assert grace["pitch"].tolist() == [60, 61, 62, 64, 65] and grace["source"][1] == -1
    assert np.allclose(grace["onset_s"][1:3], [0.95, 1.0])
    again = RepeatedNotes.apply(SCALE, {"repeated": [[2, 2]]})
    assert again["onset_s"].tolist() == [0.5, 1.0, 1.5, 1.75, 2.5] and again["source"].tolist() == [0, 1, 2, -1, 3]
    assert np.allclose(again["offset_s"][2:4], [1.725, 2.0])


@given(st.integers(-87, 87), st.integers(21, 108))
def test_transposition_stays_on_the_keyboard(semitones, pitch):
    note = make_notes([0], [1], [pitch], [80])
    moved = int(Transpose.apply(note, {"semitones": semitones, "keys": [21, 108]})["pitch"][0])
    assert 21 <= moved <= 108
    assert (moved - pitch - semitones) % 12 == 0


def test_octaves_cover_the_keyboard_and_keep_voices_whole():
    voice = make_notes(np.arange(12), np.arange(12) + 0.5, np.arange(60, 72), [80] * 12)
    whole = Transpose(octaves=(-7, 7), fold="voice")
    made = [Transpose.apply(voice, whole.draw(voice, rng(seed)))["pitch"].astype(int) for seed in range(100)]
    assert all((np.diff(pitch) == 1).all() for pitch in made)
    assert {pitch[0] for pitch in made} == {24, 36, 48, 60, 72, 84, 96}
    folded = Transpose.apply(voice, {"semitones": 40, "keys": [21, 108]})["pitch"]
    assert folded.tolist() == [100, 101, 102, 103, 104, 105, 106, 107, 108, 97, 98, 99]


def test_folding_onto_one_key_keeps_one_note():
    chord = make_notes([0.5, 0.5], [1.0, 2.0], [100, 88], [80, 80])
    moved = Transpose.apply(chord, {"semitones": 12, "keys": [21, 108]})
    assert moved[["pitch", "offset_s"]].tolist() == [(100, 2.0)]


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Tempo((2.0, 1.0)), r"augment.tempo: factor \[2.0, 1.0\]; expected"),
        (lambda: TempoWalk(deviation=(0.0, 2.0)), "deviation"),
        (lambda: PhraseSlowing(factor=(0.5, 1.5)), "factor"),
        (lambda: TempoChange(per_minute=-1), "per_minute"),
        (lambda: RestInsert(rate=2.0), "rate 2.0"),
        (lambda: Fermata(factor=(0.5, 1.0)), "factor"),
        (lambda: ChordSpread(roll_rate=-0.1), "roll_rate"),
        (lambda: Jitter((0.0, 5.0)), "deviation_s"),
        (lambda: Articulation(styles=("slurred",)), "slurred.*staccato"),
        (lambda: NoteLength((0.0, 1.0)), "factor"),
        (lambda: Pedal(length_s=(0.0, 1.0)), "length_s"),
        (lambda: Omissions(rate=1.5), "rate"),
        (lambda: Trills(min_length_s=0.1), "min_length_s"),
        (lambda: RepeatedNotes(strokes=(1, 2)), "strokes"),
        (lambda: Transpose(fold="up"), "fold 'up'.*note, voice"),
        (lambda: Transpose(keys=(60, 65)), "octave"),
        (lambda: ConstantVelocity(0), "velocity"),
        (lambda: VelocityNoise(probability=2.0), "probability"),
    ],
)
def test_bad_settings(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_the_documentation_names_every_operation_and_key():
    page = (Path(__file__).parents[2] / "docs" / "performances.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert list(rows) == list(ALL)
    for name, kind in ALL.items():
        keys = [f"`{entry.name}`" for entry in fields(kind) if entry.name != "probability"]
        assert ", ".join(sorted(keys)) == ", ".join(sorted(rows[name].split("|")[2].strip().split(", "))), name
