from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sfdata import PairReader, open_store
from sfdata.build import build
from sfdata.notes import make_notes
from sfdata.operations.base import chord_numbers
from sfdata.pairs import choose_references, labelled, lookalike_lists
from sfdata.reader import nearest_frame
from sfdata.recipe import read_recipe
from sfdata.schema import SPLITS
from sfdata.validate import validate
from sfdata.windows import WindowSettings, reference_start_grid


def test_references_hold_their_onsets_with_the_margin_where_the_piece_allows():
    onset = np.array([10.0, 12.0, 100.5, 700.0, 1190.0, 1199.0])
    starts = choose_references(onset, 1200, WindowSettings(), 20.0, np.random.default_rng(0))
    assert set(starts) <= set(reference_start_grid(1200, WindowSettings(), 20.0))
    position = onset - starts
    assert (position >= 0).all() and (position <= 239).all()
    assert (position[2:4] >= 13.5).all() and (position[2:4] <= 225.5).all()
    assert starts[0] == 0 and starts[-1] == 960


def test_lookalikes_by_hand():
    # the same three notes twice, the second time with a note 80 ms late; then the pattern once more, exactly
    onset = np.array([1.0, 1.3, 1.6, 5.0, 5.3, 5.68, 9.0, 9.3, 9.6])
    notes = make_notes(onset, onset + 0.2, [60, 62, 64] * 3, [80] * 9)
    assert [found.tolist() for found in lookalike_lists(notes, 0.675, 12.0)] == [
        [6], [7], [8], [], [], [], [0], [1], [2],
    ]  # fmt: skip


def test_every_onset_of_every_snippet_has_its_pair(built_store: Path):
    store = open_store(built_store)
    pairs, renditions = store.pairs, store.renditions
    for rendition in np.unique(pairs["snippet_rendition"]):
        performance = renditions["performance"][rendition]
        first, count = (int(store.performances[name][performance]) for name in ("first_note", "note_count"))
        notes = pairs["note"][pairs["snippet_rendition"] == rendition]
        assert notes.tolist() == list(range(first, first + count))  # the first and the last included
    roles = store.performances["role"][renditions["performance"][pairs["snippet_rendition"]]]
    assert set(roles) == {"variant"}
    roles = store.performances["role"][renditions["performance"][pairs["reference_rendition"]]]
    assert set(roles) == {"score"}
    used = store.instruments["name"]
    assert set(used[renditions["instrument"][pairs["reference_rendition"]]]) == {"timgm6mb:0"}
    assert set(used[renditions["instrument"][pairs["snippet_rendition"]]]) == {"timgm6mb:1", "timgm6mb:4"}


def test_references_cover_each_piece_from_first_to_last_note(built_store: Path):
    store = open_store(built_store)
    for rendition in np.unique(store.pairs["reference_rendition"]):
        own = store.pairs["reference_rendition"] == rendition
        starts = np.unique(store.pairs["reference_start_frame"][own])
        assert starts[0] == 0
        assert (np.diff(starts) <= 240 - 27).all()  # they overlap by more than a snippet
        assert starts[-1] + 240 >= store.renditions["frame_count"][rendition] - 30


def test_targets_are_the_score_onsets_and_the_frames_show_it(built_store: Path):
    """At the target the reference looks like the snippet's middle: pitch rises there, in sound that was rendered."""
    store = open_store(built_store)
    reader = PairReader(store, "all")
    batch = reader.batch(np.arange(len(reader)))
    assert batch.reference.shape[1:] == (240, 88) and batch.snippet.shape[1:] == (27, 88)
    pitch_bin = store.notes["pitch"][store.pairs["note"]].astype(int) - 21
    rows = np.arange(len(reader))
    for windows, at in ((batch.reference, nearest_frame(batch.target_frame)), (batch.snippet, np.full(len(rows), 13))):
        padded = np.pad(windows.astype(np.float32), ((0, 0), (2, 2), (0, 0)))
        rise = np.stack([padded[rows, at + 2 + shift, pitch_bin] - padded[rows, at + 2 + shift - 1, pitch_bin]
                         for shift in (-2, -1, 0, 1)])  # fmt: skip
        assert (
            np.isin(rise.argmax(axis=0), (1, 2, 3)).mean() > 0.9
        )  # within a frame of the label, the frame before..after
        assert rise.max(axis=0).mean() > 3 * np.abs(rise[0]).mean()


