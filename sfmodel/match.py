"""The matching network: what a frame sounds like is learned, where it fits is computed.

Two stacks of one-dimensional convolutions, one for references and one for snippets, turn each frame, with its
neighbours, into a few unit vectors (*heads*). Their products, reference frame by snippet frame, are similarity
matrices. Through each goes the sum over all monotone paths (:mod:`sfmodel.path_sum`) from the snippet's middle frame to
its end, and, mirrored, to its beginning: the snippet may be played faster or slower than the reference, and unevenly.
A small convolution over the reference's frames weighs what the heads say.

Nothing in it knows how long a reference is, so at inference that may have any length. Still a dual stack, trained on
the paper's soft target; but where the paper's dense layers must learn *where* anew for every frame of the reference,
here a place is scored by the same few weights wherever it lies.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, relu

from sfmodel.architectures import MatchSettings, check_shapes
from sfmodel.path_sum import path_sum

CHANGE_GAIN = 3.0  # rising energy is what marks onsets, and smaller than what sounds on
SIMILARITY_SCALE = 3.0
DIRECT_WEIGHT = 3.0
STEP_LOG_WEIGHTS = (-1.5, -0.5, -1.5, -3.0)  # where learning begins: near one reference frame a snippet frame


class FrameEncoder(nn.Module):
    """Unit vectors for every frame, from the spectrum about it and its rise."""

    def __init__(self, settings: MatchSettings) -> None:
        super().__init__()
        self.heads, self.head_size = settings.heads, settings.head_size
        self.first = nn.Conv1d(2 * settings.bins, settings.width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Conv1d(settings.width, settings.width, 3, padding=dilation, dilation=dilation)
            for dilation in settings.dilations
        )
        self.last = nn.Conv1d(settings.width, settings.heads * settings.head_size, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode (windows, frames, bins) as (windows, heads, head_size, frames)."""
        spectrum = frames.transpose(1, 2)
        rise = relu(spectrum - pad(spectrum, (1, 0))[..., :-1])
        hidden = relu(self.first(torch.cat([spectrum, CHANGE_GAIN * rise], dim=1)))
        for block in self.blocks:
            hidden = hidden + relu(block(hidden))
        encoded: Tensor = self.last(hidden)
        return normalize(encoded.unflatten(1, (self.heads, self.head_size)), dim=2)


class PathSums(nn.Module):
    """Sums over the paths from the snippet's middle frame to both its ends, through every head's similarities."""

    def __init__(self, settings: MatchSettings) -> None:
        super().__init__()
        self.beyond = settings.beyond_frames
        half = settings.snippet_frames // 2 + 1
        self.kept_values = 8 * half  # that a value of the output leaves for the backward pass, about
        self.scale = nn.Parameter(torch.full((settings.heads,), SIMILARITY_SCALE))
        self.silence = nn.Parameter(torch.zeros(settings.heads))  # similarity to what lies beyond the reference
        self.frame_weight = nn.Parameter(torch.ones(half, 2 * settings.heads))
        weights = (*STEP_LOG_WEIGHTS, *(-4.0 - d for d in range(settings.steps)))[: settings.steps]
        self.step = nn.Parameter(torch.tensor(weights).repeat(2 * settings.heads, 1))
        self.sum_paths = path_sum

    def leave_to_python(self) -> None:
        """Keep the recursion from a compiler, which would unroll all steps, and take minutes for nothing.

        Not done where the function is defined: PyTorch's compiler takes as long to import as PyTorch does, and most
        programs need none.
        """
        self.sum_paths = torch.compiler.disable(path_sum)

    def forward(self, similarity: Tensor) -> Tensor:
        """Score (snippet_frames, pairs, heads, frames) as (pairs, 2 · heads, frames): to the left, to the right."""
        if similarity.dtype != torch.float64:
            similarity = similarity.float()  # whatever the rest is computed in: many factors follow each other
        scaled = similarity * self.scale[:, None]
        length, pairs, heads, _ = scaled.shape
        silence = self.silence[:, None].expand(length, pairs, heads, self.beyond)
        scaled = torch.cat([silence, scaled, silence], dim=3)
        middle = length // 2
        # to the right in time means from the end of the mirrored reference: both ends lead to the middle frame
        ways = torch.cat([scaled[: middle + 1], scaled[middle:].flip(0, 3)], dim=2)
        sums = self.sum_paths(ways * self.frame_weight[:, None, :, None], self.step)
        sums = torch.cat([sums[:, :heads], sums[:, heads:].flip(2)], dim=1)
        return sums[..., self.beyond : -self.beyond or None]


