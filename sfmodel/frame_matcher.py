"""The frame matcher: how well each frame of a performance fits each place of a reference, from sound already heard.

Two stacks of one-dimensional convolutions, one for references and one for performances, turn every frame and its
neighbours into a unit vector; their products, weighted by how telling a frame of the performance is, are log
likelihoods up to a constant. The performance's stack looks back only, so that it can run while the music plays: a
frame costs the same few matrix products however it arrives, one by one or all at once.

Here it is computed, with NumPy alone; :mod:`sfmodel.frame_network` is the same in PyTorch, to be trained.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.files import write_atomically
from sfdata.spectrogram import SpectrogramSettings

RISE_FRAMES = 2  # what a frame has more than the one so many before it
RISE_GAIN = 3.0
TAPS = 3
FORMAT, VERSION = "sfmodel-frame-matcher", 1
STACKS = ("reference", "performance")

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class FrameMatcherSettings:
    """Shape of the network, and what its frames are.

    Attributes
    ----------
    width : int
        Channels of the convolutions.
    dilations : tuple of int
        Of the residual convolutions, three taps each.
    size : int
        Of the unit vectors.
    anchor_s : float
        A frame of the performance tells the place that sounds so long after its middle; half a window at most, so
        that it has been heard.
    spectrogram : SpectrogramSettings
    """

    width: int = 96
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    size: int = 64
    anchor_s: float = 0.035
    spectrogram: SpectrogramSettings = field(default_factory=lambda: SpectrogramSettings(frame_rate_hz=50.0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "dilations", tuple(self.dilations))
        sizes = (self.width, self.size, *self.dilations)
        if not self.dilations or min(sizes) < 1 or max(sizes) > 1024 or len(self.dilations) > 16:
            raise ValueError(
                f"frame matcher: width {self.width}, size {self.size}, dilations {self.dilations}; expected 1 to 1024, "
                "and at most 16 dilations"
            )
        half_window_s = self.spectrogram.n_fft / 2 / self.spectrogram.sample_rate_hz
        if not 0 <= self.anchor_s <= half_window_s:
            raise ValueError(
                f"frame matcher: anchor_s {self.anchor_s}; expected 0 to {half_window_s:.4f}, half a window"
            )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor."""
        found: dict[str, tuple[int, ...]] = {"scale": ()}
        for stack in STACKS:
            found[f"{stack}.first.weight"] = (self.width, 2 * self.spectrogram.n_bins, TAPS)
            found[f"{stack}.first.bias"] = (self.width,)
            for number in range(len(self.dilations)):
                found[f"{stack}.blocks.{number}.weight"] = (self.width, self.width, TAPS)
                found[f"{stack}.blocks.{number}.bias"] = (self.width,)
            found[f"{stack}.last.weight"] = (self.size + 1, self.width, 1)
            found[f"{stack}.last.bias"] = (self.size + 1,)
        return found


class _Convolution:
    """A convolution of three taps over frames that come in parts; it remembers the last ones."""

    def __init__(self, weight: Float32Array, bias: Float32Array, dilation: int) -> None:
        self.matrix = np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))  # (taps · in, out)
        self.bias, self.dilation = bias, dilation
        self.held = np.zeros(((TAPS - 1) * dilation, weight.shape[1]), dtype=np.float32)

    def following(self, frames: Float32Array) -> Float32Array:
        """(frames, in) to (frames, out); each looks back over what came before."""
        seen = np.concatenate([self.held, frames])
        self.held = seen[len(frames) :]
        return self._taken(seen, len(frames))

    def centred(self, frames: Float32Array) -> Float32Array:
        """The same for all frames at once, each in the middle of its taps."""
        return self._taken(np.pad(frames, ((self.dilation, self.dilation), (0, 0))), len(frames))

    def _taken(self, seen: Float32Array, count: int) -> Float32Array:
        taps = [seen[tap * self.dilation : tap * self.dilation + count] for tap in range(TAPS)]
        return np.maximum(np.concatenate(taps, axis=1) @ self.matrix + self.bias, 0)


