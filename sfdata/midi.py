"""MIDI in and out: files become pieces with exact note times, or are refused with a reason."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray

from sfdata.naming import PieceName, parse_name
from sfdata.notes import TICKS_PER_SECOND, NoteArray, make_notes, round_to_ticks

MAX_FILE_BYTES = 64 * 2**20
MAX_NOTES = 1_000_000
MAX_DURATION_S = 4 * 3600.0
PIANO_PITCHES = (21, 108)
_DEFAULT_MICROSECONDS_PER_QUARTER = 500_000
_WRITTEN_TICKS_PER_QUARTER = TICKS_PER_SECOND // 2  # at 120 quarters a minute, MIDI's default


@dataclass(frozen=True)
class MidiSettings:
    """How a MIDI file becomes a piece.

    Attributes
    ----------
    lead_in_s : float
        The first note is moved here; the silence before it is cut, or made.
    pedal : bool
        Whether the sustain pedal (CC64) lengthens notes.
    """

    lead_in_s: float = 0.5
    pedal: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.lead_in_s <= 60:
            raise ValueError(f"midi: lead_in_s {self.lead_in_s}; expected 0 to 60")


@dataclass(frozen=True)
class Piece:
    """One source file: its notes and facts.

    Attributes
    ----------
    name : PieceName
    file : str
        File name, without its folder.
    sha256 : str
        Of the file.
    notes : NoteArray
        Sorted by onset and pitch; ``source`` is 0, 1, 2, …
    cut_s : float
        Time in the file = time in `notes` + `cut_s`.
    """

    name: PieceName
    file: str
    sha256: str
    notes: NoteArray
    cut_s: float

    def notes_in_file(self) -> NoteArray:
        """A copy of the notes at their times in the file, rounded to 0.1 ms."""
        notes = self.notes.copy()
        for column in ("onset_s", "offset_s"):
            notes[column] = round_to_ticks(notes[column] + self.cut_s)
        return notes


def find_midi(paths: list[Path]) -> list[Path]:
    """MIDI files among files and (recursively) folders, sorted within each folder.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or a folder holds no MIDI file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"no MIDI file or folder at {path}")
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in (".mid", ".midi"))
            if not inside:
                raise FileNotFoundError(f"no .mid or .midi file in folder {path}")
            found.extend(inside)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def read_piece(path: Path, settings: MidiSettings | None = None) -> Piece:
    """Read a MIDI file as a piece for piano.

    All tracks but drums are taken together. Leading silence is replaced by ``lead_in_s``. Notes off the piano's
    keyboard and notes of no length are left out. Of two notes of one key that overlap, each note-off ends the
    earlier one (transcriptions often strike a key some milliseconds before they lift it), and the earlier one
    ends where the key is struck again.

    Raises
    ------
    ValueError
        If the file is corrupt, empty, for drums only, or absurd (too large, too long, mostly off the keyboard).

    Notes
    -----
    Times come from ticks and the tempo map in float64, rounded to 0.1 ms.
    """
    settings = settings or MidiSettings()
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"file has {size} bytes; expected a MIDI file of at most {MAX_FILE_BYTES}")
    data = path.read_bytes()
    score = _parse(data)
    if not any(len(track.notes) for track in score.tracks):
        raise ValueError("holds no notes")
    tracks = [track for track in score.tracks if not track.is_drum and len(track.notes)]
    if not tracks:
        raise ValueError("holds drums only; expected notes on a channel other than 10")
    seconds = _tick_clock(score)
    columns = [_track_notes(track, seconds, settings.pedal) for track in tracks]
    onset, offset, pitch, velocity = (np.concatenate([part[i] for part in columns]) for i in range(4))
    onset, offset = round_to_ticks(onset), round_to_ticks(offset)
    offset = np.minimum(offset, _next_stroke(onset, pitch))
    sounding = (offset > onset) & (velocity > 0)
    on_keyboard = (pitch >= PIANO_PITCHES[0]) & (pitch <= PIANO_PITCHES[1])
    kept = sounding & on_keyboard
    if on_keyboard.mean() < 0.9:
        raise ValueError(
            f"{1 - on_keyboard.mean():.0%} of the notes lie off the piano's keyboard (MIDI pitches 21-108)"
        )
    if not kept.any():
        raise ValueError("holds no note of any length")
    if kept.sum() > MAX_NOTES:
        raise ValueError(f"holds {kept.sum()} notes; expected at most {MAX_NOTES}")
    cut_s = float(round_to_ticks(onset[kept].min() - settings.lead_in_s))
    onset, offset = round_to_ticks(onset[kept] - cut_s), round_to_ticks(offset[kept] - cut_s)
    if offset.max() > MAX_DURATION_S:
        raise ValueError(f"lasts {offset.max() / 3600:.1f} hours; expected at most {MAX_DURATION_S / 3600:.0f}")
    return Piece(
        name=parse_name(printable(path.stem)),
        file=printable(path.name),
        sha256=hashlib.sha256(data).hexdigest(),
        notes=make_notes(onset, offset, pitch[kept], velocity[kept]),
        cut_s=cut_s,
    )


