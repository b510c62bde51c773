"""Pairs of a store to look at and to listen to: drawn from a seed, their sound made again from what is recorded."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from sfdata.blocks import Samples
from sfdata.plot import PairSide, cut_pair
from sfdata.rerender import RecordedError, Rerenderer
from sfdata.store import Store

FULL_SCALE = 1 - 2**-15
LISTED_VALUES = 6
UNITS = {"s": "s", "db": "dB", "hz": "Hz", "cents": "cents"}
ALIKE = 0.999  # what other versions of FluidSynth make correlates better than this


@dataclass(frozen=True)
class HeardSide:
    """One side of a pair, with its sound where that could be made.

    Attributes
    ----------
    cut : PairSide
    instrument : str
    seconds : float
        Its length.
    flac : bytes
        Its sound, beginning with the first frame's centre; empty where there is none.
    factor : float
        By which the sound is turned down so that it does not clip.
    likeness : float
        Correlation of the sound's spectrogram with the stored one; 1 only where every value is the same.
    silent : str
        Why there is no sound.
    """

    cut: PairSide
    instrument: str
    seconds: float
    flac: bytes = b""
    factor: float = 1.0
    likeness: float = 0.0
    silent: str = ""

    @property
    def faithful(self) -> bool:
        """Whether the sound is what the stored spectrogram was made of."""
        return bool(self.flac) and self.likeness >= ALIKE


@dataclass(frozen=True)
class HeardPair:
    """A pair to look at and to listen to.

    Attributes
    ----------
    row : int
        Of the table of pairs.
    piece : int
        Row of pieces.
    reference, snippet : HeardSide
    performance : list of (str, str)
        What was drawn for the snippet's notes: operation, and its parameters in words.
    sound : list of (str, str)
        What was drawn for the snippet's sound, likewise.
    note : list of (str, str, str)
        The note in question: what of it, in the score, in the snippet.
    """

    row: int
    piece: int
    reference: HeardSide
    snippet: HeardSide
    performance: list[tuple[str, str]]
    sound: list[tuple[str, str]]
    note: list[tuple[str, str, str]]


def draw_pairs(store: Store, count: int, seed: int) -> NDArray[np.int64]:
    """Draw pairs, from as many pieces as there are.

    Parameters
    ----------
    store : Store
    count : int
        How many, at most.
    seed : int

    Returns
    -------
    ndarray of int64, shape (pairs,)
        Rows of the table of pairs, ascending.
    """
    drawn = np.random.default_rng(seed).permutation(store.rows("pairs")).astype(np.int64)
    piece = store.pair_pieces(drawn)
    by_piece = np.argsort(piece, kind="stable")
    _, first, counts = np.unique(piece[by_piece], return_index=True, return_counts=True)
    turn = np.empty(len(drawn), dtype=np.int64)  # how many of its piece were drawn before
    turn[by_piece] = np.arange(len(drawn)) - np.repeat(first, counts)
    return np.sort(drawn[np.argsort(turn, kind="stable")[:count]])


def hear_pair(store: Store, row: int, rerenderer: Rerenderer | None, reason: str = "") -> HeardPair:
    """Cut a pair out of the store and make its sound again.

    Parameters
    ----------
    store : Store
    row : int
        Of the table of pairs.
    rerenderer : Rerenderer or None
        Of this store; without one there is no sound, for `reason`.

    Raises
    ------
    ValueError
        If there is no such pair, or what it needs of the store is damaged; not where only sound cannot be made.
    """
    reference, snippet = (_heard(store, cut, rerenderer, reason) for cut in cut_pair(store, row))
    performances = [int(store.renditions["performance"][side.cut.rendition]) for side in (reference, snippet)]
    return HeardPair(
        row,
        int(store.performances["piece"][performances[0]]),
        reference,
        snippet,
        drawn_text(json.loads(store.performances["augmentation"][performances[1]])),
        drawn_text(json.loads(store.renditions["sound"][snippet.cut.rendition])),
        _note_text(store, row, performances[0]),
    )


def _heard(store: Store, cut: PairSide, rerenderer: Rerenderer | None, reason: str) -> HeardSide:
    name, preset = (str(store.instruments[column][cut.instrument]) for column in ("name", "preset"))
    instrument = f"{name} ({preset})" if preset else name
    seconds = len(cut.frames) / store.spectrogram.frame_rate_hz
    if rerenderer is None:
        return HeardSide(cut, instrument, seconds, silent=reason)
    try:
        excerpt = rerenderer.excerpt(cut.rendition, cut.start_frame, len(cut.frames))
    except RecordedError:
        silent = f"{name} was recorded: the store holds the recording's spectrogram, not its sound."
        return HeardSide(cut, instrument, seconds, silent=silent)
    except (ValueError, OSError, ImportError) as error:
        return HeardSide(cut, instrument, seconds, silent=f"The sound cannot be made again here: {error}")
    flac, factor = flac_bytes(excerpt.samples, store.spectrogram.sample_rate_hz)
    made = excerpt.frames.astype(store.frames.dtype).astype(float)
    return HeardSide(cut, instrument, seconds, flac, factor, _likeness(made, cut.frames))


def _likeness(made: NDArray[np.floating], stored: NDArray[np.floating]) -> float:
    if np.array_equal(made, stored):
        return 1.0
    if made.std() == 0 or stored.std() == 0:
        return 0.0
    return min(float(np.corrcoef(made.ravel(), stored.ravel())[0, 1]), float(np.nextafter(1, 0)))


def flac_bytes(samples: Samples, sample_rate_hz: int) -> tuple[bytes, float]:
    """Encode sound as FLAC of 16 bits, turned down where it would clip; the same sound gives the same bytes.

    Returns
    -------
    flac : bytes
    factor : float
        By which it was turned down: 1 where it was not.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    factor = 1.0 if peak <= FULL_SCALE else FULL_SCALE / peak
    buffer = io.BytesIO()
    soundfile.write(buffer, samples * np.float32(factor), sample_rate_hz, "PCM_16", format="FLAC")
    return buffer.getvalue(), factor


