from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdata.notes import (
    EVENT_GRID_SAMPLES,
    event_grid_samples,
    is_monophonic,
    make_notes,
    read_notes_csv,
    round_to_ticks,
    snap_to_event_grid,
    write_notes_csv,
)


@given(
    st.lists(st.floats(0, 3600), min_size=1, max_size=30), st.sampled_from([16000, 22050, 44100]), st.floats(1e-4, 5)
)
def test_snapping_moves_by_half_a_step_at_most_and_is_idempotent(onsets, rate, length):
    notes = make_notes(onsets, np.array(onsets) + length, [60] * len(onsets), [80] * len(onsets))
    snapped = snap_to_event_grid(notes, rate)
    assert np.abs(snapped["onset_s"] - notes["onset_s"]).max() <= EVENT_GRID_SAMPLES / 2 / rate + 1e-9
    assert (snapped["offset_s"] > snapped["onset_s"]).all()
    assert np.array_equal(snap_to_event_grid(snapped, rate), snapped)
    on, off = event_grid_samples(snapped, rate)
    assert not (on % EVENT_GRID_SAMPLES).any() and not (off % EVENT_GRID_SAMPLES).any()


def test_a_note_shorter_than_a_step_still_sounds_for_one():
    on, off = event_grid_samples(make_notes([1.0], [1.0001], [60], [80]), 22050)
    assert off[0] - on[0] == EVENT_GRID_SAMPLES


def test_monophony():
    assert is_monophonic(make_notes([], [], [], []))
    assert not is_monophonic(make_notes([1, 1], [2, 2], [60, 64], [80, 80]))  # a chord


def test_csv_keeps_microseconds(tmp_path: Path):
    notes = snap_to_event_grid(make_notes([0.5, 1.25, 3599.9], [0.9, 2.0, 3600.0], [60, 62, 64], [1, 80, 127]), 22050)
    write_notes_csv(tmp_path / "a.notes.csv", notes)
    assert (tmp_path / "a.notes.csv").read_text().splitlines()[0] == "onset_s,offset_s,pitch,velocity"
    again = read_notes_csv(tmp_path / "a.notes.csv")
    assert np.abs(again["onset_s"] - notes["onset_s"]).max() < 1e-6
    assert again["pitch"].tolist() == [60, 62, 64] and again["velocity"].tolist() == [1, 80, 127]


@pytest.mark.parametrize(
    "text, said",
    [
        ("onset_s,offset_s,pitch\n0,1,60\n", "no column velocity"),
        ("onset_s,offset_s,pitch,velocity\n0,1,sixty,80\n", "cannot be read as a note"),
        ("onset_s,offset_s,pitch,velocity\n0,1,200,80\n", "pitch and velocity within 0..127"),
        ("onset_s,offset_s,pitch,velocity\n2,1,60,80\n", "offset_s >= onset_s"),
        ("onset_s,offset_s,pitch,velocity\nnan,1,60,80\n", "finite"),
    ],
)
def test_bad_csv_says_what_is_wrong(tmp_path: Path, text, said):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_notes_csv(tmp_path / "bad.csv")


def test_rounding_to_ticks_is_exact_over_four_hours():
    ticks = np.random.default_rng(0).integers(0, 4 * 3600 * 10_000, 10_000)
    assert np.array_equal(np.rint(round_to_ticks(ticks / 10_000) * 10_000), ticks)
