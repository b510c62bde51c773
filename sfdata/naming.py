"""What a file's name tells of a piece: GiantMIDI-Piano's naming, that of its evaluation set, or just a title.

GiantMIDI-Piano names files ``Surname, First name, Title, id.mid``: titles hold commas, ids hold hyphens, so the
surname is the first field, the first name the second, the id (11 characters) the last. Its evaluation set uses
``Surname_Title_id_part.mid``.
"""

import re
import unicodedata
from dataclasses import dataclass

_ID = r"[A-Za-z0-9_-]{11}"
_EVALUATION = re.compile(
    rf"(?P<surname>[^_,]+)_(?P<title>.+?)_(?P<id>{_ID})(?P<part>(?:_(?:a|b|cut|midi|part\d+|mov_\d+|no_\d+))*)"
)
_CATALOGUE = re.compile(r"(?<![a-z])(op|bwv|hwv|woo|kv|k|d|s|l|rv|wq|h)\.?[ _]*(?:posth\.?[ _]*)?(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class PieceName:
    """Title, composer (first name before surname), the source's id, and the part of the work, where known."""

    title: str
    composer: str = ""
    source_id: str = ""

    @property
    def surname(self) -> str:
        """The composer's last name, folded to plain lower-case letters."""
        return plain(self.composer.split(" ")[-1])


def plain(text: str) -> str:
    """Fold to lower-case letters and digits without accents.

    Examples
    --------
    >>> plain("Études, Op.10")
    'etudesop10'
    """
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if letter.isalnum() and letter.isascii())


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


def work_keys(name: PieceName, sha256: str) -> set[str]:
    """Keys of which any one in common makes two files the same work, for splits.

    The file's content, the source's id, the composer with the title, and the composer with each catalogue number
    in the title (so all of one opus stay together, under whatever title).

    Examples
    --------
    >>> sorted(work_keys(PieceName("Études, Op.10", "Frédéric Chopin", "g0hoN6_HDVU"), "ab"))
    ['catalogue:chopin:op10', 'file:ab', 'id:g0hoN6_HDVU', 'title:chopin:etudesop10']
    """
    keys = {f"file:{sha256}", f"title:{name.surname}:{plain(name.title)}"}
    if name.source_id:
        keys.add(f"id:{name.source_id}")
    if name.composer:
        for catalogue, number in _CATALOGUE.findall(name.title):
            catalogue = {"kv": "k"}.get(catalogue.lower(), catalogue.lower())
            keys.add(f"catalogue:{name.surname}:{catalogue}{int(number)}")
    return keys
