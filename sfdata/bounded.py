"""Codecs that look at what a compressed chunk claims before they unfold it.

A few kilobytes may claim to unfold to gigabytes. An array of numbers has chunks of a known size, and no more is
unfolded; of text, no more than its compressed bytes can honestly hold.
"""

import math
import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import zarr
from zarr import codecs as zarr_codecs
from zarr.codecs import BloscCodec, ShardingCodec, ZstdCodec

MOST_TEXT_BYTES = 1 << 26  # in a chunk: records of what was drawn can have a hundred kilobytes each
FREE_TEXT_BYTES = 1 << 20
MOST_FOLD = 4000  # a chunk whose 256 rows say the same, each of which shrinks by itself
_SLACK_BYTES = 64  # checksums
_ZSTD = b"\x28\xb5\x2f\xfd"


def zstd_claims(data: bytes) -> int:
    """Bytes that a Zstandard frame says it unfolds to.

    Raises
    ------
    ValueError
        If it is not one frame that tells, as ours are.

    Examples
    --------
    >>> zstd_claims(bytes.fromhex("28b52ffd2000010000"))
    0
    """
    if data[:4] != _ZSTD or len(data) < 9:
        raise ValueError("a chunk is no Zstandard frame")
    flags = data[4]
    single, checksum, size_code = flags >> 5 & 1, flags >> 2 & 1, flags >> 6
    at = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
    length = (single, 2, 4, 8)[size_code]
    claimed = int.from_bytes(data[at : at + length], "little") + (256 if length == 2 else 0)
    at += length
    last = False
    while not last:  # its blocks, to where the next frame would begin
        header = int.from_bytes(data[at : at + 3], "little")
        if at + 3 > len(data):
            raise ValueError("a chunk's Zstandard frame is cut off")
        last = bool(header & 1)
        at += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
    if not length or at + 4 * checksum != len(data):
        raise ValueError("a chunk is not one Zstandard frame that tells its size")
    return claimed


def blosc_claims(data: bytes) -> int:
    """Bytes that a Blosc buffer says it unfolds to.

    Raises
    ------
    ValueError
        If it is too short to tell.

    Examples
    --------
    >>> blosc_claims(bytes([2, 1, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 16, 0, 0, 0]))
    256
    """
    if len(data) < 16:
        raise ValueError("a chunk is no Blosc buffer")
    return int(struct.unpack_from("<I", data, 4)[0])


def _check(claimed: int, held: int, spec: Any) -> None:
    item = getattr(spec.dtype, "item_size", None)
    if item is None:
        most = min(MOST_TEXT_BYTES, max(FREE_TEXT_BYTES, MOST_FOLD * held))
    else:
        most = math.prod(spec.shape) * item + _SLACK_BYTES
    if claimed > most:
        raise ValueError(f"a chunk of {held:,} bytes claims to unfold to {claimed:,}; expected {most:,} at most")


class _BoundedZstd(ZstdCodec):
    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        data = chunk_bytes.to_bytes()
        _check(zstd_claims(data), len(data), chunk_spec)
        return await super()._decode_single(chunk_bytes, chunk_spec)


class _BoundedBlosc(BloscCodec):
    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check(blosc_claims(chunk_bytes[:16].to_bytes()), len(chunk_bytes), chunk_spec)
        return await super()._decode_single(chunk_bytes, chunk_spec)


class VLenUTF8Codec(zarr_codecs.VLenUTF8Codec):
    """Zarr's, bounded; Zarr insists on the name."""

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        rows, expected = int.from_bytes(chunk_bytes[:4].to_bytes(), "little"), math.prod(chunk_spec.shape)
        if rows != expected:
            raise ValueError(f"a chunk claims {rows:,} texts; expected {expected:,}")
        return await super()._decode_single(chunk_bytes, chunk_spec)


def _bounded(codecs: Iterable[Any]) -> tuple[Any, ...]:
    """The same codecs, bounded; those that unfold nothing as they are."""
    found: list[Any] = []
    for codec in codecs:
        if type(codec) is ZstdCodec:
            found.append(_BoundedZstd(level=codec.level, checksum=codec.checksum))
        elif type(codec) is BloscCodec:
            known = ("typesize", "cname", "clevel", "shuffle", "blocksize")
            found.append(_BoundedBlosc(**{name: getattr(codec, name) for name in known}))
        elif type(codec) is zarr_codecs.VLenUTF8Codec:
            found.append(VLenUTF8Codec())
        elif type(codec) is ShardingCodec:
            found.append(replace(codec, codecs=_bounded(codec.codecs), index_codecs=_bounded(codec.index_codecs)))
        else:
            found.append(codec)
    return tuple(found)


def bounded(array: zarr.Array) -> zarr.Array:
    """The same array, to be read only, that unfolds no chunk which claims more than it may."""
    inner: Any = array.async_array
    metadata = replace(inner.metadata, codecs=_bounded(inner.metadata.codecs))
    return zarr.Array(type(inner)(metadata=metadata, store_path=inner.store_path, config=inner.config))
