"""Mutated MIDI: real files, damaged in all the ways that files are, and in some that they are not.

As a program it makes many of them, builds a store from them, and counts what became of each:
``python tests/fuzzing.py --count 1000 [FOLDER...]``.
"""

import argparse
import collections
import io
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np

LONGEST_S = 20.0  # of the files that are mutated: damage does not need length


def shortened(path: Path, rng: np.random.Generator) -> bytes:
    """A stretch of a real file: all of its tracks from its first note on, up to 20 s."""
    midi = mido.MidiFile(path)
    short = mido.MidiFile(type=midi.type, ticks_per_beat=midi.ticks_per_beat)
    longest = int(LONGEST_S * 2 * midi.ticks_per_beat * rng.uniform(0.3, 1))
    first = min(
        (tick for track in midi.tracks for tick, message in _timed(track) if message.type == "note_on"), default=0
    )
    for track in midi.tracks:
        kept = mido.MidiTrack()
        last = first
        for tick, message in _timed(track):
            if message.type == "end_of_track" or tick > first + longest:
                continue
            tick = max(tick, first)
            kept.append(message.copy(time=tick - last))
            last = tick
        short.tracks.append(kept)
    return saved(short)


def _timed(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    tick, timed = 0, []
    for message in track:
        tick += message.time
        timed.append((tick, message))
    return timed


def saved(midi: mido.MidiFile) -> bytes:
    file = io.BytesIO()
    midi.save(file=file)
    return file.getvalue()


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for place in rng.integers(len(damaged), size=int(rng.integers(1, 30))):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    place, length = int(rng.integers(len(data))), int(rng.integers(1, 200))
    return data[:place] + rng.bytes(length) + data[place + length :]


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def remove(data: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(data)))
    return data[:place] + data[place + int(rng.integers(1, 500)) :]


def repeat(data: bytes, rng: np.random.Generator) -> bytes:
    place, length = int(rng.integers(len(data))), int(rng.integers(1, 2000))
    return data[: place + length] + data[place:]


def append(data: bytes, rng: np.random.Generator) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 5000)))


def header(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    damaged[int(rng.integers(4, 22))] = int(rng.choice([0, 1, 2, 3, 127, 128, 255]))
    return bytes(damaged)


def events(data: bytes, rng: np.random.Generator) -> bytes:
    """A well-formed file of strange content."""
    midi = mido.MidiFile(file=io.BytesIO(data))
    track = midi.tracks[int(rng.integers(len(midi.tracks)))]
    for _ in range(int(rng.integers(1, 20))):
        if not len(track):
            break
        place = int(rng.integers(len(track)))
        message = track[place]
        kind = int(rng.integers(10))
        if kind == 0:
            track.pop(place)
        elif kind == 1:
            track[place] = message.copy(time=int(rng.choice([0, 1, 10**5, 10**7, 2**28 - 1])))
        elif kind == 2:
            track.insert(place, mido.MetaMessage("set_tempo", tempo=int(rng.choice([0, 1, 1000, 10**6, 2**24 - 1]))))
        elif kind == 3:
            track.insert(place, mido.Message("note_on", note=int(rng.integers(128)), velocity=int(rng.integers(128))))
        elif kind == 4:
            track.insert(place, mido.Message("control_change", control=64, value=int(rng.integers(128))))
        elif kind == 5 and message.type in ("note_on", "note_off"):
            track[place] = message.copy(channel=9)
        elif kind == 6 and message.type in ("note_on", "note_off"):
            track[place] = message.copy(note=int(rng.integers(128)))
        elif kind == 7:
            track.insert(place, mido.Message("sysex", data=tuple(rng.integers(0, 128, 20).tolist())))
        elif kind == 8:
            track.insert(
                place, mido.MetaMessage("text", text="\x00\ufffd".encode("latin-1", "replace").decode("latin-1"))
            )
        elif kind == 9:
            track.insert(place, mido.MetaMessage("time_signature", numerator=1, denominator=1))
    if rng.random() < 0.2:
        midi.ticks_per_beat = int(rng.choice([1, 2, 24, 32767]))
    return saved(midi)


MUTATIONS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    mutation.__name__: mutation for mutation in (flip_bits, overwrite, truncate, remove, repeat, append, header, events)
}


def mutate(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """One to three mutations of a file, with their names."""
    names = [list(MUTATIONS)[i] for i in rng.integers(len(MUTATIONS), size=int(rng.integers(1, 4)))]
    for name in names:
        if name == "events":
            try:
                data = events(data, rng)
            except Exception:  # what is damaged already cannot be read for this one
                data = flip_bits(data, rng) if data else data
        elif len(data) > 30:
            data = MUTATIONS[name](data, rng)
    return "+".join(names), data


def write_fuzz_set(sources: list[Path], folder: Path, count: int, seed: int) -> None:
    """Write `count` mutated files, named by number and mutation."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    short: dict[Path, bytes] = {}
    for number in range(count):
        source = sources[int(rng.integers(len(sources)))]
        data = short.setdefault(source, shortened(source, rng))
        names, damaged = mutate(data, rng)
        (folder / f"{number:05d}-{names}.mid").write_bytes(damaged)


def kind_of(reason: str) -> str:
    """A reason without its figures, for counting."""
    return re.sub(r"'[^']*'|b'.*'|\d[\d.,e+-]*", "…", reason)[:90]


def main() -> int:
    from dataclasses import replace

    from sfdata.build import build
    from sfdata.recipe import read_recipe
    from sfdata.shipped_files import shipped_file
    from sfdata.validate import validate

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="real MIDI to mutate [default: what ships with sfdata]")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="pipelines/human.toml")
    arguments = parser.parse_args()
    folders = arguments.folders or [shipped_file("giantmidi")]
    sources = sorted(file for folder in folders for file in folder.rglob("*.mid"))
    recipe = read_recipe(arguments.recipe)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        folder, store = Path(root) / "fuzz", Path(root) / "s.zarr"
        write_fuzz_set(sources, folder, arguments.count, arguments.seed)
        result = build(replace(recipe, augment=replace(recipe.augment, copies=1)), store, [folder])
        problems = validate(store)
    print(
        f"{arguments.count} mutations of {len(sources)} files: {result.pieces} built ({result.pairs} pairs), "
        f"{len(result.skipped)} refused, {time.monotonic() - began:.0f} s"
    )
    for kind, number in collections.Counter(kind_of(entry.reason) for entry in result.skipped).most_common():
        print(f"{number:6d}  {kind}")
    unexpected = [entry for entry in result.skipped if re.match(r"[A-Z]\w*(Error|Exception|Interrupt): ", entry.reason)]
    for entry in unexpected:
        print("unexpected:", entry.source, entry.reason)
    for problem in problems:
        print("problem:", problem.check, problem.detail)
    complete = result.pieces + len(result.skipped) == arguments.count
    return 0 if complete and not unexpected and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
