"""Format version 1, as a file that was written once and must stay readable; the docs' page about it, and its Python."""

import importlib.util
import re
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata import PairReader, open_store
from sfdata.cli import main
from sfdata.schema import TABLES
from sfdata.validate import validate

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "format-1.zarr.zip"


def test_a_store_of_version_1_is_read():
    store = open_store(SAMPLE)
    assert (store.attrs["format"], store.attrs["format_version"]) == ("sfdata-pairs", 1)
    assert store.rows("pairs") == 79 and store.rows("renditions") == 2
    assert validate(SAMPLE) == []
    batch = PairReader(store, "test").batch(slice(0, 3))
    np.testing.assert_allclose(
        batch.target_frame, [9.984580498866213, 14.97687074829932, 19.969160997732427], rtol=1e-15
    )
    assert batch.reference.shape == (3, 240, 88) and batch.snippet.shape == (3, 27, 88)
    assert batch.reference.astype(np.float64).sum() == pytest.approx(11305.539323687553, rel=1e-12)
    assert batch.snippet.astype(np.float64).sum() == pytest.approx(1077.4980463981628, rel=1e-12)
    np.testing.assert_allclose(store.pairs["target_s"][:3] * store.spectrogram.frame_rate_hz, batch.target_frame)


def test_the_page_names_every_column():
    page = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    for table, columns in TABLES.items():
        for column, (dtype, meaning) in columns.items():
            assert f"| `{table}/{column}` | {dtype} | {meaning} |" in page


@pytest.mark.filterwarnings("ignore:Passing a schema to Validator:DeprecationWarning")  # within jams
def test_what_the_page_shows_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Commands and Python of the page, in order; what needs a package that is not here is left out."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLE, "store.zarr.zip")
    with zipfile.ZipFile(SAMPLE) as archive:
        archive.extractall("store.zarr")
    if installed("datasets"):
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    page = (ROOT / "docs" / "use.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(python|sh)\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {}
    for kind, block in blocks:
        if kind == "sh":
            for line in block.splitlines():
                _, *arguments = shlex.split(line)
                if installed("pyarrow") or "datasets" not in arguments:
                    result = CliRunner().invoke(main, arguments)
                    assert result.exit_code == 0, result.output
        elif all(installed(package) for package in needed(block)):
            exec(block, names)
    assert names["reference"].shape == names["again"].shape == (240, 88)
    np.testing.assert_array_equal(names["reference"], names["again"])
    if installed("xarray"):
        np.testing.assert_array_equal(names["view"].reference[0], names["again"])
        assert names["second"].shape == (21, 88) and names["loudest"] == names["store"].notes["velocity"].max()
    if installed("torch"):
        assert tuple(names["tensors"]["reference"].shape) == (16, 240, 88) and names["lookalikes"].shape == (16,)
    if installed("webdataset"):
        np.testing.assert_array_equal(names["example"]["reference.npy"], names["again"])
        assert names["example"]["json"]["target_frame"] == names["target_frame"]
    if installed("datasets"):
        np.testing.assert_array_equal(names["item"]["reference"], names["again"])
        assert names["item"]["target_frame"] == names["target_frame"] and len(names["lists"]) == 79
    if installed("jams"):
        assert names["onsets_s"] == sorted(set(names["store"].performance_notes(0)["onset_s"].tolist()))


def needed(block: str) -> list[str]:
    """Packages that a block of Python imports; views by xarray import it themselves."""
    packages = re.findall(r"^(?:import|from) (\w+)", block, flags=re.MULTILINE)
    return [*packages, "xarray"] if "_view" in block else packages


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
