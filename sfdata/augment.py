"""Augmentation: variants of a voice, drawn from a generator, recorded, and applied deterministically.

What is done to notes are the operations of :mod:`sfdata.operations`. Here they are strung together: which ones a recipe
asks for, in which order, each drawing from a stream of its own, so that switching one on leaves what the others draw
from as it was. A record is ``{"operations": [{"operation": NAME, …}, …]}``, plain numbers and names that go into JSON
as they are, and from which the same notes come again.

Score-side operations (transposition, a score's plainness) concern score and variants alike; all others make variants
differ from the score. Every note keeps the number of the voice's note it came from; an added one has -1.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.notes import TICKS_PER_SECOND, NoteArray, copy_notes, round_to_ticks, snap_to_event_grid
from sfdata.operations import (
    OPERATIONS,
    SCORE_OPERATIONS,
    Accents,
    Additions,
    AlignChords,
    Articulation,
    ChordSpread,
    ConstantVelocity,
    Fermata,
    GraceNotes,
    Jitter,
    NoteLength,
    Omissions,
    Pedal,
    PhraseSlowing,
    RepeatedNotes,
    RestInsert,
    RestRemove,
    Tempo,
    TempoChange,
    TempoWalk,
    Transpose,
    Trills,
    VelocityCurve,
    VelocityNoise,
    WrongNotes,
)
from sfdata.operations.base import MIN_NOTE_S, RESTRIKE_S, sort_notes

EARLIEST_ONSET_S = 0.05  # a synth's very first samples are not like others


@dataclass(frozen=True)
class AugmentSettings:
    """Which operations a recipe asks for; one that is None is not applied.

    Attributes
    ----------
    copies : int
        Variants drawn of each voice. With none, snippets come from the score itself.
    transpose, align_chords, constant_velocity
        Of the score side, and so of score and variants alike.
    omissions, wrong_notes, additions, repeated_notes, trills, grace_notes
        What is played.
    tempo, tempo_walk, phrase_slowing, tempo_change, rest_remove, rest_insert, fermata, chord_spread, jitter
        When.
    articulation, note_length, pedal
        How long.
    velocity_curve, accents, velocity_noise
        How loud.
    """

    copies: int = 0
    transpose: Transpose | None = None
    align_chords: AlignChords | None = None
    constant_velocity: ConstantVelocity | None = None
    omissions: Omissions | None = None
    wrong_notes: WrongNotes | None = None
    additions: Additions | None = None
    repeated_notes: RepeatedNotes | None = None
    trills: Trills | None = None
    grace_notes: GraceNotes | None = None
    tempo: Tempo | None = None
    tempo_walk: TempoWalk | None = None
    phrase_slowing: PhraseSlowing | None = None
    tempo_change: TempoChange | None = None
    rest_remove: RestRemove | None = None
    rest_insert: RestInsert | None = None
    fermata: Fermata | None = None
    chord_spread: ChordSpread | None = None
    jitter: Jitter | None = None
    articulation: Articulation | None = None
    note_length: NoteLength | None = None
    pedal: Pedal | None = None
    velocity_curve: VelocityCurve | None = None
    accents: Accents | None = None
    velocity_noise: VelocityNoise | None = None

    def __post_init__(self) -> None:
        if self.copies < 0:
            raise ValueError(f"augment: copies {self.copies}; expected 0 or more")
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is not None and entry.name != "copies" and getattr(value, "name", None) != entry.name:
                raise ValueError(f"augment: {entry.name} is {value!r}; expected a table of its settings")


def generator(seed: int, sha256: str, voice: int, copy: int) -> np.random.Generator:
    """The generator for one variant of a voice (copy 0: its score side): the same in whatever order all is built."""
    return np.random.default_rng([seed, int(sha256[:16], 16), voice, copy])


def draw_score(voice: NoteArray, settings: AugmentSettings, rng: np.random.Generator) -> dict[str, Any]:
    """Draw what is done to the score side of a voice; see :func:`draw_variation`."""
    return _draw(voice, settings, SCORE_OPERATIONS, rng)[0]


def draw_variation(score: NoteArray, settings: AugmentSettings, rng: np.random.Generator) -> dict[str, Any]:
    """Draw one variant of a score side.

    Parameters
    ----------
    score : NoteArray
        One note at least.
    settings : AugmentSettings
    rng : Generator

    Returns
    -------
    dict
        ``operations``: those applied, in order, each with its name as ``operation`` and what its ``draw`` gave.
    """
    return _draw(score, settings, OPERATIONS, rng)[0]


def play_score(
    voice: NoteArray, settings: AugmentSettings, rng: np.random.Generator, sample_rate_hz: int
) -> tuple[dict[str, Any], NoteArray]:
    """What :func:`draw_score` draws, and the :func:`sounding_notes` of it, without applying all of it twice."""
    record, notes = _draw(voice, settings, SCORE_OPERATIONS, rng)
    return record, _sounding(_finished(notes) if record else voice, sample_rate_hz)


def play_variation(
    score: NoteArray, settings: AugmentSettings, rng: np.random.Generator, sample_rate_hz: int
) -> tuple[dict[str, Any], NoteArray]:
    """What :func:`draw_variation` draws, and the :func:`sounding_notes` of it, without applying all of it twice."""
    record, notes = _draw(score, settings, OPERATIONS, rng)
    return record, _sounding(_finished(notes) if record else score, sample_rate_hz)


def apply_record(notes: NoteArray, record: Mapping[str, Any]) -> NoteArray:
    """Apply what :func:`draw_score` or :func:`draw_variation` drew.

    Returns
    -------
    NoteArray
        Sorted; at times of whole ticks (0.1 ms), every note at least 30 ms long unless its key is struck again before,
        no key struck twice within 10 ms; ``source`` as in `notes`, -1 for notes that were added. An empty record
        changes nothing.

    Raises
    ------
    ValueError
        If the record was drawn for other notes, or names an operation that there is not.
    """
    if not record.get("operations"):
        return notes
    for drawn in record["operations"]:
        notes = _apply(notes, drawn)
    return _finished(notes)


def sounding_notes(notes: NoteArray, record: Mapping[str, Any], sample_rate_hz: int) -> NoteArray:
    """Apply a record, and move the notes to the times at which they will sound.

    On the event grid notes may come to begin together that did not before, so they are put in order once more.
    """
    return _sounding(apply_record(notes, record), sample_rate_hz)


def _sounding(notes: NoteArray, sample_rate_hz: int) -> NoteArray:
    return sort_notes(snap_to_event_grid(notes, sample_rate_hz))


def _apply(notes: NoteArray, drawn: Mapping[str, Any]) -> NoteArray:
    known = SCORE_OPERATIONS | OPERATIONS
    if drawn.get("operation") not in known:
        raise ValueError(f"the record names operation {drawn.get('operation')!r}; expected one of {', '.join(known)}")
    try:
        applied = sort_notes(known[drawn["operation"]].apply(notes, drawn))
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the record of {drawn['operation']} does not fit {len(notes)} notes: {error!r}") from None
    return applied


def _draw(
    notes: NoteArray, settings: AugmentSettings, kinds: Mapping[str, Any], rng: np.random.Generator
) -> tuple[dict[str, Any], NoteArray]:
    base = int(rng.integers(2**63))
    operations: list[dict[str, Any]] = []
    for name in kinds:
        operation = getattr(settings, name)
        if operation is None:
            continue
        own = np.random.default_rng([base, zlib.crc32(name.encode())])
        if own.random() >= operation.probability:
            continue
        drawn = {"operation": name, **operation.draw(notes, own)}
        operations.append(drawn)
        notes = _apply(notes, drawn)
    return ({"operations": operations} if operations else {}), notes


def _finished(notes: NoteArray) -> NoteArray:
    """Settle what operations leave open: ticks, shortest notes, and that a key lifts before it is struck again."""
    later_s = max(0.0, EARLIEST_ONSET_S - float(notes["onset_s"].min(initial=EARLIEST_ONSET_S)))
    onset_s, offset_s = (round_to_ticks(notes[name] + later_s) for name in ("onset_s", "offset_s"))
    # Key by key; each stroke cuts the one before it, and is replaced or cut by the one after it.
    order = np.lexsort((onset_s, notes["pitch"]))
    strokes, kept = _strokes(onset_s[order], notes["pitch"][order], notes["source"][order])
    longer_s = np.rint((onset_s[order] + MIN_NOTE_S) * TICKS_PER_SECOND) / TICKS_PER_SECOND
    ends_s = offset_s[order]
    ends_s[strokes] = np.maximum(ends_s[strokes], longer_s[strokes])
    same_key = notes["pitch"][order[strokes[1:]]] == notes["pitch"][order[strokes[:-1]]]
    cut = kept[:-1][same_key]
    ends_s[cut] = np.minimum(ends_s[cut], onset_s[order[strokes[1:][same_key]]])
    left = order[kept]
    return sort_notes(copy_notes(notes.take(left), onset_s=onset_s[left], offset_s=ends_s[kept]))


def _strokes(
    onset_s: NDArray[np.float64], pitch: NDArray[np.uint8], source: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of notes sorted by pitch and onset, those that strike a key, and which note is left of each stroke.

    A key cannot be struck twice within 10 ms: the first of such notes stays, but one of the score takes the place of an
    added one.
    """
    close = (pitch[1:] == pitch[:-1]) & (onset_s[1:] - onset_s[:-1] < RESTRIKE_S)
    strikes = np.concatenate([[True], ~close])[: len(onset_s)]
    left = np.arange(len(onset_s))
    last = -1
    for note in (np.flatnonzero(close) + 1).tolist():
        if strikes[note - 1]:
            first = last = note - 1
        if onset_s[note] - onset_s[last] >= RESTRIKE_S:
            strikes[note] = True
        elif source[last] < 0 <= source[note]:
            left[first] = last = note
    strokes = np.flatnonzero(strikes)
    return strokes, left[strokes]
