"""A recipe's [maps]: splits by name, and stand-ins for instruments that are not at hand."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata import open_store
from sfdata.cli import main
from sfdata.import_maps import import_maps
from sfdata.isol import STYLES, IsolSettings
from sfdata.isol_files import isol_subsets, make_isol, make_stand_ins
from sfdata.maps_settings import MapsSettings, StandIn
from sfdata.recipe import Recipe, read_recipe, recipe_from_dict
from sfdata.render import read_audio
from sfdata.spectrogram import spectrogram
from sfdata.splits import SplitSettings
from sfdata.validate import remarks, validate
from sfdata.verify import verify

ITEMS = MapsSettings(split="items", validation=("ISOL_CH0.1_P", "ISOL_ST_*[13579]"), test=("ISOL_CH0.1_F",))
TINY = IsolSettings(subsets=("CH", "ST"), loudness=("P", "F"), pitches=(60, 67), durations_s=(0.1, 0.3))
RECIPE = """
[maps]
references = "RealOne"
snippets = ["RealOne"]
subsets = ["ISOL/CH", "ISOL/ST"]
split = "items"
validation = ["ISOL_CH0.1_P"]
test = ["ISOL_CH0.1_F", "ISOL_ST_F_S?_M*[13579]"]

[maps.stand_ins.RealOne]
code = "Instead"
soundfont = "timgm6mb:1"

[maps.stand_ins.RealOne.sound.room]
rt60_s = [0.5, 0.5]

