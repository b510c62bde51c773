"""A soundfont of a few kilobytes for the tests, sf2 or sf3: a sine of 440 Hz at key 69, lasting a second."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 22050


def chunk(kind: bytes, content: bytes, padded: bool = True) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (padded and len(content) % 2)


def riff(*parts: bytes) -> bytes:
    return chunk(b"RIFF", b"sfbk" + b"".join(parts))


def phdr(presets: Sequence[tuple[int, int, str]]) -> bytes:
    """The table of presets, each (bank, program, name), all with the first instrument."""
    rows = [*presets, (0, 0, "EOP")]
    return chunk(
        b"phdr",
        b"".join(
            struct.pack("<20sHHHIII", name.encode()[:20], program, bank, index, 0, 0, 0)
            for index, (bank, program, name) in enumerate(rows)
        ),
    )


def soundfont_bytes(presets: Sequence[tuple[int, int, str]] = ((0, 0, "Sine"),), version: int = 2) -> bytes:
    sine = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    if version == 3:
        file = io.BytesIO()
        soundfile.write(file, sine, RATE, format="OGG", subtype="VORBIS")
        samples, end, kind = file.getvalue(), len(file.getvalue()), 0x11
    else:
        samples, end, kind = np.pad(32767 * sine, (0, 46)).astype("<i2").tobytes(), len(sine), 1
    count = len(presets)
    pdta = [
        phdr(presets),
        chunk(b"pbag", b"".join(struct.pack("<HH", index, 0) for index in range(count + 1))),
        chunk(b"pmod", bytes(10)),
        chunk(b"pgen", struct.pack("<HH", 41, 0) * count + bytes(4)),  # generator 41 names the instrument
        chunk(b"inst", struct.pack("<20sH", b"Sine", 0) + struct.pack("<20sH", b"EOI", 1)),
        chunk(b"ibag", struct.pack("<HHHH", 0, 0, 1, 0)),
        chunk(b"imod", bytes(10)),
        chunk(b"igen", struct.pack("<HH", 53, 0) + bytes(4)),  # generator 53 names the sample
        chunk(
            b"shdr",
            struct.pack("<20sIIIIIBbHH", b"Sine", 0, end, 8, end - 8, RATE, 69, 0, 0, kind)
            + struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
        ),
    ]
    info = [
        chunk(b"ifil", struct.pack("<HH", version, 1)),
        chunk(b"isng", b"EMU8000\0"),
        chunk(b"INAM", b"Tiny\0\0"),
        chunk(b"ICOP", b"Public domain\0"),
    ]
    return riff(
        chunk(b"LIST", b"INFO" + b"".join(info)),
        chunk(b"LIST", b"sdta" + chunk(b"smpl", samples)),
        chunk(b"LIST", b"pdta" + b"".join(pdta)),
    )


def write_soundfont(path: Path, presets: Sequence[tuple[int, int, str]] = ((0, 0, "Sine"),), version: int = 2) -> Path:
    path.write_bytes(soundfont_bytes(presets, version))
    return path
