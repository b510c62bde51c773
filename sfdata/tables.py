"""From pieces to the store's tables: everything is numbered through, and every row knows where it came from.

A worker makes the rows of its piece, numbered within the piece (:func:`piece_rows`). Once all pieces are done, the rows
are numbered through and written piece after piece (:func:`write_all_tables`), so that the tables of a large store are
never in memory as a whole.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sfdata.columns import TableWriter
from sfdata.onsets import pair_splits
from sfdata.outline import PieceOutline
from sfdata.pairs import piece_pairs
from sfdata.plan import PiecePlan
from sfdata.recipe import Recipe
from sfdata.schema import EVERY, SPLITS, TABLES, Table
from sfdata.sound import room_name
from sfdata.soundfonts import Instrument
from sfdata.store import Store

Rows = Mapping[str, NDArray[Any]]
_NOTES = ("onset_s", "offset_s", "pitch", "velocity", "source", "piece_note")
_PAIRS = tuple(column for column in TABLES["pairs"] if column != "split")


@dataclass(frozen=True)
class Finished:
    """A piece whose frames are written.

    Attributes
    ----------
    outline : PieceOutline
    work, split : str
    start : int
        First of its new frames.
    noted : dict
        As :func:`sfdata.writer.write_piece` noted it; empty where nothing of the piece is new.
    """

    outline: PieceOutline
    work: str
    split: str
    start: int
    noted: Mapping[str, Any]


def first_frames(pieces: Sequence[PieceOutline], shard_frames: int, first: int = 0) -> tuple[list[int], int]:
    """Where each piece's new frames begin, on shard borders from `first` on, and where the last of them end.

    Examples
    --------
    >>> first_frames([], 8192)
    ([], 0)
    """
    starts, total = [], first
    for piece in pieces:
        starts.append(total)
        total += -(-piece.new_frames // shard_frames) * shard_frames
    return starts, total


def piece_rows(plan: PiecePlan, outline: PieceOutline, recipe: Recipe) -> dict[str, NDArray[Any]]:
    """A piece's rows of the tables, but for what is counted across pieces.

    Returns
    -------
    dict of ``table.column`` to ndarray
        ``performances.method`` and ``performances.augmentation`` (JSON) as UTF-8 bytes; ``notes.*`` of the new
        performances one after another; ``pairs.*`` of the new snippets, with renditions numbered as in the plan and
        notes within their performance. ``pairs.split`` only where onsets are divided.
    """
    new = [p for p, known in zip(plan.performances, outline.performances, strict=True) if known.row < 0]
    records = [json.dumps(performance.augmentation, sort_keys=True).encode() for performance in new]
    rows: dict[str, NDArray[Any]] = {
        "performances.method": np.array([performance.method.encode() for performance in new], dtype=np.bytes_),
        "performances.augmentation": np.array(records, dtype=np.bytes_),
    }
    for column in _NOTES[:-1]:
        parts = [performance.notes[column] for performance in new]
        rows[f"notes.{column}"] = np.concatenate([np.empty(0, dtype=TABLES["notes"][column][0]), *parts])
    piece_note = [np.empty(0, dtype=np.int32)]
    for performance in new:
        source = performance.notes["source"]
        added = source < 0
        piece_note.append(np.where(added, -1, performance.piece_note[np.where(added, 0, source)]))
    rows["notes.piece_note"] = np.concatenate(piece_note)
    pairs = piece_pairs(plan, recipe.windows, recipe.spectrogram.frame_rate_hz, recipe.seed)
    for column in _PAIRS:
        rows[f"pairs.{column}"] = pairs[column].astype(TABLES["pairs"][column][0])
    if recipe.splits.by == "onset":
        rows["pairs.split"] = pair_splits(plan, pairs, recipe.splits, recipe.seed)
    return rows


def instruments_of(pieces: Sequence[PieceOutline], held: Sequence[Instrument] = ()) -> list[Instrument]:
    """All instruments the pieces use: those of the store that is extended as they stand there, then others by name."""
    found = {rendition.instrument for piece in pieces for rendition in piece.renditions}
    used = sorted(found, key=lambda i: (i.name, i.sha256, i.path))
    marked = {instrument: instrument for instrument in used}
    return [*(marked.get(one, one) for one in held), *(one for one in used if one not in held)]


def write_all_tables(
    group: zarr.Group,
    pieces: Sequence[Finished],
    rows_of: Callable[[int], Rows],
    presets: Mapping[str, str],
    held: Store | None = None,
) -> dict[str, str]:
    """Number all rows through and write every table.

    Parameters
    ----------
    group : zarr.Group
        The store.
    pieces : sequence of Finished
        Those of the store that is extended first, in its order.
    rows_of : callable
        Gives the rows (:func:`piece_rows`) of a piece by its index; called once for each with something new.
    presets : mapping
        Name of the preset for each instrument's name.
    held : Store, optional
        The store that is extended: its rows come first.

    Returns
    -------
    dict of ``table/column`` to checksum
    """
    before = {name: _rows(held, name) for name in TABLES}
    new_pieces = [piece for piece in pieces if piece.outline.row < 0]
    instruments = instruments_of([piece.outline for piece in pieces], held_instruments(held) if held else [])
    totals = {
        "pieces": before["pieces"] + len(new_pieces),
        "instruments": len(instruments),
        "performances": before["performances"] + sum(_new(piece.outline.performances) for piece in pieces),
        "renditions": before["renditions"] + sum(_new(piece.outline.renditions) for piece in pieces),
        "notes": before["notes"] + sum(piece.noted.get("notes", 0) for piece in pieces),
        "pairs": before["pairs"] + sum(piece.noted.get("pairs", 0) for piece in pieces),
    }
    writers = {name: TableWriter(group, name, totals[name]) for name in TABLES}
    if held:
        _copy_held(held, pieces, writers)
    writers["instruments"].append(_instrument_rows(instruments, presets))
    row_of = {instrument: row for row, instrument in enumerate(instruments)}
    next_row = dict(before)
    for index, piece in enumerate(pieces):
        outline = piece.outline
        if outline.row < 0:
            facts = {**outline.facts, "work": piece.work, "split": piece.split}
            writers["pieces"].append({column: [facts[column]] for column in TABLES["pieces"]})
        number = _numbered([outline.row], next_row, "pieces")[0]
        if piece.noted:
            _append_piece(piece, number, rows_of(index), row_of, next_row, writers, held)
    return {column: total for writer in writers.values() for column, total in writer.finish().items()}


def _append_piece(
    piece: Finished,
    number: int,
    rows: Rows,
    row_of: Mapping[Instrument, int],
    next_row: dict[str, int],
    writers: Mapping[str, TableWriter],
    held: Store | None,
) -> None:
    """Number one piece's new rows and hand them to the tables' writers."""
    outline = piece.outline
    performance_row = _numbered([p.row for p in outline.performances], next_row, "performances")
    rendition_row = _numbered([r.row for r in outline.renditions], next_row, "renditions")
    first_note = np.empty(len(outline.performances), dtype=np.int64)
    new = []
    for place, performance in enumerate(outline.performances):
        if performance.row >= 0:
            assert held is not None
            first_note[place] = held.performances["first_note"][performance.row]
            continue
        first_note[place] = next_row["notes"]
        next_row["notes"] += performance.notes
        new.append((place, performance))
    writers["performances"].append(
        {
            "piece": [number] * len(new),
            "voice": [performance.voice for _, performance in new],
            "method": [text.decode() for text in rows["performances.method"]],
            "role": [performance.role for _, performance in new],
            "copy": [performance.copy for _, performance in new],
            "first_note": [first_note[place] for place, _ in new],
            "note_count": [performance.notes for _, performance in new],
            "augmentation": [text.decode() for text in rows["performances.augmentation"]],
        }
    )
    writers["notes"].append({column: rows[f"notes.{column}"] for column in _NOTES})
    made = [rendition for rendition in outline.renditions if rendition.row < 0]
    counts = np.array([rendition.frames for rendition in made], dtype=np.int64)
    noted = piece.noted["renditions"]
    writers["renditions"].append(
        {
            "first_frame": piece.start + np.cumsum(counts) - counts,
            "frame_count": counts,
            "performance": [performance_row[rendition.performance] for rendition in made],
            "instrument": [row_of[rendition.instrument] for rendition in made],
            "use": [rendition.use for rendition in made],
            "duration_s": [entry["duration_s"] for entry in noted],
            "gain": [entry["gain"] for entry in noted],
            "room": [room_name(rendition.sound) for rendition in made],
            "sound": [json.dumps(rendition.sound, sort_keys=True) for rendition in made],
            "sha256": [entry["sha256"] for entry in noted],
        }
    )
    pairs = {column: rows[f"pairs.{column}"] for column in _PAIRS}
    played = np.array([rendition.performance for rendition in outline.renditions], dtype=np.int64)
    pairs["note"] = first_note[played[pairs["snippet_rendition"]]] + pairs["note"]
    for side in ("reference_rendition", "snippet_rendition"):
        pairs[side] = rendition_row[pairs[side]]
    if piece.split == EVERY:
        pairs["split"] = rows["pairs.split"]
    else:
        pairs["split"] = np.full(len(pairs["note"]), SPLITS.index(piece.split), dtype=np.uint8)
    writers["pairs"].append(pairs)


def _numbered(rows: Sequence[int], next_row: dict[str, int], table: str) -> NDArray[np.int64]:
    """Rows of the table: those that have one keep it, others get the next."""
    numbered = np.array(rows, dtype=np.int64)
    fresh = numbered < 0
    numbered[fresh] = next_row[table] + np.arange(fresh.sum())
    next_row[table] += int(fresh.sum())
    return numbered


def _new(entries: Sequence[Any]) -> int:
    return sum(entry.row < 0 for entry in entries)


def _rows(store: Store | None, table: str) -> int:
    return store.rows(table) if store else 0


def held_instruments(store: Store) -> list[Instrument]:
    """Instruments of a store, without their paths."""
    table = store.instruments
    return [
        Instrument(
            name=str(table["name"][row]),
            path=str(table["file"][row]),
            sha256=str(table["sha256"][row]),
            bank=int(table["bank"][row]),
            program=int(table["program"][row]),
            licence=str(table["licence"][row]),
            split=str(table["split"][row]),
        )
        for row in range(len(table["name"]))
    ]


def _instrument_rows(instruments: Sequence[Instrument], presets: Mapping[str, str]) -> Table:
    columns: dict[str, list[Any]] = {
        "name": [i.name for i in instruments],
        "preset": [presets.get(i.name, "") for i in instruments],
        "file": [i.path.replace("\\", "/").rsplit("/", 1)[-1] for i in instruments],
        "sha256": [i.sha256 for i in instruments],
        "bank": [i.bank for i in instruments],
        "program": [i.program for i in instruments],
        "licence": [i.licence for i in instruments],
        "split": [i.split for i in instruments],
    }
    return {column: np.asarray(values, dtype=object) for column, values in columns.items()}


def _copy_held(held: Store, pieces: Sequence[Finished], writers: Mapping[str, TableWriter]) -> None:
    """The rows of the store that is extended, as they are; only works may have got other names."""
    works = [piece.work for piece in pieces if piece.outline.row >= 0]
    writers["pieces"].append({**held.table("pieces"), "work": np.array(works, dtype=object)})
    for name in ("performances", "notes", "renditions", "pairs"):
        for part in held.parts(name):
            writers[name].append(part)


def licences_of(pieces: Sequence[PieceOutline], instruments: Sequence[Instrument]) -> list[dict[str, str]]:
    """Each licence and attribution among pieces and instruments, once."""
    found = {("pieces", str(p.facts["licence"]), str(p.facts["attribution"])) for p in pieces} | {
        ("instruments", i.licence, i.path.replace("\\", "/").rsplit("/", 1)[-1]) for i in instruments
    }
    return [{"of": of, "licence": licence, "attribution": credit} for of, licence, credit in sorted(found)]
