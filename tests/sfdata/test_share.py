"""Sharing and pulling: what lies in the folder, what is refused, what a broken connection or a liar does."""

import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import requests
import soundfile
import zarr
from click.testing import CliRunner

from sfdata import PairReader, open_store
from sfdata.build import build
from sfdata.cli import main
from sfdata.notes import read_notes_csv
from sfdata.origin import Origin
from sfdata.pull import parse_sums, pull
from sfdata.recipe import read_recipe
from sfdata.share import share
from sfdata.validate import validate
from sfdata.whole_folder import SUMS
from sfdata.zipped import write_zip
from tests.range_server import serving

RECIPE = """
name = "two"
seed = 5
[[sources]]
midi = "midi"
licence = "{licence}"
attribution = "GiantMIDI-Piano"
[instruments]
references = ["timgm6mb:0"]
snippets = ["timgm6mb:1"]
"""


def make(folder: Path, licence: str, midi: list[Path]) -> Path:
    (folder / "recipe.toml").write_text(RECIPE.format(licence=licence))
    (folder / "midi").mkdir()
    for file in midi:
        shutil.copy(file, folder / "midi")
    build(read_recipe(folder / "recipe.toml"), folder / "store.zarr", workers=1)
    return folder / "store.zarr"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, short_midi: list[Path]) -> Path:
    return make(tmp_path_factory.mktemp("share"), "CC-BY-4.0", short_midi[:1])


@pytest.fixture(scope="module")
def shared(store: Path) -> Path:
    share(store, store.with_name("shared"), audio=True, date="2026-01-02")
    return store.with_name("shared")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SFDATA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_shared_folder_holds_what_others_need(shared: Path, store: Path) -> None:
    names = {path.name for path in shared.iterdir()}
    assert names == {
        *("store.zarr.zip", "README.md", "croissant.json", "index.json", "LICENSE", "ATTRIBUTION.md"),
        *("CITATION.cff", "recipe.toml", "build.json", "SHA256SUMS", "audio"),
    }
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=shared, check=True)
    card = (shared / "README.md").read_text()
    assert card.startswith("---\n") and "license: cc-by-4.0" in card
    assert "GiantMIDI-Piano" in (shared / "ATTRIBUTION.md").read_text()
    assert read_recipe(shared / "recipe.toml").seed == 5
    index = json.loads((shared / "index.json").read_text())
    assert len(index["tracks"]) == open_store(store).rows("renditions")
    assert validate(shared / "store.zarr.zip") == []


def test_croissant_is_valid(shared: Path) -> None:
    croissant = pytest.importorskip("mlcroissant")
    dataset = croissant.Dataset(jsonld=shared / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    described = {file.name: file.sha256 for file in dataset.metadata.distribution}
    listed = parse_sums((shared / SUMS).read_bytes(), "shared")
    assert described == {k: v for k, v in listed.items() if k not in ("index.json", "croissant.json")}


def test_the_recipe_that_is_shared_builds_the_same_store(shared: Path, store: Path, tmp_path: Path) -> None:
    assert json.loads((shared / "build.json").read_text())["put_beside_recipe"] == ["midi"]
    shutil.copy(shared / "recipe.toml", tmp_path)
    shutil.copytree(store.with_name("midi"), tmp_path / "midi")
    build(read_recipe(tmp_path / "recipe.toml"), tmp_path / "again.zarr", workers=1)
    one, other = open_store(store), open_store(tmp_path / "again.zarr")
    assert one.attrs["checksums"] == other.attrs["checksums"]
    np.testing.assert_array_equal(one.renditions["sha256"], other.renditions["sha256"])


def test_the_same_store_gives_the_same_bytes(shared: Path, store: Path, tmp_path: Path) -> None:
    share(store, tmp_path / "again", audio=True, date="2026-01-02")
    assert (tmp_path / "again" / SUMS).read_bytes() == (shared / SUMS).read_bytes()


def test_sound_begins_with_the_notes(shared: Path) -> None:
    file = sorted((shared / "audio").glob("*.flac"))[0]
    samples, rate = soundfile.read(file)
    onset = read_notes_csv(file.with_suffix(".notes.csv"))["onset_s"].min()
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples[: int((onset + 0.5) * rate)]).max())[0] / rate
    assert 0 <= loud - onset < 0.02


