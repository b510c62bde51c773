"""Operations on notes: how a performance comes to differ from its score, each small and by itself.

:data:`SCORE_OPERATIONS` act on the score side, and so on score and variants alike; :data:`OPERATIONS` make variants.
Both are applied in the order in which they stand here: what is played is settled first, then when, then how long,
then how loud.
"""

from typing import Any

from sfdata.operations.articulation import Articulation, NoteLength, Pedal
from sfdata.operations.dynamics import Accents, ConstantVelocity, VelocityCurve, VelocityNoise
from sfdata.operations.mistakes import Additions, Omissions, WrongNotes
from sfdata.operations.onsets import AlignChords, ChordSpread, Jitter
from sfdata.operations.ornaments import GraceNotes, RepeatedNotes, Trills
from sfdata.operations.pitch import Transpose
from sfdata.operations.rests import Fermata, RestInsert, RestRemove
from sfdata.operations.tempo import PhraseSlowing, Tempo, TempoChange, TempoWalk

SCORE_OPERATIONS: dict[str, Any] = {kind.name: kind for kind in (Transpose, AlignChords, ConstantVelocity)}
OPERATIONS: dict[str, Any] = {
    kind.name: kind
    for kind in (
        Omissions,
        WrongNotes,
        Additions,
        RepeatedNotes,
        Trills,
        GraceNotes,
        Tempo,
        TempoWalk,
        PhraseSlowing,
        TempoChange,
        RestRemove,
        RestInsert,
        Fermata,
        Jitter,
        ChordSpread,
        Articulation,
        NoteLength,
        Pedal,
        VelocityCurve,
        Accents,
        VelocityNoise,
    )
}

__all__ = [
    "OPERATIONS",
    "SCORE_OPERATIONS",
    "Accents",
    "Additions",
    "AlignChords",
    "Articulation",
    "ChordSpread",
    "ConstantVelocity",
    "Fermata",
    "GraceNotes",
    "Jitter",
    "NoteLength",
    "Omissions",
    "Pedal",
    "PhraseSlowing",
    "RepeatedNotes",
    "RestInsert",
    "RestRemove",
    "Tempo",
    "TempoChange",
    "TempoWalk",
    "Transpose",
    "Trills",
    "VelocityCurve",
    "VelocityNoise",
    "WrongNotes",
]