def drawn_text(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what a record of augmentation, or of sound, holds: operation, and its parameters in words.

    Examples
    --------
    >>> drawn_text({"operations": [{"operation": "tempo", "factor": 0.836691}, {"operation": "trills", "trills": []}]})
    [('tempo', 'factor 0.8367'), ('trills', 'none')]
    >>> drawn_text({"operations": [{"operation": "jitter", "ticks": [96, -44, 3, 8, 1, 2, 7]}]})
    [('jitter', 'ticks: 7 values from -44 to 96')]
    >>> drawn_text({"operations": [{"operation": "room", "rt60_s": 0.62, "file": "hall.wav"}]})
    [('room', 'rt60 0.62 s; file hall.wav')]
    """
    rows = []
    for drawn in record.get("operations", ()):
        parameters = {key: value for key, value in drawn.items() if key != "operation"}
        if parameters and all(isinstance(value, list) and not value for value in parameters.values()):
            told = "none"
        else:
            told = "; ".join(_parameter(key, value) for key, value in parameters.items() if value is not None)
        rows.append((str(drawn.get("operation", "?")).replace("_", " "), told or "as it is"))
    return rows


def _parameter(key: str, value: Any) -> str:
    stem, _, unit = key.rpartition("_")
    if unit in UNITS and not isinstance(value, list):
        return f"{stem.replace('_', ' ')} {_plain(value)} {UNITS[unit]}".strip()
    name = key.replace("_", " ")
    if isinstance(value, bool):
        return name if value else f"not {name}"
    if not isinstance(value, list):
        return f"{name} {_plain(value)}"
    flat = list(_flat(value))
    if len(flat) <= LISTED_VALUES:
        return f"{name}: {', '.join(map(_plain, value)) or 'none'}"
    if all(isinstance(item, int | float) for item in value):
        return f"{name}: {len(value)} values from {_plain(min(value))} to {_plain(max(value))}"
    return f"{name}: {len(value)}, the first {_plain(value[0])}"


def _flat(value: Any) -> Iterator[Any]:
    for item in value:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"({', '.join(map(_plain, value))})" if isinstance(value, list) else str(value)


def _note_text(store: Store, row: int, score: int) -> list[tuple[str, str, str]]:
    """The snippet's note, and the one of the reference that it came from."""
    played = {name: values[int(store.pairs["note"][row])] for name, values in store.notes.items()}
    held = store.performance_notes(score)
    at = np.flatnonzero(held["source"] == played["source"])
    written = {name: values[at[0]] for name, values in held.items()} if len(at) and played["source"] >= 0 else None
    texts: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("pitch", lambda note: f"{_pitch_name(int(note['pitch']))} ({note['pitch']})"),
        ("length", lambda note: f"{note['offset_s'] - note['onset_s']:.3f} s"),
        ("velocity", lambda note: str(note["velocity"])),
        ("onset in its performance", lambda note: f"{note['onset_s']:.3f} s"),
    ]
    return [(name, tell(written) if written else "–", tell(played)) for name, tell in texts]


def _pitch_name(pitch: int) -> str:
    return f"{('C', 'C♯', 'D', 'E♭', 'E', 'F', 'F♯', 'G', 'A♭', 'A', 'B♭', 'B')[pitch % 12]}{pitch // 12 - 1}"
