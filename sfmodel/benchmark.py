"""Every method on recordings: one table, by piece, by instrument, on unique and repeated passages."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.files import write_atomically
from sfdata.import_aligned import AlignedSettings, import_aligned
from sfdata.progress import Progress
from sfdata.reader import PairReader
from sfdata.store import Store, open_store
from sfmodel.baselines import BASELINES
from sfmodel.bundled import BUNDLED, bundled_weights
from sfmodel.evaluation import EvaluationResult, Method, evaluate, open_method
from sfmodel.followers import FOLLOWERS
from sfmodel.metrics import ERRORS, RATES, evaluate_predictions, piecewise_means

STORE_FILE, JSON_FILE = "recordings.zarr", "benchmark.json"
PLAIN = (*RATES, *ERRORS)


@dataclass(frozen=True)
class Measured:
    """One method on all pairs.

    Attributes
    ----------
    method : Method
    result : EvaluationResult
    figures : dict
        What `benchmark.json` holds of it.
    """

    method: Method
    result: EvaluationResult
    figures: dict[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """What :func:`run_benchmark` found.

    Attributes
    ----------
    store : Store
    reader : PairReader
    measured : list of Measured
        The network first where there is one.
    skipped : list of dict
        Recordings that could not be used: ``source`` and ``reason``.
    """

    store: Store
    reader: PairReader
    measured: list[Measured]
    skipped: list[dict[str, str]]

    def as_json(self) -> list[dict[str, Any]]:
        """A list of what was found of each method, for programs."""
        return [entry.figures for entry in self.measured]


def default_methods() -> list[str]:
    """The bundled network, where it and PyTorch are there, and all classic methods."""
    names = list(BASELINES)
    try:
        import torch  # noqa: F401
    except ImportError:
        return names
    return [BUNDLED, *names] if bundled_weights().is_file() else names


@dataclass(frozen=True)
class Asked:
    """Which methods are to be measured at what.

    Attributes
    ----------
    windows, following : tuple of str, or None
        None where that is not to be measured, empty for all methods that there are.
    """

    windows: tuple[str, ...] | None
    following: tuple[str, ...] | None


def methods_asked(task: str, methods: Sequence[str], is_store: bool) -> Asked:
    """Choose what to measure by the methods' names; only windows can be of a store.

    Parameters
    ----------
    task : str
        ``windows``, ``following``, or ``all``: those of both to which the names belong.
    methods : sequence of str
        All if empty.
    is_store : bool

    Raises
    ------
    ValueError
        If a name is unknown, where that can be told by itself, or a store is to be followed.

    Examples
    --------
    >>> methods_asked("all", ["hmm", "align"], is_store=False)
    Asked(windows=('hmm',), following=('align',))
    >>> methods_asked("all", ["align"], is_store=False)
    Asked(windows=None, following=('align',))
    """
    names = tuple(dict.fromkeys(methods))
    if task == "windows":
        return Asked(names, None)
    followers = tuple(name for name in names if task == "following" or name in FOLLOWERS)
    if is_store and (followers or task == "following"):
        told = f"; {', '.join(followers)} cannot be measured on it" if followers else ""
        raise ValueError(f"a store holds pairs of windows, in which nothing is followed{told}; expected recordings")
    if task == "following":
        return Asked(None, names)
    others = tuple(name for name in names if name not in FOLLOWERS)
    for name in others:
        if name not in BASELINES and name != BUNDLED and not Path(name).exists():
            known = ", ".join((BUNDLED, *BASELINES, *FOLLOWERS))
            raise ValueError(f"method {name!r}; expected a run directory or weights, or one of {known}")
    return Asked(others if others or not names else None, None if is_store or (names and not followers) else followers)


def run_benchmark(
    source: str | Path,
    output: str | Path,
    methods: Sequence[str] = (),
    split: str = "test",
    device: str = "auto",
    *,
    settings: AlignedSettings | None = None,
    progress: Progress | None = None,
    bars: bool = False,
) -> Benchmark:
    """Measure methods on a folder of recordings, or on a store, and write ``benchmark.json``.

    Parameters
    ----------
    source : path
        A recorded set, as :func:`sfdata.import_aligned.import_aligned` reads it; or a store.
    output : path
        A folder; a recorded set's store is kept in it.
    methods : sequence of str
        As :func:`sfmodel.evaluation.open_method` takes them; :func:`default_methods` if empty.
    split : str
        Of a store.
    device : str
        Where networks compute.
    settings : AlignedSettings, optional
        How a recorded set is read.
    progress : callable, optional
        See :mod:`sfdata.progress`; of reading the recordings.
    bars : bool
        Show progress bars while methods compute.

    Returns
    -------
    Benchmark

    Raises
    ------
    FileNotFoundError
        If the source is not there, or holds no recordings.
    ValueError
        If a method is unknown or does not fit, or nothing could be read.
    """
    source, output = Path(source), Path(output)
    opened = [open_method(name, device) for name in dict.fromkeys(methods or default_methods())]
    if not source.exists():
        raise FileNotFoundError(f"there is nothing at {source}; expected a folder of recordings, or a store")
    output.mkdir(parents=True, exist_ok=True)
    skipped: list[dict[str, str]] = []
    path = source
    if not (source / "zarr.json").is_file():
        path, split = output / STORE_FILE, "all"
        done = import_aligned(source, path, settings, overwrite=True, progress=progress)
        skipped = [{"source": entry.source, "reason": entry.reason} for entry in done.skipped]
    store = open_store(path)
    reader = PairReader(store, split)
    names = recording_names(store, reader.piece)
    instruments = snippet_instruments(store, reader)
    measured = [measure(method, store, reader, split, names, instruments, bars) for method in opened]
    found = Benchmark(store, reader, measured, skipped)
    write_atomically(output / JSON_FILE, (json.dumps(found.as_json(), indent=2) + "\n").encode())
    return found


def recording_names(store: Store, piece: NDArray[np.integer]) -> NDArray[np.str_]:
    """Name of each pair's recording, shape (pairs,): its folder's or file's, which is unique."""
    files = [str(name) for name in store.pieces["file"]]
    return np.array(files)[piece]


