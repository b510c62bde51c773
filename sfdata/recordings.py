"""Recordings of a recorded set with what their alignments tell: when each onset sounds, where it stands in the score.

These have sound, ``alignment.csv`` and ``score.mid``; :mod:`sfdata.performed` reads match files in their place too.
"""

from dataclasses import dataclass
from pathlib import Path

from sfdata.aligned import RecordingFiles, find_recorded, read_alignment, read_meta, recording_files
from sfdata.alignment import FloatArray


@dataclass(frozen=True)
class Recording:
    """A recording of a score.

    Attributes
    ----------
    name : str
    sound, score : Path
    performance_s, score_s : ndarray of float64, shape (onsets,)
        When each onset sounds, and where it stands.
    instrument : str
        What was played; empty where unknown.
    """

    name: str
    sound: Path
    score: Path
    performance_s: FloatArray
    score_s: FloatArray
    instrument: str


def read_recording(folder: Path, files: RecordingFiles) -> Recording:
    """Read one performance in a folder; its name is the folder's, or ``FOLDER/WHO``.

    Raises
    ------
    ValueError
        If sound, ``alignment.csv``, ``score.mid`` or ``meta.json`` is missing or cannot be read.
    """
    score = folder / "score.mid"
    if files.sound is None or files.alignment is None or not score.is_file():
        there = {"sound": files.sound, "alignment.csv": files.alignment, "score.mid": score.is_file()}
        missing = " and ".join(f"no {what}" for what, found in there.items() if not found)
        raise ValueError(f"{missing}; expected {', '.join(there)}")
    meta, alignment = read_meta(folder / "meta.json"), read_alignment(files.alignment)
    return Recording(
        f"{folder.name}/{files.who}" if files.who else folder.name,
        files.sound,
        score,
        meta.sounding_s(alignment.performance_s),
        alignment.score_s,
        meta.instrument,
    )


def read_recordings(source: str | Path) -> tuple[list[Recording], list[dict[str, str]]]:
    """Read every recording of a recorded set.

    Returns
    -------
    recordings : list of Recording
    skipped : list of dict
        ``source``, a folder, and ``reason``: why what it holds, or the rest of it, was not read.

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds none.
    """
    found: list[Recording] = []
    skipped: list[dict[str, str]] = []
    for folder in find_recorded(Path(source)):
        try:
            for files in recording_files(folder):
                found.append(read_recording(folder, files))
        except ValueError as error:
            skipped.append({"source": folder.name, "reason": str(error)})
    return found, skipped
