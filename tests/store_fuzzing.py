"""Changed stores: a zipped store with bytes flipped, cut, or repeated, or with metadata rewritten to lie.

As a program it makes many and counts what became of them: ``python tests/store_fuzzing.py --count 2000``.
"""

import argparse
import collections
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sfdata import PairReader, open_store
from sfdata.schema import TABLES

SAMPLE = Path(__file__).parent / "data" / "format-1.zarr.zip"
LIES = (-1, 0, 1, 3, 2**31, 2**40, 2**62, 1e308, -1e308, None, "", "../../x", [], {}, [[]], True, "pickle", "float64")


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(len(changed), size=int(rng.integers(1, 40))):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def at_the_end(data: bytes, rng: np.random.Generator) -> bytes:
    """The zip's directory lies at its end."""
    return data[:-3000] + flipped(data[-3000:], rng)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def repeated(data: bytes, rng: np.random.Generator) -> bytes:
    begin, end = np.sort(rng.integers(len(data), size=2))
    return data[:end] + data[begin:]


def lie(value: Any, rng: np.random.Generator) -> Any:
    """JSON with one of its values, at any depth, replaced, or gone."""
    if isinstance(value, dict) and value:
        key = list(value)[int(rng.integers(len(value)))]
        if rng.random() < 0.1:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: lie(value[key], rng)}
    if isinstance(value, list) and value:
        at = int(rng.integers(len(value)))
        return [*value[:at], lie(value[at], rng), *value[at + 1 :]]
    return LIES[int(rng.integers(len(LIES)))]


def lying(source: Path, target: Path, rng: np.random.Generator) -> None:
    """A proper zip whose metadata lie."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        parts = [entry for entry in old.infolist() if entry.filename.endswith("zarr.json")]
        chosen = parts[int(rng.integers(len(parts)))].filename
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == chosen:
                content = json.dumps(lie(json.loads(content), rng)).encode()
            new.writestr(entry, content)


def changed_stores(source: Path, folder: Path, count: int, rng: np.random.Generator) -> Iterator[tuple[str, Path]]:
    """Kind and path of changed copies of a zipped store; each is gone when the next is asked for."""
    data, target = source.read_bytes(), folder / "changed.zarr.zip"
    for _ in range(count):
        kind = (flipped, at_the_end, cut, repeated, lying, lying)[int(rng.integers(6))]
        if kind is lying:
            lying(source, target, rng)
        else:
            target.write_bytes(kind(data, rng))
        yield kind.__name__, target


def content(path: Path) -> tuple[bytes, ...]:
    """All that a reader gets of a store."""
    store = open_store(path)
    batch = PairReader(store, "all").batch(slice(None))
    columns = [store.table(name)[column].tolist() for name in TABLES for column in TABLES[name]]
    return batch.reference.tobytes(), batch.snippet.tobytes(), repr(columns).encode()


def outcome(path: Path, whole: tuple[bytes, ...]) -> str:
    """What became of a changed store: refused, the same, other windows; anything else is raised."""
    try:
        found = content(path)
    except ValueError:
        return "refused"
    return "the same" if found == whole else "the same tables" if found[2] == whole[2] else "other tables"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    became: collections.Counter[tuple[str, str]] = collections.Counter()
    whole = content(SAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in changed_stores(SAMPLE, Path(folder), options.count, np.random.default_rng(options.seed)):
            try:
                told = outcome(path, whole)
            except Exception as error:
                told = f"raised {type(error).__name__}: {str(error)[:200]}"
            became[kind, told] += 1
    for (kind, told), number in sorted(became.items()):
        print(f"{number:6} {kind}: {told}")
    return int(any(told.startswith("raised") or told == "other tables" for _, told in became))


if __name__ == "__main__":
    sys.exit(main())
