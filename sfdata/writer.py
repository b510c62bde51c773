"""Writers: what a worker does to one piece, from its plan to frames on disk and rows noted as done.

A piece's new frames fill shards of their own, so no two writers ever touch one. Frames are written shard by shard as
they are made, read back, and settled on the disk before the piece is noted as done.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sfdata.outline import PieceOutline, plan_again
from sfdata.place import Place
from sfdata.plan import PiecePlan, Skipped
from sfdata.recipe import Recipe
from sfdata.rendition import recording_frames, rendition_frames
from sfdata.rooms import RoomFile
from sfdata.schema import array_sha256
from sfdata.sound import total_gain
from sfdata.soundfonts import Instrument, on_this_machine
from sfdata.tables import piece_rows
from sfdata.wip import note_done, store_under_way


@dataclass(frozen=True)
class Rendered:
    """What became known of a rendition by making it."""

    sha256: str
    gain: float
    duration_s: float


@dataclass(frozen=True)
class Task:
    """A piece to be written.

    Attributes
    ----------
    index : int
        Its number in the build.
    outline : PieceOutline
        Without its music.
    start : int
        First of its new frames: a shard's border.
    """

    index: int
    outline: PieceOutline
    start: int


def write_piece(task: Task, folder: Place, recipe: Recipe, rooms: Sequence[RoomFile]) -> dict[str, Any] | Skipped:
    """Render a piece, write its shards, read them back, and note that it is done.

    Parameters
    ----------
    folder : Place
        Of the :class:`~sfdata.wip.WorkInProgress`.

    Returns
    -------
    dict or Skipped
        What was noted of it; :class:`~sfdata.plan.Skipped` where the piece is at fault, so that others can go on.

    Raises
    ------
    OSError
        If the disk fails.
    ValueError
        If this machine lacks a soundfont.
    """
    playing = {r.instrument for r in task.outline.renditions if r.row < 0 and not r.audio}
    instruments = {instrument: on_this_machine(instrument) for instrument in playing}  # a fault of the machine's
    try:
        plan = plan_again(task.outline, recipe)
        made, places = _write_frames(plan, task.start, folder, recipe, rooms, instruments)
        rows = piece_rows(plan, task.outline, recipe)
    except (ValueError, FileNotFoundError) as error:
        return Skipped(str(task.outline.facts["file"]), str(error))
    store_under_way(folder).settle(*(f"frames/c/{place // recipe.store.shard_frames}/0" for place in places))
    noted = {
        "renditions": [asdict(entry) for entry in made],
        "notes": len(rows["notes.onset_s"]),
        "pairs": len(rows["pairs.note"]),
    }
    note_done(folder, task.index, noted, rows)
    return noted


class ShardWriter:
    """Gathers frames to whole shards and writes them one after another from a shard's border on."""

    def __init__(self, frames: zarr.Array, start: int, shard_frames: int) -> None:
        self._frames, self._place, self._filled = frames, start, 0
        self._buffer = np.zeros((shard_frames, frames.shape[1]), dtype=frames.dtype)
        self._written: list[tuple[int, str]] = []

    def write(self, values: NDArray[np.floating]) -> None:
        """Take in frames, shape (frames, bins), of the array's dtype."""
        taken, shard = 0, len(self._buffer)
        while taken < len(values):
            count = min(shard - self._filled, len(values) - taken)
            self._buffer[self._filled : self._filled + count] = values[taken : taken + count]
            self._filled, taken = self._filled + count, taken + count
            if self._filled == shard:
                self._flush()

    def finish(self) -> list[int]:
        """Write what is left and read everything back; places of the shards.

        Raises
        ------
        OSError
            If what is read back differs from what was written.
        """
        if self._filled:
            self._buffer[self._filled :] = 0
            self._flush()
        for place, digest in self._written:
            if array_sha256(np.asarray(self._frames[place : place + len(self._buffer)])) != digest:
                raise OSError(f"frames {place} and following read back differ from those written; check the disk")
        return [place for place, _ in self._written]

    def _flush(self) -> None:
        self._frames[self._place : self._place + len(self._buffer)] = self._buffer
        self._written.append((self._place, array_sha256(self._buffer)))
        self._place, self._filled = self._place + len(self._buffer), 0


def _write_frames(
    plan: PiecePlan,
    start: int,
    folder: Place,
    recipe: Recipe,
    rooms: Sequence[RoomFile],
    instruments: Mapping[Instrument, Instrument],
) -> tuple[list[Rendered], list[int]]:
    frames = store_under_way(folder).group("r+")["frames"]
    assert isinstance(frames, zarr.Array)
    writer = ShardWriter(frames, start, recipe.store.shard_frames)
    made = []
    for rendition in plan.renditions:
        if rendition.row >= 0:
            continue
        digest, count = hashlib.sha256(), 0
        if rendition.audio:
            blocks = recording_frames(
                Path(rendition.audio), rendition.samples, recipe.spectrogram, rendition.lead_samples
            )
        else:
            notes, player = plan.performances[rendition.performance].notes, instruments[rendition.instrument]
            blocks = rendition_frames(notes, player, recipe.spectrogram, recipe.render, rendition.sound, rooms)
        for block in blocks:
            values = np.ascontiguousarray(block, dtype=frames.dtype)
            digest.update(values.tobytes())
            count += len(values)
            writer.write(values)
        if count != rendition.frames:
            raise ValueError(f"a rendition has {count} frames, not the {rendition.frames} that were planned")
        gain = rendition.gain if rendition.audio else total_gain(rendition.sound)
        made.append(Rendered(digest.hexdigest(), gain, rendition.samples / recipe.spectrogram.sample_rate_hz))
    return made, writer.finish()
