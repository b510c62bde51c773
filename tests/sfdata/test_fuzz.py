"""Damaged files by the dozen: no crash, each refusal with its reason, the build completes. `make fuzz` takes 1,000."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from fuzzing import MUTATIONS, mutate, shortened, write_fuzz_set

from sfdata.build import build
from sfdata.validate import validate


def test_a_build_of_damaged_files_completes(tmp_path: Path, small_recipe, short_midi):
    write_fuzz_set(short_midi, tmp_path / "fuzz", 60, seed=3)
    result = build(small_recipe, tmp_path / "s.zarr", [tmp_path / "fuzz"], workers=1)
    assert result.pieces + len(result.skipped) == 60
    assert result.pieces >= 10 and len(result.skipped) >= 10
    for entry in result.skipped:
        assert entry.reason and not entry.reason.split(":")[0].endswith(("Error", "Exception")), entry
    assert not validate(tmp_path / "s.zarr")


def test_everything_polyphonic_too(tmp_path: Path, short_midi):
    from sfdata.recipe import read_recipe

    recipe = read_recipe("pipelines/human.toml")
    recipe = replace(recipe, augment=replace(recipe.augment, copies=1))
    write_fuzz_set(short_midi, tmp_path / "fuzz", 25, seed=4)
    result = build(recipe, tmp_path / "s.zarr", [tmp_path / "fuzz"], workers=1)
    assert result.pieces + len(result.skipped) == 25 and result.pieces >= 5
    assert not validate(tmp_path / "s.zarr")


def test_mutations_change_files_and_depend_on_the_seed_alone(short_midi):
    data = shortened(short_midi[0], np.random.default_rng(0))
    for name, mutation in MUTATIONS.items():
        made = [mutation(data, np.random.default_rng(seed)) for seed in range(5)]
        assert any(one != data for one in made), name
        assert made[2] == mutation(data, np.random.default_rng(2))
    assert mutate(data, np.random.default_rng(1)) == mutate(data, np.random.default_rng(1))
