"""Views by xarray: the same values as the readers give, read late, from anywhere; axes with units."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from sfdata import PairReader, open_store, pairs_view, rendition_view, table_view
from sfdata.examples import LABELS
from sfdata.reader import SplitPairs
from sfdata.schema import TABLES
from tests.range_server import serving

SAMPLE = Path(__file__).parents[1] / "data" / "format-1.zarr.zip"

xarray = pytest.importorskip("xarray")


@pytest.fixture(scope="module")
def store():
    return open_store(SAMPLE)


@pytest.mark.parametrize("chunk_pairs", [10, 79, 512])
def test_pairs_are_those_of_the_reader(store, chunk_pairs: int):
    pairs, batch = pairs_view(store, "test", chunk_pairs), PairReader(store, "test").batch(slice(None))
    assert dict(pairs.sizes) == {"pair": 79, "reference_time_s": 240, "snippet_time_s": 27, "frequency_hz": 88}
    assert pairs.reference.chunks[0] == {10: (10,) * 7 + (9,), 79: (79,), 512: (79,)}[chunk_pairs]
    for side in ("reference", "snippet"):
        values = pairs[side].values
        assert values.dtype == pairs[side].dtype == store.frames.dtype
        np.testing.assert_array_equal(values, getattr(batch, side))
    assert set(LABELS) - {"pair"} < set(pairs.data_vars)
    np.testing.assert_array_equal(pairs.target_frame, batch.target_frame)
    np.testing.assert_array_equal(pairs.target_s, store.pairs["target_s"])
    assert set(pairs.title.values) == {"Scarlatti_K9_beginning"}


def test_axes_have_units(store):
    pairs = pairs_view(store, "test")
    assert pairs.reference_time_s.units == pairs.snippet_time_s.units == pairs.target_s.units == "s"
    assert pairs.frequency_hz.units == "Hz" and pairs.target_frame.units == "frames"
    assert float(pairs.frequency_hz[0]) == 27.5 and float(pairs.frequency_hz[12]) == 55.0
    assert float(pairs.reference_time_s[-1]) == 239 / 20
    assert float(pairs.snippet_time_s[13]) == 0 and float(pairs.snippet_time_s[0]) == -13 / 20
    assert pairs.pitch.long_name == LABELS["pitch"][1] and "units" not in pairs.pitch.attrs
    at = pairs.reference.sel(reference_time_s=pairs.target_s, method="nearest")  # a frame for each pair
    frame = np.rint(pairs.target_frame.values).astype(int)
    np.testing.assert_array_equal(at, pairs.reference.values[np.arange(79), frame])
    np.testing.assert_array_equal(pairs.reference.sel(pair=[7]), pairs.reference.values[7:8])


def test_a_rendition_and_its_times(store):
    array = rendition_view(store, 1)
    np.testing.assert_array_equal(array, store.rendition_frames(1))
    assert array.dims == ("time_s", "frequency_hz") and array.attrs["performance"] == store.renditions["performance"][1]
    np.testing.assert_array_equal(array.sel(time_s=2.0), store.rendition_frames(1)[40])
    with pytest.raises(ValueError, match=r"rendition 2; .* has 0 to 1"):
        rendition_view(store, 2)


@pytest.mark.parametrize("table", list(TABLES))
def test_tables(store, table: str):
    view = table_view(store, table)
    assert list(view.data_vars) == list(TABLES[table]) and view.sizes == {table[:-1]: store.rows(table)}
    for name, values in store.table(table).items():
        assert view[name].values.tolist() == values.tolist()
        assert view[name].long_name == TABLES[table][name][1]
        assert values.dtype.kind == "T" or view[name].dtype == values.dtype


def test_nothing_is_read_before_it_is_needed(tmp_path: Path, built_store: Path):
    bad = shutil.copytree(built_store, tmp_path / "bad.zarr")
    for chunk in (path for path in (bad / "frames" / "c").rglob("*") if path.is_file()):
        chunk.write_bytes(chunk.read_bytes()[:-50])
    shutil.rmtree(bad / "notes" / "velocity" / "c")
    store = open_store(bad)
    for lazy in (rendition_view(store, 0), table_view(store, "notes").velocity):
        with pytest.raises(ValueError, match="the store is damaged"):
            lazy.compute()
    shutil.rmtree(bad / "notes")
    shutil.copytree(built_store / "notes", bad / "notes")
    pairs = pairs_view(open_store(bad), "train")
    with pytest.raises(ValueError, match="the store is damaged"):
        pairs.reference[:2].compute()


def test_a_chunk_reads_what_it_needs(built_store: Path, monkeypatch: pytest.MonkeyPatch):
    store, real, read = open_store(built_store), SplitPairs.read, []

    def note(self: SplitPairs, renditions: np.ndarray) -> tuple:
        read.append(renditions.tolist())
        return real(self, renditions)

    monkeypatch.setattr(SplitPairs, "read", note)
    pairs = pairs_view(store, "all", 16)
    assert read == []
    first = pairs.snippet.isel(pair=[0, 3]).values
    assert read == [sorted(set(store.pairs["snippet_rendition"][:16].tolist()))]
    np.testing.assert_array_equal(first, PairReader(store, "all").batch(np.array([0, 3])).snippet)


def test_a_store_elsewhere_is_the_same(store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SFDATA_CACHE", str(tmp_path / "cache"))
    shutil.copy(SAMPLE, tmp_path / "s.zarr.zip")
    with serving(tmp_path) as server:
        far = pairs_view(open_store(f"{server.url}/s.zarr.zip"), "test", 20)
        near = pairs_view(store, "test", 20)
        xarray.testing.assert_identical(far.drop_attrs().compute(), near.drop_attrs().compute())


def test_views_travel_to_other_processes(store):
    pairs = pickle.loads(pickle.dumps(pairs_view(store, "test", 40)))
    values = pairs.snippet.isel(pair=slice(38, 42)).values
    np.testing.assert_array_equal(values, PairReader(store, "test").batch(slice(38, 42)).snippet)


def test_what_cannot_be_shown(store, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="split 'train' holds no pairs"):
        pairs_view(store, "train")
    with pytest.raises(ValueError, match="table 'songs'; expected one of pieces, instruments"):
        table_view(store, "songs")
    with pytest.raises(ValueError, match="chunk_pairs 0; expected at least 1"):
        pairs_view(store, "test", 0)
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    for view in (
        lambda: pairs_view(store, "test"),
        lambda: rendition_view(store, 0),
        lambda: table_view(store, "notes"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'sfdata\[xarray\]'"):
            view()
