"""The store: one Zarr v3 group holding spectrograms once, and tables that say what they are.

Format ``sfdata-pairs``, version 1. ``frames`` (frames, bins) holds the spectrograms of all renditions on one time
axis; ``renditions/first_frame`` and ``frame_count`` say where each lies (between renditions of different writers
there may be empty frames, so that no two writers ever touch one shard). The tables are groups of equally long
one-dimensional arrays, declared in :data:`sfdata.schema.TABLES`; references between tables are row numbers.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sfdata.bounded import bounded
from sfdata.columns import ColumnChecksum
from sfdata.guard import array_problems, attribute_problems, table_problems
from sfdata.notes import NOTE_DTYPE, NoteArray
from sfdata.place import Place
from sfdata.reaching import is_unreachable, reach_error
from sfdata.schema import FORMAT, FORMAT_VERSION, SPLITS, TABLES, Table, array_sha256
from sfdata.spectrogram import SpectrogramSettings
from sfdata.windows import WindowSettings

MOST_WINDOW_VALUES = 1 << 27  # in a reference: frames times bins


class Columns(Mapping[str, NDArray[Any]]):
    """One table of a store: column name to array, each read, and checked, when it is first asked for."""

    def __init__(self, store: "Store", table: str) -> None:
        self._store, self._table = store, table
        self._held: dict[str, NDArray[Any]] = {}

    def __getitem__(self, column: str) -> NDArray[Any]:
        if column not in TABLES[self._table]:
            raise KeyError(column)
        if column not in self._held:
            self._held[column] = self._store.column(self._table, column)
        return self._held[column]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES[self._table])

    def __len__(self) -> int:
        return len(TABLES[self._table])


class Store:
    """An opened store; see :func:`open_store`.

    Attributes
    ----------
    place : Place
        Where it lies.
    path : Path or str
        Its path, or its URL.
    attrs : dict
        The store's attributes.
    spectrogram : SpectrogramSettings
    windows : WindowSettings
    frames : zarr.Array
        Shape (frames, bins); read in blocks, never row by row.
    """

    def __init__(self, path: Path | str, group: zarr.Group, arrays: Mapping[str, zarr.Array] | None = None) -> None:
        self.path, self.place = path, Place(path)
        self.attrs: dict[str, Any] = dict(group.attrs)
        self.spectrogram = SpectrogramSettings(**self.attrs["spectrogram"])
        self.windows = WindowSettings(**self.attrs["windows"])
        window = self.reference_frames * self.spectrogram.n_bins
        if window > MOST_WINDOW_VALUES:
            raise ValueError(f"a reference has {window:,} values; expected {MOST_WINDOW_VALUES:,} at most")
        self.group = group
        self._arrays = dict(arrays or {})  # opened once: elsewhere each opening is a request
        self.frames = bounded(self._array("frames"))

    def __reduce__(self) -> "tuple[Any, tuple[Path | str]]":
        return open_store, (self.path,)  # another process opens it for itself

    def __repr__(self) -> str:
        return f"<Store {self.path}: {self.rows('pairs')} pairs, {self.rows('renditions')} renditions>"

    def rows(self, table: str) -> int:
        """Rows of a table."""
        return int(self._array(f"{table}/{next(iter(TABLES[table]))}").shape[0])

    def _array(self, name: str) -> zarr.Array:
        if name not in self._arrays:
            array = self.group[name]
            assert isinstance(array, zarr.Array)
            self._arrays[name] = array
        return self._arrays[name]

    def column(self, table: str, column: str) -> NDArray[Any]:
        """Read one column of a table.

        Raises
        ------
        ValueError
            If it cannot be read, or differs from its checksum.
        """
        values = self._read(bounded(self._array(f"{table}/{column}")), slice(None), f"column {table}/{column}")
        self._compare(table, column, array_sha256(values))
        return values

    def _compare(self, table: str, column: str, sha256: str) -> None:
        if sha256 != self.attrs.get("checksums", {}).get(f"{table}/{column}"):
            raise self._damaged(f"column {table}/{column} differs from its recorded sha256")

    def table(self, name: str) -> dict[str, NDArray[Any]]:
        """Read one table of :data:`sfdata.schema.TABLES` into memory: column name to array.

        Raises
        ------
        ValueError
            If a column cannot be read, or differs from its checksum.
        """
        return {column: self.column(name, column) for column in TABLES[name]}

    def parts(self, name: str) -> Iterator[dict[str, NDArray[Any]]]:
        """Read one table part by part, never more at a time than a chunk of its smallest-chunked column.

        Raises
        ------
        ValueError
            If a column cannot be read, or, at the end, differs from its checksum.
        """
        sums = {column: ColumnChecksum(dtype == "str") for column, (dtype, _) in TABLES[name].items()}
        arrays = {column: bounded(self._array(f"{name}/{column}")) for column in TABLES[name]}
        step = min(array.chunks[0] for array in arrays.values())
        for first in range(0, self.rows(name), step):
            part = {
                column: self._read(array, slice(first, first + step), f"column {name}/{column}")
                for column, array in arrays.items()
            }
            for column, values in part.items():
                sums[column].update(values)
            yield part
        for column, total in sums.items():
            self._compare(name, column, total.hexdigest())

    def _read(self, array: Any, part: slice, what: str) -> NDArray[Any]:
        try:
            return np.asarray(array[part])
        except Exception as error:  # damaged chunks raise whatever their codec does
            if is_unreachable(error):
                raise reach_error(str(self.path), error) from error
            raise self._damaged(f"{what} cannot be read ({type(error).__name__})") from error

    def _damaged(self, what: str) -> ValueError:
        return ValueError(f"{self.path}: {what}; the store is damaged: see 'sfdata validate {self.path}'")

    @cached_property
    def pieces(self) -> Table:
        """Table of pieces."""
        return Columns(self, "pieces")

    @cached_property
    def instruments(self) -> Table:
        """Table of instruments."""
        return Columns(self, "instruments")

    @cached_property
    def performances(self) -> Table:
        """Table of performances."""
        return Columns(self, "performances")

    @cached_property
    def notes(self) -> Table:
        """Table of notes."""
        return Columns(self, "notes")

    @cached_property
    def renditions(self) -> Table:
        """Table of renditions."""
        return Columns(self, "renditions")

    @cached_property
    def pairs(self) -> Table:
        """Table of pairs."""
        return Columns(self, "pairs")

    @property
    def splits_by(self) -> str:
        """What its splits keep whole, one of :data:`sfdata.splits.KINDS`."""
        return str(self.attrs.get("recipe", {}).get("splits", {}).get("by", "work"))

    @property
    def reference_frames(self) -> int:
        """Frames in a reference."""
        return self.windows.reference_frames(self.spectrogram.frame_rate_hz)

    @property
    def snippet_frames(self) -> int:
        """Frames in a snippet."""
        return self.windows.snippet_frames(self.spectrogram.frame_rate_hz)

    def pair_rows(self, split: str) -> NDArray[np.int64]:
        """Rows of the pairs table in a split (``all`` for every pair).

        Raises
        ------
        ValueError
            If there is no such split.
        """
        if split == "all":
            return np.arange(len(self.pairs["split"]), dtype=np.int64)
        if split not in SPLITS:
            raise ValueError(f"split {split!r}; expected one of {', '.join((*SPLITS, 'all'))}")
        return np.flatnonzero(self.pairs["split"] == SPLITS.index(split)).astype(np.int64)

    def pair_pieces(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Row of the piece that each pair belongs to, shape (pairs,)."""
        performance = self.renditions["performance"][self.pairs["reference_rendition"][rows]]
        return np.asarray(self.performances["piece"][performance], dtype=np.int32)

    def rendition_frames(self, rendition: int) -> NDArray[np.floating]:
        """Spectrogram of one rendition, shape (frames, bins), as stored.

        Raises
        ------
        ValueError
            If it cannot be read, differs from its checksum, or holds values that are no finite numbers.
        """
        first = int(self.renditions["first_frame"][rendition])
        part = slice(first, first + int(self.renditions["frame_count"][rendition]))
        frames = self._read(self.frames, part, f"the spectrogram of rendition {rendition}")
        if array_sha256(frames) != self.renditions["sha256"][rendition]:
            raise self._damaged(f"the spectrogram of rendition {rendition} differs from its recorded sha256")
        if not np.isfinite(frames).all():
            raise self._damaged(f"the spectrogram of rendition {rendition} holds values that are no finite numbers")
        return frames

    def row(self, table: str, row: int) -> dict[str, Any]:
        """One row of a table as plain numbers and strings."""
        cells = {name: values[row] for name, values in getattr(self, table).items()}
        return {name: cell.item() if isinstance(cell, np.generic) else str(cell) for name, cell in cells.items()}

    def performance_notes(self, performance: int) -> Table:
        """Notes of one performance: column name to array."""
        first = int(self.performances["first_note"][performance])
        part = slice(first, first + int(self.performances["note_count"][performance]))
        return {column: values[part] for column, values in self.notes.items()}

    def note_array(self, performance: int) -> NoteArray:
        """Notes of one performance as a note array, ``source`` as stored."""
        columns = self.performance_notes(performance)
        notes: NoteArray = np.empty(len(columns["onset_s"]), dtype=NOTE_DTYPE)
        for name in NOTE_DTYPE.names or ():
            notes[name] = columns[name]
        return notes


