"""Reading pairs: from memory against the bound, from a disk whose cache was dropped, and beside a network that trains.

Contenders take the same pairs in turns; after a warm-up, medians of the repetitions are compared. Ratios are of CPU
time where one process does the work, of wall time where DataLoader workers do; the consumer takes batches as fast as
they come. The bound copies windows by plain NumPy slices out of an array in memory (and one that is memory-mapped) into
a batch's buffers. In the end networks train, and consumers that only wait stand for processors far faster than this.

The store on disk is the given one repeated, as many files; only `--held-mib` of it are held, and its pages are dropped
from the cache before every epoch.

Run: python benchmarks/loader.py [STORE] [--repetitions 7] [--copies 24] [--held-mib 256] [--folder /tmp]

Without a store, that of pipelines/demo.toml is built first, which takes a minute.
"""

import argparse
import itertools
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import zarr
from torch.utils.data import DataLoader, Dataset

from sfdata import open_store
from sfdata.block_reader import BlockReader, epoch_batches
from sfdata.layout import write_tables
from sfdata.order import BatchSizes, PairOrder
from sfdata.reader import PairReader
from sfdata.schema import TABLES
from sfdata.store import Store
from sfmodel.architectures import default_settings
from sfmodel.batches import device_batches
from sfmodel.dataset import PairDataset, whole_batch
from sfmodel.devices import choose_precision
from sfmodel.learner import Learner
from sfmodel.memory import keep_freed_memory
from sfmodel.settings import TrainingSettings
from sfmodel.stream import PairStream

DEMO = Path(__file__).parents[1] / "pipelines" / "demo.toml"
SFDATA = [sys.executable, "-c", "from sfdata.cli import main; main()"]
BATCH = 64
MIB = 2**20
POINTS_AT = {"renditions/performance": "performances", "performances/piece": "pieces"}
POINTS_AT |= {"performances/first_note": "notes", "pairs/note": "notes"}
POINTS_AT |= {"pairs/reference_rendition": "renditions", "pairs/snippet_rendition": "renditions"}


class OneByOne(Dataset):
    """The same pairs without `__getitems__`: the loader asks for each, and PyTorch collates them."""

    def __init__(self, data: PairDataset) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        return self.data[i]


class Bound:
    """Plain slices into a batch's buffers, which are used again and again."""

    def __init__(self, reader: PairReader, frames: np.ndarray) -> None:
        first = reader._first_of
        self.frames = frames
        self.reference = first[reader.reference_rendition] + reader.reference_start
        self.snippet = first[reader.snippet_rendition] + reader.snippet_start
        inside = reader.snippet_start >= 0  # at the very ends of a piece the bound copies some other frames: same work
        self.snippet = np.where(inside, np.minimum(self.snippet, len(frames) - reader.snippet_frames), 0)
        self.reference = np.minimum(self.reference, len(frames) - reader.reference_frames)
        self.references = np.empty((BATCH, reader.reference_frames, reader.bins), dtype=frames.dtype)
        self.snippets = np.empty((BATCH, reader.snippet_frames, reader.bins), dtype=frames.dtype)

    def batch(self, index: np.ndarray) -> None:
        length, short = self.references.shape[1], self.snippets.shape[1]
        pairs = zip(self.reference[index].tolist(), self.snippet[index].tolist(), strict=True)
        for i, (reference, snippet) in enumerate(pairs):
            self.references[i] = self.frames[reference : reference + length]
            self.snippets[i] = self.frames[snippet : snippet + short]


def frame_by_frame(reader: PairReader, index: np.ndarray) -> None:
    """As it was before: every frame of every window picked by its number."""
    for rendition, start, length in (
        (reader.reference_rendition, reader.reference_start, reader.reference_frames),
        (reader.snippet_rendition, reader.snippet_start, reader.snippet_frames),
    ):
        of = rendition[index]
        position = start[index][:, None] + np.arange(length)
        inside = (position >= 0) & (position < reader.frame_count[of][:, None])
        windows = reader.frames[np.where(inside, position + reader._first_of[of][:, None], 0)]
        windows[~inside] = 0


def zarr_call_per_window(store: Store, reader: PairReader, index: np.ndarray) -> None:
    """What a student would write."""
    first = store.renditions["first_frame"]
    for i in index.tolist():
        for rendition, start, length in (
            (reader.reference_rendition[i], reader.reference_start[i], reader.reference_frames),
            (reader.snippet_rendition[i], reader.snippet_start[i], reader.snippet_frames),
        ):
            begin = max(0, int(first[rendition] + start))
            store.frames[begin : begin + length]


def spend(work: Callable[[], int]) -> tuple[float, float]:
    """CPU and wall seconds a pair."""
    cpu, wall = time.process_time(), time.perf_counter()
    pairs = work()
    return (time.process_time() - cpu) / pairs, (time.perf_counter() - wall) / pairs


