"""Fetching against a server of our own: what arrives whole is kept, everything else leaves nothing behind."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from test_deb import PLACE, deb_bytes
from tiny_soundfont import soundfont_bytes

from sfdata.cli import main
from sfdata.downloads import fetch, fetch_soundfont
from sfdata.registry import Download, Soundfont, registry
from sfdata.soundfonts import resolve_instrument

FONT = soundfont_bytes()
DEB = deb_bytes({f"./{PLACE}": FONT})
OTHER = soundfont_bytes([(0, 0, "Other")])
PAGES = {
    "/tiny.sf2": FONT,
    "/tiny.deb": DEB,
    "/other.sf2": OTHER,
    "/other.deb": deb_bytes({f"./{PLACE}": OTHER}),
    "/long.sf2": FONT + bytes(10_000_000),
}


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/moved.sf2":
            self.send_response(302)
            self.send_header("Location", "/tiny.sf2")
            self.end_headers()
        elif self.path == "/broken.sf2":
            self.send_response(200)
            self.send_header("Content-Length", str(len(FONT)))
            self.end_headers()
            self.wfile.write(FONT[:1000])
        elif self.path in PAGES:
            self.send_response(200)
            self.send_header("Content-Length", str(len(PAGES[self.path])))
            self.end_headers()
            self.wfile.write(PAGES[self.path])
        else:
            self.send_error(404)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing where a client hangs up, as it should on what is too long."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    held = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=held.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{held.server_port}"
    held.shutdown()
    held.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SFDATA_SOUNDFONTS", str(tmp_path / "fonts"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.asked.clear()
    return tmp_path / "fonts"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(*urls: str, content: bytes = FONT, name: str = "tiny", expected: bytes = FONT) -> Soundfont:
    """A registry entry; the kind of the download is the ending of the first URL."""
    deb = urls[0].endswith(".deb")
    download = Download("deb" if deb else "file", urls, sha256(content), len(content), PLACE if deb else "")
    return Soundfont(name, "Tiny", sha256(expected), len(expected), "CC0-1.0", "", (), {0: "Sine"}, download=download)


@pytest.mark.parametrize("page, content", [("tiny.sf2", FONT), ("tiny.deb", DEB), ("moved.sf2", FONT)])
def test_a_font_arrives_whole_and_alone(server, folder, page, content):
    told: list[tuple[str, int, int]] = []
    path = fetch_soundfont(entry(f"{server}/{page}", content=content), folder, lambda *step: told.append(step))
    assert path.read_bytes() == FONT and [file.name for file in folder.iterdir()] == ["tiny.sf2"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert told[-1] == ("tiny", len(content), len(content)) and all(done <= len(content) for _, done, _ in told)


def test_the_next_source_is_tried(server, folder):
    path = fetch_soundfont(entry(f"{server}/none.sf2", f"{server}/other.sf2", f"{server}/tiny.sf2"), folder)
    assert path.read_bytes() == FONT and Handler.asked == ["/none.sf2", "/other.sf2", "/tiny.sf2"]


@pytest.mark.parametrize(
    "page, said",
    [
        ("none.sf2", "the server answered 404"),
        ("other.sf2", "other bytes than the registry's sha256"),
        ("broken.sf2", "the connection broke off"),
        ("long.sf2", f"longer than the {len(FONT)} bytes"),
    ],
)
def test_what_is_not_the_font_leaves_nothing_behind(server, folder, page, said):
    with pytest.raises(FileNotFoundError, match=said) as caught:
        fetch_soundfont(entry(f"{server}/{page}"), folder)
    assert "\n" not in str(caught.value) and "soundfonts add PATH --name tiny" in str(caught.value)
    assert list(folder.iterdir()) == []


def test_no_server_at_all(folder):
    with pytest.raises(FileNotFoundError, match="no connection"):
        fetch_soundfont(entry("http://127.0.0.1:9/tiny.sf2"), folder)
    assert list(folder.iterdir()) == []


def test_a_package_with_another_font_in_it(server, folder):
    other = entry(f"{server}/other.deb", content=PAGES["/other.deb"], expected=FONT[:-1] + b"x")
    assert len(OTHER) == len(FONT)
    with pytest.raises(ValueError, match=f"has sha256 {sha256(OTHER)}; expected"):
        fetch_soundfont(other, folder)
    assert list(folder.iterdir()) == []


def test_an_interrupted_fetch_leaves_nothing_behind(server, folder):
    def interrupt(*_: object) -> None:
        assert list(folder.iterdir())  # in its midst there is something
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_soundfont(entry(f"{server}/tiny.deb", content=DEB), folder, interrupt)
    assert list(folder.iterdir()) == []


def test_what_a_killed_fetch_left_goes_after_a_day(server, folder):
    for name in (".fetch-old", ".fetch-new"):
        (folder / name).mkdir(parents=True)
        (folder / name / "download").write_bytes(b"half")
    os.utime(folder / ".fetch-old", (time.time() - 90_000,) * 2)
    fetch_soundfont(entry(f"{server}/tiny.sf2"), folder)
    assert sorted(file.name for file in folder.iterdir()) == [".fetch-new", "tiny.sf2"]


def register(folder: Path, *entries: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soundfonts.toml").write_text("\n".join(entries))


def toml(name: str, url: str) -> str:
    values = f'kind = "file"\nurls = ["{url}"]\nsha256 = "{sha256(FONT)}"\nbytes = {len(FONT)}'
    return (
        f'[{name}]\ntitle = "Tiny"\nsha256 = "{sha256(FONT)}"\nbytes = {len(FONT)}\nlicence = "CC0-1.0"\nsource = ""\n'
        f'presets = {{ 0 = "Sine" }}\n[{name}.download]\n{values}\n'
    )


def test_fetching_several_by_name(server, folder):
    register(folder, toml("gone", f"{server}/none.sf2"), toml("tiny", f"{server}/tiny.sf2"))
    gone, tiny, default = fetch(["gone", "tiny", "timgm6mb", "tiny"])
    assert (gone.name, gone.state, gone.path) == ("gone", "failed", "") and "404" in gone.reason
    assert (tiny.state, tiny.path) == ("fetched", str(folder / "tiny.sf2"))
    assert default.state == "there" and default.path.endswith("TimGM6mb.sf2")
    Handler.asked.clear()
    assert [result.state for result in fetch(["tiny"])] == ["there"] and Handler.asked == []
    assert resolve_instrument("tiny:0").licence == "CC0-1.0"
    (folder / "tiny.sf2").write_bytes(OTHER)  # damaged since: fetched anew
    assert [result.state for result in fetch(["tiny"])] == ["fetched"] and resolve_instrument("tiny").sha256 == sha256(
        FONT
    )
    with pytest.raises(ValueError, match="no soundfont organ in the registry"):
        fetch(["tiny", "organ"])


def test_a_font_without_a_source(folder, monkeypatch: pytest.MonkeyPatch):
    lone = toml("lone", "http://x/").split("[lone.download]")[0].replace(sha256(FONT), "0" * 64)
    register(folder, lone)
    assert [(result.state, result.reason) for result in fetch(["lone"])] == [
        ("failed", "soundfont 'lone' cannot be fetched: see its source")
    ]
    monkeypatch.setattr("sfdata.downloads.registry", lambda: {"lone": registry()["lone"]})
    assert [result.state for result in fetch()] == ["no source"]


def test_the_command(server, folder):
    def call(*arguments: str, code: int) -> str:
        result = CliRunner().invoke(main, ["soundfonts", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    register(folder, toml("gone", f"{server}/none.sf2"), toml("tiny", f"{server}/tiny.sf2"))
    assert "--all" in call("fetch", code=2) and "--all" in call("fetch", "tiny", "--all", code=2)
    listed = {row["name"]: row for row in json.loads(call("list", "--json", code=0))}
    assert listed["tiny"]["path"] == "" and "sfdata soundfonts fetch tiny" in listed["tiny"]["get"]
    failed = call("fetch", "gone", code=2)
    assert failed.startswith("Error: soundfont 'gone' could not be fetched") and failed.count("\n") == 1
    assert json.loads(call("fetch", "tiny", "--json", code=0)) == [
        {"name": "tiny", "state": "fetched", "path": str(folder / "tiny.sf2"), "reason": ""}
    ]
    assert call("fetch", "tiny", code=0) == f"tiny: there at {folder / 'tiny.sf2'}\n"
    assert "the right ones" in call("verify", "tiny", code=0)
    (folder / "tiny.sf2").write_bytes(OTHER)
    assert f"{folder / 'tiny.sf2'}: another file, sha256 {sha256(OTHER)}" in call("verify", code=2)