class Match(nn.Module):
    """The matching network.

    Parameters
    ----------
    settings : MatchSettings
    """

    def __init__(self, settings: MatchSettings) -> None:
        super().__init__()
        self.settings = settings
        self.reference_stack = FrameEncoder(settings)
        self.snippet_stack = FrameEncoder(settings)
        self.paths = PathSums(settings)
        features, units = 4 * settings.heads, settings.head_channels
        self.direct = nn.Conv1d(features, 1, 1)
        self.head = nn.Sequential(
            *(nn.Conv1d(features, units, 5, padding=2), nn.ReLU()),
            *(nn.Conv1d(units, units, 5, padding=2), nn.ReLU()),
            nn.Conv1d(units, 1, 3, padding=1),
        )
        self._begin_as_a_filter()

    def _begin_as_a_filter(self) -> None:
        """Begin with what needs no learning: both stacks alike, and the mean of the heads' path sums as the answer.

        Begun at random, a network whose answer falls where path sums rise was still worse after 10,000 steps than one
        that had the luck to begin the other way was after 1,000.
        """
        self.snippet_stack.load_state_dict(self.reference_stack.state_dict())
        heads = self.settings.heads
        with torch.no_grad():
            for layer in (self.direct, self.head[-1]):
                for parameter in layer.parameters():
                    parameter.zero_()
            self.direct.weight[0, -heads:] = DIRECT_WEIGHT / heads

    def forward(self, reference: Tensor, snippet: Tensor) -> Tensor:
        """Score every frame of the reference.

        References that are equal and follow one another are encoded once.

        Parameters
        ----------
        reference : Tensor, shape (pairs, frames, bins)
            Of any length.
        snippet : Tensor, shape (pairs, snippet_frames, bins)
            Any floating dtype; cast to that of the weights.

        Returns
        -------
        Tensor, shape (pairs, frames)
            Logits.

        Raises
        ------
        ValueError
            If a shape is not what the network was made for.
        """
        settings = self.settings
        check_shapes(settings, reference.shape, snippet.shape, any_length=True)
        dtype = next(self.parameters()).dtype
        references = self._encode_references(reference.to(dtype))  # (pairs, heads, head_size, frames)
        snippets = self.snippet_stack(snippet.to(dtype))  # (pairs, heads, head_size, snippet_frames)
        similarity = torch.matmul(snippets.transpose(2, 3), references)
        similarity = similarity.permute(2, 0, 1, 3)  # (snippet_frames, pairs, heads, frames)
        left, right = self.paths(similarity).chunk(2, dim=1)
        middle = similarity[settings.snippet_frames // 2]
        features = torch.cat([middle, left / 4, right / 4, (left + right) / 6], dim=1).to(dtype)
        logits: Tensor = self.head(features) + self.direct(features)  # (pairs, 1, frames)
        return logits[:, 0]

    def _encode_references(self, reference: Tensor) -> Tensor:
        if len(reference) == 1:
            return self.reference_stack(reference)
        is_new = torch.ones(len(reference), dtype=torch.bool, device=reference.device)
        is_new[1:] = (reference[1:] != reference[:-1]).flatten(1).any(dim=1)
        return self.reference_stack(reference[is_new])[is_new.cumsum(0) - 1]
