"""One training run, epoch after epoch: what :func:`sfmodel.training.train` makes and sets going."""

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
from sfdata.store import Store
from sfmodel.batches import device_batches
from sfmodel.checkpoint import describe_software, store_fingerprint
from sfmodel.devices import choose_precision, describe_device
from sfmodel.learner import Learner
from sfmodel.loading import MIB, Reader, describe_loading, open_reader
from sfmodel.memory import check_memory
from sfmodel.networks import parameter_count
from sfmodel.processes import Processes
from sfmodel.progress import Interruption, Progress, Row, load_state, open_tensorboard
from sfmodel.run_folder import RunFolder
from sfmodel.settings import SCHEDULES, TrainingSettings

Log = Callable[[str], None]
EVALUATION_BATCH = 128
AGREE_EVERY = 16  # batches after which several processes ask each other whether to stop or save
VALIDATION_COLUMNS = ("validation_loss", "validation_bucket1", "validation_bucket2")


class Clock:
    """When to save and when to stop."""

    def __init__(self, save_every_s: float, time_limit_s: float | None = None) -> None:
        if save_every_s <= 0 or (time_limit_s is not None and time_limit_s <= 0):
            raise ValueError(f"save_every_s {save_every_s}, time_limit_s {time_limit_s}; expected more than 0")
        self.save_every_s, self.time_limit_s = save_every_s, time_limit_s
        self.began = self.saved = time.monotonic()

    def save_due(self) -> bool:
        """Whether the state was last saved so long ago that it should be again."""
        return time.monotonic() - self.saved >= self.save_every_s

    def over(self) -> bool:
        """Whether the time that was given is over."""
        return self.time_limit_s is not None and time.monotonic() - self.began >= self.time_limit_s


