"""Verification: rows of a store rebuilt from what it tells of itself, and compared byte for byte.

What `validate` finds consistent may still not be what it claims to be. Here pairs are drawn, and everything that
stands behind them is made again: the score side's notes from the MIDI file (where it is at hand), the variant's notes
from the record of what was drawn, the sound from the instrument's soundfont, the frames from the sound, the pair from
the notes. Where something differs, it is said what, by how much, and what is different about this machine.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.append import generation_of
from sfdata.augment import sounding_notes
from sfdata.midi import find_midi, read_piece
from sfdata.notes import NoteArray
from sfdata.onsets import pair_splits
from sfdata.pairs import piece_pairs
from sfdata.plan import Performance, PiecePlan, RenditionPlan
from sfdata.recipe import recipe_from_dict
from sfdata.rendition import rendition_frames
from sfdata.rooms import find_rooms
from sfdata.schema import EVERY, SPLITS, Table
from sfdata.shipped_files import shipped_file
from sfdata.soundfonts import Instrument, file_sha256, resolve_instrument
from sfdata.store import Store, open_store
from sfdata.voices import extract_voices
from sfdata.writing import software_versions

SHIPPED_MIDI = "giantmidi"
TICK_TOLERANCE_S = 1e-6
NOTE_COLUMNS = ("onset_s", "offset_s", "pitch", "velocity", "source")


@dataclass(frozen=True)
class Difference:
    """Something that is not as stored: `what` is notes, frames or pair, made again, or instrument, another file."""

    what: str
    row: int
    detail: str


@dataclass(frozen=True)
class Verification:
    """What was rebuilt, what differed, and what could not be rebuilt, with the reasons.

    Attributes
    ----------
    pairs, renditions, scores : int
        How many were rebuilt: pairs, renditions' frames, score sides from their MIDI files.
    differences : tuple of Difference
    not_rebuilt : tuple of str
    software : dict
        Of what has another version here than it had where the store was built: [there, here].
    """

    pairs: int
    renditions: int
    scores: int
    differences: tuple[Difference, ...]
    not_rebuilt: tuple[str, ...]
    software: dict[str, list[str]] = field(default_factory=dict)

    @property
    def verified(self) -> bool:
        """Whether something was rebuilt and nothing differs."""
        return not self.differences and self.pairs > 0


def verify(
    path: str | Path,
    sample: int = 50,
    seed: int = 0,
    midi: Sequence[str | Path] = (),
    rooms: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Verification:
    """Rebuild a sample of a store's pairs from stored provenance and compare bytes.

    Parameters
    ----------
    path : path
    sample : int
        Pairs drawn; both renditions of each are rebuilt whole.
    seed : int
        Of the drawing.
    midi : sequence of paths
        Where the pieces' MIDI files lie, known by their sha256; those that ship with sfdata are found without.
    rooms : path, optional
        Folder of the user's own impulse responses, where the recipe used one.
    progress : callable, optional
        Called as ``progress(step, done, total)``.

    Returns
    -------
    Verification

    Raises
    ------
    FileNotFoundError
        If there is no store, or no MIDI at a path given.
    ValueError
        If it is no store, or `sample` is below 1.
    """
    if sample < 1:
        raise ValueError(f"sample {sample}; expected 1 or more")
    store = open_store(path)
    rebuilder = _Rebuilder(store, _midi_by_sha256(midi), find_rooms(Path(rooms)) if rooms else [])
    total = len(store.pairs["note"])
    rows = np.sort(np.random.default_rng(seed).choice(total, min(sample, total), replace=False))
    renditions = np.union1d(store.pairs["reference_rendition"][rows], store.pairs["snippet_rendition"][rows])
    performances = np.unique(store.renditions["performance"][renditions])
    differences: list[Difference] = []
    steps = [
        *((rebuilder.notes, int(row)) for row in performances),
        *((rebuilder.frames, int(row)) for row in renditions),
        *((rebuilder.pair, int(row)) for row in rows),
    ]
    for done, (step, row) in enumerate(steps, start=1):
        differences += step(row)
        if progress:
            progress("verify", done, len(steps))
    here, there = software_versions(), store.attrs.get("software", {})
    return Verification(
        pairs=len(rows),
        renditions=rebuilder.rendered,
        scores=len(rebuilder.scores),
        differences=tuple(differences),
        not_rebuilt=tuple(dict.fromkeys(rebuilder.not_rebuilt)),
        software={name: [there.get(name, ""), here[name]] for name in here if there.get(name, "") != here[name]},
    )


def _midi_by_sha256(midi: Sequence[str | Path]) -> dict[str, Path]:
    paths = find_midi([*map(Path, midi), shipped_file(SHIPPED_MIDI)])
    return {file_sha256(file): file for file in paths}


class _Rebuilder:
    """Makes performances, renditions and pairs of one store again; each method yields what differs."""

    def __init__(self, store: Store, midi: dict[str, Path], rooms: list[Any]) -> None:
        self.store, self.midi, self.rooms = store, midi, rooms
        self.recipe = recipe_from_dict(store.attrs["recipe"] | {"sources": [], "instruments": {}})
        self.rate = store.spectrogram.sample_rate_hz
        self.from_files = any("references" in source for source in store.attrs["recipe"].get("sources", []))
        self.scores: set[int] = set()
        self.rendered = 0
        self.not_rebuilt: list[str] = []
        self._pairs: dict[int, Table] = {}
        self._told: set[int] = set()

    def notes(self, performance: int) -> Iterator[Difference]:
        """Notes of a performance, from its file and records."""
        columns = self.store.performances
        record = json.loads(columns["augmentation"][performance])
        score = self._score_side(performance)
        if columns["role"][performance] == "variant":
            yield from self.notes(score) if score not in self.scores else ()
            if not record.get("operations"):
                return
            made = sounding_notes(self.store.note_array(score), record, self.rate)
            yield from self._compare_notes(performance, made)
            return
        if performance in self.scores:
            return
        piece = int(columns["piece"][performance])
        file = self.midi.get(str(self.store.pieces["sha256"][piece]))
        if file is None or self.from_files:
            why = "the store does not say how its voices were extracted" if file else "its MIDI file is not at hand"
            self.not_rebuilt.append(f"score side of {self.store.pieces['file'][piece]}: {why}")
            return
        voices = extract_voices(read_piece(file, self.recipe.midi).notes, self.recipe.voices)
        number = int(columns["voice"][performance])
        if number >= len(voices):
            yield Difference("notes", performance, f"the piece has {len(voices)} voices now, the store number {number}")
            return
        own = voices[number].copy()
        own["source"] = np.arange(len(own))
        self.scores.add(performance)
        yield from self._compare_notes(performance, sounding_notes(own, record, self.rate))

    def _score_side(self, performance: int) -> int:
        columns = self.store.performances
        same = (columns["piece"] == columns["piece"][performance]) & (columns["voice"] == columns["voice"][performance])
        return int(np.flatnonzero(same & (columns["role"] == "score"))[0])

    def _compare_notes(self, performance: int, made: NoteArray) -> Iterator[Difference]:
        stored = self.store.note_array(performance)
        if len(made) != len(stored):
            yield Difference("notes", performance, f"{len(made)} notes, the store holds {len(stored)}")
            return
        for name in NOTE_COLUMNS:
            off = np.abs(made[name].astype(np.float64) - stored[name].astype(np.float64))
            if off.max(initial=0) > (TICK_TOLERANCE_S if name.endswith("_s") else 0):
                yield Difference("notes", performance, f"{name} of {(off > 0).sum()} notes differs, by {off.max():.4g}")

    def frames(self, rendition: int) -> Iterator[Difference]:
        """Frames of a rendition, from its performance's notes and its instrument."""
        columns = self.store.renditions
        if self.from_files:
            self.not_rebuilt.append("sound: the store was made of sound files, which may have lost bits")
            return
        row = int(columns["instrument"][rendition])
        instrument, sha256 = self._instrument(row), str(self.store.instruments["sha256"][row])
        if instrument is None:
            return
        if instrument.sha256 != sha256:
            if row not in self._told:
                self._told.add(row)
                detail = f"{instrument.name}: another soundfont file here, sha256 {instrument.sha256}, not {sha256}"
                yield Difference("instrument", row, detail)
            return
        sound = json.loads(columns["sound"][rendition])
        try:
            notes = self.store.note_array(int(columns["performance"][rendition]))
            blocks = rendition_frames(notes, instrument, self.store.spectrogram, self.recipe.render, sound, self.rooms)
        except ValueError as error:
            self.not_rebuilt.append(f"rendition {rendition}: {error}")
            return
        made = np.concatenate([frames.astype(self.store.frames.dtype) for frames in blocks])
        self.rendered += 1
        stored = self.store.rendition_frames(rendition)
        if made.shape != stored.shape:
            yield Difference("frames", rendition, f"{made.shape[0]} frames, the store holds {stored.shape[0]}")
        elif made.tobytes() != stored.tobytes():
            yield Difference("frames", rendition, _how_far(made, stored))

    def _instrument(self, row: int) -> Instrument | None:
        name, sha256 = (str(self.store.instruments[column][row]) for column in ("name", "sha256"))
        if not sha256:
            self.not_rebuilt.append(f"sound of {name}: it was recorded, not rendered")
            return None
        try:
            return resolve_instrument(name)
        except (FileNotFoundError, ValueError) as error:
            self.not_rebuilt.append(f"sound of {name}: {error}")
            return None

    def pair(self, row: int) -> Iterator[Difference]:
        """A pair, drawn again among all of its piece."""
        piece = int(self.store.pair_pieces(np.array([row]))[0])
        own = self._own_rows[piece]
        if piece not in self._pairs:
            self._pairs[piece] = self._piece_pairs(piece)
        made, place = self._pairs[piece], int(np.searchsorted(own, row))
        if len(made.get("note", ())) != len(own):
            yield Difference("pair", row, f"its piece has {len(made.get('note', ()))} pairs, the store {len(own)}")
            return
        for name, values in made.items():
            stored = self.store.pairs[name][row]
            if abs(float(values[place]) - float(stored)) > (TICK_TOLERANCE_S if values.dtype.kind == "f" else 0):
                yield Difference("pair", row, f"{name} is {values[place]}, the store holds {stored}")

    @cached_property
    def _own_rows(self) -> dict[int, NDArray[np.int64]]:
        pieces = self.store.pair_pieces(np.arange(len(self.store.pairs["note"])))
        return {int(piece): np.flatnonzero(pieces == piece) for piece in np.unique(pieces)}

    def _piece_pairs(self, piece: int) -> Table:
        store = self.store
        performances = np.flatnonzero(store.performances["piece"] == piece)
        renditions = np.flatnonzero(np.isin(store.renditions["performance"], performances))
        plan = PiecePlan(
            facts={"sha256": str(store.pieces["sha256"][piece])},
            keys=frozenset(),
            performances=tuple(
                Performance(
                    voice=int(store.performances["voice"][row]),
                    method="",
                    role=str(store.performances["role"][row]),
                    copy=int(store.performances["copy"][row]),
                    notes=store.note_array(int(row)),
                    piece_note=np.empty(0, dtype=np.int32),
                )
                for row in performances
            ),
            renditions=tuple(
                RenditionPlan(
                    performance=int(np.searchsorted(performances, store.renditions["performance"][row])),
                    instrument=Instrument(
                        str(store.instruments["name"][store.renditions["instrument"][row]]), "", "", 0, 0, ""
                    ),
                    samples=0,
                    frames=int(store.renditions["frame_count"][row]),
                    is_reference=store.renditions["use"][row] != "snippet",
                    is_snippet=store.renditions["use"][row] != "reference",
                    generation=generation_of(int(row), store),
                )
                for row in renditions
            ),
        )
        made = dict(piece_pairs(plan, store.windows, store.spectrogram.frame_rate_hz, int(store.attrs["seed"])))
        if (split := str(store.pieces["split"][piece])) == EVERY:
            made["split"] = pair_splits(plan, made, self.recipe.splits, int(store.attrs["seed"]))
        else:
            made["split"] = np.full(len(made["note"]), SPLITS.index(split), dtype=np.uint8)
        played = store.renditions["performance"][renditions[made["snippet_rendition"]]]
        made["note"] = store.performances["first_note"][played] + made["note"]
        for side in ("reference_rendition", "snippet_rendition"):
            made[side] = renditions[made[side]]
        order = np.argsort(made["snippet_rendition"], kind="stable")
        return {name: values[order] for name, values in made.items()}


def _how_far(made: NDArray[np.floating], stored: NDArray[np.floating]) -> str:
    one, other = made.astype(np.float64).ravel(), stored.astype(np.float64).ravel()
    alike = np.corrcoef(one, other)[0, 1] if one.std() > 0 and other.std() > 0 else 0.0
    off = np.abs(one - other)
    return f"{(off > 0).mean():.1%} of the values differ, by {off.max():.3g} at most; correlation {alike:.7f}"
