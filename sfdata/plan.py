"""Plans: what is to be rendered of a piece, decided before a sample is made.

A plan holds the notes of every performance (snapped, as they will sound) and, once instruments are cast
(:mod:`sfdata.casting`), the length of every rendition, so that the store can be laid out before any work starts.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.augment import AugmentSettings, generator, play_score, play_variation
from sfdata.fingerprint import Fingerprint, fingerprint, fingerprint_of_voices
from sfdata.midi import MAX_DURATION_S, printable, read_piece
from sfdata.naming import PieceName, work_keys
from sfdata.notes import NoteArray
from sfdata.recipe import Recipe, SourceSettings
from sfdata.soundfonts import Instrument
from sfdata.voices import extract_voices

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Performance:
    """A timed list of notes of one voice.

    Attributes
    ----------
    voice : int
        Number of the voice within its piece.
    role : {"score", "variant"}
    copy : int
        Number of the variant, from 1; 0 for the score.
    notes : NoteArray
        ``source`` is the voice's note.
    piece_note : ndarray of int32, shape (notes,)
        The piece's note that one came from.
    augmentation : dict
        What was drawn to make it: of the voice for the score side, of the score side for a variant.
    """

    voice: int
    method: str
    role: str
    copy: int
    notes: NoteArray
    piece_note: NDArray[np.int32]
    augmentation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RenditionPlan:
    """One rendition to be made: by an instrument, or from a sound file.

    Attributes
    ----------
    performance : int
        Index into the piece's performances.
    instrument : Instrument
    samples, frames : int
        Its length.
    is_reference, is_snippet : bool
        What pairs may use it for.
    audio : str
        Sound file to read in place of rendering; empty for none.
    gain : float
        Factor already applied to that sound.
    lead_samples : int
        Silence before that sound, part of its `samples`.
    sound : dict
        What was drawn to befall the sound; see :mod:`sfdata.sound`.
    row : int
        Its row in the store that is extended; -1 where it is to be made.
    generation : int
        Snippets are paired with references of their own generation and those before: 0 in a first build, one more
        for whatever is appended.
    """

    performance: int
    instrument: Instrument
    samples: int
    frames: int
    is_reference: bool
    is_snippet: bool
    audio: str = ""
    gain: float = 1.0
    lead_samples: int = 0
    sound: dict[str, Any] = field(default_factory=dict)
    row: int = -1
    generation: int = 0

    @property
    def use(self) -> str:
        """What pairs may use it for, as the store's table says it."""
        return "both" if self.is_reference and self.is_snippet else "reference" if self.is_reference else "snippet"


@dataclass(frozen=True)
class PiecePlan:
    """What is to become of a piece.

    Attributes
    ----------
    facts : dict
        Columns of the table of pieces.
    keys : frozenset of str
        See :func:`sfdata.naming.work_keys`.
    performances : tuple of Performance
    renditions : tuple of RenditionPlan
    fingerprint : ndarray of uint64, optional
        Of all of the piece's notes, by which other versions of it are known; without, its score sides serve.
    """

    facts: dict[str, Any]
    keys: frozenset[str]
    performances: tuple[Performance, ...]
    renditions: tuple[RenditionPlan, ...]
    fingerprint: Fingerprint | None = field(default=None, compare=False)

    @property
    def stored_music(self) -> Fingerprint:
        """Fingerprint of the score sides, taken together."""
        return fingerprint_of_voices([p.notes for p in self.performances if p.role == "score"])

    @property
    def music(self) -> Fingerprint:
        """Fingerprint of the piece's music."""
        return self.stored_music if self.fingerprint is None else self.fingerprint


@dataclass(frozen=True)
class Skipped:
    """A source that could not be used, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A MIDI file to be planned.

    Attributes
    ----------
    path : Path
        Absolute.
    settings : SourceSettings
        Where it is from.
    told : PieceName, optional
        What a table of metadata tells, in place of the file's name.
    """

    path: Path
    settings: SourceSettings
    told: PieceName | None = None


def perform(
    voices: list[NoteArray],
    settings: AugmentSettings,
    seed: int,
    sha256: str,
    method: str,
    sample_rate_hz: int,
    first_voice: int = 0,
) -> list[Performance]:
    """Score side and variants of each voice, at the times at which they will sound.

    Variants are made of the snapped score side, so that a store's score notes and records give its variants again.

    Parameters
    ----------
    voices : list of NoteArray
        ``source`` is the piece's note.
    sha256 : str
        Of the piece's file: with the seed, it determines what is drawn.
    sample_rate_hz : int
        Of the sound, to whose event grid times are snapped.
    first_voice : int
        Number of the first of `voices` within the piece.

    Raises
    ------
    ValueError
        If a variant would last absurdly long.
    """
    performances = []
    for number, voice in enumerate(voices, start=first_voice):
        piece_note = voice["source"].astype(np.int32)
        own = voice.copy()
        own["source"] = np.arange(len(voice))
        drawn, score = play_score(own, settings, generator(seed, sha256, number, 0), sample_rate_hz)
        performances.append(Performance(number, method, "score", 0, score, piece_note, drawn))
        for copy in range(1, settings.copies + 1):
            drawn, notes = play_variation(score, settings, generator(seed, sha256, number, copy), sample_rate_hz)
            if notes["offset_s"].max(initial=0) > MAX_DURATION_S:
                raise ValueError(f"a variant would last {notes['offset_s'].max() / 3600:.1f} hours; draw from less")
            performances.append(Performance(number, method, "variant", copy, notes, piece_note, drawn))
    return performances


def plan_piece(path: Path, source: SourceSettings, recipe: Recipe, told: PieceName | None = None) -> PiecePlan:
    """Read one MIDI file and plan its performances; renditions follow when its split is known.

    Parameters
    ----------
    path : Path
    source : SourceSettings
        Where it is from.
    recipe : Recipe
    told : PieceName, optional
        What a table of metadata tells, in place of the file's name.

    Raises
    ------
    ValueError
        If the file cannot be used.
    """
    piece = read_piece(path, recipe.midi)
    voices = extract_voices(piece.notes, recipe.voices)
    performances = perform(
        voices, recipe.augment, recipe.seed, piece.sha256, recipe.voices.method, recipe.spectrogram.sample_rate_hz
    )
    name = told or piece.name
    facts = {
        "title": name.title,
        "composer": name.composer,
        "source_id": name.source_id,
        "file": piece.file,
        "sha256": piece.sha256,
        "licence": source.licence,
        "attribution": source.attribution,
        "split": source.split,
        "cut_s": piece.cut_s,
    }
    keys = work_keys(name, piece.sha256, performances[0].notes)
    return PiecePlan(facts, frozenset(keys), tuple(performances), (), fingerprint(piece.notes))


def none_usable(what: str, count: int, skipped: Sequence[Skipped]) -> ValueError:
    """The error where every source was skipped, with the first reasons."""
    reasons = "; ".join(f"{entry.source}: {entry.reason}" for entry in skipped[:3])
    return ValueError(f"none of {count} {what} could be used ({reasons or 'there were none'})")


def skip(source: str, error: Exception) -> Skipped:
    """Turn an error about one source into an entry: one file in ten thousand must neither end a build nor vanish."""
    if isinstance(error, OSError) and error.strerror:
        return Skipped(printable(source), error.strerror)  # without the path, which differs from machine to machine
    if isinstance(error, ValueError):
        return Skipped(printable(source), str(error))
    logger.warning("%s: unexpected error", source, exc_info=error)
    return Skipped(printable(source), f"{type(error).__name__}: {error}")
