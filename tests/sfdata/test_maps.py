"""MAPS: names, layout, annotations, and stores made of its recordings."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sfdata import PairReader, open_store
from sfdata.cli import main
from sfdata.import_maps import import_maps, same_music
from sfdata.isol import IsolSettings
from sfdata.isol_files import make_isol
from sfdata.maps import find_items, item_notes, read_annotation
from sfdata.maps_names import parse_name
from sfdata.maps_settings import MapsSettings
from sfdata.notes import make_notes
from sfdata.validate import validate
from sfmodel.baselines import BASELINES


@pytest.mark.parametrize(
    "stem, told",
    [
        ("MAPS_ISOL_NO_M_S0_M36_ENSTDkCl", ("ENSTDkCl", "ISOL/NO", "M", False, 36, None)),
        ("MAPS_ISOL_LG_P_S1_M108_AkPnBcht", ("AkPnBcht", "ISOL/LG", "P", True, 108, None)),
        ("MAPS_ISOL_ST_F_S0_M21_AkPnBsdf", ("AkPnBsdf", "ISOL/ST", "F", False, 21, None)),
        ("MAPS_ISOL_RE_M_S0_M60_SptkBGAm", ("SptkBGAm", "ISOL/RE", "M", False, 60, None)),
        ("MAPS_ISOL_TR2_M_S1_M60_SptkBGCl", ("SptkBGCl", "ISOL/TR2", "M", True, 60, None)),
        ("MAPS_ISOL_CH0.05_F_AkPnCGdD", ("AkPnCGdD", "ISOL/CH", "F", None, None, 0.05)),
        ("MAPS_RAND_P3_M36-95_I32-96_S1_n21_AkPnStgb", ("AkPnStgb", "RAND", "", True, None, None)),
        ("MAPS_UCHO_C0-4-7_I60-68_S0_n12_StbgTGd2", ("StbgTGd2", "UCHO", "", False, None, None)),
        ("MAPS_MUS-chpn_op7_1_ENSTDkAm", ("ENSTDkAm", "MUS", "", None, None, None)),
    ],
)
def test_names_of_all_subsets(stem, told):
    name = parse_name(stem)
    assert (name.instrument, name.subset, name.loudness, name.pedal, name.pitch, name.duration_s) == told
    assert stem == f"MAPS_{name.music}_{name.instrument}"


def test_other_names_are_none_of_its():
    for stem in ("MAPS_ISOL_NO_M_S2_M36_X", "MAPS_ISOL_QQ_M_S0_M36_X", "ISOL_NO_M_S0_M36_X", "MAPS_MUS-x", "song", ""):
        assert parse_name(stem) is None


@pytest.mark.parametrize(
    "text",
    [
        "OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1\t60\n1\t2.25\t64\n",
        "\ufeffOnsetTime OffsetTime MidiPitch\r\n0.5 1 60\r\n\r\n1.000 2.25 64\r\n\r\n",
        "0.5\t1\t60\n1\t2.25\t64",
        "0,5\t1,0\t60\n1,0\t2,25\t64\n",
        "0.5;1;60\n1;2.25;64\n",
        "OnsetTime,OffsetTime,MidiPitch\n0.5,1,60\n1,2.25,64\n",
        "1\t2.25\t64\n0.5\t1\t60.0\n",
    ],
)
def test_annotations_are_read_leniently(tmp_path: Path, text):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8", newline="")
    notes = read_annotation(tmp_path / "a.txt")
    assert notes[["onset_s", "offset_s", "pitch"]].tolist() == [(0.5, 1.0, 60), (1.0, 2.25, 64)]


@pytest.mark.parametrize(
    "text, said",
    [
        ("OnsetTime OffsetTime MidiPitch\n", "holds no notes"),
        ("0.5 1 60\nx y z\n", "line 2 is 'x y z'"),
        ("0.5 0.2 60\n", "expected 0 <= onset <= offset"),
        ("0.5 1 300\n", "a pitch from 0 to 127"),
        ("0.5 nan 60\n", "expected 0 <= onset"),
    ],
)
def test_bad_annotations(tmp_path: Path, text, said):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_annotation(tmp_path / "a.txt")


def test_odd_and_missing_companions_are_reported(tmp_path: Path):
    def item(stem: str, *endings: str) -> None:
        for ending in endings:
            if ending in ("wav", "flac"):
                soundfile.write(tmp_path / f"{stem}.{ending}", np.zeros((800, 2)), 8000)
            else:
                (tmp_path / f"{stem}.{ending}").write_text("0.01 0.05 60\n")

    item("MAPS_ISOL_NO_M_S0_M36_A", "wav", "txt")
    item("MAPS_ISOL_NO_M_S0_M37_A", "wav", "flac", "txt", "mid")
    item("MAPS_ISOL_NO_M_S0_M38_A", "wav")
    item("MAPS_ISOL_NO_M_S0_M39_A", "txt")
    item("MAPS_ISOL_NO_M_S0_M40_A", "flac", "mid")
    item("a song", "wav", "txt")
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "MAPS_ISOL_NO_M_S0_M36_A.wav", tmp_path / "copy")
    shutil.copy(tmp_path / "MAPS_ISOL_NO_M_S0_M36_A.txt", tmp_path / "copy")
    items, skipped = find_items(tmp_path)
    assert [(found.name.pitch, found.sound.suffix, found.annotation.suffix) for found in items] == [
        (36, ".wav", ".txt"), (37, ".wav", ".txt"), (40, ".flac", ".mid"),
    ]  # fmt: skip
    reasons = {entry.source: entry.reason for entry in skipped}
    assert reasons == {
        "MAPS_ISOL_NO_M_S0_M37_A.flac": "MAPS_ISOL_NO_M_S0_M37_A.wav is taken in its place",
        "MAPS_ISOL_NO_M_S0_M38_A.wav": "has no annotation (.txt or .mid) beside it",
        "MAPS_ISOL_NO_M_S0_M39_A.txt": "has no sound (.wav or .flac) beside it",
        "a song.wav": "has none of MAPS's names",
        "MAPS_ISOL_NO_M_S0_M36_A.wav": "is there already, as MAPS_ISOL_NO_M_S0_M36_A.wav",
    }
    with pytest.raises(FileNotFoundError, match="no folder"):
        find_items(tmp_path / "nowhere")


def test_the_same_music_is_known_by_its_notes():
    one = make_notes([0.5, 1.0, 1.0], [1, 2, 2], [60, 64, 67], [64] * 3)
    later = one.copy()
    later["onset_s"] += [0.21, 0.2, 0.19]
    assert same_music(one, later).tolist() == [0, 1, 2]
    later["onset_s"][2] += 0.2
    assert same_music(one, later) is None and same_music(one, one[:2]) is None


@pytest.fixture(scope="module")
def two_pianos(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("maps-like")
    settings = IsolSettings(
        subsets=("NO", "ST", "CH", "TR1"), loudness=("F",), pitches=(48, 60), durations_s=(0.1,), sample_rate_hz=32000
    )
    make_isol(root, "timgm6mb:0", settings, code="One")
    make_isol(root, "timgm6mb:1", settings, code="Two")
    return root


def test_recordings_of_two_instruments_are_paired(two_pianos: Path, tmp_path: Path):
    result = import_maps(two_pianos, tmp_path / "s.zarr", MapsSettings(references="One"), workers=1)
    assert not result.skipped and not validate(tmp_path / "s.zarr")
    store = open_store(tmp_path / "s.zarr")
    assert set(store.instruments["name"]) == {"One", "Two"} and result.pieces == 13 + 13 + 1 + 3
    used = store.instruments["name"]
    assert set(used[store.renditions["instrument"][store.pairs["reference_rendition"]]]) == {"One"}
    assert set(used[store.renditions["instrument"][store.pairs["snippet_rendition"]]]) == {"Two"}
    assert set(store.pieces["licence"]) == {"CC0-1.0"} and set(store.pieces["split"]) == {"test"}
    reader = PairReader(store, "test")
    batch = reader.batch(slice(None))
    found = BASELINES["matched-filter"].scores(batch.reference, batch.snippet).argmax(axis=1)
    assert (np.abs(found - batch.target_frame) <= 2)[reader.lookalikes == 0].mean() > 0.8


def test_rendered_references_subsets_and_shares(two_pianos: Path, tmp_path: Path):
    settings = MapsSettings(snippets=("Two",), subsets=("ISOL/CH", "ISOL/ST"), split="shares")
    result = import_maps(two_pianos, tmp_path / "s.zarr", settings, workers=1)
    store = open_store(tmp_path / "s.zarr")
    assert result.pieces == 14 and set(store.instruments["name"]) == {"timgm6mb:0", "Two"}
    assert set(store.notes["velocity"]) == {64} and set(store.pieces["split"]) == {"train", "validation", "test"}
    assert not validate(tmp_path / "s.zarr")


def test_damaged_items_are_skipped(two_pianos: Path, tmp_path: Path):
    shutil.copytree(two_pianos / "Two" / "ISOL" / "ST", tmp_path / "part")
    files = sorted((tmp_path / "part").glob("*.wav"))
    files[0].write_bytes(b"RIFF nothing")
    files[1].with_name(files[1].stem + ".txt").write_text("x\ny\n")
    soundfile.write(files[2], np.zeros(2000), 22050)
    result = import_maps(tmp_path / "part", tmp_path / "s.zarr", workers=1)
    assert result.pieces == len(files) - 3
    reasons = sorted(entry.reason for entry in result.skipped)
    assert len(reasons) == 3 and any("cannot be read as sound" in reason for reason in reasons)
    assert any("its last note begins at" in reason for reason in reasons)


def test_bad_settings(two_pianos: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="subset 'ISOL/XX'"):
        MapsSettings(subsets=("ISOL/XX",))
    with pytest.raises(ValueError, match="split 'dev'"):
        MapsSettings(split="dev")
    with pytest.raises(ValueError, match="is none of One, Two"):
        import_maps(two_pianos, tmp_path / "s.zarr", MapsSettings(references="Three"))
    with pytest.raises(ValueError, match="expected some of One, Two"):
        import_maps(two_pianos, tmp_path / "s.zarr", MapsSettings(snippets=("Three",)))
    with pytest.raises(ValueError, match="holds no sound of MAPS in subsets MUS"):
        import_maps(two_pianos, tmp_path / "s.zarr", MapsSettings(subsets=("MUS",)))


def test_the_command(two_pianos: Path, tmp_path: Path):
    arguments = ["import", "maps", str(two_pianos), "-o", str(tmp_path / "s.zarr"), "--subsets", "ISOL/CH"]
    done = CliRunner().invoke(main, [*arguments, "--workers", "1", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {"store", "pieces", "renditions", "pairs", "audio_s", "elapsed_s", "skipped"} <= set(told)
    assert (told["pieces"], told["renditions"]) == (1, 3)


def test_real_samples(shared_data: Path, tmp_path: Path):
    items, skipped = find_items(shared_data / "maps-isol")
    assert len(items) == 9 and not skipped
    assert all(item_notes(item)["pitch"].tolist() == [item.name.pitch] for item in items)
    pieces, _ = find_items(shared_data / "maps-mus")
    assert len(pieces) == 11 and {item.name.instrument for item in pieces} == {"AkPnBcht", "AkPnBsdf", "StbgTGd2"}
    for name, count in (("maps-isol", 9), ("maps-mus", 7)):
        result = import_maps(shared_data / name, tmp_path / f"{name}.zarr", workers=1)
        assert result.pieces == count and not result.skipped
        assert not validate(tmp_path / f"{name}.zarr")