def test_fresh_references_move_the_target_with_the_window(built_store: Path):
    reader = PairReader(open_store(built_store), "train")
    index = np.arange(0, len(reader), 7)
    pinned = reader.batch(index)
    starts = reader.draw_starts(index, np.random.default_rng(0))
    fresh = reader.batch(index, starts)
    assert np.array_equal(pinned.snippet, fresh.snippet)
    assert not np.array_equal(pinned.target_frame, fresh.target_frame)
    assert np.allclose(fresh.target_frame + starts, pinned.target_frame + reader.reference_start[index])
    assert (fresh.target_frame >= 0).all() and (fresh.target_frame <= 239).all()
    for row in range(len(index)):  # the frame at the target is the same one
        before, after = (int(nearest_frame(b.target_frame[row])) for b in (pinned, fresh))
        assert np.array_equal(pinned.reference[row, before], fresh.reference[row, after])


def test_splits_and_pieces(built_store: Path):
    store = open_store(built_store)
    assert {len(set(reader.piece)) for reader in (PairReader(store, split) for split in SPLITS)} == {1}
    assert sum(len(store.pair_rows(split)) for split in SPLITS) == len(store.pair_rows("all"))
    with pytest.raises(ValueError, match="train, validation, test, all"):
        store.pair_rows("dev")
    with pytest.raises(ValueError, match="MiB are allowed"):
        PairReader(store, "train", max_bytes=1000)


def test_one_instrument_for_both_sides(tmp_path: Path, small_recipe, short_midi):
    from sfdata.augment import AugmentSettings
    from sfdata.recipe import InstrumentSettings

    recipe = replace(
        small_recipe, augment=AugmentSettings(), instruments=InstrumentSettings(("timgm6mb:0",), ("timgm6mb:0",))
    )
    build(recipe, tmp_path / "one.zarr", short_midi[:1], workers=1)
    store = open_store(tmp_path / "one.zarr")
    assert len(store.renditions["gain"]) == 1 and len(store.pairs["note"]) == len(store.notes["pitch"])
    batch = PairReader(store, "all").batch(slice(None))
    at = nearest_frame(batch.target_frame)
    assert np.array_equal(batch.snippet[:, 13], batch.reference[np.arange(len(at)), at])


def test_one_label_for_each_chord_on_the_note_that_is_played_first():
    score = make_notes([0.5, 0.5, 0.51, 1.5, 2.5], [1.0] * 3 + [2.0, 3.0], [48, 60, 64, 67, 72], [80] * 5)
    played = make_notes(
        [0.62, 0.6, 0.58, 0.9, 1.7], [1.0] * 4 + [2.0], [48, 60, 64, 65, 67], [80] * 5, [0, 1, 2, -1, 3]
    )
    notes, counterparts = labelled(played, score)
    assert played["pitch"][notes].tolist() == [64, 67]  # the added note has no label, the last one is not played
    assert score["onset_s"][counterparts].tolist() == [0.51, 1.5]  # the target of that very note
    notes, counterparts = labelled(score, score)
    assert score["onset_s"][notes].tolist() == [0.5, 1.5, 2.5] and np.array_equal(notes, counterparts)


def test_lookalikes_of_chords_in_whatever_order_they_are_played():
    onset = np.array([1.0, 1.01, 1.3, 5.0, 5.02, 5.3, 9.0, 9.01, 9.3])
    pitch = [60, 64, 67, 64, 60, 67, 60, 65, 67]  # the second time the chord is struck the other way round
    notes = make_notes(onset, onset + 0.2, pitch, [80] * 9)
    found = lookalike_lists(notes, 0.675, 12.0)
    assert [[int(notes["pitch"][i]) for i in others] for others in found[:3]] == [[60], [64], [67]]
    assert [others.tolist() for others in found[6:]] == [[], [], []]


def test_polyphonic_performances_are_labelled_where_they_sound(tmp_path: Path, short_midi):
    recipe = read_recipe("pipelines/human.toml")
    build(recipe, tmp_path / "s.zarr", short_midi, workers=1)
    assert not validate(tmp_path / "s.zarr", instruments=True)
    store = open_store(tmp_path / "s.zarr")
    pairs, notes = store.pairs, store.notes
    added = notes["source"] < 0
    assert added.sum() > 50 and not added[pairs["note"]].any()
    for rendition in np.unique(pairs["snippet_rendition"]):
        own = pairs["snippet_rendition"] == rendition
        targets = pairs["target_s"][own] + pairs["reference_start_frame"][own] / store.spectrogram.frame_rate_hz
        assert len(np.unique(targets.round(4))) == own.sum()  # no onset of the score is labelled twice
        score = store.note_array(int(store.renditions["performance"][pairs["reference_rendition"][own][0]]))
        assert np.isin(targets.round(6), score["onset_s"].round(6)).all()
        chords = chord_numbers(score)[-1] + 1
        assert 0.9 * chords < own.sum() <= chords  # nearly every chord, but for what was left out
