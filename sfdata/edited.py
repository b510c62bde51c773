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
    written, kept : list of str
        Names of the folders that were made, and of those that were there already, made of the same recordings with the
        same seed.
    skipped : list of dict
        ``source`` and ``reason``.
    """

    written: list[str]
    kept: list[str]
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
        A folder outside of `source`; is given one for each recording and kind, ``NAME--KIND``.
    kinds : sequence of str
        Of :data:`sfdata.edits.KINDS`.
    seed : int
        Each edit is drawn from (seed, name, kind), whatever else is made.
    overwrite : bool
        Make those anew that are there; without it, those that are there have to be the same that would be made.
    progress : callable, optional

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no recordings.
    ValueError
        If a kind is unknown, `output` lies in `source`, folders are there that were made otherwise (then nothing is
        written), or nothing could be made.
    OSError
        If nothing can be written to `output`.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"edit {unknown[0]!r}; expected one of {', '.join(KINDS)}")
    source, output = Path(source), Path(output)
    folders = find_recorded(source)
    if output.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{output} lies in {source}, whose recordings are edited; expected a folder outside of it")
    done = EditResult([], [], [])
    edits: list[_Edit] = []
    for folder in folders:
        try:
            recordings = recording_files(folder)
        except ValueError as error:
            done.skipped.append({"source": folder.name, "reason": str(error)})
            continue
        for files in recordings:
            name = f"{folder.name}-{files.who}" if files.who else folder.name
            edits += [_Edit(folder, files, kind, seed, name, output / f"{name}--{kind}") for kind in kinds]
    kept = [] if overwrite else [edit for edit in edits if edit.target.exists()]
    _check_kept(kept)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"cannot make the folder {output}: {error.strerror}") from None
    for number, edit in enumerate(edits):
        if edit in kept:
            done.kept.append(edit.target.name)
            continue
        try:
            _edit_one(edit)
            done.written.append(edit.target.name)
        except (ValueError, FileNotFoundError) as error:
            done.skipped.append({"source": f"{edit.name}, {edit.kind}", "reason": str(error)})
        if progress:
            progress("edited", number + 1, len(edits))
    if not done.written and not done.kept:
        first = done.skipped[0]
        raise ValueError(f"{source}: nothing could be edited: {first['source']}: {first['reason']}")
    return done


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


@dataclass(frozen=True)
class _Edit:
    """One to be made."""

    folder: Path
    files: RecordingFiles
    kind: str
    seed: int
    name: str
    target: Path


def _check_kept(edits: Sequence[_Edit]) -> None:
    """Check that folders that are there were made as they would be made now."""
    sums: dict[Path | None, str] = {}
    others = []
    for edit in edits:
        sound = edit.files.sound
        if sound not in sums:
            sums[sound] = "" if sound is None else file_sha256(sound)
        try:
            told = json.loads((edit.target / "meta.json").read_text(encoding="utf-8"))["edit"]
            same = (told["kind"], told["seed"], told["made_from_sha256"]) == (edit.kind, edit.seed, sums[sound])
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same:
            others.append(edit.target.name)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ValueError(
            f"{edits[0].target.parent}: {others[0]}{more}, made with another seed or of other sound; expected what "
            "these recordings give with this seed: take another folder, or overwrite"
        )


def _edit_one(edit: _Edit) -> None:
    """Write one edited recording, whole or not at all."""
    folder, kind, target = edit.folder, edit.kind, edit.target
    recording = read_recording(folder, edit.files)
    rate_hz = soundfile.info(recording.sound).samplerate
    samples = read_audio(recording.sound, rate_hz)
    digest = int.from_bytes(hashlib.sha256(f"{edit.name}\n{kind}".encode()).digest()[:8], "big")
    pieces = draw_edit(
        kind, recording.performance_s, len(samples) / rate_hz, np.random.default_rng((edit.seed, digest))
    )
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
    meta["edit"] = _told(kind, edited, pieces, edit.seed) | {"made_from_sha256": file_sha256(recording.sound)}
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
