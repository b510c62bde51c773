"""Settings of a training, saved beside the weights."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from sfdata.order import GROUP_BYTES
from sfdata.store import Store
from sfmodel.architectures import NetworkSettings, default_settings

NO_DROPOUT = {"pool_dropout": 0.0, "stack_dropout": 0.0, "head_dropout": 0.0}
WARM_UP = 0.05  # of the steps


def _constant(step: int, steps: int) -> float:
    return 1.0


def _cosine(step: int, steps: int) -> float:
    """Up along a line over the first steps, then down to zero along half a cosine."""
    return min(1.0, (step + 1) / (WARM_UP * steps)) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


SCHEDULES: dict[str, Callable[[int, int], float]] = {"constant": _constant, "cosine": _cosine}


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
    schedule : {"constant", "cosine"}
        Course of the learning rate over all epochs: as it is (paper), or a short warm-up and then down to zero along
        a cosine, which learns more in a given number of epochs but cannot be extended by further ones.
    fresh_windows : bool
        Draw each pair's reference anew in every epoch in place of the pinned one.
    shuffle_mib : int
        Frames whose pairs are shuffled together, at most, in MiB. A split that is larger is taken in such groups of
        its pieces (see :mod:`sfdata.order`), whether it fits into memory or not; read in blocks, two of them are held.
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
    schedule: str = "constant"
    fresh_windows: bool = True
    shuffle_mib: int = GROUP_BYTES // 2**20
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch_size": 1, "patience": 1, "plateau_patience": 1, "shuffle_mib": 1, "seed": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise ValueError(f"training: {name} {value}; expected at least {low}")
        if self.seed >= 2**63:
            raise ValueError(f"training: seed {self.seed}; expected less than 2**63")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"training: schedule {self.schedule!r}; expected one of {', '.join(SCHEDULES)}")
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
            raise ValueError(
                f"network: no setting {', '.join(unknown)}; expected some of {', '.join(asdict(defaults))}"
            )
        return replace(defaults, **self.network)
