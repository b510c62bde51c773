"""What a store from a stranger may claim: rows, chunks, settings and attributes that lie are refused, cheaply."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from numcodecs.blosc import Blosc
from numcodecs.vlen import VLenUTF8
from numcodecs.zstd import Zstd

from sfdata import open_store
from sfdata.bounded import MOST_FOLD, MOST_TEXT_BYTES, blosc_claims, zstd_claims
from sfdata.cli import main
from sfdata.guard import attribute_problems
from sfdata.schema import TABLES
from sfdata.spectrogram import SpectrogramSettings
from sfdata.windows import WindowSettings


@pytest.fixture
def copy(built_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_store, tmp_path / "copy.zarr"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_frame_tells_its_size() -> None:
    for count in (0, 1, 255, 256, 300, 70_000, 1 << 21):
        for values in (np.zeros(count, np.uint8), np.random.default_rng(1).integers(255, size=count).astype(np.uint8)):
            assert zstd_claims(bytes(Zstd(checksum=count > 300).encode(values))) == count
            if count:
                assert blosc_claims(bytes(Blosc().encode(values))) == count


def test_a_second_frame_is_no_hiding_place() -> None:
    frame = bytes(Zstd().encode(np.zeros(1000, np.uint8)))
    for data in (frame + frame, frame[:-1], b"", b"\x50" * 40, b"\x28\xb5\x2f\xfd\x00\x58" + frame[9:]):
        with pytest.raises(ValueError, match="a chunk"):
            zstd_claims(data)


@pytest.mark.parametrize("what", ["text", "number", "rows"])
def test_bombs_are_not_unfolded(copy: Path, what: str) -> None:
    table, column = ("pairs", "note") if what == "number" else ("pieces", "title")
    content = bytearray(64 << 20 if what != "rows" else 4)
    content[:4] = struct.pack("<I", 3 if what != "rows" else 2**31)
    (copy / table / column / "c" / "0").write_bytes(bytes(Zstd(level=1).encode(content)))
    with pytest.raises(ValueError, match="cannot be read") as caught:
        open_store(copy).column(table, column)
    told = "claims 2,147,483,648 texts" if what == "rows" else "claims to unfold to 67,108,864"
    assert told in str(caught.value.__cause__)


def test_long_texts_may_be_alike() -> None:
    """Records as honest stores have them, many times alike."""
    texts = np.array([json.dumps({"drawn": list(range(4000))})] * 256, dtype=object)
    data = bytes(Zstd().encode(VLenUTF8().encode(texts)))
    assert zstd_claims(data) < min(MOST_TEXT_BYTES, MOST_FOLD * len(data))


@pytest.mark.parametrize("table", TABLES)
def test_rows_need_something_stored(copy: Path, table: str) -> None:
    for column in TABLES[table]:
        change(copy / table / column / "zarr.json", shape=[1 << 27])
    with pytest.raises(ValueError, match=rf"table '{table}' claims 134,217,728 rows"):
        open_store(copy)


def test_large_chunks_of_tables(copy: Path) -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [1 << 22]}}
    change(copy / "pieces" / "title" / "zarr.json", chunk_grid=grid)
    with pytest.raises(ValueError, match="'pieces/title' has chunks of"):
        open_store(copy)


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda: WindowSettings(reference_s=1e12), "reference_s"),
        (lambda: WindowSettings(reference_s=float("nan")), "reference_s"),
        (lambda: SpectrogramSettings(n_fft=1 << 40), "n_fft"),
        (lambda: SpectrogramSettings(n_bins=1 << 20, bins_per_octave=1 << 18), "n_bins"),
    ],
)
def test_absurd_settings(make, told: str) -> None:
    with pytest.raises(ValueError, match=rf"{told} .*; expected .*"):
        make()


def test_settings_that_are_absurd_together(copy: Path) -> None:
    group = zarr.open_group(copy, mode="r+")
    group.attrs["windows"] = group.attrs["windows"] | {"reference_s": 3600}
    group.attrs["spectrogram"] = group.attrs["spectrogram"] | {"frame_rate_hz": 1000}
    with pytest.raises(ValueError, match="a reference has 316,800,000 values"):
        open_store(copy)


@pytest.mark.parametrize(
    "attrs, told",
    [
        ({"recipe": None}, "attribute recipe is null; expected an object"),
        ({"recipe": [1, 2]}, "attribute recipe is [1, 2]; expected an object"),
        ({"recipe": {"splits": {"by": {}}}}, "attribute recipe.splits.by is {}; expected a string"),
        ({"recipe": {"sources": "abc"}}, 'attribute recipe.sources is "abc"; expected a list'),
        ({"recipe": {"sources": [1]}}, "attribute recipe.sources holds what is no object"),
        ({"checksums": []}, "attribute checksums is []; expected an object"),
        ({"skipped": 5}, "attribute skipped is 5; expected a list"),
        ({"seed": "abc"}, 'attribute seed is "abc"; expected a whole number'),
        ({"seed": True}, "attribute seed is true; expected a whole number"),
        ({"software": [0] * 99}, "attribute software is of type list; expected an object"),
    ],
)
def test_lying_attributes(copy: Path, attrs: dict, told: str) -> None:
    assert list(attribute_problems(attrs)) == [told]
    zarr.open_group(copy, mode="r+").attrs.update(attrs)
    result = CliRunner().invoke(main, ["info", str(copy)])
    assert result.exit_code == 2 and told in result.output


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch, built_store: Path) -> None:
    def absurd(_path: object) -> None:
        raise MemoryError("Unable to allocate 8 EiB")

    monkeypatch.setattr("sfdata.info.info", absurd)
    result = CliRunner().invoke(main, ["info", str(built_store)])
    assert result.exit_code == 2 and "not enough memory: Unable to allocate 8 EiB" in result.output