def test_licences_are_heeded(tmp_path: Path, short_midi: list[Path]) -> None:
    restricted = make(tmp_path, "CC-BY-NC-SA-4.0", short_midi[:1])
    with pytest.raises(ValueError, match=r"CC-BY-NC-SA-4.0.*say --allow-noncommercial"):
        share(restricted, tmp_path / "no")
    assert not (tmp_path / "no").exists()
    result = share(restricted, tmp_path / "yes", allow_noncommercial=True)
    assert "CC-BY-NC-SA-4.0" in result.licences
    assert "Not for commercial use" in (tmp_path / "yes" / "LICENSE").read_text()
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match="tells no licence"):
        share(make(tmp_path / "bare", "", short_midi[:1]), tmp_path / "none")
    (tmp_path / "nd").mkdir()
    with pytest.raises(ValueError, match="forbids it"):
        share(make(tmp_path / "nd", "CC-BY-ND-4.0", short_midi[:1]), tmp_path / "none", allow_noncommercial=True)


def test_a_folder_that_is_there_stays(shared: Path, store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exists already"):
        share(store, shared)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / SUMS).write_text("")
    with pytest.raises(ValueError, match=r"exists already and holds no build\.json"):
        share(store, tmp_path / "mine", overwrite=True)


def test_pull_gives_the_same_folder(shared: Path, tmp_path: Path) -> None:
    with serving(shared) as server:
        result = CliRunner().invoke(main, ["pull", server.url + "/", "-o", str(tmp_path / "pulled"), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["fetched_bytes"] == sum(
        path.stat().st_size for path in shared.rglob("*") if path.is_file() and path.name != SUMS
    )
    for path in shared.rglob("*"):
        if path.is_file():
            assert (tmp_path / "pulled" / path.relative_to(shared)).read_bytes() == path.read_bytes()
    pull(shared, tmp_path / "copied")
    assert (tmp_path / "copied" / SUMS).read_bytes() == (shared / SUMS).read_bytes()


def test_a_broken_pull_goes_on(shared: Path, tmp_path: Path) -> None:
    with serving(shared) as server:
        size = (shared / "store.zarr.zip").stat().st_size
        server.most_bytes = sum(path.stat().st_size for path in shared.rglob("*") if path.is_file()) - size // 2
        with pytest.raises(ConnectionError, match="the same command goes on from there"):
            pull(server.url, tmp_path / "pulled")
        assert not (tmp_path / "pulled").exists()
        came = server.sent_bytes
        server.most_bytes = None
        result = pull(server.url, tmp_path / "pulled")
        assert result.kept_bytes >= 100_000
        assert came + result.fetched_bytes < 1.2 * (result.fetched_bytes + result.kept_bytes)
    assert validate(tmp_path / "pulled" / "store.zarr.zip") == []


def test_what_was_changed_underway_is_refused(shared: Path, tmp_path: Path) -> None:
    pull(shared, tmp_path / "mirror")
    recipe = tmp_path / "mirror" / "recipe.toml"
    recipe.write_text(recipe.read_text() + "# changed\n")
    with serving(tmp_path / "mirror") as server, pytest.raises(ValueError, match=r"recipe.toml has sha256 .* says"):
        pull(server.url, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "./a", "a//b", "."])
def test_names_that_lie_outside_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="would lie outside"):
        parse_sums(f"{'0' * 64}  {name}\n".encode(), "there")


@pytest.mark.parametrize("names", ["f f/g", "f/g/h f", "SHA256SUMS", "f f"])
def test_names_that_clash_are_refused(names: str) -> None:
    lines = [f"{number:064x}  {name}\n" for number, name in enumerate(names.split())]
    with pytest.raises(ValueError, match="cannot lie side by side"):
        parse_sums("".join(lines).encode(), "there")


def listed(folder: Path, files: dict[str, bytes]) -> Path:
    """A folder with files and their list, in this order."""
    sums = ""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        sums += f"{hashlib.sha256(content).hexdigest()}  {name}\n"
    (folder / SUMS).write_text(sums)
    return folder


def test_files_called_as_anothers_beginning_would_be(tmp_path: Path) -> None:
    files = {"f.part": b"one", "f": b"two", "begun/x": b"", "whole": b"two", "f.part.part": b"three"}
    listed(tmp_path / "source", files)
    with serving(tmp_path / "source") as server:
        pull(server.url, tmp_path / "pulled")
    pulled = tmp_path / "pulled"
    assert {name: (pulled / name).read_bytes() for name in files} == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pulled", "source"]


def test_a_connection_that_breaks_off_often_but_brings_something_each_time(tmp_path: Path) -> None:
    listed(tmp_path / "source", {"f": bytes(range(250)) * 400})
    with serving(tmp_path / "source") as server:
        server.break_after = 20_000
        result = pull(server.url, tmp_path / "pulled")
        assert len([name for name, _ in server.ranges if name == "f"]) > 3
    assert result.fetched_bytes == 100_000 and result.kept_bytes == 0


