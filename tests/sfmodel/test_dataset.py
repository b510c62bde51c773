import inspect
import os
import pickle
import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from torch.utils.data import DataLoader

from sfdata import PairReader, open_store
from sfmodel import dataset as dataset_module
from sfmodel.dataset import PairDataset, Samples, whole_batch
from sfmodel.loading import describe_loading, open_reader
from sfmodel.stream import PairStream


@pytest.fixture(scope="module")
def large_store(write_store, tmp_path_factory):
    """A training split of several groups of one MiB: six pieces of half a MiB."""
    path = tmp_path_factory.mktemp("large") / "large.zarr"
    return write_store(path, ("train",) * 6 + ("validation",), notes=24, gap_s=(2.0, 4.0))


def same_tensors(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def same_batches(some: list, others: list) -> bool:
    return len(some) == len(others) and all(map(same_tensors, some, others))


def stream_of(path, loading="memory", **options):
    return PairStream(path, "train", 10, loading=loading, shuffle_mib=1, seed=7, **options)


@pytest.fixture(scope="module")
def epoch_batches(large_store):
    """What every way of loading must give: the second epoch's batches, from memory, without a loader."""
    stream = stream_of(large_store)
    stream.set_epoch(1)
    return list(stream)


def test_an_item_is_a_pair(small_store):
    reader, data = PairReader(open_store(small_store), "train"), PairDataset(small_store, "train")
    assert len(data) == 160 and re.search(r"160 pairs, 0\.\d+ MiB in memory", repr(data))
    expected = reader.batch(np.array([5, 159]))
    for i, at in enumerate((5, -1)):
        item = data[at]
        np.testing.assert_array_equal(item["reference"].numpy(), expected.reference[i])
        np.testing.assert_array_equal(item["snippet"].numpy(), expected.snippet[i])
        assert item["target_frame"] == np.float32(expected.target_frame[i]) and item["index"] == (5, 159)[i]
    assert item["reference"].shape == (240, 88) and item["reference"].dtype is torch.float16
    for i in (160, -161):
        with pytest.raises(IndexError, match="the split has 160"):
            data[i]
    assert sum(1 for _ in data) == 160  # Python's own way of iterating ends


def test_items_together_are_those_taken_singly(small_store):
    data = PairDataset(small_store, "train", fresh_windows=True)
    samples = data.__getitems__([3, 1, 4, 1])
    assert len(samples) == 4 and isinstance(samples[1:], Samples)
    for sample, i in zip(samples, [3, 1, 4, 1], strict=True):
        assert same_tensors(sample, data[i])
    assert same_tensors(whole_batch(samples), whole_batch([data[i] for i in (3, 1, 4, 1)]))
    assert same_tensors(torch.utils.data.default_collate(samples), whole_batch(samples))
    assert data.__getitems__([]).batch["reference"].shape == (0, 240, 88)


@pytest.mark.parametrize(
    ("loading", "workers", "context"),
    [
        ("memory", 2, "fork"),
        ("blocks", 2, "fork"),
        pytest.param("memory", 1, "spawn", marks=pytest.mark.slow),
        pytest.param("blocks", 1, "spawn", marks=pytest.mark.slow),
    ],
)
def test_any_number_of_workers_gives_the_same_items(small_store, loading, workers, context):
    data = PairDataset(small_store, "train", loading=loading, fresh_windows=True, seed=2)
    expected = PairDataset(small_store, "train", fresh_windows=True, seed=2)
    loader = DataLoader(
        data, 33, collate_fn=whole_batch, num_workers=workers, persistent_workers=True, multiprocessing_context=context
    )
    starts = []
    for epoch in (0, 3):  # workers live on, and must still see the epoch change
        data.set_epoch(epoch)
        expected.set_epoch(epoch)
        batches = list(loader)
        assert same_batches(batches, list(DataLoader(expected, 33, collate_fn=whole_batch)))
        starts.append(torch.cat([batch["target_frame"] for batch in batches]))
    assert (starts[0] != starts[1]).float().mean() > 0.9


def test_a_stream_gives_every_pair_once(large_store, epoch_batches):
    stream = stream_of(large_store)
    assert len(stream) == len(epoch_batches) == 15
    index = torch.cat([batch["index"] for batch in epoch_batches])
    assert sorted(index.tolist()) == list(range(144))
    reader = PairReader(open_store(large_store), "train")
    changes = np.flatnonzero(np.diff(reader.piece[index.numpy()]))
    assert len(changes) > 20, "pairs of a group are not mixed"
    first = list(stream)  # of epoch 0
    assert not torch.equal(torch.cat([batch["index"] for batch in first]), index)
    for batch in epoch_batches[:3]:
        start = reader.reference_start + reader.target_frame
        start = np.rint(start[batch["index"]] - batch["target_frame"].numpy()).astype(np.int64)
        expected = reader.batch(batch["index"].numpy(), start)
        np.testing.assert_array_equal(batch["reference"].numpy(), expected.reference)
        np.testing.assert_array_equal(batch["snippet"].numpy(), expected.snippet)


@pytest.mark.parametrize(
    ("loading", "workers", "context"),
    [
        ("blocks", 0, None),
        ("blocks", 2, "fork"),
        ("memory", 2, "fork"),
        pytest.param("blocks", 2, "spawn", marks=pytest.mark.slow),
        pytest.param("memory", 1, "spawn", marks=pytest.mark.slow),
    ],
)
def test_streams_agree_for_any_loading_and_workers(large_store, epoch_batches, loading, workers, context):
    stream = stream_of(large_store, loading)
    loader = DataLoader(
        stream, None, num_workers=workers, persistent_workers=workers > 0, multiprocessing_context=context
    )
    list(loader)
    stream.set_epoch(1)
    assert len(loader) == 15
    assert same_batches(list(loader), epoch_batches)
    stream.set_epoch(1, first_batch=4)  # as after an interruption
    assert len(loader) == 11
    assert same_batches(list(loader), epoch_batches[4:])


@pytest.mark.parametrize("world", [1, 2, 3, 10])
def test_shares_make_up_the_batches_of_one_process(large_store, epoch_batches, world):
    shares = []
    for rank in range(world):
        stream = stream_of(large_store, "blocks" if rank else "memory", rank=rank, world=world)
        stream.set_epoch(1)
        shares.append(list(stream))
    for batch, *parts in zip(epoch_batches, *shares, strict=True):
        for rank, part in enumerate(parts):
            assert same_tensors(part, {name: values[rank::world] for name, values in batch.items()})
    assert len(stream_of(large_store, drop_last=True, rank=0, world=world)) == 14  # 144 pairs, batches of 10


@pytest.mark.slow
def test_two_processes_of_a_group_share_an_epoch_and_a_gradient(large_store, tmp_path, monkeypatch):
    """Real processes over gloo: shares are disjoint and whole; averaged gradients are those of one process."""
    code = f"""
        import gc, glob, sys, torch, torch.distributed as dist
        import torch.distributed.nn  # before there is a group, which it would hold for ever
        from torch.utils.data import DataLoader
        from sfmodel.stream import PairStream
        rank = int(sys.argv[1])
        if rank >= 0:
            dist.init_process_group("gloo", init_method="file://{tmp_path}/meet", rank=rank, world_size=2)
        stream = PairStream({str(large_store)!r}, batch_size=12, shuffle_mib=1, loading="blocks" if rank else "memory")
        assert (stream.rank, stream.world) == ((rank, 2) if rank >= 0 else (0, 1))
        torch.manual_seed(0)
        network = torch.nn.Linear(27 * 88, 1)
        model = torch.nn.parallel.DistributedDataParallel(network) if rank >= 0 else network
        optimiser, index = torch.optim.SGD(network.parameters(), 1e-3), []
        for batch in DataLoader(stream, batch_size=None):
            index.append(batch["index"])
            optimiser.zero_grad()
            error = model(batch["snippet"].float().flatten(1))[:, 0] - batch["target_frame"] / 240
            error.square().mean().backward()
            optimiser.step()
        torch.save((torch.cat(index), [len(i) for i in index], network.state_dict()), f"{tmp_path}/{{rank}}.pt")
        if rank >= 0:  # part before the end, or the group's threads may meet it and abort the process
            del model, network, optimiser, error, batch
            gc.collect()
            dist.destroy_process_group()
            assert not any("gloo" in open(name).read() for name in glob.glob("/proc/self/task/*/comm"))
    """
    (tmp_path / "share.py").write_text(textwrap.dedent(code))
    run = [sys.executable, tmp_path / "share.py"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen([*run, str(rank)], stderr=subprocess.PIPE, text=True, env=env) for rank in (0, 1)]
    monkeypatch.setattr(sys, "argv", ["share.py", "-1"])
    runpy.run_path(str(tmp_path / "share.py"))  # alone: here
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    (zero, counts, weights), (one, other_counts, same), (alone, whole_counts, expected) = (
        torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1, -1)
    )
    assert not set(zero.tolist()) & set(one.tolist())
    assert sorted(zero.tolist() + one.tolist()) == sorted(alone.tolist()) == list(range(144))
    assert counts == other_counts == [6] * 12 and whole_counts == [12] * 12
    for name, values in expected.items():
        assert torch.equal(weights[name], same[name])
        torch.testing.assert_close(weights[name], values, rtol=1e-5, atol=1e-7)