def snippet_instruments(store: Store, reader: PairReader) -> NDArray[np.str_]:
    """Name of the instrument that plays each pair's snippet, shape (pairs,)."""
    names = np.array([str(name) for name in store.instruments["name"]])
    return names[store.renditions["instrument"][reader.snippet_rendition]]


def measure(
    method: Method,
    store: Store,
    reader: PairReader,
    split: str,
    recording: NDArray[np.str_],
    instrument: NDArray[np.str_],
    bars: bool = False,
) -> Measured:
    """Evaluate one method and take its figures apart.

    Parameters
    ----------
    method : Method
    store : Store
    reader : PairReader
        The pairs of `split`.
    split : str
    recording, instrument : ndarray of str, shape (pairs,)
    bars : bool
        Show a progress bar.
    """
    began = time.perf_counter()
    result = evaluate(method, store, split, progress=bars, reader=reader)
    elapsed_s = time.perf_counter() - began
    metrics = result.metrics

    def part(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        found = evaluate_predictions(
            result.predicted_frame[chosen],
            result.target_frame[chosen],
            result.frame_rate_hz,
            result.piece[chosen],
            draws=1,
        )
        return {key: found[key] for key in ("pairs", *PLAIN)}

    figures: dict[str, Any] = {
        "method": method.name,
        "causal": False,
        "pairs": metrics["pairs"],
        "pieces": metrics["pieces"],
        "pooled": {key: metrics[key] for key in PLAIN},
        "ci95": metrics["ci95"],
        "piecewise": piecewise_means(result.predicted_frame, result.target_frame, result.frame_rate_hz, result.piece),
        "recordings": {str(name): part(recording == name) for name in np.unique(recording)},
        "instruments": {str(name): part(instrument == name) for name in np.unique(instrument)},
        "pairs_per_s": metrics["pairs"] / elapsed_s,
        "real_time_factor": elapsed_s / (metrics["pairs"] * store.windows.snippet_s),
    }
    for name in ("unique", "repeated"):
        if name in metrics:
            figures[name] = {key: metrics[name][key] for key in ("pairs", *PLAIN, "ci95")}
    for name in ("refined_median_ms", "expected_calibration_error"):
        if name in metrics:
            figures[name] = metrics[name]
    return Measured(method, result, figures)