def printable(name: str) -> str:
    """A file's name as valid Unicode: bytes that are none (names from other systems) become replacement marks."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_midi_notes(path: Path) -> NoteArray:
    """Read the notes of a MIDI file at their own times, rounded to 0.1 ms, without drums.

    As in :func:`read_piece` a note ends where its key is struck again; leading silence stays.

    Raises
    ------
    ValueError
        If the file is corrupt or empty.
    """
    score = _parse(path.read_bytes())
    seconds = _tick_clock(score)
    tracks = [track for track in score.tracks if not track.is_drum and len(track.notes)]
    columns = [_track_notes(track, seconds, pedal=False) for track in tracks]
    if not columns:
        raise ValueError(f"{path} holds no notes but drums, if any")
    onset, offset, pitch, velocity = (np.concatenate([part[i] for part in columns]) for i in range(4))
    onset, offset = round_to_ticks(onset), round_to_ticks(offset)
    offset = np.minimum(offset, _next_stroke(onset, pitch))
    sounding = offset > onset
    return make_notes(onset[sounding], offset[sounding], pitch[sounding], velocity[sounding])


def write_midi(path: Path, notes: NoteArray, name: str = "") -> None:
    """Write notes as MIDI with ticks of 0.1 ms (5000 a quarter at 120 quarters a minute)."""
    score: Any = symusic.Score(_WRITTEN_TICKS_PER_QUARTER)
    score.tempos.append(symusic.Tempo(0, mspq=_DEFAULT_MICROSECONDS_PER_QUARTER))
    on = np.rint(notes["onset_s"] * TICKS_PER_SECOND).astype(np.int32)
    duration = np.rint(notes["offset_s"] * TICKS_PER_SECOND).astype(np.int32) - on
    track: Any = symusic.Track(name=name, program=0, is_drum=False)
    track.notes = symusic.Note.from_numpy(
        on, np.maximum(duration, 1), notes["pitch"].astype(np.int8), notes["velocity"].astype(np.int8)
    )
    score.tracks.append(track)
    path.write_bytes(score.dumps_midi())


def read_tempos(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the tempo map of a MIDI file; 120 quarters a minute where it tells none.

    Returns
    -------
    start_s : ndarray of float64, shape (tempos,)
        Where in the file each tempo begins; the first is 0.
    quarters_per_s : ndarray of float64, shape (tempos,)

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    score = _parse(path.read_bytes())
    clock = _tick_clock(score)
    return clock.start_s, 1 / (clock.rate * score.tpq)


def _parse(data: bytes) -> Any:
    if data[:4] not in (b"MThd", b"RIFF"):
        raise ValueError(f"is no MIDI file: begins with {data[:4]!r}, expected b'MThd'")
    try:
        score: Any = symusic.Score.from_midi(data, sanitize_data=True)
    except Exception as error:  # symusic raises RuntimeError for most, other types for some damage
        raise ValueError(f"is a damaged MIDI file: {' '.join(str(error).split())[:200]}") from None
    if score.tpq <= 0 or score.tpq >= 0x8000:
        raise ValueError(f"counts time in {score.tpq} ticks a quarter; expected 1 to 32767 (SMPTE time is not read)")
    return score


class _TickClock:
    """Turns ticks into seconds by the tempo map."""

    def __init__(self, tick: NDArray[np.float64], microseconds: NDArray[np.float64], ticks_per_quarter: int) -> None:
        self.tick, self.rate = tick, microseconds / 1e6 / ticks_per_quarter
        self.start_s = np.concatenate([[0.0], np.cumsum(np.diff(tick) * self.rate[:-1])])

    def __call__(self, tick: NDArray[np.integer]) -> NDArray[np.float64]:
        segment = np.searchsorted(self.tick, tick, side="right") - 1
        return np.asarray(self.start_s[segment] + (tick - self.tick[segment]) * self.rate[segment])


def _tick_clock(score: Any) -> _TickClock:
    changes = {0: _DEFAULT_MICROSECONDS_PER_QUARTER}
    for tempo in sorted(score.tempos, key=lambda change: change.time):
        if tempo.mspq > 0:
            changes[max(0, tempo.time)] = tempo.mspq
    ticks = np.array(sorted(changes), dtype=np.float64)
    return _TickClock(ticks, np.array([changes[int(tick)] for tick in ticks], dtype=np.float64), score.tpq)


def _track_notes(track: Any, seconds: _TickClock, pedal: bool) -> tuple[NDArray[Any], ...]:
    columns = track.notes.numpy()
    on, off = columns["time"].astype(np.int64), columns["time"].astype(np.int64) + columns["duration"]
    pitch, velocity = columns["pitch"].astype(np.int64), columns["velocity"].astype(np.int64)
    if pedal:
        off = _hold(on, off, pitch, *_pedal_intervals(track))
    return seconds(on), seconds(off), pitch, velocity


def _pedal_intervals(track: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ticks at which the sustain pedal (CC64, down from 64 on) goes down and up again."""
    controls = track.controls.numpy()
    chosen = controls["number"] == 64
    order = np.argsort(controls["time"][chosen], kind="stable")
    time, down = controls["time"][chosen][order].astype(np.int64), controls["value"][chosen][order] >= 64
    before = np.concatenate([[False], down[:-1]]) if len(down) else down
    pressed, released = time[down & ~before], time[~down & before]
    if len(pressed) > len(released):  # never lifted: it ends with the track
        released = np.append(released, max(int(track.end()), int(pressed[-1])))
    return pressed, released


def _hold(
    on: NDArray[np.int64],
    off: NDArray[np.int64],
    pitch: NDArray[np.int64],
    pressed: NDArray[np.int64],
    released: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Lengthen notes that end while the pedal is down to its release, or to the next stroke of the same key."""
    if not len(pressed):
        return off
    interval = np.searchsorted(pressed, off, side="right") - 1
    held = (interval >= 0) & (off < released[interval])
    longer = np.where(held, released[interval], off)
    return np.maximum(off, np.minimum(longer, _next_stroke(on, pitch)))


def _next_stroke(on: NDArray[Any], pitch: NDArray[np.int64]) -> NDArray[Any]:
    """For each note, when the same key is struck next; the largest number there is where it never is."""
    order = np.lexsort((on, pitch))
    never = np.inf if on.dtype.kind == "f" else np.iinfo(on.dtype).max
    following = np.full(len(on), never, dtype=on.dtype)
    same_key = pitch[order][1:] == pitch[order][:-1]
    following[order[:-1][same_key]] = on[order][1:][same_key]
    return following
