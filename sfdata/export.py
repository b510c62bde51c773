"""Exporting: the pairs of a store, or its notes, in the forms that others read, with licences and credits.

The folder is made beside its name, every file read back and compared with the store, and renamed when whole. The same
store and settings give the same bytes (Parquet's for the same version of pyarrow).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfdata import export_datasets, export_jams, export_webdataset
from sfdata.card import attribution, licence_text
from sfdata.examples import Shard, shard_counts, split_shards
from sfdata.export_card import export_card
from sfdata.permissions import permission_of, refuse_forbidden
from sfdata.progress import Progress
from sfdata.store import Store, open_store
from sfdata.validate import refuse_invalid
from sfdata.whole_folder import check_name, folder_size, refuse_existing, refuse_inside, whole_folder

MARKER = "export.json"
SHARD_PAIRS = 2048  # some 97 MB, with references of 240 and snippets of 27 frames of 88 float16 bins
MOST_SHARD_PAIRS = 1 << 16


@dataclass(frozen=True)
class ExportSettings:
    """What is written, and in what order.

    Attributes
    ----------
    to : str
        One of :data:`FORMATS`.
    shard_pairs : int
        Pairs in a file, at most; JAMS has a file for each rendition.
    seed : int, optional
        Shuffle the pairs of each split by this seed; they stand as in the store by default.
    """

    to: str
    shard_pairs: int = SHARD_PAIRS
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.to not in FORMATS:
            raise ValueError(f"export to {self.to!r}; expected one of {', '.join(FORMATS)}")
        if not 1 <= self.shard_pairs <= MOST_SHARD_PAIRS:
            raise ValueError(f"export: shard_pairs {self.shard_pairs}; expected 1 to {MOST_SHARD_PAIRS}")
        if self.seed is not None and (self.seed < 0 or self.to == "jams"):
            raise ValueError(f"export to {self.to}: seed {self.seed}; expected at least 0, and none for jams")


@dataclass(frozen=True)
class Exported:
    """What :func:`export` made: folder, format, its files and bytes, pairs by split, licences, and remarks on them."""

    folder: str
    to: str
    files: int
    bytes: int
    pairs: dict[str, int]
    licences: tuple[str, ...]
    remarks: tuple[str, ...]


def export(
    path: str | Path,
    folder: str | Path,
    settings: ExportSettings,
    *,
    name: str = "",
    allow_noncommercial: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write a store in a form that others read.

    Parameters
    ----------
    path : str or Path
        A store: a folder, a zip file, or the URL of one.
    folder : path
        Is made: the data, ``README.md``, ``LICENSE``, ``ATTRIBUTION.md``, ``export.json`` (what was exported, and
        how), and ``SHA256SUMS`` of them all.
    settings : ExportSettings
    name : str
        Of the dataset; the store's name without its ending by default.
    allow_noncommercial : bool
        Whether parts that may not be used commercially are wanted.
    overwrite : bool
        Replace a folder that :func:`export` has made.
    progress : callable, optional

    Returns
    -------
    Exported

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If it is not valid or holds no pairs, a licence forbids it, or the folder is there already.
    ImportError
        If what writes the format is not installed.
    OSError
        If what was written reads back otherwise.
    """
    folder = Path(folder)
    refuse_existing(folder, overwrite, MARKER)
    if settings.to == "datasets":
        export_datasets.pyarrow()  # which is told at once if it is not there
    store = open_store(path)
    name = check_name(name or store.place.name.removesuffix(".zip").removesuffix(".zarr"))
    if store.place.is_local:
        refuse_inside(folder, store.place.path)
    counts = shard_counts(store, settings.shard_pairs)
    if not counts:
        raise ValueError(f"{path} holds no pairs; there is nothing to export")
    permission = permission_of(store)
    refuse_forbidden(permission, str(path), allow_noncommercial)
    refuse_invalid(path)
    pairs = {split: len(store.pair_rows(split)) for split in counts}
    with whole_folder(folder, overwrite, MARKER) as scratch:
        written = list(FORMATS[settings.to](store, scratch, settings, progress))
        facts = {
            **asdict(settings),
            "pairs": pairs,
            "files": written,
            "build_sha256": store.attrs.get("build_sha256", ""),
            "checksums": store.attrs["checksums"],  # which tell the store
        }
        texts = {
            "README.md": export_card(name, settings.to, store, pairs, written, permission),
            "LICENSE": licence_text(permission),
            "ATTRIBUTION.md": attribution(permission),
            MARKER: json.dumps(facts, indent=1, ensure_ascii=False) + "\n",
        }
        for target, text in texts.items():
            (scratch / target).write_text(text, encoding="utf-8")
    return Exported(str(folder), settings.to, *folder_size(folder), pairs, permission.licences, permission.remarks)


def _sharded(
    name: Callable[[str, int, int], str],
    write: Callable[[Path, Shard], None],
    read: Callable[[Path], Shard],
) -> Callable[[Store, Path, ExportSettings, Progress | None], Iterator[str]]:
    """Export pairs as files of examples, each read back."""

    def run(store: Store, folder: Path, settings: ExportSettings, progress: Progress | None) -> Iterator[str]:
        counts = shard_counts(store, settings.shard_pairs)
        done = 0
        for split, count in counts.items():
            for number, shard in enumerate(split_shards(store, split, settings.shard_pairs, settings.seed)):
                target = name(split, number, count)
                write(folder / target, shard)
                differing = shard.difference(read(folder / target))
                if differing:
                    raise _misread(folder / target, differing)
                done += 1
                if progress:
                    progress("export", done, sum(counts.values()))
                yield target

    return run


def _jams(store: Store, folder: Path, settings: ExportSettings, progress: Progress | None) -> Iterator[str]:
    """Export each rendition's notes, and the pairs it is part of."""
    pairs = export_jams.snippet_pairs(store)
    for row, of_row in enumerate(pairs):
        target, told = export_jams.jams_name(store, row), export_jams.rendition_jams(store, row, of_row)
        export_jams.write_jams(folder / target, told)
        if export_jams.read_jams(folder / target) != told:
            raise _misread(folder / target, "its content")
        if progress:
            progress("export", row + 1, len(pairs))
        yield target


def _misread(path: Path, what: str) -> OSError:
    return OSError(f"{path}: {what} reads back other than it was written; is the disk sound? Nothing was kept")


FORMATS: dict[str, Any] = {
    "webdataset": _sharded(export_webdataset.shard_name, export_webdataset.write_shard, export_webdataset.read_shard),
    "jams": _jams,
    "datasets": _sharded(export_datasets.shard_name, export_datasets.write_shard, export_datasets.read_shard),
}
"""Name of a format to what writes it: a function that yields the names of the files it has written."""