def test_pickling_sends_no_frames(large_store):
    for data in (PairDataset(large_store), stream_of(large_store)):
        size = len(pickle.dumps(data._data))
        assert size < 2000
        again = pickle.loads(pickle.dumps(data._data))
        np.testing.assert_array_equal(again.reader.frames, data.reader.frames)


def test_the_loading_is_chosen_by_what_is_free(large_store, monkeypatch):
    store = open_store(large_store)
    needed = open_reader(store).frame_bytes
    for free, expected in ((2 * needed, "in memory"), (2 * needed - 1, "read in blocks")):
        assert describe_loading(open_reader(store, free=free)).endswith(expected)
    assert describe_loading(open_reader(store, loading="memory", free=needed)).endswith("in memory")
    with pytest.raises(ValueError, match="needs 3 MiB in memory, 1 MiB are allowed; read it in blocks"):
        open_reader(store, loading="memory", free=2**20)
    with pytest.raises(ValueError, match="in blocks holds up to 2 MiB, 1 MiB are free; shuffle less than 1 MiB"):
        open_reader(store, loading="blocks", group_bytes=2**20, free=2**20)
    monkeypatch.setattr("sfmodel.loading.free_memory_bytes", lambda: 3 * needed)
    assert describe_loading(open_reader(store)).endswith("in memory")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert describe_loading(open_reader(store)).endswith("read in blocks")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "psutil", None)  # classic methods go without
    assert describe_loading(open_reader(store)).endswith("in memory")


