"""Builds that are killed at random moments, and what becomes of them.

As a program it kills many builds and prints what was killed when, and how it went on:
``python tests/stress.py --count 30``.

A round is one store: builds of it are killed, one to four in a row, then the same command is left in peace. Demanded is

- after each kill: nothing at the target, or a store with every byte of the one that was built in peace;
- of a killed worker: that its build completes nonetheless;
- at the end of a round, also where the last kill came when the store had its name already: exit code 0, the same bytes,
  nothing beside the store, no process left over;
- of every run after a kill: of the pieces whose shards were all on disk at the kill, all but one for each worker (which
  may have been in the middle of them) keep the very files, known by inode and time of change.
"""

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from fuzzing import shortened

from sfdata.shipped_files import shipped_file
from sfdata.store import open_store

WORKERS = 2
TAG = "STRESS_RUN"  # environment variable by which processes are known, whatever group or parent they have
LONGEST_S = 300.0  # of a build: more means that it hangs
POLL_S = 0.01
VICTIMS = ("driver", "worker", "machine", "SIGTERM", "Ctrl-C")
MOMENTS = ("after a time", "shards", "files", "shards", "at the last rename")
RECIPE = """
name = "stress"
seed = 1

[voices]
method = "all"

[augment]
copies = 1

[augment.tempo]
factor = [0.8, 1.25]

[instruments]
references = ["{font}:0"]
snippets = ["{font}:1", "{font}:4"]

[store]
chunk_frames = 256
shard_frames = 256
"""

Files = dict[str, tuple[int, int]]  # shard: its inode and its time of change


def write_material(folder: Path, pieces: int, font: str = "timgm6mb") -> tuple[Path, Path]:
    """Stretches of real files and a recipe for them: ``(recipe, MIDI)``."""
    midi = folder / "midi"
    midi.mkdir(parents=True)
    for number, path in enumerate(sorted(shipped_file("giantmidi").glob("*.mid"))[:pieces]):
        (midi / path.name).write_bytes(shortened(path, np.random.default_rng(number)))
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(font=font))
    return recipe, midi


def program() -> list[str]:
    """The installed command, as a user starts it."""
    name = "sfdata.exe" if os.name == "nt" else "sfdata"
    return [str(Path(sysconfig.get_path("scripts")) / name)]


def content(path: Path) -> dict[str, str]:
    """All files of a folder with the sha256 of what is in them; locks are no content."""
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.suffix != ".lock"
    }


def count_files(folder: Path) -> int:
    """Files anywhere in a folder that others change meanwhile."""
    return sum(len(files) for _, _, files in os.walk(folder))


def shard_files(folder: Path) -> Files:
    """Shards of ``frames`` anywhere in a folder: finished or not, under whatever name the store has."""
    found = {}
    for file in folder.rglob("frames/c/*/*"):
        with suppress(FileNotFoundError):
            if file.name.isdigit():
                stat = file.stat()
                found["/".join(file.parts[-2:])] = (stat.st_ino, stat.st_mtime_ns)
    return found


