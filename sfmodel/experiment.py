"""Experiments: stores, and the trainings and evaluations to be made on them, read from TOML.

::

    name = "paper-table3"
    seeds = [0, 1, 2]                      # every run is trained once with each
    baselines = ["matched-filter"]         # measured on the pairs that the runs are tested on

    [stores.onset]
    recipe = "paper-maps-ch-st.toml"       # beside this file, or one that ships
    seeds = [0]                            # of the trainings on this store, if others than the above

    [training]                             # what the runs share; see sfmodel.settings
    model = "reduced"
    epochs = 100

    [[runs]]
    name = "batch-4"
    stores = ["onset"]                     # one training on each; all stores if not given
    batch_size = 4                         # any setting of [training]
    network = {batch_norm = "none"}
    also = ["other:test"]                  # evaluated on beside its own store's train and test
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sfdata.schema import SPLITS
from sfdata.shipped_files import read_toml, shipped_file
from sfmodel.baselines import BASELINES
from sfmodel.settings import TrainingSettings, training_settings

KEYS = ("name", "seeds", "baselines", "threads", "stores", "training", "runs")
RUN_KEYS = ("name", "stores", "seeds", "also")


@dataclass(frozen=True)
class RunPlan:
    """One training and what it is evaluated on.

    Attributes
    ----------
    store : str
        Name of the store that it is trained on.
    name : str
    seed : int
    settings : TrainingSettings
    evaluate : tuple of (str, str)
        Stores and splits.
    """

    store: str
    name: str
    seed: int
    settings: TrainingSettings
    evaluate: tuple[tuple[str, str], ...]

    @property
    def folder(self) -> Path:
        """Its folder, relative to that of all runs."""
        return Path(self.store) / self.name / f"seed-{self.seed}"

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"{self.store}/{self.name}, seed {self.seed}"

    def digest(self) -> str:
        """What tells it from another: its settings and evaluations."""
        told = json.dumps([asdict(self.settings), self.evaluate], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def shortened(self, length: float) -> "RunPlan":
        """The same with every number of epochs times `length`, at least one."""
        if length == 1:
            return self

        def short(epochs: int) -> int:
            return max(1, round(epochs * length))

        phases = tuple({**phase, "epochs": short(phase["epochs"])} for phase in self.settings.phases)
        return replace(self, settings=replace(self.settings, epochs=short(self.settings.epochs), phases=phases))


@dataclass(frozen=True)
class Experiment:
    """What a sweep is to make.

    Attributes
    ----------
    name : str
    stores : dict of str to Path
        Recipes by the names of their stores.
    runs : tuple of RunPlan
        Seed by seed, so that all runs have been made once before any is made again.
    baselines : tuple of str
    threads : int
        Of each training: results depend on them in the last digits.
    text : str
        The file.
    """

    name: str
    stores: dict[str, Path]
    runs: tuple[RunPlan, ...]
    baselines: tuple[str, ...] = ()
    threads: int = 1
    text: str = ""

    def tests(self) -> list[tuple[str, str]]:
        """Stores and splits, those for training left out, on which baselines are measured."""
        found = dict.fromkeys(entry for run in self.runs for entry in run.evaluate)
        return [(store, split) for store, split in found if split != "train"]


def read_experiment(path: str | Path) -> Experiment:
    """Read an experiment; a name such as ``pipelines/paper-table3.toml`` that is no file here is one that ships.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or a recipe that it names.
    ValueError
        If it is no TOML, or has keys or values that don't fit.
    """
    path = Path(path)
    if not path.is_file():
        path = shipped_file(str(path))
    document, text = read_toml(path)
    try:
        return experiment_from_dict(document, path.parent, text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def experiment_from_dict(document: Mapping[str, Any], folder: Path = Path(), text: str = "") -> Experiment:
    """Make an experiment of a TOML document's content.

    Raises
    ------
    FileNotFoundError
        If a recipe is not there.
    ValueError
        If keys or values don't fit.
    """
    unknown = sorted(set(document) - set(KEYS))
    if unknown or not document.get("runs") or not document.get("stores"):
        raise ValueError(
            f"{'no key ' + ', '.join(unknown) if unknown else 'no runs or no stores'}; expected [[runs]], "
            f"[stores.NAME] and some of {', '.join(KEYS)}"
        )
    stores = {_name(name, "store"): _recipe(name, table, folder) for name, table in document["stores"].items()}
    own_seeds = {name: _list(table, "seeds", int) for name, table in document["stores"].items() if "seeds" in table}
    baselines = _list(document, "baselines", str)
    wrong = [name for name in baselines if name not in BASELINES]
    if wrong:
        raise ValueError(f"baselines {', '.join(wrong)}; expected some of {', '.join(BASELINES)}")
    threads = document.get("threads", 1)
    if type(threads) is not int or threads < 1:
        raise ValueError(f"threads = {threads!r}; expected a whole number of 1 or more")
    base = training_settings(document.get("training", {}))
    seeds = _list(document, "seeds", int) or (base.seed,)
    seeds_of = {name: own_seeds.get(name, seeds) for name in stores}
    runs = [run for table in document["runs"] for run in _runs(table, base, seeds_of)]
    twice = {run.title for run in runs if sum(run.folder == other.folder for other in runs) > 1}
    if twice:
        raise ValueError(f"runs {'; '.join(sorted(twice))} are named twice")
    order = {seed: number for number, seed in enumerate(dict.fromkeys(run.seed for run in runs))}
    runs.sort(key=lambda run: order[run.seed])
    return Experiment(str(document.get("name", "experiment")), stores, tuple(runs), baselines, threads, text)


def _recipe(name: str, table: Any, folder: Path) -> Path:
    fits = isinstance(table, Mapping) and set(table) <= {"recipe", "seeds"} and isinstance(table.get("recipe"), str)
    if not fits:
        raise ValueError(
            f"[stores.{name}] is {table!r}; expected recipe = PATH, and seeds = [...] where it has its own"
        )
    beside = folder / table["recipe"]
    if beside.is_file():
        return beside
    try:
        return shipped_file(f"pipelines/{table['recipe']}")
    except FileNotFoundError:
        raise FileNotFoundError(f"[stores.{name}]: no recipe at {beside}, nor one of that name that ships") from None


def _runs(table: Any, base: TrainingSettings, seeds_of: Mapping[str, Sequence[int]]) -> list[RunPlan]:
    """The trainings of one of the ``[[runs]]``."""
    if not isinstance(table, Mapping):
        raise ValueError(f"runs holds {table!r}; expected tables")
    name = _name(table.get("name", ""), "run")
    chosen = _list(table, "stores", str) or tuple(seeds_of)
    also = tuple(_place(text) for text in _list(table, "also", str))
    unknown = sorted({*chosen, *(store for store, _ in also)} - set(seeds_of))
    if unknown:
        raise ValueError(f"run {name!r}: no store {', '.join(unknown)}; expected some of {', '.join(seeds_of)}")
    try:
        settings = training_settings({key: table[key] for key in table if key not in RUN_KEYS}, base)
    except ValueError as error:
        raise ValueError(f"run {name!r}: {error}") from None
    return [
        RunPlan(store, name, seed, replace(settings, seed=seed), ((store, "train"), (store, "test"), *also))
        for store in chosen
        for seed in _list(table, "seeds", int) or seeds_of[store]
    ]


def _place(text: str) -> tuple[str, str]:
    store, _, split = text.partition(":")
    if split not in (*SPLITS, "all"):
        raise ValueError(f"also = {text!r}; expected STORE:SPLIT with one of {', '.join((*SPLITS, 'all'))}")
    return store, split


def _name(name: Any, what: str) -> str:
    """Refuse a name that could not be a folder's everywhere."""
    if not isinstance(name, str) or not name or not name.replace("-", "").replace(".", "").isalnum():
        raise ValueError(f"{what} {name!r}; expected a name of letters, digits, hyphens and points")
    return name


def _list(table: Mapping[str, Any], key: str, kind: type) -> tuple[Any, ...]:
    values = table.get(key, [])
    if not isinstance(values, list | tuple) or any(type(value) is not kind for value in values):
        raise ValueError(f"{key} = {values!r}; expected a list of {kind.__name__}")
    if len(set(values)) < len(values):
        raise ValueError(f"{key} = {list(values)}; expected each once")
    return tuple(values)
