"""A build on a real Dask cluster, on loopback: a scheduler and workers as processes, some of which die.

And the proof that no two writers touch one shard: every process notes which shards it writes, by an audit hook of
Python itself, whatever library does the writing.
"""

import collections
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import stress
import zarr

from sfdata.soundfonts import resolve_instrument

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

# Runs in every Python process that finds it on its path: appends a line for each shard that is written.
WATCH = """
import os, sys, time
log = os.environ.get("SHARD_LOG")
if log:
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    def note(what, path):
        parts = os.fspath(path).split(os.sep)
        if "frames" in parts and "c" in parts[parts.index("frames"):]:
            os.write(handle, f"{os.getpid()}\\t{what}\\t{os.sep.join(parts)}\\n".encode())
    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            mode, flags = arguments[1], arguments[2] or 0
            if set(mode or "") & set("wax+") or flags & (os.O_WRONLY | os.O_RDWR):
                note("open", arguments[0])
        elif event == "os.rename":
            note("rename", arguments[1])
    sys.addaudithook(hook)
"""


@dataclass(frozen=True)
class Material:
    root: Path
    recipe: Path
    midi: Path
    font: Path
    reference: stress.Reference

    def command(self, target: Path, *more: str) -> list[str]:
        return [*stress.program(), "build", str(self.recipe), str(self.midi), "-o", str(target), "--json", *more]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Six short pieces, a font of its own (no other place has one like it), and a store built of them in peace."""
    root = tmp_path_factory.mktemp("cluster")
    (root / "fonts").mkdir()
    font = root / "fonts" / "own.sf2"
    content = bytearray(Path(resolve_instrument("timgm6mb:0").path).read_bytes())
    content[content.index(b"INAM") + 8] ^= 1  # a letter of its name
    font.write_bytes(content)
    recipe, midi = stress.write_material(root, 6, str(font))
    command = [*stress.program(), "build", recipe, midi, "--workers", "1"]
    return Material(root, recipe, midi, font, stress.build_reference(command, root / "peace"))


class Cluster:
    """A scheduler and its workers; all are ended when the block is left."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.environment = folder, environment
        self.stack = ExitStack()
        self.workers: list[stress.Running] = []

    def __enter__(self) -> "Cluster":
        self.folder.mkdir(parents=True)
        file = self.folder / "scheduler.json"
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
        command += ["--no-dashboard", "--no-show", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
        with ExitStack() as stack:
            self.scheduler = stack.enter_context(stress.Running(command, self.folder / "scheduler.log"))
            assert stress.wait_for(file.is_file, self.scheduler), self.scheduler.text

            def address() -> str | None:
                found = re.search(r"tcp://127\.0\.0\.1:\d+", file.read_text())
                return found and found[0]

            assert stress.wait_for(address, self.scheduler), self.scheduler.text
            self.address = str(address())
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def add_worker(self, *before: str) -> stress.Running:
        """Start a worker, by way of another program where one is given; returns when it is registered."""
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny"]
        command += ["--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(self.folder)]
        command += ["--death-timeout", "20"]
        log = self.folder / f"worker-{len(self.workers)}.log"
        running = self.stack.enter_context(stress.Running([*before, *command], log, **self.environment))
        self.workers.append(running)
        assert stress.wait_for(lambda: "Registered to" in running.text, running), running.text
        return running


def test_a_worker_of_two_is_killed(material: Material, tmp_path: Path):
    """The build completes with the other one; each shard has one writer at a time, the dead one and its heir."""
    target = tmp_path / "out" / "s.zarr"
    target.parent.mkdir()
    with Cluster(tmp_path / "cluster") as cluster:
        workers = [cluster.add_worker() for _ in range(2)]
        command = material.command(target, "--scheduler", cluster.address)
        with stress.Running(command, tmp_path / "log") as build:
            enough = sum(map(len, material.reference.pieces)) // 3
            assert stress.wait_for(lambda: len(stress.shard_files(target.parent)) >= enough, build), build.text
            workers[0].process.kill()
            assert build.wait() == 0, build.text
            assert workers[0].process.wait() == -9 and workers[1].process.poll() is None
            assert not build.left_over()
    assert stress.content(target) == material.reference.content
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_the_driver_is_killed_and_its_cluster_lives(material: Material, tmp_path: Path):
    """The same command, given at once on the same cluster, goes on; what still ran for the dead one leaves no trace."""
    target = tmp_path / "out" / "s.zarr"
    target.parent.mkdir()
    with Cluster(tmp_path / "cluster") as cluster:
        for _ in range(2):
            cluster.add_worker()
        command = material.command(target, "--scheduler", cluster.address)
        with stress.Running(command, tmp_path / "log") as build:
            assert stress.wait_for(lambda: len(stress.shard_files(target.parent)) >= 3, build), build.text
            build.process.kill()
            build.process.wait()
        before = stress.shard_files(target.parent)
        with stress.Running(command, tmp_path / "log") as build:
            assert build.wait() == 0, build.text
        time.sleep(1.0)  # for what still runs on the cluster
    assert stress.content(target) == material.reference.content
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    whole, rewritten = material.reference.rewritten(before, stress.shard_files(target))
    assert rewritten <= 2, (whole, rewritten)


def test_the_scheduler_dies(material: Material, tmp_path: Path):
    """A clear error, soon; with another scheduler the build goes on."""
    target = tmp_path / "out" / "s.zarr"
    target.parent.mkdir()
    with Cluster(tmp_path / "first") as cluster:
        cluster.add_worker()
        command = material.command(target, "--scheduler", cluster.address)
        with stress.Running(command, tmp_path / "log") as build:

            def two_pieces() -> bool:
                there = set(stress.shard_files(target.parent))
                return sum(names <= there for names in material.reference.pieces) >= 2

            assert stress.wait_for(two_pieces, build), build.text
            os.killpg(cluster.scheduler.process.pid, 9)
            assert build.wait(60.0) == 2, build.text
            stress.check_message(build.text, "scheduler", re.escape(cluster.address), "again|same command|goes on")
            assert not build.left_over()
    assert not target.exists()
    before = stress.shard_files(target.parent)
    with Cluster(tmp_path / "second") as cluster:
        cluster.add_worker()
        command = material.command(target, "--scheduler", cluster.address)
        with stress.Running(command, tmp_path / "log") as build:
            assert build.wait() == 0, build.text
    assert stress.content(target) == material.reference.content
    whole, rewritten = material.reference.rewritten(before, stress.shard_files(target))
    assert whole >= 2 and rewritten <= 1, (whole, rewritten)


def test_workers_without_the_font(material: Material, tmp_path: Path):
    """A machine on which the font's path holds nothing, or another font, spoils nothing; one that has it completes."""

    def hidden_by(fonts: Path) -> tuple[str, ...]:
        hide = f'mount --bind "{fonts}" "{material.font.parent}" && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", hide, "sh")

    nothing, other = tmp_path / "nothing", tmp_path / "another font"
    for fonts in (nothing, other):
        fonts.mkdir()
    font = bytearray(material.font.read_bytes())
    samples = font.index(b"smpl") + 8
    font[samples : samples + 2_000_000] = bytes(2_000_000)
    (other / material.font.name).write_bytes(font)
    tried = subprocess.run([*hidden_by(other), "true"], capture_output=True)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.decode().strip()}")
    target = tmp_path / "out" / "s.zarr"
    target.parent.mkdir()
    with Cluster(tmp_path / "cluster") as cluster:
        command = material.command(target, "--scheduler", cluster.address)
        for fonts in (nothing, other):
            lacking = cluster.add_worker(*hidden_by(fonts))
            with stress.Running(command, tmp_path / "log") as build:
                assert build.wait() == 2, build.text
                stress.check_message(
                    build.text, re.escape(str(material.font)), "worker|machine", "sha256|another file|absent|no "
                )
            assert not target.exists()
            lacking.end()
        cluster.add_worker()
        with stress.Running(command, tmp_path / "log") as build:
            assert build.wait() == 0, build.text
    assert stress.content(target) == material.reference.content


@contextmanager
def watched(folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """Environment of processes that note which shards they write, and the file they note it in."""
    (folder / "watch").mkdir(parents=True)
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)
    path = os.pathsep.join([str(folder / "watch"), *filter(None, [os.environ.get("PYTHONPATH")])])
    yield {"PYTHONPATH": path, "SHARD_LOG": str(folder / "shards.log")}, folder / "shards.log"


def writers(log: Path) -> dict[str, collections.Counter[int]]:
    """How often each process wrote each shard: a shard that comes by a rename counts once, with it."""
    written: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    opened: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for line in log.read_text().splitlines():
        process, what, path = line.split("\t")
        found = re.search(r"frames/c/(\d+/\d+)", path)
        if found:
            (written if what == "rename" else opened)[found[1]][int(process)] += 1
    for shard, counts in opened.items():
        if shard not in written:
            written[shard] = counts
    return dict(written)


@pytest.mark.parametrize("where", ["local", "cluster"])
def test_no_two_writers_touch_a_shard(material: Material, tmp_path: Path, where: str):
    """Each shard is written once, by one process, and both workers write."""
    target = tmp_path / "out" / "s.zarr"
    with watched(tmp_path) as (environment, log), ExitStack() as stack:
        if where == "local":
            more = ["--workers", "2"]
        else:
            cluster = stack.enter_context(Cluster(tmp_path / "cluster", **environment))
            for _ in range(2):
                cluster.add_worker()
            more = ["--scheduler", cluster.address]
        with stress.Running(material.command(target, *more), tmp_path / "log", **environment) as build:
            assert build.wait() == 0, build.text
        found = writers(log)
    shards = set().union(*material.reference.pieces)
    assert shards <= set(found)
    assert {shard: counts for shard, counts in found.items() if counts.total() != 1} == {}
    assert len({process for counts in found.values() for process in counts}) == 2
    assert stress.content(target) == material.reference.content


HALF = """
import sys
import numpy as np, zarr
frames = zarr.open_array(sys.argv[1], mode="r+")
half, shard = int(sys.argv[2]), frames.shards[0]
for first in range(half * shard // 2, frames.shape[0], shard):
    frames[first : first + shard // 2] = np.ones((shard // 2, frames.shape[1]), dtype=frames.dtype)
"""


def test_the_watch_finds_two_writers_where_shards_are_shared(tmp_path: Path):
    """What the test above would find: two processes, each with its own rows, but half of each shard."""
    store = tmp_path / "s.zarr" / "frames"
    zarr.create_array(store, shape=(256 * 8, 88), chunks=(128, 88), shards=(256, 88), dtype="float16", fill_value=0)
    with watched(tmp_path) as (environment, log):
        for half in (0, 1):
            with stress.Running(
                [sys.executable, "-c", HALF, store, str(half)], tmp_path / f"log-{half}", **environment
            ) as writer:
                assert writer.wait() == 0, writer.text
        found = writers(log)
    assert len(found) == 8 and all(len(counts) == 2 for counts in found.values())
