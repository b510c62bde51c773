"""What is in a store, in figures."""

from pathlib import Path
from typing import Any

from sfdata.schema import SPLITS
from sfdata.store import Store, open_store


def info(path: str | Path) -> dict[str, Any]:
    """Summarise a store.

    Returns
    -------
    dict
        ``format_version``, ``pieces``, ``renditions``, ``pairs``, ``frames``, ``bins``, ``frame_rate_hz``, ``splits``
        (name to pairs), ``splits_by``, ``instruments`` (names), ``bytes`` (on disk; None where it cannot be told: a
        folder that is read through HTTP), ``audio_s``, ``skipped``.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`sfdata.store.open_store`.
    """
    return summary(open_store(path))


def summary(store: Store) -> dict[str, Any]:
    """Summarise a store that is open; see :func:`info`."""
    return {
        "format_version": store.attrs["format_version"],
        "pieces": len(store.pieces["title"]),
        "renditions": len(store.renditions["gain"]),
        "pairs": len(store.pairs["note"]),
        "frames": int(store.renditions["frame_count"].sum()),
        "bins": int(store.frames.shape[1]),
        "frame_rate_hz": store.spectrogram.frame_rate_hz,
        "splits": {split: len(store.pair_rows(split)) for split in SPLITS},
        "splits_by": store.splits_by,
        "instruments": [str(name) for name in store.instruments["name"]],
        "bytes": store.place.size_bytes(),
        "audio_s": round(float(store.renditions["duration_s"].sum()), 3),
        "skipped": store.attrs.get("skipped", []),
    }
