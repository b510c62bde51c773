"""Settings of a training, saved beside the weights."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.order import GROUP_BYTES
from sfdata.shipped_files import read_toml, shipped_file
from sfdata.store import Store
from sfmodel.architectures import AnySettings, default_settings

NO_DROPOUT = {"pool_dropout": 0.0, "stack_dropout": 0.0, "head_dropout": 0.0}
WARM_UP = 0.05  # of the steps
IN_PHASES = (
    *("epochs", "batch_size", "accumulate", "learning_rate", "schedule", "weight_decay"),
    *("patience", "plateau_patience", "plateau_factor"),
)


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
        Name of the architecture: ``reduced``, ``middle``, ``full`` or ``match``.
    network : dict
        What differs from the architecture's defaults: fields of :class:`sfmodel.architectures.NetworkSettings`, or
        of :class:`~sfmodel.architectures.MatchSettings` for ``match``.
    epochs : int
        At most so many passes over the training split.
    batch_size : int
        Pairs that one step of the optimiser sees, over all processes.
    accumulate : int
        Compute each batch in so many parts and add up their gradients, where a whole one does not fit. Batch norm then
        takes its statistics from a part, so the result is not that of whole batches.
    learning_rate : float
        Of Adam (the paper names no optimiser; its rate is 0.001).
    weight_decay : float
        Decoupled from the gradient (AdamW); 0 is plain Adam.
    gradient_norm : float
        Longer gradients are shortened to this length; 0 leaves all as they are.
    patience : int, optional
        Stop after so many epochs without a lower monitored loss (paper: 10); None never stops early. Monitored is the
        validation loss, or the training loss where the store holds no pairs for validation.
    plateau_patience : int, optional
        Multiply the learning rate by `plateau_factor` after so many such epochs; None keeps it.
    plateau_factor : float
    schedule : {"constant", "cosine"}
        Course of the learning rate over all epochs: as it is (paper), or a short warm-up and then down to zero along
        a cosine, which learns more in a given number of epochs but cannot be extended by further ones.
    phases : tuple of dict
        Trainings one after another with the same network and optimiser: each names `epochs` and what else in
        :data:`IN_PHASES` differs from the settings above. A phase ends after its epochs or by its patience; the next
        one begins with its own learning rate. Empty for a single phase.
    fresh_windows : bool
        Draw each pair's reference anew in every epoch in place of the pinned one.
    snippets_per_reference : int
        Pairs, at most, that share such a reference and follow one another: ``match`` encodes it once for all of them.
    transpose_semitones : int
        Move reference and snippet of each batch together by up to so many semitones, up or down, within the bins:
        other keys for nothing. Not for mel bands.
    shuffle_mib : int
        Frames whose pairs are shuffled together, at most, in MiB. A split that is larger is taken in such groups of
        its pieces (see :mod:`sfdata.order`), whether it fits into memory or not; read in blocks, two of them are held.
    seed : int
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    precision : str
        ``auto``, ``float32``, ``bfloat16`` or ``float16``; of the forward pass, weights are float32.
    compile : bool
        Have ``torch.compile`` make kernels for the network; slow at first, and needs a C++ compiler or Triton.
    tensorboard : bool
        Also write TensorBoard's events.
    """

    model: str = "reduced"
    network: dict[str, Any] = field(default_factory=dict)
    epochs: int = 20
    batch_size: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    gradient_norm: float = 0.0
    patience: int | None = 10
    plateau_patience: int | None = None
    plateau_factor: float = 0.5
    schedule: str = "constant"
    phases: tuple[dict[str, Any], ...] = ()
    fresh_windows: bool = True
    snippets_per_reference: int = 1
    transpose_semitones: int = 0
    shuffle_mib: int = GROUP_BYTES // 2**20
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    tensorboard: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", tuple(dict(phase) for phase in self.phases))  # lists come from JSON
        least = {"epochs": 1, "batch_size": 1, "accumulate": 1, "patience": 1, "plateau_patience": 1}
        least |= {"snippets_per_reference": 1, "transpose_semitones": 0, "shuffle_mib": 1, "seed": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise ValueError(f"training: {name} {value}; expected at least {low}")
        if self.seed >= 2**63:
            raise ValueError(f"training: seed {self.seed}; expected less than 2**63")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"training: schedule {self.schedule!r}; expected one of {', '.join(SCHEDULES)}")
        numbers = (self.learning_rate, self.weight_decay, self.gradient_norm, self.plateau_factor)
        rate, *least_zero, factor = numbers
        if not (0 < rate < np.inf and all(0 <= number < np.inf for number in least_zero) and 0 < factor < 1):
            raise ValueError(
                f"training: learning_rate {rate}, weight_decay and gradient_norm {least_zero}, plateau_factor "
                f"{factor}; expected above 0, at least 0, and between 0 and 1"
            )
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"training: accumulate {self.accumulate} parts of batches of {self.batch_size}; expected no more parts "
                "than pairs"
            )
        if self.snippets_per_reference > 1 and not self.fresh_windows:
            raise ValueError(
                f"training: snippets_per_reference {self.snippets_per_reference} without fresh_windows; expected 1, "
                "since pinned references are each pair's own"
            )
        for number, phase in enumerate(self.phases, 1):
            wrong = sorted(set(phase) - set(IN_PHASES))
            if wrong or "epochs" not in phase:
                raise ValueError(
                    f"training: phase {number} has {', '.join(phase) or 'nothing'}; expected epochs, and some of "
                    f"{', '.join(IN_PHASES[1:])}"
                )
        self.each_phase()

    def each_phase(self) -> tuple["TrainingSettings", ...]:
        """The settings of every phase, in order; of a training without phases, its own.

        Raises
        ------
        ValueError
            If the settings of a phase are impossible.

        Examples
        --------
        >>> settings = TrainingSettings(batch_size=3, phases=({"epochs": 100}, {"epochs": 50, "batch_size": 10}))
        >>> [(phase.epochs, phase.batch_size) for phase in settings.each_phase()]
        [(100, 3), (50, 10)]
        """
        return tuple(replace(self, phases=(), **phase) for phase in self.phases) or (self,)

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases together, at most."""
        return sum(phase.epochs for phase in self.each_phase())

    def network_settings(self, store: Store) -> AnySettings:
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

    def transpose_bins(self, store: Store) -> tuple[int, ...]:
        """Bins by which batches may be moved, evenly drawn.

        Raises
        ------
        ValueError
            If a semitone is no whole number of a store's bins.
        """
        if not self.transpose_semitones:
            return (0,)
        spectrogram = store.spectrogram
        if spectrogram.scale == "mel" or spectrogram.bins_per_octave % 12:
            raise ValueError(
                f"training: transpose_semitones {self.transpose_semitones} with {spectrogram.scale} bins, "
                f"{spectrogram.bins_per_octave} an octave; expected bins that divide semitones: take 0"
            )
        size = spectrogram.bins_per_octave // 12
        return tuple(size * n for n in range(-self.transpose_semitones, self.transpose_semitones + 1))


def training_settings(table: Mapping[str, Any], base: TrainingSettings | None = None) -> TrainingSettings:
    """Make settings of a TOML table, refusing keys and types that don't fit.

    Parameters
    ----------
    table : mapping
        Fields of :class:`TrainingSettings`. TOML has no null: `patience` and `plateau_patience` of 0 mean never.
        ``network`` is a table, laid over that of `base`; ``phases`` an array of tables.
    base : TrainingSettings, optional
        What the table does not name.

    Raises
    ------
    ValueError
        Naming the key and what is expected.

    Examples
    --------
    >>> training_settings({"model": "full", "patience": 0, "network": {"dense": [8]}}).patience is None
    True
    >>> training_settings({"epochs": 2.5})
    Traceback (most recent call last):
    ...
    ValueError: [training] epochs = 2.5; expected int
    """
    base = base or TrainingSettings()
    values = _typed(table, base)
    if "network" in values:
        values["network"] = {**base.network, **values["network"]}
    if "phases" in values:
        values["phases"] = tuple(_typed(phase, base) for phase in values["phases"])
    return replace(base, **values)


def read_settings(path: str | Path) -> TrainingSettings:
    """Read the ``[training]`` table of a TOML file; what else stands there is not looked at.

    Raises
    ------
    FileNotFoundError
        If there is no such file, here or among those shipped.
    ValueError
        If it is no TOML, has no such table, or one that does not fit.
    """
    path = Path(path)
    if not path.is_file():
        path = shipped_file(str(path))
    document, _ = read_toml(path)
    table = document.get("training")
    if not isinstance(table, Mapping):
        raise ValueError(f"{path} has no table [training]; it has {', '.join(document) or 'nothing'}")
    try:
        return training_settings(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _typed(table: Mapping[str, Any], base: TrainingSettings) -> dict[str, Any]:
    """Values of a table, each of the type of its field."""
    known: dict[str, Any] = {entry.name: entry.type for entry in fields(base)}
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ValueError(f"[training] has no key {', '.join(unknown)}; expected some of {', '.join(known)}")
    kinds: dict[Any, tuple[type, ...]] = {
        float: (int, float),
        int | None: (int,),
        dict[str, Any]: (dict,),
        tuple[dict[str, Any], ...]: (list, tuple),
    }
    values = {}
    for name, value in table.items():
        kind = known[name]
        allowed = kinds.get(kind, (kind,))
        of_tables = kind != tuple[dict[str, Any], ...] or (
            isinstance(value, list | tuple) and all(isinstance(entry, dict) for entry in value)
        )
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed) or not of_tables:
            expected = "an array of tables" if not of_tables else " or ".join(entry.__name__ for entry in allowed)
            raise ValueError(f"[training] {name} = {value!r}; expected {expected}")
        never = kind == int | None and value == 0
        values[name] = None if never else float(value) if kind is float else value
    return values
