"""How a performance differs from its score, in figures: of a human's playing and of drawn variants alike.

:func:`measure` gives all of :data:`STATISTICS` for one score and performance; what they are made of lies in
``matching`` (which note is which), ``timing``, ``playing`` and ``mistakes``.
"""

from sfdata.expression.glossary import SAMPLES, STATISTICS
from sfdata.expression.matching import ExpressionSettings, Matching, chord_times, match_notes
from sfdata.expression.playing import pedal_use
from sfdata.expression.robust import fit_walk
from sfdata.expression.summary import Measured, measure

__all__ = [
    "SAMPLES",
    "STATISTICS",
    "ExpressionSettings",
    "Matching",
    "Measured",
    "chord_times",
    "fit_walk",
    "match_notes",
    "measure",
    "pedal_use",
]
