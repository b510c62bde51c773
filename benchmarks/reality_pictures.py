"""Pictures of how performances differ from scores."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sfdata.notes import EVENT_GRID_SAMPLES

HUMAN, TRANSCRIBED, OURS = "#2f6db5", "#8a8a8a", "#d9641e"
GRID_MS = 1000 * EVENT_GRID_SAMPLES / 22050  # a store's onsets lie on it: bins of other widths would beat with it
CURVES = ("BWV 862", "Op. 10, No. 9", "Op. 14", "K. 239", "D. 935", "D664, Mov. 2")
SHARES = {
    "missing_share": "missing",
    "wrong_share": "wrong key",
    "extra_share": "extra",
    "extra_repeat_share": "… repeated key",
    "extra_beside_share": "… key beside",
    "extra_trill_share": "… of a trill",
}
# sample, title, bins, whether the axis is logarithmic, ticks of a logarithmic axis
PANELS: tuple[tuple[str, str, Any, tuple[float, ...]], ...] = (
    ("tempo", "Local tempo / median of the piece", np.geomspace(0.35, 2.2, 60), (0.4, 0.5, 0.7, 1, 1.4, 2)),
    ("jitter_ms", "Chord against its neighbours, ms late", np.linspace(-120, 120, 61), ()),
    ("chord_range_ms", "First to last onset of a chord, ms", GRID_MS * (np.arange(0, 43, 2) - 0.5), ()),
    ("top_lead_ms", "Highest note before the others, ms", GRID_MS * (np.arange(-20, 29, 2) - 0.5), ()),
    ("held_ratio", "Key held / written length", np.geomspace(0.05, 8, 60), (0.05, 0.1, 0.25, 0.5, 1, 2, 4)),
    (
        "sounding_ratio",
        "Sounding (with pedal) / written length",
        np.geomspace(0.05, 20, 60),
        (0.1, 0.25, 0.5, 1, 2, 4, 10),
    ),
    ("velocity", "MIDI velocity", np.linspace(0, 127, 65), ()),
    ("pause_s", "Pauses: beyond local tempo by, s", np.linspace(0.3, 2.3, 21), ()),
)


def draw_human(human: Any, transcribed: Any, folder: Path) -> None:
    """Tempo curves, histograms and mistakes of human performances."""
    chosen = [place for key in CURVES for place, name in enumerate(human.names) if key in name][: len(CURVES)]
    _curves([("", human, chosen, HUMAN)], folder / "reality-tempo.png", "Tempo of six performances (MAESTRO)")
    groups = [("MAESTRO", human, HUMAN), ("GiantMIDI-Piano", transcribed, TRANSCRIBED)]
    _histograms(groups, folder / "reality-histograms.png", "Human performances against their scores")
    _mistakes(groups, folder / "reality-mistakes.png", "Notes otherwise than written, per note of the score")


def draw_comparison(human: Any, ours: Any, folder: Path) -> None:
    """Ours beside human: tempo curves, histograms and mistakes."""
    groups = [("human (MAESTRO)", human, HUMAN), ("ours", ours, OURS)]
    chosen = [place for key in CURVES[:3] for place, name in enumerate(human.names) if key in name][:3]
    drawn = _same_works(human, ours, chosen)
    _curves(
        [("human: ", human, chosen, HUMAN), ("ours: ", ours, drawn, OURS)],
        folder / "reality-ours-tempo.png",
        "Tempo: three human performances, three of ours",
    )
    _histograms(groups, folder / "reality-ours-histograms.png", "Ours and human performances against their scores")
    _mistakes(groups, folder / "reality-ours-mistakes.png", "Notes otherwise than written, per note of the score")


def _same_works(human: Any, ours: Any, chosen: list[int]) -> list[int]:
    """Ours of the same scores, or, where there are none, as many others of middling length."""
    same = [ours.score_files.index(human.score_files[i]) for i in chosen if human.score_files[i] in ours.score_files]
    if len(same) == len(chosen):
        return same
    by_length = np.argsort([len(sample["tempo_octaves"]) for sample in ours.samples], kind="stable")
    return [int(i) for i in by_length[np.linspace(0, len(by_length) - 1, len(chosen) + 2).astype(int)[1:-1]]]


def _curves(groups: list[tuple[str, Any, list[int], str]], path: Path, title: str) -> None:
    entries = [(prefix, group, place, colour) for prefix, group, places, colour in groups for place in places]
    rows = -(-len(entries) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(11, 1.9 * rows + 0.7), sharey=True, squeeze=False)
    order = [axes[i // 2][i % 2] for i in range(len(entries))]
    if len(groups) == 2:  # one column each
        order = [axes[i % rows][i // rows] for i in range(len(entries))]
    for axis, (prefix, group, place, colour) in zip(order, entries, strict=True):
        sample = group.samples[place]
        axis.axhline(1, color="#bbbbbb", linewidth=0.8)
        axis.plot(sample["tempo_time_s"], 2 ** sample["tempo_octaves"], color=colour, linewidth=1.0)
        axis.set_title(prefix + _short(group.names[place]), fontsize=10, loc="left")
        _log_axis(axis.yaxis, axis.set_yscale, (0.4, 0.6, 0.8, 1, 1.25, 1.6, 2))
        axis.set_ylim(0.35, 2.2)
        axis.margins(x=0.01)
        _plain(axis)
    for row in axes:
        row[0].set_ylabel("tempo / median")
    for axis in axes[-1]:
        axis.set_xlabel("time in the score, s")
    _save(figure, path, title)


def _histograms(groups: list[tuple[str, Any, str]], path: Path, title: str) -> None:
    figure, axes = plt.subplots(4, 2, figsize=(11, 11))
    for axis, (name, label, bins, ticks) in zip(axes.flat, PANELS, strict=True):
        centres = np.sqrt(bins[1:] * bins[:-1]) if ticks else (bins[1:] + bins[:-1]) / 2
        for number, (group_label, group, colour) in enumerate(groups):
            heights = _mean_histogram(group, name, bins)
            if number == 0:
                axis.fill_between(centres, heights, step="mid", color=colour, alpha=0.25, linewidth=0)
            axis.step(centres, heights, where="mid", color=colour, linewidth=1.6, label=group_label)
        axis.set_title(label, fontsize=10, loc="left")
        if ticks:
            _log_axis(axis.xaxis, axis.set_xscale, ticks)
        axis.set_xlim(bins[0], bins[-1])
        axis.set_ylim(bottom=0)
        axis.set_yticks([])
        _plain(axis)
        axis.spines["left"].set_visible(False)
    axes.flat[0].legend(frameon=False, fontsize=10)
    _save(figure, path, f"{title} (each piece counts the same)")


def _mistakes(groups: list[tuple[str, Any, str]], path: Path, title: str) -> None:
    figure, axis = plt.subplots(figsize=(9, 4.6))
    rng = np.random.default_rng(0)  # only spreads the dots
    height = 0.8 / len(groups)
    for place, name in enumerate(SHARES):
        for number, (label, group, colour) in enumerate(groups):
            values = 100 * group.statistics[name]
            values = values[~np.isnan(values)]
            at = -place - (number - (len(groups) - 1) / 2) * height
            spread = rng.uniform(-0.3, 0.3, len(values)) * height
            axis.scatter(
                np.maximum(values, 0.03),
                at + spread,
                s=11,
                color=colour,
                alpha=0.55,
                linewidths=0,
                label=label if place == 0 else None,
            )
            middle = max(float(np.median(values)), 0.03)
            axis.plot([middle, middle], [at - 0.42 * height, at + 0.42 * height], color=colour, linewidth=2.5)
    axis.set_yticks(-np.arange(len(SHARES)), list(SHARES.values()))
    _log_axis(axis.xaxis, axis.set_xscale, (0.03, 0.1, 0.3, 1, 3, 10, 30))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "≤ 0.03 %" if value < 0.04 else f"{value:g} %"))
    axis.set_xlim(0.025, 40)
    axis.legend(frameon=False, fontsize=10, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, markerscale=1.8)
    axis.tick_params(axis="y", length=0)
    _plain(axis)
    _save(figure, path, f"{title}: one dot a piece, bar at the median")


def _mean_histogram(group: Any, name: str, bins: np.ndarray) -> np.ndarray:
    """Mean over pieces of the part of their values in each bin."""
    parts = []
    for sample in group.samples:
        values = 2 ** sample["tempo_octaves"] if name == "tempo" else sample[name]
        values = values[~np.isnan(values)]
        if len(values):
            parts.append(np.histogram(values, bins)[0] / len(values))
    return np.mean(parts, axis=0) if parts else np.zeros(len(bins) - 1)


def _log_axis(axis: Any, set_scale: Any, ticks: tuple[float, ...]) -> None:
    set_scale("log")
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _plain(axis: Axes) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(labelsize=9)


def _short(name: str) -> str:
    return name if len(name) <= 52 else name[:51] + "…"


def _save(figure: Any, path: Path, title: str) -> None:
    figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
