"""Estimates: what a build will make, and what time, disk and memory it will take, told before it begins.

Every file's notes are read. A few files, spread over all, are planned exactly, and a little of one is rendered and
compressed; from these the rest is extrapolated. Nothing is written.
"""

import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr
from zarr.storage import MemoryStore

from sfdata.casting import cast_piece, resolve_pools
from sfdata.layout import frames_template
from sfdata.midi import read_piece
from sfdata.outline import PieceOutline, plan_again, try_outline
from sfdata.place import Place
from sfdata.plan import Skipped, Source, none_usable, skip
from sfdata.progress import Progress
from sfdata.recipe import Recipe
from sfdata.rendition import rendition_frames
from sfdata.sources import find_sources
from sfdata.workers import Workers, default_workers

SAMPLED_FILES = 6
RENDERED_FOR_S = 1.5
EFFICIENCY = 0.9  # of several workers: they share caches and memory


@dataclass(frozen=True)
class Estimate:
    """What a build will make, and take.

    Attributes
    ----------
    files, usable : int
        MIDI files found, and those of them that hold notes for a piano.
    notes : int
        Of the usable files.
    midi_s : float
        Their duration.
    renditions : int
    audio_s : float
        Sound to be rendered.
    store_bytes, free_bytes : int
        The store on disk, and what is free there (0 where it lies elsewhere).
    worker_bytes : int
        Memory of one worker at its peak.
    workers : int
    seconds : float
        Wall-clock time.
    skipped : tuple of Skipped
        Files that cannot be used, or that the recipe does not want.
    """

    files: int
    usable: int
    notes: int
    midi_s: float
    renditions: int
    audio_s: float
    store_bytes: int
    free_bytes: int
    worker_bytes: int
    workers: int
    seconds: float
    skipped: tuple[Skipped, ...]


def estimate_build(
    recipe: Recipe,
    output: str | Path,
    midi: Sequence[str | Path] = (),
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Estimate a build; parameters as for :func:`sfdata.build.build`.

    Returns
    -------
    Estimate

    Raises
    ------
    FileNotFoundError
        If a source or a soundfont is not there.
    ValueError
        If no file could be used.
    """
    count = default_workers() if workers is None else workers
    sources, skipped = find_sources(recipe, midi)
    lengths: dict[int, tuple[int, float]] = {}
    began = time.monotonic()
    with Workers(count if len(sources) > 200 else 1) as crew:
        batches = [sources[first : first + 64] for first in range(0, len(sources), 64)]
        for batch, found in crew.run(_lengths, batches, recipe):
            for place, length in enumerate(found):
                if isinstance(length, Skipped):
                    skipped.append(length)
                else:
                    lengths[batch * 64 + place] = length
            if progress:
                progress("read", min((batch + 1) * 64, len(sources)), len(sources))
    reading_s = time.monotonic() - began
    if not lengths:
        raise none_usable("sources", len(sources), skipped)
    notes = sum(n for n, _ in lengths.values())
    midi_s = sum(s for _, s in lengths.values())
    by_length = sorted(lengths, key=lambda index: lengths[index])
    chosen = {by_length[i] for i in np.linspace(0, len(by_length) - 1, min(SAMPLED_FILES, len(by_length))).astype(int)}
    sampled, planning_s = _sample([sources[index] for index in sorted(chosen)], recipe)
    if not sampled:
        raise none_usable("sources", len(sources), skipped)
    share_s = sum(lengths[index][1] for index in chosen)
    share_notes = sum(lengths[index][0] for index in chosen)
    audio_s = midi_s * sum(p.new_audio_samples for p in sampled) / recipe.spectrogram.sample_rate_hz / share_s
    speed, bytes_per_frame = _try_out(sampled, recipe)
    planning_s *= notes / max(share_notes, 1)
    each = [len(piece.renditions) for piece in sampled]
    at_once = count if count == 1 else max(1.0, count * EFFICIENCY)
    return Estimate(
        files=len(sources),
        usable=len(lengths),
        notes=notes,
        midi_s=round(midi_s, 1),
        renditions=round(len(lengths) * sum(each) / len(each)),
        audio_s=round(audio_s, 1),
        store_bytes=round(audio_s * recipe.spectrogram.frame_rate_hz * bytes_per_frame),
        free_bytes=_free_bytes(Place(output)),
        worker_bytes=_peak_bytes(),
        workers=count,
        seconds=round(reading_s + (2 * planning_s + audio_s / speed) / at_once, 1),
        skipped=tuple(skipped),
    )


def _lengths(sources: Sequence[Source], recipe: Recipe) -> list[tuple[int, float] | Skipped]:
    """Notes and duration of each file."""
    found: list[tuple[int, float] | Skipped] = []
    for source in sources:
        try:
            notes = read_piece(source.path, recipe.midi).notes
            found.append((len(notes), float(notes["offset_s"].max())))
        except Exception as error:
            found.append(skip(source.path.name, error))
    return found


def _sample(sources: Sequence[Source], recipe: Recipe) -> tuple[list[PieceOutline], float]:
    """Some files planned and cast as in training, and the CPU time that took."""
    pools, rooms, began = resolve_pools(recipe.instruments), recipe.rooms(), time.process_time()
    outlines = [outline for source in sources if isinstance(outline := try_outline(source, recipe), PieceOutline)]
    cast = [cast_piece(outline, "train", recipe, pools, rooms) for outline in outlines]
    return cast, time.process_time() - began


def _try_out(pieces: Sequence[PieceOutline], recipe: Recipe) -> tuple[float, float]:
    """Render a little; seconds of sound a second, and bytes a frame on disk."""
    spent_s, made_s, blocks = 0.0, 0.0, []
    for piece in (*pieces[len(pieces) // 2 :], *pieces[: len(pieces) // 2]):
        plan = plan_again(piece, recipe)
        for rendition in plan.renditions:
            began, frames = time.perf_counter(), 0
            notes = plan.performances[rendition.performance].notes
            for block in rendition_frames(
                notes, rendition.instrument, recipe.spectrogram, recipe.render, rendition.sound, recipe.rooms()
            ):
                blocks.append(block)
                frames += len(block)
            made_s += frames / recipe.spectrogram.frame_rate_hz
            spent_s += time.perf_counter() - began
            if spent_s > RENDERED_FOR_S:
                break
        if spent_s > RENDERED_FOR_S:
            break
    values = np.concatenate(blocks)
    shards = math.ceil(len(values) / recipe.store.shard_frames)
    memory = MemoryStore()
    began = time.perf_counter()
    group, rows = zarr.open_group(memory, mode="w"), shards * recipe.store.shard_frames
    array = frames_template(group, rows, values.shape[1], recipe.store)
    array[: len(values)] = values
    spent_s += time.perf_counter() - began
    stored = sum(len(memory._store_dict[key]) for key in memory._store_dict if key.startswith("frames/c"))
    return made_s / max(spent_s, 1e-9), stored / len(values)


def _peak_bytes() -> int:
    """Most memory that this process has held, after doing what a worker does."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _free_bytes(target: Place) -> int:
    if not target.is_local:
        return 0
    folder = target.path.parent
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