def compare(contenders: dict[str, Callable[[], int]], repetitions: int) -> None:
    """Print pairs per second, and the share of the first one's; where there are workers, by wall time."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for repetition in range(repetitions + 1):
        for name, work in contenders.items():
            figures = spend(work)
            if repetition:
                spent[name].append(figures)
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in spent.items()}
    bound = next(iter(medians.values()))
    print(f"{'':52} {'of bound':>8} {'pairs/s CPU':>12} {'pairs/s wall':>13}")
    for name, (cpu, wall) in medians.items():
        workers = "workers" in name
        share = bound[1] / wall if workers else bound[0] / cpu
        print(f"{name:52} {share:8.2f} {'' if workers else f'{1 / cpu:,.0f}':>12} {1 / wall:13,.0f}")


def in_memory(store: Store, repetitions: int, folder: Path) -> None:
    reader = PairReader(store, "train")
    order = np.random.default_rng(0).permutation(len(reader))
    batches = [order[i : i + BATCH] for i in range(0, len(order) - BATCH, BATCH)][:100]
    np.save(folder / "frames.npy", reader.frames)
    mapped = np.load(folder / "frames.npy", mmap_mode="r")
    data, stream = PairDataset(store, "train"), PairStream(store, "train", BATCH, drop_last=True)

    def each(batch: Callable[[np.ndarray], object], count: int = 100) -> Callable[[], int]:
        def work() -> int:
            for index in batches[:count]:
                batch(index)
            return sum(map(len, batches[:count]))

        return work

    def drawn(loader: DataLoader) -> Callable[[], int]:
        iterator: Iterator[dict[str, torch.Tensor]] = iter(loader)

        def work() -> int:
            return sum(len(batch["index"]) for batch in itertools.islice(iterator, 40))

        return work

    def loader_of(dataset: Dataset, **options: object) -> DataLoader:
        endless = itertools.islice(itertools.cycle(batches), 100 * (repetitions + 2))
        return DataLoader(dataset, batch_sampler=[index.tolist() for index in endless], **options)

    def whole_stream() -> int:
        stream.set_epoch(1)
        return sum(len(batch["index"]) for batch in DataLoader(stream, None))

    two = {"num_workers": 2, "prefetch_factor": 4}
    contenders = {
        "bound: slices of an array in memory": each(Bound(reader, reader.frames).batch),
        "bound: slices of a memory-mapped array": each(Bound(reader, mapped).batch),
        "PairReader.batch": each(reader.batch),
        "PairReader.batch, fresh references": each(
            lambda index: reader.batch(index, reader.draw_starts(index, np.random.default_rng(0)))
        ),
        "PairStream, DataLoader, a whole epoch": whole_stream,
        "PairDataset, DataLoader, whole batches": drawn(loader_of(data, collate_fn=whole_batch)),
        "PairDataset, DataLoader, 2 workers, whole batches": drawn(loader_of(data, collate_fn=whole_batch, **two)),
        "PairDataset, DataLoader, PyTorch's collate": drawn(loader_of(data)),
        "item by item": drawn(loader_of(OneByOne(data))),
        "item by item, 2 workers": drawn(loader_of(OneByOne(data), **two)),
        "frame by frame (as before)": each(lambda index: frame_by_frame(reader, index)),
        "a Zarr call per window": each(lambda index: zarr_call_per_window(store, reader, index), count=2),
    }
    print(f"\nIn memory: {reader.frame_bytes / MIB:.0f} MiB, {len(reader):,} pairs, batches of {BATCH}")
    compare(contenders, repetitions)


def repeat_store(store: Store, path: Path, copies: int) -> None:
    """A store with the same pieces many times over: frames copied as files, tables numbered through."""
    frames = store.frames
    group = zarr.open_group(path, mode="w", zarr_format=3)
    assert frames.shards is not None
    group.create_array(
        "frames",
        shape=(frames.shape[0] * copies, frames.shape[1]),
        chunks=frames.chunks,
        shards=frames.shards,
        dtype=frames.dtype,
        compressors=frames.compressors,
        fill_value=0,
    )
    shards = frames.shape[0] // frames.shards[0]
    for number in range(shards):
        shard = store.path / "frames" / "c" / str(number) / "0"
        for copy in range(copies if shard.exists() else 0):
            target = path / "frames" / "c" / str(copy * shards + number) / "0"
            target.parent.mkdir(parents=True)
            shutil.copyfile(shard, target)
    tables = {}
    for name in TABLES:
        table = store.table(name)
        tables[name] = {}
        for column, values in table.items():
            pointed = POINTS_AT.get(f"{name}/{column}")
            step = 0 if pointed is None else len(next(iter(store.table(pointed).values())))
            step = frames.shape[0] if column == "first_frame" else step
            moved = [values + copy * step if step else values for copy in range(copies if name != "instruments" else 1)]
            tables[name][column] = np.concatenate(moved)
    write_tables(path, tables, {key: value for key, value in store.attrs.items() if key != "checksums"})


def drop_cache(path: Path) -> float:
    """Let the system forget the store's frames; the size of its files in MiB."""
    size = 0
    for file in (path / "frames").rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            size += file.stat().st_size
    return size / MIB


