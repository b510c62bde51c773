"""Sets shaped like MAPS's isolated notes, from any soundfont: the material of the paper's first experiments, for all.

Folders, names, annotations and playing styles are those of MAPS (see :mod:`sfdata.maps`):

=====  =================================================================================================================
NO     one note of 2 s
LG     one long note: 20 s at the lowest key, 3 s at the highest, in between by a straight line
ST     one note of 0.1 s
RE     fifteen strokes of one key, faster and faster: 0.45 s apart at first, 0.1 s at the end
CH     chromatic scale up and down, with notes of 0.05, 0.1 and 0.3 s
TR1/2  trill with the key a semitone or two above: 24 notes of 0.1 s
=====  =================================================================================================================

As in MAPS, NO, LG and ST hold every key once for each loudness, with or without pedal by lot; RE and the trills hold a
quarter of the keys, drawn; the pedal goes down 0.2 s before the first note and up 0.2 s after the last. Names, lengths
of LG, number of RE's strokes and the pedal's times were taken from MAPS itself; the length of ST, the tempo of RE and
the trills, and the velocities are ours: P 20 to 44, M 45 to 82 (as nine of MAPS's notes marked M), F 83 to 112.

What is drawn depends on the seed and an item's name alone, so sets of two instruments play the very same. Times are
whole steps of FluidSynth's grid: the annotations say to the sample when it sounds.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.maps import next_stroke
from sfdata.maps_names import LOUDNESS, STYLES
from sfdata.midi import PIANO_PITCHES
from sfdata.notes import NoteArray, make_notes
from sfdata.render import AUDIO_FORMATS

VELOCITIES = {"P": (20, 44), "M": (45, 82), "F": (83, 112)}
PEDALS: dict[str, Callable[[int], tuple[int, ...]]] = {
    "drawn": lambda drawn: (drawn,),
    "off": lambda drawn: (0,),
    "on": lambda drawn: (1,),
    "both": lambda drawn: (0, 1),
}
DRAWN_SHARE = 0.25
START_S, PEDAL_LEAD_S = 0.5, 0.2
NORMAL_S, STACCATO_S, LONG_S = 2.0, 0.1, (20.0, 3.0)
REPEATS, REPEAT_S, REPEAT_HELD = 15, (0.45, 0.1), 0.75
TRILL_NOTES, TRILL_S = 24, 0.1


@dataclass(frozen=True)
class IsolSettings:
    """What a set holds.

    Attributes
    ----------
    subsets : tuple of str
        Playing styles.
    loudness : tuple of str
        Some of P, M and F.
    pedal : {"drawn", "off", "on", "both"}
        Of single notes and trills; chromatic scales have none.
    pitches : (int, int)
        Lowest and highest key, as MIDI pitches.
    durations_s : tuple of float
        Of the notes of chromatic scales, one scale each.
    seed : int
    sample_rate_hz : int
    audio_format : {"wav", "flac"}
    """

    subsets: tuple[str, ...] = STYLES
    loudness: tuple[str, ...] = LOUDNESS
    pedal: str = "drawn"
    pitches: tuple[int, int] = PIANO_PITCHES
    durations_s: tuple[float, ...] = (0.05, 0.1, 0.3)
    seed: int = 0
    sample_rate_hz: int = 44100
    audio_format: str = "wav"

    def __post_init__(self) -> None:
        for key, values, known in (
            ("subsets", self.subsets, STYLES),
            ("loudness", self.loudness, LOUDNESS),
            ("pedal", (self.pedal,), PEDALS),
            ("audio_format", (self.audio_format,), AUDIO_FORMATS),
        ):
            wrong = [value for value in values if value not in known]
            if wrong or not values or len(set(values)) != len(values):
                raise ValueError(f"isol: {key} {', '.join(values) or 'none'}; expected some of {', '.join(known)}")
        low, high = self.pitches
        if not PIANO_PITCHES[0] <= low <= high <= PIANO_PITCHES[1]:
            raise ValueError(f"isol: pitches {low}-{high}; expected two from 21 to 108, the lower first")
        if not self.durations_s or not all(0.01 <= duration <= 10 for duration in self.durations_s):
            raise ValueError(f"isol: durations_s {list(self.durations_s)}; expected seconds from 0.01 to 10")
        if self.seed < 0 or not 8000 <= self.sample_rate_hz <= 96000 or self.sample_rate_hz % 4:
            raise ValueError(
                f"isol: seed {self.seed}, sample_rate_hz {self.sample_rate_hz}; expected a seed of 0 or more and a "
                "rate from 8000 to 96000 that divides by 4"
            )


def pitch_range(text: str) -> tuple[int, int]:
    """Read a range of MIDI pitches, such as 21-108, or a single one.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> pitch_range("21-108"), pitch_range("60")
    ((21, 108), (60, 60))
    """
    low, _, high = text.partition("-")
    try:
        return int(low), int(high or low)
    except ValueError:
        raise ValueError(f"isol: pitches {text!r}; expected a range such as 21-108") from None


def draw_items(settings: IsolSettings) -> list[dict[str, Any]]:
    """Draw what a set holds: style, loudness, pedal, pitch (or a scale's range and duration) and velocity of each item.

    Returns
    -------
    list of dict
        JSON-able; ``music`` is the item's name without ``MAPS_`` and without the instrument.

    Examples
    --------
    >>> draw_items(IsolSettings(subsets=("CH",), loudness=("F",), durations_s=(0.1,), pitches=(60, 72)))
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'music': 'ISOL_CH0.1_F', 'style': 'CH', 'loudness': 'F', 'pedal': 0, 'pitches': [60, 72], 'duration_s': 0.1,
    'velocity': 100}]
    """
    items: list[dict[str, Any]] = []
    low, high = settings.pitches
    for style in settings.subsets:
        for loudness in settings.loudness:
            if style == "CH":
                for duration_s in settings.durations_s:
                    music = f"ISOL_CH{duration_s:g}_{loudness}"
                    drawn = {"pitches": [low, high], "duration_s": duration_s}
                    velocity = _velocity(_generator(settings.seed, music), loudness)
                    items.append(
                        {
                            "music": music,
                            "style": style,
                            "loudness": loudness,
                            "pedal": 0,
                            **drawn,
                            "velocity": velocity,
                        }
                    )
                continue
            pitches = np.arange(low, min(high, PIANO_PITCHES[1] - _interval(style)) + 1)
            if style in ("RE", "TR1", "TR2") and len(pitches):
                count = max(1, round(DRAWN_SHARE * len(pitches)))
                pitches = np.sort(_generator(settings.seed, f"{style}_{loudness}").permutation(pitches)[:count])
            for pitch in pitches.tolist():
                rng = _generator(settings.seed, f"{style}_{loudness}_M{pitch}")
                pedals = PEDALS[settings.pedal](int(rng.integers(2)))
                velocity = _velocity(rng, loudness)
                items += [
                    {
                        "music": f"ISOL_{style}_{loudness}_S{pedal}_M{pitch}",
                        "style": style,
                        "loudness": loudness,
                        "pedal": pedal,
                        "pitch": pitch,
                        "velocity": velocity,
                    }
                    for pedal in pedals
                ]
    return items


def item_keys(item: dict[str, Any]) -> tuple[NoteArray, tuple[float, float] | None]:
    """When an item's keys are struck and lifted, and when the pedal goes down and up, if it does; in seconds.

    Examples
    --------
    >>> keys, pedal = item_keys({"style": "NO", "pedal": 1, "pitch": 60, "velocity": 70})
    >>> keys["onset_s"].tolist(), keys["offset_s"].tolist(), [round(time_s, 6) for time_s in pedal]
    ([0.7], [2.7], [0.5, 2.9])
    """
    onset, held, pitch = _STYLES[item["style"]](item)
    begin_s = START_S + item["pedal"] * PEDAL_LEAD_S
    onset = begin_s + onset
    keys = make_notes(onset, onset + held, pitch, np.full(len(onset), item["velocity"]))
    return keys, (START_S, float(keys["offset_s"].max()) + PEDAL_LEAD_S) if item["pedal"] else None


def sounding(keys: NoteArray, pedal: tuple[float, float] | None) -> NoteArray:
    """Notes as they sound: the pedal keeps each until its release, or until the key is struck again."""
    notes = keys.copy()
    if pedal:
        notes["offset_s"] = np.minimum(pedal[1], next_stroke(notes["onset_s"], notes["pitch"].astype(np.int64)))
    return notes


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, int(hashlib.sha256(name.encode()).hexdigest()[:16], 16)])


def _velocity(rng: np.random.Generator, loudness: str) -> int:
    return int(rng.integers(*VELOCITIES[loudness], endpoint=True))


def _interval(style: str) -> int:
    return {"TR1": 1, "TR2": 2}.get(style, 0)


_Keys = tuple[NDArray[np.floating], NDArray[np.floating] | float, NDArray[np.int64]]  # onset, held, pitch


def _single(item: dict[str, Any], held_s: float) -> _Keys:
    return np.zeros(1), held_s, np.array([item["pitch"]])


def _long(item: dict[str, Any]) -> _Keys:
    low, high = PIANO_PITCHES
    return _single(item, LONG_S[0] + (LONG_S[1] - LONG_S[0]) * (item["pitch"] - low) / (high - low))


def _repeated(item: dict[str, Any]) -> _Keys:
    apart = np.linspace(*REPEAT_S, REPEATS)
    return np.cumsum(apart) - apart, REPEAT_HELD * apart, np.full(REPEATS, item["pitch"])


def _scale(item: dict[str, Any]) -> _Keys:
    low, high = item["pitches"]
    pitch = np.concatenate([np.arange(low, high + 1), np.arange(high - 1, low - 1, -1)])
    onset = np.arange(len(pitch)) * float(item["duration_s"])
    return onset, float(item["duration_s"]), pitch


def _trill(item: dict[str, Any]) -> _Keys:
    number = np.arange(TRILL_NOTES)
    return number * TRILL_S, TRILL_S, item["pitch"] + number % 2 * _interval(item["style"])


_STYLES: dict[str, Callable[[dict[str, Any]], _Keys]] = {
    "NO": lambda item: _single(item, NORMAL_S),
    "LG": _long,
    "ST": lambda item: _single(item, STACCATO_S),
    "RE": _repeated,
    "CH": _scale,
    "TR1": _trill,
    "TR2": _trill,
}
