"""Aligning files: rows for every onset, the reference's MIDI as it was played, a picture of the path."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.files import check_different, check_folder_of, write_atomically
from sfdata.notes import round_to_ticks
from sfdata.side import MIDI_SUFFIXES, SCORE_VELOCITY, read_side, side_notes
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfmodel.aligning import Aligned, align, alignment_rows, write_alignment
from sfmodel.evidence import LEARNED, open_evidence

EVERY_S = 0.1  # rows of a reference that is sound
TOGETHER_S = 0.01  # notes that begin within less are one onset
EARLY_S = 0.05  # a first note that is found so much before the sound begins, begins with it
MOST_SHOWN = 62  # characters of a name in the picture


def align_files(
    reference: Path,
    performance: Path,
    output: Path,
    midi: Path | None = None,
    picture: Path | None = None,
    evidence: str | Path = LEARNED,
    soundfont: str = DEFAULT_INSTRUMENT,
) -> dict[str, Any]:
    """Align two files and write what was found.

    Parameters
    ----------
    reference, performance : Path
        MIDI or sound.
    output : Path
        ``performance_time_s,score_time_s``: a row for every onset of a MIDI reference, ten a second for sound.
    midi : Path, optional
        The reference's notes at the times at which they were played; needs a MIDI reference.
    picture : Path, optional
        A PNG of the path.
    evidence : str or Path
        See :func:`sfmodel.evidence.open_evidence`.
    soundfont : str
        Plays MIDI.

    Returns
    -------
    dict
        ``alignment``, ``rows``, ``performance_s``, ``reference_s``, and ``midi`` and ``picture`` where written.

    Raises
    ------
    FileNotFoundError
        If a file, or a folder to write into, is not there.
    ValueError
        If a file cannot be read, or two are the same; if a MIDI file is to be written of a reference that is sound; if
        the performance is found nowhere in the reference. Then nothing is written.
    """
    is_midi = reference.suffix.lower() in MIDI_SUFFIXES
    if midi is not None and not is_midi:
        raise ValueError(f"{reference} is sound; only of a MIDI reference can the notes be written as they were played")
    written = {"the alignment": output, "the performed MIDI": midi, "the picture": picture}
    for given in ({"the reference": reference}, {"the performance": performance}):  # which may be one file
        check_different(given | written)
    for path in written.values():
        check_folder_of(path)
    hearing = open_evidence(evidence)
    score = read_side(reference, hearing.spectrogram, soundfont, SCORE_VELOCITY)
    played = read_side(performance, hearing.spectrogram, soundfont)
    aligned = align(score, played, hearing)
    onset_s = midi_onsets(reference) if is_midi else np.arange(score.start_s, score.end_s, EVERY_S)
    performed_s, score_s = alignment_rows(aligned, onset_s, played.end_s)
    if len(score_s) < min(2, len(onset_s)):
        raise ValueError(
            f"{performance} is found nowhere in {reference}: {len(score_s)} of {len(onset_s)} places have a time; "
            "expected sound of the piece, two notes of it or more"
        )
    write_alignment(output, performed_s, score_s)
    done: dict[str, Any] = {"alignment": str(output), "rows": len(score_s)}
    done |= {"performance_s": round(played.end_s, 3), "reference_s": round(score.end_s, 3)}
    if midi is not None:
        write_atomically(midi, performed_midi(reference, aligned))
        done["midi"] = str(midi)
    if picture is not None:
        write_atomically(picture, path_picture(aligned, performed_s, score_s, reference.name, performance.name))
        done["picture"] = str(picture)
    return done


def performed_midi(reference: Path, aligned: Aligned) -> bytes:
    """A MIDI file with the notes, pedals and controls of the reference at the times at which they were played.

    What lies before the path's beginning, or after its end, keeps its distance from it. Notes that would begin before
    the performance does were not played: they are left out, but for those of the first 50 ms, which begin with it;
    controls hold on from its beginning.
    """
    import pretty_midi

    source = pretty_midi.PrettyMIDI(str(reference))
    target = pretty_midi.PrettyMIDI(resolution=960)
    known = aligned.performed_at
    first_s, last_s = float(aligned.reference_time_s[0]), float(aligned.reference_time_s[-1])

    def when(time_s: float) -> float:
        inside = min(max(time_s, first_s), last_s)
        return float(known(np.array([inside]))[0]) + time_s - inside

    for part in source.instruments:
        copy = pretty_midi.Instrument(part.program, part.is_drum, part.name)
        for note in part.notes:
            if when(note.start) < -EARLY_S:
                continue
            start_s, end_s = max(0.0, when(note.start)), when(note.end)
            copy.notes.append(pretty_midi.Note(note.velocity, note.pitch, start_s, max(end_s, start_s + 0.01)))
        before: dict[int, Any] = {}  # of each control, what it is at the beginning
        for control in sorted(part.control_changes, key=lambda control: float(control.time)):
            moved = pretty_midi.ControlChange(control.number, control.value, max(0.0, when(control.time)))
            if moved.time > 0:
                copy.control_changes.append(moved)
            else:
                before[control.number] = moved
        copy.control_changes += before.values()
        target.instruments.append(copy)
    return _midi_bytes(target)


def path_picture(
    aligned: Aligned, performed_s: NDArray[np.float64], score_s: NDArray[np.float64], reference: str, performance: str
) -> bytes:
    """A PNG: the path, and below it the local tempo."""
    from matplotlib.figure import Figure

    from sfmodel.figures import COLOURS, GREY, WIDTH_IN, png_bytes

    figure = Figure(figsize=(WIDTH_IN, 4.6), layout="constrained")
    path, tempo = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    path.plot(aligned.performance_time_s, aligned.reference_time_s, color=COLOURS[0], lw=1.5, label="path")
    path.plot(performed_s, score_s, ".", color=COLOURS[1], ms=3, label="onsets")
    names = (name if len(name) <= MOST_SHOWN else f"{name[:30]}…{name[-30:]}" for name in (performance, reference))
    path.set_title("\nalong ".join(names), fontsize="x-small", loc="left")
    path.set_ylabel("reference (s)")
    path.legend(loc="upper left")
    middle_s = np.arange(1.0, max(2.0, float(aligned.performance_time_s[-1]) - 1.0), 0.25)
    speed = (aligned.reference_at(middle_s + 1) - aligned.reference_at(middle_s - 1)) / 2
    tempo.plot(middle_s, speed, color=COLOURS[0], lw=1)
    tempo.axhline(1, color=GREY, lw=0.5)
    tempo.set(xlabel="performance (s)", ylabel="tempo, over 2 s", ylim=(0, max(2.0, float(speed.max(initial=1)))))
    return png_bytes(figure)


def midi_onsets(path: Path) -> NDArray[np.float64]:
    """Onsets of a MIDI file, in its own time; of notes that begin together, the first."""
    onset_s = np.unique(side_notes(path)["onset_s"])
    apart_s = round_to_ticks(np.diff(onset_s, prepend=-np.inf))  # 10 ms are 10 ms wherever they lie
    return np.asarray(onset_s[apart_s >= TOGETHER_S])


def _midi_bytes(midi: Any) -> bytes:
    import io

    file = io.BytesIO()
    midi.write(file)
    return file.getvalue()
