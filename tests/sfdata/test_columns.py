from itertools import pairwise

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from sfdata import columns
from sfdata.columns import ColumnChecksum, TableWriter
from sfdata.schema import TABLES, array_sha256


@given(st.lists(st.text(), max_size=8), st.integers(0, 8))
def test_checksums_of_parts_are_those_of_the_whole(texts: list[str], cut: int):
    whole = np.array(texts, dtype=object)
    numbers = np.arange(len(texts), dtype=np.float32)
    for values, is_text in ((whole, True), (numbers, False)):
        total = ColumnChecksum(is_text)
        for part in (values[:cut], values[cut:]):
            total.update(part)
        assert total.hexdigest() == array_sha256(values)


def rows(first: int, count: int) -> dict[str, np.ndarray]:
    return {
        name: np.array([f"{name} {i}" for i in range(first, first + count)], dtype=object)
        if dtype == "str"
        else np.arange(first, first + count).astype(dtype)
        for name, (dtype, _) in TABLES["instruments"].items()
    }


def test_rows_in_parts_are_the_rows_at_once(monkeypatch):
    monkeypatch.setattr(columns, "CHUNK_ROWS", 8)
    monkeypatch.setattr(columns, "TEXT_CHUNK_ROWS", 4)
    sums = []
    for parts in ([0, 21], [0, 3, 3, 11, 20, 21]):
        group = zarr.group()
        writer = TableWriter(group, "instruments", 21)
        for begin, end in pairwise(parts):
            writer.append(rows(begin, end - begin))
        sums.append(writer.finish())
        for name, values in rows(0, 21).items():
            assert np.array_equal(group[f"instruments/{name}"][:], values)
    assert sums[0] == sums[1] == {f"instruments/{name}": array_sha256(values) for name, values in rows(0, 21).items()}


def test_rows_that_do_not_fit():
    writer = TableWriter(zarr.group(), "instruments", 3)
    with pytest.raises(ValueError, match="columns differ in length"):
        writer.append({**rows(0, 2), "name": ["x"]})
    with pytest.raises(ValueError, match="has columns"):
        writer.append({"name": ["x"]})
    writer.append(rows(0, 2))
    with pytest.raises(ValueError, match="2 rows; expected 3"):
        writer.finish()
    assert TableWriter(zarr.group(), "notes", 0).finish()["notes/pitch"] == array_sha256(np.empty(0, dtype=np.uint8))
