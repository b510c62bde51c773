"""Pairs from two folders of sound: one instrument's renditions as references, another's as snippets."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.locks import only_builder
from sfdata.manifest import Entry, entry_notes, entry_piece_note, read_manifest
from sfdata.naming import PieceName, work_keys
from sfdata.notes import snap_to_event_grid
from sfdata.outline import outline_of
from sfdata.place import Place
from sfdata.plan import Performance, PiecePlan, RenditionPlan, Skipped, skip
from sfdata.progress import Progress
from sfdata.recipe import Recipe
from sfdata.render import read_audio
from sfdata.soundfonts import Instrument
from sfdata.spectrogram import frame_count
from sfdata.workers import Workers
from sfdata.writing import BuildResult, check_target, write_store

_Key = tuple[str, int]


def build_pairs(
    references: str | Path,
    snippets: str | Path,
    output: str | Path,
    recipe: Recipe | None = None,
    *,
    licence: str = "",
    attribution: str = "",
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> BuildResult:
    """Build a store from sound files with notes beside them.

    A reference and its snippets belong together by their manifests (same piece and voice), or, in folders without one,
    by their names, and then have the same notes in the same order.

    Parameters
    ----------
    references, snippets : path
        Folders as ``sfdata render`` writes them: ``NAME.flac`` or ``.wav`` and ``NAME.notes.csv``.
    output : path
        The store to write.
    recipe : Recipe, optional
        Spectrogram, windows, splits, store settings and seed; its other parts are not used.
    licence, attribution : str
        Stored with every piece.

    Returns
    -------
    BuildResult

    Raises
    ------
    FileNotFoundError
        If a folder is not there or holds no sound.
    ValueError
        If the target exists or nothing could be paired.
    """
    began, recipe, target = time.monotonic(), recipe or Recipe(), Place(output)
    sides = {"reference": Path(references).absolute(), "snippet": Path(snippets).absolute()}
    skipped: list[Skipped] = []
    found: dict[_Key, dict[str, list[Entry]]] = {}
    for side, folder in sides.items():
        for entry in read_manifest(folder, "audio"):
            # Only the score side can be a reference; where variants were rendered too, they are no references.
            if side == "snippet" or entry.role == "score":
                found.setdefault((entry.sha256, entry.voice), {}).setdefault(side, []).append(entry)
    plans = []
    for both in found.values():
        for side in sides:
            if side not in both:
                other = next(iter(both.values()))[0].file
                skipped.append(Skipped(other, f"has no counterpart among the {side}s in {sides[side].name}"))
        if len(both) == len(sides):
            try:
                plans.append(_plan(sides, both, recipe, {"licence": licence, "attribution": attribution}))
            except Exception as error:  # whatever a damaged file brings up
                skipped.append(skip(both["snippet"][0].file, error))
    played = [rendition for plan in plans for rendition in plan.renditions]
    attrs = recipe.as_dict() | {
        "sources": [{"references": str(sides["reference"]), "snippets": str(sides["snippet"])}],
        "instruments": {
            "references": sorted({one.instrument.name for one in played if one.is_reference}),
            "snippets": sorted({one.instrument.name for one in played if one.is_snippet}),
        },
    }
    pieces = [outline_of(plan, recipe) for plan in _merged(plans)]
    with only_builder(target), Workers(workers) as crew:
        check_target(target, overwrite)
        return write_store(recipe, attrs, pieces, skipped, target, crew, began, progress, overwrite=overwrite)


def _plan(sides: dict[str, Path], both: dict[str, list[Entry]], recipe: Recipe, facts: dict[str, str]) -> PiecePlan:
    performances: list[Performance] = []
    renditions: list[RenditionPlan] = []
    score_pitches = None
    for side, folder in sides.items():
        for entry in both[side]:
            path = folder / entry.file
            notes = entry_notes(folder, entry)
            if entry.instrument and entry.sample_rate_hz:  # rendered by us: exact again, where the file has rounded
                notes = snap_to_event_grid(notes, entry.sample_rate_hz)
            if not len(notes):
                raise ValueError(f"{path} has no notes beside it")
            if score_pitches is None:
                score_pitches = notes["pitch"]
            elif not entry.source and not np.array_equal(score_pitches, notes["pitch"]):
                raise ValueError(
                    f"{path} has {len(notes)} notes whose pitches differ from the reference's {len(score_pitches)}; "
                    "without a manifest both need the same notes in the same order"
                )
            rate = recipe.spectrogram.sample_rate_hz
            samples = len(read_audio(path, rate))  # decoded whole: damage shows here, not in the middle of a build
            if notes["onset_s"].max() > samples / rate:
                raise ValueError(
                    f"{path} lasts {samples / rate:.2f} s, its last note begins at {notes['onset_s'].max()} s"
                )
            performance = Performance(
                voice=entry.voice,
                method=entry.method,
                role=entry.role,
                copy=entry.copy,
                notes=notes,
                piece_note=entry_piece_note(entry, notes),
                augmentation=entry.augmentation,
            )
            if performance.role == "score" and performances and _same_notes(performances[0], performance):
                index = 0  # the score side rendered by another instrument: one performance, two renditions
            else:
                index = len(performances)
                performances.append(performance)
            renditions.append(
                RenditionPlan(
                    performance=index,
                    instrument=_instrument(entry, folder),
                    samples=samples,
                    frames=frame_count(samples, recipe.spectrogram),
                    is_reference=side == "reference",
                    is_snippet=side == "snippet",
                    audio=str(path),
                    gain=entry.gain,
                    sound=entry.sound,
                )
            )
    first = both["reference"][0]
    name = PieceName(first.title, first.composer, first.source_id)
    columns: dict[str, Any] = {
        "title": first.title,
        "composer": first.composer,
        "source_id": first.source_id,
        "file": first.piece_file,
        "sha256": first.sha256,
        "split": "",
        "cut_s": first.cut_s,
        **facts,
    }
    keys = work_keys(name, first.sha256, performances[0].notes)
    return PiecePlan(columns, frozenset(keys), tuple(performances), tuple(renditions))


def _same_notes(one: Performance, other: Performance) -> bool:
    return one.role == other.role and np.array_equal(one.notes, other.notes)


def _instrument(entry: Entry, folder: Path) -> Instrument:
    if entry.instrument:
        return Instrument(**entry.instrument)
    return Instrument(name=folder.name, path=folder.name, sha256="", bank=0, program=0, licence="")


def _merged(plans: list[PiecePlan]) -> list[PiecePlan]:
    """One plan a piece: voices of one piece come as separate plans and belong together."""
    by_piece: dict[str, PiecePlan] = {}
    for plan in plans:
        held = by_piece.get(plan.facts["sha256"])
        if held is None:
            by_piece[plan.facts["sha256"]] = plan
            continue
        offset = len(held.performances)
        moved = tuple(replace(r, performance=r.performance + offset) for r in plan.renditions)
        by_piece[plan.facts["sha256"]] = replace(
            held, performances=held.performances + plan.performances, renditions=held.renditions + moved
        )
    return list(by_piece.values())
