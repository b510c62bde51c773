"""How frames are stored: codecs, chunks, shards and number formats; and what coarser numbers cost in hits.

Spectrograms of real pieces (those that the demo's recipe tests on), computed as float32, are written shard by shard,
read back in whole shards, and in chunks at random, all on the local disk with its cache warm: so this measures codecs
and Zarr, not the disk. Sizes are bytes for
an hour of spectrogram. Speeds are megabytes a second of CPU time (with any threads of the codec), counted as float16.

Then a network is trained for some minutes, and methods see the frames of test pairs, rendered as float32, as each
number format would give them back: uint8 with one scale for the store, or one for each bin.

Run: python benchmarks/storage.py [--repetitions 2] [--epochs 8] [--pairs 600] [--json FILE]
"""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from timing import arguments, command, measure, pieces, save
from zarr.codecs import BloscCodec, ZstdCodec

from sfdata.build import build
from sfdata.layout import StoreSettings
from sfdata.recipe import read_recipe
from sfdata.shipped_files import shipped_file
from sfdata.splits import SplitSettings
from sfdata.store import Store, open_store

Array = NDArray[Any]
LARGEST = 32768  # frames in the largest shard tried; what is written is a multiple of it


def blosc(name: str, level: int, shuffle: str) -> BloscCodec:
    return BloscCodec(cname=name, clevel=level, shuffle=shuffle)


BASE: dict[str, Any] = {"codec": blosc("zstd", 3, "bitshuffle"), "chunk": 512, "shard": 8192, "dtype": "float16"}
CHOICES: dict[str, dict[str, Any]] = {
    "as it is: float16, lz4 5, bitshuffle, chunks 2048, shards 8192": {
        "codec": blosc("lz4", 5, "bitshuffle"),
        "chunk": 2048,
    },
    "for comparison, from here on: zstd 3, bitshuffle, chunks 512": {},
    "no codec": {"codec": None},
    "zstd 1, bitshuffle": {"codec": blosc("zstd", 1, "bitshuffle")},
    "zstd 5, bitshuffle": {"codec": blosc("zstd", 5, "bitshuffle")},
    "zstd 9, bitshuffle": {"codec": blosc("zstd", 9, "bitshuffle")},
    "zstd 3, byte shuffle": {"codec": blosc("zstd", 3, "shuffle")},
    "zstd 3, no shuffle": {"codec": blosc("zstd", 3, "noshuffle")},
    "zstd 3 without Blosc": {"codec": ZstdCodec(level=3)},
    "lz4 5, bitshuffle": {"codec": blosc("lz4", 5, "bitshuffle")},
    "lz4 5, byte shuffle": {"codec": blosc("lz4", 5, "shuffle")},
    "chunks 128": {"chunk": 128},
    "chunks 256": {"chunk": 256},
    "chunks 1024": {"chunk": 1024},
    "chunks 2048": {"chunk": 2048},
    "shards 2048": {"shard": 2048},
    "shards 32768": {"shard": 32768},
    "float32": {"dtype": "float32"},
    "uint8, one scale": {"dtype": "uint8"},
    "uint8, one scale, no shuffle": {"dtype": "uint8", "codec": blosc("zstd", 3, "noshuffle")},
    "uint8, a scale for each bin": {"dtype": "uint8 by bin"},
}


def quantised(scale: Array) -> Callable[[Array], Array]:
    """Numbers from 0 to `scale` as uint8."""
    return lambda values: np.rint(np.clip(values / scale, 0, 1) * np.float32(255)).astype(np.uint8)


def formats(frames: Array) -> dict[str, Callable[[Array], Array]]:
    """How each number format stores values, with scales that fit some frames."""
    return {
        "float32": lambda values: values.astype(np.float32),
        "float16": lambda values: values.astype(np.float16),
        "uint8": quantised(frames.max().astype(np.float32)),
        "uint8 by bin": quantised(np.maximum(frames.max(axis=0).astype(np.float32), 1e-6)),
    }


