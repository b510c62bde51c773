"""Training: from a store to a run's folder, resumable at any batch.

Nothing that is random depends on what happened before: the order of the pairs and the references of an epoch are
drawn from (seed, epoch, group of pieces), dropout from (seed, epoch, step). So a run that was stopped and resumed gives
the same weights as one that was not, bit for bit on a processor with the same PyTorch and number of threads; on a GPU,
where sums are taken in no fixed order, up to rounding. Whether frames are in memory or read in blocks changes nothing.

The paper ("Towards audio based score following", section III) names learning rate, batch sizes, early stopping and a
learning rate lowered on plateaus, but no optimiser: Adam here. "Accuracy" there is bucket-1 here.
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sfdata.block_reader import epoch_batches
from sfdata.order import BatchSizes, PairOrder
from sfdata.store import Store, open_store
from sfmodel.batches import device_batches
from sfmodel.checkpoint import (
    CONFIG_FILE,
    LOG_FILE,
    RESUME_FILE,
    WEIGHTS_FILES,
    describe_software,
    refuse_differences,
    save_weights,
    store_fingerprint,
    write_config,
)
from sfmodel.devices import choose_device, choose_precision
from sfmodel.learner import Learner
from sfmodel.loading import MIB, Reader, describe_loading, open_reader
from sfmodel.memory import check_memory, keep_freed_memory
from sfmodel.networks import parameter_count
from sfmodel.progress import Interruption, Progress, Row, load_state, open_tensorboard, save_state, write_log
from sfmodel.settings import SCHEDULES, TrainingSettings

Log = Callable[[str], None]
EVALUATION_BATCH = 128
VALIDATION_COLUMNS = ("validation_loss", "validation_bucket1", "validation_bucket2")


def train(
    store_path: str | Path,
    run_dir: str | Path,
    settings: TrainingSettings | None = None,
    *,
    loading: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    log: Log = lambda message: None,
) -> dict[str, Any]:
    """Train a network on a store.

    Parameters
    ----------
    store_path : str or Path
    run_dir : str or Path
        Made if need be; see :mod:`sfmodel.checkpoint` for what is written there.
    settings : TrainingSettings, optional
    loading : {"auto", "memory", "blocks"}
        Where the frames are: see :func:`sfmodel.loading.open_reader`. Changes no weight, and may change on resuming.
    resume : bool
        Continue the run in `run_dir`, or begin it where there is none. `epochs` may have grown.
    overwrite : bool
        Replace the run in `run_dir`.
    progress : bool
        Show a bar on standard error, if that is a terminal.
    log : callable
        Is given a line of text at the start and after every epoch.

    Returns
    -------
    dict
        ``run_dir``, ``model``, ``parameters``, ``device``, ``precision``, ``pairs`` by split, ``epochs`` done,
        ``best`` and ``last`` (rows of the log), ``ended`` (``epochs``, ``patience`` or ``interrupted``), ``seconds``.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If the store is damaged or holds nothing to train on, the settings cannot be, memory does not suffice, the
        folder holds another run, or the loss is no longer finite.

    Notes
    -----
    Ctrl-C (or SIGTERM) stops at the next batch with everything saved; killed, a run resumes after the last whole epoch.
    """
    settings, run_dir = settings or TrainingSettings(), Path(run_dir)
    store = open_store(store_path)
    device = choose_device(settings.device)
    keep_freed_memory()
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), Interruption() as interruption:  # leave the caller's generators alone
        try:
            run = Run(store, run_dir, settings, device, loading, log)
            run.begin(resume, overwrite)
            return run.go(interruption, progress)
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f"{device} ran out of memory with batches of {settings.batch_size}: take a smaller batch size or "
                f"network; the state of the last epoch is kept, if there was one ({error})"
            ) from error


class Run:
    """One training run: its data, network, optimiser and progress; made and used by :func:`train`."""

    def __init__(
        self, store: Store, run_dir: Path, settings: TrainingSettings, device: torch.device, loading: str, log: Log
    ) -> None:
        self.run_dir, self.settings, self.device, self.log = run_dir, settings, device, log
        self.network_settings = settings.network_settings(store)
        self.precision = choose_precision(settings.precision, device)
        pairs = len(store.pair_rows("train"))
        check_memory(self.network_settings, min(settings.batch_size, max(1, pairs)), self.precision, device)
        if self.network_settings.head_normalised and pairs and min(pairs, settings.batch_size) < 2:
            raise ValueError(
                f"batch norm after the concatenation needs batches of two pairs; batch_size is {settings.batch_size}, "
                f"the store has {pairs} pairs to train on: take more, or batch_norm 'stacks'"
            )
        group_bytes = settings.shuffle_mib * MIB
        self.train_reader: Reader = open_reader(store, "train", loading, group_bytes=group_bytes)
        self.validation_reader: Reader | None = None
        if len(store.pair_rows("validation")):
            self.validation_reader = open_reader(store, "validation", loading, group_bytes=group_bytes)
        self.order = PairOrder(
            self.train_reader, settings.seed, fresh_windows=settings.fresh_windows, group_bytes=group_bytes
        )
        self.sizes = BatchSizes(pairs, settings.batch_size, "two")
        self.fingerprint = store_fingerprint(store)
        self.learner = Learner(self.network_settings, settings, device, self.precision)
        self.network = self.learner.network
        self.progress = Progress(learning_rate=settings.learning_rate)

    def begin(self, resume: bool, overwrite: bool) -> None:
        """Set up the folder: a new run, or the state of the one that is there."""
        config = {
            "network": asdict(self.network_settings),
            "training": asdict(self.settings),
            "store": self.fingerprint,
            "software": describe_software(),
        }
        if self.run_dir.exists() and not self.run_dir.is_dir():
            raise ValueError(f"{self.run_dir} is a file; expected a folder for the run, or a name that is free")
        if (self.run_dir / "zarr.json").exists():
            raise ValueError(f"{self.run_dir} is a store; take another folder for the run")
        self.run_dir.mkdir(parents=True, exist_ok=True)
        if (self.run_dir / CONFIG_FILE).exists() and not overwrite:
            if not resume:
                raise ValueError(f"{self.run_dir} holds a run already; take --resume, --overwrite or another folder")
            refuse_differences(self.run_dir, config)
            if (self.run_dir / RESUME_FILE).exists():
                self.progress = load_state(self.run_dir, self.network, self.learner.optimiser)
                if self.progress.scaler:
                    self.learner.scaler.load_state_dict(self.progress.scaler)
        else:
            for name in (CONFIG_FILE, RESUME_FILE, LOG_FILE, *WEIGHTS_FILES.values()):
                (self.run_dir / name).unlink(missing_ok=True)
            shutil.rmtree(self.run_dir / "tensorboard", ignore_errors=True)
        write_config(self.run_dir, config)
        write_log(self.run_dir, self.progress.history)
        pairs = f"{len(self.train_reader)} pairs to train on, {len(self.validation_reader or ())} to validate"
        at = f", resumed at epoch {self.progress.epoch + 1}, batch {self.progress.step + 1}"
        self.log(
            f"{self.settings.model}: {parameter_count(self.network):,} parameters, {pairs}, on {self.device} "
            f"in {str(self.precision).removeprefix('torch.')}"
            + f"; {describe_loading(self.train_reader)}"
            + (at if self.progress.epoch or self.progress.step else "")
        )
        if self.validation_reader is None:
            self.log("the store has no pairs for validation: 'best' is chosen by the training loss")

    def go(self, interruption: Interruption, show_bar: bool) -> dict[str, Any]:
        """Train epoch after epoch until something ends the run."""
        tensorboard = open_tensorboard(self.run_dir, self.progress.epoch) if self.settings.tensorboard else None
        ended = self._end()
        while ended is None:
            row = self._epoch(interruption, show_bar)
            if row is None:
                self._save_state()
                ended = "interrupted"
                break
            if tensorboard is not None:
                for name, value in row.items():
                    if value is not None and name not in ("epoch", "step"):
                        tensorboard.add_scalar(name.replace("_", "/", 1), value, self.progress.epoch)
                tensorboard.flush()
            self.log(_row_text(row, self.settings.epochs))
            ended = self._end()
        if tensorboard is not None:
            tensorboard.close()
        history = self.progress.history
        return {
            "run_dir": str(self.run_dir),
            "model": self.settings.model,
            "parameters": parameter_count(self.network),
            "device": str(self.device),
            "precision": str(self.precision).removeprefix("torch."),
            "pairs": {"train": len(self.train_reader), "validation": len(self.validation_reader or ())},
            "epochs": self.progress.epoch,
            "best": history[self.progress.best_epoch - 1] if self.progress.best_epoch else None,
            "last": history[-1] if history else None,
            "ended": ended,
            "seconds": sum(row["seconds"] or 0 for row in history) + self.progress.seconds,
        }

    def _epoch(self, interruption: Interruption, show_bar: bool) -> Row | None:
        """Train and validate one epoch, from the batch where the progress stands; None when interrupted."""
        settings, progress, steps = self.settings, self.progress, self.sizes.batches
        began = time.perf_counter() - progress.seconds
        batches = epoch_batches(self.train_reader, self.order, self.sizes, progress.epoch, progress.step)
        sums = torch.tensor(progress.sums, dtype=self.learner.sum_dtype, device=self.device)
        self.network.train()
        shape, total = SCHEDULES[settings.schedule], settings.epochs * steps
        title = f"epoch {progress.epoch + 1}/{settings.epochs}"
        with _bar(steps, progress.step, title, show_bar) as bar:
            for batch in device_batches(batches, self.device):
                rate = progress.learning_rate * shape(progress.epoch * steps + progress.step, total)
                sums += self.learner.step(batch, progress.epoch, progress.step, rate)
                progress.step += 1
                bar.update()
                if interruption.requested:
                    break
        progress.sums = sums.tolist()
        progress.seconds = time.perf_counter() - began
        if progress.step < steps:
            return None
        validation = self._validate(interruption)
        if interruption.requested:  # validation starts over on resuming: it changes nothing
            return None
        progress.seconds = time.perf_counter() - began
        last_rate = progress.learning_rate * shape((progress.epoch + 1) * steps - 1, total)
        return self._finish_epoch(validation, steps, last_rate)

    def _validate(self, interruption: Interruption) -> list[float] | None:
        """Mean loss and hit rates over the validation split, on the pinned pairs; None where there are none."""
        reader = self.validation_reader
        if reader is None:
            return None
        group_bytes = self.settings.shuffle_mib * MIB
        order = PairOrder(reader, shuffled=False, fresh_windows=False, group_bytes=group_bytes)
        batches = epoch_batches(reader, order, BatchSizes(len(reader), EVALUATION_BATCH), 0)
        sums = torch.zeros(4, dtype=self.learner.sum_dtype, device=self.device)
        self.network.eval()
        with torch.inference_mode():
            for batch in device_batches(batches, self.device):
                if interruption.requested:
                    break
                sums += self.learner.sums(*self.learner.forward(batch), batch)
        return (sums[:3] / sums[3]).tolist()

    def _finish_epoch(self, validation: list[float] | None, steps: int, learning_rate: float) -> Row:
        """Book an epoch: its row, the best so far, the learning rate, and every file of the run."""
        progress, settings = self.progress, self.settings
        train = [value / progress.sums[3] for value in progress.sums[:3]]
        monitored = (train if validation is None else validation)[0]
        if not (np.isfinite(train[0]) and np.isfinite(monitored)):
            raise ValueError(
                f"the loss is no longer finite in epoch {progress.epoch + 1} (training {train[0]}, monitored "
                f"{monitored}); take a lower learning_rate than {progress.learning_rate} or precision float32. "
                f"The weights of the epoch before are kept"
            )
        progress.epoch += 1
        row: Row = {
            "epoch": progress.epoch,
            "step": progress.epoch * steps,
            **dict(zip(("train_loss", "train_bucket1", "train_bucket2"), train, strict=True)),
            **dict(zip(VALIDATION_COLUMNS, validation or (None, None, None), strict=True)),
            "learning_rate": learning_rate,
            "pairs_per_s": round(progress.sums[3] / max(progress.seconds, 1e-9), 1),
            "seconds": round(progress.seconds, 3),
        }
        progress.history.append(row)
        progress.step, progress.sums, progress.seconds = 0, [0.0] * 4, 0.0
        if progress.best_value is None or monitored < progress.best_value:
            progress.best_value, progress.best_epoch, progress.stale_epochs = monitored, progress.epoch, 0
            save_weights(self.run_dir / WEIGHTS_FILES["best"], self.network, row)
        else:
            progress.stale_epochs += 1
            if settings.plateau_patience and progress.stale_epochs % settings.plateau_patience == 0:
                progress.learning_rate *= settings.plateau_factor
        save_weights(self.run_dir / WEIGHTS_FILES["last"], self.network, row)
        write_log(self.run_dir, progress.history)
        self._save_state()
        return row

    def _save_state(self) -> None:
        self.progress.scaler = self.learner.scaler.state_dict()
        save_state(self.run_dir, self.network, self.learner.optimiser, self.progress)

    def _end(self) -> str | None:
        if self.progress.epoch >= self.settings.epochs:
            return "epochs"
        patience = self.settings.patience
        return "patience" if patience is not None and self.progress.stale_epochs >= patience else None


def _bar(total: int, done: int, title: str, show: bool) -> Any:
    from tqdm import tqdm

    quiet = not (show and sys.stderr.isatty())
    return tqdm(total=total, initial=done, desc=title, unit="batch", leave=False, disable=quiet, file=sys.stderr)


def _row_text(row: Row, epochs: int) -> str:
    """One epoch in one line."""
    text = f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.3f}, bucket-1 {row['train_bucket1']:.1%}"
    if row["validation_loss"] is not None:
        text += f"; validation loss {row['validation_loss']:.3f}, bucket-1 {row['validation_bucket1']:.1%}"
        text += f", bucket-2 {row['validation_bucket2']:.1%}"
    return f"{text}; {row['pairs_per_s']:.0f} pairs/s"
