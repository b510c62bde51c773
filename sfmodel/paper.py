"""The paper's experiments: the numbers that it prints, and ours, read from the folders that ``sfmodel sweep`` leaves.

Conventions
-----------
The *paper* is "Towards audio based score following" (Ostermaier, Wiedenmann, Bayani). Its accuracy is the hit rate of
bucket 1; rates lie between 0 and 1. A folder of an experiment holds ``sweep.json`` (name, results, baselines) and, in
``runs/STORE/NAME/seed-S/``, each run's ``config.json``, ``log.csv``, and ``predictions-STORE-SPLIT.csv``. A *store* is
named there by a short name (``onset``, ``scale``); a run's own store is the one that it was trained on.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfmodel.checkpoint import read_config
from sfmodel.evaluation import PREDICTION_COLUMNS, EvaluationResult
from sfmodel.progress import read_log
from sfmodel.sweep import RUNS_DIR, SWEEP_FILE

TABLE_3, ISOL, GMP = "paper-table3", "paper-full-isol", "paper-full-gmp"
EXPERIMENTS = (TABLE_3, ISOL, GMP)
LAST_EPOCHS = 10  # over which the trend of a run that was cut short is measured

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Printed:
    """A column of the paper's Table III.

    Attributes
    ----------
    run : str
        What the run is called here.
    label : str
        What the paper calls it.
    epochs : int or None
        None where the paper names the experiment and prints no number.
    train, test : float or None
        Accuracy.
    """

    run: str
    label: str
    epochs: int | None
    train: float | None
    test: float | None


PRINTED_TABLE_3 = (
    Printed("batch-4", "batchSize=4", 89, 0.94, 0.83),
    Printed("batch-8", "batchSize=8", 40, 0.97, 0.81),
    Printed("batch-16", "batchSize=16", 35, 0.88, 0.79),
    Printed("batch-32", "batchSize=32", 36, 0.99, 0.79),
    Printed("no-bn", "No BN", 53, 0.98, 0.77),
    Printed("bn-concatenation", "BN on concatenation", 58, 0.92, 0.73),
    Printed("bn-stacks", "BN on stacks", 100, 0.97, 0.81),
    Printed("pool-4", "MaxPoolSize=4,4", 79, 0.90, 0.69),
    Printed("no-dropout", "no dropout", None, None, None),  # tested, as III.A says; not in the table
)
BASE_RUN = "batch-4"  # what the others are compared with: each changes one thing in it
PRINTED_ISOL_EPOCHS = 500  # III.B: "more than 500 epochs"
PRINTED_ISOL_CROSS = 0.66  # III.B: CH and ST on another piano
PRINTED_GMP_TRAIN = (0.62, 0.63)  # III.C gives two, "at best" .62 and, of the final model, 63 percent
PRINTED_GMP_TEST = (0.53, 0.54)
PRINTED_GMP_PHASE_EPOCHS = 100  # III.C: "around 100 epochs", then batches of 10


@dataclass(frozen=True)
class Run:
    """One training of a sweep, with its evaluations.

    Attributes
    ----------
    directory : Path
    name : str
    seed : int
    store : str
        Short name of the store that it was trained on.
    epochs, epochs_allowed, best_epoch : int
    ended : str
        ``epochs``, ``patience``, ``time`` or what else ended it.
    seconds, length : float
        Spent training; share of the experiment's epochs that was asked for.
    parameters : int
    pairs : dict of str to int
        Of the splits ``train`` and ``validation``.
    settings : dict
    evaluations : dict of (str, str) to dict
        Store and split to figures as :func:`sfmodel.evaluation.evaluate` gives them.
    """

    directory: Path
    name: str
    seed: int
    store: str
    epochs: int
    epochs_allowed: int
    best_epoch: int
    ended: str
    seconds: float
    length: float
    parameters: int
    pairs: Mapping[str, int]
    settings: Mapping[str, Any]
    evaluations: Mapping[tuple[str, str], Mapping[str, Any]]

    def rate(self, split: str, store: str | None = None, key: str = "bucket1") -> float | None:
        """A figure of this run; None where it was not evaluated there."""
        figures = self.evaluations.get((store or self.store, split))
        return None if figures is None else float(figures[key])

    @property
    def cut_short(self) -> bool:
        """Whether it was not made to the length that the experiment asks for."""
        return self.ended not in ("epochs", "patience") or self.length < 1

    def log(self) -> dict[str, FloatArray]:
        """The run's log as columns, NaN where a figure is missing; ``phase`` where the log has it.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none, it cannot be read, or holds no epoch.
        """
        rows = read_log(self.directory)
        if not rows:
            raise ValueError(f"{self.directory}: log.csv holds no epoch; run the sweep again")
        columns = {key: np.array([np.nan if row[key] is None else row[key] for row in rows]) for key in rows[0]}
        return {key: np.asarray(values, dtype=np.float64) for key, values in columns.items()}

    def config(self) -> dict[str, Any]:
        """The run's ``config.json``."""
        return read_config(self.directory)