def open_store(path: str | Path | Place) -> Store:
    """Open a store for reading, checking its format, version and outline.

    Parameters
    ----------
    path : str or Path
        A folder or a ``.zarr.zip`` file, or the URL of one that fsspec reaches, such as ``s3://bucket/store.zarr`` or
        ``https://example.org/store.zarr.zip``; of a remote zip file only what is asked for is read, and kept in a local
        cache (:func:`sfdata.remote_zip.cache_folder`).

    Raises
    ------
    FileNotFoundError
        If nothing is at `path`.
    ValueError
        If it is no store, of another version, unfinished, or lacks an array.
    ConnectionError
        If it lies elsewhere, and cannot be reached.

    Examples
    --------
    >>> open_store("nowhere.zarr")
    Traceback (most recent call last):
    ...
    FileNotFoundError: no store at nowhere.zarr; make one with 'sfdata build RECIPE.toml -o nowhere.zarr'
    """
    place = Place(path)
    path = Path(str(path)) if place.is_local else place.url
    if not place.exists():
        raise FileNotFoundError(f"no store at {path}; make one with 'sfdata build RECIPE.toml -o {path}'")
    try:
        group = place.group("r")
    except Exception as error:
        if place.is_zip and type(error) in (ValueError, OSError):  # which says what is wrong with the file or the cache
            raise
        if is_unreachable(error):
            raise reach_error(str(path), error) from error
        raise ValueError(
            f"{path} is no Zarr group ({type(error).__name__}); expected a store made by sfdata"
        ) from error
    found, version = group.attrs.get("format"), group.attrs.get("format_version")
    if found != FORMAT:
        raise ValueError(f"{path}: attribute format is {found!r}; expected {FORMAT!r}: not a (finished) sfdata store")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {version!r}; this sfdata reads version {FORMAT_VERSION}: "
            "build the store again, or install the sfdata that wrote it"
        )
    arrays: dict[str, zarr.Array] = {}
    try:
        problem = next(_outline_problems(group, arrays), None)
    except Exception as error:  # what damaged or lying metadata make Zarr raise
        if is_unreachable(error):
            raise reach_error(str(path), error) from error
        problem = f"its metadata cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    if problem:
        raise ValueError(f"{path}: {problem}; the store is damaged: see 'sfdata validate {path}'")
    try:
        return Store(path, group, arrays)
    except Exception as error:  # the settings may be anything
        raise ValueError(f"{path}: the settings in its attributes cannot be used: {error}") from error


