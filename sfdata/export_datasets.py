"""Hugging Face ``datasets``: Parquet files by split, one column for each label, spectrograms as lists of frames."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sfdata.examples import LABELS, Shard, typed_labels

ROW_GROUP = 256  # examples that a reader has to take at once: some 12 MB


def shard_name(split: str, number: int, count: int) -> str:
    """Name of a shard, in the manner of the hub."""
    return f"data/{split}-{number:05d}-of-{count:05d}.parquet"


def pyarrow() -> ModuleType:
    """The package that writes Parquet.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow; install it with: pip install 'sfdata[parquet]'") from error
    return pyarrow


def write_shard(path: Path, shard: Shard) -> None:
    """Write one Parquet file."""
    arrow = pyarrow()
    path.parent.mkdir(exist_ok=True)
    strings = [name for name in shard.labels if LABELS[name][0] == "str"]  # of numbers it takes thrice the time
    writer = None
    for begin in range(0, len(shard), ROW_GROUP):
        part = slice(begin, begin + ROW_GROUP)
        columns = {side: _nested(arrow, getattr(shard, side)[part]) for side in ("reference", "snippet")}
        for name, values in shard.labels.items():
            columns[name] = arrow.array(values[part].tolist(), arrow.string() if name in strings else str(values.dtype))
        table = arrow.table(columns)
        writer = writer or arrow.parquet.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=strings)
        writer.write_table(table, row_group_size=ROW_GROUP)
    if writer:
        writer.close()


def read_shard(path: Path) -> Shard:
    """Read what :func:`write_shard` wrote."""
    file = pyarrow().parquet.ParquetFile(path)
    parts = [file.read_row_group(i) for i in range(file.num_row_groups)]
    windows = [np.concatenate([_flat(part.column(side)) for part in parts]) for side in ("reference", "snippet")]
    labels = {name: [value for part in parts for value in part.column(name).to_pylist()] for name in LABELS}
    return Shard(windows[0], windows[1], typed_labels(labels))


def _nested(arrow: ModuleType, windows: Any) -> Any:
    """Windows as lists of frames, which are lists of numbers: shape (examples, frames, bins)."""
    examples, frames, bins = windows.shape
    inner = arrow.ListArray.from_arrays(_borders(examples * frames, bins), arrow.array(windows.reshape(-1)))
    return arrow.ListArray.from_arrays(_borders(examples, frames), inner)


def _borders(count: int, length: int) -> Any:
    return np.arange(0, count * length + 1, length, dtype=np.int32)


def _flat(column: Any) -> Any:
    windows = column.combine_chunks()
    frames = windows.flatten()
    values = frames.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(windows), len(frames) // len(windows), -1)
