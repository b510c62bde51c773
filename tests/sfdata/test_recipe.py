import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from sfdata.isol import IsolSettings, draw_items
from sfdata.recipe import Recipe, read_recipe, recipe_from_dict
from sfdata.shipped_files import shipped_file


def test_shipped_recipes_are_found_by_name_and_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    files = sorted(shipped_file("pipelines").glob("*.toml"))
    recipes = [path for path in files if "[training]" not in path.read_text()]  # without what sfmodel reads
    assert 0 < len(recipes) < len(files)
    for path in recipes:
        recipe = read_recipe(f"pipelines/{path.name}")
        assert recipe_from_dict(json.loads(json.dumps(recipe.as_dict())), recipe.folder) == recipe
        for source in recipe.sources:
            assert recipe.source_path(source).exists()


def test_defaults():
    assert recipe_from_dict({}) == Recipe()


@pytest.mark.parametrize(
    "text, said",
    [
        ("seed = ", "no TOML"),
        ("speed = 3", "no key or section speed"),
        ("seed = -1", "seed"),
        ("[spectrogram]\nbins = 3", r"\[spectrogram\] has no key bins; expected some of sample_rate_hz"),
        ("[spectrogram]\nn_fft = 'big'", r"n_fft = 'big'; expected int"),
        ("[render]\ntail_s = true", "expected finite float"),
        ("[render]\ntail_s = nan", "expected finite float"),
        ("[augment]\ntranspose = [0.5, 3]", "expected int"),
        ("[augment]\ntempo = [1, inf]", "expected finite float"),
        ("[instruments]\nreferences = [1]", "expected str"),
        ("[augment]\ntempo = 1", "factor = 1; expected a list"),
        ("[[sources]]\nlicence = 'x'", r"\[sources\] lacks midi"),
        ("[augment]\ntempo = [1.2, 0.8]", "tempo"),
        ("[voices]\nmethod = 'magic'", "skyline"),
        ("[instruments]\nsnippets = []", "one or more"),
        ("[store]\nshard_frames = 1000", "no multiple"),
        ("midi = 3", "expected a table"),
        ("[[sources]]\nmidi = 'x'\nsplit = 'dev'", "train, validation, test"),
        ("sources = 3", "expected .*tables"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text, said):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_recipe(tmp_path / "r.toml")


def test_no_such_recipe():
    with pytest.raises(FileNotFoundError, match=r"pipelines/demo.toml") as caught:
        read_recipe("nothing.toml")
    assert "paper-gmp.toml" in str(caught.value) and "table3" not in str(caught.value)


def test_the_papers_recipes_agree():
    names = ("maps-ch-st", "maps-ch-st-by-scale", "maps-isol", "gmp", "gmp-unseen")
    recipes = {name: read_recipe(f"pipelines/paper-{name}.toml") for name in names}
    assert all(recipe.name == f"paper-{name}" for name, recipe in recipes.items())
    # One network reads them all.
    assert len({recipe.spectrogram for recipe in recipes.values()}) == 1
    assert len({recipe.windows for recipe in recipes.values()}) == 1
    assert {name: recipe.splits.by for name, recipe in recipes.items()} == {
        "maps-ch-st": "onset",
        "maps-ch-st-by-scale": "piece",
        "maps-isol": "onset",
        "gmp": "onset",
        "gmp-unseen": "work",
    }
    one, other = recipes["maps-ch-st"].maps, recipes["maps-ch-st-by-scale"].maps
    assert one and other and replace(other, split="shares", validation=(), test=()) == one
    gmp, unseen = recipes["gmp"], recipes["gmp-unseen"]
    assert (gmp.instruments, gmp.voices, gmp.augment) == (unseen.instruments, unseen.voices, unseen.augment)
    assert not {source.midi for source in gmp.sources} & {source.midi for source in unseen.sources}
    assert {source.split for source in unseen.sources} == {"test"} and len(gmp.sources) == len(unseen.sources) == 3


def test_the_papers_scales_and_notes_are_shared_out_by_name():
    maps = read_recipe("pipelines/paper-maps-ch-st-by-scale.toml").maps
    assert maps
    items = draw_items(IsolSettings(subsets=("CH", "ST")))
    splits = {item["music"]: maps.split_of(item["music"]) for item in items}
    counts = Counter((item["style"], splits[item["music"]]) for item in items)
    assert counts == {
        ("CH", "train"): 6, ("CH", "validation"): 1, ("CH", "test"): 2,
        ("ST", "train"): 162, ("ST", "validation"): 51, ("ST", "test"): 51,
    }  # fmt: skip
    # Neither a tempo nor a key's staccato note is in training at another loudness.
    kept = {music for music, split in splits.items() if "CH" in music and split != "train"}
    assert kept == {f"ISOL_CH0.1_{loudness}" for loudness in "PMF"}
    of_key: dict[int, set[str]] = {}
    for item in items:
        if item["style"] == "ST":
            of_key.setdefault(item["pitch"], set()).add(splits[item["music"]])
    assert len(of_key) == 88 and all(len(found) == 1 for found in of_key.values())
