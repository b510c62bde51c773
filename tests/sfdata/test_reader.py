import shutil

import numpy as np
import pytest
import zarr

from sfdata import PairReader, open_store
from sfdata.reader import SplitPairs, join_batches
from sfdata.schema import SPLITS
from sfdata.windows import cut_windows


@pytest.fixture(scope="module")
def store(built_store):
    return open_store(built_store)


def test_pairs_are_cut_out_of_their_renditions(store):
    """Every pair of the store against its windows cut by hand from the whole array."""
    reader, frames, table = PairReader(store, "all"), store.frames[:], store.renditions
    batch = reader.batch(slice(None))
    assert len(batch) == len(reader) == len(store.pairs["note"])
    np.testing.assert_array_equal(batch.index, np.arange(len(reader)))
    for i in range(0, len(reader), 7):
        rendition, start = store.pairs["reference_rendition"][i], store.pairs["reference_start_frame"][i]
        first, count = table["first_frame"][rendition], table["frame_count"][rendition]
        held = np.concatenate([frames[first : first + count], np.zeros((240, 88), np.float16)])
        np.testing.assert_array_equal(batch.reference[i], held[start : start + 240])
        assert batch.target_frame[i] == store.pairs["target_frame"][i]


def test_batches_of_none_and_of_one(store):
    reader = PairReader(store, "train")
    empty = reader.batch(np.empty(0, dtype=np.int64))
    assert empty.reference.shape == (0, 240, 88) and empty.snippet.shape == (0, 27, 88) and len(empty) == 0
    one = reader.batch(np.array([5]))
    np.testing.assert_array_equal(one.snippet[0], reader.batch(slice(0, 9)).snippet[5])
    joined = join_batches([empty, one, reader.batch(slice(0, 2))])
    assert joined.index.tolist() == [5, 0, 1] and joined.reference.shape == (3, 240, 88)
    assert join_batches([one]) is one


def test_fresh_references_hold_the_onset(store):
    reader = PairReader(store, "train")
    index = np.arange(len(reader))
    start = reader.draw_starts(index, np.random.default_rng(0))
    batch = reader.batch(index, start)
    assert (start != reader.reference_start).mean() > 0.5
    np.testing.assert_allclose(batch.target_frame + start, reader.target_frame + reader.reference_start)
    assert batch.target_frame.min() >= 0 and batch.target_frame.max() <= 239


def test_any_renditions_are_read_as_stored(store):
    pairs = SplitPairs(store, "all")
    every = np.arange(len(pairs.frame_count))
    for chosen in (every, every[::2], every[1:], every[-1:], every[:0]):
        frames, first_of = pairs.read(chosen)
        assert frames.nbytes == pairs.bytes_of(chosen) and (first_of >= 0).sum() == len(chosen)
        for rendition in chosen.tolist():
            part = frames[first_of[rendition] : first_of[rendition] + pairs.frame_count[rendition]]
            np.testing.assert_array_equal(part, store.rendition_frames(rendition))


def test_a_split_without_pairs_or_unknown(store):
    counts = {name: len(store.pair_rows(name)) for name in SPLITS}
    assert sum(counts.values()) == len(PairReader(store, "all"))
    with pytest.raises(ValueError, match="split 'dev'; expected one of train, validation, test, all"):
        SplitPairs(store, "dev")
    with pytest.raises(ValueError, match=r"needs \d+ MiB in memory, 0 MiB are allowed; read it in blocks"):
        PairReader(store, "train", max_bytes=1000)


def test_damaged_frames_are_told_by_their_rendition(built_store, tmp_path):
    path = tmp_path / "damaged.zarr"
    shutil.copytree(built_store, path)
    store = open_store(path)
    rendition = int(SplitPairs(store, "train").renditions[1])
    first = int(store.renditions["first_frame"][rendition])
    zarr.open_group(path, mode="r+")["frames"][first + 3, 5] = 9
    message = f"the spectrogram of rendition {rendition} differs from its recorded sha256; the store is damaged"
    with pytest.raises(ValueError, match=message):
        PairReader(open_store(path), "train")
    shard = path / "frames" / "c" / str(first // 1024) / "0"
    shard.write_bytes(shard.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"the spectrogram of rendition \d+ cannot be read"):
        PairReader(open_store(path), "train")


def test_windows_that_leave_their_rendition_or_all_frames():
    frames = np.arange(1, 21, dtype=np.float32).reshape(10, 2)
    first, count, start = np.array([0, 4, 4, 4, 4]), np.array([4, 6, 6, 6, 6]), np.array([2, -3, 4, -9, 9])
    cut = cut_windows(frames, first, count, start, 5)
    expected = np.zeros((5, 5, 2), dtype=np.float32)
    expected[0, :2], expected[1, 3:], expected[2, :2] = frames[2:4], frames[4:6], frames[8:10]
    np.testing.assert_array_equal(cut, expected)
    longer = cut_windows(frames, first[:1], np.array([10]), np.array([-1]), 12)  # than all there is
    np.testing.assert_array_equal(longer[0], np.concatenate([np.zeros((1, 2)), frames, np.zeros((1, 2))]))
    none = cut_windows(frames[:0], np.array([0]), np.array([0]), np.array([0]), 3)
    np.testing.assert_array_equal(none, np.zeros((1, 3, 2)))
    strided = np.repeat(frames, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(cut_windows(strided, first, count, start, 5), expected)
