"""Pictures of a training run and of predictions, as Matplotlib figures.

Conventions
-----------
Every function takes arrays and returns a :class:`matplotlib.figure.Figure`; nothing is drawn on screen and no global
state is touched. Figures are narrow and stack their panels, so that they stay readable on a small screen.
Colours are those of Okabe and Ito, told apart by colour-blind eyes too, and never the only difference: lines differ
in style, points in shape. A *distance* is predicted minus true position: negative is too early.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfdata import distributions
from sfdata.spectrogram import SpectrogramSettings
from sfmodel.evaluation import EvaluationResult

WIDTH_IN = 5.3
DOTS_PER_IN = 190
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "D", "^", "v", "P")
DASHES: tuple[object, ...] = ("-", "--", (0, (1, 1)), "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)))
TRUTH, PREDICTION = COLOURS[0], COLOURS[1]
GREY = "#595959"
HIT_RATES = {
    "bucket1": "bucket 1:\nnearest frame",
    "bucket2": "bucket 2:\none of two frames",
    "within_100ms": "within 100 ms",
    "within_250ms": "within 250 ms",
    "within_500ms": "within 500 ms",
}

Results = Mapping[str, EvaluationResult]
FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Example:
    """One pair with what was predicted, ready to be drawn.

    Attributes
    ----------
    heading : str
        Two short lines: why it was chosen and what it is.
    reference : ndarray, shape (T, bins)
    snippet : ndarray, shape (S, bins)
    belief : ndarray, shape (T,)
        The network's probabilities.
    correlation : ndarray, shape (T,)
        The matched filter's scores.
    target_frame : float
    predicted_frame : int
    settings : SpectrogramSettings
    """

    heading: str
    reference: FloatArray
    snippet: FloatArray
    belief: FloatArray
    correlation: FloatArray
    target_frame: float
    predicted_frame: int
    settings: SpectrogramSettings


def png_bytes(figure: Figure) -> bytes:
    """Encode a figure as PNG; the same figure gives the same bytes."""
    with warnings.catch_warnings():
        # titles may be in any script; what the font lacks becomes a box in the picture, and is whole in the caption
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        return distributions.png_bytes(figure, DOTS_PER_IN)


def training_curves(log: Mapping[str, FloatArray], frames: int | None = None) -> Figure:
    """Loss and hit rates over the epochs, in training and validation (the paper's Figs. 2, 3 and 6).

    Parameters
    ----------
    log : mapping of str to ndarray, shape (epochs,)
        Columns ``epoch``, ``{train,validation}_{loss,bucket1,bucket2}``; values may be NaN.
    frames : int, optional
        Frames of a reference, to mark the loss of a network that holds all of them for equally likely.

    Returns
    -------
    Figure
    """
    figure = _figure(5.6)
    loss, rate = figure.subplots(2, 1, sharex=True)
    epoch = log["epoch"]
    small = {"markersize": 3.5 if len(epoch) <= 60 else 0, "linewidth": 1.5}
    for i, part in enumerate(("train", "validation")):
        style = {"color": COLOURS[i], "marker": MARKERS[i], **small}
        loss.plot(epoch, log[f"{part}_loss"], DASHES[0], label=_part_name(part), **style)
        for bucket, dash in ((1, "-"), (2, "--")):
            label = f"{_part_name(part)}, bucket {bucket}"
            rate.plot(epoch, 100 * log[f"{part}_bucket{bucket}"], dash, label=label, **style)
    validation = np.asarray(log["validation_loss"], dtype=np.float64)
    if np.isfinite(validation).any():
        best = int(np.nanargmin(validation))
        for axes in (loss, rate):
            axes.axvline(epoch[best], color=GREY, linestyle=":", linewidth=1, label="lowest validation loss")
    loss.set_ylabel("loss (cross-entropy, nats)")
    if frames is not None:
        loss.axhline(np.log(frames), color=GREY, linestyle="-.", linewidth=1, label="guessing")
    loss.set_ylim(0, 1.08 * _highest(log["train_loss"], validation, np.log(frames or 1)))
    rate.set_ylabel("hit rate (%)")
    highest = 100 * _highest(log["train_bucket2"], log["validation_bucket2"])
    rate.set_ylim(0, min(100.0, max(5.0, 1.15 * highest)))
    rate.set_xlabel("epoch")
    rate.xaxis.get_major_locator().set_params(integer=True)
    for axes, columns in ((loss, 2), (rate, 2)):
        handles, names = axes.get_legend_handles_labels()
        # the two lists may hold the line's name once only; it is drawn in both panels
        kept = [i for i, name in enumerate(names) if axes is loss or name != "lowest validation loss"]
        axes.legend([handles[i] for i in kept], [names[i] for i in kept], **_above(columns))
    return figure


def hit_rates(results: Results) -> Figure:
    """Hit rates of several methods with their 95 % intervals, one row a rate.

    Parameters
    ----------
    results : mapping of str to EvaluationResult
        By name of the method, best known first.
    """
    figure = _figure(3.9)
    axes = figure.subplots()
    height = 0.66 / max(len(results), 1)
    for i, (name, result) in enumerate(results.items()):
        value = np.array([result.metrics[key] for key in HIT_RATES]) * 100
        bounds = np.array([result.metrics["ci95"][key] for key in HIT_RATES]) * 100  # (rates, 2)
        row = np.arange(len(HIT_RATES)) + (i - (len(results) - 1) / 2) * height
        # a percentile interval need not hold its figure, and error bars cannot be negative
        span = np.maximum([value - bounds[:, 0], bounds[:, 1] - value], 0)
        axes.errorbar(
            value, row, xerr=span, fmt=MARKERS[i], color=COLOURS[i], markersize=6, capsize=3, linewidth=1.5, label=name
        )
        for x, y, high in zip(value, row, bounds[:, 1], strict=True):
            right = max(x, high) < 88
            place = (max(x, high) + 2, "left") if right else (min(x, *bounds[:, 0][row == y]) - 2, "right")
            axes.text(place[0], y, f"{x:.1f}", va="center", ha=place[1], fontsize=8, color=GREY)
    axes.set_yticks(range(len(HIT_RATES)), list(HIT_RATES.values()))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(HIT_RATES) - 0.5, -0.5)
    axes.set_xlim(0, 102)
    axes.set_xlabel("share of pairs (%)")
    axes.grid(axis="y", visible=False)
    for line in np.arange(0.5, len(HIT_RATES) - 1):
        axes.axhline(line, color="#dddddd", linewidth=0.8)
    _legend_on_top(figure, axes)
    return figure


def distances(results: Results) -> Figure:
    """Distance of each prediction to the truth, pair by pair (the paper's Figs. 4 and 7).

    Pairs stand in the order of the store, so piece by piece; shading tells the pieces apart.
    """
    figure = _figure(0.7 + 2.0 * len(results))
    panels = figure.subplots(len(results), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for i, (axes, (name, result)) in enumerate(zip(panels, results.items(), strict=True)):
        seconds = result.distance_frames / result.frame_rate_hz
        edge = np.flatnonzero(np.diff(result.piece)) + 1
        bounds = np.concatenate([[0], edge, [len(result.piece)]])
        for first, last in zip(bounds[:-1:2], bounds[1::2], strict=False):
            axes.axvspan(first - 0.5, last - 0.5, color="#f1f1f1", linewidth=0)
        size = float(np.clip(4000 / max(len(seconds), 1), 2, 14))
        axes.scatter(np.arange(len(seconds)), seconds, s=size, color=COLOURS[i], marker=MARKERS[i], linewidth=0)
        share = result.metrics["within_250ms"]
        axes.set_title(f"{name}: {100 * share:.1f} % within 250 ms", loc="left", fontsize=10)
        axes.set_ylabel("distance (s)")
        axes.margins(x=0.01)
    panels[-1].set_xlabel("pair (grey and white: one piece after another)")
    return figure


def distance_distribution(results: Results) -> Figure:
    """Distribution of the distances: all of them in half seconds, and the near ones frame by frame.

    The paper's Figs. 5 and 8, with a logarithmic count on the left so that rare large distances show.
    """
    figure = _figure(0.7 + 2.1 * len(results))
    panels = figure.subplots(len(results), 2, sharex="col", squeeze=False)
    rate_hz = max(result.frame_rate_hz for result in results.values())
    reach = max(float(np.abs(result.distance_frames).max()) / rate_hz for result in results.values())
    reach = max(1.0, np.ceil(reach * 2) / 2)
    near = 8
    most = max(len(result.piece) for result in results.values())
    for i, (row, (name, result)) in enumerate(zip(panels, results.items(), strict=True)):
        seconds = result.distance_frames / result.frame_rate_hz
        wide = np.arange(-reach - 0.25, reach + 0.5, 0.5)
        row[0].hist(seconds, bins=wide, color=COLOURS[i], edgecolor="white", linewidth=0.4)
        row[0].set_yscale("log")
        row[0].set_ylim(0.7, 1.5 * most)
        row[0].set_title(name, loc="left", fontsize=10)
        row[0].set_ylabel("pairs")
        narrow = np.arange(-near - 0.5, near + 1) * 1000 / result.frame_rate_hz
        counts, _ = np.histogram(1000 * seconds, bins=narrow)
        share = 100 * counts / len(seconds)
        row[1].bar((narrow[:-1] + narrow[1:]) / 2, share, width=np.diff(narrow) * 0.9, color=COLOURS[i])
        row[1].set_title(f"{share.sum():.1f} % are this near", loc="right", fontsize=9, color=GREY)
        row[1].set_ylabel("share of pairs (%)")
        row[1].set_ylim(0, max(1.0, 1.08 * float(share.max())))
    panels[-1, 0].set_xlabel("distance (s)")
    panels[-1, 1].set_xlabel("distance (ms)")
    return figure


def error_distribution(results: Results) -> Figure:
    """Share of pairs whose error is at most so many milliseconds."""
    figure = _figure(3.9)
    axes = figure.subplots()
    for limit in (50, 100, 250, 500):
        axes.axvline(limit, color="#bbbbbb", linewidth=0.8)
    for i, (name, result) in enumerate(results.items()):
        error = np.sort(np.maximum(result.error_ms, 1.0))
        share = 100 * np.arange(1, len(error) + 1) / len(error)
        x, y = np.concatenate([[1.0], error]), np.concatenate([[0.0], share])
        axes.step(x, y, where="post", color=COLOURS[i], linestyle=DASHES[i], linewidth=1.8, label=name)
    axes.set_xscale("log")
    axes.set_xlim(5, 12_000)
    ticks = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000)
    axes.set_xticks(ticks, [f"{tick:,}".replace(",", "\u202f") for tick in ticks], fontsize=8)
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.set_xlabel("error up to (ms)")
    axes.set_ylabel("share of pairs (%)")
    _legend_on_top(figure, axes)
    return figure


def example_pair(example: Example) -> Figure:
    """A pair as the paper's Fig. 1 shows it, with prediction, belief and correlation on the same time axis."""
    figure = _figure(4.7)
    rate_hz = example.settings.frame_rate_hz
    frames, bins = example.reference.shape
    grid = figure.add_gridspec(3, 2, width_ratios=(6, 1), height_ratios=(5, 1.5, 1.2))
    picture = figure.add_subplot(grid[0, 0])
    belief = figure.add_subplot(grid[1, 0], sharex=picture)
    correlation = figure.add_subplot(grid[2, 0], sharex=picture)
    snippet = figure.add_subplot(grid[0, 1], sharey=picture)

    loudest = max(float(example.reference.max()), 1e-6)
    half = len(example.snippet) / 2
    for axes, values, extent, top in (
        (picture, example.reference, (-0.5 / rate_hz, (frames - 0.5) / rate_hz), loudest),
        (snippet, example.snippet, (-half / rate_hz, half / rate_hz), max(float(example.snippet.max()), 1e-6)),
    ):
        axes.imshow(
            np.asarray(values, dtype=np.float32).T,
            origin="lower",
            aspect="auto",
            cmap="Greys",
            interpolation="nearest",
            extent=(*extent, -0.5, bins - 0.5),
            vmin=0,
            vmax=top,
        )
        axes.grid(visible=False)
    times = np.arange(frames) / rate_hz
    truth_s, predicted_s = example.target_frame / rate_hz, example.predicted_frame / rate_hz
    belief.fill_between(times, 100 * example.belief, step="mid", color="#999999", linewidth=0)
    belief.set_ylim(0, max(1.0, 108 * float(example.belief.max())))
    correlation.plot(times, example.correlation, color="#333333", linewidth=1)
    for axes in (picture, belief, correlation):
        axes.axvline(truth_s, color=TRUTH, linewidth=1.6, label=f"truth {truth_s:.2f} s")
        axes.axvline(
            predicted_s, color=PREDICTION, linestyle="--", linewidth=1.6, label=f"prediction {predicted_s:.2f} s"
        )
    snippet.axvline(0, color=TRUTH, linewidth=1.2)

    figure.suptitle(example.heading, x=0.01, ha="left", fontsize=9, parse_math=False)
    figure.legend(*picture.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    picture.set_ylabel("frequency")
    _frequency_ticks(picture, example.settings)
    picture.tick_params(labelbottom=False)
    belief.tick_params(labelbottom=False)
    snippet.tick_params(labelleft=False)
    snippet.set_xticks([0], ["0 s"])
    snippet.set_title("snippet", fontsize=9)
    belief.set_ylabel("belief\n(%)", fontsize=8)
    correlation.set_ylabel("matched\nfilter", fontsize=8)
    correlation.set_xlabel("time in the reference (s)")
    correlation.set_xlim(-0.5 / rate_hz, (frames - 0.5) / rate_hz)
    figure.align_ylabels([picture, belief, correlation])
    return figure


def _figure(height_in: float) -> Figure:
    """An empty figure of the common width, its panels laid out so that no label is clipped."""
    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def _legend_on_top(figure: Figure, axes: Axes) -> None:
    """Name the methods above the panel, beginning at the figure's edge: three names need its whole width."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=3, frameon=False, fontsize=8.5, columnspacing=1.2)


def _highest(*values: FloatArray | float) -> float:
    """Largest finite value, 1 if there is none."""
    flat = np.concatenate([np.ravel(value) for value in values])
    finite = flat[np.isfinite(flat)]
    return float(finite.max()) if len(finite) and finite.max() > 0 else 1.0


def _part_name(part: str) -> str:
    return {"train": "training", "validation": "validation"}[part]


def _above(columns: int) -> dict[str, object]:
    """Place for a legend above the panel, where it covers no data."""
    return {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": columns, "frameon": False, "fontsize": 8.5}


def _frequency_ticks(axes: Axes, settings: SpectrogramSettings) -> None:
    """Label bins with octaves of 55 Hz."""
    frequency = settings.bin_frequencies_hz()
    octaves = 55.0 * 2.0 ** np.arange(10)
    octaves = octaves[(octaves >= frequency[0]) & (octaves <= frequency[-1])]
    names = [f"{hz:.0f} Hz" if hz < 1000 else f"{hz / 1000:.2g} kHz" for hz in octaves]
    axes.set_yticks(np.interp(octaves, frequency, np.arange(len(frequency))), names, fontsize=8)
