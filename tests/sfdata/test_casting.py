"""Pools of instruments: drawn for each performance, others in the test split, and proved to be so."""

import json
from dataclasses import replace

import numpy as np
import pytest
import zarr

from sfdata import open_store
from sfdata.build import build
from sfdata.casting import cast_piece, resolve_pools
from sfdata.effects import GainSettings, NoiseSettings, RoomSettings, TuningSettings
from sfdata.outline import outline_of
from sfdata.plan import plan_piece
from sfdata.recipe import InstrumentSettings, SourceSettings
from sfdata.schema import array_sha256
from sfdata.sound import SoundSettings
from sfdata.validate import validate

POOLS = InstrumentSettings(
    references=("timgm6mb:0",),
    snippets=("timgm6mb:1-4",),
    test_snippets=("timgm6mb:5,6",),
    draw_snippets=2,
)
LIVELY = SoundSettings(
    tuning=TuningSettings((-30.0, 30.0)),
    room=RoomSettings(rt60_s=(0.2, 0.5), drr_db=(6.0, 12.0)),
    noise=NoiseSettings(snr_db=(40.0, 60.0)),
    gain=GainSettings((-6.0, 6.0)),
)


@pytest.fixture(scope="module")
def pooled_store(tmp_path_factory, small_recipe, short_midi):
    path = tmp_path_factory.mktemp("pools") / "s.zarr"
    build(replace(small_recipe, instruments=POOLS, sound=LIVELY), path, short_midi, workers=1)
    return path


def test_the_test_split_hears_other_instruments(pooled_store):
    store = open_store(pooled_store)
    assert not validate(pooled_store, instruments=True)
    split = store.pieces["split"][store.performances["piece"][store.renditions["performance"]]]
    name = store.instruments["name"][store.renditions["instrument"]]
    role = store.performances["role"][store.renditions["performance"]]
    snippets = {one: set(name[(split == one) & (role == "variant")]) for one in ("train", "validation", "test")}
    assert snippets["test"] == {"timgm6mb:5", "timgm6mb:6"}
    assert len(snippets["train"]) == 2 and snippets["train"] <= {f"timgm6mb:{program}" for program in range(1, 5)}
    assert set(name[role == "score"]) == {"timgm6mb:0"}
    kept_to = dict(zip(store.instruments["name"], store.instruments["split"], strict=True))
    assert kept_to["timgm6mb:0"] == "all" and kept_to["timgm6mb:5"] == "test"
    assert all(kept_to[one] == "train" for one in snippets["train"])


def test_sound_is_recorded_and_only_snippets_get_it(pooled_store):
    store = open_store(pooled_store)
    role = store.performances["role"][store.renditions["performance"]]
    records = [json.loads(text) for text in store.renditions["sound"]]
    for record, of, room, gain in zip(records, role, store.renditions["room"], store.renditions["gain"], strict=True):
        if of == "score":
            assert record == {} and room == "" and gain == 1
        else:
            assert [drawn["operation"] for drawn in record["operations"]] == ["tuning", "room", "noise", "gain"]
            assert room and 0.5 <= gain <= 2 and gain != 1
    assert len({json.dumps(record) for record in records}) == len(records) - 3 + 1  # every snippet its own


def test_an_instrument_in_the_wrong_split_is_found(pooled_store, tmp_path):
    import shutil

    copy = tmp_path / "copy.zarr"
    shutil.copytree(pooled_store, copy)
    group = zarr.open_group(copy, mode="r+")
    split = open_store(copy).instruments["split"].copy()
    split[split == "test"] = "train"
    group["instruments/split"][:] = split
    sums = dict(group.attrs["checksums"]) | {"instruments/split": array_sha256(split)}
    group.attrs["checksums"] = sums
    found = [problem.detail for problem in validate(copy) if problem.check == "leak"]
    assert found and all("is kept to train and plays snippets elsewhere" in detail for detail in found)


