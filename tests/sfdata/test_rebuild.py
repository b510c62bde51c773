"""A store that is shared tells nothing of the maker's folders, and is built again to the very bytes."""

import json
import shlex
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from tiny_soundfont import soundfont_bytes

from sfdata.cli import main
from sfdata.midi import read_midi_notes, write_midi
from sfdata.notes import make_notes
from sfdata.portable import portable
from sfdata.render import render, write_audio
from sfdata.share import share
from sfdata.soundfonts import resolve_instrument

MAKER = "alice"


def run(*arguments: object) -> None:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def piece(path: Path, seed: int, count: int = 24) -> Path:
    """A short piece of its own."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.uniform(0.3, 0.6, count))
    notes = make_notes(onsets, onsets + 0.25, rng.integers(50, 80, count), np.full(count, 70))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(path, notes)
    return path


def recipe(path: Path, *sources: tuple[str, str], snippets: str = "timgm6mb:1", more: str = "") -> Path:
    told = "".join(f'[[sources]]\nmidi = "{midi}"\nlicence = "{licence}"\n' for midi, licence in sources)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'seed = 3\n{told}[instruments]\nreferences = ["timgm6mb:0"]\nsnippets = ["{snippets}"]\n{more}')
    return path


def from_midi(home: Path) -> dict[str, Path]:
    """Two folders of different names, of which one is told by an absolute path, with equal names in them."""
    piece(home / "music" / "same.mid", 1)
    piece(home / "far" / "songs" / "same.mid", 2)
    told = recipe(home / "r" / "a.toml", (str(home / "music"), "CC0-1.0"), ("../far/songs", "CC-BY-4.0"))
    run("build", told, "-o", home / "s.zarr", "--workers", 1)
    return {"music": home / "music", "songs": home / "far" / "songs"}


def from_folders_of_one_name(home: Path) -> dict[str, Path]:
    piece(home / "one" / "midi" / "a.mid", 1)
    piece(home / "two" / "midi" / "b.mid", 2)
    told = recipe(home / "a.toml", ("one/midi", "CC0-1.0"), (str(home / "two" / "midi" / "b.mid"), "CC-BY-4.0"))
    with told.open("a") as file:
        file.write('[[sources]]\nmidi = "two/midi"\nlicence = "CC0-1.0"\nsplit = "test"\n')
    run("build", told, "-o", home / "s.zarr", "--workers", 1)
    return {"midi": home / "one" / "midi", "b.mid": home / "two" / "midi" / "b.mid", "2/midi": home / "two" / "midi"}


def from_a_font_of_ones_own(home: Path) -> dict[str, Path]:
    font = home / "fonts" / "Mine Own.sf2"
    font.parent.mkdir(parents=True)
    font.write_bytes(soundfont_bytes())
    run("soundfonts", "add", font, "--name", "mine", "--licence", "CC0-1.0")
    piece(home / "music" / "a.mid", 1)
    told = recipe(home / "a.toml", ("music", "CC0-1.0"), snippets=f"{font}:0")
    run("build", told, "-o", home / "s.zarr", "--workers", 1)
    return {"music": home / "music", font.name: font}


def grown(home: Path) -> dict[str, Path]:
    """Extended by another variant: the recipe that was, and then the one that is."""
    piece(home / "music" / "a.mid", 1)
    for copies, more in ((1, []), (2, ["--append"])):
        own = f"[augment]\ncopies = {copies}\ntempo = [0.9, 1.1]\n"
        told = recipe(home / f"{copies}.toml", (str(home / "music"), "CC0-1.0"), more=own)
        run("build", told, "-o", home / "s.zarr", "--workers", 1, *more)
    return {"music": home / "music"}


def aligned(home: Path) -> dict[str, Path]:
    folder = home / "my takes" / "x"
    path = piece(folder / "score.mid", 1)

    notes = read_midi_notes(path)
    sound = render(notes, resolve_instrument("timgm6mb:1"), 22050)
    write_audio(folder / "performance.flac", sound, 22050)
    rows = "".join(f"{onset:.6f},{onset:.6f}\n" for onset in sorted(set(notes["onset_s"].tolist())))
    (folder / "alignment.csv").write_text("performance_time_s,score_time_s\n" + rows)
    (folder / "meta.json").write_text('{"title": "x", "source": "me", "licence": "CC0-1.0"}')
    options = ("--soundfont", "timgm6mb:2", "--velocity", 80, "--split", "train", "--seed", 4)
    run("import", "aligned", folder.parent, "-o", home / "s.zarr", "--workers", 1, *options)
    return {"my takes": folder.parent}


def maps(home: Path) -> dict[str, Path]:
    options = ("--subsets", "ST", "--pitches", "60-61", "--loudness", "M", "--sample-rate", 32000)
    run("isol", "-o", home / "set", "--soundfont", "timgm6mb:1", "--code", "One", *options)
    more = ("--lead", 1, 2, "--licence", "CC0-1.0", "--attribution", "me & 'you'", "--seed", 2, "--split", "validation")
    run("import", "maps", home / "set", "-o", home / "s.zarr", "--workers", 1, *more)
    return {"set": home / "set"}


def build_pairs(home: Path) -> dict[str, Path]:
    """Two folders of one name, and a file without a counterpart, of which the store tells."""
    voices = home / "voices"
    for name in ("a", "b"):
        piece(voices / f"{name}.mid", ord(name))
    run("render", voices, "--soundfont", "timgm6mb:0", "-o", home / "x" / "audio")
    (voices / "b.mid").unlink()
    run("render", voices, "--soundfont", "timgm6mb:1", "-o", home / "y" / "audio")
    more = ("--licence", "CC0-1.0", "--attribution", "me & you", "--seed", 6)
    sides = ("--references", home / "x" / "audio", "--snippets", home / "y" / "audio")
    run("build-pairs", *sides, "-o", home / "s.zarr", "--workers", 1, *more)
    return {"audio": home / "x" / "audio", "2/audio": home / "y" / "audio"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "make", [from_midi, from_folders_of_one_name, from_a_font_of_ones_own, grown, aligned, maps, build_pairs]
)
def test_built_again_as_told_it_is_the_same_and_names_no_folder_of_the_makers(
    make: Callable[[Path], dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFDATA_SOUNDFONTS", str(tmp_path / "fonts of one"))
    beside = make(tmp_path / MAKER)
    share(tmp_path / MAKER / "s.zarr", tmp_path / "shared", name="it's", date="2026-01-02")
    for name, content in files_of(tmp_path / "shared").items():
        assert MAKER.encode() not in content and str(tmp_path).encode() not in content, name
    told = json.loads((tmp_path / "shared" / "build.json").read_text())
    assert told["put_beside_recipe"] == sorted(beside)
    again = tmp_path / "again"
    again.mkdir()
    for name, path in beside.items():
        (again / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if path.is_dir() else shutil.copy)(path, again / name)
    for path in (tmp_path / "shared").glob("recipe*.toml"):
        shutil.copy(path, again)
    monkeypatch.setenv("SFDATA_SOUNDFONTS", str(tmp_path / "fonts of another"))
    monkeypatch.chdir(again)
    for command in told["command"].split(" && "):
        assert command in (tmp_path / "shared" / "README.md").read_text()
        run(*shlex.split(command)[1:], "--workers" if "soundfonts" not in command else "--title", 1)
    with zipfile.ZipFile(tmp_path / "shared" / "it's.zarr.zip") as archive:
        zipped = {name: archive.read(name) for name in archive.namelist()}
    assert files_of(again / "it's.zarr") == zipped
    assert told["build_sha256"] == json.loads(zipped["zarr.json"])["attributes"]["build_sha256"]


def test_the_same_build_elsewhere_is_known_as_made_already(tmp_path: Path) -> None:
    """The identity of a build does not depend on where its folders lie; another recipe is still refused."""
    from_midi(tmp_path / MAKER)
    shutil.copytree(tmp_path / MAKER / "far" / "songs", tmp_path / "songs")
    shutil.copytree(tmp_path / MAKER / "music", tmp_path / "music")
    target = tmp_path / MAKER / "s.zarr"
    before = files_of(target)
    run("build", recipe(tmp_path / "b.toml", ("music", "CC0-1.0"), ("songs", "CC-BY-4.0")), "-o", target)
    assert files_of(target) == before
    other = recipe(tmp_path / "c.toml", ("music", "CC0-1.0"))
    result = CliRunner().invoke(main, ["build", str(other), "-o", str(target)])
    assert result.exit_code == 2 and "exists already" in result.output
    run("build", other, "-o", target, "--overwrite")
    assert len(zarr.open_group(target, mode="r").attrs["recipe"]["sources"]) == 1


def test_what_stores_made_before_tell_of_folders_is_left_out(tmp_path: Path) -> None:
    from_midi(tmp_path / MAKER)
    group = zarr.open_group(tmp_path / MAKER / "s.zarr", mode="r+")
    attrs = dict(group.attrs)
    attrs["recipe"]["sources"][0]["midi"] = str(tmp_path / MAKER / "music")
    attrs["skipped"] = [{"source": "x.mid", "reason": f"{tmp_path / MAKER / 'music' / 'x.mid'} holds no notes"}]
    attrs["appended_to"] = []
    group.attrs.put(attrs)
    share(tmp_path / MAKER / "s.zarr", tmp_path / "shared")
    for name, content in files_of(tmp_path / "shared").items():
        assert MAKER.encode() not in content, name
    with zipfile.ZipFile(tmp_path / "shared" / "s.zarr.zip") as archive:
        told = json.loads(archive.read("zarr.json"))["attributes"]
    assert told["recipe"]["sources"][0]["midi"] == "music"
    assert told["skipped"][0]["reason"] == "x.mid holds no notes"
    assert json.loads((tmp_path / "shared" / "build.json").read_text())["build_sha256"] == ""


def test_a_portable_recipe_stays_as_it_is() -> None:
    given = {
        "sources": [
            {"midi": "/a/x", "metadata": "../m.csv", "licence": "/"},
            {"midi": "shipped:giantmidi", "metadata": ""},
            {"midi": "b/x", "composers": ["x"]},
            {"midi": "/a/x/"},
            {"midi": ".."},
        ],
        "sound": {"room": {"folder": "/home/me/x"}, "noise": None},
        "maps": {
            "references": "/f/p.sf2:1",
            "stand_ins": {"A": {"code": "B", "soundfont": "/g/p.sf2:1", "sound": {"room": {"folder": "/h/rooms"}}}},
        },
        "instruments": {"references": ["timgm6mb:0", "/f/p.sf2:1"], "draw_references": 1},
    }
    told = portable(given)
    assert [source["midi"] for source in told["sources"]] == ["x", "shipped:giantmidi", "2/x", "x", "midi"]
    assert told["sound"]["room"]["folder"] == "3/x" and told["sources"][0]["licence"] == "/"
    assert told["maps"]["references"] == "p.sf2:1" == told["instruments"]["references"][1]
    assert told["maps"]["stand_ins"]["A"]["soundfont"] == "2/p.sf2:1"
    assert told["maps"]["stand_ins"]["A"]["sound"]["room"]["folder"] == "rooms"
    assert portable(told) == told and given["sources"][0]["midi"] == "/a/x"
