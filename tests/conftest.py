"""Material for the tests: real MIDI that ships with the package, and small stores built from it. A browser."""

import os

# Before NumPy and PyTorch are imported, here and in every process that a test starts: a thread each. The networks of
# the tests are small, and threads of test processes that share the cores wait for each other longer than they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# The tests start some hundred processes, each of which would compile every module anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sfdata.augment import AugmentSettings
from sfdata.build import build
from sfdata.layout import StoreSettings
from sfdata.operations import Articulation, NoteLength, RestInsert, RestRemove, Tempo, Transpose
from sfdata.recipe import InstrumentSettings, Recipe, read_recipe
from sfdata.shipped_files import shipped_file
from sfdata.splits import SplitSettings

SHORT_PIECES = ("Bach_Prelude_and_Fugue_in_A-flat*", "Bach_Prelude_and_Fugue_in_F-sharp*", "Scarlatti*K9_*")
SHARED = Path(__file__).parents[2] / "shared" / "data"
# Modules with tests that take half a minute: they begin early, so that no worker is left with one when others are done.
FIRST = ("test_stress", "test_docs_commands", "test_remote", "test_cluster", "test_processes", "test_stranger")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in FIRST)  # all else stays in its order


@pytest.fixture(scope="session", autouse=True)
def no_fonts_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads, or writes, the soundfonts and the registry of whoever runs it."""
    os.environ["SFDATA_SOUNDFONTS"] = str(tmp_path_factory.mktemp("soundfonts"))


@pytest.fixture(scope="session")
def giantmidi() -> Path:
    return shipped_file("giantmidi")


@pytest.fixture(scope="session")
def short_midi(giantmidi: Path) -> list[Path]:
    return [next(giantmidi.glob(pattern)) for pattern in SHORT_PIECES]


@pytest.fixture(scope="session")
def small_recipe() -> Recipe:
    """Three short pieces, one for each split, one varied copy, small shards."""
    return replace(
        read_recipe("pipelines/demo.toml"),
        augment=AugmentSettings(
            copies=1,
            transpose=Transpose((-3, 3)),
            tempo=Tempo((0.8, 1.25)),
            rest_remove=RestRemove(0.1),
            rest_insert=RestInsert(0.05),
            articulation=Articulation(("as-is", "staccato", "legato")),
            note_length=NoteLength((0.8, 1.2)),
        ),
        instruments=InstrumentSettings(references=("timgm6mb:0",), snippets=("timgm6mb:1", "timgm6mb:4")),
        splits=SplitSettings(1.0, 1.0, 1.0),
        store=StoreSettings(chunk_frames=256, shard_frames=1024),
    )


@pytest.fixture(scope="session")
def built_store(tmp_path_factory: pytest.TempPathFactory, small_recipe: Recipe, short_midi: list[Path]) -> Path:
    path = tmp_path_factory.mktemp("store") / "small.zarr"
    build(small_recipe, path, short_midi, workers=1)
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared recordings are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium, where there is one."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium and chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
        *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver, env={**os.environ, "SE_OFFLINE": "true"}))
    yield opened
    opened.quit()
