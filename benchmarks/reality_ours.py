"""Our own performances, to be measured like human ones: those of a store, or drawn by a recipe for the same scores."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfdata import open_store
from sfdata.augment import apply_record, draw_score, draw_variation, generator
from sfdata.expression import pedal_use
from sfdata.midi import read_piece
from sfdata.notes import NoteArray, make_notes
from sfdata.recipe import read_recipe
from sfdata.voices import extract_voices


@dataclass(frozen=True)
class Variant:
    """A drawn performance and its score side; see :class:`reality_corresp.AlignedWork`."""

    title: str
    score_file: str
    score: NoteArray
    performance: NoteArray
    sounding: NoteArray
    pedal: dict[str, float]


def recipe_variants(recipe_path: Path, scores: list[Path]) -> Iterator[Variant]:
    """Variants of MIDI files as a recipe draws them; nothing is rendered, so this takes seconds."""
    recipe = read_recipe(recipe_path)
    for path in scores:
        piece = read_piece(path, recipe.midi)
        for number, notes in enumerate(extract_voices(piece.notes, recipe.voices)):
            voice = notes.copy()
            voice["source"] = np.arange(len(voice))
            rng = generator(recipe.seed, piece.sha256, number, 0)
            score = apply_record(voice, draw_score(voice, recipe.augment, rng))
            for copy in range(1, max(recipe.augment.copies, 1) + 1):
                record = draw_variation(score, recipe.augment, generator(recipe.seed, piece.sha256, number, copy))
                yield _variant(path.stem, path.name, score, apply_record(score, record), record)


def store_label(path: Path) -> str:
    """What a store's performances are."""
    store = open_store(path)
    return f"recipe `{store.attrs['recipe']['name']}` for the {len(store.pieces['title'])} pieces of a store"


def store_variants(path: Path) -> Iterator[Variant]:
    """Variants that a store holds, each with the score side of its voice."""
    store = open_store(path)
    table, pieces = store.performances, store.pieces
    voices = list(zip(table["piece"].tolist(), table["voice"].tolist(), strict=True))
    score_of = {voice: row for row, voice in enumerate(voices) if table["role"][row] == "score"}
    for row, voice in enumerate(voices):
        if table["role"][row] == "variant":
            score = _store_notes(store.notes, table, score_of[voice])
            performance = _store_notes(store.notes, table, row)
            record = json.loads(str(table["augmentation"][row]))
            piece = table["piece"][row]
            yield _variant(str(pieces["title"][piece]), str(pieces["file"][piece]), score, performance, record)


def _store_notes(notes: dict[str, Any], table: dict[str, Any], row: int) -> NoteArray:
    first, count = int(table["first_note"][row]), int(table["note_count"][row])
    columns = [notes[name][first : first + count] for name in ("onset_s", "offset_s", "pitch", "velocity", "source")]
    return make_notes(*columns)


def _variant(title: str, file: str, score: NoteArray, sounding: NoteArray, record: dict[str, Any]) -> Variant:
    """Tell how long keys are held by applying all of a record but its pedal."""
    operations = record.get("operations", [])
    pedal = next((drawn["down"] for drawn in operations if drawn["operation"] == "pedal"), [])
    performance = sounding.copy()
    if pedal:
        without = {"operations": [drawn for drawn in operations if drawn["operation"] != "pedal"]}
        held = apply_record(score, without)
        # A store's notes are snapped to the synth's grid, which may swap notes that all but begin together.
        theirs, ours = (np.lexsort((notes["onset_s"], notes["pitch"], notes["source"])) for notes in (held, sounding))
        if (
            len(held) != len(sounding)
            or (held[["source", "pitch"]][theirs] != sounding[["source", "pitch"]][ours]).any()
        ):
            raise ValueError(f"{file}: what its record draws is not what is stored; was it built by another version?")
        performance["offset_s"][ours] = sounding["onset_s"][ours] + (held["offset_s"] - held["onset_s"])[theirs]
    times = np.array(pedal, dtype=np.float64).reshape(-1)
    values = np.tile([127, 0], len(pedal))
    use = pedal_use(times, values, float(sounding["onset_s"].min()), float(sounding["onset_s"].max()))
    return Variant(title, file, score, performance, sounding, use)
