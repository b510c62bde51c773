"""Facts about a store, as tables for a page."""

from typing import Any

import numpy as np

from sfdata.page import paragraph, table
from sfdata.schema import SPLITS
from sfdata.store import Store

LISTED_PIECES = 200
SIDES = ("reference", "snippet")

Row = tuple[Any, ...]


def data_html(store: Store) -> str:
    """Tables: spectrogram settings, instruments, and pieces with split, pairs, licence and credit."""
    return table(["Store", store.place.name], store_rows(store)) + instruments_html(store) + pieces_html(store)


def store_rows(store: Store) -> list[Row]:
    """Rows of a table: how many pairs, how much sound, windows, spectrogram."""
    rate_hz = store.spectrogram.frame_rate_hz
    return [
        ("pairs by split", ", ".join(f"{split} {len(store.pair_rows(split)):,}" for split in SPLITS)),
        ("renditions", f"{len(store.renditions['gain']):,}"),
        ("sound", f"{store.renditions['duration_s'].sum() / 3600:.2f} hours"),
        ("reference", f"{store.windows.reference_s:g} s, {store.reference_frames} frames"),
        ("snippet", f"{store.windows.snippet_s:g} s, {store.snippet_frames} frames"),
        ("spectrogram", f"{store.spectrogram.n_bins} {store.spectrogram.scale} bins, {rate_hz:g} frames a second"),
        ("range", "{:.0f} to {:,.0f} Hz".format(*store.spectrogram.bin_frequencies_hz()[[0, -1]])),
        ("sample rate, window", f"{store.spectrogram.sample_rate_hz:,} Hz, {store.spectrogram.n_fft} samples"),
    ]


def instruments_html(store: Store) -> str:
    """Table of the instruments, what pairs use each for, and its licence."""
    instruments = store.instruments
    used = [np.unique(store.renditions["instrument"][store.pairs[f"{side}_rendition"]]) for side in SIDES]
    rows: list[Row] = []
    for i, name in enumerate(instruments["name"]):
        roles = " and ".join(f"{side}s" for side, numbers in zip(SIDES, used, strict=True) if i in numbers) or "none"
        licence = instruments["licence"][i] or "not told"
        rows.append((name, instruments["preset"][i], roles, instruments["split"][i], licence))
    return table(["Instrument", "preset", "used for", "splits", "licence"], rows, stacked=True)


def pieces_html(store: Store) -> str:
    """Table of the first pieces, with split, pairs, licence and credit."""
    pieces = store.pieces
    counts = np.bincount(store.pair_pieces(store.pair_rows("all")), minlength=len(pieces["title"]))
    composer, split, licence, credit = (pieces[key] for key in ("composer", "split", "licence", "attribution"))
    listed: list[Row] = [
        (title, composer[i], split[i], f"{counts[i]:,}", licence[i] or "not told", credit[i])
        for i, title in enumerate(pieces["title"][:LISTED_PIECES])
    ]
    html = table(["Piece", "composer", "split", "pairs", "licence", "credit"], listed, stacked=True)
    if len(pieces["title"]) > LISTED_PIECES:
        html += paragraph(f"… and {len(pieces['title']) - LISTED_PIECES:,} more pieces.", "note")
    return html