@pytest.mark.parametrize("loading", ["memory", "blocks"])
def test_damaged_frames_are_told(write_store, tmp_path, loading):
    path = write_store(tmp_path / "damaged.zarr", ("train", "train"), notes=20)
    zarr.open_group(path, mode="r+")["frames"][3, 3] = 7
    with pytest.raises(ValueError, match="rendition 0 differs from its recorded sha256; the store is damaged"):
        list(PairStream(path, loading=loading))
    with pytest.raises(ValueError, match="rendition 0 differs from its recorded sha256; the store is damaged"):
        list(DataLoader(PairDataset(path, loading=loading), 8, collate_fn=whole_batch))


def test_numbers_that_cannot_be(large_store):
    data, stream = PairDataset(large_store), stream_of(large_store)
    with pytest.raises(ValueError, match="epoch -1; expected at least 0"):
        data.set_epoch(-1)
    with pytest.raises(ValueError, match="epoch 0, first_batch 16; expected at least 0, and 0 to 15"):
        stream.set_epoch(0, 16)
    with pytest.raises(ValueError, match="batch_size 10 for 11 processes; expected at least a pair for each"):
        stream_of(large_store, rank=0, world=11)
    with pytest.raises(ValueError, match="rank 2, world 2; expected 0 <= rank < world"):
        stream_of(large_store, rank=2, world=2)
    with pytest.raises(ValueError, match="rank 1, world None; expected both or neither"):
        stream_of(large_store, rank=1)
    with pytest.raises(ValueError, match="holds no pairs; pairs by split"):
        PairDataset(large_store, "test")
    with pytest.raises(FileNotFoundError, match="no store at"):
        PairStream("nowhere.zarr")


def test_the_example_in_the_documentation_runs(small_store, tmp_path, monkeypatch):
    code = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(dataset_module) + "\n").group(1)
    assert "PairStream" in code and "PairDataset" in code
    Path(tmp_path / "demo.zarr").symlink_to(small_store)
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    exec(textwrap.dedent(code), namespace)
    assert namespace["reference"].shape == (32, 240, 88)  # the last of 160 pairs in batches of 64
