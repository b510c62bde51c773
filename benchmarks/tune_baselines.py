"""Tuning of the classic methods: a coordinate search over their settings on training pairs of a store.

Starting from the settings in :data:`sfmodel.baselines.BASELINES`, one setting after the other, in random order, is set
to its neighbours in a list of values; what raises the objective, the mean of bucket 1 and of the hit rate within
100 ms, is kept. It ends when no setting's neighbours are better, or after so many trials. Pairs are drawn at random
from the split, with the references that the store pins. Never tune on what is reported.

Run: python benchmarks/tune_baselines.py STORE [--method hmm] [--split train] [--pairs 1500] [--trials 80] [--seed 0]
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.block_reader import BlockReader
from sfdata.reader import Batch
from sfdata.store import open_store
from sfmodel.baselines import BASELINES, FIVE_SCALES, NINE_SCALES, Baseline, FeatureFilter, PathFinder
from sfmodel.metrics import bucket_hits, error_ms
from sfmodel.tables import markdown_table

Tuned = FeatureFilter | PathFinder
BATCH_SIZE = 64
FEATURES = {
    "features.spectrum": (0.0, 0.25, 0.5, 1.0, 2.0),
    "features.flux": (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0),
    "features.chroma": (0.0, 0.25, 0.5, 1.0),
    "features.chroma_flux": (0.0, 0.25, 0.5, 1.0, 2.0),
    "features.power": (0.5, 0.75, 1.0, 1.4, 2.0, 2.8),
    "features.contrast": (0.0, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0),
    "features.contrast_bins": (3, 5, 7, 9, 11, 15),
    "features.lag_frames": (1, 2, 3, 4),
    "features.floor": (0.0, 0.03, 0.06, 0.1, 0.2, 0.3, 0.5, 1.0),
}
PATHS = {
    "features.absence": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7),
    "paths.kappa": (2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 16.0, 22.0, 32.0),
    "paths.spread": (0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.8, 1.2),
    "paths.outside": (-0.4, -0.2, 0.0, 0.1, 0.2, 0.3, 0.4),
    "paths.middle": (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0),
    "paths.focus_frames": (0.0, 60.0, 40.0, 25.0, 15.0, 10.0),
}
TEMPOS = {
    "paths.tempo_spread": (0.1, 0.15, 0.2, 0.3, 0.4, 0.6),
    "paths.tempos": (
        (1.0,),
        (0.7, 1.0, 1.41),
        (0.6, 0.72, 0.85, 1.0, 1.18, 1.4, 1.66),
        (0.5, 0.6, 0.72, 0.85, 1.0, 1.18, 1.4, 1.66, 2.0),
    ),
}


def choices(method: Tuned) -> dict[str, tuple[Any, ...]]:
    """Values of every setting that is searched."""
    if isinstance(method, FeatureFilter):
        return {**FEATURES, "time_scales": ((1.0,), FIVE_SCALES, NINE_SCALES)}
    if method.paths.combine == "max" and len(method.paths.tempos) == 1:  # plain DTW
        return {**FEATURES, **PATHS, "paths.tempos": ((0.8,), (0.9,), (1.0,), (1.1,), (1.2,))}
    return {**FEATURES, **PATHS, **TEMPOS}


def setting(method: Tuned, name: str) -> Any:
    """A setting by its dotted name."""
    value: Any = method
    for part in name.split("."):
        value = getattr(value, part)
    return value


def with_setting(method: Tuned, name: str, value: Any) -> Tuned:
    """The method with one setting changed."""
    group, _, key = name.rpartition(".")
    if not group:
        return replace(method, **{key: value})
    return replace(method, **{group: replace(getattr(method, group), **{key: value})})


@dataclass(frozen=True)
class Trial:
    """What was tried, and what came out."""

    changed: str
    bucket1: float
    within_100ms: float
    kept: bool

    @property
    def objective(self) -> float:
        return (self.bucket1 + self.within_100ms) / 2


def measure(method: Tuned, pairs: Batch, frame_rate_hz: float) -> tuple[float, float]:
    """Bucket 1 and the hit rate within 100 ms."""
    predicted: NDArray[np.int64] = np.concatenate(
        [
            method.scores(pairs.reference[i : i + BATCH_SIZE], pairs.snippet[i : i + BATCH_SIZE]).argmax(axis=1)
            for i in range(0, len(pairs), BATCH_SIZE)
        ]
    )
    error = error_ms(predicted, pairs.target_frame, frame_rate_hz)
    return float(bucket_hits(predicted, pairs.target_frame)[0].mean()), float((error <= 100 + 1e-6).mean())


def search(
    method: Tuned, pairs: Batch, frame_rate_hz: float, trials: int, rng: np.random.Generator, log: Any = print
) -> tuple[Tuned, list[Trial]]:
    """Coordinate search; the best settings and everything tried."""
    values = choices(method)
    bucket1, within = measure(method, pairs, frame_rate_hz)
    tried = [Trial("start", bucket1, within, True)]
    best = tried[0].objective
    seen = {method}
    improved = True
    while improved and len(tried) <= trials:
        improved = False
        for name in rng.permutation(list(values)):
            before = setting(method, name)
            at = values[name].index(before)
            for direction in (-1, 1):
                i, gained = at + direction, True
                while gained and 0 <= i < len(values[name]) and len(tried) <= trials:
                    gained = False
                    try:
                        candidate = with_setting(method, name, values[name][i])
                    except ValueError:  # all weights 0
                        break
                    if candidate not in seen:
                        seen.add(candidate)
                        bucket1, within = measure(candidate, pairs, frame_rate_hz)
                        gained = (bucket1 + within) / 2 > best
                        trial = Trial(f"{name} = {values[name][i]}", bucket1, within, gained)
                        tried.append(trial)
                        log(f"{trial.objective:.4f} {bucket1:.4f} {within:.4f} {trial.changed}{' *' * gained}")
                        if gained:
                            method, best, improved, i = candidate, trial.objective, True, i + direction
                if setting(method, name) != before:
                    break
    return method, tried


def table(name: str, method: Tuned, tried: list[Trial]) -> str:
    """Markdown: what was tried, and the settings in the end."""
    rows = []
    for trial in tried:
        figures = [f"{trial.bucket1:.1%}", f"{trial.within_100ms:.1%}", f"{trial.objective:.2%}"]
        rows.append([str(trial.changed), *figures, "yes" if trial.kept else ""])
    told = markdown_table(["changed", "bucket 1", "≤ 100 ms", "mean", "kept"], rows)
    return f"### {name}\n\n{told}\n\n`{method}`\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--method", action="append", help="a baseline's name; may be given several times; else all")
    parser.add_argument("--split", default="train")
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="a markdown file to write the tables to")
    options = parser.parse_args()
    tunable = {name: method for name, method in BASELINES.items() if not isinstance(method, Baseline)}
    wrong = [name for name in options.method or () if name not in tunable]
    if wrong:
        parser.error(f"--method {', '.join(wrong)}; expected some of {', '.join(tunable)}")
    store = open_store(options.store)
    reader = BlockReader(store, options.split)
    rng = np.random.default_rng(options.seed)
    chosen = np.sort(rng.choice(len(reader), min(options.pairs, len(reader)), replace=False))
    pairs = reader.batch(chosen)
    texts = []
    for name in options.method or tunable:
        began = time.perf_counter()
        method, tried = search(tunable[name], pairs, reader.frame_rate_hz, options.trials, rng)
        texts.append(table(name, method, tried))
        print(f"\n{texts[-1]}\n{len(tried)} trials in {time.perf_counter() - began:.0f} s", flush=True)
    if options.output:
        options.output.write_text("\n".join(texts))


if __name__ == "__main__":
    main()
