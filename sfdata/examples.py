"""Pairs as examples that stand for themselves: spectrograms, and every label with names in place of row numbers.

What exports write, part by part, and what reading an export back has to give again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.block_reader import BlockReader, epoch_batches
from sfdata.order import GROUP_BYTES, BatchSizes, PairOrder
from sfdata.schema import SPLITS, TABLES
from sfdata.store import Store

LABELS: dict[str, tuple[str, str]] = {
    "pair": ("int64", "row of the store's table of pairs"),
    **{name: told for name, told in TABLES["pairs"].items() if name != "split"},
    "split": ("str", "train, validation or test"),
    "pitch": ("uint8", "MIDI pitch of the snippet's onset, as sounding"),
    "velocity": ("uint8", "MIDI velocity of it"),
    "title": ("str", TABLES["pieces"]["title"][1]),
    "composer": ("str", TABLES["pieces"]["composer"][1]),
    "work": ("str", TABLES["pieces"]["work"][1]),
    "file": ("str", TABLES["pieces"]["file"][1]),
    "licence": ("str", "of the piece"),
    "attribution": ("str", TABLES["pieces"]["attribution"][1]),
    "reference_instrument": ("str", "that plays the reference, as soundfont:program"),
    "snippet_instrument": ("str", "that plays the snippet, as soundfont:program"),
}
_OF_PIECE = ("title", "composer", "work", "file", "licence", "attribution")


@dataclass(frozen=True)
class Shard:
    """Some examples of one split.

    Attributes
    ----------
    reference : ndarray, shape (examples, reference_frames, bins)
    snippet : ndarray, shape (examples, snippet_frames, bins)
        Both float16 or float32, as stored.
    labels : dict of ndarray, shape (examples,)
        One for each of :data:`LABELS`, of the type told there; strings as objects.
    """

    reference: NDArray[np.floating]
    snippet: NDArray[np.floating]
    labels: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.reference)

    def difference(self, other: "Shard") -> str:
        """Name what differs in values, shape or type; empty where nothing does."""
        for name in ("reference", "snippet"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine.dtype != theirs.dtype or mine.shape != theirs.shape or mine.tobytes() != theirs.tobytes():
                return name
        if set(self.labels) != set(other.labels):
            return "names of the labels"
        for name, values in self.labels.items():
            if values.dtype != other.labels[name].dtype or not np.array_equal(values, other.labels[name]):
                return f"label {name}"
        return ""


def pair_labels(store: Store, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Labels of pairs.

    Parameters
    ----------
    store : Store
    rows : ndarray of int64, shape (pairs,)
        Of the table of pairs.

    Returns
    -------
    dict of ndarray, shape (pairs,)
        See :attr:`Shard.labels`.
    """
    pairs, piece, note = store.pairs, store.pair_pieces(rows), store.pairs["note"][rows]
    found: dict[str, NDArray[Any]] = {"pair": rows}
    found |= {name: pairs[name][rows] for name in pairs if name != "split"}
    found["split"] = np.array(SPLITS, dtype=object)[pairs["split"][rows]]
    found |= {name: store.notes[name][note] for name in ("pitch", "velocity")}
    found |= {name: store.pieces[name][piece] for name in _OF_PIECE}
    for side in ("reference", "snippet"):
        instrument = store.renditions["instrument"][pairs[f"{side}_rendition"][rows]]
        found[f"{side}_instrument"] = store.instruments["name"][instrument]
    return typed_labels({name: found[name] for name in LABELS})


def typed_labels(labels: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Give labels the types of :data:`LABELS`.

    Raises
    ------
    KeyError
        If a label is none of these.
    """
    return {name: np.array(values, dtype=_DTYPES[LABELS[name][0]]) for name, values in labels.items()}


_DTYPES = {dtype: np.dtype(object if dtype == "str" else dtype) for dtype, _ in LABELS.values()}


def shard_counts(store: Store, shard_pairs: int) -> dict[str, int]:
    """How many parts of at most `shard_pairs` examples each split has; splits without pairs are left out."""
    counts = {split: -(-len(store.pair_rows(split)) // shard_pairs) for split in SPLITS}
    return {split: count for split, count in counts.items() if count}


def split_shards(store: Store, split: str, shard_pairs: int, seed: int | None = None) -> Iterator[Shard]:
    """Read a split in parts; every rendition is read once and compared with its checksum.

    Parameters
    ----------
    store : Store
    split : str
    shard_pairs : int
        Shard in a part, but for the last one, which may hold fewer.
    seed : int, optional
        Shuffle by this seed, as an epoch of training does; as they stand in the store by default.

    Yields
    ------
    Shard

    Raises
    ------
    ValueError
        If the split holds no pairs or is damaged.
    """
    reader = BlockReader(store, split)
    order = PairOrder(
        reader, seed or 0, shuffled=seed is not None, fresh_windows=False, group_bytes=GROUP_BYTES // 2
    )  # two groups are held at a time
    for batch in epoch_batches(reader, order, BatchSizes(len(reader), shard_pairs), epoch=0):
        assert batch.index is not None
        yield Shard(batch.reference, batch.snippet, pair_labels(store, reader.rows[batch.index]))
