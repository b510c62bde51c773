"""From plans to the store's tables: everything is numbered through, and every row knows where it came from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfdata.pairs import piece_pairs
from sfdata.plan import PiecePlan
from sfdata.schema import SPLITS, TABLES, Table
from sfdata.sound import room_name
from sfdata.soundfonts import Instrument
from sfdata.windows import WindowSettings


@dataclass(frozen=True)
class Rendered:
    """What became known of a rendition by making it."""

    sha256: str
    gain: float
    duration_s: float


def instruments_of(plans: Sequence[PiecePlan]) -> list[Instrument]:
    """All instruments the plans use, sorted by name."""
    used = sorted((r.instrument for plan in plans for r in plan.renditions), key=lambda i: (i.name, i.sha256, i.path))
    return list(dict.fromkeys(used))


def first_frames(plans: Sequence[PiecePlan], shard_frames: int) -> tuple[list[int], int]:
    """Where each piece's frames begin, on shard borders, and how many frames that makes in all.

    Examples
    --------
    >>> first_frames([], 8192)
    ([], 0)
    """
    starts, total = [], 0
    for plan in plans:
        starts.append(total)
        total += -(-plan.frames // shard_frames) * shard_frames
    return starts, total


def assemble_tables(
    plans: Sequence[PiecePlan],
    works: Sequence[str],
    splits: Sequence[str],
    starts: Sequence[int],
    rendered: Sequence[Sequence[Rendered]],
    presets: dict[str, str],
    windows: WindowSettings,
    frame_rate_hz: float,
    seed: int,
) -> dict[str, Table]:
    """Assemble all tables of a store.

    Parameters
    ----------
    plans, works, splits, starts, rendered : sequences, one entry a piece
        `starts` as :func:`first_frames` gives them; `rendered` in the order of each plan's renditions.
    presets : dict
        Name of the preset for each instrument's name.

    Returns
    -------
    dict of table name to columns
    """
    instruments = instruments_of(plans)
    row_of = {instrument: row for row, instrument in enumerate(instruments)}
    lists: dict[str, dict[str, list[Any]]] = {name: {column: [] for column in TABLES[name]} for name in TABLES}
    pairs: list[Table] = []
    for instrument in instruments:
        _append(
            lists["instruments"],
            name=instrument.name,
            preset=presets.get(instrument.name, ""),
            file=instrument.path.replace("\\", "/").rsplit("/", 1)[-1],
            sha256=instrument.sha256,
            bank=instrument.bank,
            program=instrument.program,
            licence=instrument.licence,
            split=instrument.split,
        )
    notes = 0
    for piece, (plan, work, split, start) in enumerate(zip(plans, works, splits, starts, strict=True)):
        _append(lists["pieces"], **{**plan.facts, "work": work, "split": split})
        bases = (len(lists["renditions"]["gain"]), notes)
        first_performance = len(lists["performances"]["piece"])
        for performance in plan.performances:
            _append(
                lists["performances"],
                piece=piece,
                voice=performance.voice,
                method=performance.method,
                role=performance.role,
                copy=performance.copy,
                first_note=notes,
                note_count=len(performance.notes),
                augmentation=json.dumps(performance.augmentation, sort_keys=True),
            )
            source = performance.notes["source"]
            added = source < 0
            columns = {name: performance.notes[name] for name in ("onset_s", "offset_s", "pitch", "velocity", "source")}
            columns["piece_note"] = np.where(added, -1, performance.piece_note[np.where(added, 0, source)])
            for name, values in columns.items():
                lists["notes"][name].append(values)
            notes += len(performance.notes)
        first = start
        for rendition, made in zip(plan.renditions, rendered[piece], strict=True):
            _append(
                lists["renditions"],
                first_frame=first,
                frame_count=rendition.frames,
                performance=first_performance + rendition.performance,
                instrument=row_of[rendition.instrument],
                duration_s=made.duration_s,
                gain=made.gain,
                room=room_name(rendition.sound),
                sound=json.dumps(rendition.sound, sort_keys=True),
                sha256=made.sha256,
            )
            first += rendition.frames
        rng = np.random.default_rng([seed, int(plan.facts["sha256"][:16], 16), 2])
        own = piece_pairs(plan, windows, frame_rate_hz, rng)
        if own:
            own["reference_rendition"] = own["reference_rendition"] + bases[0]
            own["snippet_rendition"] = own["snippet_rendition"] + bases[0]
            own["note"] = own["note"] + bases[1]
            own["split"] = np.full(len(own["note"]), SPLITS.index(split))
            pairs.append(own)
    joined = {"notes": lists["notes"], "pairs": {column: [own[column] for own in pairs] for column in TABLES["pairs"]}}
    return {
        name: {
            column: _concatenated(joined[name][column], dtype)
            if name in joined
            else np.asarray(lists[name][column], dtype=object if dtype == "str" else dtype)
            for column, (dtype, _) in columns.items()
        }
        for name, columns in TABLES.items()
    }


def licences_of(tables: dict[str, Table]) -> list[dict[str, str]]:
    """Each licence and attribution among pieces and instruments, once."""
    found = {
        ("pieces", licence, attribution)
        for licence, attribution in zip(tables["pieces"]["licence"], tables["pieces"]["attribution"], strict=True)
    } | {
        ("instruments", licence, file)
        for licence, file in zip(tables["instruments"]["licence"], tables["instruments"]["file"], strict=True)
    }
    return [{"of": of, "licence": str(licence), "attribution": str(credit)} for of, licence, credit in sorted(found)]


def _append(columns: dict[str, list[Any]], **row: Any) -> None:
    for name, values in columns.items():
        values.append(row[name])


def _concatenated(parts: list[Any], dtype: str) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype=dtype)
