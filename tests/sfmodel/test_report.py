"""The report: as a file, and as a real browser shows it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata.page import document, table, text
from sfdata.schema import array_sha256
from sfdata.zipped import write_zip
from sfmodel.cli import main
from sfmodel.evaluation import EvaluationResult, evaluate
from sfmodel.examples import choose_examples
from sfmodel.figures import DOTS_PER_IN, WIDTH_IN, hit_rates, png_bytes, training_curves
from sfmodel.report import write_report
from sfmodel.settings import TrainingSettings
from sfmodel.training import train
from tests.range_server import serving

NASTY = 'Études <script>alert("1")</script> & $x$ 練習曲 no_space_to_break_a_line_at_in_all_this_long_name_of_a_file'


@pytest.fixture(scope="module")
def nasty_store(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small store with a title that would do harm if it were not escaped."""
    import zarr

    path = tmp_path_factory.mktemp("nasty") / "store.zarr"
    shutil.copytree(small_store, path)
    group: Any = zarr.open_group(path, mode="r+")
    titles = group["pieces/title"][:]
    titles[-2:] = NASTY
    group["pieces/title"][:] = titles
    group.attrs["checksums"] = dict(group.attrs["checksums"]) | {"pieces/title": array_sha256(titles)}
    return path


@pytest.fixture(scope="module")
def run_dir(nasty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    train(nasty_store, run_dir, TrainingSettings(epochs=2, network={"stack_channels": ((2,),), "dense": (8,)}))
    return run_dir


@pytest.fixture(scope="module")
def page(run_dir: Path) -> Path:
    return write_report(run_dir)


def test_page_tells_the_results(page, run_dir):
    html = page.read_text(encoding="utf-8")
    assert page == run_dir / "report.html"
    for words in (
        "matched-filter-5",
        "bucket 1 (nearest frame)",
        "CC0-1.0",
        "tones:1",
        "Figs. 4 and 7",
        "80\u00a0pairs",
    ):
        assert words.replace("\u00a0", " ") in html
    assert re.search(r"On 80 test pairs from 2 pieces of store\.zarr", html)


def test_page_stands_alone_and_data_is_escaped(page):
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html and text(NASTY) in html
    assert not re.search(r"(?:src|href)=[\"'](?!data:|#)", html)
    assert "@import" not in html and "url(" not in html


def test_pictures_lie_beside_the_page(page):
    names = {path.stem for path in (page.parent / "figures").iterdir()}
    assert {"curves", "hit-rates", "errors", "distances", "distance-distribution", "example-1"} <= names
    for path in (page.parent / "figures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
    assert page.read_text().count("<img") == len(names)


def test_output_folder_and_store_can_be_given(run_dir, small_store, tmp_path):
    stale = tmp_path / "out" / "figures" / "example-9.png"
    stale.parent.mkdir(parents=True)
    stale.touch()
    result = CliRunner().invoke(main, ["report", str(run_dir), str(small_store), "-o", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"report": str(tmp_path / "out" / "report.html")}
    assert "small.zarr" in (tmp_path / "out" / "report.html").read_text() and not stale.exists()


def test_missing_store_and_run_are_explained(run_dir, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(run_dir, moved)
    config = json.loads((moved / "config.json").read_text())
    config["store"]["path"] = "/gone.zarr"
    (moved / "config.json").write_text(json.dumps(config))
    with pytest.raises(FileNotFoundError, match=r"no longer at /gone\.zarr; give its place: sfmodel report .* STORE"):
        write_report(moved)
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        write_report(tmp_path)
    result = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert result.exit_code == 2 and "no config.json" in result.output


def test_a_store_with_an_address(run_dir, small_store, tmp_path, monkeypatch):
    monkeypatch.setenv("SFDATA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "served").mkdir()
    write_zip(small_store, tmp_path / "served" / "small.zarr.zip")
    with serving(tmp_path / "served") as server:
        page = write_report(run_dir, f"{server.url}/small.zarr.zip", tmp_path / "out")
        assert "small.zarr.zip" in page.read_text()
        with pytest.raises(FileNotFoundError, match=r"no store at http://.*/none\.zarr"):
            write_report(run_dir, f"{server.url}/none.zarr", tmp_path / "out")


def results_with(predicted: np.ndarray, base: EvaluationResult, score: np.ndarray) -> EvaluationResult:
    return replace(base, predicted_frame=predicted, score=score.astype(np.float32))


def test_examples_are_what_they_are_called(small_store):
    base = evaluate("matched-filter", small_store)
    predicted, score = base.predicted_frame.copy(), np.linspace(0.2, 0.8, 80)
    predicted[[3, 10, 50]] = (predicted[[3, 10, 50]] + np.array([5, 20, 100])) % 240
    choices = choose_examples(results_with(predicted, base, score), base)
    by_reason = {choice.reason: choice.index for choice in choices}
    assert by_reason["right, most certain of all"] == 79 and by_reason["right, least certain of all"] == 0
    wrong = {index for reason, index in by_reason.items() if reason.startswith("wrong")}
    assert wrong == {3, 10, 50} and len(by_reason) == 5
    assert len(choose_examples(base)) == 2  # nothing is wrong: nothing to show
    far = results_with((base.predicted_frame + 100) % 240, base, score)
    assert all(choice.reason.startswith("wrong") for choice in choose_examples(far, base))


def test_same_figure_gives_the_same_bytes(small_store):
    results = {"matched-filter": evaluate("matched-filter", small_store)}
    first, second = (png_bytes(hit_rates(results)) for _ in range(2))
    assert first == second
    assert int.from_bytes(first[16:20], "big") == round(WIDTH_IN * DOTS_PER_IN)


@pytest.mark.parametrize("epochs", [1, 3])
def test_curves_of_a_run_without_validation(epochs):
    columns = ("train_loss", "train_bucket1", "train_bucket2")
    log = {key: np.linspace(0.2, 0.5, epochs) for key in columns}
    log |= {key.replace("train", "validation"): np.full(epochs, np.nan) for key in columns}
    assert png_bytes(training_curves(log | {"epoch": np.arange(1.0, epochs + 1)}, 240)).startswith(b"\x89PNG")


def test_tables_and_pages_escape_everything():
    html = document("<i>", "<i>", {"a": ("<i>", table(["", "<i>"], [("<i>", ("<i>", "<i>"))], "<i>"))})
    assert "<i>" not in html


@pytest.mark.parametrize("width", [360, 700, 1280])
def test_a_browser_shows_it(page, browser, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.get("about:blank")  # leave the browser's own start page, which asks for this and that
    browser.get_log("browser"), browser.get_log("performance")  # reading empties them
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    assert browser.execute_script("return window.innerWidth") == width
    assert browser.title == "Report on run"
    pictures = browser.execute_script("return [...document.images].map(i => [i.complete, i.naturalWidth, i.alt])")
    assert len(pictures) >= 7 and all(complete and wide > 0 and alt for complete, wide, alt in pictures)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    beyond = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => e.offsetParent && getComputedStyle(e).position "
        "!== 'absolute' && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = {
        event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in requested if not url.startswith(("data:", "chrome:"))} == {page.as_uri()}