class FrameStack:
    """One stack: for frames that come in parts, each sees itself and those before it; or for all of them at once."""

    def __init__(self, tensors: Mapping[str, Float32Array], name: str, settings: FrameMatcherSettings) -> None:
        def convolution(key: str, dilation: int) -> _Convolution:
            return _Convolution(tensors[f"{name}.{key}.weight"], tensors[f"{name}.{key}.bias"], dilation)

        self.first = convolution("first", 1)
        self.blocks = [convolution(f"blocks.{number}", d) for number, d in enumerate(settings.dilations)]
        self.last = tensors[f"{name}.last.weight"][:, :, 0].T, tensors[f"{name}.last.bias"]
        self.before = np.zeros((RISE_FRAMES, settings.spectrogram.n_bins), dtype=np.float32)

    def push(self, frames: NDArray[np.floating]) -> tuple[Float32Array, Float32Array]:
        """Encode the next frames.

        Parameters
        ----------
        frames : ndarray, shape (frames, bins)

        Returns
        -------
        vector : ndarray of float32, shape (frames, size)
            Of unit length.
        level : ndarray of float32, shape (frames,)
        """
        spectrum = np.asarray(frames, dtype=np.float32)
        seen = np.concatenate([self.before, spectrum])
        self.before = seen[len(spectrum) :]
        rise = np.maximum(spectrum - seen[: len(spectrum)], 0)
        return self._encoded(spectrum, rise, _Convolution.following)

    def whole(self, frames: NDArray[np.floating]) -> tuple[Float32Array, Float32Array]:
        """Encode all frames, each in the middle of what it sees; as :meth:`push` otherwise."""
        spectrum = np.asarray(frames, dtype=np.float32)
        before = np.pad(spectrum, ((RISE_FRAMES, 0), (0, 0)))[: len(spectrum)]
        return self._encoded(spectrum, np.maximum(spectrum - before, 0), _Convolution.centred)

    def _encoded(
        self,
        spectrum: Float32Array,
        rise: Float32Array,
        convolve: Callable[[_Convolution, Float32Array], Float32Array],
    ) -> tuple[Float32Array, Float32Array]:
        hidden = convolve(self.first, np.concatenate([spectrum, np.float32(RISE_GAIN) * rise], axis=1))
        for block in self.blocks:
            hidden = hidden + convolve(block, hidden)
        out = hidden @ self.last[0] + self.last[1]
        vector = out[:, :-1]
        length = np.sqrt(np.einsum("fs,fs->f", vector, vector))
        return vector / np.maximum(length, 1e-12)[:, None], out[:, -1]


class FrameMatcher:
    """The network, ready for use.

    Parameters
    ----------
    settings : FrameMatcherSettings
    tensors : mapping of str to ndarray
        As :meth:`FrameMatcherSettings.shapes` lists them.

    Raises
    ------
    ValueError
        If one is missing, has another shape, or holds what is no finite number.
    """

    def __init__(self, settings: FrameMatcherSettings, tensors: Mapping[str, NDArray[np.floating]]) -> None:
        for name, shape in settings.shapes().items():
            if name not in tensors or tensors[name].shape != shape:
                held = tensors[name].shape if name in tensors else "nothing"
                raise ValueError(f"frame matcher: tensor {name} has shape {held}; expected {shape}")
            if not np.isfinite(tensors[name]).all():
                raise ValueError(f"frame matcher: tensor {name} holds values that are no finite numbers")
        self.settings = settings
        self.tensors = {name: np.asarray(tensors[name], dtype=np.float32) for name in settings.shapes()}

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(tensor.size for tensor in self.tensors.values())

    def encode_reference(self, frames: NDArray[np.floating]) -> tuple[Float32Array, Float32Array]:
        """Encode a whole reference.

        Parameters
        ----------
        frames : ndarray, shape (frames, bins)

        Returns
        -------
        vector : ndarray of float32, shape (frames, size)
        level : ndarray of float32, shape (frames,)
            Log likelihood of the place, whatever is heard.
        """
        return FrameStack(self.tensors, "reference", self.settings).whole(frames)

    def performance_stack(self) -> FrameStack:
        """Begin a performance."""
        return FrameStack(self.tensors, "performance", self.settings)

    def weigh(self, vector: Float32Array, level: Float32Array) -> Float32Array:
        """Vectors of a performance times how telling they are: (frames, size)."""
        telling = np.logaddexp(0, level + 1) * np.exp(self.tensors["scale"])
        return np.asarray(vector * telling[:, None], dtype=np.float32)

    def save(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Write settings, weights, and what else is to be known of them as safetensors."""
        from safetensors.numpy import save

        told = {"format": FORMAT, "format_version": VERSION, "settings": asdict(self.settings), **facts}
        metadata = {"sfmodel": json.dumps(told, sort_keys=True)}
        write_atomically(path, save({name: np.array(t, order="C") for name, t in self.tensors.items()}, metadata))


def bundled_frame_matcher() -> Path:
    """Path of the weights that ship."""
    return Path(__file__).parent / "weights" / "follow.safetensors"


def load_frame_matcher(path: str | Path | None = None) -> tuple[FrameMatcher, dict[str, Any]]:
    """Read a trained frame matcher.

    Parameters
    ----------
    path : path, optional
        A weights file, or the folder of a run; default the weights that ship.

    Returns
    -------
    matcher : FrameMatcher
    facts : dict
        What was written beside the weights.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or holds something else.
    ImportError
        If safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError("trained weights need safetensors; install it with: pip install 'sfdata[model]'") from error
    path = bundled_frame_matcher() if path is None else Path(path)
    path = path / "follow.safetensors" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; make some with 'sfmodel train-follower STORE -o {path.parent}'")
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {}).get("sfmodel", "null"))
            if not isinstance(facts, dict) or facts.get("format") != FORMAT or facts.get("format_version") != VERSION:
                raise ValueError(f"{path} holds no frame matcher of version {VERSION}")
            told = dict(facts.pop("settings"))
            told["spectrogram"] = SpectrogramSettings(**told["spectrogram"])
            settings = FrameMatcherSettings(**told)
            shapes = settings.shapes()
            for name in set(shapes) & set(file.keys()):  # before anything large is read
                if tuple(file.get_slice(name).get_shape()) != shapes[name]:
                    raise ValueError(f"tensor {name} has another shape than its settings say")
            tensors = {name: file.get_tensor(name) for name in shapes if name in set(file.keys())}
    except (SafetensorError, OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as a frame matcher: {error}") from None
    return FrameMatcher(settings, tensors), facts
