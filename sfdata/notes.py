"""Note arrays: the one form in which notes travel through the package.

A note array is a NumPy structured array of dtype :data:`NOTE_DTYPE`, sorted by onset, then pitch.
Times are seconds (float64). ``source`` is the index of the note it came from, one step back along the
way of the data: in a voice, the piece's note; in a performance, the voice's note; -1 where there is none
(a note that was added).

Two grids touch time, and both are applied here and nowhere else:

* every step that writes MIDI rounds to :data:`TICK_S` (0.1 ms), so that going through a file changes nothing;
* FluidSynth lets events take effect every :data:`EVENT_GRID_SAMPLES` samples only, so what is rendered,
  and what is labelled, is the *snapped* time (:func:`snap_to_event_grid`).
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NoteArray = NDArray[np.void]

NOTE_DTYPE = np.dtype([("onset_s", "f8"), ("offset_s", "f8"), ("pitch", "u1"), ("velocity", "u1"), ("source", "i4")])
TICKS_PER_SECOND = 10_000
TICK_S = 1 / TICKS_PER_SECOND
EVENT_GRID_SAMPLES = 64
NOTE_COLUMNS = ("onset_s", "offset_s", "pitch", "velocity")


def make_notes(onset_s: object, offset_s: object, pitch: object, velocity: object, source: object = None) -> NoteArray:
    """Put columns together into a note array, sorted by onset and pitch.

    Parameters
    ----------
    onset_s, offset_s, pitch, velocity : array_like, shape (notes,)
    source : array_like of int, shape (notes,), optional
        Defaults to 0, 1, 2, … in the sorted order.

    Examples
    --------
    >>> make_notes([1.0, 0.0], [1.5, 0.9], [60, 64], [80, 80])["pitch"].tolist()
    [64, 60]
    """
    onsets = np.asarray(onset_s, dtype=np.float64)
    notes: NoteArray = np.empty(len(onsets), dtype=NOTE_DTYPE)
    notes["onset_s"], notes["offset_s"] = onsets, offset_s
    notes["pitch"], notes["velocity"] = pitch, velocity
    notes["source"] = -1 if source is None else source
    notes = notes.take(np.lexsort((notes["offset_s"], notes["pitch"], notes["onset_s"])))
    if source is None:
        notes["source"] = np.arange(len(notes))
    return notes


def copy_notes(notes: NoteArray, **columns: object) -> NoteArray:
    """Copy notes, with some columns replaced; their order stays as it is.

    Bytes are copied as such: NumPy copies packed records field by field, which takes twenty times as long.

    Examples
    --------
    >>> notes = make_notes([0.0, 1.0], [0.5, 1.5], [60, 62], [80, 80])
    >>> copy_notes(notes, velocity=64)["velocity"].tolist(), notes["velocity"].tolist()
    ([64, 64], [80, 80])
    """
    copied: NoteArray = np.ascontiguousarray(notes).view(np.uint8).copy().view(notes.dtype)
    for name, values in columns.items():
        copied[name] = values
    return copied


def round_to_ticks(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round seconds to the 0.1 ms grid on which MIDI is written.

    Examples
    --------
    >>> round_to_ticks(np.array([0.12346, 2.0])).tolist()
    [0.1235, 2.0]
    """
    return np.rint(np.asarray(time_s, dtype=np.float64) * TICKS_PER_SECOND) / TICKS_PER_SECOND


def event_grid_samples(notes: NoteArray, sample_rate_hz: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sample positions, all multiples of 64, at which a performance's notes are switched on and off.

    Every note sounds for at least one grid step.

    Returns
    -------
    on, off : ndarray of int64, shape (notes,)
    """
    steps_per_s = sample_rate_hz / EVENT_GRID_SAMPLES
    on = np.floor(notes["onset_s"] * steps_per_s + 0.5).astype(np.int64)
    off = np.floor(notes["offset_s"] * steps_per_s + 0.5).astype(np.int64)
    return on * EVENT_GRID_SAMPLES, np.maximum(off, on + 1) * EVENT_GRID_SAMPLES


def snap_to_event_grid(notes: NoteArray, sample_rate_hz: int) -> NoteArray:
    """Return the notes with the times at which FluidSynth really switches them.

    Snapping is idempotent, moves an onset by at most 32 samples (1.45 ms at 22,050 Hz), and is what labels
    are made from.

    Examples
    --------
    >>> notes = make_notes([0.5], [0.9], [60], [80])
    >>> snapped = snap_to_event_grid(notes, 22050)
    >>> (snapped["onset_s"] * 22050 % 64).tolist()
    [0.0]
    """
    on, off = event_grid_samples(notes, sample_rate_hz)
    return copy_notes(notes, onset_s=on / sample_rate_hz, offset_s=off / sample_rate_hz)


def is_monophonic(notes: NoteArray) -> bool:
    """Whether no note begins before the one before it has ended.

    Examples
    --------
    >>> is_monophonic(make_notes([0, 1], [1, 2], [60, 62], [80, 80]))
    True
    >>> is_monophonic(make_notes([0, 1], [1.1, 2], [60, 62], [80, 80]))
    False
    """
    return bool(np.all(notes["onset_s"][1:] >= notes["offset_s"][:-1]) and np.all(np.diff(notes["onset_s"]) > 0))


def write_notes_csv(path: Path, notes: NoteArray) -> None:
    """Write ``onset_s,offset_s,pitch,velocity``, one row a note, times in microseconds' precision."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NOTE_COLUMNS)
        for note in notes:
            writer.writerow(
                [f"{note['onset_s']:.6f}", f"{note['offset_s']:.6f}", int(note["pitch"]), int(note["velocity"])]
            )


def read_notes_csv(path: Path) -> NoteArray:
    """Read what :func:`write_notes_csv` wrote (other columns are ignored).

    Raises
    ------
    ValueError
        If a column is missing or a value is no number in its range.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in NOTE_COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise ValueError(f"{path}: no column {', '.join(missing)}; expected {','.join(NOTE_COLUMNS)}")
        try:
            rows = [
                (float(row["onset_s"]), float(row["offset_s"]), int(row["pitch"]), int(row["velocity"]))
                for row in reader
            ]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: row {reader.line_num} cannot be read as a note: {error}") from None
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    bad = ~np.isfinite(columns).all(1) | (columns[:, 2:] < 0).any(1) | (columns[:, 2:] > 127).any(1)
    bad |= columns[:, 1] < columns[:, 0]
    if bad.any():
        raise ValueError(
            f"{path}: row {int(np.flatnonzero(bad)[0]) + 2} is {columns[bad][0].tolist()}; expected finite times "
            "with offset_s >= onset_s, and pitch and velocity within 0..127"
        )
    return make_notes(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3])
