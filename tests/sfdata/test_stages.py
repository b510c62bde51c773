"""The single steps, one after another, and that they end where the one-pass build does."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sfdata import open_store
from sfdata.augment import AugmentSettings
from sfdata.build import build
from sfdata.effects import GainSettings, NoiseSettings, TuningSettings
from sfdata.folders import build_pairs
from sfdata.manifest import entry_notes, notes_path, read_manifest
from sfdata.midi import read_midi_notes, read_piece, write_midi
from sfdata.notes import is_monophonic, make_notes, read_notes_csv
from sfdata.recipe import InstrumentSettings, read_recipe
from sfdata.render import read_audio
from sfdata.sound import SoundSettings
from sfdata.stages import augment_folder, extract_folder, render_folder
from sfdata.validate import validate
from sfdata.verify import verify
from sfdata.voices import VoiceSettings


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory, small_recipe, short_midi) -> Path:
    root = tmp_path_factory.mktemp("steps")
    (root / "midi").mkdir()
    for path in short_midi:
        (root / "midi" / path.name).write_bytes(path.read_bytes())
    (root / "midi" / "broken.mid").write_bytes(b"MThd nonsense")
    assert len(extract_folder([root / "midi"], root / "voices").skipped) == 1
    augment_folder(root / "voices", root / "performances", small_recipe.augment, small_recipe.seed)
    render_folder(root / "performances", root / "references", "timgm6mb:0", roles=("score",))
    render_folder(root / "performances", root / "snippets", "timgm6mb:1", roles=("variant",))
    return root


def test_voices(steps: Path, short_midi):
    entries = read_manifest(steps / "voices", "midi")
    assert len(entries) == 3
    for entry in entries:
        voice = read_midi_notes(steps / "voices" / entry.file)
        assert is_monophonic(voice)
        piece = read_piece(next(path for path in short_midi if path.name == entry.piece_file))
        assert piece.sha256 == entry.sha256 and piece.cut_s == entry.cut_s
        assert np.array_equal(piece.notes["onset_s"][entry.piece_note], voice["onset_s"])
        assert np.array_equal(piece.notes["pitch"][entry.piece_note], voice["pitch"])


def test_performances(steps: Path):
    entries = read_manifest(steps / "performances", "midi")
    assert sorted(entry.role for entry in entries) == ["score"] * 3 + ["variant"] * 3
    for entry in entries:
        assert entry.augmentation and len(entry.source) == len(entry_notes(steps / "performances", entry))


def test_sound_has_its_notes_beside_it(steps: Path):
    for entry in read_manifest(steps / "snippets", "audio"):
        notes = read_notes_csv(notes_path(steps / "snippets" / entry.file))
        assert len(notes) == len(entry.source)
        assert entry.instrument["name"] == "timgm6mb:1"
        on_grid = notes["onset_s"] * 22050 / 64
        assert np.abs(on_grid - np.rint(on_grid)).max() < 1e-3


def test_steps_end_where_the_build_does(steps: Path, tmp_path: Path, small_recipe, short_midi):
    recipe = replace(small_recipe, instruments=InstrumentSettings(("timgm6mb:0",), ("timgm6mb:1",)))
    build(recipe, tmp_path / "once.zarr", short_midi, workers=1)
    result = build_pairs(steps / "references", steps / "snippets", tmp_path / "steps.zarr", recipe, workers=1)
    assert not result.skipped and not validate(tmp_path / "steps.zarr")
    once, stepped = open_store(tmp_path / "once.zarr"), open_store(tmp_path / "steps.zarr")
    assert result.pairs == len(once.pairs["note"])
    for column in ("pitch", "velocity", "source", "piece_note"):
        assert np.array_equal(once.notes[column], stepped.notes[column])
    assert np.abs(once.notes["onset_s"] - stepped.notes["onset_s"]).max() < 1e-6  # the CSV's microseconds
    assert np.abs(once.pairs["target_s"] - stepped.pairs["target_s"]).max() < 1e-6
    assert list(once.performances["augmentation"]) == list(stepped.performances["augmentation"])
    for rendition in range(result.renditions):
        difference = np.abs(once.rendition_frames(rendition).astype(float) - stepped.rendition_frames(rendition))
        assert difference.max() < 0.05  # what 16-bit files cost


def test_same_seed_same_files(steps: Path, tmp_path: Path, small_recipe):
    augment_folder(steps / "voices", tmp_path / "p", small_recipe.augment, small_recipe.seed)
    render_folder(tmp_path / "p", tmp_path / "a", "timgm6mb:1", roles=("variant",))
    for folder, other in (("performances", "p"), ("snippets", "a")):
        files = {file.name: file.read_bytes() for file in (steps / folder).iterdir()}
        assert files == {file.name: file.read_bytes() for file in (tmp_path / other).iterdir()}


def test_folders_without_a_manifest(steps: Path, tmp_path: Path):
    """One's own sound with notes beside it: the same name, the same notes in the same order."""
    for side in ("references", "snippets"):
        (tmp_path / side).mkdir()
        entry = read_manifest(steps / side, "audio")[0]
        sound = steps / side / entry.file
        (tmp_path / side / "take.flac").write_bytes(sound.read_bytes())
        (tmp_path / side / "take.notes.csv").write_bytes(notes_path(sound).read_bytes())
    (tmp_path / "snippets" / "alone.flac").write_bytes((tmp_path / "snippets" / "take.flac").read_bytes())
    result = build_pairs(tmp_path / "references", tmp_path / "snippets", tmp_path / "s.zarr", workers=1)
    assert result.pieces == 1 and "no counterpart" in result.skipped[0].reason
    assert not validate(tmp_path / "s.zarr")
    rows = (tmp_path / "snippets" / "take.notes.csv").read_text().splitlines()
    (tmp_path / "snippets" / "take.notes.csv").write_text("\n".join(rows[:-1]))
    with pytest.raises(ValueError, match="same notes in the same order"):
        build_pairs(tmp_path / "references", tmp_path / "snippets", tmp_path / "t.zarr", workers=1)


