"""Where in a reference a moment of a performance lies: a trained network on files, no store needed.

>>> from sfmodel.locating import load_locator
>>> locator = load_locator()                                                                      # doctest: +SKIP
>>> locator.locate("score.mid", "performance.flac", at_s=[12.5])[0].time_s                       # doctest: +SKIP
11.02
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.side import SCORE_VELOCITY, Side, read_side
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfdata.windows import cut_windows, nearest_frame
from sfmodel.belief import refined_frame, top_confidence
from sfmodel.bundled import BUNDLED
from sfmodel.evaluation import Method, open_method

BATCH = 16


@dataclass(frozen=True)
class Place:
    """A place in the reference.

    Attributes
    ----------
    at_s : float
        The moment of the performance that was asked for.
    time_s : float
        Its place in the reference, in seconds of the reference's file; finer than frames.
    confidence : float
        The belief in the best frame and its two neighbours, between 0 and 1.
    others : tuple of (float, float)
        Further peaks of the belief, at least half a second apart, as (time_s, confidence), best first.
    belief : ndarray of float32, shape (frames,)
        Of every frame of the reference; sums to one.
    """

    at_s: float
    time_s: float
    confidence: float
    others: tuple[tuple[float, float], ...]
    belief: NDArray[np.float32]


class Locator:
    """Finds moments of performances in references.

    Parameters
    ----------
    method : Method
        A network, as :func:`sfmodel.evaluation.open_method` opens it.

    Raises
    ------
    ValueError
        If it is a classic method, which gives no belief.
    """

    def __init__(self, method: Method) -> None:
        if method.spectrogram is None or method.windows is None:
            raise ValueError(f"{method.name} gives scores, no belief; expected a network, such as {BUNDLED}")
        self.method, self.spectrogram = method, method.spectrogram
        self.snippet_frames = method.windows.snippet_frames(self.spectrogram.frame_rate_hz)

    def read(self, path: str | Path, soundfont: str = DEFAULT_INSTRUMENT, velocity: int | None = None) -> Side:
        """Read a file; see :func:`sfdata.side.read_side`."""
        return read_side(path, self.spectrogram, soundfont, velocity)

    def belief(
        self, reference: NDArray[np.floating], performance: NDArray[np.floating], centre_frame: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Belief about where moments lie.

        Parameters
        ----------
        reference : ndarray, shape (frames, bins)
            Of any length for ``match``.
        performance : ndarray, shape (performed frames, bins)
        centre_frame : ndarray of int64, shape (moments,)
            Frames of the performance.

        Returns
        -------
        ndarray of float32, shape (moments, frames)
        """
        count, half = len(centre_frame), self.snippet_frames // 2
        frames = np.full(count, len(performance))
        snippets = cut_windows(performance, np.zeros_like(frames), frames, centre_frame - half, self.snippet_frames)
        parts = []
        for first in range(0, count, BATCH):
            part = snippets[first : first + BATCH]
            whole = np.broadcast_to(reference, (len(part), *reference.shape))
            parts.append(self.method.scores(whole, part))
        return np.concatenate(parts)

    def locate(
        self,
        reference: str | Path | Side,
        performance: str | Path | Side,
        at_s: float | Sequence[float],
        soundfont: str = DEFAULT_INSTRUMENT,
    ) -> list[Place]:
        """Find moments of a performance in a reference.

        Parameters
        ----------
        reference, performance : path or Side
            MIDI or sound. Of a MIDI reference all notes are played with the same velocity.
        at_s : float or sequence of float
            Moments of the performance's file, best onsets.
        soundfont : str
            Plays MIDI.

        Returns
        -------
        list of Place
            One for each moment.

        Raises
        ------
        FileNotFoundError
            If a file is not there.
        ValueError
            If a file cannot be read, a moment lies outside the performance, or the network takes references of
            another length only.
        """
        score = reference if isinstance(reference, Side) else self.read(reference, soundfont, SCORE_VELOCITY)
        played = performance if isinstance(performance, Side) else self.read(performance, soundfont)
        moments = np.atleast_1d(np.asarray(at_s, dtype=np.float64))
        outside = moments[(moments < played.start_s) | (moments > played.end_s)]
        if len(outside):
            raise ValueError(
                f"{outside[0]} s lies outside of {played.name}; expected {played.start_s:.2f} to {played.end_s:.2f} s"
            )
        position = (moments - played.start_s) * played.frame_rate_hz
        centre = nearest_frame(position)
        belief = self.belief(score.frames, played.frames, centre)
        between_s = (position - centre) / played.frame_rate_hz  # what rounding to a frame took away
        time_s = refined_frame(belief) / score.frame_rate_hz + score.start_s + between_s
        return [
            Place(float(moment), float(time), float(confidence), _others(row, score), row)
            for moment, time, confidence, row in zip(moments, time_s, top_confidence(belief), belief, strict=True)
        ]


def load_locator(model: str | Path = BUNDLED, device: str = "auto") -> Locator:
    """Load a network: the bundled one, or a run's folder or weights.

    Raises
    ------
    ValueError
        If it is none, or a classic method.
    ImportError
        If PyTorch is not installed.
    """
    return Locator(open_method(model, device))


def _others(
    belief: NDArray[np.float32], score: Side, most: int = 3, least: float = 0.01
) -> tuple[tuple[float, float], ...]:
    """Peaks of a belief besides the highest."""
    left, apart = belief.copy(), round(score.frame_rate_hz / 2)
    found = []
    for _ in range(most + 1):
        best = int(left.argmax())
        confidence = float(top_confidence(left[None])[0])
        if confidence < least:
            break
        found.append((float(refined_frame(left[None])[0] / score.frame_rate_hz + score.start_s), confidence))
        left[max(0, best - apart) : best + apart + 1] = 0
    return tuple(found[1:])
