"""Unharmed: builds that are killed, or meet with obstacles, lose nothing; `make stress` takes 30 kills.

All of it by the command line alone. An obstacle is met with exit code 2 and one message, without a traceback; what was
done before stays, and once the obstacle is gone the same command goes on and ends with the bytes of a build in peace.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import stress
from click.testing import CliRunner, Result

from sfdata.build import build
from sfdata.cli import main
from sfdata.recipe import read_recipe
from sfdata.soundfonts import resolve_instrument
from sfdata.store import open_store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and mounts as POSIX has them")


def test_builds_killed_at_random_moments(tmp_path: Path):
    killed = stress.Stress(tmp_path, seed=5, pieces=5)
    rows = list(killed.run(5))  # each victim once, and each kind of moment
    assert killed.kills >= 5
    assert not [str(row) for row in rows if row.problems], "\n".join(map(str, [stress.HEADER, *rows]))


@dataclass
class Site:
    """A place where a build was interrupted: three of four pieces are on disk."""

    root: Path
    reference: stress.Reference

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.toml"

    @property
    def midi(self) -> Path:
        return self.root / "midi"

    @property
    def font(self) -> Path:
        return self.root / "fonts" / "mine.sf2"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def target(self) -> Path:
        return self.work / "s.zarr"

    def command(self, target: Path | None = None, recipe: Path | None = None, *, workers: int = 1) -> list[str]:
        arguments = ["build", recipe or self.recipe, self.midi, "-o", target or self.target, "--workers", workers]
        return [str(argument) for argument in [*arguments, "--json"]]

    def build(self, target: Path | None = None, *more: str, recipe: Path | None = None) -> Result:
        return CliRunner().invoke(main, [*self.command(target, recipe), *more])

    def completes(self, before: stress.Files, target: Path | None = None, recipe: Path | None = None) -> None:
        """The same command ends well, with the bytes of a build in peace, and what was done stays as it was."""
        target = target or self.target
        result = self.build(target, recipe=recipe)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["pieces"] == 4
        assert stress.content(target) == self.reference.content
        assert [path.name for path in target.parent.iterdir()] == [target.name]
        whole, rewritten = self.reference.rewritten(before, stress.shard_files(target))
        assert whole >= 3 and rewritten <= 1, (whole, rewritten)


def refused(result: Result, *wanted: str) -> None:
    """Exit code 2 and one message that says all that is wanted (regular expressions)."""
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    stress.check_message(result.stderr, *wanted)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A font of one's own, a build in peace, and one that was killed with the third of four pieces on disk."""
    root = tmp_path_factory.mktemp("site")
    saved_folder = os.environ.get("SFDATA_SOUNDFONTS")
    os.environ["SFDATA_SOUNDFONTS"] = str(root / "registry")
    try:
        stress.write_material(root, 4, "mine")
        (root / "fonts").mkdir()
        font = bytearray(Path(resolve_instrument("timgm6mb:0").path).read_bytes())
        font[font.index(b"INAM") + 8] ^= 0x20  # first letter of its title
        (root / "fonts" / "mine.sf2").write_bytes(font)
        added = CliRunner().invoke(
            main, ["soundfonts", "add", str(root / "fonts" / "mine.sf2"), "--name", "mine", "--licence", "MIT"]
        )
        assert added.exit_code == 0, added.output
        peace = root / "peace" / "s.zarr"
        site = Site(root, stress.Reference(peace, {}, [], 0.0, 0))
        result = site.build(peace)
        assert result.exit_code == 0, result.output
        site.reference = stress.Reference(peace, stress.content(peace), stress.shards_of_pieces(peace), 0.0, 0)

        def three_pieces() -> bool:
            there = set(stress.shard_files(site.work))
            return sum(names <= there for names in site.reference.pieces) >= 3

        site.work.mkdir()
        with stress.Running([*stress.program(), *site.command()], root / "log") as running:
            assert stress.wait_for(three_pieces, running)
        assert not site.target.exists()
        for name in ("work", "midi", "fonts"):
            shutil.copytree(root / name, root / "saved" / name)
        yield site
    finally:
        if saved_folder is None:
            del os.environ["SFDATA_SOUNDFONTS"]
        else:
            os.environ["SFDATA_SOUNDFONTS"] = saved_folder


@pytest.fixture
def site(interrupted: Site) -> Site:
    """The interrupted build, as it was left."""
    for name in ("work", "midi", "fonts"):
        shutil.rmtree(interrupted.root / name, ignore_errors=True)
        shutil.copytree(interrupted.root / "saved" / name, interrupted.root / name)
    return interrupted


@contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system in memory; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no mounting here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_what_was_interrupted_is_completed(site: Site):
    site.completes(stress.shard_files(site.work))


