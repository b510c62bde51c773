"""What can be done to a rendition's sound: six operations, each small and by itself.

Each is a frozen dataclass of what a recipe's table says, its first field being the main one. ``draw`` draws from a
generator and returns a JSON-able dict. Those that filter give the ``response`` that this dict describes; the others
``apply`` it: a stream of blocks of sound (:mod:`sfdata.blocks`) becomes another, as many samples as before, of bytes
that do not depend on the blocks. None moves anything in time: what sounded first at a sample still does.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sfdata.blocks import KeptSound, Samples
from sfdata.filters import equaliser_response
from sfdata.noise import NOISE_DB_PER_OCTAVE, add_noise, noise_blocks
from sfdata.rooms import RoomFile, measured_response, synthetic_response

Record = dict[str, Any]
Rooms = Sequence[RoomFile] | Mapping[str, RoomFile]

CLIPPING_KINDS = ("hard", "soft")
DECIMALS = 4


def _check(settings: "Operation", section: str, **bounds: tuple[float, float]) -> None:
    """Make tuples of ranges; refuse those that are none or leave their bounds, and what is no probability."""
    for name, (lowest, highest) in bounds.items():
        low_high = tuple(getattr(settings, name))
        if len(low_high) != 2 or not lowest <= low_high[0] <= low_high[1] <= highest:
            raise ValueError(
                f"sound.{section}: {name} {list(low_high)}; expected [low, high], both within {lowest} to {highest}"
            )
        object.__setattr__(settings, name, low_high)
    if not 0 <= settings.probability <= 1:
        raise ValueError(f"sound.{section}: probability {settings.probability}; expected 0 to 1")


def _check_names(settings: "Operation", section: str, key: str, known: Collection[str]) -> None:
    """Make a tuple of chosen names; refuse none, and unknown ones."""
    names = tuple(getattr(settings, key))
    if not names or any(name not in known for name in names):
        raise ValueError(f"sound.{section}: {key} {list(names)}; expected some of {', '.join(known)}")
    object.__setattr__(settings, key, names)


def _drawn(rng: np.random.Generator, low_high: tuple[float, float]) -> float:
    return round(float(rng.uniform(*low_high)), DECIMALS)


class Operation(Protocol):
    """What all of them have; see the module's text."""

    @property
    def probability(self) -> float:
        """That it is applied to a rendition at all."""
        ...

    def draw(self, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
        """Draw parameters."""
        ...


class Filter(Operation, Protocol):
    """An operation that convolves sound with a response."""

    @staticmethod
    def response(drawn: Mapping[str, Any], sample_rate_hz: int, rooms: Rooms = ()) -> Samples:
        """Make the response, shape (taps,), its sample 0 being the direct path."""
        ...


class Effect(Operation, Protocol):
    """An operation of any other kind."""

    @staticmethod
    def apply(blocks: Iterable[Samples], sample_rate_hz: int, drawn: Mapping[str, Any]) -> Iterable[Samples]:
        """Apply what was drawn; blocks given are left as they are. What `drawn` lacks is found out at once."""
        ...


@dataclass(frozen=True)
class TuningSettings:
    """The instrument is tuned higher or lower.

    Attributes
    ----------
    cents : (float, float)
        Range of the shift of all pitches. Whole cents are drawn, since FluidSynth plays no finer.
    """

    cents: tuple[float, float] = (-20.0, 20.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "tuning", cents=(-100, 100))

    def draw(self, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
        """Draw ``cents``."""
        return {"cents": round(rng.uniform(*self.cents))}

    @staticmethod
    def apply(blocks: Iterable[Samples], sample_rate_hz: int, drawn: Mapping[str, Any]) -> Iterable[Samples]:
        """Do nothing: it happens in synthesis, see :func:`tuning_cents`."""
        return blocks


@dataclass(frozen=True)
class RoomSettings:
    """The instrument stands in a room: synthetic, or one of a folder of measured impulse responses.

    Attributes
    ----------
    rt60_s : (float, float)
        Range of the reverberation time up to 1 kHz, drawn on a logarithmic scale.
    drr_db : (float, float)
        Range of the direct sound's energy relative to the reverberation's.
    predelay_s : (float, float)
        Range of the time from direct sound to first reflection.
    damping : (float, float)
        Range of the factor on the reverberation time for each octave above 1 kHz.
    reflections : (int, int)
        Range of the number of single reflections, both ends included.
    folder : str
        Of measured impulse responses (wav, flac), of which one is drawn in place of all that; empty for none.
    """

    rt60_s: tuple[float, float] = (0.2, 1.5)
    drr_db: tuple[float, float] = (-3.0, 12.0)
    predelay_s: tuple[float, float] = (0.002, 0.02)
    damping: tuple[float, float] = (0.6, 0.95)
    reflections: tuple[int, int] = (4, 16)
    folder: str = ""
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check(
            self,
            "room",
            rt60_s=(0.05, 10),
            drr_db=(-15, 40),
            predelay_s=(0, 0.1),
            damping=(0.1, 1),
            reflections=(0, 100),
        )

    def draw(self, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
        """Draw the parameters of :func:`sfdata.rooms.synthetic_response`, or ``file`` and ``sha256``.

        Raises
        ------
        ValueError
            If there is a folder, but no rooms were given.
        """
        if self.folder:
            if not rooms:
                raise ValueError(f"sound.room: folder {self.folder!r}, but no rooms given; expected find_rooms(folder)")
            room = rooms[int(rng.integers(len(rooms)))]
            return {"file": room.name, "sha256": room.sha256}
        return {
            "rt60_s": round(float(np.exp(rng.uniform(*np.log(self.rt60_s)))), DECIMALS),
            "drr_db": _drawn(rng, self.drr_db),
            "predelay_s": _drawn(rng, self.predelay_s),
            "damping": _drawn(rng, self.damping),
            "reflections": int(rng.integers(*self.reflections, endpoint=True)),
            "seed": int(rng.integers(2**32)),
        }

    @staticmethod
    def response(drawn: Mapping[str, Any], sample_rate_hz: int, rooms: Rooms = ()) -> Samples:
        """Give the room's response, in which sound keeps its level on average.

        Raises
        ------
        ValueError
            If the room is a file that is not among `rooms`.
        """
        if "file" not in drawn:
            return synthetic_response(drawn, sample_rate_hz)
        given = list(rooms.values()) if isinstance(rooms, Mapping) else rooms
        found = [room for room in given if room.sha256 == drawn["sha256"]]
        if not found:
            raise ValueError(
                f"the record names room {drawn['file']}, sha256 {drawn['sha256'][:12]}…, which is not among the "
                f"{len(given)} given; expected the folder that it was drawn from"
            )
        return measured_response(found[0], sample_rate_hz)


@dataclass(frozen=True)
class EqSettings:
    """Instrument and microphone colour the sound: a tilt of the spectrum and two shelves, of minimum phase.

    Attributes
    ----------
    tilt_db_per_octave : (float, float)
        Range of the tilt about the pivot; above 0 is brighter.
    pivot_hz : float
        Where the tilt changes nothing.
    low_shelf_db, high_shelf_db : (float, float)
        Ranges of what is added far below, and far above, the shelf's corner.
    low_shelf_hz, high_shelf_hz : (float, float)
        Ranges of the corners.
    """

    tilt_db_per_octave: tuple[float, float] = (-1.5, 1.5)
    pivot_hz: float = 1000.0
    low_shelf_db: tuple[float, float] = (-3.0, 3.0)
    low_shelf_hz: tuple[float, float] = (80.0, 300.0)
    high_shelf_db: tuple[float, float] = (-3.0, 3.0)
    high_shelf_hz: tuple[float, float] = (2000.0, 6000.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check(
            self,
            "eq",
            tilt_db_per_octave=(-6, 6),
            low_shelf_db=(-24, 24),
            low_shelf_hz=(20, 2000),
            high_shelf_db=(-24, 24),
            high_shelf_hz=(500, 20000),
        )
        if not 20 <= self.pivot_hz <= 20000:
            raise ValueError(f"sound.eq: pivot_hz {self.pivot_hz}; expected 20 to 20000")

    def draw(self, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
        """Draw tilt and shelves."""
        return {
            "tilt_db_per_octave": _drawn(rng, self.tilt_db_per_octave),
            "pivot_hz": self.pivot_hz,
            "low_shelf_db": _drawn(rng, self.low_shelf_db),
            "low_shelf_hz": _drawn(rng, self.low_shelf_hz),
            "high_shelf_db": _drawn(rng, self.high_shelf_db),
            "high_shelf_hz": _drawn(rng, self.high_shelf_hz),
        }

    @staticmethod
    def response(drawn: Mapping[str, Any], sample_rate_hz: int, rooms: Rooms = ()) -> Samples:
        """Give the equaliser's response."""
        return equaliser_response(drawn, sample_rate_hz)


@dataclass(frozen=True)
class NoiseSettings:
    """There is noise in the background, from the first sample to the last.

    Attributes
    ----------
    snr_db : (float, float)
        Range of the sounding part's level above the noise's; see :func:`sounding_rms`.
    colours : tuple of str
        Of which one is drawn: keys of :data:`NOISE_DB_PER_OCTAVE`.
    """

    snr_db: tuple[float, float] = (20.0, 50.0)
    colours: tuple[str, ...] = ("white", "pink", "brown")
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "noise", snr_db=(-20, 120))
        _check_names(self, "noise", "colours", NOISE_DB_PER_OCTAVE)

    def draw(self, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
        """Draw ``snr_db``, ``colour`` and the noise's ``seed``."""
        snr_db = _drawn(rng, self.snr_db)
        colour = self.colours[int(rng.integers(len(self.colours)))]
        return {"snr_db": snr_db, "colour": colour, "seed": int(rng.integers(2**32))}

    @staticmethod
    def apply(blocks: Iterable[Samples], sample_rate_hz: int, drawn: Mapping[str, Any]) -> Iterable[Samples]:
        """Add noise whose level over the whole sound is exactly that asked for; silence stays silent."""
        noise = noise_blocks(sample_rate_hz, drawn["colour"], drawn["seed"])
        return add_noise(blocks, sample_rate_hz, drawn["snr_db"], noise)


@dataclass(frozen=True)
class GainSettings:
    """The recording is louder or softer.

    Attributes
    ----------
    db : (float, float)
        Range of the gain.
    """

    db: tuple[float, float] = (-6.0, 6.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "gain", db=(-60, 60))

    def draw(self, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
        """Draw ``db``."""
        return {"db": _drawn(rng, self.db)}

    @staticmethod
    def apply(blocks: Iterable[Samples], sample_rate_hz: int, drawn: Mapping[str, Any]) -> Iterable[Samples]:
        """Multiply."""
        factor = np.float32(10 ** (drawn["db"] / 20))
        return (block * factor for block in blocks)


@dataclass(frozen=True)
class ClippingSettings:
    """The recording is driven beyond what it can take.

    Attributes
    ----------
    level_db : (float, float)
        Range of the highest level that is left, relative to the sound's own peak.
    kinds : tuple of str
        Of which one is drawn: ``hard`` cuts off what lies above the level, ``soft`` bends towards it, leaving what
        is much softer as it is.
    """

    level_db: tuple[float, float] = (-6.0, 0.0)
    kinds: tuple[str, ...] = CLIPPING_KINDS
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "clipping", level_db=(-60, 0))
        _check_names(self, "clipping", "kinds", CLIPPING_KINDS)

    def draw(self, rng: np.random.Generator, rooms: Sequence[RoomFile] = ()) -> Record:
        """Draw ``level_db`` and ``kind``."""
        level_db = _drawn(rng, self.level_db)
        return {"level_db": level_db, "kind": self.kinds[int(rng.integers(len(self.kinds)))]}

    @staticmethod
    def apply(blocks: Iterable[Samples], sample_rate_hz: int, drawn: Mapping[str, Any]) -> Iterable[Samples]:
        """Clip, once the whole sound's peak is known."""
        return _clipped(blocks, drawn["level_db"], drawn["kind"])


def _clipped(blocks: Iterable[Samples], level_db: float, kind: str) -> Iterator[Samples]:
    with KeptSound() as kept:
        peak = 0.0
        for block in blocks:
            peak = max(peak, float(block.max(initial=0)), -float(block.min(initial=0)))
            kept.append(block)
        level = np.float32(peak * 10 ** (level_db / 20))
        for block in kept.drain():
            if not level:
                yield block
            elif kind == "hard":
                yield np.clip(block, -level, level)
            else:
                bent = block / level  # x / sqrt(1 + x²): square roots are the same on every machine, tanh is not
                np.square(bent, out=bent)
                bent += 1
                np.sqrt(bent, out=bent)
                yield np.divide(block, bent, out=bent)


FILTERS: dict[str, type[Filter]] = {"room": RoomSettings, "eq": EqSettings}
EFFECTS: dict[str, type[Effect]] = {
    "tuning": TuningSettings,
    "noise": NoiseSettings,
    "gain": GainSettings,
    "clipping": ClippingSettings,
}
_ORDER = ("tuning", "room", "eq", "noise", "gain", "clipping")  # that of the physical chain
OPERATIONS: dict[str, type[Operation]] = {name: (FILTERS | EFFECTS)[name] for name in _ORDER}
