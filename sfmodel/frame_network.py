"""The frame matcher in PyTorch, to be trained; see :mod:`sfmodel.frame_matcher` for what it is."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, relu, softplus

from sfmodel.frame_matcher import RISE_FRAMES, RISE_GAIN, TAPS, FrameMatcher, FrameMatcherSettings

FIRST_LOG_SCALE = 2.0


class Stack(nn.Module):
    """One stack.

    Parameters
    ----------
    settings : FrameMatcherSettings
    looks_ahead : bool
        Whether a frame sees those after it as well as those before it.
    """

    def __init__(self, settings: FrameMatcherSettings, looks_ahead: bool) -> None:
        super().__init__()
        self.looks_ahead, self.dilations = looks_ahead, settings.dilations
        self.first = nn.Conv1d(2 * settings.spectrogram.n_bins, settings.width, TAPS)
        self.blocks = nn.ModuleList(
            nn.Conv1d(settings.width, settings.width, TAPS, dilation=dilation) for dilation in settings.dilations
        )
        self.last = nn.Conv1d(settings.width, settings.size + 1, 1)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.weight[-1:])
        nn.init.zeros_(self.last.bias)

    def _padded(self, hidden: Tensor, dilation: int) -> Tensor:
        return pad(hidden, (dilation, dilation) if self.looks_ahead else (2 * dilation, 0))

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(windows, frames, bins) to unit vectors (windows, size, frames) and levels (windows, frames)."""
        spectrum = frames.transpose(1, 2)
        rise = relu(spectrum - pad(spectrum, (RISE_FRAMES, 0))[..., :-RISE_FRAMES])
        hidden = relu(self.first(self._padded(torch.cat([spectrum, RISE_GAIN * rise], dim=1), 1)))
        for dilation, block in zip(self.dilations, self.blocks, strict=True):
            hidden = hidden + relu(block(self._padded(hidden, dilation)))
        out = self.last(hidden)
        return normalize(out[:, :-1], dim=1), out[:, -1]


class FrameNetwork(nn.Module):
    """Both stacks, begun alike.

    Parameters
    ----------
    settings : FrameMatcherSettings
    """

    def __init__(self, settings: FrameMatcherSettings) -> None:
        super().__init__()
        self.settings = settings
        self.reference = Stack(settings, looks_ahead=True)
        self.performance = Stack(settings, looks_ahead=False)
        self.performance.load_state_dict(self.reference.state_dict())
        self.scale = nn.Parameter(torch.tensor(FIRST_LOG_SCALE))

    def forward(self, reference: Tensor, performance: Tensor) -> Tensor:
        """Log likelihoods, up to a constant for each frame of the performance.

        Parameters
        ----------
        reference : Tensor, shape (windows, frames, bins)
        performance : Tensor, shape (windows, performed frames, bins)

        Returns
        -------
        Tensor, shape (windows, performed frames, frames)
        """
        places, likely = self.reference(reference)
        heard, level = self.performance(performance)
        telling = softplus(level + 1) * torch.exp(self.scale)
        return torch.matmul((heard * telling[:, None]).transpose(1, 2), places) + likely[:, None]

    def as_matcher(self) -> FrameMatcher:
        """The same for use without PyTorch."""
        tensors = {name: np.asarray(t.detach().cpu().numpy()) for name, t in self.state_dict().items()}
        return FrameMatcher(self.settings, tensors)
