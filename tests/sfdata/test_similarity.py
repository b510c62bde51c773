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
from sfdata.fingerprint import chord_tops, fingerprint, fingerprint_of_voices
from sfdata.midi import read_midi_notes, read_piece, write_midi
from sfdata.notes import NoteArray, make_notes
from sfdata.operations import ChordSpread, Jitter, Omissions, Tempo, TempoWalk, WrongNotes
from sfdata.similarity import same_music, same_music_keys
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


def test_the_transposition_is_told(pieces):
    higher = pieces[2].copy()
    higher["pitch"] += 3
    (link,) = same_music([fingerprint(pieces[2]), fingerprint(higher)])
    assert (link.one, link.other, link.transposition) == (0, 1, 3)


@settings(max_examples=15, deadline=None)
@given(st.integers(-6, 6), st.floats(0.5, 2.0), st.randoms())
def test_key_tempo_and_order_do_not_matter(pieces, semitones, factor, random):
    moved = pieces[1].copy()
    moved["pitch"] = moved["pitch"].astype(int) + semitones
    moved["onset_s"] *= max(factor, 1.0)  # slower only: faster, chords within 50 ms would be other ones
    prints = [fingerprint(notes) for notes in (pieces[1], moved, pieces[3], pieces[5])]
    order = list(range(4))
    random.shuffle(order)
    keys = same_music_keys([prints[place] for place in order])
    by_piece = {place: keys[position] for position, place in enumerate(order)}
    assert by_piece[0] == by_piece[1] != set() and not by_piece[2] and not by_piece[3]


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
    for line in lines[:: len(lines) // 12]:
        title, score, performance, giantmidi = line.split("\t")
        for folder, file in (
            ("alignments/score", score), ("alignments/performance", performance), ("giantmidi", giantmidi)
        ):  # fmt: skip
            prints.append(fingerprint(read_midi_notes(shared_data / folder / file)))
            titles.append(title)
    keys = same_music_keys(prints)
    group = group_works([own | {f"file:{number}"} for number, own in enumerate(keys)])
    assert len(set(zip(group, titles, strict=True))) == len(set(titles)) == len(set(group))
