"""Sets shaped like MAPS's isolated notes: what they hold, and that annotations say when it sounds."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sfdata.cli import main
from sfdata.effects import RoomSettings
from sfdata.isol import STYLES, IsolSettings, draw_items, item_keys, sounding
from sfdata.isol_files import make_isol
from sfdata.maps import find_items, item_notes
from sfdata.midi import MidiSettings, read_piece
from sfdata.render import RenderSettings
from sfdata.sound import SoundSettings

SMALL = IsolSettings(loudness=("M",), pitches=(60, 63), durations_s=(0.1,), pedal="both", seed=5)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("isol")
    make_isol(root, "timgm6mb:0", SMALL, code="Piano")
    return root


def test_names_and_folders_are_those_of_maps(small: Path):
    items, skipped = find_items(small)
    assert not skipped and {item.name.subset for item in items} == {f"ISOL/{style}" for style in STYLES}
    by_style = {style: sum(item.name.subset == f"ISOL/{style}" for item in items) for style in STYLES}
    assert by_style == {"NO": 8, "LG": 8, "ST": 8, "RE": 2, "CH": 1, "TR1": 2, "TR2": 2}  # a quarter of RE and trills
    for item in items:
        assert item.sound.parent.name == item.name.subset.split("/")[1] and item.name.instrument == "Piano"
        assert item.sound.with_name(item.sound.name.removesuffix(".wav") + ".mid").is_file()
    scale = next(item for item in items if item.name.subset == "ISOL/CH")
    assert item_notes(scale)["pitch"].tolist() == [60, 61, 62, 63, 62, 61, 60]
    assert np.allclose(np.diff(item_notes(scale)["onset_s"]), 0.1, atol=64 / 44100)


def test_it_sounds_from_the_annotated_onset_on(small: Path):
    for item in find_items(small / "Piano" / "ISOL" / "ST")[0]:
        samples, rate = soundfile.read(item.sound)
        notes = item_notes(item)
        first = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())[0] / rate
        assert rate == 44100 and 0 <= first - notes["onset_s"][0] < 0.01
        assert not samples[: int(notes["onset_s"][0] * rate)].any()


def test_midi_and_annotation_say_the_same(small: Path):
    for item in find_items(small)[0]:
        stem = item.sound.name.removesuffix(".wav")
        piece = read_piece(item.sound.with_name(f"{stem}.mid"), MidiSettings(pedal=True))
        notes = item_notes(item)
        assert piece.notes["pitch"].tolist() == notes["pitch"].tolist()
        assert np.abs(piece.notes["onset_s"] + piece.cut_s - notes["onset_s"]).max() < 2e-4
        assert np.abs(piece.notes["offset_s"] + piece.cut_s - notes["offset_s"]).max() < 2e-3


def test_the_pedal_by_hand():
    keys, pedal = item_keys({"style": "TR1", "pedal": 1, "pitch": 60, "velocity": 70})
    assert keys["pitch"].tolist() == [60, 61] * 12 and pedal == (0.5, pytest.approx(3.3))
    held = sounding(keys, pedal)
    assert held["offset_s"][0] == pytest.approx(keys["onset_s"][2])  # until the key is struck again
    assert held["offset_s"][-1] == pytest.approx(3.3)


def test_two_instruments_play_the_same_and_a_seed_gives_the_same_bytes(small: Path, tmp_path: Path):
    make_isol(tmp_path, "timgm6mb:0", SMALL, code="Piano")
    make_isol(tmp_path, "timgm6mb:4", SMALL, code="Other")
    files = {file.relative_to(small): file.read_bytes() for file in small.rglob("*") if file.is_file()}
    again = {
        file.relative_to(tmp_path): file.read_bytes() for file in (tmp_path / "Piano").rglob("*") if file.is_file()
    }
    assert files == again
    drawn = [json.loads((tmp_path / code / "instrument.json").read_text()) for code in ("Piano", "Other")]
    plain = [[{k: v for k, v in item.items() if k != "gain"} for item in one["items"]] for one in drawn]
    assert plain[0] == plain[1]
    assert draw_items(SMALL) != draw_items(IsolSettings(**{**vars(SMALL), "seed": 6}))


def test_an_instrument_in_a_room(small: Path, tmp_path: Path):
    room = SoundSettings(room=RoomSettings(rt60_s=(1.5, 1.5), drr_db=(0.0, 0.0)))
    make_isol(tmp_path, "timgm6mb:0", IsolSettings(**{**vars(SMALL), "subsets": ("ST",)}), code="Church", sound=room)
    about = json.loads((tmp_path / "Church" / "instrument.json").read_text())
    assert about["sound"]["operations"][0]["rt60_s"] == 1.5
    (item, *_), _ = find_items(tmp_path)
    wet, rate = soundfile.read(item.sound)
    dry, _ = soundfile.read(str(item.sound).replace(str(tmp_path), str(small)).replace("Church", "Piano"))
    late = slice(int((item_notes(item)["offset_s"][0] + 0.5) * rate), None)
    assert np.abs(wet[late]).mean() > 3 * np.abs(dry[late]).mean()
    assert not wet[: int(item_notes(item)["onset_s"][0] * rate)].any()


def test_the_command(tmp_path: Path):
    arguments = ["isol", "-o", str(tmp_path), "--subsets", "ISOL/CH", "--loudness", "F", "--pitches", "60-62", "--json"]
    done = CliRunner().invoke(
        main, [*arguments, "--duration", "0.1", "--format", "flac", "--recipe", "pipelines/human.toml"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"written": 1, "skipped": []}
    assert [file.name for file in tmp_path.rglob("*.flac")] == ["MAPS_ISOL_CH0.1_F_timgm6mb-0.flac"]
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2 and "exists already" in again.output


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"subsets": ("XX",)}, "subsets XX; expected some of NO"),
        ({"loudness": ()}, "loudness none"),
        ({"pedal": "half"}, "pedal half"),
        ({"pitches": (60, 50)}, "pitches 60-50"),
        ({"durations_s": (0.0,)}, "durations_s"),
        ({"sample_rate_hz": 44101}, "divides by 4"),
    ],
)
def test_bad_settings(settings, said):
    with pytest.raises(ValueError, match=said):
        IsolSettings(**settings)


def test_sounds_ring_out_as_long_as_is_said(small: Path, tmp_path: Path):
    settings = IsolSettings(**{**vars(SMALL), "subsets": ("ST",)})
    make_isol(tmp_path, "timgm6mb:0", settings, code="Piano", rendering=RenderSettings(tail_s=3.0))
    for file in sorted(tmp_path.rglob("*.wav")):
        short = soundfile.info(next(small.rglob(file.name)))
        assert soundfile.info(file).duration - short.duration == pytest.approx(1.5, abs=0.003)
