"""Evaluation: any method on the pinned pairs of a store, with the same metrics on the same items.

A *method* is the bundled network, by the name ``bundled``, another one, named by its run directory or weights file, or
a baseline, named as in :data:`sfmodel.baselines.BASELINES`. All score every frame of the reference; the frame with
the highest score is the prediction (the first of them where several are equal). PyTorch is imported only when a network
is opened.
"""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.files import check_folder_of, write_atomically
from sfdata.spectrogram import SpectrogramSettings
from sfdata.store import Store, open_store
from sfdata.windows import WindowSettings
from sfmodel.baselines import BASELINES
from sfmodel.belief import calibration_error, refined_frame, top_confidence
from sfmodel.bundled import BUNDLED, bundled_weights
from sfmodel.loading import Reader, open_reader
from sfmodel.metrics import error_ms, evaluate_predictions

BATCH_SIZE = 64  # keeps a batch of references within a core's cache; larger ones measured slower
PREDICTION_COLUMNS = (
    *("row", "piece", "title", "target_frame", "predicted_frame", "target_s", "predicted_s", "error_ms"),
    *("score", "lookalikes"),
)

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Method:
    """Something that scores every frame of a reference.

    Attributes
    ----------
    name : str
        The baseline's name, or the path of the network.
    kind : {"network", "baseline"}
    description : str
    scores : callable
        References (pairs, T, bins) and snippets (pairs, S, bins) to scores (pairs, T); of a network they are
        probabilities: its belief about where the snippet lies.
    spectrogram, windows : SpectrogramSettings, WindowSettings or None
        What the network was trained on; a baseline takes anything.
    any_reference : bool
        Whether references may be longer or shorter than those.
    """

    name: str
    kind: str
    description: str
    scores: Callable[[NDArray[np.floating], NDArray[np.floating]], Scores]
    spectrogram: SpectrogramSettings | None = None
    windows: WindowSettings | None = None
    any_reference: bool = False


@dataclass(frozen=True)
class EvaluationResult:
    """Figures of one method on one split, and what they were computed from.

    Attributes
    ----------
    metrics : dict
        ``method``, ``split``, and the figures of :func:`sfmodel.metrics.evaluate_predictions`.
    frame_rate_hz : float
    position : ndarray of int64, shape (pairs,)
        Position of each pair in the split's :class:`~sfdata.reader.PairReader`.
    rows : ndarray of int64, shape (pairs,)
        Row of each pair in the store's table.
    piece : ndarray of int32, shape (pairs,)
        Row of each pair's piece.
    target_frame : ndarray of float64, shape (pairs,)
    predicted_frame : ndarray of int64, shape (pairs,)
    score : ndarray of float32, shape (pairs,)
        Score of the predicted frame; of a network, its probability.
    lookalikes : ndarray, shape (pairs,)
        Other passages of the reference with the same notes.
    """

    metrics: dict[str, Any]
    frame_rate_hz: float
    position: NDArray[np.int64]
    rows: NDArray[np.int64]
    piece: NDArray[np.int32]
    target_frame: NDArray[np.float64]
    predicted_frame: NDArray[np.int64]
    score: NDArray[np.float32]
    lookalikes: NDArray[np.integer]

    @property
    def error_ms(self) -> NDArray[np.float64]:
        """Absolute error of each pair in milliseconds, shape (pairs,)."""
        return error_ms(self.predicted_frame, self.target_frame, self.frame_rate_hz)

    @property
    def distance_frames(self) -> NDArray[np.float64]:
        """Predicted minus true position in frames, shape (pairs,): negative is too early."""
        return np.asarray(self.predicted_frame - self.target_frame, dtype=np.float64)