def test_plain_midi_can_be_augmented_and_rendered(tmp_path: Path, short_midi):
    (tmp_path / "midi").mkdir()
    (tmp_path / "midi" / "piece.mid").write_bytes(short_midi[0].read_bytes())
    assert augment_folder(tmp_path / "midi", tmp_path / "p", AugmentSettings(copies=1), 0).written == 2
    assert render_folder(tmp_path / "midi", tmp_path / "a", "timgm6mb:0", audio_format="wav").written == 1
    assert (tmp_path / "a" / "piece.wav").is_file() and (tmp_path / "a" / "piece.notes.csv").is_file()


def test_bad_input(steps: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="expected one of"):
        render_folder(steps / "voices", tmp_path / "a", "timgm6mb:0", audio_format="mp3")
    with pytest.raises(FileNotFoundError, match="no folder"):
        render_folder(tmp_path / "nowhere", tmp_path / "a", "timgm6mb:0")
    with pytest.raises(FileNotFoundError, match=r"neither manifest.jsonl nor"):
        build_pairs(tmp_path, tmp_path, tmp_path / "s.zarr")
    (tmp_path / "manifest.jsonl").write_text('{"file": 1}\n')
    with pytest.raises(ValueError, match="line 1 is no entry"):
        read_manifest(tmp_path, "midi")


