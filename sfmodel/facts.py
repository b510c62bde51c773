"""Facts about a run and a store, as tables for the report."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sfdata.schema import SPLITS
from sfdata.store import Store
from sfmodel.page import paragraph, table

LISTED_PIECES = 200
SIDES = ("reference", "snippet")

Row = tuple[Any, ...]


def settings_html(config: Mapping[str, Any]) -> str:
    """Table of the network's and the training's settings, and the software."""
    parts = []
    for key, title in (("network", "Network"), ("training", "Training"), ("software", "Software")):
        values = config.get(key)
        if isinstance(values, Mapping):
            rows = [(name.replace("_", " "), _plain(value)) for name, value in values.items() if name != "device"]
            parts.append(table([title, "value"], rows))
    return "".join(parts)


def _plain(value: object) -> str:
    """A setting in words."""
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def data_html(store: Store) -> str:
    """Tables: spectrogram settings, instruments, and pieces with split, pairs, licence and credit."""
    rate_hz = store.spectrogram.frame_rate_hz
    facts: list[Row] = [
        ("pairs by split", ", ".join(f"{split} {len(store.pair_rows(split)):,}" for split in SPLITS)),
        ("renditions", f"{len(store.renditions['gain']):,}"),
        ("sound", f"{store.renditions['duration_s'].sum() / 3600:.2f} hours"),
        ("reference", f"{store.windows.reference_s:g} s, {store.reference_frames} frames"),
        ("snippet", f"{store.windows.snippet_s:g} s, {store.snippet_frames} frames"),
        ("spectrogram", f"{store.spectrogram.n_bins} {store.spectrogram.scale} bins, {rate_hz:g} frames a second"),
        ("range", "{:.0f} to {:,.0f} Hz".format(*store.spectrogram.bin_frequencies_hz()[[0, -1]])),
        ("sample rate, window", f"{store.spectrogram.sample_rate_hz:,} Hz, {store.spectrogram.n_fft} samples"),
    ]
    instruments = store.instruments
    used = [np.unique(store.renditions["instrument"][store.pairs[f"{side}_rendition"]]) for side in SIDES]
    rows: list[Row] = []
    for i, name in enumerate(instruments["name"]):
        roles = " and ".join(f"{side}s" for side, numbers in zip(SIDES, used, strict=True) if i in numbers) or "none"
        rows.append((name, instruments["preset"][i], roles, instruments["licence"][i]))
    pieces = store.pieces
    counts = np.bincount(store.pair_pieces(store.pair_rows("all")), minlength=len(pieces["title"]))
    columns = ("composer", "split", "licence", "attribution")
    listed: list[Row] = [
        (title, *(pieces[key][i] for key in columns[:2]), f"{counts[i]:,}", *(pieces[key][i] for key in columns[2:]))
        for i, title in enumerate(pieces["title"][:LISTED_PIECES])
    ]
    html = table(["Store", store.place.name], facts)
    html += table(["Instrument", "preset", "used for", "licence"], rows, stacked=True)
    html += table(["Piece", "composer", "split", "pairs", "licence", "credit"], listed, stacked=True)
    if len(pieces["title"]) > LISTED_PIECES:
        html += paragraph(f"… and {len(pieces['title']) - LISTED_PIECES:,} more pieces.", "note")
    return html
