"""Writing a store from outlines: find works and splits, lay out, have pieces written, write tables, give it its name.

Work happens in ``STORE.wip`` beside the target (see :mod:`sfdata.wip`). Every piece's frames fill shards of their own,
so no two writers touch one; what a writer finished is noted, and a build that was interrupted goes on from there. The
driver keeps an outline of each piece; notes and pairs pass through it only while the tables are written.
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

from sfdata.append import Held, torn
from sfdata.fluidsynth import library_version
from sfdata.layout import create_frames, finish_store, settings_attrs
from sfdata.outline import PieceOutline
from sfdata.place import Place
from sfdata.plan import Skipped, none_usable
from sfdata.portable import portable, without_folders
from sfdata.progress import Progress
from sfdata.recipe import Recipe
from sfdata.render import preset_name
from sfdata.similarity import same_music_keys
from sfdata.soundfonts import file_sha256
from sfdata.spectrogram import spectrogram
from sfdata.splits import assign_splits, group_works, split_groups
from sfdata.store import Store, open_store
from sfdata.tables import Finished, first_frames, held_instruments, instruments_of, licences_of, write_all_tables
from sfdata.wip import CONTENT, WorkInProgress, named_already, remove_left_over
from sfdata.workers import Workers
from sfdata.writer import Task, write_piece

Cast = Callable[[PieceOutline, str], PieceOutline]


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


def check_target(target: Place, overwrite: bool, recipe_attrs: dict[str, Any] | None = None) -> None:
    """Refuse a target that exists, as far as that can be known before anything is planned.

    Parameters
    ----------
    target : Place
    overwrite : bool
    recipe_attrs : dict, optional
        The recipe as it will be stored: a store of the same recipe may be what the same command has made before.

    Raises
    ------
    ValueError
        If it exists and is not to be replaced, or is no store.
    """
    if not (target.exists() if target.is_local else target.read("zarr.json") is not None):
        return
    if target.is_local and not (target.path / "zarr.json").is_file():
        if not overwrite:
            raise _exists(target)
        raise ValueError(f"{target} exists and is no Zarr store; it is not overwritten: choose another name")
    if overwrite and target.is_local:
        return
    try:
        same = recipe_attrs is not None and _as_stored(open_store(target).attrs["recipe"]) == _as_stored(recipe_attrs)
    except ValueError:
        same = not target.is_local and target.beside(".wip").read(CONTENT) is not None  # an interrupted build
    if not same:
        raise _exists(target)


def _as_stored(recipe_attrs: dict[str, Any]) -> Any:
    return json.loads(json.dumps(portable(recipe_attrs)))


def _exists(target: Place) -> ValueError:
    remedy = "say --overwrite to replace it, --append to extend it" if target.is_local else "remove it first"
    return ValueError(f"{target} exists already; choose another name, or {remedy}")


def _made_before(target: Place, digest: str) -> Store | None:
    """The store at the target, if this very build has made it."""
    try:
        store = open_store(target)
    except (FileNotFoundError, ValueError):
        return None
    return store if store.attrs.get("build_sha256") == digest else None


def write_store(
    recipe: Recipe,
    recipe_attrs: dict[str, Any],
    pieces: Sequence[PieceOutline],
    skipped: Sequence[Skipped],
    target: Place,
    crew: Workers,
    began: float,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
    cast: Cast | None = None,
    held: Held | None = None,
) -> BuildResult:
    """Write a store from outlines, going on with an interrupted one; see :func:`build`.

    Parameters
    ----------
    cast : callable, optional
        Gives a piece its renditions, once its split is known; without, pieces have theirs.
    held : Held, optional
        The store that is extended.
    """
    crew.check_target(target)
    spectrogram(np.zeros(1, dtype=np.float32), recipe.spectrogram)  # refuses settings before anything is rendered
    pieces = _distinct(pieces, skipped := list(skipped))
    if not pieces:
        raise none_usable("sources", len(skipped), skipped)
    pieces, works, whole = _works(held.among(pieces) if held else pieces, recipe, skipped)
    there = frozenset(name for name, piece in zip(whole, pieces, strict=True) if piece.row >= 0)
    fixed = [str(piece.facts["split"]) for piece in pieces]
    splits = assign_splits(whole, fixed, recipe.splits, recipe.seed, there)
    if cast:
        pieces = [cast(p, split) if p.origin is not None else p for p, split in zip(pieces, splits, strict=True)]
    if held:
        pieces = [held.with_rows(piece) if piece.origin is not None else piece for piece in pieces]
    starts, frames = first_frames(pieces, recipe.store.shard_frames, held.store.frames.shape[0] if held else 0)
    if held and frames == held.store.frames.shape[0]:
        return _result(held.store, target, skipped, began)  # it holds all that the recipe makes
    attrs = {
        **settings_attrs(recipe.spectrogram, recipe.windows, portable(recipe_attrs)),
        "seed": recipe.seed,
        "software": software_versions(),
        "skipped": [{"source": entry.source, "reason": without_folders(entry.reason)} for entry in skipped],
        **({"appended_to": held.history()} if held else {}),
    }

    def create(store: Place) -> None:
        create_frames(store, frames, recipe.spectrogram.n_bins, recipe.store)
        if held:
            held.link_frames(store)

    content = json.loads(json.dumps({**attrs, **_content(pieces), "extends": held.digest if held else ""}))
    attrs["build_sha256"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    if not overwrite or named_already(target):
        made = _made_before(target, attrs["build_sha256"])
        if made:  # and what ended was not the build, but what comes after it
            remove_left_over(target)
            return _result(made, target, skipped, began)
    if not (overwrite or held) and target.is_local and target.exists():
        raise _exists(target)
    wip = WorkInProgress(target, content, create)
    done = _write_frames(pieces, starts, wip, recipe, crew, progress, len(skipped))
    finished = [
        Finished(piece, work, split, start, done.get(index, {}))
        for index, (piece, work, split, start) in enumerate(zip(pieces, works, splits, starts, strict=True))
    ]
    group = wip.store.group("r+")
    if progress:
        progress("write tables", 0, 1)
    checksums = write_all_tables(group, finished, wip.rows, _presets(pieces, recipe), held.store if held else None)
    instruments = instruments_of(pieces, held_instruments(held.store) if held else ())
    finish_store(group, {**attrs, "licences": licences_of(pieces, instruments)}, checksums)
    if progress:
        progress("write tables", 1, 1)
    result = _result(open_store(wip.store), target, skipped, began)
    wip.finish()
    return result


def _result(store: Store, target: Place, skipped: Sequence[Skipped], began: float) -> BuildResult:
    return BuildResult(
        store=target.given,
        pieces=store.rows("pieces"),
        renditions=store.rows("renditions"),
        pairs=store.rows("pairs"),
        audio_s=round(float(store.renditions["duration_s"].sum()), 3),
        elapsed_s=round(time.monotonic() - began, 3),
        skipped=tuple(skipped),
    )


def _works(
    pieces: Sequence[PieceOutline], recipe: Recipe, skipped: list[Skipped]
) -> tuple[list[PieceOutline], list[str], list[str]]:
    """Pieces, without those that would tear a store's splits; their works; names of what a split keeps whole."""
    # By all notes of the files, which tell most, and by those that are stored, by which anyone can judge again.
    judged = [same_music_keys([p.music for p in pieces]), same_music_keys([p.stored_music for p in pieces])]
    keys = [piece.keys.union(*same) for piece, *same in zip(pieces, *judged, strict=True)]
    works = group_works(keys)
    composers = [str(piece.facts["composer"]) for piece in pieces]
    whole = split_groups(works, composers, [piece.sha256 for piece in pieces], recipe.splits)
    reasons = torn(pieces, [{name} for name in whole])
    if any(reasons):
        skipped += [reason for reason in reasons if reason]
        kept = [piece for piece, reason in zip(pieces, reasons, strict=True) if not reason]
        return _works(kept, recipe, skipped)
    return list(pieces), works, whole


