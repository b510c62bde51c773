"""Training: from a store to a run's folder, resumable at any batch, by one process or several.

Nothing that is random depends on what happened before: the order of the pairs and the references of an epoch are
drawn from (seed, epoch, group of pieces), dropout from (seed, epoch, step). So a run that was stopped and resumed gives
the same weights as one that was not, bit for bit on a processor with the same PyTorch and number of threads; on a GPU,
where sums are taken in no fixed order, up to rounding. Whether frames are in memory or read in blocks changes nothing.
Several processes (``torchrun``) see the same batches, each its share, and differ from a single one by rounding and by
what dropout leaves out.

The paper ("Towards audio based score following", section III) names learning rate, batch sizes, early stopping and a
learning rate lowered on plateaus, but no optimiser: Adam here. "Accuracy" there is bucket-1 here.
"""

from pathlib import Path
from typing import Any

import torch

from sfdata.store import open_store
from sfmodel.devices import choose_device
from sfmodel.memory import keep_freed_memory
from sfmodel.processes import joined_processes
from sfmodel.progress import Interruption
from sfmodel.run import Clock, Log, Run
from sfmodel.settings import TrainingSettings

SAVE_EVERY_S = 120.0


def train(
    store_path: str | Path,
    run_dir: str | Path,
    settings: TrainingSettings | None = None,
    *,
    loading: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    save_every_s: float = SAVE_EVERY_S,
    time_limit_s: float | None = None,
    progress: bool = False,
    log: Log = lambda message: None,
) -> dict[str, Any]:
    """Train a network on a store; under ``torchrun``, together with its other processes.

    Parameters
    ----------
    store_path : str or Path
    run_dir : str or Path
        Made if need be; see :mod:`sfmodel.checkpoint` for what is written there. Several processes must all see it.
    settings : TrainingSettings, optional
    loading : {"auto", "memory", "blocks"}
        Where the frames are: see :func:`sfmodel.loading.open_reader`. Changes no weight, and may change on resuming.
    resume : bool
        Continue the run in `run_dir`, or begin it where there is none. `epochs` may have grown.
    overwrite : bool
        Replace the run in `run_dir`.
    save_every_s : float
        Save the state in the middle of epochs that last longer, so often.
    time_limit_s : float, optional
        Stop at the next batch after so many seconds of this call, with everything saved.
    progress : bool
        Show a bar on standard error, if that is a terminal.
    log : callable
        Is given a line of text at the start and after every epoch, in the first process.

    Returns
    -------
    dict
        ``run_dir``, ``model``, ``parameters``, ``device``, ``precision``, ``processes``, ``pairs`` by split, ``epochs``
        done, ``best`` and ``last`` (rows of the log), ``ended`` (``epochs``, ``patience``, ``interrupted`` or
        ``time``), ``seconds``.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If the store is damaged or holds nothing to train on, the settings cannot be, memory does not suffice, the
        folder holds another run, or the loss is no longer finite.

    Notes
    -----
    Ctrl-C (or SIGTERM) stops at the next batch with everything saved; killed, a run resumes where its state was last
    saved: at the end of an epoch or at most `save_every_s` before.
    """
    settings = settings or TrainingSettings()
    store = open_store(store_path)
    clock = Clock(save_every_s, time_limit_s)
    with joined_processes(settings.device) as processes:

        def go() -> dict[str, Any]:
            """Hold the run, and so its model, no longer than it lasts: the processes part without it."""
            run = Run(store, Path(run_dir), settings, device, processes, clock, loading, log)
            run.begin(resume, overwrite)
            return run.go(interruption, progress)

        keep_freed_memory()
        device = choose_device(settings.device)
        cuda = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), Interruption() as interruption:  # leave the caller's generators alone
            try:
                return go()
            except torch.OutOfMemoryError as error:
                raise ValueError(
                    f"{device} ran out of memory with batches of {settings.batch_size}: take a smaller batch size or "
                    f"network, or compute batches in parts (accumulate); the state of the last epoch is kept, if there "
                    f"was one ({error})"
                ) from error
