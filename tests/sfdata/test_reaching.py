"""Stores that lie elsewhere: what is said where they cannot be reached, and what a broken connection leaves behind."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from sfdata import open_store
from sfdata.cli import main
from sfdata.place import Place
from sfdata.reaching import is_gone, is_unreachable, reach_error
from sfdata.remote_zip import TRIES
from sfdata.validate import validate
from tests.range_server import serving

SAMPLE = Path(__file__).parents[1] / "data" / "format-1.zarr.zip"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built_store: Path):
    """A server of a zipped store longer than a block, and of a folder."""
    monkeypatch.setenv("SFDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sfdata.remote_zip._PAUSE_S", 0)
    monkeypatch.setattr("sfdata.remote_zip._BLOCK_BYTES", 1 << 13)
    monkeypatch.setattr("sfdata.remote_zip._END_BYTES", 1 << 13)
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "s.zarr.zip").write_bytes(SAMPLE.read_bytes())
    (folder / "s.zarr").symlink_to(built_store)
    (folder / "page.zarr.zip").write_bytes(b"<html>log in</html>")
    with serving(folder) as server:
        yield server


def test_a_broken_connection_leaves_no_zeros_behind(served) -> None:
    url = f"{served.url}/s.zarr.zip"
    open_store(url).pairs["note"]
    served.break_after = 1000
    with pytest.raises(ConnectionError, match=r"s\.zarr\.zip cannot be reached"):
        open_store(url).rendition_frames(0)
    with pytest.raises(ConnectionError):  # which says nothing of the store
        validate(url)
    served.break_after = None
    assert validate(url) == []


def test_what_breaks_off_is_asked_for_again(served, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [TRIES - 1]

    def soon_whole(_pause_s: float) -> None:
        left[0] -= 1
        served.break_after = 1000 if left[0] > 0 else None

    served.break_after = 1000
    monkeypatch.setattr("sfdata.remote_zip.time.sleep", soon_whole)
    assert open_store(f"{served.url}/s.zarr.zip").rows("pairs")


@pytest.mark.parametrize("name", ["s.zarr", "s.zarr.zip"])
@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_refusing_server(served, name: str, status: int) -> None:
    served.refusal = status
    with pytest.raises(ConnectionError, match=f"answers with HTTP status {status}"):
        open_store(f"{served.url}/{name}")


def test_nothing_there_is_another_thing(served) -> None:
    for name in ("other.zarr", "other.zarr.zip"):
        with pytest.raises(FileNotFoundError, match="no store at"):
            open_store(f"{served.url}/{name}")


def test_a_server_without_ranges(served) -> None:
    served.answers_ranges = False
    with pytest.raises(ValueError, match=r"does not send parts of a file \(byte ranges\)"):
        open_store(f"{served.url}/s.zarr.zip")


def test_a_page_in_place_of_a_zip(served) -> None:
    with pytest.raises(ValueError, match=r"cannot be read as a zip file: .* answered with a page"):
        open_store(f"{served.url}/page.zarr.zip")


def test_a_cache_that_cannot_be(served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SFDATA_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match=r"cache folder .* cannot be used .*; set SFDATA_CACHE"):
        open_store(f"{served.url}/s.zarr.zip")


def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{held.getsockname()[1]}/s.zarr"
        for address in (url, url + ".zip"):
            result = CliRunner().invoke(main, ["info", address])
            assert result.exit_code == 2 and "cannot be reached: ConnectionRefusedError" in result.output


def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = pytest.importorskip("botocore.exceptions")

    class Filesystem:
        def exists(self, _path: str) -> bool:
            raise exceptions.NoCredentialsError

    place = Place("s3://nobucket/x.zarr")
    place.__dict__["_remote"] = (Filesystem(), "nobucket/x.zarr")
    with pytest.raises(ConnectionError, match=r"NoCredentialsError: .*AWS_"):
        place.exists()


def test_kinds_of_errors() -> None:
    assert not is_unreachable(ValueError("damaged")) and not is_unreachable(FileNotFoundError("x"))
    assert not is_gone(PermissionError("x"))
    ours = reach_error("s3://a", PermissionError("Forbidden"))
    assert "check the address and the credentials" in str(ours) and reach_error("s3://a", ours) is ours


def test_info_on_a_folder_behind_http(served) -> None:
    url = f"{served.url}/s.zarr"
    told = CliRunner().invoke(main, ["info", url, "--json"])
    assert told.exit_code == 0 and json.loads(told.stdout)["bytes"] is None and json.loads(told.stdout)["pairs"]
    told = CliRunner().invoke(main, ["info", url])
    assert told.exit_code == 0 and "not known: HTTP cannot list a folder" in told.stdout