def _write_frames(
    pieces: Sequence[PieceOutline],
    starts: Sequence[int],
    wip: WorkInProgress,
    recipe: Recipe,
    crew: Workers,
    progress: Progress | None,
    skipped: int,
) -> dict[int, dict[str, Any]]:
    """Have every piece written that is not done yet; what was noted of each.

    Raises
    ------
    ValueError
        If pieces could not be written; all others are.
    """
    done = wip.done()
    tasks = [
        Task(index, piece.without_music(), start)
        for index, (piece, start) in enumerate(zip(pieces, starts, strict=True))
        if index not in done and piece.new_frames
    ]
    seconds = [piece.new_audio_samples / recipe.spectrogram.sample_rate_hz for piece in pieces]
    rendered_s, total = sum(seconds[index] for index in done), sum(piece.new_frames > 0 for piece in pieces)

    def tell() -> None:
        if progress:
            sound = {"audio_s": rendered_s, "total_audio_s": sum(seconds), "skipped": skipped}
            progress("render", len(done), total, sound)

    tell()
    failed: list[Skipped] = []
    # The longest first, so that no worker is left with one at the end; regions are fixed, so nothing else changes.
    tasks.sort(key=lambda task: -seconds[task.index])
    for position, noted in crew.run(write_piece, tasks, wip.folder, recipe, recipe.rooms()):
        if isinstance(noted, Skipped):
            failed.append(noted)
            continue
        done[tasks[position].index] = noted
        rendered_s += seconds[tasks[position].index]
        tell()
    if failed:
        told = "; ".join(f"{entry.source}: {entry.reason}" for entry in failed[:3])
        raise ValueError(
            f"{len(failed)} of {total} pieces could not be written ({told}); the others are, in {wip.folder}: the same "
            "command goes on from there"
        )
    return done