def rates(runs: Sequence[Run], split: str = "test", key: str = "bucket1") -> list[float]:
    """A figure of several runs on a split of their own stores; those that were not evaluated there are left out."""
    return [rate for run in runs if (rate := run.rate(split, key=key)) is not None]


@dataclass(frozen=True)
class Sweep:
    """What a sweep left of one experiment in its folder.

    Attributes
    ----------
    directory : Path
    name : str
    runs : tuple of Run
        In the order of names and seeds.
    baselines : tuple of dict
        ``store``, ``split``, ``method`` and figures.
    document : dict
        The whole of ``sweep.json``.
    """

    directory: Path
    name: str
    runs: tuple[Run, ...]
    baselines: tuple[Mapping[str, Any], ...]
    document: Mapping[str, Any]

    def of(self, name: str, store: str) -> list[Run]:
        """Runs of a name that were trained on a store, by seed."""
        return [run for run in self.runs if run.name == name and run.store == store]

    @property
    def stores(self) -> list[str]:
        """Short names of the stores that runs were trained on, as they first appear."""
        return list(dict.fromkeys(run.store for run in self.runs))

    def baseline(self, store: str, split: str, method: str = "matched-filter") -> Mapping[str, Any] | None:
        """Figures of a classic method on the same pairs, None where it was not evaluated there."""
        for figures in self.baselines:
            if (figures["store"], figures["split"], figures["method"]) == (store, split, method):
                return figures
        return None


def read_sweeps(directories: Sequence[str | Path]) -> dict[str, Sweep]:
    """Read the folders of several experiments.

    Returns
    -------
    dict of str to Sweep
        By name, in the order of :data:`EXPERIMENTS`, those that were not given left out.

    Raises
    ------
    FileNotFoundError
        If a folder holds no sweep.
    ValueError
        If a sweep cannot be read, is none of the paper's, or is given twice.
    """
    read: dict[str, Sweep] = {}
    for directory in directories:
        experiment = read_sweep(directory)
        if experiment.name not in EXPERIMENTS:
            raise ValueError(
                f"{directory} holds the experiment {experiment.name!r}; expected one of {', '.join(EXPERIMENTS)}"
            )
        if experiment.name in read:
            raise ValueError(
                f"{directory} and {read[experiment.name].directory} both hold {experiment.name}; give one of them"
            )
        read[experiment.name] = experiment
    return {name: read[name] for name in EXPERIMENTS if name in read}


