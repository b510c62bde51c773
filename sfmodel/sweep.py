"""Sweeps: all runs of an experiment, one after another or side by side, resumable at any time.

A sweep's folder holds ``runs/STORE/NAME/seed-S`` (see :mod:`sfmodel.checkpoint`; beside it ``result.json`` and the
predictions as CSV, once it is evaluated), ``baselines/``, and ``sweep.json`` with all results. Each run has a process
of its own, so one that fails takes no other with it; several sweeps, on several machines, may work in one folder.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from sfdata.files import write_atomically
from sfdata.progress import Progress
from sfdata.schema import SPLITS
from sfdata.store import open_store
from sfdata.writing import software_versions
from sfmodel.checkpoint import read_config, store_fingerprint
from sfmodel.experiment import Experiment, RunPlan
from sfmodel.progress import Interruption
from sfmodel.sweep_run import FAILED_FILE, make_baseline, make_run, read_result
from sfmodel.sweep_stores import prepare_stores

Log = Callable[[str], None]
SWEEP_FILE, STORES_DIR, RUNS_DIR, BASELINES_DIR = "sweep.json", "stores", "runs", "baselines"
POLL_S = 0.2


@dataclass(frozen=True)
class SweepResult:
    """What a sweep has come to.

    Attributes
    ----------
    folder : Path
    results : list of dict
        Of every run that is evaluated, as in its ``result.json``.
    baselines : list of dict
    failed : dict of str to str
        What went wrong, by the run's title.
    left : list of str
        Titles of runs that were interrupted, or that another sweep is at.
    """

    folder: Path
    results: list[dict[str, Any]] = field(default_factory=list)
    baselines: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def run_sweep(
    experiment: Experiment,
    folder: str | Path,
    *,
    stores: str | Path | None = None,
    maps: str | Path | None = None,
    jobs: int = 1,
    only: Sequence[str] = (),
    length: float = 1.0,
    time_limit_s: float | None = None,
    progress: Progress | None = None,
    log: Log = lambda message: None,
) -> SweepResult:
    """Make all runs of an experiment that are not made yet, and evaluate them.

    Parameters
    ----------
    experiment : Experiment
    folder : path
        Of the sweep.
    stores : path, optional
        Where its stores lie or are built, so that experiments may share them; ``folder/stores`` by default.
    maps : path, optional
        The user's MAPS, see :func:`sfmodel.sweep_stores.prepare_stores`.
    jobs : int
        Runs at a time. Changes no result: each uses the experiment's number of threads.
    only : sequence of str
        Names of runs; all by default.
    length : float
        Share of the epochs to make, for want of time; recorded in the results.
    time_limit_s : float, optional
        For each run and call. A run that it stops is evaluated as it is, and goes on when the sweep is called again.
    progress : callable, optional
        For the building of stores.
    log : callable
        Is given a line of text for each step.

    Returns
    -------
    SweepResult

    Raises
    ------
    FileNotFoundError, ValueError
        If a store cannot be built, a run is asked for that the experiment does not have, numbers are impossible, or a
        run was made with other settings.
    KeyboardInterrupt
        After Ctrl-C (or SIGTERM), with everything saved.
    """
    folder = Path(folder)
    names = sorted({run.name for run in experiment.runs})
    unknown = sorted(set(only) - set(names))
    if unknown or jobs < 1 or not 0 < length <= 1:
        raise ValueError(
            f"only {', '.join(unknown) or 'all'}, jobs {jobs}, length {length}; expected some of {', '.join(names)}, 1 "
            "or more, and above 0 up to 1"
        )
    plans = [run.shortened(length) for run in experiment.runs if not only or run.name in only]
    paths = prepare_stores(
        experiment, Path(stores) if stores else folder / STORES_DIR, Path(maps) if maps else None, progress, log
    )
    result = SweepResult(folder)
    waiting = [plan for plan in plans if _is_to_do(plan, paths[plan.store], folder)]
    log(f"{len(plans)} runs, {len(plans) - len(waiting)} of them made already")
    _make_runs(waiting, paths, experiment.threads, folder, jobs, length, time_limit_s, result, log)
    for run in experiment.runs:  # what was made before stays among the results, whatever is asked for now
        made, asked = read_result(folder / RUNS_DIR / run.folder), not only or run.name in only
        if made is not None and (asked or _settings_agree(run.shortened(made["length"]), made)):
            result.results.append(made)
        elif asked and run.title not in result.failed:
            result.left.append(run.title)
    for store, split in experiment.tests():
        for name in experiment.baselines:
            result.baselines.append(make_baseline(name, store, split, paths[store], folder / BASELINES_DIR))
    document = {
        "experiment": experiment.name,
        "text": experiment.text,
        "length": length,
        "software": software_versions(),
        "stores": {name: _store_facts(path) for name, path in paths.items()},
        "runs": result.results,
        "baselines": result.baselines,
        "failed": result.failed,
        "left": result.left,
    }
    write_atomically(folder / SWEEP_FILE, (json.dumps(document, indent=1) + "\n").encode())
    return result


def _is_to_do(plan: RunPlan, store: Path, folder: Path) -> bool:
    """Whether a run is not made yet, was stopped by a limit of time, or is to be evaluated on something else.

    Raises
    ------
    ValueError
        If one was made there with other settings, or on another store.
    """
    run_dir = folder / RUNS_DIR / plan.folder
    made = read_result(run_dir)
    if made is None:
        return True
    if not _settings_agree(plan, made):
        raise ValueError(
            f"{run_dir} was made with other settings than the experiment (or its length) asks for now; remove it, or "
            "take another folder"
        )
    if read_config(run_dir)["store"]["sha256"] != store_fingerprint(open_store(store))["sha256"]:
        raise ValueError(f"{run_dir} was made on another store than {store} is now; remove it, or take another folder")
    return made["ended"] == "time" or made["digest"] != plan.digest()


def _settings_agree(plan: RunPlan, made: Mapping[str, Any]) -> bool:
    wanted = json.loads(json.dumps(asdict(plan.settings)))  # tuples become lists, as in the file
    return bool(made["settings"] == wanted)


def _make_runs(
    waiting: list[RunPlan],
    stores: dict[str, Path],
    threads: int,
    folder: Path,
    jobs: int,
    length: float,
    time_limit_s: float | None,
    result: SweepResult,
    log: Log,
) -> None:
    """Make runs, `jobs` at a time, each in a process of its own."""
    # The server has imported once what each run would take seconds for; PyTorch's optimisers import the last.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sfmodel.sweep_run", "sfmodel.training", "torch._dynamo"])
    running: dict[ForkServerProcess, tuple[RunPlan, float]] = {}
    queue = list(waiting)
    with Interruption() as interruption, _ended(running):
        while queue or running:
            if interruption.requested:
                raise KeyboardInterrupt
            while queue and len(running) < jobs:
                plan = queue.pop(0)
                run_dir = folder / RUNS_DIR / plan.folder
                arguments = (plan, stores, run_dir, threads, length, time_limit_s)
                process = context.Process(target=make_run, args=arguments, name=plan.title)
                process.start()
                running[process] = plan, time.monotonic()
                log(f"{plan.title}: begun")
            time.sleep(POLL_S)
            for process in [one for one in running if not one.is_alive()]:
                plan, began = running.pop(process)
                process.join()
                log(f"{plan.title}: {_outcome(plan, process, folder, result)} ({time.monotonic() - began:.0f} s)")


@contextmanager
def _ended(running: Mapping[ForkServerProcess, Any]) -> Iterator[None]:
    """End whatever runs when this ends; trainings save all that they have."""
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.join()


def _outcome(plan: RunPlan, process: ForkServerProcess, folder: Path, result: SweepResult) -> str:
    """What became of a run, in words; failures are booked."""
    run_dir = folder / RUNS_DIR / plan.folder
    made = read_result(run_dir)
    if process.exitcode == 0 and made is not None:
        tests = [f"{entry['bucket1']:.1%} on {entry['store']}:{entry['split']}" for entry in made["evaluations"]]
        return f"{made['epochs']} epochs, ended by {made['ended']}; bucket-1 {', '.join(tests) or 'not measured yet'}"
    if process.exitcode == 0:
        return "another sweep is at it"
    failed = run_dir / FAILED_FILE
    reason = failed.read_text(encoding="utf-8") if failed.exists() else f"its process ended with {process.exitcode}"
    result.failed[plan.title] = reason
    return f"failed: {reason}"


def _store_facts(path: Path) -> dict[str, Any]:
    store = open_store(path)
    return {
        "pairs": {split: len(store.pair_rows(split)) for split in SPLITS},
        "pieces": len(store.pieces["title"]),
        "instruments": [str(name) for name in store.instruments["name"]],
        "presets": [str(preset) for preset in store.instruments["preset"]],
        "recipe": str(store.attrs["recipe"]["name"]),
    }
