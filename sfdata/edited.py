"""Folders of edited recordings: made from a recorded set, and read.

As a recorded set (:mod:`sfdata.aligned`), with ``edit`` in ``meta.json``: kind, ``at_s``, ``until_s``, what was drawn,
seed, and the sha256 of the recording it was made from. The rows of ``alignment.csv`` are in the order of performance;
where a passage is played again, score time runs backwards, so that only :func:`read_edited` reads it.
"""

import csv
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sfdata.aligned import (
    ALIGNMENT_COLUMNS,
    RecordingFiles,
    find_recorded,
    read_columns,
    read_meta,
    recording_files,
)
from sfdata.edits import KINDS, Edited, Piece, apply_edit, draw_edit
from sfdata.progress import Progress
from sfdata.recordings import Recording, read_recording
from sfdata.render import read_audio, write_audio
from sfdata.soundfonts import file_sha256


@dataclass(frozen=True, kw_only=True)
class EditedRecording(Recording):
    """An edited recording as read; its onsets are in the order of performance.

    Attributes
    ----------
    kind : str
        Of :data:`sfdata.edits.KINDS`.
    at_s, until_s : float
        See :class:`sfdata.edits.Edited`.
    """

    kind: str
    at_s: float
    until_s: float


@dataclass(frozen=True)
class EditResult:
    """What :func:`edit_recordings` did.

    Attributes
    ----------
    written : list of str
        Names of the folders, those that were there already included.
    skipped : list of dict
        ``source`` and ``reason``.
    """

    written: list[str]
    skipped: list[dict[str, str]]


def edit_recordings(
    source: str | Path,
    output: str | Path,
    kinds: Sequence[str] = KINDS,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> EditResult:
    """Make edited recordings out of a recorded set.

    Parameters
    ----------
    source : path
        See :func:`sfdata.aligned.find_recorded`.
    output : path
        A folder; is given one for each recording and kind, ``NAME--KIND``.
    kinds : sequence of str
        Of :data:`sfdata.edits.KINDS`.
    seed : int
        Each edit is drawn from (seed, name, kind), whatever else is made.
    overwrite : bool
        Make those anew that are there.
    progress : callable, optional

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no recordings.
    ValueError
        If a kind is unknown.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"edit {unknown[0]!r}; expected one of {', '.join(KINDS)}")
    written: list[str] = []
    skipped: list[dict[str, str]] = []
    folders, output = find_recorded(Path(source)), Path(output)
    for number, folder in enumerate(folders):
        recordings: list[RecordingFiles] = []
        try:
            recordings = recording_files(folder)
        except ValueError as error:
            skipped.append({"source": folder.name, "reason": str(error)})
        for files in recordings:
            name = f"{folder.name}-{files.who}" if files.who else folder.name
            for kind in kinds:
                target = output / f"{name}--{kind}"
                if target.exists() and not overwrite:
                    written.append(target.name)
                    continue
                try:
                    _edit_one(folder, files, kind, seed, name, target)
                    written.append(target.name)
                except (ValueError, FileNotFoundError) as error:
                    skipped.append({"source": f"{name}, {kind}", "reason": str(error)})
        if progress:
            progress("edited", number + 1, len(folders))
    return EditResult(written, skipped)


def read_edited(folder: str | Path) -> EditedRecording:
    """Read one folder.

    Raises
    ------
    ValueError
        If a file is missing or cannot be read, or it is no edited recording.
    """
    folder = Path(folder)
    meta = read_meta(folder / "meta.json")
    edit: Any = json.loads((folder / "meta.json").read_text(encoding="utf-8")).get("edit")
    if not isinstance(edit, dict) or edit.get("kind") not in KINDS:
        raise ValueError(f"{folder.name}: meta.json tells of no edit; expected a folder made by 'sfdata edit'")
    sound, score = folder / "performance.flac", folder / "score.mid"
    for path in (sound, score):
        if not path.is_file():
            raise ValueError(f"{folder.name}: no {path.name}")
    columns = read_columns(folder / "alignment.csv", ALIGNMENT_COLUMNS, others=False)
    performance_s, score_s = (columns[name] for name in ALIGNMENT_COLUMNS)
    return EditedRecording(
        folder.name,
        sound,
        score,
        meta.sounding_s(performance_s),
        score_s,
        meta.instrument,
        kind=edit["kind"],
        at_s=float(edit["at_s"]),
        until_s=float(edit["until_s"]),
    )


def _edit_one(folder: Path, files: RecordingFiles, kind: str, seed: int, name: str, target: Path) -> None:
    """Write one edited recording, whole or not at all."""
    recording = read_recording(folder, files)
    rate_hz = soundfile.info(recording.sound).samplerate
    samples = read_audio(recording.sound, rate_hz)
    digest = int.from_bytes(hashlib.sha256(f"{name}\n{kind}".encode()).digest()[:8], "big")
    pieces = draw_edit(kind, recording.performance_s, len(samples) / rate_hz, np.random.default_rng((seed, digest)))
    edited = apply_edit(pieces, samples, rate_hz, recording.performance_s, recording.score_s)
    made = target.with_name(f".{target.name}.part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    write_audio(made / "performance.flac", edited.samples, rate_hz)
    shutil.copy(recording.score, made / "score.mid")
    _write_rows(made / "alignment.csv", edited)
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8-sig"))
    meta |= {"title": f"{meta['title']} ({kind})", "sha256": file_sha256(made / "performance.flac")}
    meta["median_audio_lag_s"] = 0.0  # the rows of alignment.csv tell when onsets sound
    meta["edit"] = _told(kind, edited, pieces, seed) | {"made_from_sha256": file_sha256(recording.sound)}
    (made / "meta.json").write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if target.exists():
        shutil.rmtree(target)
    made.rename(target)


def _told(kind: str, edited: Edited, pieces: Sequence[Piece], seed: int) -> dict[str, Any]:
    drawn = [asdict(piece) for piece in pieces]
    return {"kind": kind, "at_s": edited.at_s, "until_s": edited.until_s, "seed": seed, "pieces": drawn}


def _write_rows(path: Path, edited: Edited) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(ALIGNMENT_COLUMNS)
        for performed_s, score_s in zip(edited.performance_s, edited.score_s, strict=True):
            writer.writerow((f"{performed_s:.6f}", f"{score_s:.6f}"))