@pytest.mark.parametrize("when", ["frames", "tables"])
def test_a_full_disk(site: Site, tmp_path: Path, when: str):
    """Full while shards are written, by worker processes; or full when all of them are."""
    disk = tmp_path / "disk"
    target = disk / "s.zarr"
    frames = sum(file.stat().st_blocks for file in site.reference.store.rglob("frames/c/*/*")) * 512
    size = frames * 3 // 4 if when == "frames" else frames + 40_000
    with tmpfs(disk, f"size={size // 4096 * 4}k"):
        command = [*stress.program(), *site.command(target, workers=2 if when == "frames" else 1)]
        with stress.Running(command, tmp_path / "log") as running:
            assert running.wait() == 2, running.text
            stress.check_message(
                running.text, "No space left on device", re.escape(str(target)), "free|room", "again|same command"
            )
            assert not running.left_over()
        with pytest.raises((FileNotFoundError, ValueError)):
            open_store(target)
        before = stress.shard_files(disk)
        assert before
        remount(disk, "size=64m")
        result = site.build(target)
        assert result.exit_code == 0, result.output
        assert stress.content(target) == site.reference.content
        assert [path.name for path in disk.iterdir()] == ["s.zarr"]
        whole, rewritten = site.reference.rewritten(before, stress.shard_files(target))
        assert whole >= 1 and rewritten <= 2, (whole, rewritten)


def test_a_disk_that_became_unwritable(site: Site, tmp_path: Path):
    disk = tmp_path / "disk"
    with tmpfs(disk, "size=64m"):
        remount(disk, "ro")
        refused(site.build(disk / "s.zarr"), "Read-only file system", re.escape(str(disk)), "writ")
        remount(disk, "rw")
        command = [*stress.program(), *site.command(disk / "s.zarr")]
        with stress.Running(command, tmp_path / "log") as running:
            assert stress.wait_for(lambda: len(stress.shard_files(disk)) >= 3, running)
        before = stress.content(disk)
        remount(disk, "ro")
        refused(site.build(disk / "s.zarr"), "Read-only file system", re.escape(str(disk)), "writ")
        assert stress.content(disk) == before
        remount(disk, "rw")
        assert site.build(disk / "s.zarr").exit_code == 0
        assert stress.content(disk / "s.zarr") == site.reference.content


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(site: Site, tmp_path: Path):
    tmp_path.chmod(0o555)
    try:
        refused(site.build(tmp_path / "s.zarr"), "Permission denied", re.escape(str(tmp_path)))
    finally:
        tmp_path.chmod(0o755)


def test_a_target_below_a_file(site: Site, tmp_path: Path):
    (tmp_path / "file").write_text("precious")
    refused(
        site.build(tmp_path / "file" / "s.zarr"),
        re.escape(str(tmp_path / "file")),
        "not a (directory|folder)|Not a directory",
    )
    assert (tmp_path / "file").read_text() == "precious"
    refused(site.build(tmp_path / "file"), re.escape(str(tmp_path / "file")), "another name")
    assert (tmp_path / "file").read_text() == "precious"


def other_recipe(site: Site, old: str, new: str) -> Path:
    text = site.recipe.read_text()
    assert old in text
    path = site.root / "other.toml"
    path.write_text(text.replace(old, new))
    return path


def test_a_store_of_another_recipe_at_the_target(site: Site):
    shutil.rmtree(site.work)
    shutil.copytree(site.reference.store, site.target)
    before = stress.content(site.work)
    for old, new in {"seed = 1": "seed = 2", "[0.8, 1.25]": "[0.9, 1.25]", '"all"': '"skyline"'}.items():
        result = site.build(recipe=other_recipe(site, old, new))
        refused(result, re.escape(str(site.target)), "another name", "--overwrite")
        assert stress.content(site.work) == before


def test_a_store_of_another_version_at_the_target(site: Site):
    shutil.rmtree(site.work)
    shutil.copytree(site.reference.store, site.target)
    meta = json.loads((site.target / "zarr.json").read_text())
    meta["attributes"]["format_version"] = 99
    (site.target / "zarr.json").write_text(json.dumps(meta))
    before = stress.content(site.work)
    refused(site.build(), re.escape(str(site.target)), "another name", "--overwrite")
    assert stress.content(site.work) == before


def test_something_else_at_the_target(site: Site):
    site.target.mkdir()
    (site.target / "precious").write_text("x")
    before = stress.content(site.work)
    refused(site.build(), re.escape(str(site.target)), "another name")
    refused(site.build(None, "--overwrite"), re.escape(str(site.target)), "another name")
    assert stress.content(site.work) == before
    shutil.rmtree(site.target)
    site.completes(stress.shard_files(site.work))


def test_an_interrupted_build_of_another_recipe(site: Site):
    before, content = stress.shard_files(site.work), stress.content(site.work)
    for old, new in {"seed = 1": "seed = 2", '"{font}:4"': '"{font}:6"'}.items():
        old, new = old.format(font="mine"), new.format(font="mine")
        refused(site.build(recipe=other_recipe(site, old, new)), re.escape(str(site.target)), "interrupted", "delete")
        assert stress.content(site.work) == content
    site.completes(before)


