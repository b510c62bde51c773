"""Training: from a store to a run's folder, resumable at any batch.

Nothing that is random depends on what happened before: the order of the pairs and the references of an epoch are
drawn from (seed, epoch), dropout from (seed, epoch, step). So a run that was stopped and resumed gives the same
weights as one that was not, bit for bit on a processor with the same PyTorch and number of threads; on a GPU, where
sums are taken in no fixed order, up to rounding.

The paper ("Towards audio based score following", section III) names learning rate, batch sizes, early stopping and a
learning rate lowered on plateaus, but no optimiser: Adam here. "Accuracy" there is bucket-1 here.
"""

import importlib.metadata
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sfdata.reader import PairReader
from sfdata.store import Store, array_sha256, open_store
from sfmodel.batches import DeviceBatch, device_batches, split_order
from sfmodel.checkpoint import (
    CONFIG_FILE,
    LOG_FILE,
    RESUME_FILE,
    WEIGHTS_FILES,
    read_config,
    save_weights,
    store_fingerprint,
    write_config,
)
from sfmodel.devices import available_bytes, choose_device, choose_precision
from sfmodel.memory import check_memory
from sfmodel.networks import NetworkSettings, build_network, default_settings, parameter_count, soft_target_loss
from sfmodel.progress import Interruption, Progress, Row, load_state, open_tensorboard, save_state, write_log

Log = Callable[[str], None]
FREE_TO_CHANGE = ("epochs", "device", "tensorboard")  # on resuming: they don't alter what is computed
EVALUATION_BATCH = 128


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that determines a training, besides the store.

    Attributes
    ----------
    model : str
        Name of the architecture: ``reduced``, ``middle`` or ``full``.
    network : dict
        What differs from the architecture's defaults: fields of :class:`sfmodel.architectures.NetworkSettings`.
    epochs : int
        At most so many passes over the training split.
    batch_size : int
    learning_rate : float
        Of Adam (the paper names no optimiser; its rate is 0.001).
    weight_decay : float
        Decoupled from the gradient (AdamW); 0 is plain Adam.
    patience : int, optional
        Stop after so many epochs without a lower monitored loss (paper: 10); None never stops early. Monitored is the
        validation loss, or the training loss where the store holds no pairs for validation.
    plateau_patience : int, optional
        Multiply the learning rate by `plateau_factor` after so many such epochs; None keeps it.
    plateau_factor : float
    fresh_windows : bool
        Draw each pair's reference anew in every epoch in place of the pinned one.
    seed : int
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    precision : str
        ``auto``, ``float32``, ``bfloat16`` or ``float16``; of the forward pass, weights are float32.
    tensorboard : bool
        Also write TensorBoard's events.
    """

    model: str = "reduced"
    network: dict[str, Any] = field(default_factory=dict)
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    patience: int | None = 10
    plateau_patience: int | None = None
    plateau_factor: float = 0.5
    fresh_windows: bool = True
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch_size", 1), ("patience", 1), ("plateau_patience", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise ValueError(f"training: {name} {value}; expected at least {low}")
        if not (0 < self.learning_rate < np.inf and 0 <= self.weight_decay < np.inf and 0 < self.plateau_factor < 1):
            raise ValueError(
                f"training: learning_rate {self.learning_rate}, weight_decay {self.weight_decay}, plateau_factor "
                f"{self.plateau_factor}; expected above 0, at least 0, and between 0 and 1"
            )

    def network_settings(self, store: Store) -> NetworkSettings:
        """Settings of the network for a store's windows and bins.

        Raises
        ------
        ValueError
            If the model or a changed setting is unknown or impossible.
        """
        bins = int(store.frames.shape[1])
        defaults = default_settings(self.model, store.reference_frames, store.snippet_frames, bins)
        unknown = sorted(set(self.network) - set(asdict(defaults)))
        if unknown:
            raise ValueError(f"network: no setting {', '.join(unknown)}; expected some of {', '.join(asdict(defaults))}")
        return replace(defaults, **self.network)


def train(
    store_path: str | Path,
    run_dir: str | Path,
    settings: TrainingSettings | None = None,
    *,
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
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), Interruption() as interruption:  # leave the caller's generators alone
        try:
            run = Run(store, run_dir, settings, device, log)
            run.begin(resume, overwrite)
            return run.go(interruption, progress)
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f"{device} ran out of memory with batches of {settings.batch_size}: take a smaller batch size or "
                f"network; the state of the last epoch is kept, if there was one ({error})"
            ) from error


class Run:
    """One training run: its data, network, optimiser and progress; made and used by :func:`train`."""

    def __init__(self, store: Store, run_dir: Path, settings: TrainingSettings, device: torch.device, log: Log) -> None:
        self.run_dir, self.settings, self.device, self.log = run_dir, settings, device, log
        self.network_settings = settings.network_settings(store)
        self.precision = choose_precision(settings.precision, device)
        check_memory(self.network_settings, settings.batch_size, self.precision, device)
        self.train_reader = _checked_reader(store, "train")
        self.validation_reader = _checked_reader(store, "validation") if len(store.pair_rows("validation")) else None
        if self.network_settings.head_normalised and min(len(self.train_reader), settings.batch_size) < 2:
            raise ValueError(
                f"batch norm after the concatenation needs batches of two pairs; batch_size is {settings.batch_size}, "
                f"the store has {len(self.train_reader)} pairs to train on: take more, or batch_norm 'stacks'"
            )
        self.fingerprint = store_fingerprint(store)
        torch.manual_seed(settings.seed)
        self.network = build_network(self.network_settings).to(device)
        if device.type == "cuda" and self.precision is not torch.float32:
            self.network = self.network.to(memory_format=torch.channels_last)  # what tensor cores want
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision is torch.float16)
        self.progress = Progress(learning_rate=settings.learning_rate)

    def begin(self, resume: bool, overwrite: bool) -> None:
        """Set up the folder: a new run, or the state of the one that is there."""
        config = {
            "network": asdict(self.network_settings),
            "training": asdict(self.settings),
            "store": self.fingerprint,
            "software": _software(),
        }
        if self.run_dir.exists() and not self.run_dir.is_dir():
            raise ValueError(f"{self.run_dir} is a file; expected a folder for the run, or a name that is free")
        self.run_dir.mkdir(parents=True, exist_ok=True)
        if (self.run_dir / CONFIG_FILE).exists() and not overwrite:
            if not resume:
                raise ValueError(f"{self.run_dir} holds a run already; take --resume, --overwrite or another folder")
            _refuse_differences(self.run_dir, read_config(self.run_dir), config)
            if (self.run_dir / RESUME_FILE).exists():
                self.progress = load_state(self.run_dir, self.network, self.optimiser)
                if self.progress.scaler:
                    self.scaler.load_state_dict(self.progress.scaler)
        else:
            for name in (CONFIG_FILE, RESUME_FILE, LOG_FILE, *WEIGHTS_FILES.values()):
                (self.run_dir / name).unlink(missing_ok=True)
            shutil.rmtree(self.run_dir / "tensorboard", ignore_errors=True)
        write_config(self.run_dir, config)
        write_log(self.run_dir, self.progress.history)
        self._set_learning_rate()
        pairs = f"{len(self.train_reader)} pairs to train on, {len(self.validation_reader or ())} to validate"
        at = f", resumed at epoch {self.progress.epoch + 1}, batch {self.progress.step + 1}"
        self.log(
            f"{self.settings.model}: {parameter_count(self.network):,} parameters, {pairs}, on {self.device} "
            f"in {str(self.precision).removeprefix('torch.')}" + (at if self.progress.epoch or self.progress.step else "")
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
