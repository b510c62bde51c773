"""The learner: a network, its optimiser and its precision; one step of gradient descent at a time."""

import numpy as np
import torch
from torch import Tensor

from sfmodel.architectures import NetworkSettings
from sfmodel.batches import DeviceBatch
from sfmodel.networks import build_network, soft_target_loss
from sfmodel.settings import TrainingSettings


class Learner:
    """Makes a network from a seed and improves it by Adam.

    Parameters
    ----------
    network : NetworkSettings
    settings : TrainingSettings
    device : torch.device
    precision : torch.dtype
        Of the forward pass (automatic mixed precision); weights, loss and moments are float32.

    Attributes
    ----------
    network : DualStack
    optimiser : torch.optim.Optimizer
    scaler : torch.amp.GradScaler
        Keeps gradients from vanishing in float16; does nothing in other precisions.
    """

    def __init__(
        self, network: NetworkSettings, settings: TrainingSettings, device: torch.device, precision: torch.dtype
    ) -> None:
        self.settings, self.device, self.precision = settings, device, precision
        self.sum_dtype = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have no float64
        torch.manual_seed(settings.seed)
        self.network = build_network(network).to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)

    def step(self, batch: DeviceBatch, epoch: int, step: int, learning_rate: float) -> Tensor:
        """One step of gradient descent; returns the batch's sums, see :meth:`sums`."""
        # Seeding every step makes dropout a function of (seed, epoch, step): there is no generator to save.
        words = np.random.SeedSequence([self.settings.seed, epoch, step]).generate_state(2)
        torch.manual_seed(int(words[0]) << 32 | int(words[1]))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        logits, loss = self.forward(batch)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return self.sums(logits.detach(), loss.detach(), batch)

    def forward(self, batch: DeviceBatch) -> tuple[Tensor, Tensor]:
        """Logits (pairs, reference_frames) and mean loss of a batch."""
        mixed = self.precision is not torch.float32
        with torch.autocast(self.device.type, dtype=self.precision if mixed else None, enabled=mixed):
            logits = self.network(batch.reference, batch.snippet)
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
