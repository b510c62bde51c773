"""Architectures: the settings that determine a network's layers: the paper's three depths, and the matching network.

The paper ("Towards audio based score following", Tables I and II) gives the layers but neither channel widths nor
dense sizes, and mentions a third depth without describing it. What was chosen here:

* ``full`` has more than 10 million parameters, as the paper says of its final model, and no more than a processor can
  train in hours.
* ``reduced`` has one channel and a wide hidden layer. Its hidden layer alone must learn where in the reference the
  snippet lies, so width is what counts, and a single channel leaves time for many more steps: in the same minutes on
  a processor this learnt several times as much about unseen pieces as 8 channels and 64 units.
* ``middle`` stands between them in depth and size: two convolutions in each stack in place of one and four, the dense
  layer of Table II, one hidden layer as in Table I.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BATCH_NORMS = ("all", "none", "stacks", "concatenation")
KERNEL = 3


@dataclass(frozen=True)
class NetworkSettings:
    """Everything that determines a network's layers and shapes; saved beside its weights.

    Attributes
    ----------
    name : str
        Name of the architecture the settings began as.
    reference_frames, snippet_frames, bins : int
        Shapes of the inputs.
    stack_channels : tuple of tuple of int
        One tuple per pooling: the channels of the convolutions that come before it.
    stack_dense : int
        Channels of the dense layer at the end of each stack, 0 for none.
    dense : tuple of int
        Units of the hidden layers after the concatenation.
    pool : int
        Size and stride of the max-pooling windows, in both directions (paper: 2; Table III also 4).
    padding : int
        Of the convolutions.
    batch_norm : {"all", "none", "stacks", "concatenation"}
        Where batch norm stands: everywhere, nowhere, only in the two stacks, only after the concatenation.
    pool_dropout, stack_dropout, head_dropout : float
        After each pooling, after the stacks' dense layer, after each hidden layer of the head.
    """

    name: str
    reference_frames: int
    snippet_frames: int
    bins: int
    stack_channels: tuple[tuple[int, ...], ...]
    stack_dense: int
    dense: tuple[int, ...]
    pool: int = 2
    padding: int = 2
    batch_norm: str = "all"
    pool_dropout: float = 0.15
    stack_dropout: float = 0.3
    head_dropout: float = 0.3

    def __post_init__(self) -> None:
        # Lists come from JSON; tuples keep the settings hashable and comparable.
        object.__setattr__(self, "stack_channels", tuple(tuple(block) for block in self.stack_channels))
        object.__setattr__(self, "dense", tuple(self.dense))
        if self.batch_norm not in BATCH_NORMS:
            raise ValueError(f"network: batch_norm {self.batch_norm!r}; expected one of {', '.join(BATCH_NORMS)}")
        if self.reference_frames < 2 or self.snippet_frames < 1 or self.bins < 1:
            raise ValueError(
                f"network: reference_frames {self.reference_frames}, snippet_frames {self.snippet_frames}, bins "
                f"{self.bins}; expected at least 2, 1 and 1"
            )
        channels = [width for block in self.stack_channels for width in block]
        if not self.stack_channels or not all(self.stack_channels) or min(channels) < 1 or self.stack_dense < 0:
            raise ValueError(
                f"network: stack_channels {self.stack_channels}, stack_dense {self.stack_dense}; expected at least "
                "one convolution before each pooling, every width above zero"
            )
        if any(units < 1 for units in self.dense):
            raise ValueError(f"network: dense {self.dense}; expected every width above zero")
        if not 1 <= self.pool <= 64 or not 0 <= self.padding <= 64:
            raise ValueError(f"network: pool {self.pool}, padding {self.padding}; expected 1 to 64 and 0 to 64")
        for name in ("pool_dropout", "stack_dropout", "head_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"network: {name} {getattr(self, name)}; expected 0 <= {name} < 1")
        for frames in (self.reference_frames, self.snippet_frames):
            self.stack_shape(frames)

    def stack_shape(self, frames: int) -> tuple[int, int, int]:
        """Shape (channels, frames, bins) that a stack gives to its flattening, for an input of `frames` frames.

        Raises
        ------
        ValueError
            If the input is too small to be pooled that often.
        """
        height, width = frames, self.bins
        for block in self.stack_channels:
            growth = len(block) * (2 * self.padding - (KERNEL - 1))
            height, width = (height + growth) // self.pool, (width + growth) // self.pool
            if height < 1 or width < 1:
                raise ValueError(
                    f"network: an input of {frames} frames and {self.bins} bins is too small for "
                    f"{len(self.stack_channels)} poolings of {self.pool}; take fewer or smaller ones, or longer windows"
                )
        return self.stack_dense or self.stack_channels[-1][-1], height, width

    @property
    def stacks_normalised(self) -> bool:
        """Whether the stacks hold batch norm."""
        return self.batch_norm in ("all", "stacks")

    @property
    def head_normalised(self) -> bool:
        """Whether the layers after the concatenation hold batch norm."""
        return self.batch_norm in ("all", "concatenation")


@dataclass(frozen=True)
class MatchSettings:
    """Everything that determines the matching network's layers (:mod:`sfmodel.match`); saved beside its weights.

    Attributes
    ----------
    name : str
        ``match``.
    reference_frames, snippet_frames, bins : int
        Shapes of the inputs; `snippet_frames` is odd. At inference references may have any length.
    width : int
        Channels of the stacks' convolutions.
    dilations : tuple of int
        One residual convolution of three frames each; a dilation of 2 looks two frames to each side.
    heads, head_size : int
        Unit vectors a frame, and their length.
    steps : int
        Frames that the reference may advance with a frame of the snippet: 0, 1, … ``steps - 1``.
    beyond_frames : int
        Silence that is assumed beyond both ends of the reference.
    head_channels : int
        Channels of the convolutions that weigh the heads.
    """

    name: str
    reference_frames: int
    snippet_frames: int
    bins: int
    width: int = 96
    dilations: tuple[int, ...] = (1, 1, 2)
    heads: int = 4
    head_size: int = 16
    steps: int = 4
    beyond_frames: int = 24
    head_channels: int = 48

    def __post_init__(self) -> None:
        object.__setattr__(self, "dilations", tuple(self.dilations))
        if self.reference_frames < 2 or self.snippet_frames < 1 or self.snippet_frames % 2 == 0 or self.bins < 1:
            raise ValueError(
                f"network: reference_frames {self.reference_frames}, snippet_frames {self.snippet_frames}, bins "
                f"{self.bins}; expected at least 2, an odd number, and at least 1"
            )
        widths = (self.width, self.heads, self.head_size, self.head_channels, *self.dilations)
        if min(widths) < 1 or not 1 <= self.steps <= 64 or not 0 <= self.beyond_frames <= 1000:
            raise ValueError(
                f"network: width {self.width}, heads {self.heads}, head_size {self.head_size}, head_channels "
                f"{self.head_channels}, dilations {self.dilations}, steps {self.steps}, beyond_frames "
                f"{self.beyond_frames}; expected all above zero, at most 64 steps and at most 1000 frames beyond"
            )

    @property
    def head_normalised(self) -> bool:
        """Whether batches of one pair are too small: there is no batch norm here."""
        return False


AnySettings = NetworkSettings | MatchSettings


def settings_from(table: Mapping[str, Any]) -> AnySettings:
    """Settings as JSON holds them.

    Raises
    ------
    TypeError
        If a key is missing or one too many.
    ValueError
        If a value is impossible.

    Examples
    --------
    >>> settings_from({"name": "match", "reference_frames": 240, "snippet_frames": 27, "bins": 88}).heads
    4
    """
    return MatchSettings(**table) if table.get("name") == "match" else NetworkSettings(**table)


def check_shapes(
    settings: AnySettings, reference: Sequence[int], snippet: Sequence[int], any_length: bool = False
) -> None:
    """Check that inputs have the shapes for which a network was made.

    Parameters
    ----------
    settings : NetworkSettings or MatchSettings
    reference, snippet : sequence of int
        Shapes: (pairs, frames, bins).
    any_length : bool
        References may have any number of frames.

    Raises
    ------
    ValueError
        If one has not.

    Examples
    --------
    >>> check_shapes(default_settings("reduced"), (64, 240, 88), (64, 9, 88))
    Traceback (most recent call last):
    ...
    ValueError: snippet has shape (64, 9, 88); this network expects (pairs, 27, 88)
    """
    reference_frames = None if any_length else settings.reference_frames
    for name, shape, frames in (
        ("reference", reference, reference_frames),
        ("snippet", snippet, settings.snippet_frames),
    ):
        if len(shape) != 3 or shape[2] != settings.bins or frames not in (None, shape[1]):
            raise ValueError(
                f"{name} has shape {tuple(shape)}; this network expects (pairs, {frames or 'frames'}, {settings.bins})"
            )


def _reduced(reference_frames: int, snippet_frames: int, bins: int) -> NetworkSettings:
    return NetworkSettings(
        *("reduced", reference_frames, snippet_frames, bins, ((1,),), 0, (1024,)),
        pool_dropout=0.0,
        stack_dropout=0.0,
        head_dropout=0.15,
    )


def _middle(reference_frames: int, snippet_frames: int, bins: int) -> NetworkSettings:
    return NetworkSettings("middle", reference_frames, snippet_frames, bins, ((16,), (32,)), 16, (384,))


def _full(reference_frames: int, snippet_frames: int, bins: int) -> NetworkSettings:
    return NetworkSettings("full", reference_frames, snippet_frames, bins, ((16, 16), (32,), (64,)), 32, (768, 768))


def _match(reference_frames: int, snippet_frames: int, bins: int) -> MatchSettings:
    return MatchSettings("match", reference_frames, snippet_frames, bins)


NETWORKS: dict[str, Callable[[int, int, int], AnySettings]] = {
    "reduced": _reduced,
    "middle": _middle,
    "full": _full,
    "match": _match,
}
DESCRIPTIONS = {
    "reduced": "dual stack of the paper's Table I: one convolution in each stack, one hidden layer",
    "middle": "dual stack between Tables I and II: two convolutions and a dense layer in each stack, one hidden layer",
    "full": "dual stack of the paper's Table II: four convolutions and a dense layer in each stack, two hidden layers",
    "match": "dual stack of learned frame features, compared frame by frame and summed over all monotone paths",
}


def default_settings(name: str, reference_frames: int = 240, snippet_frames: int = 27, bins: int = 88) -> AnySettings:
    """Settings of a named architecture for inputs of the given shape.

    Raises
    ------
    ValueError
        If there is no such architecture.

    Examples
    --------
    >>> default_settings("reduced", 240, 27, 88).stack_channels
    ((1,),)
    >>> default_settings("tiny")
    Traceback (most recent call last):
    ...
    ValueError: no network named 'tiny'; expected one of reduced, middle, full, match
    """
    if name not in NETWORKS:
        raise ValueError(f"no network named {name!r}; expected one of {', '.join(NETWORKS)}")
    return NETWORKS[name](reference_frames, snippet_frames, bins)
