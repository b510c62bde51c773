"""The same music under other names: found by its notes, and by nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata import open_store
from sfdata.augment import AugmentSettings, apply_record, draw_variation
from sfdata.build import build
from sfdata.fingerprint import (
    chord_tops,
    evidence,
    fingerprint,
    fingerprint_of_voices,
    most_evidence,
    shared_turns,
    turns_of,
)
from sfdata.midi import read_midi_notes, read_piece, write_midi
from sfdata.notes import NoteArray, make_notes
from sfdata.operations import ChordSpread, Jitter, Omissions, Tempo, TempoWalk, WrongNotes
from sfdata.similarity import CERTAIN, ENOUGH, same_music, same_music_keys
from sfdata.splits import group_works
from sfdata.validate import validate
from sfdata.voices import VoiceSettings, extract_voices


@pytest.fixture(scope="module")
def pieces(giantmidi: Path) -> list[NoteArray]:
    return [read_piece(path).notes for path in sorted(giantmidi.glob("*.mid"))]


def played_otherwise(notes: NoteArray, seed: int) -> NoteArray:
    """Another performance of the same: other tempo and times, other chords, wrong and missing notes."""
    player = AugmentSettings(
        omissions=Omissions(0.03, 0.05),
        wrong_notes=WrongNotes(0.01),
        tempo=Tempo((0.7, 0.8)),
        tempo_walk=TempoWalk(),
        jitter=Jitter((0.02, 0.02)),
        chord_spread=ChordSpread((0.01, 0.015)),
    )
    return apply_record(notes, draw_variation(notes, player, np.random.default_rng(seed)))


def test_other_performances_are_known_and_other_pieces_are_not(pieces):
    others = [played_otherwise(notes, seed) for seed, notes in enumerate(pieces)]
    keys = same_music_keys([fingerprint(notes) for notes in (*pieces, *others)])
    group = group_works([own | {f"file:{number}"} for number, own in enumerate(keys)])
    assert group[: len(pieces)] == group[len(pieces) :]
    assert len(set(group)) == len(pieces)


def test_a_piece_inside_another_file_is_known(pieces):
    second = pieces[4].copy()
    for column in ("onset_s", "offset_s"):
        second[column] += pieces[0]["offset_s"].max() + 1
    recital = fingerprint(np.concatenate([pieces[0], second]))
    links = same_music([recital, *(fingerprint(notes) for notes in pieces)])
    assert {(link.one, link.other) for link in links} == {(0, 1), (0, 5)}


@pytest.mark.parametrize("semitones", [-3, 3])
def test_the_transposition_is_told(pieces, semitones):
    for number in range(4):  # whichever of both comes first within
        prints = [fingerprint(pieces[number]), fingerprint(transposed(pieces[number], semitones))]
        (link,) = same_music(prints)
        assert (link.one, link.other, link.transposition) == (0, 1, semitones)
        assert same_music(prints[::-1])[0].transposition == -semitones


def transposed(notes: NoteArray, semitones: int) -> NoteArray:
    moved = notes.copy()
    moved["pitch"] = moved["pitch"].astype(int) + semitones
    return moved


@settings(max_examples=15, deadline=None)
@given(st.integers(-6, 6), st.floats(1.0, 3.0), st.permutations(range(4)))
def test_key_slower_tempo_and_order_do_not_matter(pieces, semitones, factor, order):
    moved = transposed(pieces[1], semitones)
    for column in ("onset_s", "offset_s"):
        moved[column] *= factor
    prints = [fingerprint(notes) for notes in (pieces[1], moved, pieces[3], pieces[5])]
    keys = same_music_keys([prints[place] for place in order])
    by_piece = {place: keys[position] for position, place in enumerate(order)}
    assert by_piece[0] == by_piece[1] != set() and not by_piece[2] and not by_piece[3]


@pytest.mark.parametrize("factor", [0.5, 0.7])
def test_faster_versions_are_known_though_some_notes_fall_into_one_chord(pieces, factor):
    faster = pieces[1].copy()
    for column in ("onset_s", "offset_s"):
        faster[column] *= factor
    assert len(fingerprint(faster)) < len(fingerprint(pieces[1]))
    links = same_music([fingerprint(notes) for notes in (pieces[1], faster, pieces[3])])
    assert [(link.one, link.other) for link in links] == [(0, 1)]


def test_skylines_of_other_performances_are_known(pieces):
    lines = [extract_voices(notes, VoiceSettings())[0] for notes in pieces]
    others = [extract_voices(played_otherwise(notes, seed), VoiceSettings())[0] for seed, notes in enumerate(pieces)]
    links = same_music([fingerprint(notes) for notes in (*lines, *others)])
    assert {(link.one, link.other) for link in links} == {(piece, piece + len(pieces)) for piece in range(len(pieces))}


def line(pitch: np.ndarray) -> NoteArray:
    onset = np.arange(len(pitch)) * 0.5
    return make_notes(onset, onset + 0.4, pitch, [80] * len(pitch))


@pytest.mark.parametrize(("notes", "known"), [(30, False), (100, True)])
def test_few_notes_prove_nothing(notes, known):
    tune = np.random.default_rng(4).integers(50, 90, size=notes)
    keys = same_music_keys([fingerprint(line(tune)), fingerprint(line(tune + 5)), fingerprint(line(tune))])
    assert [bool(own) for own in keys] == [known] * 3


def test_evidence_by_hand():
    tune = np.random.default_rng(4).integers(50, 90, size=54)  # 48 turns: three windows of 16, 4 from each
    words = fingerprint(line(tune))
    assert len(words) == 48 and (words > 0).all() and most_evidence(words) == 12
    shared = shared_turns(words, fingerprint(line(tune + 5)))
    assert (len(shared.turns), shared.transposition, evidence(shared)) == (48, 5, 12)
    assert evidence(shared, np.full(48, 1 / 8)) == 6  # 16 turns of 1/8 in each window: 2, under the most of 4
    with_wrong_note = tune.copy()
    with_wrong_note[20] += 1  # in turns 14 to 20
    shared = shared_turns(words, fingerprint(line(with_wrong_note)))
    assert sorted(set(range(48)) - set(shared.one.tolist())) == list(range(14, 21)) and evidence(shared) == 12


def test_what_two_pieces_share_is_the_same_seen_from_either(pieces):
    one, other = fingerprint(pieces[2]), fingerprint(transposed(played_otherwise(pieces[2], 5), -2))
    there, back = shared_turns(one, other), shared_turns(other, one)
    assert there.transposition == -2 == -back.transposition
    assert evidence(there) == pytest.approx(evidence(back), rel=0.05) and evidence(there) > ENOUGH


@pytest.mark.parametrize("figure", [[60], [60, 62], [48, 52, 55], [60, 62, 64, 65, 67, 69, 71, 72]])
def test_repeated_notes_trills_broken_chords_and_scales_tell_nothing(figure):
    words = fingerprint(line(np.tile(figure, 20)))
    assert len(words) == 20 * len(figure) - 6 and not words.any()


def test_a_figure_of_four_notes_counts_once_however_often_it_comes():
    words = fingerprint(line(np.tile([48, 55, 52, 55], 20)))
    assert len(np.unique(turns_of(words))) == 4 == most_evidence(words)


def test_only_turns_that_lie_together_and_are_transposed_alike_are_shared():
    rng = np.random.default_rng(8)
    tune = rng.integers(50, 80, size=240)
    words = fingerprint(line(tune))
    parts = [tune[begin : begin + 12] for begin in range(0, 240, 12)]  # of six turns
    in_many_keys = np.concatenate([part + up for up, part in enumerate(parts)])
    shared = shared_turns(words, fingerprint(line(in_many_keys)))
    assert len(shared.turns) == 6 and len(np.unique(shared.one // 12)) == 1
    scattered = np.concatenate([np.append(rng.integers(50, 80, size=80), part[:8]) for part in parts])  # two turns
    assert not len(shared_turns(words, fingerprint(line(scattered))).turns)


def test_versions_of_one_work_do_not_make_its_turns_common():
    rng = np.random.default_rng(7)
    tune = rng.integers(50, 90, size=80)
    versions = [
        np.concatenate([rng.integers(50, 90, size=150), tune, rng.integers(50, 90, size=150)]) for _ in range(8)
    ]
    keys = same_music_keys([fingerprint(line(version)) for version in versions])
    assert len(set.union(*keys)) == 1 and all(keys)


def test_figures_that_other_pieces_have_count_for_less():
    """Two pieces share 80 notes: enough, unless others turn out to have a part of these, too little to be akin."""
    rng = np.random.default_rng(6)
    figure = rng.integers(50, 90, size=80)

    def own(size: int) -> np.ndarray:
        return rng.integers(50, 90, size=size)

    two = [fingerprint(line(np.concatenate([own(150), figure, own(150)]))) for _ in range(2)]
    (link,) = same_music(two)
    assert ENOUGH <= link.evidence < CERTAIN
    others = [
        fingerprint(line(np.concatenate([own(150), figure[begin : begin + 24], own(150)])))
        for begin in (0, 14, 28, 42, 56)
        for _ in range(6)
    ]
    assert not same_music([*two, *others])


def test_more_pieces_than_the_index_can_number_are_refused(monkeypatch):
    monkeypatch.setattr("sfdata.similarity._PIECE_BITS", 1)
    with pytest.raises(ValueError, match="3 pieces of different music; expected at most 2"):
        same_music([np.array([word], dtype=np.uint64) for word in (130, 260, 390)])


def test_separated_voices_together_serve_as_well_as_all_notes(pieces):
    voices = extract_voices(pieces[3], VoiceSettings("voice-separation"))
    links = same_music(
        [fingerprint_of_voices(voices), fingerprint(played_otherwise(pieces[3], 1)), fingerprint(pieces[6])]
    )
    assert [(link.one, link.other) for link in links] == [(0, 1)]


def test_scales_and_scraps_are_no_music_of_their_own():
    scale = make_notes(np.arange(60) * 0.25, np.arange(60) * 0.25 + 0.2, 40 + np.arange(60) % 40, [80] * 60)
    short = make_notes(np.arange(9), np.arange(9) + 1, [60, 67, 62, 71, 65, 61, 70, 64, 68], [80] * 9)
    assert (
        same_music_keys([fingerprint(scale), fingerprint(scale), fingerprint(short), fingerprint(short)]) == [set()] * 4
    )
    empty = make_notes([], [], [], [])
    assert not len(fingerprint(empty)) and not len(fingerprint_of_voices([]))
    assert same_music_keys([]) == [] and same_music_keys([fingerprint(empty)]) == [set()]


def test_tops_by_hand():
    notes = make_notes([0.0, 0.02, 0.04, 1.0, 2.0, 2.04], [1, 1, 1, 2, 3, 3], [48, 72, 60, 50, 70, 71], [80] * 6)
    assert chord_tops(notes).tolist() == [72, 50, 71]


def test_transcriptions_of_one_work_never_part(tmp_path: Path, small_recipe, pieces, short_midi):
    """Built under names that tell nothing, in another key and tempo."""
    (tmp_path / "midi").mkdir()
    other = played_otherwise(pieces[0], 3)
    other["pitch"] -= 2
    for name, notes in (("a", pieces[0]), ("b", other), ("c", pieces[1])):
        write_midi(tmp_path / "midi" / f"{name}.mid", notes)
    for seed in range(3):
        recipe = replace(small_recipe, seed=seed, voices=VoiceSettings("all"))
        build(recipe, tmp_path / f"{seed}.zarr", [tmp_path / "midi"], workers=1)
        store = open_store(tmp_path / f"{seed}.zarr")
        splits = dict(zip(store.pieces["file"], store.pieces["split"], strict=True))
        assert splits["a.mid"] == splits["b.mid"] != splits["c.mid"]
        assert not validate(tmp_path / f"{seed}.zarr")


def test_real_works_as_score_performance_and_transcription(shared_data: Path):
    """Twelve works three times each; benchmarks/same_music.py takes all."""
    lines = (shared_data / "alignments" / "index.tsv").read_text(encoding="utf-8").splitlines()[1:]
    prints, titles = [], []
    for row in lines[:: len(lines) // 12]:
        title, score, performance, giantmidi = row.split("\t")
        for folder, file in (
            ("alignments/score", score), ("alignments/performance", performance), ("giantmidi", giantmidi)
        ):  # fmt: skip
            prints.append(fingerprint(read_midi_notes(shared_data / folder / file)))
            titles.append(title)
    keys = same_music_keys(prints)
    group = group_works([own | {f"file:{number}"} for number, own in enumerate(keys)])
    assert len(set(zip(group, titles, strict=True))) == len(set(titles)) == len(set(group))
