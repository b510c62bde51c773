"""GiantMIDI-Piano's table of metadata: what it knows of each file beyond its name.

The table (``full_music_pieces_youtube_similarity_pianosoloprob_split.csv``, tab-separated, one row for each work that
was looked for) tells composer and title, the probability that the recording is of a piano alone, the dataset's own
split, and whether the composer's surname is in the video's title (its curated subset). About 11 in 100 of its files
are no solo piano, and its split puts one composer in all three parts: it is used to choose files, not to split them.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sfdata.naming import PieceName, parse_name, plain

NEEDED = ("surname", "firstname", "music", "youtube_id")
_UNKNOWN = ("", "unknown")


@dataclass(frozen=True)
class PieceFacts:
    """One row of the table.

    Attributes
    ----------
    name : PieceName
        Title, composer and the video's id.
    solo_probability : float
        That the recording is of a piano alone; NaN where it was not estimated.
    dataset_split : str
        The dataset's own: train, validation, test, or empty.
    curated : bool
        Whether the composer's surname is in the video's title.
    """

    name: PieceName
    solo_probability: float
    dataset_split: str
    curated: bool


@dataclass(frozen=True)
class Selection:
    """Which files of a source are wanted.

    Attributes
    ----------
    min_solo_probability : float
        0 takes files of which it is not known, too.
    composers : tuple of str
        Surnames, or full names; empty for all.
    dataset_splits : tuple of str
        Of the dataset's own splits; empty for all.
    curated : bool
        Only those of the curated subset.
    """

    min_solo_probability: float = 0.0
    composers: tuple[str, ...] = ()
    dataset_splits: tuple[str, ...] = ()
    curated: bool = False


class Metadata:
    """The table, to be asked for files; see :func:`read_metadata`."""

    def __init__(self, path: Path, by_name: Mapping[str, PieceFacts], by_id: Mapping[str, PieceFacts]) -> None:
        self.path, self._by_name, self._by_id = path, by_name, by_id

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, stem: str) -> PieceFacts | None:
        """Row of a file, by its name without ending, or else by the id in it; None where there is none."""
        return self._by_name.get(stem) or self._by_id.get(parse_name(stem).source_id)


def read_metadata(path: str | Path) -> Metadata:
    """Read the table, whatever further columns it has and in whatever order.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it is no such table, or a value in it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no table of metadata at {path}")
    by_name: dict[str, PieceFacts] = {}
    by_id: dict[str, PieceFacts] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            header = file.readline()
            columns = next(csv.reader([header], delimiter="\t" if "\t" in header else ","), [])
            missing = [name for name in NEEDED if name not in columns]
            if missing:
                raise ValueError(f"no column {', '.join(missing)}; expected {', '.join(NEEDED)}, and piano_solo_prob …")
            reader = csv.DictReader(file, fieldnames=columns, delimiter="\t" if "\t" in header else ",")
            for row in reader:
                facts, wanted = _facts({name: (row.get(name) or "").strip() for name in columns})
                if not facts.name.source_id:
                    continue  # looked for, and not found
                stem = row.get("audio_name") or ", ".join(
                    (row["surname"], row["firstname"], row["music"], row["youtube_id"])
                )
                by_name.setdefault(stem.strip(), facts)
                if wanted or facts.name.source_id not in by_id:  # one video may have been found for several works
                    by_id[facts.name.source_id] = facts
        except (UnicodeDecodeError, csv.Error, ValueError) as error:
            raise ValueError(f"{path} cannot be read as GiantMIDI-Piano's table of metadata: {error}") from None
    return Metadata(path, by_name, by_id)


def _facts(row: Mapping[str, str]) -> tuple[PieceFacts, bool]:
    """The row's facts, and whether its file is in the dataset."""
    probability = row.get("piano_solo_prob", "")
    first = "" if row["firstname"] in _UNKNOWN else row["firstname"]
    facts = PieceFacts(
        name=PieceName(row["music"], f"{first} {row['surname']}".strip(), row["youtube_id"]),
        solo_probability=float(probability) if probability else math.nan,
        dataset_split=row.get("split", ""),
        curated=row.get("surname_in_youtube_title", "") == "1",
    )
    return facts, row.get("giant_midi_piano", "") == "1"


def reason_to_skip(name: PieceName, facts: PieceFacts | None, selection: Selection) -> str:
    """Why a file is not wanted; empty where it is.

    Parameters
    ----------
    name : PieceName
        As the file's own name tells, for files of which there are no facts.

    Examples
    --------
    >>> facts = PieceFacts(PieceName("Prelude", "Carl Bach", "x"), 0.31, "test", True)
    >>> reason_to_skip(facts.name, facts, Selection(min_solo_probability=0.5))
    'its probability of being solo piano is 0.31; the recipe asks for at least 0.5'
    """
    composer = facts.name if facts else name
    if selection.composers:
        wanted = {plain(one) for one in selection.composers}
        if not {composer.surname, plain(composer.composer)} & wanted:
            told = composer.composer or "an unknown composer"
            return f"is by {told}; the recipe asks for {', '.join(selection.composers)}"
    needed = selection.min_solo_probability > 0 or selection.dataset_splits or selection.curated
    if facts is None:
        return "is not in the table of metadata, which the recipe's choice needs" if needed else ""
    if selection.min_solo_probability > 0 and not facts.solo_probability >= selection.min_solo_probability:
        return (
            f"its probability of being solo piano is {facts.solo_probability:.2g}; "
            f"the recipe asks for at least {selection.min_solo_probability:g}"
        )
    if selection.dataset_splits and facts.dataset_split not in selection.dataset_splits:
        return (
            f"is in the dataset's own split {facts.dataset_split or '(none)'}; "
            f"the recipe asks for {', '.join(selection.dataset_splits)}"
        )
    if selection.curated and not facts.curated:
        return "is not in the curated subset: the video's title lacks the composer's surname"
    return ""
