"""Pictures of pairs: reference with the target marked, and snippet, as in the paper's Fig. 1."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sfdata.store import Store
from sfdata.windows import cut_windows, nearest_frame

ONSET_COLOUR, TARGET_COLOUR = "#56b4e9", "#e69f00"


def plot_pair(store: Store, pair: int, path: str | Path) -> None:
    """Draw one pair into a PNG (or PDF, SVG, by the path's ending).

    Left, the reference: all onsets of the score side as ticks under it, the target marked. Right, the snippet at the
    same scale of time, its centre marked.

    Raises
    ------
    ValueError
        If there is no such pair.
    """
    count = len(store.pairs["note"])
    if not 0 <= pair < count:
        raise ValueError(f"pair {pair}; {store.path} holds pairs 0 to {count - 1}")
    row = {name: values[pair] for name, values in store.pairs.items()}
    rate, lengths = store.spectrogram.frame_rate_hz, (store.reference_frames, store.snippet_frames)
    centre = nearest_frame(row["snippet_centre_s"] * rate)
    starts = (int(row["reference_start_frame"]), int(centre) - lengths[1] // 2)
    sides = ("reference_rendition", "snippet_rendition")
    images = []
    for side, start, length in zip(sides, starts, lengths, strict=True):
        frames = store.rendition_frames(int(row[side]))
        images.append(
            cut_windows(frames, np.array([0]), np.array([len(frames)]), np.array([start]), length)[0].astype(float)
        )
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, width_ratios=[6, 1.6], sharey=True)
    marks = (float(row["target_s"]), float(row["snippet_centre_s"]) - starts[1] / rate)
    for axis, image, mark in zip(axes, images, marks, strict=True):
        axis.imshow(
            image.T,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=0,
            vmax=max(image.max() for image in images) or 1,
            extent=(-0.5 / rate, (len(image) - 0.5) / rate, -0.5, image.shape[1] - 0.5),
            interpolation="nearest",
        )
        axis.axvline(mark, color=TARGET_COLOUR, linewidth=1.8)
    _label_bins(store, axes[0])
    onset_s = store.performance_notes(int(store.renditions["performance"][row[sides[0]]]))["onset_s"] - starts[0] / rate
    inside = onset_s[(onset_s >= 0) & (onset_s < lengths[0] / rate)]
    axes[0].plot(inside, np.full(len(inside), 1.0), "|", color=ONSET_COLOUR, markersize=9, markeredgewidth=1.4)
    instruments = [str(store.instruments["name"][store.renditions["instrument"][row[side]]]) for side in sides]
    performance = store.renditions["performance"][row[sides[0]]]
    piece = int(store.performances["piece"][performance])
    title, composer = str(store.pieces["title"][piece]), str(store.pieces["composer"][piece])
    figure.suptitle(f"{composer + ': ' if composer else ''}{title}  (pair {pair})", fontsize=11)
    axes[0].set_title(
        f"reference, {instruments[0]}: target at {marks[0]:.3f} s (frame {row['target_frame']:.2f})", fontsize=9
    )
    axes[1].set_title(f"snippet, {instruments[1]}", fontsize=9)
    axes[0].set_xlabel("time in the reference (s); ticks at the bottom: onsets")
    axes[1].set_xlabel("time in the snippet (s)")
    figure.savefig(path, dpi=110)


def _label_bins(store: Store, axis: object) -> None:
    frequency_hz = store.spectrogram.bin_frequencies_hz()
    octaves = [(f"A{number}", 27.5 * 2**number) for number in range(9)]
    places = [
        (name, int(np.argmin(np.abs(np.log(frequency_hz / hz))))) for name, hz in octaves if hz <= frequency_hz[-1]
    ]
    axis.set_yticks([place for _, place in places], [name for name, _ in places])  # type: ignore[attr-defined]
    axis.set_ylabel("pitch")  # type: ignore[attr-defined]
