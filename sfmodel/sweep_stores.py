"""The stores of an experiment: opened where they lie, built from their recipes where they don't."""

from collections.abc import Callable
from pathlib import Path

from sfdata.build import build
from sfdata.import_maps import import_maps
from sfdata.isol import IsolSettings
from sfdata.isol_files import isol_subsets, make_stand_ins
from sfdata.progress import Progress
from sfdata.recipe import Recipe, read_recipe
from sfmodel.experiment import Experiment

STAND_INS = "maps-like"


def prepare_stores(
    experiment: Experiment,
    folder: Path,
    maps: Path | None = None,
    progress: Progress | None = None,
    log: Callable[[str], None] = lambda message: None,
) -> dict[str, Path]:
    """Build the stores that are not there yet.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        A store named NAME lies in ``folder/NAME.zarr``.
    maps : Path, optional
        The user's MAPS. Without, sets with the recipe's stand-ins for its instruments are made in ``folder/maps-like``.
    progress : callable, optional
        See :mod:`sfdata.progress`.
    log : callable
        Is told which store is built, and of what.

    Returns
    -------
    dict of str to Path
        By name.

    Raises
    ------
    FileNotFoundError, ValueError
        What building them raises.
    """
    paths = {name: folder / f"{name}.zarr" for name in experiment.stores}
    for name, recipe_path in experiment.stores.items():
        if paths[name].exists():
            continue
        recipe = read_recipe(recipe_path)
        folder.mkdir(parents=True, exist_ok=True)
        log(f"store {name}: building from {recipe_path.name}")
        if recipe.maps is None:
            build(recipe, paths[name], progress=progress)
        else:
            source = maps or _stand_ins(recipe, folder / STAND_INS, progress)
            for code, own in import_maps(source, paths[name], recipe.maps, recipe, progress=progress).stand_ins.items():
                log(f"store {name}: {own} stands in for {code}")
    return paths


def _stand_ins(recipe: Recipe, folder: Path, progress: Progress | None) -> Path:
    make_stand_ins(folder, recipe, IsolSettings(subsets=isol_subsets(recipe.maps)), progress=progress)
    return folder
