"""JAMS: for each rendition a file with its notes and onsets, and the pairs whose snippets it gives.

Every file is by itself JSON of the JAMS schema 0.3: an annotation of namespace ``note_midi`` (times in seconds of the
rendition, values MIDI pitches) and one of ``onset`` (each moment at which notes begin, once). What the schema has no
place for lies in sandboxes, under the names of the store's own columns.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.schema import EVERY, SPLITS, TABLES
from sfdata.share_audio import rendition_stem
from sfdata.store import Store

JAMS_VERSION = "0.3.5"
_NOTE_SANDBOX = ("velocity", "source", "piece_note")


def jams_name(store: Store, row: int) -> str:
    """Name of a rendition's file: in the folder of its piece's split, named as ``share --audio`` names its FLAC."""
    piece = store.performances["piece"][store.renditions["performance"][row]]
    split = str(store.pieces["split"][piece])
    if split not in (*SPLITS, EVERY):  # which becomes a folder's name
        raise ValueError(f"{store.path}: a piece's split is {split!r}; expected one of {', '.join((*SPLITS, EVERY))}")
    return f"{split}/{rendition_stem(store, row)}.jams"


def snippet_pairs(store: Store) -> list[NDArray[np.int64]]:
    """Rows of the pairs whose snippets each rendition gives."""
    of = store.pairs["snippet_rendition"]
    order = np.argsort(of, kind="stable")
    return np.split(order, np.searchsorted(of[order], np.arange(1, store.rows("renditions"))))


def rendition_jams(store: Store, row: int, pairs: NDArray[np.int64]) -> dict[str, Any]:
    """Describe a rendition.

    Parameters
    ----------
    store : Store
    row : int
        Of the table of renditions.
    pairs : ndarray of int64
        Rows of the pairs whose snippets it gives.

    Returns
    -------
    dict
        Of the JAMS schema.
    """
    performance, played = (int(store.renditions[column][row]) for column in ("performance", "instrument"))
    piece = int(store.performances["piece"][performance])
    notes, duration_s = store.performance_notes(performance), float(store.renditions["duration_s"][row])
    onset_s, length_s = notes["onset_s"].tolist(), (notes["offset_s"] - notes["onset_s"]).tolist()
    notes_found = [
        {"time": time, "duration": length, "value": float(pitch), "confidence": 1.0}
        for time, length, pitch in zip(onset_s, length_s, notes["pitch"].tolist(), strict=True)
    ]
    onsets_found = [
        {"time": time, "duration": 0.0, "value": None, "confidence": 1.0}
        for time in np.unique(notes["onset_s"]).tolist()
    ]
    kept = {"offset_s": notes["offset_s"].tolist(), **{name: notes[name].tolist() for name in _NOTE_SANDBOX}}
    made_by = {
        "curator": {"name": "", "email": ""},
        "annotator": {},
        "version": "",
        "corpus": store.place.name,
        "annotation_tools": f"sfdata {version('sfdata')}",
        "annotation_rules": "notes as they were given to the synthesizer, or as the recording's alignment has them",
        "validation": "",
        "data_source": str(store.performances["role"][performance]),
    }

    def annotation(namespace: str, data: list[dict[str, Any]], sandbox: dict[str, Any]) -> dict[str, Any]:
        return {
            "annotation_metadata": made_by,
            "namespace": namespace,
            "data": data,
            "sandbox": sandbox,
            "time": 0.0,
            "duration": duration_s,
        }

    return {
        "file_metadata": {
            "title": str(store.pieces["title"][piece]),
            "artist": str(store.pieces["composer"][piece]),
            "release": "",
            "duration": duration_s,
            "identifiers": {"source_id": str(store.pieces["source_id"][piece])},
            "jams_version": JAMS_VERSION,
        },
        "annotations": [annotation("note_midi", notes_found, kept), annotation("onset", onsets_found, {})],
        "sandbox": {
            "rendition": row,
            "audio": f"{rendition_stem(store, row)}.flac",
            "piece": store.row("pieces", piece),
            "performance": store.row("performances", performance),
            "instrument": store.row("instruments", played),
            "sound": store.row("renditions", row),
            "pairs": _pairs(store, pairs),
        },
    }


def write_jams(path: Path, told: dict[str, Any]) -> None:
    """Write one file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")


def read_jams(path: Path) -> dict[str, Any]:
    """Read what :func:`write_jams` wrote."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _pairs(store: Store, rows: NDArray[np.int64]) -> dict[str, list[Any]]:
    """Pairs: column to values, and the references' files."""
    references = store.pairs["reference_rendition"][rows].tolist()
    files = {row: jams_name(store, row) for row in set(references)}
    return {
        "pair": rows.tolist(),
        "reference_file": [files[row] for row in references],
        **{name: store.pairs[name][rows].tolist() for name in TABLES["pairs"] if name != "split"},
        "split": [SPLITS[split] for split in store.pairs["split"][rows].tolist()],
    }
