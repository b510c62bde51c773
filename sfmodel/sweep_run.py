"""One run of a sweep, in a process of its own: train, evaluate, and leave a result beside the weights."""

import json
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import asdict
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from sfdata.files import write_atomically
from sfdata.locks import TakenError, only_builder
from sfdata.place import Place
from sfdata.store import open_store
from sfmodel.evaluation import evaluate, write_predictions
from sfmodel.experiment import RunPlan

RESULT_FILE, FAILED_FILE = "result.json", "failed.txt"


def make_run(
    plan: RunPlan, stores: dict[str, Path], run_dir: Path, threads: int, length: float, time_limit_s: float | None
) -> None:
    """Make a run and write its result; what fails is told in a file, and ends this process with 1.

    Called in a process of its own, since it sets the number of threads, and ends it.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # Ctrl-C reaches the sweep alone, which asks to stop once; asked twice, a training is killed
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)
    failed = run_dir / FAILED_FILE
    failed.unlink(missing_ok=True)
    try:
        with only_builder(Place(run_dir)):
            result = train_and_evaluate(plan, stores, run_dir, length, time_limit_s)
    except TakenError:
        return
    except Exception as error:
        run_dir.mkdir(parents=True, exist_ok=True)
        write_atomically(failed, f"{type(error).__name__}: {error}".encode())
        sys.exit(1)
    else:
        sys.exit(130 if result is None else 0)


def _end_with_parent() -> None:
    """Stop, with everything saved, when the sweep is no more, however it ended."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def train_and_evaluate(
    plan: RunPlan, stores: dict[str, Path], run_dir: Path, length: float = 1.0, time_limit_s: float | None = None
) -> dict[str, Any] | None:
    """Train, or go on training, and evaluate the best weights; None if interrupted.

    Parameters
    ----------
    plan : RunPlan
    stores : dict of str to Path
    run_dir : Path
    length : float
        What the plan was shortened by; recorded.
    time_limit_s : float, optional

    Returns
    -------
    dict
        As written to ``result.json``: ``name``, ``store``, ``seed``, ``digest``, ``length``, ``settings``, what
        :func:`sfmodel.training.train` gives, ``epochs_allowed``, and ``evaluations``: ``store``, ``split`` and metrics.
    """
    from sfmodel.training import train

    summary = train(stores[plan.store], run_dir, plan.settings, resume=True, time_limit_s=time_limit_s)
    if summary["ended"] == "interrupted":
        return None
    evaluations = []
    for name, split in plan.evaluate if summary["best"] else ():
        store = open_store(stores[name])
        found = evaluate(run_dir, store, split, plan.settings.device)
        write_predictions(run_dir / f"predictions-{name}-{split}.csv", found, store)
        evaluations.append({"store": name, **{key: found.metrics[key] for key in found.metrics if key != "method"}})
    result = {
        "name": plan.name,
        "store": plan.store,
        "seed": plan.seed,
        "digest": plan.digest(),
        "length": length,
        "settings": asdict(plan.settings),
        **{key: value for key, value in summary.items() if key != "run_dir"},
        "epochs_allowed": plan.settings.total_epochs,
        "evaluations": evaluations,
    }
    write_atomically(run_dir / RESULT_FILE, (json.dumps(result, indent=1) + "\n").encode())
    return result


def read_result(run_dir: Path) -> dict[str, Any] | None:
    """Read the result of a run; None where there is none.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    path = run_dir / RESULT_FILE
    if not path.is_file():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"name", "store", "seed", "digest", "length", "settings", "ended", "evaluations"} <= set(result):
            raise ValueError("keys are missing")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no result of a run ({error}); remove it, and the sweep evaluates anew") from None
    return result


def make_baseline(name: str, store_name: str, split: str, path: Path, folder: Path) -> dict[str, Any]:
    """Measure a classic method on a store, or read what was measured before; predictions lie beside it as CSV."""
    from sfmodel.checkpoint import store_fingerprint

    store = open_store(path)
    digest = store_fingerprint(store)["sha256"]
    file = folder / f"{name}-{store_name}-{split}.json"
    if file.is_file():
        before: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if before.get("digest") == digest:
            return before
    folder.mkdir(parents=True, exist_ok=True)
    found = evaluate(name, store, split)
    write_predictions(file.with_suffix(".csv"), found, store)
    result = {"store": store_name, "digest": digest, **found.metrics}
    write_atomically(file, (json.dumps(result, indent=1) + "\n").encode())
    return result
