import json
from pathlib import Path

import pytest

from sfdata.recipe import Recipe, read_recipe, recipe_from_dict
from sfdata.shipped_files import shipped_file


def test_shipped_recipes_are_found_by_name_and_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    recipes = sorted(shipped_file("pipelines").glob("*.toml"))
    assert recipes
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
    with pytest.raises(FileNotFoundError, match=r"pipelines/demo.toml"):
        read_recipe("nothing.toml")