def read_files(path: Path) -> float:
    """Seconds to read all of the frames' files, and nothing else."""
    began = time.perf_counter()
    for file in (path / "frames").rglob("*"):
        if file.is_file():
            file.read_bytes()
    return time.perf_counter() - began


def from_disk(store: Store, path: Path, repetitions: int, held_mib: int) -> None:
    reader = BlockReader(store, "train")
    order = PairOrder(reader, group_bytes=held_mib // 2 * MIB)
    sizes = BatchSizes(len(reader), BATCH)
    on_disk = drop_cache(path)
    cold = read_files(path)
    warm = read_files(path)
    print(
        f"\nFrom disk: {reader.frame_bytes / MIB:.0f} MiB of frames to train on, {len(reader):,} pairs, "
        f"{held_mib} MiB held, {len(order.epoch(0).renditions)} groups; all files {on_disk:.0f} MiB, "
        f"read alone {on_disk / cold:.0f} MiB/s with the cache dropped, {on_disk / warm:.0f} MiB/s after"
    )
    seconds, read = [], []
    for epoch in range(repetitions):
        drop_cache(path)
        cpu, wall = time.process_time(), time.perf_counter()
        pairs = sum(len(batch) for batch in epoch_batches(reader, order, sizes, epoch))
        seconds.append(((time.process_time() - cpu) / pairs, (time.perf_counter() - wall) / pairs))
        drop_cache(path)
        cpu, wall = time.process_time(), time.perf_counter()
        for group in order.epoch(epoch).renditions:
            reader.read(group)
        read.append(((time.process_time() - cpu) / pairs, (time.perf_counter() - wall) / pairs))
    for name, rows in (("an epoch of batches", seconds), ("reading and checking blocks alone", read)):
        cpu, wall = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:52} {'':8} {1 / cpu:12,.0f} {1 / wall:13,.0f}")


def beside_training(store: Store, held_mib: int, steps: dict[str, int]) -> None:
    print("\nTraining on this processor, frames read in blocks:")
    reader, device = BlockReader(store, "train"), torch.device("cpu")
    order, sizes = PairOrder(reader, group_bytes=held_mib // 2 * MIB), BatchSizes(len(reader), BATCH)
    for model, count in steps.items():
        settings = default_settings(model, store.reference_frames, store.snippet_frames, reader.bins)
        learner = Learner(settings, TrainingSettings(model=model), device, choose_precision("auto", device))
        batches = device_batches(epoch_batches(reader, order, sizes, 0), device)
        learner.step(next(batches), 0, 0, 1e-3)  # the first group is read before it, and libraries warm up
        waited = worked = 0.0
        for step in range(1, count + 1):
            began = time.perf_counter()
            batch = next(batches)
            have = time.perf_counter()
            learner.step(batch, 0, step, 1e-3)
            waited, worked = waited + have - began, worked + time.perf_counter() - have
        batches.close()
        rate = count * BATCH / (waited + worked)
        print(f"{model:10} {rate:8,.0f} pairs/s forward and backward; waits for data {waited / (waited + worked):.2%}")


def beside_a_gpu(store: Store, held_mib: int, rates: tuple[int | None, ...], count: int = 400) -> None:
    """Feed a consumer that does nothing but take its time, as a GPU would, or not even that."""
    print("\nTraining's own way of loading, for a consumer that only takes its time (as a GPU would):")
    reader, device = BlockReader(store, "train"), torch.device("cpu")
    order, sizes = PairOrder(reader, group_bytes=held_mib // 2 * MIB), BatchSizes(len(reader), BATCH)
    for rate in rates:
        batches = device_batches(epoch_batches(reader, order, sizes, 0), device)
        next(batches)
        waited, began = 0.0, time.perf_counter()
        for _ in range(count):
            asked = time.perf_counter()
            next(batches)
            waited += time.perf_counter() - asked
            if rate is not None:
                time.sleep(BATCH / rate)
        elapsed = time.perf_counter() - began
        batches.close()
        name = "as fast as it can" if rate is None else f"{rate:,} pairs/s"
        print(f"{name:20} gets {count * BATCH / elapsed:9,.0f} pairs/s; waits for data {waited / elapsed:6.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, nargs="?")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--copies", type=int, default=24)
    parser.add_argument("--held-mib", type=int, default=256)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python ", end="")
    print(f"{platform.python_version()}, NumPy {np.__version__}, Zarr {zarr.__version__}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = options.store or Path(folder) / "demo.zarr"
        if options.store is None:
            subprocess.run([*SFDATA, "build", str(DEMO), "-o", str(path)], check=True, stdout=subprocess.DEVNULL)
        store = open_store(path)
        in_memory(store, options.repetitions, Path(folder))
        large = Path(folder) / "large.zarr"
        repeat_store(store, large, options.copies)
        repeated = open_store(large)
        from_disk(repeated, large, max(1, options.repetitions // 2), options.held_mib)
        beside_training(repeated, options.held_mib, {"reduced": 30, "full": 6})
        beside_a_gpu(repeated, options.held_mib, (1_000, 5_000, 20_000, None))


if __name__ == "__main__":
    main()
