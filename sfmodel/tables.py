"""Figures in words: how metrics are named and written, in the terminal and in the report."""

from collections.abc import Mapping
from typing import Any

from sfmodel.metrics import ERRORS, RATES

LABELS = {
    "bucket1": "bucket 1 (nearest frame)",
    "bucket2": "bucket 2 (one of two frames)",
    "within_50ms": "within 50 ms",
    "within_100ms": "within 100 ms",
    "within_250ms": "within 250 ms",
    "within_500ms": "within 500 ms",
    "beyond_500ms": "beyond 500 ms",
    "mean_ms": "mean error",
    "median_ms": "median error",
}
PASSAGES = {"unique": "unique passages", "repeated": "repeated passages"}


def figure_text(key: str, value: float) -> str:
    """Write a figure with its unit.

    Examples
    --------
    >>> figure_text("bucket1", 0.9784), figure_text("mean_ms", 1234.56)
    ('97.8 %', '1,235 ms')
    """
    if key not in ERRORS:
        return f"{100 * value:.1f} %"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def interval_text(key: str, interval: list[float]) -> str:
    """Write a 95 % interval without unit.

    Examples
    --------
    >>> interval_text("bucket1", [0.95, 0.9912])
    '95.0–99.1'
    """
    return "–".join(figure_text(key, bound).split()[0] for bound in interval)


def counted(count: int, singular: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "piece"), counted(1200, "pair")
    ('1 piece', '1,200 pairs')
    """
    return f"{count:,} {singular}{'' if count == 1 else 's'}"


def metrics_text(metrics: Mapping[str, Any]) -> str:
    """Write the figures of one method as a small table for the terminal.

    Parameters
    ----------
    metrics : mapping
        As :class:`sfmodel.evaluation.EvaluationResult` holds them.
    """
    pairs, pieces = counted(metrics["pairs"], "pair"), counted(metrics["pieces"], "piece")
    rows = [(LABELS[key], figure_text(key, metrics[key]), metrics["ci95"][key], key) for key in (*RATES, *ERRORS)]
    for name, label in PASSAGES.items():
        if "repeated" in metrics and name in metrics:
            part = metrics[name]
            heading = f"bucket 1, {label} ({part['pairs']:,})"
            rows.append((heading, figure_text("bucket1", part["bucket1"]), part["ci95"]["bucket1"], "bucket1"))
    wide = max(len(label) for label, *_ in rows)
    lines = [f"{metrics['method']} on split {metrics['split']}: {pairs} of {pieces}", ""]
    lines.append(f"{'':{wide}}  {'figure':>9}  95 % interval")
    lines += [f"{label:{wide}}  {figure:>9}  {interval_text(key, ci)}" for label, figure, ci, key in rows]
    if metrics["pieces"] == 1:
        lines += ["", "All pairs stem from one piece: the intervals, over pieces, say nothing."]
    return "\n".join(lines)
