"""Progress of a run: where it stands, its log, and the signals that may stop it."""

import csv
import io
import signal
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from sfdata.files import write_atomically
from sfmodel.checkpoint import (
    LOG_FILE,
    RESUME_FILE,
    STATE_FORMAT,
    check_tensors,
    read_tensors,
    write_tensors,
)

LOG_COLUMNS = (
    "epoch",
    "phase",
    "step",
    "train_loss",
    "train_bucket1",
    "train_bucket2",
    "validation_loss",
    "validation_bucket1",
    "validation_bucket2",
    "learning_rate",
    "pairs_per_s",
    "seconds",
)
LATER_COLUMNS = {"phase": 1.0}  # what a log without them means
Row = dict[str, float | None]


@dataclass
class Progress:
    """Where a run stands, between two batches. Whatever is not here is derived from the settings' seed.

    Attributes
    ----------
    epoch : int
        Epochs finished.
    phase : int
        Number of the phase under way, from 0.
    phase_epochs : int
        Epochs finished of it.
    step : int
        Batches done in the epoch under way.
    steps : int
        Steps of the optimiser in all finished epochs.
    sums : list of float
        Over those batches: loss times pairs, bucket-1 hits, bucket-2 hits, pairs.
    seconds : float
        Spent in the epoch under way.
    learning_rate : float
    best_value, best_epoch :
        Lowest monitored loss so far, and its epoch.
    stale_epochs : int
        Epochs of this phase since the best value was found.
    history : list of dict
        The rows of the log.
    scaler : dict
        State of the gradients' scaler (float16 only).
    """

    learning_rate: float
    epoch: int = 0
    phase: int = 0
    phase_epochs: int = 0
    step: int = 0
    steps: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    seconds: float = 0.0
    best_value: float | None = None
    best_epoch: int = 0
    stale_epochs: int = 0
    history: list[Row] = field(default_factory=list)
    scaler: dict[str, Any] = field(default_factory=dict)


def write_log(run_dir: Path, history: list[Row]) -> None:
    """Write ``log.csv``: all rows, each time, so that a resumed run never repeats one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, LOG_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(run_dir / LOG_FILE, text.getvalue().encode())


def read_log(run_dir: Path) -> list[Row]:
    """Read ``log.csv``: one dict per epoch, None where a figure is missing.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it lacks a column or a value is no number.
    """
    path = run_dir / LOG_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no {LOG_FILE} in {run_dir}; expected a folder made by 'sfmodel train -o {run_dir}'")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        there = {*(reader.fieldnames or ()), *LATER_COLUMNS}
        missing = [column for column in LOG_COLUMNS if column not in there]
        if missing:
            raise ValueError(f"{path}: no column {', '.join(missing)}; expected {','.join(LOG_COLUMNS)}")
        try:
            rows: list[Row] = [{name: float(text) if text else None for name, text in row.items()} for row in reader]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: row {reader.line_num} cannot be read: {error}") from None
    return [{**LATER_COLUMNS, **row} for row in rows]


def save_state(run_dir: Path, network: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
    """Write everything that continuing needs as one file."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{key}": value for key, value in moments.items()}
    write_tensors(run_dir / RESUME_FILE, tensors, STATE_FORMAT, asdict(progress))


def load_state(run_dir: Path, network: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Read what :func:`save_state` wrote into a network and an optimiser of the same settings.

    Raises
    ------
    FileNotFoundError
        If there is no state.
    ValueError
        If the file is damaged or belongs to another network.
    """
    path = run_dir / RESUME_FILE
    tensors, facts = read_tensors(path, STATE_FORMAT)
    parameters = [parameter.detach() for parameter in network.parameters()]
    expected = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    if any(name.startswith("optimiser.") for name in tensors):
        for number, parameter in enumerate(parameters):
            expected[f"optimiser.{number}.step"] = torch.zeros((), dtype=torch.float32)
            expected[f"optimiser.{number}.exp_avg"] = expected[f"optimiser.{number}.exp_avg_sq"] = parameter
    check_tensors(path, tensors, expected)
    try:
        progress = Progress(**facts)
    except TypeError as error:
        raise ValueError(f"{path}: the progress in its metadata cannot be used: {error}; train again") from None
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimiser":
            number_text, _, key = rest.partition(".")
            if key != "step":  # fused kernels need moments that lie in memory as their parameter does
                tensor = torch.empty_like(parameters[int(number_text)]).copy_(tensor)
            moments.setdefault(int(number_text), {})[key] = tensor
    network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if name[0] == "n"})
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return progress


def open_tensorboard(run_dir: Path, epoch: int) -> Any:
    """Open TensorBoard's writer in a run's folder, dropping what was written after `epoch`.

    Raises
    ------
    ImportError
        With the line that installs it.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("TensorBoard is not installed: pip install 'sfdata[tensorboard]'") from error
    return SummaryWriter(run_dir / "tensorboard", purge_step=epoch + 1)


class Interruption:
    """Turns the first Ctrl-C (or SIGTERM) into a request to stop between two batches; the second one kills.

    Outside the main thread signals cannot be caught, and nothing is changed.

    Attributes
    ----------
    requested : bool
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in self.SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
