"""The learner: a network, its optimiser and its precision; one step of gradient descent at a time."""

import inspect
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sfmodel.architectures import AnySettings
from sfmodel.batch_norm import share_batch_norm
from sfmodel.batches import DeviceBatch
from sfmodel.match import PathSums
from sfmodel.networks import build_network, soft_target_loss
from sfmodel.processes import Processes
from sfmodel.settings import TrainingSettings

SETS_TOGETHER = 2  # pairs of so many references are transposed by the same number of bins
# Buffers are those of batch norm, which are the same in all processes; newer versions of PyTorch name the option anew.
SYNC_BUFFERS = "forward_sync_buffers"
if SYNC_BUFFERS not in inspect.signature(DistributedDataParallel).parameters:
    SYNC_BUFFERS = "broadcast_buffers"


class Learner:
    """Makes a network from a seed and improves it by Adam.

    Parameters
    ----------
    network : NetworkSettings or MatchSettings
    settings : TrainingSettings
    device : torch.device
    precision : torch.dtype
        Of the forward pass (automatic mixed precision); weights, loss and moments are float32.
    processes : Processes, optional
        Those that train together: each computes its share of a batch, gradients are averaged, batch norm takes its
        statistics from all shares.
    transpose_bins : tuple of int
        By one of these, drawn anew every few pairs, references and snippets are moved together.

    Attributes
    ----------
    network : DualStack or Match
    optimiser : torch.optim.Optimizer
    scaler : torch.amp.GradScaler
        Keeps gradients from vanishing in float16; does nothing in other precisions.
    """

    def __init__(
        self,
        network: AnySettings,
        settings: TrainingSettings,
        device: torch.device,
        precision: torch.dtype,
        processes: Processes | None = None,
        transpose_bins: tuple[int, ...] = (0,),
    ) -> None:
        self.settings, self.device, self.precision = settings, device, precision
        self.processes, self.transpose_bins = processes or Processes(), transpose_bins
        self.sum_dtype = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have no float64
        torch.manual_seed(settings.seed)
        self.network = build_network(network).to(device)
        self.distributed: DistributedDataParallel | None = None
        if self.processes.world > 1:
            share_batch_norm(self.network, device)
            options: dict[str, Any] = {SYNC_BUFFERS: False}
            if device.type == "cuda":
                options["device_ids"] = [device]
            self.distributed = DistributedDataParallel(self.network, **options)
        called: nn.Module = self.distributed or self.network
        if settings.compile:
            for module in self.network.modules():
                if isinstance(module, PathSums):
                    module.leave_to_python()
        self._network: Any = torch.compile(called) if settings.compile else called
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)

    def step(
        self,
        batch: DeviceBatch,
        epoch: int,
        step: int,
        learning_rate: float,
        pairs: int | None = None,
        accumulate: int = 1,
    ) -> Tensor:
        """One step of gradient descent.

        Parameters
        ----------
        batch : DeviceBatch
            This process's share.
        epoch, step : int
            Of the run; they seed dropout.
        learning_rate : float
        pairs : int, optional
            Of the whole batch, over all processes; those of `batch` by default.
        accumulate : int
            Compute it in so many parts; fewer where a part would hold less than two pairs.

        Returns
        -------
        Tensor of shape (4,)
            See :meth:`sums`; of this process's share.
        """
        pairs, world = pairs or len(batch), self.processes.world
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        sums = torch.zeros(4, dtype=self.sum_dtype, device=self.device)
        if len(self.transpose_bins) > 1:
            batch = batch.transposed(self._drawn_bins(epoch, step, pairs)[self.processes.rank :: world][: len(batch)])
        parts = batch.parts(min(accumulate, max(1, pairs // world // 2)))
        for number, part in enumerate(parts):
            self._seed(epoch, step, number)
            last = number == len(parts) - 1
            with nullcontext() if last or self.distributed is None else self.distributed.no_sync():
                logits, loss = self.forward(part)
                # processes' gradients are averaged, so each counts its pairs `world` times
                self.scaler.scale(loss * (len(part) * world / pairs)).backward()
            sums += self.sums(logits.detach(), loss.detach(), part)
        if self.settings.gradient_norm:
            self.scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return sums

    def _drawn_bins(self, epoch: int, step: int, pairs: int) -> NDArray[np.int64]:
        """By how much each pair of a whole batch is moved: a function of the step, the same in all processes.

        Neighbours are moved together, since those that share a reference are to share it still.
        """
        rng = np.random.default_rng([self.settings.seed, epoch, step])
        together = SETS_TOGETHER * self.settings.snippets_per_reference
        return np.repeat(rng.choice(self.transpose_bins, -(-pairs // together)), together)[:pairs]

    def _seed(self, epoch: int, step: int, part: int) -> None:
        """Make dropout a function of seed, epoch, step, part and process: there is no generator to save."""
        words = [self.settings.seed, epoch, step]
        if part or self.processes.rank:
            words += [part, self.processes.rank]
        high, low = np.random.SeedSequence(words).generate_state(2).tolist()
        torch.manual_seed(high << 32 | low)

    def forward(self, batch: DeviceBatch) -> tuple[Tensor, Tensor]:
        """Logits (pairs, reference_frames) and mean loss of a batch."""
        mixed = self.precision is not torch.float32
        # In evaluation nothing is shared, and processes may hold different numbers of batches.
        network = self._network if self.network.training or self.distributed is None else self.network
        with torch.autocast(self.device.type, dtype=self.precision if mixed else None, enabled=mixed):
            logits = network(batch.reference, batch.snippet)
        return logits, soft_target_loss(logits, batch.target_frame)

    def sums(self, logits: Tensor, loss: Tensor, batch: DeviceBatch) -> Tensor:
        """Loss times pairs, bucket-1 hits, bucket-2 hits, and pairs of a batch, shape (4,).

        They stay on the device: reading a number back at every step would make a GPU wait.
        """
        predicted = logits.argmax(dim=1)
        bucket1 = (predicted == batch.nearest).sum()
        bucket2 = (predicted[:, None] == batch.buckets).any(dim=1).sum()
        pairs = torch.tensor(len(predicted), device=loss.device)
        return torch.stack([value.to(self.sum_dtype) for value in (loss * pairs, bucket1, bucket2, pairs)])
