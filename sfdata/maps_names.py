"""MAPS's names: what the name of an item tells.

Without ending; CODE is the instrument:

* ``MAPS_ISOL_{NO,LG,ST,RE,TR1,TR2}_{P,M,F}_S{0,1}_M21_CODE``: playing style, loudness, sustain pedal, MIDI pitch
* ``MAPS_ISOL_CH0.1_{P,M,F}_CODE``: chromatic scale with notes of so many seconds
* ``MAPS_RAND_P3_M36-95_I32-96_S1_n21_CODE``: chord of random notes: how many, pitches, velocities, pedal, number
* ``MAPS_UCHO_C0-4-7_I60-68_S0_n12_CODE``: usual chord: intervals, velocities, pedal, number
* ``MAPS_MUS-bor_ps6_CODE``: piece
"""

import re
from dataclasses import dataclass

STYLES = ("NO", "LG", "ST", "RE", "CH", "TR1", "TR2")
SUBSETS = (*(f"ISOL/{style}" for style in STYLES), "RAND", "UCHO", "MUS")
LOUDNESS = ("P", "M", "F")

_CODE = r"(?P<instrument>[^_]+)"
_NAMES = (
    re.compile(
        r"ISOL_(?P<style>NO|LG|ST|RE|TR1|TR2)_(?P<loudness>[PMF])_S(?P<pedal>[01])_M(?P<pitch>\d{1,3})_" + _CODE
    ),
    re.compile(r"ISOL_(?P<style>CH)(?P<duration>\d*\.?\d+)_(?P<loudness>[PMF])(?:_S(?P<pedal>[01]))?_" + _CODE),
    re.compile(r"(?P<kind>RAND)_P\d+_M\d+-\d+_I\d+-\d+_S(?P<pedal>[01])_n\d+_" + _CODE),
    re.compile(r"(?P<kind>UCHO)_C[\d-]+_I\d+-\d+_S(?P<pedal>[01])_n\d+_" + _CODE),
    re.compile(r"(?P<kind>MUS)-(?P<piece>.+)_" + _CODE),
)
_COMPOSERS = {  # by the letters a piece's code begins with, where they leave no doubt; "bk" are Christmas carols
    "alb": "Isaac Albéniz",
    "appass": "Ludwig van Beethoven",
    "bach": "Johann Sebastian Bach",
    "beethoven": "Ludwig van Beethoven",
    "bor": "Alexander Borodin",
    "br": "Johannes Brahms",
    "burg": "Friedrich Burgmüller",
    "chp": "Frédéric Chopin",
    "chpn": "Frédéric Chopin",
    "deb": "Claude Debussy",
    "gra": "Enrique Granados",
    "grieg": "Edvard Grieg",
    "hay": "Joseph Haydn",
    "haydn": "Joseph Haydn",
    "liz": "Franz Liszt",
    "mendel": "Felix Mendelssohn",
    "mos": "Moritz Moszkowski",
    "muss": "Modest Mussorgsky",
    "mz": "Wolfgang Amadeus Mozart",
    "pathetique": "Ludwig van Beethoven",
    "schu": "Franz Schubert",
    "schub": "Franz Schubert",
    "schuim": "Franz Schubert",
    "scn": "Robert Schumann",
    "ty": "Peter Tchaikovsky",
    "waldstein": "Ludwig van Beethoven",
}


@dataclass(frozen=True)
class MapsName:
    """What an item's name tells.

    Attributes
    ----------
    instrument : str
        Its code, such as AkPnBcht.
    subset : str
        One of :data:`SUBSETS`.
    music : str
        The name without ``MAPS_`` and without the instrument: the same music on another instrument has the same.
    loudness : {"P", "M", "F", ""}
    pedal : bool or None
        None where the name does not say.
    pitch : int or None
        Of isolated notes.
    duration_s : float or None
        Of a chromatic scale's notes.
    piece : str
        Code of a piece of music.
    """

    instrument: str
    subset: str
    music: str
    loudness: str = ""
    pedal: bool | None = None
    pitch: int | None = None
    duration_s: float | None = None
    piece: str = ""

    @property
    def title(self) -> str:
        """The piece's code, or the music's name in words of its own."""
        return self.piece or self.music.replace("_", " ")

    @property
    def composer(self) -> str:
        """Composer of a piece, empty where its code leaves doubt."""
        letters = re.match(r"[a-z]*", self.piece.lower())
        return _COMPOSERS.get(letters[0] if letters else "", "")


def parse_name(stem: str) -> MapsName | None:
    """Read an item's name, without its ending; None where it is none of MAPS's.

    Examples
    --------
    >>> parse_name("MAPS_ISOL_ST_F_S0_M21_AkPnBcht")  # doctest: +NORMALIZE_WHITESPACE
    MapsName(instrument='AkPnBcht', subset='ISOL/ST', music='ISOL_ST_F_S0_M21', loudness='F', pedal=False, pitch=21,
    duration_s=None, piece='')
    >>> parse_name("MAPS_ISOL_CH0.1_F_AkPnBcht").duration_s
    0.1
    >>> parse_name("MAPS_MUS-bor_ps6_AkPnBsdf").composer
    'Alexander Borodin'
    >>> parse_name("MAPS_ISOL_XY_F_AkPnBcht") is None
    True
    """
    if not stem.startswith("MAPS_"):
        return None
    body = stem.removeprefix("MAPS_")
    for pattern in _NAMES:
        if match := pattern.fullmatch(body):
            found = match.groupdict()
            pitch, duration, pedal = found.get("pitch"), found.get("duration"), found.get("pedal")
            return MapsName(
                instrument=match["instrument"],
                subset=found.get("kind") or f"ISOL/{found['style']}",
                music=body.removesuffix(f"_{match['instrument']}"),
                loudness=found.get("loudness") or "",
                pedal=None if pedal is None else pedal == "1",
                pitch=None if pitch is None else int(pitch),
                duration_s=None if duration is None else float(duration),
                piece=found.get("piece") or "",
            )
    return None
