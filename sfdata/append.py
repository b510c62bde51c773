"""Appending: a store whose recipe gained pieces, instruments or variants grows by what is new.

What the store holds stays as it is: its frames are linked, not copied, into the new store beside it, its rows come
first in every table, its pieces keep their splits. A recipe that no longer makes something that the store holds of one
of its pieces is refused: that is another store.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sfdata.fingerprint import fingerprint_of_voices
from sfdata.naming import PieceName, work_keys
from sfdata.notes import NoteArray
from sfdata.outline import PieceOutline, notes_digest
from sfdata.place import Place
from sfdata.plan import Skipped
from sfdata.portable import portable
from sfdata.recipe import Recipe
from sfdata.schema import TABLES
from sfdata.splits import group_works
from sfdata.store import Store, open_store

_SAME_SECTIONS = ("seed", "midi", "voices", "render", "spectrogram", "windows", "store")
_SAME_SOFTWARE = ("fluidsynth", "sfdata")
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS)


class Held:
    """A store that is extended.

    Parameters
    ----------
    target : Place
    recipe : Recipe
        That of the extended store.
    software : dict
        Versions of what builds now.

    Attributes
    ----------
    store : Store
    generation : int
        Number of what is appended now.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no store, it lies elsewhere, or was built with settings or software that would not give the same.
    """

    def __init__(self, target: Place, recipe: Recipe, software: dict[str, str]) -> None:
        if not target.is_local:
            raise ValueError(f"{target} lies elsewhere; only a store on this machine can be extended: copy it here")
        self.store = open_store(target.path)
        attrs = self.store.attrs
        _check_same(str(target), attrs["recipe"], json.loads(json.dumps(recipe.as_dict())))
        for name in _SAME_SOFTWARE:
            if attrs["software"].get(name) != software[name]:
                raise ValueError(
                    f"{target} was built with {name} {attrs['software'].get(name)}, this is {software[name]}: what is "
                    "appended would not be like the rest; build another store, or install that version"
                )
        self.generation = len(attrs.get("appended_to", [])) + 1
        self._rows_of = {str(sha256): row for row, sha256 in enumerate(self.store.pieces["sha256"])}

    @property
    def digest(self) -> str:
        """Tells this store from others."""
        return hashlib.sha256(json.dumps(self.store.attrs["checksums"], sort_keys=True).encode()).hexdigest()

    def history(self) -> list[dict[str, Any]]:
        """What an attribute of the new store tells of the builds before: rows of the tables, recipe and software."""
        attrs = self.store.attrs
        rows = {table: self.store.rows(table) for table in TABLES}
        own = {"rows": rows, "recipe": portable(attrs["recipe"]), "software": attrs["software"]}
        return [*attrs.get("appended_to", []), own]

    def pieces(self) -> list[PieceOutline]:
        """The store's pieces in its order, with their splits; what is made of them is told by their rows alone."""
        columns, scores = self.store.performances, dict[int, list[NoteArray]]()
        for row in range(len(columns["piece"])):
            if columns["role"][row] == "score":
                scores.setdefault(int(columns["piece"][row]), []).append(self.store.note_array(row))
        found = []
        for piece in range(self.store.rows("pieces")):
            facts = {name: values[piece] for name, values in self.store.pieces.items() if name != "work"}
            name = PieceName(*(str(facts[part]) for part in ("title", "composer", "source_id")))
            voices = scores.get(piece, [])
            music = fingerprint_of_voices(voices)
            keys = work_keys(name, str(facts["sha256"]), voices[0] if voices else None)
            found.append(PieceOutline(facts, frozenset(keys), (), (), None, music, music, row=piece))
        return found

    def among(self, pieces: Sequence[PieceOutline]) -> list[PieceOutline]:
        """The store's pieces in its order, those that are given in their given form, then what is new."""
        given = {piece.sha256: piece for piece in pieces}
        merged = [
            replace(given.pop(own.sha256), facts=own.facts, row=own.row) if own.sha256 in given else own
            for own in self.pieces()
        ]
        return [*merged, *(piece for piece in pieces if piece.sha256 in given)]

    def with_rows(self, piece: PieceOutline) -> PieceOutline:
        """A piece that is cast, with the rows that its performances and renditions have in the store.

        Raises
        ------
        ValueError
            If the store holds something of the piece that the recipe no longer makes.
        """
        fresh = tuple(replace(rendition, generation=self.generation) for rendition in piece.renditions)
        piece = replace(piece, renditions=fresh)
        if piece.row < 0:
            return piece
        columns = self.store.performances
        held = {
            (int(columns["voice"][row]), str(columns["role"][row]), int(columns["copy"][row])): int(row)
            for row in (columns["piece"] == piece.row).nonzero()[0]
        }
        rows = [held.pop((p.voice, p.role, p.copy), -1) for p in piece.performances]
        same = all(
            row < 0 or notes_digest(self.store.note_array(row)) == performance.digest
            for row, performance in zip(rows, piece.performances, strict=True)
        )
        if held or not same:
            raise self._refusal(piece, "performances")
        performances = tuple(replace(p, row=row) for p, row in zip(piece.performances, rows, strict=True))
        place = {row: number for number, row in enumerate(rows) if row >= 0}
        there = {self._rendition_key(row, place): row for row in self._renditions(set(place))}
        renditions = []
        for rendition in piece.renditions:
            sound = json.dumps(rendition.sound, sort_keys=True)
            one = rendition.instrument
            key = (rendition.performance, one.name, one.sha256, sound, rendition.use)
            row = there.pop(key, -1)
            renditions.append(replace(rendition, row=row, generation=self._generation_of(row)))
        if there:
            raise self._refusal(piece, "instruments or sounds")
        return replace(piece, performances=performances, renditions=tuple(renditions))

    def _refusal(self, piece: PieceOutline, what: str) -> ValueError:
        return ValueError(
            f"{self.store.path} holds {what} of {piece.facts['file']} that the recipe no longer makes; only what a "
            "recipe gained can be appended (pieces, copies, instruments where all of a pool play): build another store"
        )

    def _renditions(self, performances: set[int]) -> list[int]:
        return [row for row, of in enumerate(self.store.renditions["performance"].tolist()) if of in performances]

    def _rendition_key(self, row: int, place: dict[int, int]) -> tuple[int, str, str, str, str]:
        columns, instruments = self.store.renditions, self.store.instruments
        one = int(columns["instrument"][row])
        names = (str(instruments["name"][one]), str(instruments["sha256"][one]))
        return (place[int(columns["performance"][row])], *names, str(columns["sound"][row]), str(columns["use"][row]))

    def _generation_of(self, row: int) -> int:
        return self.generation if row < 0 else generation_of(row, self.store)

    def link_frames(self, new: Place) -> None:
        """Give a new store, laid out to begin like this one, the shards of this one."""
        old, own = self.store.place.path / "frames" / "c", new.path / "frames" / "c"
        for shard in sorted(file for file in old.rglob("*") if file.is_file()):
            link = own / shard.relative_to(old)
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(shard, link)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                shutil.copyfile(shard, link)