def test_names_that_clash(tmp_path: Path, short_midi):
    for number, name in enumerate(["a/same", "b/same", "b/same-2", "c/Same"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.mid").write_bytes(short_midi[number % 3].read_bytes())
    assert extract_folder([tmp_path / "a", tmp_path / "b", tmp_path / "c"], tmp_path / "voices").written == 4
    names = [file.name.casefold() for file in (tmp_path / "voices").glob("*.mid")]
    assert len(set(names)) == 4
    assert len({entry.file for entry in read_manifest(tmp_path / "voices", "midi")}) == 4


def test_names_from_elsewhere(tmp_path: Path, short_midi):
    """Names that are no UTF-8, hold a line separator, or no letter of ours go through every step."""
    (tmp_path / "midi").mkdir()
    for name in (b"caf\xe9.mid", "a\u2028b.mid".encode(), "音楽.mid".encode()):
        (tmp_path / "midi" / os.fsdecode(name)).write_bytes(short_midi[0].read_bytes())
    assert extract_folder([tmp_path / "midi"], tmp_path / "voices").written == 3
    assert augment_folder(tmp_path / "voices", tmp_path / "p", AugmentSettings(), 0).written == 3
    assert render_folder(tmp_path / "p", tmp_path / "audio", "timgm6mb:0").written == 3


def test_polyphonic_midi_is_labelled_as_it_sounds(tmp_path: Path):
    """A key struck again before it was lifted: the note-off in between is the first note's."""
    (tmp_path / "midi").mkdir()
    write_midi(tmp_path / "midi" / "x.mid", make_notes([0.5, 1.0], [1.5, 2.0], [60, 60], [80, 80]))
    render_folder(tmp_path / "midi", tmp_path / "audio", "timgm6mb:16")  # an organ sounds until it is switched off
    notes = read_notes_csv(tmp_path / "audio" / "x.notes.csv")
    assert np.allclose(notes["offset_s"], [1.0, 2.0], atol=0.003)
    sound = np.abs(read_audio(tmp_path / "audio" / "x.flac", 22050))
    assert sound[int(1.8 * 22050) : int(1.95 * 22050)].max() > 0.3 * sound.max()


def test_damaged_sound_is_skipped(steps: Path, tmp_path: Path):
    for side in ("references", "snippets"):
        shutil.copytree(steps / side, tmp_path / side)
    flac = sorted((tmp_path / "snippets").glob("*.flac"))
    flac[0].write_bytes(b"garbage")
    flac[1].write_bytes(flac[1].read_bytes()[:5000])
    result = build_pairs(tmp_path / "references", tmp_path / "snippets", tmp_path / "s.zarr", workers=1)
    assert result.pieces == 1 and len(result.skipped) == 2


def test_rooms_and_noise_are_drawn_and_recorded_for_each_variant(steps: Path, tmp_path: Path, small_recipe):
    sound = SoundSettings(tuning=TuningSettings((20.0, 30.0)), noise=NoiseSettings((30.0, 40.0)), gain=GainSettings())
    for name in ("a", "b"):
        render_folder(steps / "performances", tmp_path / name, "timgm6mb:1", sound=sound, seed=3)
    entries = {entry.file: entry for entry in read_manifest(tmp_path / "a", "audio")}
    for file, entry in entries.items():
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        drawn = [record["operation"] for record in entry.sound.get("operations", [])]
        assert drawn == (["tuning", "noise", "gain"] if entry.role == "variant" else [])
    assert len({str(entry.sound) for entry in entries.values()}) == 4  # three variants, each its own, and none
    result = build_pairs(tmp_path / "a", tmp_path / "a", tmp_path / "s.zarr", small_recipe, workers=1)
    assert result.pairs and not validate(tmp_path / "s.zarr")
    told = verify(tmp_path / "s.zarr", sample=5)
    assert told.verified and told.renditions == 0 and "made of sound files" in str(told.not_rebuilt)
    assert sorted(open_store(tmp_path / "s.zarr").renditions["sound"])[0].startswith('{"operations"')


@pytest.mark.parametrize("method", ["all", "voice-separation"])
def test_polyphonic_steps_end_where_the_build_does(tmp_path: Path, short_midi, method):
    """Chords, added notes, several voices of a piece: every note keeps its number through the files."""
    recipe = read_recipe("pipelines/human.toml")
    recipe = replace(
        recipe,
        augment=replace(recipe.augment, copies=1),
        voices=VoiceSettings(method),
        instruments=InstrumentSettings(("timgm6mb:0",), ("timgm6mb:1",)),
        sound=SoundSettings(),
    )
    build(recipe, tmp_path / "once.zarr", short_midi, workers=1)
    extract_folder(short_midi, tmp_path / "v", voice_settings=recipe.voices)
    augment_folder(tmp_path / "v", tmp_path / "p", recipe.augment, recipe.seed)
    for role, folder, instrument in (("score", "r", "timgm6mb:0"), ("variant", "s", "timgm6mb:1")):
        render_folder(tmp_path / "p", tmp_path / folder, instrument, roles=(role,))
    build_pairs(tmp_path / "r", tmp_path / "s", tmp_path / "steps.zarr", recipe, workers=1)
    assert not validate(tmp_path / "steps.zarr")
    once, stepped = open_store(tmp_path / "once.zarr"), open_store(tmp_path / "steps.zarr")

    def performances(store):
        table = store.performances
        return {
            (store.pieces["file"][table["piece"][i]], table["voice"][i], table["copy"][i]): store.note_array(i)
            for i in range(len(table["piece"]))
        }

    one, other = performances(once), performances(stepped)
    assert set(one) == set(other)
    for key, notes in one.items():
        assert np.array_equal(notes, other[key]), key
    assert len(once.pairs["note"]) == len(stepped.pairs["note"])
