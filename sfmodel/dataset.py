"""The pairs of a store as a PyTorch dataset, for training loops of one's own.

:class:`PairDataset` answers for any pair, singly or in whole batches; :class:`sfmodel.stream.PairStream` yields the
batches of an epoch in the order that :mod:`sfdata.order` gives, from memory or from a store that is larger than it.
Both give the same tensors for any number of ``DataLoader`` workers, started in any way.

A batch is a dict of tensors:

``reference``
    float16 or float32 as stored, shape (pairs, reference_frames, bins)
``snippet``
    the same type, shape (pairs, snippet_frames, bins)
``target_frame``
    float32, shape (pairs,): the onset's position in the reference, in frames
``index``
    int64, shape (pairs,): position of each pair within its split

No workers are needed: one process serves over a hundred thousand pairs a second, while workers pass every batch through
shared memory, which made it twenty times slower where it was measured (benchmarks/loader.py). Workers that are forked
share what was read into memory; spawned ones read it again, each for itself.

Example::

    from torch.utils.data import DataLoader

    from sfmodel.dataset import PairDataset, whole_batch
    from sfmodel.stream import PairStream

    stream = PairStream("demo.zarr", "train", batch_size=64, seed=1)
    loader = DataLoader(stream, batch_size=None)
    held_out = DataLoader(PairDataset("demo.zarr", "validation"), batch_size=64, collate_fn=whole_batch)
    for epoch in range(2):
        stream.set_epoch(epoch)
        for batch in loader:
            reference, snippet = batch["reference"].float(), batch["snippet"].float()  # (64, 240, 88), (64, 27, 88)
            target_frame = batch["target_frame"]  # (64,)
        for batch in held_out:
            ...
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from sfdata.order import PairOrder
from sfdata.reader import Batch, PairReader
from sfdata.store import Store, open_store
from sfmodel.loading import Reader, describe_loading, open_reader

Tensors = dict[str, Tensor]


def batch_tensors(batch: Batch) -> Tensors:
    """The dict of tensors for a batch; see the module's description."""
    assert batch.index is not None
    return {
        "reference": torch.from_numpy(batch.reference),
        "snippet": torch.from_numpy(batch.snippet),
        "target_frame": torch.from_numpy(batch.target_frame.astype(np.float32)),
        "index": torch.from_numpy(batch.index),
    }


class Samples(Sequence[Tensors]):
    """The pairs of a batch one by one, without copying: what :meth:`PairDataset.__getitems__` gives.

    Attributes
    ----------
    batch : dict of Tensor
        All of them at once.
    """

    def __init__(self, batch: Tensors) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch["index"])

    @overload
    def __getitem__(self, i: int) -> Tensors: ...

    @overload
    def __getitem__(self, i: slice) -> "Samples": ...

    def __getitem__(self, i: int | slice) -> "Tensors | Samples":
        part = {name: tensor[i] for name, tensor in self.batch.items()}
        return Samples(part) if isinstance(i, slice) else part


def whole_batch(samples: Sequence[Tensors]) -> Tensors:
    """Collate: takes a batch that was cut as a whole as it is, where PyTorch's own would copy it pair by pair.

    Examples
    --------
    >>> whole_batch([{"index": torch.tensor(3)}, {"index": torch.tensor(5)}])
    {'index': tensor([3, 5])}
    """
    if isinstance(samples, Samples):
        return samples.batch
    collated: Tensors = default_collate(list(samples))
    return collated


class OpenedSplit:
    """A split's reader and order, opened once more in each process that gets them by pickling.

    Parameters
    ----------
    store : str, Path or Store
    split, loading : str
    settings : dict, optional
        Of the :class:`~sfdata.order.PairOrder`, if it will be read in one: `group_bytes` among them.
    """

    def __init__(
        self, store: str | Path | Store, split: str, loading: str, settings: dict[str, Any] | None = None
    ) -> None:
        opened = store if isinstance(store, Store) else open_store(store)
        self.path, self.split, self.loading, self.settings = opened.path, split, loading, settings or {}
        self._open(opened)

    def _open(self, store: Store) -> None:
        group_bytes = self.settings.get("group_bytes")
        self.reader: Reader = open_reader(store, self.split, self.loading, group_bytes=group_bytes)
        self.order = PairOrder(self.reader, **self.settings)
        self.loading = "memory" if isinstance(self.reader, PairReader) else "blocks"  # other processes do the same

    def __repr__(self) -> str:
        return f"{self.path}, {self.split}: {len(self.reader)} pairs, {describe_loading(self.reader)}"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("reader", "order")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open(open_store(self.path))


class PairDataset(Dataset[Tensors]):
    """The pairs of a split, in any order; for samplers and loops of one's own.

    Parameters
    ----------
    store : str, Path or Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    loading : {"auto", "memory", "blocks"}
        Where the frames are; ``auto`` holds them in memory if they take no more than half of what is free. Read in
        blocks, they come fast only if successive pairs are near each other in the store: to shuffle a split that is
        larger than memory, take :class:`sfmodel.stream.PairStream`.
    fresh_windows : bool
        Draw each pair's reference anew in every epoch (:meth:`set_epoch`) in place of the pinned one.
    seed : int
        Of the windows.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If the split holds no pairs, is damaged, or does not fit.

    Notes
    -----
    Pass ``collate_fn=whole_batch`` to a ``DataLoader``: batches are then cut and handed on as wholes. PyTorch's default
    works too, several times slower.
    """

    def __init__(
        self,
        store: str | Path | Store,
        split: str = "train",
        *,
        loading: str = "auto",
        fresh_windows: bool = False,
        seed: int = 0,
    ) -> None:
        self._data = OpenedSplit(store, split, loading)
        self.fresh_windows, self.seed = fresh_windows, seed
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # so that workers that live on see it change
        self._drawn: tuple[int, np.ndarray] | None = None

    @property
    def reader(self) -> Reader:
        """The split's reader."""
        return self._data.reader

    def __repr__(self) -> str:
        return f"<PairDataset {self._data}>"

    def __len__(self) -> int:
        return len(self.reader)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, before a loader is iterated: it determines fresh windows."""
        if epoch < 0:
            raise ValueError(f"epoch {epoch}; expected at least 0")
        self._epoch[0] = epoch

    def __getitem__(self, i: int) -> Tensors:
        """One pair: the tensors of a batch without their first axis; ``target_frame`` and ``index`` are scalars."""
        return self.__getitems__([i])[0]

    def __getitems__(self, indices: Sequence[int]) -> Samples:
        """Pairs, cut together.

        Raises
        ------
        IndexError
            If there is no such pair.
        """
        index = np.asarray(indices, dtype=np.int64)  # (pairs,)
        if index.size and not (-len(self) <= index.min() and index.max() < len(self)):
            raise IndexError(f"pairs {index.min()} to {index.max()}; the split has {len(self)}")
        index = np.where(index < 0, index + len(self), index)
        return Samples(batch_tensors(self.reader.batch(index, self._starts(index))))

    def _starts(self, index: np.ndarray) -> np.ndarray | None:
        if not self.fresh_windows:
            return None
        epoch = int(self._epoch[0])
        if self._drawn is None or self._drawn[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._drawn = epoch, self.reader.draw_starts(np.arange(len(self)), rng)
        starts: np.ndarray = self._drawn[1][index]
        return starts
