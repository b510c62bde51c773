"""Dual-stack networks: a reference and a snippet go in, a score for every frame of the reference comes out.

Conventions
-----------
References are (pairs, reference_frames, bins), snippets (pairs, snippet_frames, bins), outputs are logits of shape
(pairs, reference_frames): the softmax of the paper's tables is part of the loss (:func:`soft_target_loss`) and of
:func:`predict_proba`, where it can be computed safely.

Where the tables of the paper ("Towards audio based score following", Tables I and II) leave a choice, it was made so:

* a "Dense" that stands before "Flatten" acts on the channel axis, as in Keras: a linear map of the channels at every
  time and bin;
* "Softmax" in Table II is a linear map to the reference's frames followed by softmax; in Table I the last "Dense
  Layer" is that map;
* 3×3 convolutions with a padding of 2, as printed, so each makes its input larger by 2 in both directions;
* max-pooling drops what does not fill a window (``floor``), the default of Keras and PyTorch alike;
* where a network goes without batch norm, only the batch norm is left out; ReLU and dropout stay.
"""

import math
import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sfmodel.architectures import (
    DESCRIPTIONS,
    KERNEL,
    NETWORKS,
    AnySettings,
    MatchSettings,
    NetworkSettings,
    check_shapes,
    default_settings,
)
from sfmodel.match import Match

__all__ = [
    "DESCRIPTIONS",
    "NETWORKS",
    "DualStack",
    "Network",
    "NetworkSettings",
    "build_network",
    "count_parameters",
    "default_settings",
    "new_network",
    "parameter_count",
    "predict_proba",
    "soft_target_loss",
]

LARGEST_NETWORK = 2_000_000_000  # parameters; more than that is a mistake, or a file that lies


class ChannelDense(nn.Linear):
    """A dense layer on the channel axis, as Keras applies one before "Flatten"."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (pairs, channels, frames, bins) to (pairs, units, frames, bins)."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def _build_stack(settings: NetworkSettings) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = 1

    def norm_relu(channels: int) -> None:
        if settings.stacks_normalised:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU())

    for block in settings.stack_channels:
        for channels in block:
            # A bias before batch norm would be subtracted again at once.
            layers.append(
                nn.Conv2d(width, channels, KERNEL, padding=settings.padding, bias=not settings.stacks_normalised)
            )
            norm_relu(channels)
            width = channels
        layers.append(nn.MaxPool2d(settings.pool))
        if settings.pool_dropout:
            layers.append(nn.Dropout(settings.pool_dropout))
    if settings.stack_dense:
        layers.append(ChannelDense(width, settings.stack_dense, bias=not settings.stacks_normalised))
        norm_relu(settings.stack_dense)
        layers.append(nn.Dropout(settings.stack_dropout))
    layers.append(nn.Flatten())
    return nn.Sequential(*layers)


class DualStack(nn.Module):
    """Two convolution stacks with separate weights, concatenated, and dense layers on top.

    Parameters
    ----------
    settings : NetworkSettings

    Notes
    -----
    "Towards audio based score following", section II.A, Tables I and II.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.reference_stack = _build_stack(settings)
        self.snippet_stack = _build_stack(settings)
        width = sum(math.prod(settings.stack_shape(n)) for n in (settings.reference_frames, settings.snippet_frames))
        head: list[nn.Module] = []
        for units in settings.dense:
            head.append(nn.Linear(width, units, bias=not settings.head_normalised))
            if settings.head_normalised:
                head.append(nn.BatchNorm1d(units))
            head += [nn.ReLU(), nn.Dropout(settings.head_dropout)]
            width = units
        head.append(nn.Linear(width, settings.reference_frames))
        self.head = nn.Sequential(*head)

    def forward(self, reference: Tensor, snippet: Tensor) -> Tensor:
        """Score every frame of the reference.

        Parameters
        ----------
        reference : Tensor, shape (pairs, reference_frames, bins)
        snippet : Tensor, shape (pairs, snippet_frames, bins)
            Any floating dtype; cast to that of the weights.

        Returns
        -------
        Tensor, shape (pairs, reference_frames)
            Logits.

        Raises
        ------
        ValueError
            If a shape is not what the network was made for.
        """
        check_shapes(self.settings, reference.shape, snippet.shape)
        dtype = next(self.parameters()).dtype
        stacked = [
            self.reference_stack(reference.to(dtype).unsqueeze(1)),  # (pairs, 1, frames, bins) → (pairs, features)
            self.snippet_stack(snippet.to(dtype).unsqueeze(1)),
        ]
        logits: Tensor = self.head(torch.cat(stacked, dim=1))  # (pairs, reference_frames)
        return logits


