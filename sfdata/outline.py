"""Outlines: what is known of a piece before it is rendered, without its notes.

A build of ten thousand pieces keeps an outline of each; a worker makes the plan with all its notes again when the
piece's turn comes, and the outline's digest shows that it is the same.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from sfdata.fingerprint import Fingerprint
from sfdata.notes import NoteArray
from sfdata.plan import PiecePlan, RenditionPlan, Skipped, Source, plan_piece, skip
from sfdata.recipe import Recipe
from sfdata.render import rendered_samples


@dataclass(frozen=True)
class PerformanceOutline:
    """A performance without its notes.

    Attributes
    ----------
    voice, copy : int
    role : {"score", "variant"}
    notes : int
        How many.
    samples : int
        Length of its sound, where it is rendered.
    digest : str
        Of its notes.
    row : int
        Its row in the store that is extended; -1 where it is new.
    """

    voice: int
    role: str
    copy: int
    notes: int
    samples: int
    digest: str
    row: int = -1


@dataclass(frozen=True)
class PieceOutline:
    """A piece without its notes.

    Attributes
    ----------
    facts : dict
        Columns of the table of pieces.
    keys : frozenset of str
        See :func:`sfdata.naming.work_keys`.
    performances : tuple of PerformanceOutline
    renditions : tuple of RenditionPlan
        Empty until instruments are cast, but for sound that is read from files.
    origin : Source or PiecePlan
        What its plan is made of again: the MIDI file, or the plan itself where that is small.
    music, stored_music : Fingerprint
        Of all of the piece's notes, and of its score sides; by them works are found.
    row : int
        Its row in the store that is extended; -1 where it is new.
    """

    facts: dict[str, Any]
    keys: frozenset[str]
    performances: tuple[PerformanceOutline, ...]
    renditions: tuple[RenditionPlan, ...]
    origin: Any
    music: Fingerprint = field(compare=False, repr=False)
    stored_music: Fingerprint = field(compare=False, repr=False)
    row: int = -1

    @property
    def new_frames(self) -> int:
        """Frames of the renditions that are to be made."""
        return sum(rendition.frames for rendition in self.renditions if rendition.row < 0)

    @property
    def new_audio_samples(self) -> int:
        """Samples of the renditions that are to be made."""
        return sum(rendition.samples for rendition in self.renditions if rendition.row < 0)

    def without_music(self) -> "PieceOutline":
        """The same without what only serves to find works: small enough to be sent about."""
        return replace(self, keys=frozenset(), music=self.music[:0], stored_music=self.stored_music[:0])

    @property
    def sha256(self) -> str:
        """Of the source file."""
        return str(self.facts["sha256"])


def notes_digest(notes: NoteArray) -> str:
    """What tells a performance's notes from others."""
    return hashlib.sha256(notes.tobytes()).hexdigest()


def outline_of(plan: PiecePlan, recipe: Recipe, origin: Any = None) -> PieceOutline:
    """Outline of a plan; `origin` as in :class:`PieceOutline`, the plan itself by default."""
    rate = recipe.spectrogram.sample_rate_hz
    return PieceOutline(
        facts=plan.facts,
        keys=plan.keys,
        performances=tuple(
            PerformanceOutline(
                voice=performance.voice,
                role=performance.role,
                copy=performance.copy,
                notes=len(performance.notes),
                samples=rendered_samples(performance.notes, rate, recipe.render),
                digest=notes_digest(performance.notes),
            )
            for performance in plan.performances
        ),
        renditions=plan.renditions,
        origin=plan if origin is None else origin,
        music=plan.music,
        stored_music=plan.stored_music,
    )


def try_outline(source: Source, recipe: Recipe) -> PieceOutline | Skipped:
    """Outline a MIDI file; one that cannot be used gives a :class:`Skipped`, whatever is wrong with it."""
    try:
        return outline_of(_plan_source(source, recipe), recipe, source)
    except Exception as error:
        return skip(source.path.name, error)


def plan_again(outline: PieceOutline, recipe: Recipe) -> PiecePlan:
    """Make the plan of a piece, with the outline's renditions.

    Raises
    ------
    ValueError
        If it is not the piece that was outlined: its file has changed.
    FileNotFoundError
        If its file is gone.
    """
    origin = outline.origin
    plan = origin if isinstance(origin, PiecePlan) else _plan_source(origin, recipe)
    made = [notes_digest(performance.notes) for performance in plan.performances]
    if plan.facts["sha256"] != outline.sha256 or made != [performance.digest for performance in outline.performances]:
        raise ValueError(
            f"{outline.facts['file']} is no longer what it was when the build was planned: its content, or what is "
            "made of it, differs; put the file back and build again, or begin anew"
        )
    return replace(plan, renditions=outline.renditions)


def _plan_source(source: Source, recipe: Recipe) -> PiecePlan:
    return plan_piece(source.path, source.settings, recipe, source.told)
