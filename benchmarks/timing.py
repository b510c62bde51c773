"""What the benchmarks share: measuring side by side, real music to measure on, and how results are printed and kept.

Contenders take turns on the same material, so that a busy machine is equally busy for all; after a warm-up, medians of
their repetitions are compared. Time is CPU time, of the process and of those that it started, unless a script says
otherwise.
"""

import argparse
import ctypes.util
import importlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from sfdata.fluidsynth import find_library
from sfdata.shipped_files import shipped_file

RATE = 22050
SHORT = ("Bach*", "Haydn*", "Scarlatti*")  # six of the shipped pieces, a fifth of their sound


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(
    contenders: Mapping[str, Callable[[], object]],
    repetitions: int,
    clock: Callable[[], float] = cpu_s,
    warm_up: bool = True,
) -> dict[str, float]:
    """Median seconds of each contender, interleaved, after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(0 if warm_up else 1, repetitions + 1):
        for name, work in contenders.items():
            began = clock()
            work()
            if repetition:
                times[name].append(clock() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def ratios(seconds: Mapping[str, float], bound: float | None = None) -> dict[str, float]:
    """Each time over the bound: the first one, unless it is given."""
    bound = next(iter(seconds.values())) if bound is None else bound
    return {name: round(value / bound, 4) for name, value in seconds.items()}


def show(title: str, values: Mapping[str, float], form: str = ".2f") -> None:
    """Print named figures below a title."""
    print(f"\n{title}")
    for name, value in values.items():
        print(f"  {name:66} {format(value, form):>9}", flush=True)


def arguments(doc: str | None, repetitions: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=repetitions, help="after one warm-up (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def save(options: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Write the figures where ``--json`` says, with the command that gave them."""
    if options.json:
        command = " ".join(["python", os.path.relpath(sys.argv[0]), *sys.argv[1:]])
        options.json.write_text(json.dumps({"command": command, **figures}, indent=2) + "\n")


def pieces(*patterns: str) -> list[Path]:
    """Shipped MIDI files whose names match one of some patterns; all without."""
    folder = shipped_file("giantmidi")
    return sorted({path for pattern in patterns or ("*",) for path in folder.glob(f"{pattern}.mid")})


def optional(name: str) -> Any:
    """A module by name, or None, with a note printed, where it is not installed.

    pyfluidsynth looks for the library when it is imported: it is shown the one that sfdata uses.
    """
    try:
        library, found = find_library(), ctypes.util.find_library
        with mock.patch("ctypes.util.find_library", lambda asked: library if "fluidsynth" in asked else found(asked)):
            return importlib.import_module(name)
    except ImportError as error:
        print(f"(left out: {name}, which is not installed: {error})")
        return None


def command(name: str, *words: object) -> list[str]:
    """A command line of ``sfdata`` or ``sfmodel``, as run by this Python."""
    return [sys.executable, "-c", f"from {name}.cli import main; main()", *(str(word) for word in words)]
