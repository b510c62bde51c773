"""Writing a store's tables, column by column in whole chunks: never more in memory than one chunk of each column."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sfdata.schema import TABLES

CHUNK_ROWS = 1 << 18
TEXT_CHUNK_ROWS = 1 << 8  # records of what was drawn can have a hundred kilobytes each


class ColumnChecksum:
    """SHA-256 of a column that comes in parts, equal to :func:`sfdata.schema.array_sha256` of the whole."""

    def __init__(self, is_text: bool) -> None:
        self._digest, self._is_text, self._begun = hashlib.sha256(), is_text, False

    def update(self, values: NDArray[Any]) -> None:
        """Take in the next rows."""
        if not len(values):
            return
        if not self._is_text:
            self._digest.update(np.ascontiguousarray(values).tobytes())
            return
        text = "\n".join(json.dumps(str(value)) for value in values)
        self._digest.update(("\n" + text if self._begun else text).encode())
        self._begun = True

    def hexdigest(self) -> str:
        """The checksum of all rows so far."""
        return self._digest.hexdigest()


class _ColumnWriter:
    def __init__(self, array: zarr.Array, is_text: bool) -> None:
        self._array, self._sum = array, ColumnChecksum(is_text)
        self._parts: list[NDArray[Any]] = []
        self._waiting = self._written = 0

    def append(self, values: NDArray[Any]) -> None:
        self._parts.append(values)
        self._waiting += len(values)
        whole = self._waiting - self._waiting % self._array.chunks[0]
        if whole:
            self._write(whole)

    def _write(self, rows: int) -> None:
        joined = np.concatenate(self._parts)
        head, self._parts = joined[:rows], [joined[rows:]]
        self._array[self._written : self._written + rows] = head
        self._sum.update(head)
        self._written += rows
        self._waiting -= rows

    def finish(self) -> str:
        if self._waiting:
            self._write(self._waiting)
        return self._sum.hexdigest()


class TableWriter:
    """Writes one table of a store, whose rows come in parts.

    Parameters
    ----------
    group : zarr.Group
        The store.
    name : str
        A key of :data:`sfdata.schema.TABLES`.
    rows : int
        How many there will be.
    """

    def __init__(self, group: zarr.Group, name: str, rows: int) -> None:
        self.name, self.rows, self._taken = name, rows, 0
        if name in group:  # of a build that was interrupted while it wrote tables
            del group[name]
        table = group.create_group(name)
        self._columns = {}
        for column, (dtype, description) in TABLES[name].items():
            is_text = dtype == "str"
            array = table.create_array(
                column,
                shape=(rows,),
                dtype=str if is_text else dtype,
                chunks=(min(max(1, rows), TEXT_CHUNK_ROWS if is_text else CHUNK_ROWS),),
                attributes={"description": description},
            )
            self._columns[column] = _ColumnWriter(array, is_text)

    def append(self, columns: Mapping[str, Any]) -> None:
        """Take in the next rows; whole chunks are written.

        Raises
        ------
        ValueError
            If the columns are not the table's, or differ in length.
        """
        expected = TABLES[self.name]
        if set(columns) != set(expected):
            raise ValueError(f"table {self.name} has columns {sorted(columns)}; expected {sorted(expected)}")
        if len(lengths := {len(values) for values in columns.values()}) != 1:
            raise ValueError(f"table {self.name}: columns differ in length")
        for column, (dtype, _) in expected.items():
            self._columns[column].append(np.asarray(columns[column], dtype=object if dtype == "str" else dtype))
        self._taken += lengths.pop()

    def finish(self) -> dict[str, str]:
        """Write what is left; checksums of the columns, by ``table/column``.

        Raises
        ------
        ValueError
            If there were not as many rows as was said.
        """
        if self._taken != self.rows:
            raise ValueError(f"table {self.name}: {self._taken} rows; expected {self.rows}")
        return {f"{self.name}/{column}": writer.finish() for column, writer in self._columns.items()}
