"""Building a store: plan, lay out, write in parallel, verify, and only then give it its name.

Work happens in ``STORE.wip`` beside the target (see :mod:`sfdata.wip`). Every piece's frames fill shards of their own,
so no two writers touch one; what a writer finished is noted, and a build that was interrupted goes on from there.

Worker processes import the main module, as everywhere in Python: a script that calls :func:`build` with more than one
worker does so under ``if __name__ == "__main__":``.
"""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from sfdata.casting import cast_piece, resolve_pools
from sfdata.fluidsynth import library_version
from sfdata.metadata import read_metadata, reason_to_skip
from sfdata.midi import find_midi, printable
from sfdata.naming import PieceName, parse_name
from sfdata.plan import PiecePlan, Skipped, none_usable, try_plan_piece
from sfdata.recipe import Recipe, SourceSettings
from sfdata.render import preset_name, read_audio, render
from sfdata.rooms import RoomFile
from sfdata.schema import array_sha256
from sfdata.similarity import same_music_keys
from sfdata.sound import apply_sound, total_gain, tuning_cents
from sfdata.soundfonts import file_sha256
from sfdata.spectrogram import spectrogram
from sfdata.splits import assign_splits, group_works, split_groups
from sfdata.store import create_frames, open_store, settings_attrs, write_tables
from sfdata.tables import Rendered, assemble_tables, first_frames, licences_of
from sfdata.wip import WorkInProgress, note_done, only_builder
from sfdata.workers import Workers

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BuildResult:
    """What a build made; ``audio_s`` is the duration of all renditions, ``elapsed_s`` wall-clock time."""

    store: str
    pieces: int
    renditions: int
    pairs: int
    audio_s: float
    elapsed_s: float
    skipped: tuple[Skipped, ...]