def test_snippets_in_two_splits_are_a_problem_when_asked(built_store):
    assert not validate(built_store)
    found = [problem.detail for problem in validate(built_store, instruments=True)]
    assert found == [
        "instrument timgm6mb:1 plays snippets in test and in another split",
        "instrument timgm6mb:4 plays snippets in test and in another split",
    ]


def test_drawing_depends_on_the_piece_alone(small_recipe, short_midi):
    recipe = replace(small_recipe, instruments=POOLS, sound=LIVELY)
    plan = outline_of(plan_piece(short_midi[0], SourceSettings("x"), recipe), recipe)
    pools = resolve_pools(POOLS)
    once, again = (cast_piece(plan, "train", recipe, pools).renditions for _ in range(2))
    assert once == again
    other = cast_piece(plan, "train", replace(recipe, seed=5), pools).renditions
    assert [rendition.sound for rendition in once] != [rendition.sound for rendition in other]
    test = cast_piece(plan, "test", recipe, pools).renditions
    assert {rendition.instrument.name for rendition in test} == {"timgm6mb:0", "timgm6mb:5", "timgm6mb:6"}


def test_all_of_a_pool_and_one_rendition_for_both_sides(small_recipe, short_midi):
    both = InstrumentSettings(references=("timgm6mb:0",), snippets=("timgm6mb:0", "timgm6mb:1"))
    recipe = replace(small_recipe, augment=replace(small_recipe.augment, copies=0), instruments=both)
    plan = outline_of(plan_piece(short_midi[0], SourceSettings("x"), recipe), recipe)
    made = cast_piece(plan, "train", recipe, resolve_pools(both)).renditions
    assert [(r.instrument.name, r.is_reference, r.is_snippet) for r in made] == [
        ("timgm6mb:0", True, True),
        ("timgm6mb:1", False, True),
    ]
    noisy = replace(recipe, sound=SoundSettings(noise=NoiseSettings()))  # then the reference must stay clean
    made = cast_piece(plan, "train", noisy, resolve_pools(both)).renditions
    assert [(r.is_reference, r.is_snippet, bool(r.sound)) for r in made] == [
        (True, False, False),
        (False, True, True),
        (False, True, True),
    ]


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"snippets": ("timgm6mb:1-3",), "test_snippets": ("timgm6mb:3",)}, "timgm6mb:3 in snippets and in test_"),
        ({"snippets": ()}, "expected one or more"),
        ({"draw_snippets": -1}, "draw_snippets"),
        ({"snippets": ("nofont:1",)}, "nofont"),
    ],
)
def test_bad_pools(settings, said):
    with pytest.raises(ValueError, match=said):
        resolve_pools(InstrumentSettings(**settings))


def test_a_font_kept_to_test_does_not_play_in_training(monkeypatch):
    import sfdata.casting

    real = sfdata.casting.resolve_pool
    monkeypatch.setattr(sfdata.casting, "resolve_pool", lambda names: [replace(i, split="test") for i in real(names)])
    with pytest.raises(ValueError, match=r"timgm6mb:0 plays in training, and the registry keeps it to test"):
        resolve_pools(InstrumentSettings(test_references=("timgm6mb:3",), test_snippets=("timgm6mb:2",)))


def test_renditions_of_one_piece_by_chance_cover_the_pool(small_recipe, short_midi):
    recipe = replace(small_recipe, instruments=replace(POOLS, draw_snippets=1))
    plan = outline_of(plan_piece(short_midi[0], SourceSettings("x"), recipe), recipe)
    pools = resolve_pools(recipe.instruments)
    heard = [
        rendition.instrument.program
        for seed in range(80)
        for rendition in cast_piece(plan, "train", replace(recipe, seed=seed), pools).renditions
        if rendition.is_snippet
    ]
    assert (np.bincount(heard, minlength=5)[1:] > 8).all()