[splits]
by = "piece"
"""


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "r.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def instead(tmp_path_factory, recipe_file) -> Path:
    root = tmp_path_factory.mktemp("maps-like")
    assert make_stand_ins(root, read_recipe(recipe_file), TINY).written == 4 + 16
    return root


def test_items_are_split_by_their_names():
    names = ["ISOL_CH0.1_P", "ISOL_CH0.1_F", "ISOL_CH0.3_F", "ISOL_ST_P_S0_M61", "ISOL_ST_P_S1_M60"]
    splits = ["validation", "test", "train", "validation", "train"]
    assert [ITEMS.split_of(name) for name in names] == splits
    ITEMS.check_names(names)
    for split, said in (("shares", ""), ("train", "train")):
        other = replace(ITEMS, split=split)
        assert {other.split_of(name) for name in names} == {said}
        other.check_names([])
    with pytest.raises(ValueError, match="for validation and for test"):
        replace(ITEMS, test=("*",)).split_of("ISOL_CH0.1_P")
    with pytest.raises(ValueError, match=r"none of 1 items is named by test = \['ISOL_CH0.1_F'\]"):
        ITEMS.check_names(names[:1])


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"split": "scale"}, "expected one of train, validation, test, shares, items"),
        ({"split": "items"}, "expected validation = "),
        ({"stand_ins": {"A": StandIn("A", "timgm6mb:0")}}, "stand-ins A for A; expected codes of their own"),
        ({"stand_ins": {"A": StandIn("X", "a"), "B": StandIn("X", "b")}}, "stand-ins X, X for A, B"),
    ],
)
def test_bad_settings(settings, said):
    with pytest.raises(ValueError, match=said):
        MapsSettings(**settings)


@pytest.mark.parametrize(
    "table, said",
    [
        ({"stand_ins": {"A": {"code": "X"}}}, r"\[maps.stand_ins.A\] lacks soundfont"),
        ({"stand_ins": {"A": {"code": "X", "soundfont": "a", "font": 1}}}, r"\[maps.stand_ins.A\] has no key font"),
        ({"stand_ins": ["A"]}, r"\[maps.stand_ins\] is \['A'\]; expected a table of tables"),
        ({"stand_ins": {"A": {"code": "X", "soundfont": "a", "sound": {"room": {"rt60_s": [99, 99]}}}}}, "rt60_s"),
        ({"references": ["A"]}, r"\[maps\] references = \['A'\]; expected str"),
    ],
)
def test_what_does_not_fit_is_named(table, said):
    with pytest.raises(ValueError, match=said):
        recipe_from_dict({"maps": table})


def test_recipes_without_maps_say_nothing_of_it():
    assert recipe_from_dict({}).maps is None and "maps" not in Recipe().as_dict()


def test_styles_of_subsets():
    assert isol_subsets(MapsSettings(subsets=("ISOL",))) == STYLES
    with pytest.raises(ValueError, match="subsets are MUS; expected some of ISOL"):
        isol_subsets(MapsSettings(subsets=("MUS",)))


def test_only_those_that_are_lacking_are_stood_in_for():
    one, other = StandIn("X", "timgm6mb:0"), StandIn("Y", "timgm6mb:1")
    settings = MapsSettings("A", ("A", "B", "C"), stand_ins={"A": one, "B": other})
    assert settings.standing_in({"A", "X", "Y"}) == {"B": other}
    assert settings.standing_in({"A", "B"}) == {} == settings.standing_in(set())
    swapped = settings.with_stand_ins({"B": other})
    assert (swapped.references, swapped.snippets, swapped.stand_ins) == ("A", ("A", "Y", "C"), {"B": other})


def test_recordings_are_split_by_name(instead, recipe_file, tmp_path):
    recipe = read_recipe(recipe_file)
    result = import_maps(instead, tmp_path / "s.zarr", recipe=recipe, workers=1)
    assert result.stand_ins == {"RealOne": "Instead"} and result.pieces == 20
    store = open_store(tmp_path / "s.zarr")
    splits = dict(zip(store.pieces["title"], store.pieces["split"], strict=True))
    assert splits["ISOL CH0.1 P"] == "validation" and splits["ISOL CH0.1 F"] == "test"
    assert splits["ISOL CH0.3 P"] == splits["ISOL CH0.3 F"] == "train"
    of_notes = {title: split for title, split in splits.items() if title.startswith("ISOL ST")}
    assert len(of_notes) == 16
    for title, split in of_notes.items():
        assert split == ("test" if title.split()[2] == "F" and int(title[-2:]) % 2 else "train")
    of_piece = store.pieces["split"][store.pair_pieces(np.arange(store.rows("pairs")))]
    assert np.array_equal(np.array(("train", "validation", "test"))[store.pairs["split"]], of_piece)
    assert list(store.instruments["name"]) == ["Instead"]
    recorded = store.attrs["recipe"]["maps"]
    assert recorded["references"] == "Instead" and recorded["split"] == "items"
    assert recorded["stand_ins"]["RealOne"]["soundfont"] == "timgm6mb:1"
    assert not validate(tmp_path / "s.zarr")
    assert [text.split(":")[0] for text in remarks(tmp_path / "s.zarr")] == ["splits are by piece"]
    assert verify(tmp_path / "s.zarr", sample=10).verified
    assert recipe_from_dict(store.attrs["recipe"] | {"sources": []}).maps == recipe.maps.with_stand_ins(
        recipe.maps.stand_ins
    )


def test_works_in_two_splits_are_leaks_unless_the_recipe_says_so(instead, recipe_file, tmp_path):
    import zarr

    import_maps(instead, tmp_path / "s.zarr", recipe=read_recipe(recipe_file), workers=1)
    group = zarr.open_group(tmp_path / "s.zarr", mode="r+")
    recipe = dict(group.attrs["recipe"])
    group.attrs["recipe"] = recipe | {"splits": recipe["splits"] | {"by": "work"}}
    found = validate(tmp_path / "s.zarr")
    assert found and {problem.check for problem in found} == {"leak"}


def test_names_need_splits_by_piece(instead, recipe_file, tmp_path):
    recipe = replace(read_recipe(recipe_file), splits=SplitSettings())
    with pytest.raises(ValueError, match=r"'items' with .* by = 'work'.*expected by = 'piece'"):
        import_maps(instead, tmp_path / "s.zarr", recipe=recipe)


def test_shares_by_onset(instead, recipe_file, tmp_path):
    recipe = read_recipe(recipe_file)
    recipe = replace(recipe, maps=replace(recipe.maps, split="shares"), splits=SplitSettings(by="onset"))
    for workers in (1, 2):
        import_maps(instead, tmp_path / f"{workers}.zarr", recipe=recipe, workers=workers)
    one, two = open_store(tmp_path / "1.zarr"), open_store(tmp_path / "2.zarr")
    assert one.attrs == two.attrs and set(one.pieces["split"]) == {"all"}
    assert set(one.pairs["split"][one.pair_pieces(np.arange(one.rows("pairs"))) == 0]) >= {0}
    assert set(one.pairs["split"]) == {0, 1, 2}
    assert not validate(tmp_path / "1.zarr") and verify(tmp_path / "1.zarr", sample=20).verified


def test_the_instrument_itself_goes_before_its_stand_in(instead, recipe_file, tmp_path):
    shutil.copytree(instead, tmp_path / "both")
    make_isol(tmp_path / "both", "timgm6mb:0", TINY, code="RealOne")
    result = import_maps(tmp_path / "both", tmp_path / "s.zarr", recipe=read_recipe(recipe_file), workers=1)
    store = open_store(tmp_path / "s.zarr")
    assert not result.stand_ins and list(store.instruments["name"]) == ["RealOne"]
    assert store.attrs["recipe"]["maps"]["stand_ins"] == {}
    make_isol(tmp_path / "third", "timgm6mb:0", TINY, code="Other")
    with pytest.raises(
        ValueError, match=r"neither RealOne nor its stand-in Instead is among Other.*makes the stand-ins"
    ):
        import_maps(tmp_path / "third", tmp_path / "t.zarr", recipe=read_recipe(recipe_file))


def test_stand_ins_are_made_once(instead, recipe_file, tmp_path):
    recipe = read_recipe(recipe_file)
    about = json.loads((instead / "Instead" / "instrument.json").read_text())
    assert about["soundfont"]["name"] == "timgm6mb:1" and about["sound"]["operations"][0]["rt60_s"] == 0.5
    shutil.copytree(instead, tmp_path / "again")
    assert make_stand_ins(tmp_path / "again", recipe, TINY).written == 0
    with pytest.raises(ValueError, match="exists already"):
        make_stand_ins(tmp_path / "again", recipe, replace(TINY, seed=1))
    assert make_stand_ins(tmp_path / "again", recipe, replace(TINY, loudness=("F",)), overwrite=True).written == 10
    with pytest.raises(ValueError, match="names no stand-ins"):
        make_stand_ins(tmp_path, Recipe(), TINY)


def test_the_commands(recipe_file, tmp_path):
    made, told = str(tmp_path / "maps-like"), ["--recipe", str(recipe_file)]
    small = ["--pitches", "60-67", "--duration", "0.1", "--json"]
    done = CliRunner().invoke(main, ["isol", "-o", made, *told, *small])
    assert done.exit_code == 0 and json.loads(done.stdout)["written"] == 3 + 3 * 8, done.output
    assert {path.name for path in (tmp_path / "maps-like" / "Instead" / "ISOL").iterdir()} == {"CH", "ST"}
    refused = CliRunner().invoke(main, ["isol", "-o", made, *told, "--code", "X"])
    assert refused.exit_code == 2 and "without a soundfont" in refused.output
    done = CliRunner().invoke(main, ["import", "maps", made, "-o", str(tmp_path / "s.zarr"), *told, "--workers", "1"])
    assert done.exit_code == 0 and "Instead stands in for RealOne" in done.output, done.output
    assert len(set(open_store(tmp_path / "s.zarr").pieces["split"])) == 3
    options = ["--split", "train", "--subsets", "ISOL/CH", "--workers", "1", "--json"]
    done = CliRunner().invoke(main, ["import", "maps", made, "-o", str(tmp_path / "t.zarr"), *told, *options])
    assert done.exit_code == 0 and json.loads(done.stdout)["stand_ins"] == {"RealOne": "Instead"}, done.output
    store = open_store(tmp_path / "t.zarr")
    assert set(store.pieces["split"]) == {"train"} and store.rows("pieces") == 3


def test_silence_before_items(instead, tmp_path):
    rate, plain = 22050, MapsSettings("Instead", ("Instead",), ("ISOL/ST",), split="shares")
    recipe = Recipe(seed=3, splits=SplitSettings(by="onset"))
    led = replace(plain, lead_s=(0.0, 10.0))
    for name, settings in (("plain", plain), ("led", led)):
        import_maps(instead, tmp_path / f"{name}.zarr", settings, recipe, workers=1)
        assert not validate(tmp_path / f"{name}.zarr")
    one, two = open_store(tmp_path / "plain.zarr"), open_store(tmp_path / "led.zarr")
    assert set(one.pieces["cut_s"]) == {0.0} and set(np.rint(one.pairs["target_frame"])) == {10.0, 14.0}
    samples = np.rint(-two.pieces["cut_s"] * rate)
    assert not (samples % 64).any() and samples.min() >= 0 and samples.max() <= 10 * rate + 32
    assert len(set(two.pieces["cut_s"])) == 16 and np.ptp(samples) > 5 * rate
    assert len(set(np.rint(two.pairs["target_frame"]))) > 10
    for piece in range(16):  # renditions and performances stand in the order of pieces: one of each
        assert np.allclose(
            two.note_array(piece)["onset_s"] + two.pieces["cut_s"][piece], one.note_array(piece)["onset_s"], atol=1e-9
        )
        sound = next(instead.rglob(str(two.pieces["file"][piece])))
        heard = np.concatenate([np.zeros(round(samples[piece]), dtype=np.float32), read_audio(sound, rate)])
        frames = spectrogram(heard, two.spectrogram)
        assert np.array_equal(frames.astype(two.frames.dtype), two.rendition_frames(piece)[: len(frames)])


def test_silence_is_the_same_for_all_that_play_an_item(instead, tmp_path):
    settings = MapsSettings("timgm6mb:0", ("Instead",), ("ISOL/ST",), lead_s=(1, 3))
    recipe = Recipe(seed=3)
    import_maps(instead, tmp_path / "s.zarr", settings, recipe, workers=1)
    store = open_store(tmp_path / "s.zarr")
    drawn = {settings.lead_samples(f"ISOL_ST_P_S0_M{pitch}", 3, 22050) for pitch in range(60, 68)}
    assert len(drawn) == 8 and all(22050 - 32 <= lead <= 3 * 22050 + 32 for lead in drawn)
    onset = {
        role: store.notes["onset_s"][store.performances["first_note"][store.performances["role"] == role]]
        for role in ("score", "variant")
    }
    if len(onset["variant"]):  # annotated times are those of the file's grid, the score's those of the store's
        assert np.abs(onset["variant"] - onset["score"]).max() < 0.003
    found = verify(tmp_path / "s.zarr", sample=16)  # the rendered side is made again, silence and all
    assert found.verified and found.renditions == 16
    assert not validate(tmp_path / "s.zarr")


@pytest.mark.parametrize("lead_s", [(-1, 2), (3, 2), (0, 61), (1,)])
def test_bad_silence(lead_s):
    with pytest.raises(ValueError, match="expected two numbers from 0 to 60, the lower first"):
        MapsSettings(lead_s=lead_s)