Network = DualStack | Match


def new_network(settings: AnySettings) -> Network:
    """A network of the kind that its settings are for, with fresh weights, of any size."""
    return Match(settings) if isinstance(settings, MatchSettings) else DualStack(settings)


def build_network(settings: AnySettings) -> Network:
    """Build a network with fresh weights, refusing one too large for any machine.

    Raises
    ------
    ValueError
        If it would have more than two thousand million parameters.
    """
    count = count_parameters(settings)
    if count > LARGEST_NETWORK:
        raise ValueError(
            f"network: {count:,} parameters, at most {LARGEST_NETWORK:,} are built; take fewer channels or units"
        )
    network = new_network(settings)
    if isinstance(network, DualStack):
        # Channels last is what tensor cores want, and a quarter to three times faster on a processor as well.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def parameter_count(network: nn.Module) -> int:
    """Number of trained parameters (running statistics of batch norm don't count).

    Examples
    --------
    >>> parameter_count(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in network.parameters())


def count_parameters(settings: AnySettings) -> int:
    """Number of trained parameters of a network that is not built yet; nothing is allocated."""
    with torch.device("meta"):
        return parameter_count(new_network(settings))


def soft_target_loss(logits: Tensor, target_frame: Tensor) -> Tensor:
    """Mean cross-entropy against the 2-hot soft target: the two nearest frames, weighted linearly by nearness.

    Parameters
    ----------
    logits : Tensor, shape (pairs, reference_frames)
    target_frame : Tensor of float, shape (pairs,)
        Fractional frames, within ``[0, reference_frames - 1]``.

    Returns
    -------
    Tensor
        A float32 scalar, whatever the precision of the logits, in nats.

    Notes
    -----
    "Towards audio based score following", section II.A. The arithmetic is that of
    :func:`sfdata.windows.soft_target_buckets`; only the two frames that have weight are gathered.

    Examples
    --------
    >>> soft_target_loss(torch.zeros(1, 8), torch.tensor([2.25])).item() == torch.log(torch.tensor(8.0)).item()
    True
    """
    first = target_frame.floor().long().clamp(max=logits.shape[1] - 2)
    second_weight = (target_frame - first).float()
    log_probability = torch.log_softmax(logits.float(), dim=1)
    buckets = log_probability.gather(1, torch.stack([first, first + 1], dim=1))  # (pairs, 2)
    return -((1 - second_weight) * buckets[:, 0] + second_weight * buckets[:, 1]).mean()


def predict_proba(
    network: Network,
    reference: NDArray[np.floating],
    snippet: NDArray[np.floating],
    device: str | torch.device | None = None,
) -> NDArray[np.float32]:
    """Probability of every frame of the reference, for one batch of pairs.

    Parameters
    ----------
    network : DualStack or Match
        Put into evaluation mode for the call; left in the mode it was in.
    reference : ndarray, shape (pairs, frames, bins)
    snippet : ndarray, shape (pairs, snippet_frames, bins)
    device : str or torch.device, optional
        Where to compute; the network moves there. Where it is, by default.

    Returns
    -------
    ndarray of float32, shape (pairs, frames)
        Rows sum to one.
    """
    if device is not None:
        network.to(device)
    where = next(network.parameters()).device
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nobody writes
                given = [torch.from_numpy(np.asarray(frames)).to(where) for frames in (reference, snippet)]
            logits = network(*given)
            probability: NDArray[np.float32] = torch.softmax(logits.float(), dim=1).cpu().numpy()
            return probability
    finally:
        network.train(was_training)