def test_a_later_version_takes_the_place_of_what_an_earlier_one_left(tmp_path: Path) -> None:
    listed(tmp_path / "v1", {"a": b"1", "b/c": b"2", "z": b"3"})
    (tmp_path / "v1" / "z").unlink()
    with pytest.raises(FileNotFoundError):
        pull(tmp_path / "v1", tmp_path / "pulled")
    listed(tmp_path / "v2", {"a/b": b"1", "b": b"2"})
    assert pull(tmp_path / "v2", tmp_path / "pulled").kept_bytes == 0
    assert sorted(path.name for path in (tmp_path / "pulled").rglob("*")) == [SUMS, "a", "b", "b"]


def test_failures_are_worded_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfdata.origin._PAUSE_S", 0)
    listed(tmp_path / "source", {"f": bytes(1000)})
    with serving(tmp_path / "source") as server:
        server.break_after = 10  # less than the list
        with pytest.raises(ConnectionError, match=r"3 times running \(fewer bytes came than were announced\)$"):
            pull(server.url, tmp_path / "pulled")
        assert [name for name, _ in server.ranges] == [SUMS] * 3
        address = server.url
    with pytest.raises(ConnectionError, match=r"3 times running \(Connection refused\)$"):
        pull(address, tmp_path / "pulled")
    with pytest.raises(ValueError, match="expected the address of what"):
        pull("http://", tmp_path / "pulled")

    def going_round(*_: object, **__: object) -> None:
        raise requests.exceptions.TooManyRedirects("Exceeded 30 redirects.")

    monkeypatch.setattr(requests, "get", going_round)
    with pytest.raises(ValueError, match="leads from one address to another without an end"):
        pull(address, tmp_path / "pulled")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no SHA256SUMS"):
        pull(tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match="expected a folder, http"):
        pull("ftp://example.org/x", tmp_path / "out")
    with serving(tmp_path) as server, pytest.raises(FileNotFoundError, match="not there"):
        pull(server.url, tmp_path / "out")


def test_hugging_face_layout(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "hub" / "datasets" / "me" / "two" / "resolve"
    place.mkdir(parents=True)
    (place / "main").symlink_to(shared)
    with serving(tmp_path / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        pull("hf://datasets/me/two", tmp_path / "pulled")
    assert (tmp_path / "pulled" / "store.zarr.zip").is_file()


def test_zenodo_addresses(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pooch = pytest.importorskip("pooch")
    with serving(shared) as server:

        class Record:
            def download_url(self, file_name: str) -> str:
                return f"{server.url}/{file_name}"

        monkeypatch.setattr(pooch.downloaders, "doi_to_repository", lambda doi: Record() if doi == "10.5281/z.1" else 0)
        assert Origin("https://doi.org/10.5281/z.1").small(SUMS) == (shared / SUMS).read_bytes()


def test_a_remote_zip_is_read_in_place_and_kept(shared: Path, store: Path, cache: Path) -> None:
    local = PairReader(open_store(store), "all").batch(slice(0, 8))
    with serving(shared) as server:
        url = f"{server.url}/store.zarr.zip"
        remote = PairReader(open_store(url), "all").batch(slice(0, 8))
        np.testing.assert_array_equal(remote.reference, local.reference)
        np.testing.assert_array_equal(remote.snippet, local.snippet)
        size = (shared / "store.zarr.zip").stat().st_size
        assert 0 < server.sent_bytes <= size  # no byte twice
        assert validate(url) == []
        with pytest.raises(FileNotFoundError, match="no store at"):
            open_store(f"{server.url}/other.zarr.zip")
    assert any(cache.iterdir())


def test_a_zip_is_only_read(shared: Path) -> None:
    result = CliRunner().invoke(main, ["share", str(shared / "store.zarr.zip"), "-o", "x"])
    assert result.exit_code == 2 and "shared as it came" in result.output


def rezip(source: Path, target: Path, change) -> None:
    """Write a zip again, each part by `change(archive, entry, content)`."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            change(new, entry, old.read(entry))


@pytest.mark.parametrize("kind", ["outside", "link", "compressed", "twice", "cut", "noise"])
def test_hostile_zips_are_refused(shared: Path, tmp_path: Path, kind: str) -> None:
    bad, whole = tmp_path / "bad.zarr.zip", shared / "store.zarr.zip"
    told = {"outside": "lie outside", "link": "is a link", "compressed": "is compressed", "twice": "twice"}

    def change(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, content: bytes) -> None:
        if entry.filename == "zarr.json":
            if kind == "outside":
                archive.writestr("../../evil", b"x")
            elif kind == "link":
                link = zipfile.ZipInfo("link")
                link.external_attr = 0o120777 << 16
                archive.writestr(link, "/etc/passwd")
            elif kind == "compressed":
                archive.writestr("bomb", bytes(10_000_000), zipfile.ZIP_DEFLATED)
            elif kind == "twice":
                with pytest.warns(UserWarning, match="Duplicate"):
                    archive.writestr("zarr.json", content)
                    archive.writestr("zarr.json", content)
                return
        archive.writestr(entry, content)

    if kind == "cut":
        bad.write_bytes(whole.read_bytes()[:-5000])
    elif kind == "noise":
        bad.write_bytes(np.random.default_rng(0).bytes(10_000))
    else:
        rezip(whole, bad, change)
    with pytest.raises(ValueError, match=told.get(kind, "cannot be read as a zip file")):
        open_store(bad)


def metadata(path: Path, **changes) -> None:
    """Change an array's metadata on disk."""
    told = json.loads((path / "zarr.json").read_text())
    (path / "zarr.json").write_text(json.dumps(told | changes))


@pytest.mark.parametrize(
    ("array", "changes", "told"),
    [
        ("frames", {"shape": [1 << 50, 88]}, "claims"),
        ("notes/onset_s", {"shape": [1 << 40]}, "claims|differ in length"),
        ("notes/pitch", {"codecs": [{"name": "bytes"}, {"name": "gzip", "configuration": {"level": 5}}]}, "GzipCodec"),
        (
            "notes/onset_s",
            {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1 << 40]}}},
            "chunks of",
        ),
        ("notes/onset_s", {"codecs": [{"name": "numcodecs.pickle"}]}, "no Zarr group|missing|cannot|pickle"),
    ],
)
def test_metadata_that_lie_are_refused(store: Path, tmp_path: Path, array: str, changes: dict, told: str) -> None:
    bad = shutil.copytree(store, tmp_path / "bad.zarr")
    metadata(bad / array, **changes)
    with pytest.raises(ValueError, match=told):
        open_store(bad)