def stored_frames(store: Store) -> Array:
    """The spectrograms without the gaps between pieces, a whole number of the largest shards, as float32."""
    rows = range(len(store.renditions["frame_count"]))
    frames = np.concatenate([store.rendition_frames(row) for row in rows]).astype(np.float32)
    return frames[: min(4, len(frames) // LARGEST) * LARGEST]


def try_choice(choice: dict[str, Any], frames: Array, rate_hz: float, repetitions: int) -> dict[str, float]:
    """Size and speeds of one choice."""
    how = BASE | choice
    values, chunk, shard = formats(frames)[how["dtype"]](frames), how["chunk"], how["shard"]
    starts = np.random.default_rng(0).integers(len(values) // chunk, size=100) * chunk
    with tempfile.TemporaryDirectory() as folder:

        def write() -> zarr.Array:
            array = zarr.create_array(
                folder,
                shape=values.shape,
                chunks=(chunk, values.shape[1]),
                shards=(shard, values.shape[1]),
                dtype=values.dtype,
                compressors=how["codec"],
                overwrite=True,
            )
            for first in range(0, len(values), shard):
                array[first : first + shard] = values[first : first + shard]
            return array

        array = write()
        seconds = measure(
            {
                "write": write,
                "shards": lambda: [array[first : first + shard] for first in range(0, len(values), shard)],
                "chunks": lambda: [array[first : first + chunk] for first in starts],
            },
            repetitions,
        )
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    whole, picked = (rows * values.shape[1] * 2e-6 for rows in (len(values), len(starts) * chunk))
    megabytes = {"write": whole, "shards": whole, "chunks": picked}
    return {"MB an hour": size / 1e6 / (len(values) / rate_hz / 3600)} | {
        f"{name}, MB/s": megabytes[name] / seconds[name] for name in megabytes
    }


def compare_choices(store: Store, repetitions: int) -> dict[str, dict[str, float]]:
    """Print and give the table of choices."""
    frames, table = stored_frames(store), {}
    print(f"\n{'':66}" + "".join(f"{name:>14}" for name in ("MB an hour", "write MB/s", "shards MB/s", "chunks MB/s")))
    for name, choice in CHOICES.items():
        table[name] = try_choice(choice, frames, store.spectrogram.frame_rate_hz, repetitions)
        print(f"  {name:64}" + "".join(f"{value:14.1f}" for value in table[name].values()), flush=True)
    return table


def test_files(store: Store) -> list[Path]:
    """MIDI files of the pieces that a network trained on a store has not seen."""
    names = {str(store.pieces["file"][piece]) for piece in np.unique(store.pair_pieces(store.pair_rows("test")))}
    return [path for path in pieces() if path.name in names]


def hits(method: Any, store: Store, pairs: int) -> dict[str, dict[str, float]]:
    """Hit rates of one method by number format, and how often it differs from float32."""
    from sfmodel.evaluation import Method, evaluate

    found: dict[str, dict[str, float]] = {}
    exact: Array | None = None
    for name, coarse in formats(np.asarray(store.frames)).items():
        largest = np.asarray(store.frames).max(axis=0 if name == "uint8 by bin" else None) / np.float32(255)

        def seen(values: Array, coarse: Any = coarse, largest: Any = largest, name: str = name) -> Array:
            stored = coarse(values)
            return stored * largest if name.startswith("uint8") else stored.astype(np.float32)

        altered = Method(
            f"{method.name} on {name}",
            method.kind,
            method.description,
            lambda reference, snippet, seen=seen: method.scores(seen(reference), seen(snippet)),
            method.spectrogram,
            method.windows,
        )
        result = evaluate(altered, store, "all", max_pairs=pairs)
        exact = result.predicted_frame if exact is None else exact
        found[name] = {key: float(result.metrics[key]) for key in ("bucket1", "within_100ms")}
        found[name]["changed"] = float((result.predicted_frame != exact).mean())
    return found


def exact_store(name: str, trained_on: Store, folder: Path) -> Store:
    """The test pieces by a recipe, as float32: its spectrogram set as for the network, so that it fits both recipes."""
    recipe = replace(
        read_recipe(shipped_file(f"pipelines/{name}.toml")),
        store=StoreSettings(dtype="float32"),
        spectrogram=trained_on.spectrogram,
        splits=SplitSettings(train=0, validation=0, test=1),
    )
    build(recipe, folder / f"{name}.zarr", test_files(trained_on), workers=2)
    return open_store(folder / f"{name}.zarr")


def compare_formats(trained_on: Store, tested_on: list[Store], folder: Path, epochs: int, pairs: int) -> dict[str, Any]:
    """Train, evaluate and print the table of number formats."""
    from sfmodel.evaluation import open_method

    # The settings with which `make demo` learns most in few minutes.
    settings = ["--batch-size", "128", "--learning-rate", "0.005", "--schedule", "cosine", "--no-dropout"]
    line = command("sfmodel", "train", trained_on.path, "-o", folder / "run", "--epochs", epochs, *settings)
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    methods = {"matched-filter": "matched-filter", "matched-filter-5": "matched-filter-5", "reduced": f"{folder}/run"}
    table: dict[str, Any] = {}
    for store in tested_on:
        for label, method in methods.items():
            table[f"{store.path.stem}, {label}"] = hits(open_method(method, device="cpu"), store, pairs)
    print(f"\n{'test pairs, method':40}{'format':>16}{'bucket 1':>16}{'<= 100 ms':>16}{'changed':>16}")
    for label, by_format in table.items():
        for kind, values in by_format.items():
            print(f"{label:40}{kind:>16}" + "".join(f"{value:16.2%}" for value in values.values()))
    return table


def main() -> None:
    parser = arguments(__doc__, 2)
    parser.add_argument("--epochs", type=int, default=8, help="of training; 0: only codecs (%(default)s)")
    parser.add_argument("--pairs", type=int, default=600, help="at most, of each test set (%(default)s)")
    parser.add_argument("--store", type=Path, help="built by the demo's recipe; without, one is built")
    options, figures = parser.parse_args(), {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        if not options.store:
            build(read_recipe(shipped_file("pipelines/demo.toml")), path / "store.zarr", workers=2)
        store = open_store(options.store or path / "store.zarr")
        exact = exact_store("demo", store, path)
        figures["choices"] = compare_choices(exact, options.repetitions)
        if options.epochs:
            tested_on = [exact, exact_store("human", store, path)]
            figures["formats"] = compare_formats(store, tested_on, path, options.epochs, options.pairs)
    save(options, figures)


if __name__ == "__main__":
    main()
