"""Training the frame matcher: every frame of a performance shall find its place in 12 s of the reference.

Nothing random depends on what happened before: the windows of a step are drawn from (seed, step), so a training that
was stopped and resumed gives the same weights as one that was not, bit for bit on a processor.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from sfdata.files import write_atomically
from sfdata.progress import Progress
from sfdata.store import Store, open_store
from sfmodel.checkpoint import describe_software, read_tensors, store_fingerprint, write_tensors
from sfmodel.devices import choose_device
from sfmodel.frame_matcher import FrameMatcherSettings
from sfmodel.frame_network import FrameNetwork
from sfmodel.frame_windows import Windows

WEIGHTS_FILE, STATE_FILE, LOG_FILE, STATE = "follow.safetensors", "resume.safetensors", "log.csv", "frame-matcher-state"
LOG_EVERY, SAVE_EVERY_S = 200, 60.0
NEAR_S = 0.05  # a frame is hit if the best place lies so near
MEASURED_BATCHES = 40


@dataclass(frozen=True)
class FrameTrainingSettings:
    """How to train.

    Attributes
    ----------
    steps : int
    windows : int
        In a step.
    reference_s, performance_s : float
        Their lengths.
    transpose_semitones : int
        Windows are moved by up to so many bins.
    learning_rate, weight_decay, gradient_norm : float
        Of AdamW; the rate rises over a tenth of the steps and falls to zero along a cosine.
    seed : int
    device : str
    """

    steps: int = 12_000
    windows: int = 8
    reference_s: float = 12.0
    performance_s: float = 3.0
    transpose_semitones: int = 6
    learning_rate: float = 0.002
    weight_decay: float = 0.001
    gradient_norm: float = 1.0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "windows", "reference_s", "performance_s", "learning_rate", "gradient_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"training: {name} {getattr(self, name)}; expected a number above zero")
        if self.transpose_semitones < 0 or self.weight_decay < 0:
            raise ValueError(
                f"training: transpose_semitones {self.transpose_semitones}, weight_decay {self.weight_decay}; "
                "expected 0 or more"
            )


def frame_loss(logits: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the soft target (the two nearest frames, by nearness), and the share of frames that are hit.

    Parameters
    ----------
    logits : Tensor, shape (windows, frames, reference_frames)
    place : Tensor, shape (windows, frames)
        NaN where a frame has none.
    """
    known = torch.isfinite(place)
    place = torch.where(known, place, torch.zeros_like(place))
    left = place.long()
    right_share = (place - left).to(logits.dtype)
    log_belief = torch.log_softmax(logits, dim=2)
    of_left = log_belief.gather(2, left[..., None])[..., 0]
    of_right = log_belief.gather(2, left[..., None] + 1)[..., 0]
    loss = -((1 - right_share) * of_left + right_share * of_right)
    count = known.sum().clamp(min=1)
    return (loss * known).sum() / count, known / count