def shards_of_pieces(store: Path) -> list[set[str]]:
    """Which shards each piece of a store fills with something other than silence."""
    opened = open_store(store)
    shard = opened.frames.shards[0]  # type: ignore[index]
    there = set(shard_files(store))
    pieces: list[set[str]] = [set() for _ in opened.pieces["title"]]
    for first, count, performance in zip(
        *(opened.renditions[name].tolist() for name in ("first_frame", "frame_count", "performance")), strict=True
    ):
        names = {f"{number}/0" for number in range(first // shard, -(-(first + count) // shard))}
        pieces[int(opened.performances["piece"][performance])] |= names & there
    return pieces


def tagged(tag: str) -> list[psutil.Process]:
    """Processes that carry a tag in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(TAG) == tag and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _count_shards(folder: Path) -> int:
    return len(shard_files(folder))


class Running:
    """A program with all its processes, in a process group of its own; to be used in a ``with`` statement.

    However the block is left, its processes are ended.
    """

    def __init__(self, command: Sequence[str | Path], log: Path, **environment: str) -> None:
        self.tag = uuid.uuid4().hex
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **environment, TAG: self.tag},
            )
        self.began = time.monotonic()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def text(self) -> str:
        """What it said so far."""
        return self.log.read_text(errors="replace")

    def age_s(self) -> float:
        return time.monotonic() - self.began

    def workers(self) -> list[psutil.Process]:
        """Python processes that it started to work for it."""
        found = []
        with suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    command = " ".join(child.cmdline())  # others, such as ldconfig, live for moments
                    if ("multiprocessing" in command or "sfdata" in command) and "resource_tracker" not in command:
                        found.append(child)
        return found

    def strike(self, victim: str, rng: np.random.Generator) -> bool:
        """Kill something of it; False where there was nothing to kill (any more)."""
        if self.process.poll() is not None:
            return False
        if victim == "worker":
            workers = self.workers()
            if not workers:
                return False
            with suppress(psutil.NoSuchProcess):
                workers[int(rng.integers(len(workers)))].kill()
                return True
            return False
        if victim == "machine":
            os.killpg(self.process.pid, signal.SIGKILL)
        elif victim == "Ctrl-C":
            os.killpg(self.process.pid, signal.SIGINT)  # as a terminal does
        else:
            self.process.send_signal({"driver": signal.SIGKILL, "SIGTERM": signal.SIGTERM}[victim])
        return True

    def wait(self, longest_s: float = LONGEST_S) -> int:
        """Exit code.

        Raises
        ------
        TimeoutError
            If it takes longer; with what it said.
        """
        try:
            return self.process.wait(longest_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running after {longest_s:.0f} s: {self.text[-2000:]}") from None

    def left_over(self, patience_s: float = 15.0) -> list[str]:
        """Processes of it that live on for so long after its end."""
        until = time.monotonic() + patience_s
        while (left := tagged(self.tag)) and time.monotonic() < until:
            time.sleep(0.1)
        return [f"{process.pid} {process.name()}" for process in left if process.is_running()]

    def end(self) -> None:
        """End whatever lives of it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for process in tagged(self.tag):
            with suppress(psutil.Error):
                process.kill()
        self.process.wait()


def wait_for(condition: Callable[[], object], running: Running, longest_s: float = 120.0) -> bool:
    """Wait until something is so, or the program ended (False)."""
    while not condition():
        if running.process.poll() is not None:
            return bool(condition())
        if running.age_s() > longest_s:
            raise TimeoutError(f"waited {longest_s:.0f} s in vain: {running.text[-2000:]}")
        time.sleep(POLL_S)
    return True


def check_message(text: str, *wanted: str) -> None:
    """Demand one error message, without a traceback, that says all that is wanted (regular expressions)."""
    assert "Traceback" not in text, text
    assert text.count("Error: ") == 1 and text.startswith("Error: "), text
    for pattern in wanted:
        assert re.search(pattern, text), (pattern, text)


@dataclass(frozen=True)
class Reference:
    """A store built in peace, and how long that took."""

    store: Path
    content: dict[str, str]
    pieces: list[set[str]]
    duration_s: float
    files: int  # at most at one time

    def rewritten(self, before: Files, after: Files) -> tuple[int, int]:
        """Pieces whose shards were all there before; how many of these are others after."""
        whole = [names for names in self.pieces if names <= set(before)]
        return len(whole), sum(any(before[name] != after.get(name) for name in names) for names in whole)


def build_reference(command: Sequence[str | Path], folder: Path) -> Reference:
    """Build in peace, counting files meanwhile."""
    folder.mkdir(parents=True)
    store, most = folder / "s.zarr", 0
    with Running([*command, "-o", store], folder.with_suffix(".log")) as running:
        while running.process.poll() is None and running.age_s() < LONGEST_S:
            most = max(most, count_files(folder))
            time.sleep(POLL_S)
        if running.wait(1.0):
            raise RuntimeError(f"the build fails without any kill: {running.text[-2000:]}")
        duration_s = running.age_s()
    return Reference(store, content(store), shards_of_pieces(store), duration_s, most)


@dataclass
class Row:
    """What was killed when, and what happened."""

    round: int
    victim: str
    moment: str
    after_s: float
    outcome: str
    kept: str = ""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = "; ".join(self.problems) or "as it should be"
        when = f"{self.after_s:6.2f} s  {self.moment:28s}"
        return f"{self.round:5d}  {self.victim:8s}  {when}  {self.outcome:22s}  {self.kept:26s}  {said}"


HEADER = (
    f"{'round':>5s}  {'killed':8s}  {'after':>8s}  {'moment':28s}  {'outcome':22s}  {'whole pieces kept':26s}  verdict"
)


class Stress:
    """Rounds of kills; see the module's docstring."""

    def __init__(self, root: Path, seed: int, pieces: int = 7) -> None:
        recipe, midi = write_material(root / "material", pieces)
        self.root, self.rng = root, np.random.default_rng(seed)
        self.command = [*program(), "build", str(recipe), str(midi), "--workers", str(WORKERS), "--json"]
        self.reference = build_reference(self.command, root / "reference")
        self.kills = 0
        self._victims: list[str] = []
        self._moments: list[str] = []

    def run(self, count: int, seconds: float = float("inf")) -> Iterator[Row]:
        """Rounds until so many kills hit something, or the time is over."""
        began, number = time.monotonic(), 0
        while self.kills < count and time.monotonic() - began < seconds:
            number += 1
            yield from self.round(number, min(int(self.rng.integers(1, 5)), count - self.kills))

    def round(self, number: int, kills: int) -> Iterator[Row]:
        """Kill builds of one store so many times, then let it be completed."""
        folder = self.root / f"round-{number}"
        folder.mkdir()
        target = folder / "s.zarr"
        before: Files = {}
        alive: list[Running] = []  # their workers may have survived them: the next build begins at once nonetheless
        try:
            while kills and not target.exists():
                running = Running([*self.command, "-o", target], self.root / f"round-{number}-{len(alive)}.log")
                alive.append(running)
                row, hit = self._killed(running, number, folder, target)
                kills -= hit
                self.kills += hit
                after = shard_files(folder)
                self._judge(row, before, after, target)
                before = after
                yield row
            if alive[-1].process.returncode:
                running = Running([*self.command, "-o", target], self.root / f"round-{number}-last.log")
                alive.append(running)
                code = running.wait()
                row = Row(number, "-", "left in peace", running.age_s(), f"exit code {code}")
                if code:
                    row.problems.append(f"completing fails: {running.text.strip()[-1500:]}")
                self._judge(row, before, shard_files(folder), target)
            else:
                row = Row(number, "-", "done before", 0.0, "")
            self._judge_end(row, alive, folder, target)
            yield row
        finally:
            for running in alive:
                running.end()

    def _draw(self, left: list[str], choices: Sequence[str]) -> str:
        """Each choice as often as it stands there, in random order, again and again."""
        if not left:
            left += [choices[i] for i in self.rng.permutation(len(choices))]
        return left.pop()

    def _killed(self, running: Running, number: int, folder: Path, target: Path) -> tuple[Row, bool]:
        victim, kind = self._draw(self._victims, VICTIMS), self._draw(self._moments, MOMENTS)
        share = self.rng.random()
        if kind == "after a time":
            moment = f"after {100 * share:.0f} % of the time"
            due = self.reference.duration_s * share
            hit = wait_for(lambda: running.age_s() >= due, running)
        elif kind in ("shards", "files"):
            shards = sum(map(len, self.reference.pieces))
            if kind == "shards" and len(shard_files(folder)) >= shards:
                kind = "files"  # the tables are left
            most, count = (shards, _count_shards) if kind == "shards" else (self.reference.files, count_files)
            there = count(folder)
            wanted = there + 1 + int(share * max(most - there, 1))
            moment = f"at {wanted} of {most} {kind}"
            hit = wait_for(lambda: count(folder) >= wanted, running)
        else:
            moment = kind
            hit = wait_for(target.exists, running)
        if victim == "worker":  # there is none at the very beginning
            hit = hit and wait_for(running.workers, running)
        after_s = running.age_s()
        hit = running.strike(victim, self.rng) and hit
        code = running.wait()
        row = Row(number, victim, moment, after_s, f"exit code {code}")
        if not hit:
            row.outcome += ", too late"
        allowed = {
            "driver": (-signal.SIGKILL,),
            "machine": (-signal.SIGKILL,),
            "SIGTERM": (-signal.SIGTERM, 128 + signal.SIGTERM),
            "Ctrl-C": (130, 1, -signal.SIGINT),  # Python's own where it comes before the first line of ours
            "worker": (0,),
        }[victim]
        if code not in (*allowed, 0):  # a build that had all but ended when the signal came is well, too
            row.problems.append(f"exit code {code}, expected {allowed}: {running.text.strip()[-1500:]}")
        return row, hit

    def _judge(self, row: Row, before: Files, after: Files, target: Path) -> None:
        whole, rewritten = self.reference.rewritten(before, after)
        row.kept = f"{whole - rewritten} of {whole}"
        if rewritten > WORKERS:
            row.problems.append(f"{rewritten} of {whole} pieces that were whole were written again")
        try:
            open_store(target)
        except (FileNotFoundError, ValueError):
            return
        if content(target) != self.reference.content:
            row.problems.append("there is a store at the target, with other bytes")

    def _judge_end(self, row: Row, alive: list[Running], folder: Path, target: Path) -> None:
        left = [name for running in alive for name in running.left_over()]
        if left:
            row.problems.append(f"processes left over: {', '.join(left)}")
        if (names := sorted(path.name for path in folder.iterdir())) != [target.name]:
            row.problems.append(f"beside the store lies {names}")
        found = content(target) if target.is_dir() else {}
        other = sorted(
            name
            for name in found.keys() | self.reference.content.keys()
            if found.get(name) != self.reference.content.get(name)
        )
        if other:
            row.problems.append(f"{len(other)} files differ from the store built in peace: {other[:3]}")


@contextmanager
def printed(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows, printed as they come."""
    kept: list[Row] = []
    print(HEADER)
    for row in rows:
        print(row, flush=True)
        kept.append(row)
    yield kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30, help="kills [default: 30]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no round after so long")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        stress = Stress(Path(root), arguments.seed)
        print(
            f"in peace: {stress.reference.duration_s:.1f} s, at most {stress.reference.files} files, "
            f"{len(stress.reference.pieces)} pieces in {sum(map(len, stress.reference.pieces))} shards"
        )
        with printed(stress.run(arguments.count, arguments.seconds)) as rows:
            bad = sum(bool(row.problems) for row in rows)
    print(f"{stress.kills} kills, {bad} with problems, {time.monotonic() - began:.0f} s")
    return 1 if bad or stress.kills < arguments.count else 0


if __name__ == "__main__":
    sys.exit(main())