def build(
    recipe: Recipe,
    output: str | Path,
    midi: Sequence[str | Path] = (),
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BuildResult:
    """Build a store from MIDI in one pass, with no audio on disk.

    Parameters
    ----------
    recipe : Recipe
    output : path
        The store to write.
    midi : sequence of paths
        Files and folders that replace the recipe's sources.
    workers : int, optional
        Local processes; default one a core.
    scheduler : str, optional
        Address of a running Dask scheduler to use instead.
    overwrite : bool
        Replace an existing store once the new one is whole.
    progress : callable, optional
        Called as ``progress(step, done, total)``.

    Returns
    -------
    BuildResult

    Raises
    ------
    FileNotFoundError
        If a source or a soundfont is not there.
    ValueError
        If the target exists, no file could be used, or an interrupted build of something else lies there.
    """
    began, output = time.monotonic(), Path(output)
    # Workers may have another working directory.
    sources, unwanted = _sources(recipe, [Path(path).absolute() for path in midi])
    pools, rooms = resolve_pools(recipe.instruments), recipe.rooms()
    attrs = recipe.as_dict() | ({"sources": [{"midi": "given on the command line"}]} if midi else {})
    attrs["instruments"] |= {side: [i.name for i in getattr(pools, side)] for side in vars(pools)}  # without paths

    def cast(plan: PiecePlan, split: str) -> PiecePlan:
        return cast_piece(plan, split, recipe, pools, rooms)

    with only_builder(output), Workers(workers, scheduler) as crew:
        check_target(output, overwrite)
        planned: dict[int, PiecePlan | Skipped] = {}
        for index, plan in crew.run(try_plan_piece, sources, recipe):
            planned[index] = plan
            if progress:
                progress("plan", len(planned), len(sources))
        results = [planned[index] for index in range(len(sources))]
        plans = [plan for plan in results if isinstance(plan, PiecePlan)]
        skipped = unwanted + [plan for plan in results if isinstance(plan, Skipped)]
        return write_store(recipe, attrs, plans, skipped, output, crew, began, progress, cast)


def check_target(output: Path, overwrite: bool) -> None:
    """Refuse a target that exists.

    Raises
    ------
    ValueError
        If it exists and is not to be replaced, or is no store.
    """
    if not output.exists():
        return
    if not overwrite:
        raise ValueError(f"{output} exists already; choose another name, or say --overwrite to replace it")
    if not (output / "zarr.json").is_file():
        raise ValueError(f"{output} exists and is no Zarr store; it is not overwritten: choose another name")


def write_store(
    recipe: Recipe,
    recipe_attrs: dict[str, Any],
    plans: Sequence[PiecePlan],
    skipped: Sequence[Skipped],
    output: Path,
    crew: Workers,
    began: float,
    progress: Progress | None = None,
    cast: Callable[[PiecePlan, str], PiecePlan] | None = None,
) -> BuildResult:
    """Write a store from plans, going on with an interrupted one; see :func:`build`.

    Parameters
    ----------
    cast : callable, optional
        Gives a plan its renditions, once its split is known; without, plans have theirs.
    """
    spectrogram(np.zeros(1, dtype=np.float32), recipe.spectrogram)  # refuses settings before anything is rendered
    plans = _distinct(plans, skipped := list(skipped))
    if not plans:
        raise none_usable("sources", len(skipped), skipped)
    # By all notes of the files, which tell most, and by those that are stored, by which anyone can judge again.
    judged = [same_music_keys([p.music for p in plans]), same_music_keys([p.stored_music for p in plans])]
    works = group_works([plan.keys.union(*same) for plan, *same in zip(plans, *judged, strict=True)])
    splits = assign_splits(
        split_groups(works, [plan.facts["composer"] for plan in plans], recipe.splits),
        [plan.facts["split"] for plan in plans],
        recipe.splits,
        recipe.seed,
    )
    if cast:
        plans = [cast(plan, split) for plan, split in zip(plans, splits, strict=True)]
    starts, frames = first_frames(plans, recipe.store.shard_frames)
    playing = {rendition.instrument for plan in plans for rendition in plan.renditions if not rendition.audio}
    presets = {i.name: preset_name(i, recipe.spectrogram.sample_rate_hz, recipe.render) for i in playing}
    attrs = {
        **settings_attrs(recipe.spectrogram, recipe.windows, recipe_attrs),
        "seed": recipe.seed,
        "software": software_versions(),
        "skipped": [{"source": entry.source, "reason": entry.reason} for entry in skipped],
    }
    content = {"attrs": attrs, "pieces": [_digest(plan) for plan in plans]}
    wip = WorkInProgress(
        output, content, lambda path: create_frames(path, frames, recipe.spectrogram.n_bins, recipe.store)
    )
    done: dict[int, list[Rendered]] = {}
    for index in range(len(plans)):
        if (noted := wip.done(index)) is not None:
            done[index] = [Rendered(**made) for made in noted]
    missing = [(index, plans[index], starts[index]) for index in range(len(plans)) if index not in done]
    if progress:
        progress("render", len(done), len(plans))
    for position, made in crew.run(_write_piece, missing, wip.folder, recipe, recipe.rooms()):
        done[missing[position][0]] = made
        if progress:
            progress("render", len(done), len(plans))
    tables = assemble_tables(
        plans,
        works,
        splits,
        starts,
        [done[index] for index in range(len(plans))],
        presets,
        recipe.windows,
        recipe.spectrogram.frame_rate_hz,
        recipe.seed,
    )
    write_tables(wip.store, tables, {**attrs, "licences": licences_of(tables)})
    open_store(wip.store)
    wip.finish()
    renditions = tables["renditions"]
    return BuildResult(
        store=str(output),
        pieces=len(plans),
        renditions=len(renditions["gain"]),
        pairs=len(tables["pairs"]["note"]),
        audio_s=round(float(renditions["duration_s"].sum()), 3),
        elapsed_s=round(time.monotonic() - began, 3),
        skipped=tuple(skipped),
    )


def software_versions() -> dict[str, str]:
    """Versions of everything that may change a store's bytes."""
    names = ("sfdata", "numpy", "scipy", "symusic", "zarr")
    return {"python": platform.python_version(), "fluidsynth": library_version(), **{n: version(n) for n in names}}


def _digest(plan: PiecePlan) -> list[str]:
    """What a piece's frames depend on besides the recipe: its notes, instruments and sounds."""
    digest = hashlib.sha256()
    for performance in plan.performances:
        digest.update(performance.notes.tobytes())
    for rendition in plan.renditions:
        sound = file_sha256(Path(rendition.audio)) if rendition.audio else ""
        instrument = rendition.instrument
        digest.update(f"{rendition.performance} {instrument.name} {instrument.sha256} {sound}\n".encode())
        digest.update(json.dumps(rendition.sound, sort_keys=True).encode())
    return [plan.facts["sha256"], digest.hexdigest()]


def _sources(
    recipe: Recipe, midi: list[Path]
) -> tuple[list[tuple[Path, SourceSettings, PieceName | None]], list[Skipped]]:
    """Files to be planned, with what metadata tell of them, and those that the recipe does not want."""
    if midi:
        return [(path, SourceSettings(midi=path.name), None) for path in find_midi(midi)], []
    if not recipe.sources:
        raise ValueError("the recipe names no sources; give MIDI files or folders on the command line")
    wanted: list[tuple[Path, SourceSettings, PieceName | None]] = []
    unwanted: list[Skipped] = []
    for source in recipe.sources:
        metadata = read_metadata(recipe.folder / source.metadata) if source.metadata else None
        for path in find_midi([recipe.source_path(source)]):
            stem = printable(path.stem)
            facts = metadata.of(stem) if metadata else None
            reason = reason_to_skip(parse_name(stem), facts, source.selection)
            if reason:
                unwanted.append(Skipped(printable(path.name), reason))
            else:
                wanted.append((path.absolute(), source, facts.name if facts else None))
    return wanted, unwanted


def _distinct(plans: Sequence[PiecePlan], skipped: list[Skipped]) -> list[PiecePlan]:
    """Sort by content, so that the order in which files were named changes nothing; a file given twice counts once."""
    kept: dict[str, PiecePlan] = {}
    for plan in sorted(plans, key=lambda plan: (plan.facts["file"], plan.facts["sha256"])):
        if plan.facts["sha256"] in kept:
            same = kept[plan.facts["sha256"]].facts["file"]
            skipped.append(Skipped(plan.facts["file"], f"has the same content as {same}"))
        else:
            kept[plan.facts["sha256"]] = plan
    skipped.sort(key=lambda entry: (entry.source, entry.reason))
    return list(kept.values())


def _write_piece(
    item: tuple[int, PiecePlan, int], folder: Path, recipe: Recipe, rooms: Sequence[RoomFile]
) -> list[Rendered]:
    """Render a piece, write its shards, read them back, note that they are done."""
    index, plan, start = item
    frames = zarr.open_group(folder / "store", mode="r+")["frames"]
    assert isinstance(frames, zarr.Array)
    shard, rate = recipe.store.shard_frames, recipe.spectrogram.sample_rate_hz
    buffer = np.zeros((shard, frames.shape[1]), dtype=frames.dtype)
    filled, place, made = 0, start, []
    for rendition in plan.renditions:
        notes = plan.performances[rendition.performance].notes
        if rendition.audio:
            samples = read_audio(Path(rendition.audio), rate)[: rendition.samples]
            samples = np.pad(samples, (0, rendition.samples - len(samples)))
        else:
            samples = render(notes, rendition.instrument, rate, recipe.render, tuning_cents(rendition.sound))
            samples = apply_sound(samples, rate, rendition.sound, rooms)
        values = spectrogram(samples, recipe.spectrogram).astype(frames.dtype)
        gain = rendition.gain if rendition.audio else total_gain(rendition.sound)
        made.append(Rendered(array_sha256(values), gain, rendition.samples / rate))
        taken = 0
        while taken < len(values):
            count = min(shard - filled, len(values) - taken)
            buffer[filled : filled + count] = values[taken : taken + count]
            filled, taken = filled + count, taken + count
            if filled == shard:
                frames[place : place + shard] = buffer
                place, filled = place + shard, 0
    if filled:
        buffer[filled:] = 0
        frames[place : place + shard] = buffer
    first = start
    for rendition, written in zip(plan.renditions, made, strict=True):
        if array_sha256(np.asarray(frames[first : first + rendition.frames])) != written.sha256:
            raise ValueError(
                f"{folder}: frames of {plan.facts['file']} read back differ from those written; check the disk"
            )
        first += rendition.frames
    note_done(folder, index, [vars(entry) for entry in made])
    return made
