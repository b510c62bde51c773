"""What metadata of a store from a stranger may ask for: known codecs, shapes and chunks that a machine can hold.

Zarr would look up any codec by its name, and some (``pickle``) run what they read; a chunk may claim to unfold to any
size; rows that are nothing but fill values need no chunk at all. Ours never do so, and such a store is refused before a
chunk of it is read.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import zarr

CODECS = frozenset({"BytesCodec", "BloscCodec", "Crc32cCodec", "ShardingCodec", "VLenUTF8Codec", "ZstdCodec"})
MOST_CHUNK_BYTES = 1 << 29
MOST_TABLE_CHUNK_BYTES = 1 << 24
MOST_ROWS = (1 << 31) - 1  # rows are referred to by int32
TEXT_BYTES = 64  # that a cell of text takes in memory, at least
FREE_TABLE_BYTES = 1 << 26  # a table may claim them whatever is stored of it
UNTOLD_TABLE_BYTES = 1 << 30  # where HTTP does not tell what is stored
MOST_TABLE_FOLD = 256  # times what is stored of a large table: its times, places and checksums hardly shrink
MOST_FRAMES = 1 << 36
_ATTRIBUTES: Mapping[str, type] = {
    **dict.fromkeys(("spectrogram", "windows", "recipe", "checksums", "software"), dict),
    **dict.fromkeys(("skipped", "licences", "appended_to"), list),
    **{"seed": int, "build_sha256": str},
}
_RECIPE: Mapping[str, type] = {
    **dict.fromkeys(("midi", "voices", "augment", "instruments", "render", "sound"), dict),
    **dict.fromkeys(("spectrogram", "windows", "splits", "store"), dict),
    **{"name": str, "seed": int, "sources": list},
}
_SPLITS: Mapping[str, type] = {"by": str}


def attribute_problems(attrs: Mapping[str, Any]) -> Iterator[str]:
    """What among a store's attributes is of another type than ours are; what is missing is left to its readers.

    Yields
    ------
    str

    Examples
    --------
    >>> list(attribute_problems({"recipe": {"splits": None}}))
    ['attribute recipe.splits is null; expected an object']
    """
    yield from _typed("", attrs, _ATTRIBUTES)
    recipe = attrs.get("recipe")
    if isinstance(recipe, dict):
        yield from _typed("recipe.", recipe, _RECIPE)
        if isinstance(splits := recipe.get("splits"), dict):
            yield from _typed("recipe.splits.", splits, _SPLITS)
        yield from _objects("recipe.sources", recipe.get("sources"))
    for name in ("skipped", "licences", "appended_to"):
        yield from _objects(name, attrs.get(name))


_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a whole number"}


def _typed(prefix: str, given: Mapping[str, Any], types: Mapping[str, type]) -> Iterator[str]:
    for name, wanted in types.items():
        if name in given and (not isinstance(given[name], wanted) or isinstance(given[name], bool)):
            found = json.dumps(given[name])
            told = found if len(found) <= 40 else f"of type {type(given[name]).__name__}"
            yield f"attribute {prefix}{name} is {told}; expected {_NAMES[wanted]}"


def _objects(name: str, entries: Any) -> Iterator[str]:
    if isinstance(entries, list) and not all(isinstance(entry, dict) for entry in entries):
        yield f"attribute {name} holds what is no object"


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
    item, most_bytes = _item_bytes(array), MOST_CHUNK_BYTES if array.ndim == 2 else MOST_TABLE_CHUNK_BYTES
    for kind, shape in (("chunks", array.chunks), ("shards", array.shards or ())):
        size = math.prod(shape) * item
        if shape and not 0 < size <= most_bytes:
            yield f"{name} has {kind} of {size:,} bytes; expected 1 to {most_bytes:,}"


def table_problems(name: str, arrays: Sequence[zarr.Array]) -> Iterator[str]:
    """Whether a table claims far more rows than what is stored of it can hold.

    Parameters
    ----------
    name : str
    arrays : sequence of zarr.Array
        Its columns.

    Yields
    ------
    str
    """
    claimed = sum(array.shape[0] * _item_bytes(array) for array in arrays)
    if claimed <= FREE_TABLE_BYTES:
        return
    stored = sum(_stored_bytes(array) for array in arrays)
    if claimed > (MOST_TABLE_FOLD * stored if stored else UNTOLD_TABLE_BYTES):
        yield (
            f"table '{name}' claims {max(array.shape[0] for array in arrays):,} rows, at least {claimed:,} bytes in "
            f"memory; expected no more than {MOST_TABLE_FOLD} times the {stored:,} bytes that are stored of it"
        )


def _item_bytes(array: zarr.Array) -> int:
    return TEXT_BYTES if array.dtype.kind in "OT" else int(array.dtype.itemsize)


def _stored_bytes(array: zarr.Array) -> int:
    """Bytes of an array's files, metadata included; 0 where they cannot be listed."""
    try:
        return int(array.nbytes_stored())
    except (NotImplementedError, FileNotFoundError):
        return 0


def _codecs(codecs: Iterable[Any]) -> Iterator[str]:
    for codec in codecs:
        yield type(codec).__name__
        yield from _codecs(getattr(codec, "codecs", ()))
        yield from _codecs(getattr(codec, "index_codecs", ()))
