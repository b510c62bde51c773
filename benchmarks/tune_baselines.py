"""Settings that make the classic methods strong, searched on training pairs.

Coordinate by coordinate: each setting in turn takes every value of its grid, the best one stays, twice over. What
counts is the mean of two shares: exact frames, and errors of up to 100 ms. The defaults of sfmodel.baselines come from
here; nothing is ever tuned on recordings.

Run: python benchmarks/tune_baselines.py STORE [--split train] [--pairs 1500] [--seed 0]

Prints, in Markdown, the course of each search.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from sfdata.reader import PairReader
from sfdata.store import open_store
from sfmodel.baselines import FIVE_SCALES, Baseline
from sfmodel.features import FeatureSettings
from sfmodel.metrics import evaluate_predictions
from sfmodel.paths import HiddenMarkov, SubsequenceDtw

FEATURES: dict[str, tuple[Any, ...]] = {
    "flux": (0.0, 0.5, 1.0, 2.0, 4.0),
    "chroma": (0.0, 0.5, 1.0),
    "chroma_flux": (0.0, 0.5, 1.0),
    "power": (0.5, 0.7, 1.0, 1.5, 2.0),
    "smooth": (False, True),
}
TEMPI = {
    "six": (0.6, 0.75, 0.9, 1.1, 1.35, 1.65),
    "four": (0.65, 0.85, 1.15, 1.5),
    "eleven": (0.55, 0.62, 0.7, 0.78, 0.88, 1.0, 1.13, 1.28, 1.45, 1.64, 1.86),
    "one": (1.0,),
}


def with_penalty(place: int) -> Callable[[SubsequenceDtw, float], SubsequenceDtw]:
    """Change one of the penalties."""
    return lambda method, value: replace(method, penalty=(*method.penalty[:place], value, *method.penalty[place + 1 :]))


def search(method: Any, grids: dict[str, tuple[tuple[Any, ...], Callable[[Any, Any], Any]]], reader: PairReader, index):
    """Go through all grids twice and print what is better."""

    def value_of(candidate: Any) -> tuple[float, str]:
        predicted = np.concatenate(
            [
                candidate.scores(batch.reference, batch.snippet).argmax(axis=1)
                for batch in (reader.batch(index[first : first + 64]) for first in range(0, len(index), 64))
            ]
        )
        found = evaluate_predictions(
            predicted, reader.target_frame[index], reader.frame_rate_hz, reader.piece[index], draws=1
        )
        keys = ("bucket1", "within_50ms", "within_100ms", "within_250ms", "beyond_500ms")
        told = " / ".join(f"{100 * found[key]:.1f}" for key in keys)
        return (found["bucket1"] + found["within_100ms"]) / 2, told

    best, told = value_of(method)
    print(f"| as it begins | | {told} |", flush=True)
    for _ in range(2):
        before = method
        for name, (grid, change) in grids.items():
            for value in grid:
                candidate = change(method, value)
                if candidate == method:
                    continue
                found, told = value_of(candidate)
                if found > best + 1e-4:
                    best, method = found, candidate
                    print(f"| {name} | {value} | {told} |", flush=True)
        if method == before:
            break
    print(f"\n`{method}`\n", flush=True)


def main() -> None:
    """Search for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--split", default="train")
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    reader = PairReader(open_store(arguments.store), arguments.split)
    index = np.sort(np.random.default_rng(arguments.seed).choice(len(reader), arguments.pairs, replace=False))

    def feature(name: str) -> Callable[[Any, Any], Any]:
        return lambda method, value: replace(method, features=replace(method.features, **{name: value}))

    def setting(name: str) -> Callable[[Any, Any], Any]:
        return lambda method, value: replace(method, **{name: value})

    of_frames = {name: (grid, feature(name)) for name, grid in FEATURES.items()}
    penalties = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
    searches: dict[str, tuple[Any, dict[str, Any]]] = {
        "matched filter, five time scales": (
            Baseline("tuned", "", FIVE_SCALES, False, FeatureSettings()),
            of_frames,
        ),
        "subsequence DTW": (
            SubsequenceDtw(),
            {
                **{f"penalty of {d} frames": (penalties, with_penalty(d)) for d in (0, 2)},
                "penalty of 3 frames": ((*penalties, 0.8), with_penalty(3)),
                **of_frames,
            },
        ),
        "hidden Markov model": (
            HiddenMarkov(),
            {
                "sharpness": ((4.0, 8.0, 12.0, 16.0, 24.0), setting("sharpness")),
                "spread": ((0.02, 0.05, 0.1, 0.2, 0.4), setting("spread")),
                "tempi": (tuple(TEMPI.values()), setting("tempi")),
                **of_frames,
            },
        ),
    }
    for name, (method, grids) in searches.items():
        print(f"**{name}**\n\n| setting | better value | frame / ≤ 50 / ≤ 100 / ≤ 250 / > 500 ms |\n|---|---|---|")
        search(method, grids, reader, index)


if __name__ == "__main__":
    main()