def open_method(method: str | Path, device: str = "auto") -> Method:
    """Open a baseline or the bundled network by its name, another network by its run directory or weights file.

    Parameters
    ----------
    method : str or Path
        A baseline's name wins over a directory of that name; write ``./matched-filter`` for the latter.
    device : str
        Where a network computes: ``auto``, ``cpu``, ``cuda``, …

    Raises
    ------
    ValueError
        If it is neither, or the network cannot be read.
    """
    if str(method) in BASELINES:
        baseline = BASELINES[str(method)]
        return Method(baseline.name, "baseline", baseline.description, baseline.scores)
    if str(method) == BUNDLED:
        return _open_network(bundled_weights(), device, BUNDLED)
    path = Path(method)
    if not path.exists():
        raise ValueError(
            f"{str(method)!r} is neither a run directory or weights file, nor {BUNDLED!r}, nor a baseline; "
            f"the baselines are {', '.join(BASELINES)}"
        )
    return _open_network(path, device)


def check_agreement(method: Method, store: Store) -> None:
    """Check that a network was trained on spectrograms and windows like those of a store.

    Raises
    ------
    ValueError
        If they differ in anything that changes what the network sees; the message names both values.
    """
    if method.spectrogram is None or method.windows is None:
        return
    rate_hz = method.spectrogram.frame_rate_hz
    trained = {f"spectrogram {key}": value for key, value in asdict(method.spectrogram).items()}
    if not method.any_reference:
        trained |= {"reference frames": method.windows.reference_frames(rate_hz)}
    trained |= {"snippet frames": method.windows.snippet_frames(rate_hz)}
    stored = {f"spectrogram {key}": value for key, value in asdict(store.spectrogram).items()}
    stored |= {"reference frames": store.reference_frames, "snippet frames": store.snippet_frames}
    differing = [f"{key} {trained[key]!r} against {stored[key]!r}" for key in trained if trained[key] != stored[key]]
    if differing:
        raise ValueError(
            f"{method.name} was trained on other data than {store.path} holds (network against store): "
            f"{'; '.join(differing)}; evaluate on a store built with the same settings"
        )


def score_pairs(method: Method, reader: Reader, position: NDArray[np.integer] | slice) -> Scores:
    """Scores of every frame of the reference for some pairs of a split, shape (pairs, T).

    Raises
    ------
    ValueError
        If a score is not finite.
    """
    batch = reader.batch(position)
    scores = np.asarray(method.scores(batch.reference, batch.snippet), dtype=np.float32)
    bad = int((~np.isfinite(scores).all(axis=1)).sum())
    if bad:
        raise ValueError(f"{method.name}: scores of {bad} of {len(scores)} pairs are not finite; is it damaged?")
    return scores


