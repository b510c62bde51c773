"""The page of a followed performance: as a file and as a real browser shows it; its server and whom it refuses."""

import http.client
import http.server
import json
import re
import socket
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata.side import Side
from sfmodel import page_server
from sfmodel.cli import main
from sfmodel.follow_page import follow_page
from sfmodel.page_server import host_names, served_page
from sfmodel.trace import Trace

NASTY = 'A "title" </script><script>alert(1)</script> & more'


@pytest.fixture(scope="module")
def page(tmp_path_factory, short_midi, write_recorded):
    """A page of a piece played half as slow again by another instrument."""
    folder = tmp_path_factory.mktemp("page") / "piece"
    write_recorded(folder, short_midi[0], 12, lambda time_s: 1.5 * time_s)
    arguments = ["follow", str(folder / "score.mid"), str(folder / "performance.flac"), "--html"]
    result = CliRunner().invoke(main, [*arguments, str(folder / "page.html")], catch_exceptions=False)
    assert result.exit_code == 0
    return folder / "page.html"


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def test_the_file_needs_no_other(page):
    html = page.read_text()
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "default-src 'none'" in html and html.count("<script>") == 1
    data = data_of(html)
    assert len(data["time_s"]) == len(data["place_s"]) == len(data["confidence"]) > 500
    assert len(data["belief"]) == len(data["belief_time_s"]) > 100
    assert data["notes"] and page.stat().st_size < 1_500_000


def test_titles_are_escaped():
    times = np.array([0.1, 0.2])
    trace = Trace(times, times, np.ones(2), np.zeros((0, 3), dtype=np.float32), np.zeros(0), 0.1, 0.0)
    side = Side("s", np.ones((10, 88), dtype=np.float32), 50.0)
    html = follow_page(trace, side, np.zeros(0), np.zeros(2205, dtype=np.float32), 22050, 0.0, NASTY)
    assert "<script>alert" not in html and "&lt;script&gt;" in html
    empty = Trace(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, 3), dtype=np.float32), np.zeros(0), 0.1, 0.0)
    with pytest.raises(ValueError, match="no reports"):
        follow_page(empty, side, np.zeros(0), np.zeros(1, dtype=np.float32), 22050, 0.0, "t")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("way", ["file", "server"])
def test_a_browser_moves_the_cursor_with_the_sound(page, browser, tmp_path, width, way):
    html = page.read_text()
    data = data_of(html)
    browser.get("about:blank")
    browser.get_log("browser")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    with served_page(html) as address:
        browser.get(page.as_uri() if way == "file" else address)
        root = browser.find_element("id", "follow")
        for time_s in (9.0, 3.0):
            browser.execute_async_script(
                "const [time, done] = arguments, a = document.getElementById('sound');"
                "const go = () => { a.currentTime = time; a.onseeked = () => requestAnimationFrame(() => "
                "requestAnimationFrame(done)); }; if (a.readyState > 0) go(); else a.onloadedmetadata = go;",
                time_s,
            )
            place = np.searchsorted(data["time_s"], time_s, side="right") - 1
            assert float(root.get_attribute("data-performance-time-s")) == pytest.approx(time_s, abs=0.01)
            told_s = float(root.get_attribute("data-reference-time-s"))
            assert told_s == pytest.approx(data["place_s"][place], abs=0.03)
            assert told_s == pytest.approx(time_s / 1.5, abs=0.3)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        ink = "const c = document.getElementById(arguments[0]); return new Set(c.getContext('2d')"
        ink += ".getImageData(0, 0, c.width, c.height).data).size"
        assert browser.execute_script(ink, "reference") > 20 and browser.execute_script(ink, "path") > 5
        assert [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]] == []


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as made:
            made.bind(("::1", 0))
    except OSError:
        return False
    return True


def request(address: str, method: str = "GET", path: str = "/", **headers: str) -> http.client.HTTPResponse:
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


def test_the_server_serves_its_page_and_nothing_else():
    with served_page("<p>å</p>") as address:
        answer = request(address)
        assert answer.status == 200 and answer.body.decode() == "<p>å</p>"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert request(address, "HEAD").body == b""
        for path in ("/etc/passwd", "/../x", "/?a=1", "/index.html"):
            assert request(address, path=path).status == 404
        assert request(address, "POST").status == 501


def test_the_server_refuses_other_names_and_origins():
    with served_page("secret") as address:
        port = urlsplit(address).port
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"evil.example:{port}"},
            {"Host": "127.0.0.1:1"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
        ):
            answer = request(address, **headers)
            assert answer.status == 403 and b"secret" not in answer.body
        assert request(address, Host=f"localhost:{port}", Origin=f"http://localhost:{port}").status == 200


def test_at_port_80_browsers_leave_the_port_out():
    assert {"127.0.0.1", "127.0.0.1:80", "localhost", "[::1]"} <= host_names("127.0.0.1", 80)
    assert host_names("::1", 8000) == {"127.0.0.1:8000", "localhost:8000", "[::1]:8000"}


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_the_server_at_the_other_loopback_address():
    with served_page("six", host="::1") as address:
        assert address.startswith("http://[::1]:") and request(address).body == b"six"


def test_a_port_that_cannot_be_had_is_told_before_the_page_is_made():
    def never() -> str:
        raise AssertionError("the page was made")

    with served_page("x") as address:
        port = urlsplit(address).port
        told = rf"^port {port} of 127\.0\.0\.1 cannot be had: Address already in use; choose another, or 0 for any"
        with pytest.raises(OSError, match=told), served_page(never, port):
            pass
    for port in (-1, 70000):
        with pytest.raises(ValueError, match=rf"^port {port}; expected 1 to 65535"), served_page(never, port):
            pass
        options = ["follow", "none.mid", "none.flac", "--page", "--port", str(port)]
        result = CliRunner().invoke(main, options)
        assert result.exit_code == 2 and "is not in the range 0<=x<=65535" in result.output


def test_a_page_that_cannot_be_made():
    def broken() -> str:
        raise ValueError("no reports")

    with pytest.raises(ValueError, match="no reports"), served_page(broken):
        pass


@pytest.mark.parametrize("error", [ConnectionResetError, BrokenPipeError, ZeroDivisionError])
def test_nothing_is_said_of_a_browser_that_leaves(monkeypatch, capfd, error):
    def leave(*_: object) -> None:
        raise error("left")

    monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "end_headers", leave)
    monkeypatch.setattr(page_server._Server, "daemon_threads", False)  # closing it waits for the answer's end
    with served_page("x") as address, pytest.raises(http.client.HTTPException):
        request(address)
    assert ("Traceback" in capfd.readouterr().err) == (error is ZeroDivisionError)


def test_the_server_stays_on_this_machine():
    with pytest.raises(ValueError, match="reached from outside"), served_page("x", host="0.0.0.0"):
        pass