def generation_of(rendition: int, store: Store) -> int:
    """In which build of a store a rendition was made: 0 is the first."""
    return sum(rendition >= entry["rows"]["renditions"] for entry in store.attrs.get("appended_to", []))


def torn(pieces: Sequence[PieceOutline], keys: Sequence[set[str]]) -> list[Skipped | None]:
    """For each piece, why it cannot be appended: it would make one work of pieces that stand in different splits.

    Parameters
    ----------
    pieces : sequence of PieceOutline
        Those of the store first.
    keys : sequence of set of str
        Of their works, as for :func:`sfdata.splits.group_works`.
    """
    works = group_works(list(keys))
    splits: dict[str, set[str]] = {}
    for piece, work in zip(pieces, works, strict=True):
        if piece.row >= 0:
            splits.setdefault(work, set()).add(str(piece.facts["split"]))
    return [
        Skipped(str(piece.facts["file"]), f"belongs to works that stand in splits {' and '.join(sorted(found))}")
        if piece.row < 0 and len(found := splits.get(work, set())) > 1
        else None
        for piece, work in zip(pieces, works, strict=True)
    ]


def _check_same(target: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    for section in _SAME_SECTIONS:
        then, now = there.get(section), here[section]
        if then == now:
            continue
        told = f"{section} = {then}, the recipe says {now}"
        if isinstance(now, dict) and isinstance(then, dict):
            key = next(name for name in now if now[name] != then.get(name))
            told = f"[{section}] {key} = {then.get(key)}, the recipe says {now[key]}"
        raise ValueError(f"{target} was built with {told}; what is appended must be alike: build another store")
    then, now = there.get("splits", {}), here["splits"]
    if then != now and "onset" in (then.get("by"), now["by"]):
        raise ValueError(
            f"{target} was built with splits = {then}, the recipe says {now}: where onsets are divided, all of a store "
            "are drawn with the same shares; build another store"
        )
    if any("midi" not in source for source in there.get("sources", [])):
        raise ValueError(f"{target} was not built from MIDI; only such stores can be extended")
