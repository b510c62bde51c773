"""Plans: what is to be rendered of a piece, decided before a sample is made.

A plan holds the notes of every performance (snapped, as they will sound) and the length of every rendition, so that
the store can be laid out before any work starts.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.augment import AugmentSettings, apply_variation, draw_transposition, draw_variation, generator, transpose
from sfdata.midi import MAX_DURATION_S, printable, read_piece
from sfdata.naming import work_keys
from sfdata.notes import NoteArray, snap_to_event_grid
from sfdata.recipe import Recipe, SourceSettings
from sfdata.render import rendered_samples
from sfdata.soundfonts import Instrument
from sfdata.spectrogram import frame_count
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
        What was drawn.
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
    """

    performance: int
    instrument: Instrument
    samples: int
    frames: int
    is_reference: bool
    is_snippet: bool
    audio: str = ""
    gain: float = 1.0


@dataclass(frozen=True)
class PiecePlan:
    """A piece's facts (columns of the table of pieces), performances and renditions."""

    facts: dict[str, Any]
    keys: frozenset[str]
    performances: tuple[Performance, ...]
    renditions: tuple[RenditionPlan, ...]

    @property
    def frames(self) -> int:
        """Frames of all renditions together."""
        return sum(rendition.frames for rendition in self.renditions)


@dataclass(frozen=True)
class Skipped:
    """A source that could not be used, and why."""

    source: str
    reason: str


def perform(
    voices: list[NoteArray],
    settings: AugmentSettings,
    seed: int,
    sha256: str,
    method: str,
    first_voice: int = 0,
) -> list[Performance]:
    """Score side and variants of each voice, at the times as written (not snapped).

    Parameters
    ----------
    voices : list of NoteArray
        ``source`` is the piece's note.
    sha256 : str
        Of the piece's file: with the seed, it determines what is drawn.
    first_voice : int
        Number of the first of `voices` within the piece.
    """
    performances = []
    for number, voice in enumerate(voices, start=first_voice):
        semitones = draw_transposition(settings, generator(seed, sha256, number, 0))
        piece_note = voice["source"].astype(np.int32)
        score = transpose(voice, semitones)
        score["source"] = np.arange(len(score))
        drawn: dict[str, Any] = {"transpose": semitones}
        performances.append(Performance(number, method, "score", 0, score, piece_note, drawn))
        for copy in range(1, settings.copies + 1):
            variation = draw_variation(score, settings, generator(seed, sha256, number, copy))
            notes = apply_variation(score, variation)
            if notes["offset_s"].max(initial=0) > MAX_DURATION_S:
                raise ValueError(f"a variant would last {notes['offset_s'].max() / 3600:.1f} hours; draw from less")
            performances.append(Performance(number, method, "variant", copy, notes, piece_note, {**drawn, **variation}))
    return performances


def plan_piece(
    path: Path, source: SourceSettings, recipe: Recipe, references: list[Instrument], snippets: list[Instrument]
) -> PiecePlan:
    """Read one MIDI file and plan all its renditions.

    Raises
    ------
    ValueError
        If the file cannot be used.
    """
    piece = read_piece(path, recipe.midi)
    voices = extract_voices(piece.notes, recipe.voices)
    rate = recipe.spectrogram.sample_rate_hz
    performances: list[Performance] = []
    renditions: list[RenditionPlan] = []
    for written in perform(voices, recipe.augment, recipe.seed, piece.sha256, recipe.voices.method):
        performance = replace(written, notes=snap_to_event_grid(written.notes, rate))
        samples = rendered_samples(performance.notes, rate, recipe.render)
        reference_pool = references if performance.role == "score" else []
        snippet_pool = snippets if performance.role == "variant" or not recipe.augment.copies else []
        # One rendition for each instrument, even where it serves as reference and as snippet.
        for instrument in dict.fromkeys([*reference_pool, *snippet_pool]):
            renditions.append(
                RenditionPlan(
                    performance=len(performances),
                    instrument=instrument,
                    samples=samples,
                    frames=frame_count(samples, recipe.spectrogram),
                    is_reference=instrument in reference_pool,
                    is_snippet=instrument in snippet_pool,
                )
            )
        performances.append(performance)
    facts = {
        "title": piece.name.title,
        "composer": piece.name.composer,
        "source_id": piece.name.source_id,
        "file": piece.file,
        "sha256": piece.sha256,
        "licence": source.licence,
        "attribution": source.attribution,
        "split": source.split,
        "cut_s": piece.cut_s,
    }
    keys = work_keys(piece.name, piece.sha256, performances[0].notes)
    return PiecePlan(facts, frozenset(keys), tuple(performances), tuple(renditions))


def try_plan_piece(
    path: Path, source: SourceSettings, recipe: Recipe, references: list[Instrument], snippets: list[Instrument]
) -> PiecePlan | Skipped:
    """Like :func:`plan_piece`, but a file that cannot be used gives a :class:`Skipped`, whatever is wrong with it."""
    try:
        return plan_piece(path, source, recipe, references, snippets)
    except Exception as error:
        return skip(path.name, error)


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