def evaluate(
    method: str | Path | Method,
    store: str | Path | Store,
    split: str = "test",
    device: str = "auto",
    batch_size: int = BATCH_SIZE,
    progress: bool = False,
    max_pairs: int | None = None,
    reader: Reader | None = None,
    loading: str = "auto",
) -> EvaluationResult:
    """Evaluate a method on the pinned pairs of a split.

    Parameters
    ----------
    method : str, Path or Method
        See :func:`open_method`.
    store : str, Path or Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    device : str
        Where a network computes; not used if `method` is already open.
    batch_size : int
        Pairs at a time; changes the speed only.
    progress : bool
        Show a progress bar on standard error.
    max_pairs : int, optional
        Take no more than this many pairs, spread evenly over the split.
    reader : PairReader or BlockReader, optional
        The split's pairs if they are open already, so that several methods share them.
    loading : {"auto", "memory", "blocks"}
        Where the frames are, if `reader` is not given: see :func:`sfmodel.loading.open_reader`.

    Raises
    ------
    ValueError
        If method or split are unknown, the split is empty, or the network doesn't fit the store.
    FileNotFoundError
        If there is no store.
    """
    if batch_size < 1 or (max_pairs is not None and max_pairs < 1):
        raise ValueError(f"batch_size {batch_size}, max_pairs {max_pairs}; expected at least 1")
    opened = method if isinstance(method, Method) else open_method(method, device)
    store = store if isinstance(store, Store) else open_store(store)
    check_agreement(opened, store)
    reader = open_reader(store, split, loading) if reader is None else reader
    count = len(reader) if max_pairs is None else min(max_pairs, len(reader))
    position = np.arange(count, dtype=np.int64) * len(reader) // count  # (pairs,): all of them, or evenly spread
    predicted = np.empty(count, dtype=np.int64)
    score = np.empty(count, dtype=np.float32)
    refined, confidence = np.empty(count), np.empty(count)
    for first in _steps(count, batch_size, f"{opened.name} on {split}", progress):
        part = slice(first, first + batch_size)
        scores = score_pairs(opened, reader, position[part])  # (batch, T)
        predicted[part] = scores.argmax(axis=1)
        score[part] = scores.max(axis=1)
        if opened.kind == "network":
            refined[part], confidence[part] = refined_frame(scores), top_confidence(scores)
    target = np.asarray(reader.target_frame[position], dtype=np.float64)
    piece, lookalikes = reader.piece[position], reader.lookalikes[position]
    figures = evaluate_predictions(predicted, target, reader.frame_rate_hz, piece, lookalikes)
    if opened.kind == "network":
        error = error_ms(refined, target, reader.frame_rate_hz)
        figures["refined_median_ms"] = float(np.median(error))
        hit = np.abs(predicted - target) <= 1
        figures["expected_calibration_error"] = calibration_error(confidence, hit)
    return EvaluationResult(
        metrics={"method": opened.name, "split": split, **figures},
        frame_rate_hz=reader.frame_rate_hz,
        position=position,
        rows=reader.rows[position],
        piece=piece,
        target_frame=target,
        predicted_frame=predicted,
        score=score,
        lookalikes=lookalikes,
    )


def write_predictions(path: Path, result: EvaluationResult, store: Store) -> None:
    """Write one row a pair as CSV: :data:`PREDICTION_COLUMNS`.

    The file appears under its name only when it is whole.

    Raises
    ------
    FileNotFoundError
        If the folder to write into does not exist.
    """
    check_folder_of(path)
    titles = store.pieces["title"]
    error = result.error_ms
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(PREDICTION_COLUMNS)
    for i, row in enumerate(result.rows):
        target, predicted = float(result.target_frame[i]), int(result.predicted_frame[i])
        writer.writerow(
            [
                *(int(row), int(result.piece[i]), titles[result.piece[i]], f"{target:.4f}", predicted),
                *(f"{target / result.frame_rate_hz:.4f}", f"{predicted / result.frame_rate_hz:.4f}"),
                *(f"{error[i]:.3f}", f"{result.score[i]:.6g}", int(result.lookalikes[i])),
            ]
        )
    write_atomically(path, text.getvalue().encode())


def _open_network(path: Path, device: str, called: str | None = None) -> Method:
    """Open a trained network; the only place here that needs PyTorch."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ImportError("a network needs PyTorch; install it with: pip install 'sfdata[model]'") from error
    from sfmodel.checkpoint import load_network
    from sfmodel.devices import choose_device
    from sfmodel.match import Match
    from sfmodel.networks import predict_proba

    network, config = load_network(path)
    where = choose_device(device)
    network.to(where)
    try:
        spectrogram = SpectrogramSettings(**config["store"]["spectrogram"])
        windows = WindowSettings(**config["store"]["windows"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the config's spectrogram settings and windows cannot be used: {error}") from None
    name = network.settings.name
    return Method(
        called or str(path),
        "network",
        f"network {name}",
        lambda ref, snip: predict_proba(network, ref, snip),
        spectrogram,
        windows,
        isinstance(network, Match),
    )


def _steps(count: int, step: int, description: str, progress: bool) -> Iterable[int]:
    """First positions of the batches, under a progress bar if wanted and standard error is a terminal."""
    from tqdm import tqdm

    steps: Iterable[int] = tqdm(
        range(0, count, step), desc=description, unit="batch", disable=None if progress else True, leave=False
    )
    return steps
