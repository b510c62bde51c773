"""Pictures of pairs: reference with the target marked, and snippet, as in the paper's Fig. 1."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfdata.files import check_folder_of
from sfdata.spectrogram import SpectrogramSettings
from sfdata.store import Store
from sfdata.windows import cut_windows, nearest_frame

ENDINGS = (".png", ".pdf", ".svg")
ONSET_COLOUR, TARGET_COLOUR = "#56b4e9", "#e69f00"


@dataclass(frozen=True)
class PairSide:
    """One side of a pair, cut out of its rendition.

    Attributes
    ----------
    rendition : int
        Row of renditions.
    instrument : int
        Row of instruments.
    start_frame : int
        Where it begins in its rendition; may be negative.
    start_s : float
        The same in seconds.
    frames : ndarray of float, shape (frames, bins)
    mark_s : float
        The onset in question, from the side's beginning on.
    onset_s : ndarray of float, shape (onsets,)
        All onsets within it, from its beginning on.
    """

    rendition: int
    instrument: int
    start_frame: int
    start_s: float
    frames: NDArray[np.floating]
    mark_s: float
    onset_s: NDArray[np.float64]


def cut_pair(store: Store, pair: int) -> tuple[PairSide, PairSide]:
    """Cut reference and snippet of a pair.

    Parameters
    ----------
    store : Store
    pair : int
        Row of the table of pairs.

    Raises
    ------
    ValueError
        If there is no such pair, or what it needs of the store is damaged.
    """
    count = store.rows("pairs")
    if not 0 <= pair < count:
        raise ValueError(f"pair {pair}; {store.path} holds pairs 0 to {count - 1}")
    row = {name: values[pair] for name, values in store.pairs.items()}
    rate, length = store.spectrogram.frame_rate_hz, store.snippet_frames
    centre_s = float(row["snippet_centre_s"])
    start = int(nearest_frame(centre_s * rate)) - length // 2
    return (
        _side(
            store,
            int(row["reference_rendition"]),
            int(row["reference_start_frame"]),
            store.reference_frames,
            float(row["target_s"]),
        ),
        _side(store, int(row["snippet_rendition"]), start, length, centre_s - start / rate),
    )


def _side(store: Store, rendition: int, start: int, length: int, mark_s: float) -> PairSide:
    frames, rate = store.rendition_frames(rendition), store.spectrogram.frame_rate_hz
    cut = cut_windows(frames, np.array([0]), np.array([len(frames)]), np.array([start]), length)[0]
    onset_s = store.performance_notes(int(store.renditions["performance"][rendition]))["onset_s"] - start / rate
    return PairSide(
        rendition,
        int(store.renditions["instrument"][rendition]),
        start,
        start / rate,
        cut.astype(float),
        mark_s,
        onset_s[(onset_s >= 0) & (onset_s < length / rate)],
    )


def draw_side(axes: Axes, side: PairSide, settings: SpectrogramSettings, loudest: float) -> None:
    """Draw one side's spectrogram with its onset marked.

    Parameters
    ----------
    axes : Axes
    side : PairSide
    settings : SpectrogramSettings
    loudest : float
        Value that is drawn brightest.
    """
    rate = settings.frame_rate_hz
    axes.imshow(
        side.frames.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=0,
        vmax=loudest or 1,
        extent=(-0.5 / rate, (len(side.frames) - 0.5) / rate, -0.5, side.frames.shape[1] - 0.5),
        interpolation="nearest",
    )
    axes.axvline(side.mark_s, color=TARGET_COLOUR, linewidth=1.8)


def draw_onsets(axes: Axes, side: PairSide) -> None:
    """Mark all onsets as ticks at the bottom."""
    height = np.full(len(side.onset_s), 1.0)
    axes.plot(side.onset_s, height, "|", color=ONSET_COLOUR, markersize=9, markeredgewidth=1.4)


def label_bins(axes: Axes, settings: SpectrogramSettings) -> None:
    """Name the octaves' lowest A on the axis of bins."""
    frequency_hz = settings.bin_frequencies_hz()
    octaves = [(f"A{number}", 27.5 * 2**number) for number in range(9)]
    places = [
        (name, int(np.argmin(np.abs(np.log(frequency_hz / hz))))) for name, hz in octaves if hz <= frequency_hz[-1]
    ]
    axes.set_yticks([place for _, place in places], [name for name, _ in places])
    axes.set_ylabel("pitch")


def plot_pair(store: Store, pair: int, path: str | Path) -> None:
    """Draw one pair into a PNG (or PDF, SVG, by the path's ending).

    Left, the reference: all onsets of the score side as ticks under it, the target marked. Right, the snippet at the
    same scale of time, its centre marked.

    Raises
    ------
    ValueError
        If there is no such pair, or the path ends otherwise.
    FileNotFoundError
        If there is no folder for it.
    """
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"cannot draw {path}; expected a name that ends in {', '.join(ENDINGS)}")
    check_folder_of(path)
    sides = cut_pair(store, pair)
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, width_ratios=[6, 1.6], sharey=True)
    for axis, side in zip(axes, sides, strict=True):
        draw_side(axis, side, store.spectrogram, max(float(side.frames.max()) for side in sides))
    label_bins(axes[0], store.spectrogram)
    draw_onsets(axes[0], sides[0])
    instruments = [str(store.instruments["name"][side.instrument]) for side in sides]
    piece = int(store.performances["piece"][store.renditions["performance"][sides[0].rendition]])
    title, composer = str(store.pieces["title"][piece]), str(store.pieces["composer"][piece])
    # what strangers wrote is no formula
    figure.suptitle(f"{composer + ': ' if composer else ''}{title}  (pair {pair})", fontsize=11, parse_math=False)
    frame = store.pairs["target_frame"][pair]
    axes[0].set_title(
        f"reference, {instruments[0]}: target at {sides[0].mark_s:.3f} s (frame {frame:.2f})",
        fontsize=9,
        parse_math=False,
    )
    axes[1].set_title(f"snippet, {instruments[1]}", fontsize=9, parse_math=False)
    axes[0].set_xlabel("time in the reference (s); ticks at the bottom: onsets")
    axes[1].set_xlabel("time in the snippet (s)")
    figure.savefig(path, dpi=110)
