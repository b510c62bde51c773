"""The report on a store: what the page holds and where its sounds begin, what strangers' stores can do to it."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import zarr
from click.testing import CliRunner

from sfdata import open_store
from sfdata.build import build
from sfdata.cli import main
from sfdata.distributions import KINDS, Distribution, distribution, draw_distribution
from sfdata.excerpt_page import pair_html
from sfdata.excerpts import draw_pairs, hear_pair
from sfdata.midi import write_midi
from sfdata.notes import make_notes
from sfdata.operations import Jitter, NoteLength, Tempo
from sfdata.recipe import InstrumentSettings, Recipe
from sfdata.report import Report, write_report
from sfdata.rerender import RecordedError, Rerenderer
from sfdata.schema import array_sha256
from sfdata.zipped import write_zip
from tests.range_server import serving

NASTY = """<img src=x onerror=alert(1)> & "both" 'quotes' $\\frac{ &lt;b&gt;"""
ENDINGS_S = {"reference": 12.0, "snippet": 1.35}


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, the text of its sections, and its players."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def heard(self) -> list[tuple[str, float, np.ndarray, int]]:
        """Of each player: its side, where its picture is marked (s), its samples and their rate."""
        found, box = [], {}
        for tag, attributes in self.tags:
            if "heard" in str(attributes.get("class")):
                box = attributes
            if tag == "audio":
                flac = base64.b64decode(attributes["src"].removeprefix("data:audio/flac;base64,"))
                samples, rate = soundfile.read(io.BytesIO(flac))
                found.append((box["class"].split()[1], float(box["data-mark"]), samples, rate))
        return found


@pytest.fixture(scope="module")
def lone_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of notes that stand alone, so that each onset follows silence; its title is a stranger's."""
    folder = tmp_path_factory.mktemp("lone")
    onset_s = 0.6 + 0.9 * np.arange(24)
    pitch = 50 + (7 * np.arange(24)) % 31
    for composer in ("Abc", "Xyz"):
        write_midi(
            folder / f"{composer}, {NASTY}, {composer}1.mid", make_notes(onset_s, onset_s + 0.2, pitch, 90 + 0 * pitch)
        )
        pitch = pitch[::-1].copy()
    recipe = replace(
        Recipe(),
        augment=replace(
            Recipe().augment, copies=1, tempo=Tempo((0.9, 1.2)), jitter=Jitter(), note_length=NoteLength((0.7, 1.0))
        ),
        instruments=InstrumentSettings(references=("timgm6mb:0",), snippets=("timgm6mb:1",)),
    )
    build(recipe, folder / "lone.zarr", sorted(folder.glob("*.mid")), workers=1)
    return folder / "lone.zarr"


@pytest.fixture(scope="module")
def written(built_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return write_report(built_store, tmp_path_factory.mktemp("report") / "page.html", pairs=3, seed=1)


@pytest.fixture(scope="module")
def page(written: Report) -> Page:
    return Page(Path(written.report).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture(scope="module")
def lone(lone_store: Path, steps: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory) -> Report:
    output = tmp_path_factory.mktemp("lone-report")
    return write_report(lone_store, output, pairs=8, seed=3, progress=lambda *told: steps.append(told))


def altered(store: Path, to: Path, table: str, column: str, values: Any, checksum: bool = True) -> Path:
    """A copy of a store with another column."""
    shutil.copytree(store, to)
    group = zarr.open_group(to, mode="r+")
    array = group[f"{table}/{column}"]
    array[:] = np.asarray(values, dtype=array.dtype)
    if checksum:
        group.attrs["checksums"] = group.attrs["checksums"] | {f"{table}/{column}": array_sha256(np.asarray(array[:]))}
    return to


def test_the_page_tells_what_is_in_the_store(page: Page, written: Report, built_store: Path) -> None:
    store = open_store(built_store)
    for title in [*store.pieces["title"], *store.instruments["name"], "Valid: outline", "fluidsynth", "GPL-2.0-only"]:
        assert str(title) in page.text
    assert f"{store.rows('pairs'):,}" in page.text and "[windows]" in page.text
    assert "cannot be shown" not in page.text
    assert (written.valid, written.problems) == (True, [])
    assert [key for key in written.distributions] == [
        *("target_s", "pitch", "note_length_s", "tempo", "snippet_level_db")
    ]
    assert written.bytes == Path(written.report).stat().st_size < 2_500_000


def test_the_page_stands_alone(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base", "form") and not any(
            key.startswith("on") for key in attributes
        )
        for key in ("src", "href"):
            assert str(attributes.get(key, "data:")).startswith(("data:", "#"))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'") and "unsafe-inline'; script-src 'sha256-" in policy


def test_sounds_are_what_the_spectrograms_were_made_of(page: Page, written: Report) -> None:
    assert len(page.heard()) == 6
    for side, _, samples, rate in page.heard():
        assert len(samples) == round(ENDINGS_S[side] * rate) and np.abs(samples).max() > 0.01
    for pair in written.pairs:
        assert pair["target_s"] == pair["reference"]["mark_s"]
        assert all(pair[side]["sound"] and pair[side]["likeness"] == 1 for side in ENDINGS_S)


def test_what_is_marked_is_where_the_sound_begins(lone: Report) -> None:
    heard = Page(Path(lone.report).read_text(encoding="utf-8")).heard()
    assert len(heard) == 16
    late_s = []
    for _, mark_s, samples, rate in heard:
        around = np.abs(samples[round((mark_s - 0.15) * rate) : round((mark_s + 0.15) * rate)])
        begins = np.flatnonzero(around > 0.05 * around.max())[0] / rate - 0.15
        late_s.append(begins)
        assert around[: round(0.14 * rate)].max() < 0.05 * around.max()
    assert min(late_s) >= -0.001 and max(late_s) < 0.012, late_s


def test_the_same_seed_gives_the_same_bytes(lone: Report, lone_store: Path, tmp_path: Path) -> None:
    again = write_report(lone_store, tmp_path / "again.html", pairs=8, seed=3)
    assert (tmp_path / "again.html").read_bytes() == Path(lone.report).read_bytes()
    assert (again.pairs, again.distributions) == (lone.pairs, lone.distributions)
    assert [path.name for path in tmp_path.iterdir()] == ["again.html"]
    store = open_store(lone_store)
    assert draw_pairs(store, 8, 3).tolist() == [pair["pair"] for pair in lone.pairs] != draw_pairs(store, 8, 4).tolist()


def test_titles_are_text(lone_store: Path, tmp_path: Path) -> None:
    titles = [f"{NASTY}</script><script>alert(1)</script>", "</figcaption><iframe src='https://example.org'>"]
    store = altered(lone_store, tmp_path / "s.zarr", "pieces", "title", titles)
    names = ['timgm6mb:0"><script>alert(2)</script>', "<b>x</b>:1"]
    altered(store, tmp_path / "t.zarr", "instruments", "name", names)
    result = write_report(tmp_path / "t.zarr", tmp_path / "page.html", pairs=2, check=False)
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(html)
    assert {pair["title"] for pair in result.pairs} == set(titles)
    assert all(title in page.text for title in titles) and names[0] in page.text
    assert html.count("<script>") == 1 and "<iframe" not in html and "<img src=x" not in html and "<b>" not in html
    assert not page.heard() and "The sound cannot be made again here: instrument" in page.text


@pytest.mark.parametrize(
    "column, value, told",
    [
        ("sha256", "", "timgm6mb:1 was recorded: the store holds the recording's spectrogram, not its sound"),
        ("sha256", "0" * 64, "timgm6mb:1 is another file here"),
        ("name", "elsewhere:3", "instrument 'elsewhere:3': no soundfont file of that name"),
    ],
)
def test_where_there_is_no_sound_the_page_says_why(
    lone_store: Path, tmp_path: Path, column: str, value: str, told: str
) -> None:
    values = open_store(lone_store).instruments[column].copy()
    assert list(open_store(lone_store).instruments["name"]) == ["timgm6mb:0", "timgm6mb:1"]
    values[1] = value
    store = altered(lone_store, tmp_path / "s.zarr", "instruments", column, values)
    opened = open_store(store)
    pair = hear_pair(opened, 0, Rerenderer(opened))
    page = Page(pair_html(opened, pair))
    assert told in page.text and [side for side, *_ in page.heard()] == ["reference"]
    assert pair.reference.faithful and not pair.snippet.faithful and told in pair.snippet.silent


def test_a_damaged_store_is_reported_on(lone_store: Path, tmp_path: Path) -> None:
    target_s = open_store(lone_store).pairs["target_s"]
    store = altered(lone_store, tmp_path / "s.zarr", "pairs", "target_s", target_s + 1, checksum=False)
    result = write_report(store, tmp_path / "page.html", pairs=1)
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert result.valid is False and result.problems[0].check == "checksum" and not result.pairs
    assert "1 problem" in page.text and "This cannot be shown (ValueError)" in page.text
    assert "[windows]" in page.text  # what is whole is shown


def test_a_zip_file_elsewhere(lone: Report, lone_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFDATA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "served").mkdir()
    write_zip(lone_store, tmp_path / "served" / "lone.zarr.zip")
    with serving(tmp_path / "served") as server:
        there = write_report(f"{server.url}/lone.zarr.zip", tmp_path / "there.html", pairs=2, seed=3)
    assert there.valid and there.distributions == lone.distributions
    assert len(there.pairs) == 2 and all(pair in lone.pairs for pair in there.pairs)


def test_the_command(lone_store: Path, tmp_path: Path) -> None:
    def call(*arguments: object, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["report", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.output

    told = json.loads(call(lone_store, "-o", tmp_path / "new", "--pairs", 1, "--seed", 5, "--no-validate", "--json"))
    assert set(told) == {"report", "store", "bytes", "valid", "problems", "pairs", "distributions"}
    assert told["report"] == str(tmp_path / "new" / "report.html") and told["valid"] is None
    text = call(lone_store, "-o", tmp_path / "page.html", "--pairs", 0)
    assert "0 pairs, 0 sounds" in text and "the store: valid" in text
    assert "None were asked for." in (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / "file").write_text("mine")
    for arguments, message in (
        ((tmp_path / "none.zarr", "-o", tmp_path / "x.html"), "no store at .*; make one with"),
        ((lone_store, "-o", tmp_path / "no" / "x.html"), "cannot write .*: there is no folder .*; make it first"),
        ((lone_store, "-o", tmp_path / "file"), "is a file; expected a folder, or a name that ends in .html"),
        ((lone_store, "-o", lone_store), "is a store, which the report does not belong into; name another"),
    ):
        assert re.search(message, call(*arguments, code=2).replace("\n", " "))
    with pytest.raises(ValueError, match="pairs -1, seed 0; expected both 0 or more"):
        write_report(lone_store, tmp_path / "x.html", pairs=-1)
    assert not (tmp_path / "x.html").exists() and (tmp_path / "file").read_text() == "mine"


def test_progress_is_told(lone: Report, steps: list[tuple[Any, ...]]) -> None:
    assert steps == [*(("validate", n, 4) for n in range(1, 5)), *(("make sound", n, 8) for n in range(1, 9))]


def test_pairs_are_drawn_from_all_pieces(built_store: Path) -> None:
    store = open_store(built_store)
    rows = draw_pairs(store, 3, 0)
    assert sorted(store.pair_pieces(rows)) == [0, 1, 2] and np.all(np.diff(rows) > 0)
    np.testing.assert_array_equal(rows, draw_pairs(store, 3, 0))
    assert len(draw_pairs(store, 0, 0)) == 0
    np.testing.assert_array_equal(draw_pairs(store, 10**6, 0), np.arange(store.rows("pairs")))


def test_an_excerpt_is_cut_from_the_rendition(lone_store: Path) -> None:
    store = open_store(lone_store)
    rerenderer, frames = Rerenderer(store), store.rendition_frames(1)
    whole, rate = np.concatenate(list(rerenderer.blocks(1))), store.spectrogram.sample_rate_hz / 20
    for start in (0, 33, len(frames) - 5, -7):
        excerpt = rerenderer.excerpt(1, start, 20)
        for values, made, first in (
            (whole, excerpt.samples, round(start * rate)),
            (frames, excerpt.frames.astype(frames.dtype), start),
        ):
            low, high = max(0, -first), min(len(made), len(values) - first)
            np.testing.assert_array_equal(made[low:high], values[first + low : first + high])
            assert not made[:low].any() and not made[high:].any()
    with pytest.raises(ValueError, match=f"from frame {len(frames)} on lies outside rendition 1, which has"):
        rerenderer.excerpt(1, len(frames), 20)
    assert issubclass(RecordedError, ValueError)


def test_distributions_say_what_was_drawn(lone_store: Path) -> None:
    found = {key: distribution(open_store(lone_store), key) for key in KINDS}
    with pytest.raises(ValueError, match="distribution 'loudness'; expected one of target_s, pitch, "):
        distribution(open_store(lone_store), "loudness")
    length = {name: round(float(np.median(values)), 2) for name, values in found["note_length_s"].values.items()}
    assert length["scores"] == 0.2 and 0.13 < length["variants"] < 0.2
    store = open_store(lone_store)
    for row in np.flatnonzero(store.performances["role"] == "variant"):
        drawn = json.loads(store.performances["augmentation"][row])["operations"][0]
        assert drawn["operation"] == "tempo" and 0.9 <= drawn["factor"] <= 1.2
        assert np.abs(found["tempo"].values["variants"] - drawn["factor"]).min() < 0.05
    assert Distribution("k", "t", "u", "c", {"a": np.arange(101.0)}).summary() == {
        "a": {"count": 101, "p5": 5.0, "p25": 25.0, "median": 50.0, "p75": 75.0, "p95": 95.0}
    }
    for values in (np.ones(5), np.array([1e-9, 1.0, 1e9])):  # nothing to spread, and far too much
        for kind in ({}, {"logarithmic": True}, {"whole": len(np.unique(values)) == 1}):
            assert draw_distribution(Distribution("k", "t", "u", "c", {"a": values}, **kind)).startswith(b"\x89PNG")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_plays_from_before_the_target(written: Report, browser: Any, width: int) -> None:
    browser.get("about:blank")
    browser.get_log("browser")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(Path(written.report).as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    box = browser.find_element("css selector", ".heard.reference")
    browser.execute_async_script(
        "const [box, done] = arguments, a = box.querySelector('audio'); a.muted = true;"
        "a.addEventListener('seeked', () => { box.dataset.seeked = a.currentTime; a.pause(); }, {once: true});"
        "if (a.readyState > 0) done(); else a.onloadedmetadata = () => done();",
        box,
    )
    box.find_element("css selector", "button").click()
    cursor_s = browser.execute_async_script(
        "const [box, done] = arguments, a = box.querySelector('audio'), data = box.dataset;"
        "const place = () => (parseFloat(box.querySelector('.cursor').style.left) - data.left) / data.width * 12;"
        "const go = () => { if (!data.seeked) return setTimeout(go, 20); a.addEventListener('seeked', () =>"
        "requestAnimationFrame(() => done(place())), {once: true}); a.currentTime = 6; }; go();",
        box,
    )
    assert cursor_s == pytest.approx(6, abs=0.01)
    assert float(box.get_attribute("data-seeked")) == pytest.approx(float(box.get_attribute("data-mark")) - 1, abs=0.1)
    assert not browser.get_log("browser")
