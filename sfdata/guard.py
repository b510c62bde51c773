"""What metadata of a store from a stranger may ask for: known codecs, shapes and chunks that a machine can hold.

Zarr would look up any codec by its name, and some (``pickle``) run what they read; a chunk may claim to unfold to any
size. Ours never do either, so such a store is refused before a chunk of it is read.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import zarr

CODECS = frozenset({"BytesCodec", "BloscCodec", "Crc32cCodec", "ShardingCodec", "VLenUTF8Codec", "ZstdCodec"})
MOST_CHUNK_BYTES = 1 << 29
MOST_ROWS = (1 << 31) - 1  # rows are referred to by int32
MOST_FRAMES = 1 << 36


def array_problems(name: str, array: zarr.Array) -> Iterator[str]:
    """What an array's metadata ask for that no store of ours does.

    Parameters
    ----------
    name : str
        As it is called in the messages.
    array : zarr.Array

    Yields
    ------
    str
    """
    foreign = sorted(set(_codecs(getattr(array.metadata, "codecs", ()))) - CODECS)
    if foreign:
        yield f"{name} is written with {', '.join(foreign)}; expected none but {', '.join(sorted(CODECS))}"
    most = MOST_FRAMES if array.ndim == 2 else MOST_ROWS
    if array.ndim and array.shape[0] > most:
        yield f"{name} claims {array.shape[0]:,} rows; expected {most:,} at most"
    item = 1 if array.dtype.kind in "OT" else array.dtype.itemsize
    for kind, shape in (("chunks", array.chunks), ("shards", array.shards or ())):
        size = math.prod(shape) * item
        if shape and not 0 < size <= MOST_CHUNK_BYTES:
            yield f"{name} has {kind} of {size:,} bytes; expected 1 to {MOST_CHUNK_BYTES:,}"


def _codecs(codecs: Iterable[Any]) -> Iterator[str]:
    for codec in codecs:
        yield type(codec).__name__
        yield from _codecs(getattr(codec, "codecs", ()))
        yield from _codecs(getattr(codec, "index_codecs", ()))