def train_follower(
    store_path: str | Path,
    run_dir: str | Path,
    network: FrameMatcherSettings | None = None,
    training: FrameTrainingSettings | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    log: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Train the frame matcher on a store of performed snippets.

    Parameters
    ----------
    store_path : path
        As ``pipelines/following.toml`` makes it: 50 frames a second.
    run_dir : path
        Is given ``follow.safetensors``, ``log.csv``, and the state to resume from.
    network, training : optional
    resume, overwrite : bool
        Continue the run in the folder, or replace it.
    progress, log : callable
        Steps done; lines of text.

    Returns
    -------
    dict
        ``run_dir``, ``steps``, ``parameters``, ``validation`` (loss and hit rate), ``seconds``.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If it does not fit, the folder holds another run, or the loss is no longer finite.
    """
    network, training, began = network or FrameMatcherSettings(), training or FrameTrainingSettings(), time.monotonic()
    run_dir, store, device = Path(run_dir), open_store(store_path), choose_device(training.device)
    facts = {
        "training": {key: value for key, value in asdict(training).items() if key != "device"},
        "network": json.loads(json.dumps(asdict(network))),
        "store": {key: value for key, value in store_fingerprint(store).items() if key in ("pairs", "sha256")},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        model = FrameNetwork(network).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
    run_dir.mkdir(parents=True, exist_ok=True)
    first, rows = 0, ["step,loss,hit"]
    if (run_dir / STATE_FILE).exists() and not overwrite:
        if not resume:
            raise ValueError(f"{run_dir} holds a run; continue it (--resume) or replace it (--overwrite)")
        first, rows = _restore(run_dir / STATE_FILE, model, optimiser, facts)
    windows = _windows(store, "train", network, training)
    log(f"{len(windows.maps)} performances, {sum(p.numel() for p in model.parameters()):,} parameters, on {device}")
    sums, saved_s = torch.zeros(2, device=device), time.monotonic()
    for step in range(first, training.steps):
        for group in optimiser.param_groups:
            group["lr"] = training.learning_rate * _schedule(step, training.steps)
        reference, performance, place = _tensors(
            windows.batch(training.windows, np.random.default_rng((training.seed, step))), device
        )
        logits = model(reference, performance)
        loss, share = frame_loss(logits, place)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        clip_grad_norm_(model.parameters(), training.gradient_norm)
        optimiser.step()
        sums += torch.stack([loss.detach(), _hits(logits.detach(), place, share, windows.rate_hz)])
        if (step + 1) % LOG_EVERY == 0:
            mean = (sums / LOG_EVERY).tolist()
            if not np.isfinite(mean[0]):
                raise ValueError(f"the loss is no longer finite after {step + 1} steps; take a lower learning rate")
            rows.append(f"{step + 1},{mean[0]:.4f},{mean[1]:.4f}")
            log(f"step {step + 1}: loss {mean[0]:.3f}, {mean[1]:.1%} of the frames within {1000 * NEAR_S:.0f} ms")
            sums.zero_()
            if time.monotonic() - saved_s > SAVE_EVERY_S:
                _save_state(run_dir / STATE_FILE, model, optimiser, {**facts, "step": step + 1, "rows": rows})
                saved_s = time.monotonic()
        if progress:
            progress("trained", step + 1, training.steps)
    measured = _validate(model, store, network, training, device)
    model.as_matcher().save(run_dir / WEIGHTS_FILE, {**facts, "validation": measured, "software": describe_software()})
    write_atomically(run_dir / LOG_FILE, ("\n".join(rows) + "\n").encode())
    _save_state(run_dir / STATE_FILE, model, optimiser, {**facts, "step": training.steps, "rows": rows})
    return {
        "run_dir": str(run_dir),
        "steps": training.steps,
        "parameters": sum(p.numel() for p in model.parameters()),
        "validation": measured,
        "seconds": round(time.monotonic() - began, 1),
    }


def _windows(store: Store, split: str, network: FrameMatcherSettings, training: FrameTrainingSettings) -> Windows:
    return Windows(store, split, network, training.reference_s, training.performance_s, training.transpose_semitones)


def _schedule(step: int, steps: int) -> float:
    """Share of the learning rate: up over a tenth of the steps, then down to zero along a cosine."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def _tensors(batch: tuple[NDArray[Any], ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    tensors = [torch.from_numpy(part) for part in batch]
    if device.type == "cuda":
        tensors = [tensor.pin_memory() for tensor in tensors]
    reference, performance, place = (tensor.to(device, non_blocking=True) for tensor in tensors)
    return reference.float(), performance.float(), place.float()


def _hits(logits: Tensor, place: Tensor, share: Tensor, rate_hz: float) -> Tensor:
    away = (logits.argmax(dim=2) - torch.nan_to_num(place)).abs()
    return ((away <= NEAR_S * rate_hz) * share).sum()


def _validate(
    model: FrameNetwork,
    store: Store,
    network: FrameMatcherSettings,
    training: FrameTrainingSettings,
    device: torch.device,
) -> dict[str, float]:
    """Loss and hit rate on windows of the validation split, the same for every network; empty where there is none."""
    if not len(store.pair_rows("validation")):
        return {}
    windows = _windows(store, "validation", network, training)
    sums = np.zeros(2)
    with torch.no_grad():
        for number in range(MEASURED_BATCHES):
            drawn = windows.batch(training.windows, np.random.default_rng((1, number)))
            reference, performance, place = _tensors(drawn, device)
            logits = model(reference, performance)
            loss, share = frame_loss(logits, place)
            sums += [float(loss), float(_hits(logits, place, share, windows.rate_hz))]
    loss_mean, hit = (sums / MEASURED_BATCHES).tolist()
    return {"loss": round(loss_mean, 4), "hit": round(hit, 4)}


def _save_state(path: Path, model: FrameNetwork, optimiser: torch.optim.Optimizer, facts: dict[str, Any]) -> None:
    """Write weights and the optimiser's moments."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in state.items()}
    write_tensors(path, tensors, STATE, facts)


def _restore(
    path: Path, model: FrameNetwork, optimiser: torch.optim.Optimizer, facts: dict[str, Any]
) -> tuple[int, list[str]]:
    """Read what :func:`_save_state` wrote; steps done and the log's rows."""
    tensors, told = read_tensors(path, STATE)
    for section, expected in facts.items():
        if told.get(section) != expected:
            raise ValueError(f"{path}: {section} was {told.get(section)}, is {expected}; train with --overwrite")
    model.load_state_dict({name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")})
    state = optimiser.state_dict()
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, number, key = name.split(".")
            moments.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({**state, "state": moments})
    return int(told["step"]), list(told["rows"])