def test_a_soundfont_changed_since(site: Site):
    before, content = stress.shard_files(site.work), stress.content(site.work)
    font = site.font.read_bytes()
    flip(site.font, font.index(b"INAM") + 9)
    refused(site.build(), "'mine'", re.escape(str(site.font)), "another file", "sha256 [0-9a-f]{64}")
    assert stress.content(site.work) == content
    site.font.write_bytes(font)
    site.completes(before)


def test_a_soundfont_named_by_its_path_changed_since(site: Site):
    recipe = other_recipe(site, '"mine:', f'"{site.font}:')
    before, content = stress.shard_files(site.work), stress.content(site.work)
    font = site.font.read_bytes()
    flip(site.font, font.index(b"INAM") + 9)
    refused(site.build(recipe=recipe), re.escape(str(site.target)), "interrupted", "soundfont|instrument", "mine")
    assert stress.content(site.work) == content
    site.font.write_bytes(font)
    site.completes(before, recipe=recipe)


def test_a_soundfont_that_vanished(site: Site):
    before, content = stress.shard_files(site.work), stress.content(site.work)
    site.font.rename(site.font.with_name("elsewhere"))
    refused(site.build(), "'mine'", re.escape(str(site.font)), "absent|not on this machine")
    assert stress.content(site.work) == content
    site.font.with_name("elsewhere").rename(site.font)
    site.completes(before)


@pytest.mark.parametrize("number", [0, 3], ids=["done", "to be done"])
def test_a_source_changed_since(site: Site, number: int):
    """Whether its piece is done already or not."""
    before, content = stress.shard_files(site.work), stress.content(site.work)
    source = sorted(site.midi.iterdir())[number]
    data = source.read_bytes()
    source.write_bytes(stress.shortened(sorted(site.midi.iterdir())[2], stress.np.random.default_rng(9)))
    refused(site.build(), re.escape(str(site.target)), "interrupted", "source")
    assert stress.content(site.work) == content
    source.write_bytes(data)
    site.completes(before)


def test_sources_that_vanished(site: Site):
    before, content = stress.shard_files(site.work), stress.content(site.work)
    site.midi.rename(site.root / "elsewhere")
    refused(site.build(), re.escape(str(site.midi)))
    assert stress.content(site.work) == content
    (site.root / "elsewhere").rename(site.midi)
    site.completes(before)


def test_the_second_of_two_builds_refuses(site: Site, tmp_path: Path):
    target = tmp_path / "two" / "s.zarr"
    target.parent.mkdir()
    with stress.Running([*stress.program(), *site.command(target, workers=2)], tmp_path / "log") as first:
        assert stress.wait_for(lambda: stress.shard_files(target.parent), first)
        began = time.monotonic()
        for more in ((), ("--overwrite",)):
            refused(site.build(target, *more), "another build", re.escape(str(target)), "wait|another name")
        assert first.process.poll() is None, "the first was over before the second began"
        assert time.monotonic() - began < 60
        assert first.wait() == 0, first.text
        assert not first.left_over()
    assert stress.content(target) == site.reference.content
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_worker_that_is_killed_as_it_starts(site: Site, tmp_path: Path):
    found: list[psutil.Process] = []
    with stress.Running([*stress.program(), *site.command(workers=2)], tmp_path / "log") as running:
        assert stress.wait_for(lambda: found.extend(running.workers()) or found, running)
        found[0].kill()
        assert running.wait() == 0, running.text
        assert not running.left_over()
    assert stress.content(site.target) == site.reference.content


# Runs in every Python process that finds it on its path.
DIE = """
import os, sys
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)) and (arguments[2] or 0) & 3:
        if "frames/c/{shard}" in os.fspath(arguments[0]):
            os.kill(os.getpid(), 9)
sys.addaudithook(hook)
"""


def test_a_piece_that_kills_every_worker(site: Site, tmp_path: Path):
    """As a system does that lacks memory: a clear error, soon; all is done when there is enough of it."""
    shard = min(site.reference.pieces[2])
    (tmp_path / "sitecustomize.py").write_text(DIE.format(shard=shard))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    target = tmp_path / "out" / "s.zarr"
    target.parent.mkdir()
    command = [*stress.program(), *site.command(target, workers=2)]
    with stress.Running(command, tmp_path / "log", PYTHONPATH=path) as running:
        assert running.wait(120.0) == 2, running.text
        stress.check_message(running.text, "worker", "killed|died|memory", "again|same command|--workers")
        assert not running.left_over()
    assert not target.exists()
    result = site.build(target)
    assert result.exit_code == 0, result.output
    assert stress.content(target) == site.reference.content


def test_the_library_goes_on_with_what_the_command_began(site: Site):
    before = stress.shard_files(site.work)
    recipe = read_recipe(site.recipe)
    with pytest.raises(ValueError, match="interrupted"):
        build(replace(recipe, seed=2), site.target, [site.midi], workers=1)
    result = build(recipe, site.target, [site.midi], workers=1)
    assert (result.pieces, result.skipped) == (4, ())
    assert stress.content(site.target) == site.reference.content
    whole, rewritten = site.reference.rewritten(before, stress.shard_files(site.target))
    assert whole >= 3 and rewritten <= 1