class Run:
    """One training run: its data, network, optimiser and progress; made and used by :func:`sfmodel.training.train`."""

    def __init__(
        self,
        store: Store,
        run_dir: Path,
        settings: TrainingSettings,
        device: torch.device,
        processes: Processes,
        clock: Clock,
        loading: str,
        log: Log,
    ) -> None:
        self.settings, self.device, self.processes, self.clock = settings, device, processes, clock
        self.folder = RunFolder(run_dir)
        self.log: Log = log if processes.first else lambda message: None
        self.phases = settings.each_phase()
        self.network_settings = settings.network_settings(store)
        self.precision = choose_precision(settings.precision, device)
        pairs = len(store.pair_rows("train"))
        for phase in self.phases:
            if min(phase.batch_size, max(pairs, 1)) < processes.world:
                raise ValueError(
                    f"batch_size {phase.batch_size} of {pairs} pairs for {processes.world} processes; expected at "
                    "least a pair for each"
                )
            if self.network_settings.head_normalised and pairs and min(pairs, phase.batch_size) < 2:
                raise ValueError(
                    f"batch norm after the concatenation needs batches of two pairs; batch_size is {phase.batch_size}, "
                    f"the store has {pairs} pairs to train on: take more, or batch_norm 'stacks'"
                )
        at_once = max(-(-min(p.batch_size, max(1, pairs)) // (p.accumulate * processes.world)) for p in self.phases)
        self.memory = check_memory(self.network_settings, at_once, self.precision, device)
        group_bytes = settings.shuffle_mib * MIB
        self.train_reader: Reader = open_reader(store, "train", loading, group_bytes=group_bytes)
        self.validation_reader: Reader | None = None
        if len(store.pair_rows("validation")):
            self.validation_reader = open_reader(store, "validation", loading, group_bytes=group_bytes)
        self.order = PairOrder(
            self.train_reader,
            settings.seed,
            fresh_windows=settings.fresh_windows,
            snippets_per_reference=settings.snippets_per_reference,
            group_bytes=group_bytes,
        )
        self.fingerprint = store_fingerprint(store)
        self.learner = Learner(
            self.network_settings, settings, device, self.precision, processes, settings.transpose_bins(store)
        )
        self.network = self.learner.network
        self.progress = Progress(learning_rate=self.phases[0].learning_rate)

    @property
    def phase(self) -> TrainingSettings:
        """Settings of the phase under way."""
        return self.phases[self.progress.phase]

    @property
    def sizes(self) -> BatchSizes:
        """How an epoch of this phase is cut into batches: none has less than a pair for each process, or than two."""
        pairs, batch_size = len(self.train_reader), self.phase.batch_size
        rest = pairs % batch_size
        return BatchSizes(pairs, batch_size, "drop" if 0 < rest < self.processes.world else "two")

    def begin(self, resume: bool, overwrite: bool) -> None:
        """Set up the folder: a new run, or the state of the one that is there."""
        config = {
            "network": asdict(self.network_settings),
            "training": asdict(self.settings),
            "store": self.fingerprint,
            "software": describe_software(self.processes.world),
        }
        resumed = self.processes.first_does(lambda: self.folder.prepare(config, resume, overwrite))
        if resumed:
            self.progress = load_state(self.folder.path, self.network, self.learner.optimiser)
            if self.progress.scaler:
                self.learner.scaler.load_state_dict(self.progress.scaler)
        self.processes.first_does(lambda: self.folder.write_config(config, self.progress.history))
        pairs = f"{len(self.train_reader)} pairs to train on, {len(self.validation_reader or ())} to validate"
        at = f", resumed at epoch {self.progress.epoch + 1}, batch {self.progress.step + 1}"
        self.log(
            f"{self.settings.model}: {parameter_count(self.network):,} parameters, {pairs}, on {self.device} "
            f"in {str(self.precision).removeprefix('torch.')}"
            + f"; {describe_loading(self.train_reader)}"
            + (at if self.progress.epoch or self.progress.step else "")
        )
        together = f", {self.processes.world} processes" if self.processes.world > 1 else ""
        self.log(f"{describe_device(self.device)}{together}; {self.memory}")
        if self.validation_reader is None:
            self.log("the store has no pairs for validation: 'best' is chosen by the training loss")

    def go(self, interruption: Interruption, show_bar: bool) -> dict[str, Any]:
        """Train epoch after epoch until something ends the run."""
        first = self.processes.first
        events = self.settings.tensorboard and first
        tensorboard = open_tensorboard(self.folder.path, self.progress.epoch) if events else None
        ended = self._end()
        while ended is None:
            row, stopped = self._epoch(interruption, show_bar and first)
            if row is None:
                self._save()
                ended = stopped
                break
            if tensorboard is not None:
                for name, value in row.items():
                    if value is not None and name not in ("epoch", "phase", "step"):
                        tensorboard.add_scalar(name.replace("_", "/", 1), value, self.progress.epoch)
                tensorboard.flush()
            self.log(_row_text(row, self.settings))
            ended = self._end() or stopped
        if tensorboard is not None:
            tensorboard.close()
        history = self.progress.history
        return {
            "run_dir": str(self.folder.path),
            "model": self.settings.model,
            "parameters": parameter_count(self.network),
            "device": str(self.device),
            "precision": str(self.precision).removeprefix("torch."),
            "processes": self.processes.world,
            "pairs": {"train": len(self.train_reader), "validation": len(self.validation_reader or ())},
            "epochs": self.progress.epoch,
            "best": history[self.progress.best_epoch - 1] if self.progress.best_epoch else None,
            "last": history[-1] if history else None,
            "ended": ended,
            "seconds": sum(row["seconds"] or 0 for row in history) + self.progress.seconds,
        }

    def _epoch(self, interruption: Interruption, show_bar: bool) -> tuple[Row | None, str | None]:
        """Train and validate one epoch, from the batch where the progress stands.

        Returns
        -------
        row : dict or None
            None if it was stopped within.
        stopped : str or None
            Why the run is to end here, if so.
        """
        phase, progress, sizes = self.phase, self.progress, self.sizes
        steps, rank, world = sizes.batches, self.processes.rank, self.processes.world
        began = time.perf_counter() - progress.seconds
        batches = epoch_batches(
            self.train_reader, self.order, sizes, progress.epoch, progress.step, rank=rank, world=world
        )
        sums = torch.tensor(
            progress.sums if self.processes.first else [0.0] * 4, dtype=self.learner.sum_dtype, device=self.device
        )
        self.network.train()
        for group in self.learner.optimiser.param_groups:
            group["weight_decay"] = phase.weight_decay
        stopped: str | None = None
        title = f"epoch {progress.epoch + 1}/{self.settings.total_epochs}"
        with _bar(steps, progress.step, title, show_bar) as bar:
            for batch in device_batches(batches, self.device):
                low, high = sizes.span(progress.step)
                rate = progress.learning_rate * self._schedule(progress.step, steps)
                sums += self.learner.step(batch, progress.epoch, progress.step, rate, high - low, phase.accumulate)
                progress.step += 1
                bar.update()
                if world > 1 and progress.step % AGREE_EVERY and progress.step < steps:
                    continue
                stopped, save = self._asked(interruption)
                if stopped:
                    break
                if save and progress.step < steps:
                    sums = self._gather(sums)
                    progress.seconds = time.perf_counter() - began
                    self._save()
        sums = self._gather(sums)
        progress.seconds = time.perf_counter() - began
        if progress.step < steps:
            return None, stopped
        validation = self._validate(interruption)
        # Validation starts over on resuming: it changes nothing. A limit of time waits for its end, as otherwise one
        # that is shorter would never let an epoch end.
        if self.processes.any(interruption.requested)[0]:
            return None, "interrupted"
        progress.seconds = time.perf_counter() - began
        last_rate = progress.learning_rate * self._schedule(steps - 1, steps)
        return self._finish_epoch(validation, steps, last_rate), stopped

    def _asked(self, interruption: Interruption) -> tuple[str | None, bool]:
        """Why to stop, if so, and whether to save: the same answer in all processes."""
        first = self.processes.first
        interrupted, over, save = self.processes.any(
            interruption.requested, first and self.clock.over(), first and self.clock.save_due()
        )
        return "interrupted" if interrupted else "time" if over else None, save

    def _gather(self, sums: torch.Tensor) -> torch.Tensor:
        """Book the sums of all processes; the first goes on counting from there, the others from zero."""
        total = self.processes.total(sums)
        self.progress.sums = total.tolist()
        return total if self.processes.first else torch.zeros_like(total)

    def _schedule(self, step: int, steps: int) -> float:
        phase = self.phase
        return SCHEDULES[phase.schedule](self.progress.phase_epochs * steps + step, phase.epochs * steps)

    def _validate(self, interruption: Interruption) -> list[float] | None:
        """Mean loss and hit rates over the validation split, on the pinned pairs; None where there are none."""
        reader = self.validation_reader
        if reader is None:
            return None
        group_bytes = self.settings.shuffle_mib * MIB
        order = PairOrder(reader, shuffled=False, fresh_windows=False, group_bytes=group_bytes)
        sizes = BatchSizes(len(reader), EVALUATION_BATCH)
        batches = epoch_batches(reader, order, sizes, 0, rank=self.processes.rank, world=self.processes.world)
        sums = torch.zeros(4, dtype=self.learner.sum_dtype, device=self.device)
        self.network.eval()
        with torch.inference_mode():
            for batch in device_batches(batches, self.device):
                if interruption.requested:
                    break
                if len(batch):  # of a last batch that is smaller than the number of processes, some get nothing
                    sums += self.learner.sums(*self.learner.forward(batch), batch)
        sums = self.processes.total(sums)
        return (sums[:3] / sums[3]).tolist()

    def _finish_epoch(self, validation: list[float] | None, steps: int, learning_rate: float) -> Row:
        """Book an epoch: its row, the best so far, the learning rate, the phase, and every file of the run."""
        progress, phase = self.progress, self.phase
        train = [value / progress.sums[3] for value in progress.sums[:3]]
        monitored = (train if validation is None else validation)[0]
        if not (np.isfinite(train[0]) and np.isfinite(monitored)):
            raise ValueError(
                f"the loss is no longer finite in epoch {progress.epoch + 1} (training {train[0]}, monitored "
                f"{monitored}); take a lower learning_rate than {progress.learning_rate} or precision float32. "
                f"The weights of the epoch before are kept"
            )
        progress.epoch += 1
        progress.phase_epochs += 1
        progress.steps += steps
        row: Row = {
            "epoch": progress.epoch,
            "phase": progress.phase + 1,
            "step": progress.steps,
            **dict(zip(("train_loss", "train_bucket1", "train_bucket2"), train, strict=True)),
            **dict(zip(VALIDATION_COLUMNS, validation or (None, None, None), strict=True)),
            "learning_rate": learning_rate,
            "pairs_per_s": round(progress.sums[3] / max(progress.seconds, 1e-9), 1),
            "seconds": round(progress.seconds, 3),
        }
        progress.history.append(row)
        progress.step, progress.sums, progress.seconds = 0, [0.0] * 4, 0.0
        best = progress.best_value is None or monitored < progress.best_value
        if best:
            progress.best_value, progress.best_epoch, progress.stale_epochs = monitored, progress.epoch, 0
        else:
            progress.stale_epochs += 1
            if phase.plateau_patience and progress.stale_epochs % phase.plateau_patience == 0:
                progress.learning_rate *= phase.plateau_factor
        if progress.phase + 1 < len(self.phases) and self._phase_end() is not None:
            progress.phase, progress.phase_epochs, progress.stale_epochs = progress.phase + 1, 0, 0
            progress.learning_rate = self.phase.learning_rate
            self.log(
                f"phase {progress.phase + 1} of {len(self.phases)}: at most {self.phase.epochs} epochs, batches of "
                f"{self.phase.batch_size}, learning rate {self.phase.learning_rate:g}"
            )
        self._save(row, best)
        return row

    def _save(self, row: Row | None = None, best: bool = False) -> None:
        """Write the state, and after an epoch its weights and the log; only the first process does."""
        if self.processes.first:
            self.progress.scaler = self.learner.scaler.state_dict()
            if row is not None:
                self.folder.save_epoch(self.network, self.progress.history, best)
            self.folder.save_state(self.network, self.learner.optimiser, self.progress)
        self.clock.saved = time.monotonic()

    def _end(self) -> str | None:
        """Why the run has ended, if it has."""
        return self._phase_end() if self.progress.phase + 1 == len(self.phases) else None

    def _phase_end(self) -> str | None:
        if self.progress.phase_epochs >= self.phase.epochs:
            return "epochs"
        patience = self.phase.patience
        return "patience" if patience is not None and self.progress.stale_epochs >= patience else None


def _bar(total: int, done: int, title: str, show: bool) -> Any:
    from tqdm import tqdm

    quiet = not (show and sys.stderr.isatty())
    return tqdm(total=total, initial=done, desc=title, unit="batch", leave=False, disable=quiet, file=sys.stderr)


def _row_text(row: Row, settings: TrainingSettings) -> str:
    """One epoch in one line."""
    text = f"epoch {row['epoch']}/{settings.total_epochs}: "
    text += f"loss {row['train_loss']:.3f}, bucket-1 {row['train_bucket1']:.1%}"
    if row["validation_loss"] is not None:
        text += f"; validation loss {row['validation_loss']:.3f}, bucket-1 {row['validation_bucket1']:.1%}"
        text += f", bucket-2 {row['validation_bucket2']:.1%}"
    return f"{text}; {row['pairs_per_s']:.0f} pairs/s"
