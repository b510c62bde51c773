"""What a file's name tells of a piece: GiantMIDI-Piano's naming, that of its evaluation set, or just a title.

GiantMIDI-Piano names files ``Surname, First name, Title, id.mid``: titles hold commas, ids hold hyphens, so the
surname is the first field, the first name the second, the id (11 characters) the last. Its evaluation set uses
``Surname_Title_id_part.mid``.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from sfdata.notes import NoteArray

_ID = r"[A-Za-z0-9_-]{11}"
_MIXED_CASE = r"(?=[a-z0-9_-]*[A-Z])(?=[A-Z0-9_-]*[a-z])"  # tells an id from eleven letters of a title
_EVALUATION = re.compile(
    rf"(?P<surname>[^_,]+)_(?P<title>.+?)_(?P<id>{_MIXED_CASE}{_ID})(?P<part>(?:_(?:a|b|cut|midi|part\d+|mov_\d+|no_\d+))*)"
)
_CATALOGUE = re.compile(
    r"(?<![^\W\d_])(opp|opus|op|bwv|hwv|woo|kv|k|d|s|l|rv|wq|hob)[. _]*(?:posth[. _]*)?"
    r"(?:(?P<group>[ivx]+)[ :_/]+)?(?P<first>\d+)(?:\s*[-\u2013]\s*(?P<last>\d+))?",
    re.IGNORECASE,
)
_SAME_CATALOGUE = {"kv": "k", "opus": "op", "opp": "op"}
_GENERATION = re.compile(r"(?i)(?:,? (?:jr\.?|sr\.?|i{1,3}|iv))$")
_LONGEST_RANGE = 200
_FEWEST_NOTES = 8  # fewer could agree by chance


@dataclass(frozen=True)
class PieceName:
    """Title, composer (first name before surname), the source's id, and the part of the work, where known."""

    title: str
    composer: str = ""
    source_id: str = ""

    @property
    def surname(self) -> str:
        """The composer's last name, folded; "II" and "Jr." are no names."""
        return plain(_GENERATION.sub("", self.composer).split(" ")[-1])


def plain(text: str) -> str:
    """Fold to lower-case letters and digits of any script, without accents.

    Examples
    --------
    >>> plain("Études, Op.10")
    'etudesop10'
    >>> plain("音楽 1")
    '音楽1'
    """
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if letter.isalnum())


def parse_name(stem: str) -> PieceName:
    """Read a file's name without its ending.

    Examples
    --------
    >>> parse_name("Chopin, Frédéric, Études, Op.10, g0hoN6_HDVU")
    PieceName(title='Études, Op.10', composer='Frédéric Chopin', source_id='g0hoN6_HDVU')
    >>> parse_name("Debussy_Estampes_R-YcnPXY2yE_cut_no_1")
    PieceName(title='Estampes no 1', composer='Debussy', source_id='R-YcnPXY2yE')
    >>> parse_name("my_song")
    PieceName(title='my_song', composer='', source_id='')
    """
    fields = unicodedata.normalize("NFC", stem).split(", ")
    if len(fields) >= 4 and re.fullmatch(_ID, fields[-1]):
        return PieceName(", ".join(fields[2:-1]), f"{fields[1]} {fields[0]}".strip(), fields[-1])
    match = _EVALUATION.fullmatch(stem)
    if match:
        part = match["part"].replace("_cut", "").replace("_midi", "").replace("_", " ")
        return PieceName(match["title"].replace("_", " ") + part, match["surname"], match["id"])
    return PieceName(stem)


def work_keys(name: PieceName, sha256: str, score: NoteArray | None = None) -> set[str]:
    """Keys of which any one in common makes two files the same work, for splits.

    The file's content, the source's id, the composer with the title, the composer with each catalogue number in the
    title, ranges included (so all of one opus stay together, under whatever title), and the music itself: intervals
    and onsets of the score side's notes, to a tenth of a second, so that the same transcription saved again by another
    program is known too.

    Examples
    --------
    >>> sorted(work_keys(PieceName("Études, Op.10", "Frédéric Chopin", "g0hoN6_HDVU"), "ab"))
    ['catalogue:chopin:op10', 'file:ab', 'id:g0hoN6_HDVU', 'title:chopin:etudesop10']
    """
    keys = {f"file:{sha256}"}
    if plain(name.title):
        keys.add(f"title:{name.surname}:{plain(name.title)}")
    if name.source_id:
        keys.add(f"id:{name.source_id}")
    if name.composer:
        keys |= {f"catalogue:{name.surname}:{number}" for number in catalogue_numbers(name.title)}
    if score is not None and len(score) >= _FEWEST_NOTES:
        intervals = np.diff(score["pitch"].astype(int))
        tenths = np.rint(np.diff(score["onset_s"]) * 10).astype(int)
        keys.add("notes:" + hashlib.sha256(np.stack([intervals, tenths]).astype("<i4").tobytes()).hexdigest()[:16])
    return keys


def catalogue_numbers(title: str) -> set[str]:
    """Catalogue numbers in a title, each of a range by itself.

    Examples
    --------
    >>> sorted(catalogue_numbers("Das wohltemperierte Klavier, BWV 846-848"))
    ['bwv846', 'bwv847', 'bwv848']
    >>> catalogue_numbers("Sonata, Hob.XVI:20") == catalogue_numbers("Sonata Hob XVI 20")
    True
    """
    found = set()
    for match in _CATALOGUE.finditer(title.replace("_", " ")):
        catalogue = match[1].lower()
        catalogue = _SAME_CATALOGUE.get(catalogue, catalogue) + (match["group"] or "").lower()
        first, last = int(match["first"]), int(match["last"] or match["first"])
        if not first <= last <= first + _LONGEST_RANGE:
            last = first
        found |= {f"{catalogue}{number}" for number in range(first, last + 1)}
    return found
