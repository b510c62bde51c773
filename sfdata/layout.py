"""Layout: how a store lies on disk, and how an empty one, its tables and its attributes are written."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zarr
from zarr.codecs import BloscCodec

from sfdata.columns import TableWriter
from sfdata.place import Place
from sfdata.schema import FORMAT, FORMAT_VERSION, TABLES, Table
from sfdata.spectrogram import SpectrogramSettings
from sfdata.windows import WindowSettings


@dataclass(frozen=True)
class StoreSettings:
    """How frames lie on disk.

    Attributes
    ----------
    chunk_frames, shard_frames : int
        Rows of ``frames`` in one chunk (what is read) and in one shard (one file, one writer).
    dtype : {"float16", "float32"}
    """

    chunk_frames: int = 2048
    shard_frames: int = 8192
    dtype: str = "float16"

    def __post_init__(self) -> None:
        if self.dtype not in ("float16", "float32"):
            raise ValueError(f"store: dtype {self.dtype!r}; expected float16 or float32")
        if self.chunk_frames < 1 or self.shard_frames < 1 or self.shard_frames % self.chunk_frames:
            raise ValueError(
                f"store: shard_frames {self.shard_frames} is no multiple of chunk_frames {self.chunk_frames}"
            )


def create_frames(path: str | Path | Place, frames: int, bins: int, settings: StoreSettings) -> None:
    """Write the empty store: the group and the template of ``frames``, a whole number of shards long.

    Raises
    ------
    ValueError
        If `frames` is not a multiple of the shard.
    """
    if frames % settings.shard_frames:
        raise ValueError(f"{frames} frames are no whole number of shards of {settings.shard_frames}")
    frames_template(Place(path).group("w"), frames, bins, settings)


def frames_template(group: zarr.Group, frames: int, bins: int, settings: StoreSettings) -> zarr.Array:
    """The empty array ``frames`` in a group."""
    return group.create_array(
        "frames",
        shape=(frames, bins),
        chunks=(settings.chunk_frames, bins),
        shards=(settings.shard_frames, bins),
        dtype=settings.dtype,
        compressors=BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),  # measured in docs/benchmarks.md
        fill_value=0,
    )


def write_tables(path: str | Path | Place, tables: dict[str, Table], attrs: dict[str, Any]) -> None:
    """Write all tables and the attributes, checksums of the tables included, into a store with frames.

    Raises
    ------
    ValueError
        If tables or columns don't agree with :data:`sfdata.schema.TABLES`.
    """
    group = Place(path).group("r+")
    if set(tables) != set(TABLES):
        raise ValueError(f"tables {sorted(tables)}; expected {sorted(TABLES)}")
    checksums: dict[str, str] = {}
    for name in TABLES:
        writer = TableWriter(group, name, len(next(iter(tables[name].values()))))
        writer.append(tables[name])
        checksums |= writer.finish()
    finish_store(group, attrs, checksums)


def finish_store(group: zarr.Group, attrs: dict[str, Any], checksums: dict[str, str]) -> None:
    """Write the attributes, by which a group becomes a store: the last thing a build does to it."""
    group.attrs.put({"format": FORMAT, "format_version": FORMAT_VERSION, **attrs, "checksums": checksums})


def settings_attrs(spectrogram: SpectrogramSettings, windows: WindowSettings, recipe: dict[str, Any]) -> dict[str, Any]:
    """Attributes that every store carries about how it was made."""
    return {"spectrogram": asdict(spectrogram), "windows": asdict(windows), "recipe": recipe}
