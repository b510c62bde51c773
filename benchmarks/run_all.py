"""All benchmarks, one after another, and the page docs/benchmarks.md of what they give.

Run: python benchmarks/run_all.py [--output docs/benchmarks.md] [--only NAME …] [--results build/benchmarks.json]

Needs an idle machine; takes twenty minutes on two cores. A benchmark that fails is named on the page, and the
exit code is 1.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from page import page

from sfdata.build import build
from sfdata.fluidsynth import library_version
from sfdata.recipe import read_recipe
from sfdata.shipped_files import shipped_file

HERE = Path(__file__).resolve().parent
MEASURED = ("synthesis", "spectrogram", "midi", "build", "scaling", "student", "storage")
PRINTED = ("loader", "memory", "planning")  # shown as they print
STORE = "STORE"  # stands for a store built by the demo's recipe
WORDS = {"loader": [STORE], "storage": ["--store", STORE]}


def machine() -> dict[str, str]:
    """Facts of the machine and of what it runs."""
    names = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    versions = {name: version(name) for name in ("numpy", "scipy", "zarr", "symusic")}
    return {
        "processor": f"{names[0] if names else platform.processor()} ({platform.machine()}), {os.cpu_count()} cores",
        "memory": f"{memory[0]:.0f} GiB" if memory else "unknown",
        "Python": platform.python_version(),
        "FluidSynth": library_version(),
        **versions,
        "commit": _commit(),
        "on": datetime.date.today().isoformat(),
    }


def _commit() -> str:
    described = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(described, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).is_file() else []


def run(name: str, folder: Path) -> dict[str, Any]:
    """One benchmark: its command, what it printed, its figures."""
    figures, store, words = folder / f"{name}.json", folder / "store.zarr", WORDS.get(name, [])
    if words and not store.exists():
        build(read_recipe(shipped_file("pipelines/demo.toml")), store)
    line = [sys.executable, str(HERE / f"{name}.py"), *(str(store) if word == STORE else word for word in words)]
    line += ["--json", str(figures)] if name in MEASURED else []
    print(f"\n== {name}", flush=True)
    began, text = time.monotonic(), []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=HERE.parent, env=environment) as process:
        for printed in process.stdout or ():
            print(printed, end="", flush=True)
            text.append(printed)
    seconds = time.monotonic() - began
    print(f"({seconds:.0f} s)", flush=True)
    return {
        "command": " ".join(["python", f"benchmarks/{name}.py", *words]),
        "failed": process.returncode != 0,
        "text": "".join(text).strip("\n"),
        "figures": json.loads(figures.read_text()) if figures.is_file() else {},
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "benchmarks.md")
    parser.add_argument("--only", nargs="+", choices=[*MEASURED, *PRINTED], help="run these; of others, take the last")
    parser.add_argument("--results", type=Path, default=HERE.parent / "build" / "benchmarks.json", help="kept there")
    options = parser.parse_args()
    names = [n for n in options.only or [*MEASURED, *PRINTED] if (HERE / f"{n}.py").is_file()]
    with tempfile.TemporaryDirectory() as folder:
        ran = {name: run(name, Path(folder)) for name in names}
    kept = json.loads(options.results.read_text()) if options.only and options.results.is_file() else {}
    results = {name: found for name in [*MEASURED, *PRINTED] if (found := ran.get(name) or kept.get(name))}
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps(results))
    options.output.write_text(page(machine(), results))
    failed = [name for name, result in results.items() if result["failed"]]
    print(f"\n{options.output} written in {sum(r['seconds'] for r in ran.values()) / 60:.1f} minutes")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