def _outline_problems(group: zarr.Group, opened: dict[str, zarr.Array]) -> Iterator[str]:
    """What metadata alone tell: arrays missing, of the wrong shape or type; those that are there go into `opened`."""
    yield from attribute_problems(dict(group.attrs))
    frames = group.get("frames")
    if not isinstance(frames, zarr.Array) or frames.ndim != 2:
        yield "array 'frames' (frames, bins) is missing"
    elif frames.dtype.name not in ("float16", "float32"):
        yield f"array 'frames' has dtype {frames.dtype}; expected float16 or float32"
    elif frames.shape[1] != (bins := dict(group.attrs).get("spectrogram", {}).get("n_bins")):  # type: ignore[union-attr]
        yield f"array 'frames' has {frames.shape[1]} bins, the spectrogram settings {bins}"
    if isinstance(frames, zarr.Array):
        opened["frames"] = frames
        yield from array_problems("array 'frames'", frames)
    for name, columns in TABLES.items():
        lengths = set()
        for column, (dtype, _) in columns.items():
            array = group.get(f"{name}/{column}")
            if not isinstance(array, zarr.Array) or array.ndim != 1:
                yield f"column '{name}/{column}' is missing"
                continue
            opened[f"{name}/{column}"] = array
            lengths.add(array.shape[0])
            yield from array_problems(f"column '{name}/{column}'", array)
            if dtype != "str" and array.dtype != np.dtype(dtype):
                yield f"column '{name}/{column}' has dtype {array.dtype}; expected {dtype}"
        if len(lengths) > 1:
            yield f"columns of table '{name}' differ in length: {sorted(lengths)}"
        yield from table_problems(
            name, [opened[f"{name}/{column}"] for column in columns if f"{name}/{column}" in opened]
        )
