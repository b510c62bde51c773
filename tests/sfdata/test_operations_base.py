import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.notes import NoteArray, make_notes
from sfdata.operations.base import SoundingKeys, chord_numbers, sort_notes, tempo_map, warp, warp_in_turn
from sfdata.operations.tempo import _running_median
from sfdata.pairs import Lookalikes, lookalike_lists

STEPS_S = st.lists(st.sampled_from([0.0, 0.01, 0.0299, 0.03, 0.0301, 0.5]), min_size=0, max_size=60)


def notes_at(onset_s: np.ndarray, seed: int = 0) -> NoteArray:
    rng = np.random.default_rng(seed)
    count = len(onset_s)
    return make_notes(onset_s, onset_s + rng.choice([0.1, 0.5], count), rng.integers(60, 63, count), [80] * count)


@settings(deadline=None)
@given(STEPS_S)
def test_chords_are_counted_off_from_their_first_note(steps_s: list[float]):
    notes = notes_at(0.5 + np.cumsum(steps_s))
    expected, first, number = [], 0.0, -1
    for onset in notes["onset_s"].tolist():
        if number < 0 or onset > first + 0.03 + 1e-9:
            first, number = onset, number + 1
        expected.append(number)
    assert chord_numbers(notes).tolist() == expected


@settings(deadline=None)
@given(STEPS_S, st.integers(0, 2**32 - 1), st.booleans())
def test_notes_are_sorted_by_onset_then_pitch_then_end(steps_s: list[float], seed: int, shuffled: bool):
    notes = notes_at(0.5 + np.cumsum(steps_s), seed)
    if shuffled:
        notes = notes[np.random.default_rng(seed).permutation(len(notes))]
    order = np.lexsort((notes["offset_s"], notes["pitch"], notes["onset_s"]))
    assert sort_notes(notes).tobytes() == notes[order].tobytes()
    assert sort_notes(notes[order]).tobytes() == notes[order].tobytes()


@settings(deadline=None)
@given(st.lists(st.floats(0.3, 3.0), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_maps_in_turn_are_maps_one_after_another(tempi: list[float], seed: int):
    rng = np.random.default_rng(seed)
    onset_s = np.sort(rng.uniform(0.1, 400, 200))
    notes = notes_at(onset_s, seed)
    maps, at = [], 0.2
    for tempo in tempi:
        at_s = at + rng.uniform(0.1, 20) * np.linspace(0, 1, 9)
        maps.append((at_s, tempo_map(at_s, np.full(8, tempo))))
        at = maps[-1][1][-1]  # the next one may begin where this one has ended
    expected = notes
    for at_s, to_s in maps:
        expected = warp(expected, at_s, to_s)
    assert warp_in_turn(notes, maps).tobytes() == expected.tobytes()


@pytest.mark.parametrize("count", [0, 1, 5, 15, 16, 17, 100])
def test_running_medians(count: int):
    values = np.random.default_rng(count).random(count)
    expected = [np.median(values[max(0, i - 8) : i + 8]) for i in range(count)]
    assert _running_median(values, 8).tolist() == expected


def test_keys_that_sound():
    notes = notes_at(0.5 + 0.13 * np.arange(80), 3)
    sounds = SoundingKeys(notes)
    for begin, end in np.random.default_rng(1).uniform(0, 11, (50, 2)):
        heard = notes["pitch"][(notes["onset_s"] <= end) & (notes["offset_s"] > begin)]
        assert [key for key in range(58, 66) if sounds(key, begin, end)] == sorted(set(heard.tolist()))


def test_lookalikes_are_counted_as_they_are_listed():
    notes = notes_at(0.5 + 0.25 * np.repeat(np.arange(100), 2), 2)
    rng = np.random.default_rng(0)
    note, begin_s = rng.permutation(len(notes)), rng.uniform(0, 25, len(notes))
    found = lookalike_lists(notes, 0.2, 12.0)
    onsets = [notes["onset_s"][found[place]] for place in note]
    expected = [int(((own >= b) & (own < b + 9)).sum()) for own, b in zip(onsets, begin_s, strict=True)]
    assert sum(expected) > 50
    assert Lookalikes(notes, 0.2, 12.0).count(note, begin_s, 9.0).tolist() == expected
