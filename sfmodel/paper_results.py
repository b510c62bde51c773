"""Our results of the paper's experiments, read from the folders that ``sfmodel sweep`` leaves.

Conventions
-----------
A folder of an experiment holds ``sweep.json`` (name, results, baselines) and, in
``runs/NAME/seed-S/``, each run's ``config.json``, ``log.csv``, and ``predictions-STORE-SPLIT.csv``. A *store* is named
there by a short name (``onset``, ``scale``); a run's own store is the one that it was trained on.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfmodel.checkpoint import read_config
from sfmodel.evaluation import PREDICTION_COLUMNS, EvaluationResult
from sfmodel.metrics import bucket_hits
from sfmodel.paper import EXPERIMENTS, PRINTED_TABLE_3
from sfmodel.progress import read_log

SWEEP_FILE = "sweep.json"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One training of a sweep, with its evaluations.

    Attributes
    ----------
    directory : Path
    name : str
        What the sweep calls it, without the store's name where that is part of it.
    seed : int
    store : str
        Short name of the store that it was trained on.
    epochs, epochs_allowed, best_epoch : int
    ended : str
        ``epochs``, ``patience``, ``time`` or what else ended it.
    seconds : float
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
        """Whether something other than its own settings (epochs, patience) ended it."""
        return self.ended not in ("epochs", "patience")

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


@dataclass(frozen=True)
class Experiment:
    """One experiment: what a sweep left in its folder.

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


def read_experiments(directories: Sequence[str | Path]) -> dict[str, Experiment]:
    """Read the folders of several experiments.

    Returns
    -------
    dict of str to Experiment
        By name, in the order of :data:`EXPERIMENTS`, those that were not given left out.

    Raises
    ------
    FileNotFoundError
        If a folder holds no sweep.
    ValueError
        If a sweep cannot be read, is none of the paper's, or is given twice.
    """
    read: dict[str, Experiment] = {}
    for directory in directories:
        experiment = read_experiment(directory)
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


def read_experiment(directory: str | Path) -> Experiment:
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
    folders = [run.directory for run in runs]
    for run in runs:
        if folders.count(run.directory) > 1:
            raise ValueError(f"{path}: {folders.count(run.directory)} results in {run.directory}; expected one a folder")
        if not run.directory.is_dir():
            raise FileNotFoundError(f"{path} tells of a run in {run.directory}, which is not there; run the sweep again")
    return Experiment(directory, name, tuple(sorted(runs, key=_place_of_run)), baselines, document)


def _place_of_run(run: Run) -> tuple[int, str, str, int]:
    known = [column.run for column in PRINTED_TABLE_3]
    return known.index(run.name) if run.name in known else len(known), run.name, run.store, run.seed


def _run(directory: Path, result: Mapping[str, Any]) -> Run:
    """A run from its entry in ``sweep.json``."""
    name, seed, store = str(result["name"]), int(result["seed"]), str(result["store"])
    evaluations = {}
    for figures in result["evaluations"]:
        _check_figures(figures, f"run {name}, seed {seed}")
        evaluations[str(figures["store"]), str(figures["split"])] = figures
    return Run(
        directory=directory / result.get("directory", f"runs/{name}/seed-{seed}"),
        name=re.sub(rf"[-/]{re.escape(store)}$|^{re.escape(store)}[-/]", "", name),
        evaluations=evaluations,
        **{key: int(result[key]) for key in ("seed", "epochs", "epochs_allowed", "best_epoch", "parameters")},
        **{key: str(result[key]) for key in ("store", "ended")},
        **{key: result[key] for key in ("pairs", "settings")},
        seconds=float(result["seconds"]),
    )


def _check_figures(figures: Mapping[str, Any], of: str) -> None:
    for key in ("bucket1", "bucket2"):
        value = figures[key]
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{of}: {key} is {value!r}; expected a share from 0 to 1")
    if not all(isinstance(figures[key], str) for key in ("store", "split")):
        raise ValueError(f"{of}: expected names of store and split, got {figures['store']!r}, {figures['split']!r}")


def read_predictions(run: Run, split: str = "test", store: str | None = None) -> EvaluationResult | None:
    """Read ``predictions-STORE-SPLIT.csv`` of a run; None where there is no such file.

    Raises
    ------
    ValueError
        If it lacks a column, holds no pairs, a value is no number, or it does not agree with the run's figures.
    """
    store = store or run.store
    path, figures = run.directory / f"predictions-{store}-{split}.csv", run.evaluations.get((store, split))
    if figures is None or not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in PREDICTION_COLUMNS if column not in (reader.fieldnames or [])]
        if missing:
            raise ValueError(f"{path}: no column {', '.join(missing)}; expected {','.join(PREDICTION_COLUMNS)}")
        rows = list(reader)
    if not rows:
        raise ValueError(f"{path} holds no pairs; run the sweep again")
    try:
        target, predicted, target_s, score = (
            np.array([float(row[key]) for row in rows])
            for key in ("target_frame", "predicted_frame", "target_s", "score")
        )
        pair, piece, lookalikes = (np.array([int(row[key]) for row in rows]) for key in ("row", "piece", "lookalikes"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; run the sweep again") from None
    latest = int(target_s.argmax())
    if not target_s[latest] > 0:
        raise ValueError(f"{path}: no target after 0 s; expected onsets within a reference")
    hits = float(bucket_hits(predicted, target)[0].mean())
    if abs(hits - figures["bucket1"]) > 0.002 + 1 / len(rows):  # positions are rounded to 4 places
        raise ValueError(
            f"{path}: bucket 1 is {hits:.4f}, in {SWEEP_FILE} {figures['bucket1']:.4f}; they are of different runs: "
            "run the sweep again"
        )
    return EvaluationResult(
        metrics=dict(figures),
        frame_rate_hz=round(float(target[latest] / target_s[latest]), 2),  # both are rounded to 4 places
        position=np.arange(len(rows)),
        rows=pair,
        piece=piece.astype(np.int32),
        target_frame=target,
        predicted_frame=predicted.astype(np.int64),
        score=score.astype(np.float32),
        lookalikes=lookalikes,
    )
