"""Sound: what happens to a rendition in and after synthesis, drawn, recorded, and applied deterministically.

The operations are those of :mod:`sfdata.effects`, in the order of the physical chain: the instrument's tuning (applied
by :func:`sfdata.render.render` while it plays), the room, the colouring of instrument and microphone (eq), background
noise, the gain of the recording, and clipping where it is driven too hard.

A record is ``{"operations": [{"operation": NAME, …}, …]}``, plain numbers and names that go into JSON as they are;
``{}`` where nothing was drawn. Each operation draws from a stream of its own, known by its name, so that switching one
on or off leaves what the others draw as it was.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfdata.blocks import Samples, joined
from sfdata.effects import (
    EFFECTS,
    FILTERS,
    OPERATIONS,
    ClippingSettings,
    EqSettings,
    GainSettings,
    NoiseSettings,
    Record,
    Rooms,
    RoomSettings,
    TuningSettings,
)
from sfdata.filters import combined, convolve_blocks
from sfdata.rooms import RoomFile


@dataclass(frozen=True)
class SoundSettings:
    """Which operations a recipe asks for; one that is None is not applied.

    Attributes
    ----------
    references : bool
        Whether references get it too; snippets always do.
    """

    references: bool = False
    tuning: TuningSettings | None = None
    room: RoomSettings | None = None
    eq: EqSettings | None = None
    noise: NoiseSettings | None = None
    gain: GainSettings | None = None
    clipping: ClippingSettings | None = None

    def __post_init__(self) -> None:
        for name, kind in OPERATIONS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise ValueError(f"sound: {name} is {value!r}; expected a table of its settings")


def draw_sound(settings: SoundSettings, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
    """Draw what is done to one rendition.

    Parameters
    ----------
    settings : SoundSettings
    rng : Generator
        One number is taken from it, whatever the settings.
    rooms : sequence of RoomFile
        Those of ``room.folder``, where the settings name one.

    Returns
    -------
    dict
        ``operations``: those to apply, in order, each with its name as ``operation``; ``{}`` where there are none.

    Raises
    ------
    ValueError
        If the settings name a folder of rooms and none are given.
    """
    base = int(rng.integers(2**63))
    operations: list[Record] = []
    for name in OPERATIONS:
        operation = getattr(settings, name)
        own = np.random.default_rng([base, zlib.crc32(name.encode())])
        if operation is not None and own.random() < operation.probability:
            operations.append({"operation": name, **operation.draw(own, rooms)})
    return {"operations": operations} if operations else {}


def sound_blocks(
    blocks: Iterable[Samples], sample_rate_hz: int, record: Mapping[str, Any], rooms: Rooms = ()
) -> Iterable[Samples]:
    """Apply to a stream of synthesised sound what :func:`draw_sound` drew, all but the tuning (:func:`tuning_cents`).

    Filters that follow each other are applied as one. Memory does not grow with the sound's length; noise and clipping
    keep the whole sound until they know its level, in a temporary file where it is long
    (:class:`sfdata.blocks.KeptSound`).

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (samples,)
        Left as they are.
    sample_rate_hz : int
    record : mapping
    rooms : sequence of RoomFile, or mapping with such values
        Must hold the record's room, where that is a file; it is found by its sha256.

    Returns
    -------
    iterable of ndarray of float32, shape (samples,)
        As many samples, in other blocks; may exceed 1. `blocks` itself where nothing was drawn.

    Raises
    ------
    ValueError
        If the record names an operation or a room that there is not, or lacks a parameter: before any block is taken.
    """
    response: Samples | None = None
    for drawn in _operations(record):
        name = drawn["operation"]
        try:
            if name in FILTERS:
                own = FILTERS[name].response(drawn, sample_rate_hz, rooms)
                response = own if response is None else combined(response, own)
                continue
            if response is not None:
                blocks, response = convolve_blocks(blocks, response), None
            blocks = EFFECTS[name].apply(blocks, sample_rate_hz, drawn)
        except KeyError as error:
            raise ValueError(f"the record of {name} lacks {error}") from None
    return blocks if response is None else convolve_blocks(blocks, response)


def apply_sound(samples: Samples, sample_rate_hz: int, record: Mapping[str, Any], rooms: Rooms = ()) -> Samples:
    """Apply to a whole sound what :func:`draw_sound` drew; see :func:`sound_blocks`.

    Parameters
    ----------
    samples : ndarray of float32, shape (samples,)
        Left as it is.

    Returns
    -------
    ndarray of float32, shape (samples,)
        `samples` itself where nothing was drawn; may exceed 1.
    """
    return joined(sound_blocks([samples], sample_rate_hz, record, rooms))


def tuning_cents(record: Mapping[str, Any]) -> float:
    """Shift of all pitches that :func:`sfdata.render.render` is to apply.

    Examples
    --------
    >>> tuning_cents({"operations": [{"operation": "tuning", "cents": -7}]}), tuning_cents({})
    (-7.0, 0.0)
    """
    return float(sum(drawn["cents"] for drawn in _operations(record) if drawn["operation"] == "tuning"))


def room_name(record: Mapping[str, Any]) -> str:
    """Short name of the room for people to read, empty for none.

    Examples
    --------
    >>> room_name({"operations": [{"operation": "room", "rt60_s": 0.6213, "drr_db": 4.08}]})
    'synthetic, RT60 0.62 s, DRR 4.1 dB'
    >>> room_name({"operations": [{"operation": "room", "file": "hall/far.wav", "sha256": "00"}]})
    'hall/far.wav'
    """
    for drawn in _operations(record):
        if drawn["operation"] == "room":
            synthetic = "synthetic, RT60 {rt60_s:.2f} s, DRR {drr_db:.1f} dB"
            return str(drawn["file"]) if "file" in drawn else synthetic.format(**drawn)
    return ""


def total_gain(record: Mapping[str, Any]) -> float:
    """Linear factor of the gain drawn; what room, eq and clipping do to the level is not in it.

    Examples
    --------
    >>> total_gain({"operations": [{"operation": "gain", "db": 20.0}]}), total_gain({})
    (10.0, 1.0)
    """
    return float(10 ** (sum(drawn["db"] for drawn in _operations(record) if drawn["operation"] == "gain") / 20))


def _operations(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for drawn in record.get("operations", ()):
        if drawn.get("operation") not in OPERATIONS:
            name = drawn.get("operation")
            raise ValueError(f"the record names operation {name!r}; expected one of {', '.join(OPERATIONS)}")
        yield drawn