def test_renditions_beyond_the_frames_are_refused(store: Path, tmp_path: Path) -> None:
    from sfdata.schema import array_sha256

    bad = shutil.copytree(store, tmp_path / "bad.zarr")
    group = zarr.open_group(bad, mode="r+")
    count = np.asarray(group["renditions/frame_count"][:])
    count[0] = 1 << 40
    group["renditions/frame_count"][:] = count
    group.attrs["checksums"] = {**group.attrs["checksums"], "renditions/frame_count": array_sha256(count)}
    with pytest.raises(ValueError, match="claim frames beyond"):
        PairReader(open_store(bad), "all")
    assert any(problem.check == "links" for problem in validate(bad))


def test_links_are_not_zipped(store: Path, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for name, target in (("zarr.json", "/etc/passwd"), ("frames", "/etc")):
        (tmp_path / "s" / name).symlink_to(target)
        with pytest.raises(ValueError, match="neither a file nor a folder"):
            write_zip(tmp_path / "s", tmp_path / "s.zip")
        (tmp_path / "s" / name).unlink()


def test_what_else_lies_in_the_folder_is_not_zipped(store: Path, tmp_path: Path) -> None:
    own = shutil.copytree(store, tmp_path / "s.zarr")
    write_zip(own, tmp_path / "before.zip")
    for name in (".DS_Store", "notes.txt", "frames/.DS_Store", "frames/c/0/x.tmp", ".git/config", "my folder/c.txt"):
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text("mine")
    (own / "link").symlink_to("/etc/passwd")
    write_zip(own, tmp_path / "after.zip")
    assert (tmp_path / "before.zip").read_bytes() == (tmp_path / "after.zip").read_bytes()
    assert validate(tmp_path / "after.zip") == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--name", "../x"], "name '../x'; expected"),
        (["--date", "foo"], "date 'foo'; expected one such as"),
        (["--date", "2026-02-30"], "date '2026-02-30'"),
        (["-o", "{store}/sh"], "lies in the store"),
    ],
)
def test_names_dates_and_places_that_cannot_be(store: Path, tmp_path: Path, options: list[str], told: str) -> None:
    own = [option.format(store=store) for option in options]
    result = CliRunner().invoke(main, ["share", str(store), "-o", str(tmp_path / "out"), *own])
    assert result.exit_code == 2 and told in result.output
    assert not list(tmp_path.iterdir())


def test_a_licence_that_spdx_does_not_know_gets_no_link(store: Path, tmp_path: Path, short_midi: list[Path]) -> None:
    share(make(tmp_path, "PublicDomain", short_midi[:1]), tmp_path / "out")
    licence, cited = (tmp_path / "out" / "LICENSE").read_text(), (tmp_path / "out" / "CITATION.cff").read_text()
    assert "PublicDomain: 1 pieces" in licence and "licenses/PublicDomain" not in licence
    assert "licenses/GPL-2.0-only.html" in licence and "license:" not in cited
