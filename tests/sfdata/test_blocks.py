"""Streams of sound are cut anew without loss; a sound that is kept comes back the same from memory and from a file."""

import errno
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata import blocks
from sfdata.blocks import KeptSound, fitted, joined, recut


def counting(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32)


def parts(samples: np.ndarray, cuts: list[int]) -> list[np.ndarray]:
    return np.split(samples, sorted(cut % (len(samples) + 1) for cut in cuts))


@given(count=st.integers(0, 200), cuts=st.lists(st.integers(0, 1000), max_size=20), size=st.integers(1, 50))
def test_recutting_keeps_every_sample_and_gives_one_size(count, cuts, size):
    cut = list(recut(parts(counting(count), cuts), size))
    assert [len(block) for block in cut] == [size] * (count // size) + [count % size] * (count % size > 0)
    assert np.array_equal(joined(cut), counting(count))


@given(count=st.integers(0, 200), cuts=st.lists(st.integers(0, 1000), max_size=20), wanted=st.integers(0, 300))
def test_fitting_cuts_or_fills_with_silence(count, cuts, wanted):
    fit = joined(fitted(parts(counting(count), cuts), wanted))
    assert fit.dtype == np.float32 and len(fit) == wanted
    assert np.array_equal(fit[:count], counting(count)[:wanted]) and not fit[count:].any()


def test_fitting_takes_no_more_blocks_than_it_needs():
    endless = (counting(10) for _ in iter(int, 1))
    assert len(joined(fitted(endless, 25))) == 25


def test_what_is_whole_already_is_not_copied():
    whole = counting(10)
    assert joined([whole]) is whole and next(recut([whole], 10)) is whole and next(recut([whole], 11)) is whole
    assert joined([]).dtype == np.float32 and len(joined([])) == 0


@settings(deadline=None)
@given(count=st.integers(0, 300), cuts=st.lists(st.integers(0, 1000), max_size=8), memory=st.integers(0, 320))
def test_a_kept_sound_is_the_same_from_memory_and_from_a_file(count, cuts, memory):
    with KeptSound(memory_samples=memory) as kept:
        for part in parts(counting(count), cuts):
            kept.append(part)
        assert kept.samples == count
        assert (kept._file is not None) == (count > memory)
        assert np.array_equal(joined(kept.drain()), counting(count))


def test_a_long_sound_comes_back_in_blocks():
    long = counting(blocks.FILE_BLOCK_SAMPLES * 2 + 5)
    with KeptSound(memory_samples=10) as kept:
        kept.append(long)
        given_back = list(kept.drain())
    assert [len(block) for block in given_back] == [blocks.FILE_BLOCK_SAMPLES] * 2 + [5]
    assert np.array_equal(joined(given_back), long)


def test_the_file_ends_with_the_statement():
    with KeptSound(memory_samples=0) as kept:
        kept.append(counting(3))
        file = kept._file
    assert file is not None and file.closed


def test_no_room_and_no_folder(monkeypatch: pytest.MonkeyPatch):
    class Full:
        """A disk that takes a part, then no more."""

        def __init__(self) -> None:
            self.room = 6

        def write(self, data: memoryview) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = min(self.room, len(data))
            self.room -= taken
            return taken

        def close(self) -> None:
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    said = r"sound of 1,000 samples cannot be kept .*No space left.*make room there, or set TMPDIR"
    with pytest.raises(OSError, match=said) as error, KeptSound(memory_samples=10) as kept:
        kept.append(counting(1000))
    assert error.value.errno == errno.ENOSPC
