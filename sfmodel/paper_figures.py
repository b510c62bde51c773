"""The counterparts of the paper's Figs. 2 to 8, as Matplotlib figures; conventions as in :mod:`sfmodel.figures`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfdata.windows import nearest_frame
from sfmodel.evaluation import EvaluationResult
from sfmodel.figures import COLOURS, GREY, WIDTH_IN, Results, training_curves

NEAR_FRAMES = 10
FloatArray = NDArray[np.floating]


def paper_curves(
    log: Mapping[str, FloatArray], frames: int | None = None, printed: Mapping[str, float] | None = None
) -> Figure:
    """Loss and hit rates over the epochs (Figs. 2, 3, 6), with the paper's accuracies and the changes of phase.

    Parameters
    ----------
    log : mapping of str to ndarray, shape (epochs,)
        As :func:`sfmodel.figures.training_curves` takes it; where it has a column ``phase``, the first epoch of every
        further phase is marked.
    frames : int, optional
        Frames of a reference.
    printed : mapping of str to float, optional
        Name to accuracy, drawn as lines across the hit rates.
    """
    figure = training_curves(log, frames)
    loss, rate = figure.axes
    epoch = np.asarray(log["epoch"])
    phase = np.asarray(log.get("phase", np.ones(len(epoch))))
    if len(epoch) == 1:
        loss.set_xlim(0.5, 1.5)
    for change in np.flatnonzero(np.diff(phase) != 0):
        for axes in (loss, rate):
            axes.axvline(epoch[change] + 0.5, color="black", linewidth=1.2)
        # at the bottom, which the loss reaches last; above runs the line of guessing
        loss.text(epoch[change] + 0.5, 0.02, f" phase {phase[change + 1]:g}", **_within(loss, "x"))
    values = [100 * value for value in (printed or {}).values()]
    if values:
        rate.set_ylim(0, min(104.0, max(rate.get_ylim()[1], max(values) + 6)))
    for name, value in (printed or {}).items():
        rate.axhline(100 * value, color=GREY, linewidth=0.9)
        # on the left, where rates are low
        rate.text(0.01, 100 * value, f"paper, {name}: {100 * value:.0f} %", **_within(rate, "y"))
    return figure


def _within(axes: Axes, data: str) -> dict[str, Any]:
    """Style of a label whose place is in the data's units along one axis, and a share of the panel along the other."""
    transform = axes.get_xaxis_transform() if data == "x" else axes.get_yaxis_transform()
    return {"transform": transform, "ha": "left", "va": "bottom", "fontsize": 8, "color": GREY}


def bucket_distances_frames(result: EvaluationResult) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Signed distances of the predictions to the buckets, in frames.

    Returns
    -------
    first : ndarray of int64, shape (pairs,)
        To the frame nearest to the target: 0 is a hit of bucket 1.
    second : ndarray of int64, shape (pairs,)
        To the nearer of the two frames of the soft target: 0 is a hit of bucket 2. A target that lies on a frame has
        that frame only.
    """
    predicted, target = result.predicted_frame, result.target_frame
    low, high = np.floor(target).astype(np.int64), np.ceil(target).astype(np.int64)
    return predicted - nearest_frame(target), np.minimum(predicted - low, 0) + np.maximum(predicted - high, 0)


def bucket_distances(results: Results) -> Figure:
    """Distribution of the distances to bucket 1 and to bucket 2 (Figs. 5 and 8): one row per set of pairs.

    On the left the near ones frame by frame, in percent, those farther away in the outermost bars; on the right all
    of them in half seconds, on a logarithmic scale, so that rare ones show.
    """
    figure = Figure(figsize=(WIDTH_IN, 0.7 + 2.2 * len(results)), layout="constrained")
    panels = figure.subplots(len(results), 2, sharex="col", squeeze=False)
    distances = {name: bucket_distances_frames(result) for name, result in results.items()}
    most = max(len(result.target_frame) for result in results.values())
    reach = max(
        float(np.abs(first).max()) / result.frame_rate_hz
        for result, (first, _) in zip(results.values(), distances.values(), strict=True)
    )
    reach = max(1.0, np.ceil(2 * reach) / 2)
    ends = NEAR_FRAMES + 1
    for (near, wide), (name, result) in zip(panels, results.items(), strict=True):
        top = 0.0
        for i, (frames, label) in enumerate(zip(distances[name], ("bucket 1", "bucket 2"), strict=True)):
            steps, counts = np.unique(np.clip(frames, -ends, ends), return_counts=True)
            share = 100 * counts / len(frames)
            top = max(top, float(share.max()))
            near.bar(steps + (i - 0.5) * 0.4, share, width=0.4, color=COLOURS[i], label=label, hatch=("", "////")[i])
            seconds = frames / result.frame_rate_hz
            bins = np.arange(-reach - 0.25, reach + 0.5, 0.5)
            kind = {"histtype": "step", "linewidth": (2.2, 1.3)[i], "linestyle": ("-", "--")[i], "color": COLOURS[i]}
            wide.hist(seconds, bins=bins, label=label, **kind)
        near.set_ylim(0, 1.1 * top)
        near.set_xticks((-ends, -5, 0, 5, ends), (f"< −{NEAR_FRAMES}", "−5", "0", "5", f"> {NEAR_FRAMES}"), fontsize=8)
        near.set_ylabel("share of pairs (%)")
        near.set_title(name, loc="left", fontsize=10)
        wide.set_yscale("log")
        wide.set_ylim(0.7, 1.5 * most)
        wide.set_ylabel("pairs")
    panels[-1, 0].set_xlabel("distance (frames)")
    panels[-1, 1].set_xlabel("distance (s)")
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    return figure