def read_sweep(directory: str | Path) -> Sweep:
    """Read what ``sfmodel sweep`` left in a folder.

    Raises
    ------
    FileNotFoundError
        If it holds no ``sweep.json``, or the folder of one of its runs is missing.
    ValueError
        If the file is damaged.
    """
    directory = Path(directory)
    path = directory / SWEEP_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no {SWEEP_FILE} in {directory}; expected a folder made by 'sfmodel sweep -o DIR'")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); run the sweep again") from None
    try:
        runs = [_run(directory, result) for result in document["runs"]]
        baselines = tuple(document.get("baselines", ()))
        for figures in baselines:
            _check_figures(figures, f"baseline {figures['method']}")
        name = str(document["experiment"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} lacks {error}, or holds it in another form; run the sweep again") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}; run the sweep again") from None
    if not runs:
        raise ValueError(f"{path} holds no finished run; let the sweep finish at least one")
    for run in runs:
        if not run.directory.is_dir():
            raise FileNotFoundError(
                f"{path} tells of a run in {run.directory}, which is not there; run the sweep again"
            )
    return Sweep(directory, name, tuple(sorted(runs, key=_place_of_run)), baselines, document)


def _place_of_run(run: Run) -> tuple[int, str, str, int]:
    known = [column.run for column in PRINTED_TABLE_3]
    return known.index(run.name) if run.name in known else len(known), run.name, run.store, run.seed


def _run(directory: Path, result: Mapping[str, Any]) -> Run:
    """A run from its entry in ``sweep.json``."""
    name, seed = str(result["name"]), int(result["seed"])
    evaluations = {}
    for figures in result["evaluations"]:
        _check_figures(figures, f"run {name}, seed {seed}")
        evaluations[str(figures["store"]), str(figures["split"])] = figures
    return Run(
        directory=directory / RUNS_DIR / str(result["store"]) / name / f"seed-{seed}",
        name=name,
        seed=seed,
        store=str(result["store"]),
        epochs=int(result["epochs"]),
        epochs_allowed=int(result["epochs_allowed"]),
        best_epoch=int(result["best"]["epoch"]) if result["best"] else 0,
        ended=str(result["ended"]),
        seconds=float(result["seconds"]),
        length=float(result["length"]),
        parameters=int(result["parameters"]),
        pairs=result["pairs"],
        settings=result["settings"],
        evaluations=evaluations,
    )


def _check_figures(figures: Mapping[str, Any], of: str) -> None:
    for key in ("bucket1", "bucket2"):
        value = figures[key]
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{of}: {key} is {value!r}; expected a share from 0 to 1")
    if not all(isinstance(figures[key], str) for key in ("store", "split")):
        raise ValueError(f"{of}: expected names of store and split, got {figures['store']!r}, {figures['split']!r}")


def read_predictions(run: Run, store: str, split: str) -> tuple[EvaluationResult, list[str]] | None:
    """Read ``predictions-STORE-SPLIT.csv`` of a run; None where there is no such file.

    Returns
    -------
    result : EvaluationResult
    titles : list of str
        Of each pair's piece.

    Raises
    ------
    ValueError
        If it lacks a column, holds no pairs, or a value is no number.
    """
    path, figures = run.directory / f"predictions-{store}-{split}.csv", run.evaluations.get((store, split))
    if not path.is_file() or figures is None:
        return None
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in PREDICTION_COLUMNS if column not in (reader.fieldnames or [])]
        rows = list(reader)
    if missing or not rows:
        raise ValueError(
            f"{path}: {'no column ' + ', '.join(missing) if missing else 'no pairs'}; expected pairs with "
            f"{','.join(PREDICTION_COLUMNS)}: run the sweep again"
        )
    try:
        columns = {name: np.array([float(row[name]) for row in rows]) for name in PREDICTION_COLUMNS if name != "title"}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; run the sweep again") from None
    result = EvaluationResult(
        metrics=dict(figures),
        frame_rate_hz=float(run.config()["store"]["spectrogram"]["frame_rate_hz"]),
        position=np.arange(len(rows)),
        rows=columns["row"].astype(np.int64),
        piece=columns["piece"].astype(np.int32),
        target_frame=columns["target_frame"],
        predicted_frame=columns["predicted_frame"].astype(np.int64),
        score=columns["score"].astype(np.float32),
        lookalikes=columns["lookalikes"].astype(np.int16),
    )
    return result, [row["title"] for row in rows]