def _presets(pieces: Sequence[PieceOutline], recipe: Recipe) -> dict[str, str]:
    playing = {rendition.instrument for piece in pieces for rendition in piece.renditions if not rendition.audio}
    return {i.name: preset_name(i, recipe.spectrogram.sample_rate_hz, recipe.render) for i in playing}


def software_versions() -> dict[str, str]:
    """Versions of everything that may change a store's bytes."""
    names = ("sfdata", "numpy", "scipy", "symusic", "zarr")
    return {"python": platform.python_version(), "fluidsynth": library_version(), **{n: version(n) for n in names}}


def _content(pieces: Sequence[PieceOutline]) -> dict[str, Any]:
    """What frames depend on besides the recipe: notes, instruments and sounds, named so that a change can be told."""
    instruments = {r.instrument.name: r.instrument.sha256 for piece in pieces for r in piece.renditions}
    files = {}
    for piece in pieces:
        digest = hashlib.sha256()
        for performance in piece.performances:
            digest.update(performance.digest.encode())
        for rendition in piece.renditions:
            sound = file_sha256(Path(rendition.audio)) if rendition.audio else ""
            digest.update(f"{rendition.performance} {rendition.instrument.name} {sound}\n".encode())
            digest.update(json.dumps(rendition.sound, sort_keys=True).encode())
        files[f"{piece.facts['file']} {piece.sha256}"] = digest.hexdigest()
    return {"soundfonts": instruments, "pieces": files}


def _distinct(pieces: Sequence[PieceOutline], skipped: list[Skipped]) -> list[PieceOutline]:
    """Sort by content, so that the order in which files were named changes nothing; a file given twice counts once."""
    kept: dict[str, PieceOutline] = {}
    for piece in sorted(pieces, key=lambda piece: (piece.facts["file"], piece.sha256)):
        if piece.sha256 in kept:
            same = kept[piece.sha256].facts["file"]
            skipped.append(Skipped(piece.facts["file"], f"has the same content as {same}"))
        else:
            kept[piece.sha256] = piece
    skipped.sort(key=lambda entry: (entry.source, entry.reason))
    return list(kept.values())
