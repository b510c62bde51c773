"""Two workers against one, in wall-clock time: processes, threads, and the whole command. Needs an idle machine.

Synthesis and spectrogram of the same renditions are spread over one and two threads, and over one and two processes
that are started beforehand. Then whole builds by ``sfdata build`` with one worker and with two: of all shipped pieces,
and of two short ones, by which the time that starting takes is told apart.

Run: python benchmarks/scaling.py [--repetitions 2] [--recipe pipelines/demo.toml] [--json FILE]
"""

import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from timing import RATE, arguments, command, measure, pieces, save, show

from sfdata.midi import read_piece
from sfdata.render import RenderSettings, render
from sfdata.shipped_files import shipped_file
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import SpectrogramSettings, spectrogram
from sfdata.voices import extract_voices
from sfdata.workers import default_workers

PROGRAMS = (0, 1, 2, 4)


def chain(path: Path, program: int) -> int:
    """Synthesis and spectrogram of a piece's top voice; the number of frames."""
    # A synth host is no thing for two threads at once. A gain of its own gives each program a host of its own, and a
    # program is always played by the same thread.
    gain = 1.5 + 1e-6 * program
    voice = extract_voices(read_piece(path).notes)[0]
    sound = render(voice, resolve_instrument(f"timgm6mb:{program}"), RATE, RenderSettings(gain=gain))
    return len(spectrogram(sound, SpectrogramSettings()))


def some(files: list[Path], programs: tuple[int, ...]) -> list[int]:
    return [chain(path, program) for program in programs for path in files]


def spread(pool: Executor, files: list[Path], parts: int) -> list[list[int]]:
    """The same work in one or two parts of equal length."""
    step = len(PROGRAMS) // parts
    return list(
        pool.map(some, [files] * parts, [PROGRAMS[first : first + step] for first in range(0, len(PROGRAMS), step)])
    )


def whole_build(recipe: str, files: list[Path], workers: int, folder: str) -> Callable[[], object]:
    line = command("sfdata", "build", recipe, *files, "-o", f"{folder}/store.zarr", "--overwrite", "--workers", workers)
    return lambda: subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = arguments(__doc__, 2)
    parser.add_argument("--recipe", default=str(shipped_file("pipelines/demo.toml")))
    options, files = parser.parse_args(), pieces("Bach*", "Scarlatti*")
    if default_workers() < 2:
        print("(this machine has one core: two workers cannot be faster here)")
    with ProcessPoolExecutor(2, get_context("spawn")) as processes, ThreadPoolExecutor(2) as threads:
        seconds = measure(
            {
                "one process": lambda: spread(processes, files, 1),
                "two processes": lambda: spread(processes, files, 2),
                "one thread": lambda: spread(threads, files, 1),
                "two threads": lambda: spread(threads, files, 2),
            },
            options.repetitions,
            time.perf_counter,
        )
    chains = {kind: seconds[f"one {kind[:-2] if kind == 'processes' else kind[:-1]}"] / seconds[f"two {kind}"]
              for kind in ("processes", "threads")}  # fmt: skip
    show("synthesis and spectrogram: two over one, speed in wall-clock time", chains)
    with tempfile.TemporaryDirectory() as folder:
        sets = {"all": pieces(), "two short": pieces("Bach*")}
        walls = measure(
            {
                f"{name} {workers}": whole_build(options.recipe, chosen, workers, folder)
                for name, chosen in sets.items()
                for workers in (1, 2)
            },
            options.repetitions,
            time.perf_counter,
            warm_up=False,
        )
    whole = {
        "the whole command, all shipped pieces": walls["all 1"] / walls["all 2"],
        "without its start: all pieces less two of them": (walls["all 1"] - walls["two short 1"])
        / (walls["all 2"] - walls["two short 2"]),
    }
    show("sfdata build: two workers over one, speed in wall-clock time", whole)
    # Two tiny pieces take little: what two workers take longer for them is their start.
    show("seconds of wall-clock time, as of this machine: pieces, workers", walls)
    save(options, {"chain": chains, "build": whole, "wall_s": walls})


if __name__ == "__main__":
    main()
