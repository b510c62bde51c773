"""A stranger's path: build, share, serve, and on a second machine pull, verify, train and evaluate: the same numbers.

The second machine is a clean folder and an environment of its own, which holds the wheel and not this checkout; other
packages are lent to it, so that nothing is downloaded.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sfdata.build import build
from sfdata.recipe import read_recipe
from tests.range_server import serving

ROOT = Path(__file__).resolve().parent.parent
RECIPE = """
name = "stranger"
seed = 2
[[sources]]
midi = "midi"
licence = "CC-BY-4.0"
attribution = "GiantMIDI-Piano"
[instruments]
references = ["timgm6mb:0"]
snippets = ["timgm6mb:1"]
[splits]
train = 1.0
validation = 1.0
test = 1.0
"""
TRAINING = ("--model", "reduced", "--epochs", "1", "--batch-size", "64", "--seed", "3", "--device", "cpu")


def run(folder: Path, python: Path, module: str, *arguments: str) -> str:
    """Run a command's module with an environment's own Python, knowing nothing of this checkout."""
    told = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told |= {"OMP_NUM_THREADS": "1", "SFDATA_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [python, "-m", module, *arguments], cwd=folder, env=told, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(command, check=True, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def second(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of the second machine."""
    folder = tmp_path_factory.mktemp("second")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    own = next((folder / "venv" / "lib").glob("python*/site-packages"))
    shutil.unpack_archive(wheel, own, "zip")
    (own / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")  # a path alone: its own .pth files do nothing
    return python


@pytest.mark.slow
def test_the_wheel_is_what_runs(second: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [second, "-c", "import sfdata, sfmodel; print(sfdata.__file__, sfmodel.__file__)"],
        **{"cwd": tmp_path, "capture_output": True, "text": True, "check": True},
    ).stdout
    assert str(ROOT) not in where and where.count("site-packages") == 2
    for package in ("sfdata", "sfmodel"):
        assert list((second.parent.parent / "lib").glob(f"python*/site-packages/{package}/py.typed"))


@pytest.mark.slow
def test_build_share_pull_train_evaluate(second: Path, tmp_path: Path, short_midi: list[Path]) -> None:
    first, other = tmp_path / "first", tmp_path / "other"
    for folder in (first / "midi", other):
        folder.mkdir(parents=True)
    for file in short_midi:
        shutil.copy(file, first / "midi")
    (first / "recipe.toml").write_text(RECIPE)
    build(read_recipe(first / "recipe.toml"), first / "set.zarr", workers=1)
    here = Path(sys.executable)
    run(first, here, "sfdata", "share", "set.zarr", "-o", "shared")
    run(first, here, "sfmodel", "train", "set.zarr", "-o", "run", *TRAINING)
    expected = json.loads(run(first, here, "sfmodel", "evaluate", "run", "set.zarr", "--json"))
    with serving(first / "shared") as server:
        run(other, second, "sfdata", "pull", server.url, "-o", "pulled")
        remote = f"{server.url}/set.zarr.zip"
        told = json.loads(run(other, second, "sfmodel", "evaluate", "matched-filter", remote, "--json"))
        sent = server.sent_bytes
        again = json.loads(run(other, second, "sfmodel", "evaluate", "matched-filter", remote, "--json"))
        assert server.sent_bytes == sent  # all it needs is in the cache
        run(other, second, "sfmodel", "train", remote, "-o", "remote-run", *TRAINING)
    assert told == again
    store = "pulled/set.zarr.zip"
    assert json.loads(run(other, second, "sfdata", "validate", store, "--json"))["valid"]
    verified = json.loads(
        run(other, second, "sfdata", "verify", store, "--sample", "5", "--midi", str(first / "midi"), "--json")
    )
    assert verified["verified"] and verified["scores"] > 0
    run(other, second, "sfmodel", "train", store, "-o", "run", *TRAINING)
    for trained in ("run", "remote-run"):
        found = json.loads(run(other, second, "sfmodel", "evaluate", trained, store, "--json"))
        assert found == {**expected, "method": trained}
