"""Sound of a store's renditions, made again from what the store records of them.

The notes, the instrument (known by its soundfont's sha256) and what was drawn for the sound are all there; recordings
are not, of which a store holds spectrograms only.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.blocks import Samples
from sfdata.recipe import Recipe, recipe_from_dict
from sfdata.render import render_blocks
from sfdata.rooms import RoomFile
from sfdata.sound import sound_blocks, tuning_cents
from sfdata.soundfonts import Instrument, resolve_instrument
from sfdata.spectrogram import SpectrogramStream
from sfdata.store import Store


class RecordedError(ValueError):
    """A rendition was recorded, so that no sound of it can be made."""


@dataclass(frozen=True)
class Excerpt:
    """A window of a rendition, made again.

    Attributes
    ----------
    samples : ndarray of float32, shape (samples,)
        At the store's sample rate; may exceed 1. Silence beyond the rendition's ends.
    frames : ndarray of float32, shape (frames, bins)
        The window's spectrogram, computed from this very sound; zero beyond the rendition's ends.
    """

    samples: Samples
    frames: NDArray[np.float32]


class Rerenderer:
    """Makes renditions of one store again.

    Parameters
    ----------
    store : Store

    Raises
    ------
    ValueError
        If the recorded recipe cannot be read.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.recipe: Recipe = recipe_from_dict(store.attrs["recipe"] | {"sources": [], "instruments": {}})

    @cached_property
    def rooms(self) -> list[RoomFile]:
        """The user's own impulse responses, if the recipe names a folder of them.

        Raises
        ------
        FileNotFoundError, ValueError
            If it is not there or holds none.
        """
        try:
            return self.recipe.rooms()
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{error}; a store tells the folder's name only: go where it lies") from None

    def instrument(self, row: int) -> Instrument:
        """Find a rendition's instrument on this machine.

        Raises
        ------
        RecordedError
            If the rendition was recorded rather than rendered.
        ValueError
            If the soundfont is another one here.
        FileNotFoundError
            If the soundfont is not on this machine.
        """
        played = int(self.store.renditions["instrument"][row])
        name, sha256 = (str(self.store.instruments[column][played]) for column in ("name", "sha256"))
        if not sha256:
            raise RecordedError(f"{name} was recorded; only rendered sound can be made again")
        instrument = resolve_instrument(name)
        if instrument.sha256 != sha256:
            raise ValueError(
                f"{name} is another file here, sha256 {instrument.sha256}; the store was made with {sha256}"
            )
        return instrument

    def blocks(self, row: int) -> Iterable[Samples]:
        """Make a rendition's sound again, block by block.

        Parameters
        ----------
        row : int
            Of the table of renditions.

        Returns
        -------
        iterable of ndarray of float32, shape (samples,)
            May exceed 1.

        Raises
        ------
        ValueError, FileNotFoundError
            As :meth:`instrument`, or if what was drawn cannot be applied, its impulse responses not being at hand.
        """
        instrument, rate = self.instrument(row), self.store.spectrogram.sample_rate_hz
        notes = self.store.note_array(int(self.store.renditions["performance"][row]))
        record: dict[str, Any] = json.loads(self.store.renditions["sound"][row])
        needed = any("file" in drawn for drawn in record.get("operations", ()))
        blocks = render_blocks(notes, instrument, rate, self.recipe.render, tuning_cents(record))
        return sound_blocks(blocks, rate, record, self.rooms if needed else ())

    def excerpt(self, row: int, start_frame: int, frames: int) -> Excerpt:
        """Make a window of a rendition again; the sound is made from its beginning to the window's end.

        The window's first sample is the one nearest to the centre of its first frame.

        Parameters
        ----------
        row : int
            Of the table of renditions.
        start_frame : int
            Relative to the rendition.
        frames : int
            How many.

        Raises
        ------
        ValueError, FileNotFoundError
            As :meth:`blocks`, or if the window lies outside the rendition.
        """
        settings, held = self.store.spectrogram, int(self.store.renditions["frame_count"][row])
        if not -frames < start_frame < held:
            raise ValueError(
                f"{self.store.path}: a window of {frames} frames from frame {start_frame} on lies outside rendition "
                f"{row}, which has {held} frames"
            )
        samples_a_frame = settings.sample_rate_hz / settings.frame_rate_hz
        first = round(start_frame * samples_a_frame)
        samples = np.zeros(round(frames * samples_a_frame), dtype=np.float32)
        made = np.zeros((frames, settings.n_bins), dtype=np.float32)
        stream, begin = SpectrogramStream(settings), 0
        for block in self.blocks(row):
            _overlay(samples, block, begin - first)
            begin += len(block)
            given = stream.push(block)
            _overlay(made, given, stream.frames - len(given) - start_frame)
            if begin >= first + len(samples) and stream.frames >= start_frame + frames:
                return Excerpt(samples, made)
        given = stream.finish()
        _overlay(made, given, stream.frames - len(given) - start_frame)
        return Excerpt(samples, made)


def _overlay(target: NDArray[Any], part: NDArray[Any], at: int) -> None:
    """Put what of `part`, which begins at row `at` of `target`, lies within it there."""
    low, high = max(0, at), min(len(target), at + len(part))
    if low < high:
        target[low:high] = part[low - at : high - at]
