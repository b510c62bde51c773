"""The header of WAV that comes through a pipe, where its sizes may not be known yet."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN_BYTES = 0x7FFFF000  # sizes from here on, and 0, are what programs write that do not know them
MAX_CHUNK_BYTES = 2**20  # before the sound
_EXTENSIBLE = 0xFFFE
_SAMPLES = {(1, 8): "u8", (1, 16): "s16le", (1, 24): "s24le", (1, 32): "s32le", (3, 32): "f32le", (3, 64): "f64le"}
_DTYPES = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4", "f64le": "<f8", "u8": "u1"}
_FULL_SCALE = {"s16le": 2.0**15, "s32le": 2.0**31, "f32le": 1.0, "f64le": 1.0, "u8": 2.0**7}


@dataclass(frozen=True)
class PcmFormat:
    """How sound is written down in bytes.

    Attributes
    ----------
    encoding : str
        ``u8``, ``s16le``, ``s24le``, ``s32le``, ``f32le`` or ``f64le``.
    rate_hz : int
    channels : int
        Their samples alternate.

    Raises
    ------
    ValueError
        If the encoding is another, the rate lies outside of 1000 to 768000, or channels outside of 1 to 64.
    """

    encoding: str
    rate_hz: int
    channels: int

    def __post_init__(self) -> None:
        if self.encoding not in _SAMPLES.values():
            raise ValueError(f"sound as {self.encoding!r}; expected one of {', '.join(_SAMPLES.values())}")
        if not 1000 <= self.rate_hz <= 768_000 or not 1 <= self.channels <= 64:
            raise ValueError(
                f"sound at {self.rate_hz} Hz in {self.channels} channels; expected 1000 to 768000 Hz, 1 to 64 channels"
            )

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return int(self.encoding.strip("usfle")) // 8 * self.channels

    def mono(self, data: bytes) -> NDArray[np.float32]:
        """Decode whole frames and average the channels.

        Returns
        -------
        ndarray of float32, shape (samples,)
            Full scale is 1.
        """
        if self.encoding == "s24le":
            wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
            wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
            samples = wide.view("<i4")[:, 0] / np.float32(2.0**31)
        else:
            raw = np.frombuffer(data, dtype=_DTYPES[self.encoding])
            middle = 128 if self.encoding == "u8" else 0
            samples = (raw.astype(np.float64) - middle) / _FULL_SCALE[self.encoding]
        return samples.astype(np.float32).reshape(-1, self.channels).mean(axis=1, dtype=np.float32)


def read_wav_header(read: Callable[[int], bytes]) -> tuple[PcmFormat, int | None]:
    """Read up to where the sound begins.

    Parameters
    ----------
    read : callable
        Gives that many next bytes, fewer only at the end.

    Returns
    -------
    format : PcmFormat
    size_bytes : int or None
        Of the sound; None where it goes on to the end of what comes.

    Raises
    ------
    ValueError
        If it is no WAV, ends within the header, or holds another kind of samples.
    """
    start = read(12)
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        raise ValueError(
            f"is no WAV: begins with {start!r}; expected b'RIFF…WAVE'. For raw samples tell their encoding, rate and "
            "channels; other formats go through 'ffmpeg -i … -f wav -'"
        )
    found, long_size = None, None
    while True:
        name, size = _fields("<4sI", read(8))
        if name == b"data":
            break
        if size > MAX_CHUNK_BYTES:
            raise ValueError(f"is a damaged WAV: {size} bytes of {name!r} before the sound")
        chunk = read(size + size % 2)[:size]
        if name == b"fmt ":
            found = _format(chunk)
        elif name == b"ds64":
            _, long_size = _fields("<QQ", chunk[:16])
    if found is None:
        raise ValueError("is a damaged WAV: no 'fmt ' before the sound")
    if long_size is not None and size == 0xFFFFFFFF:
        return found, long_size or None
    return found, None if size == 0 or size >= UNKNOWN_BYTES else size


def _format(chunk: bytes) -> PcmFormat:
    kind, channels, rate_hz, _, _, bits = _fields("<HHIIHH", chunk[:16])
    if kind == _EXTENSIBLE:
        (kind,) = _fields("<H", chunk[24:26])
    if (kind, bits) not in _SAMPLES:
        raise ValueError(f"is WAV of kind {kind} with {bits} bits; expected PCM of 8 to 32 bits, or floats")
    return PcmFormat(_SAMPLES[kind, bits], rate_hz, channels)


def _fields(layout: str, data: bytes) -> tuple:
    if len(data) < struct.calcsize(layout):
        raise ValueError("is a damaged WAV: ends within its header")
    return struct.unpack(layout, data)
