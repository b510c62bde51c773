"""Figures in words: how metrics are named and written, in the terminal and in the report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sfdata.page import counted
from sfmodel.comparison import Spread, difference, spread
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


def markdown_row(cells: Iterable[str]) -> str:
    """Write a row of a table in Markdown.

    Examples
    --------
    >>> markdown_row(["a", "1"])
    '| a | 1 |'
    """
    return "| " + " | ".join(cells) + " |"


def markdown_table(heads: Sequence[str], rows: Iterable[Iterable[str]], text_columns: int | None = None) -> str:
    """Write a table in Markdown, without a line's end behind it.

    Parameters
    ----------
    heads : sequence of str
    rows : iterable of iterables of str
    text_columns : int, optional
        How many columns, from the left, hold words; numbers stand in the others, set right. All by default.

    Examples
    --------
    >>> print(markdown_table(["a", "b"], [["one", "2"]], text_columns=1))
    | a | b |
    |---|---:|
    | one | 2 |
    """
    words = len(heads) if text_columns is None else text_columns
    under = "|---" * words + "|---:" * (len(heads) - words) + "|"
    return "\n".join([markdown_row(heads), under, *map(markdown_row, rows)])


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


def spread_text(found: Spread, percent: bool = True) -> str:
    """Write a mean, and lowest and highest of several.

    Examples
    --------
    >>> spread_text(Spread(3, 0.75, 0.25, 0.5, 1.0)), spread_text(Spread(1, 40.0, 0.0, 40.0, 40.0), percent=False)
    ('75.0 (50.0–100.0)', '40')
    """
    factor, digits = (100, 1) if percent else (1, 0)
    mean, low, high = (f"{value * factor:.{digits}f}" for value in (found.mean, found.lowest, found.highest))
    return mean if found.count == 1 else f"{mean} ({low}–{high})"


def sweep_text(result: Any) -> str:
    """Write the results of a sweep as a table for the terminal: a row for each run, over its seeds.

    Parameters
    ----------
    result : sfmodel.sweep.SweepResult
    """
    heads = ("run", "seeds", "epochs", "bucket-1 train, %", "bucket-1 test, %", "bucket-2 test, %", "against the first")
    rows: list[tuple[str, ...]] = [heads]
    groups: dict[tuple[str, str], list[Any]] = {}
    for run in (entry for entry in result.results if entry["evaluations"]):
        groups.setdefault((run["store"], run["name"]), []).append(run)
    first: dict[str, list[float]] = {}
    for (store, name), runs in groups.items():
        figures = {split: [_on(run, store, split) for run in runs] for split in ("train", "test")}
        test = [entry["bucket1"] for entry in figures["test"]]
        base = first.setdefault(store, test)
        found = difference(test, base)
        compared = "" if test is base else f"{100 * found.value:+.1f}" + (" holds" if found.holds else "")
        rows.append(
            (
                f"{store}/{name}",
                str(len(runs)),
                spread_text(spread([run["epochs"] for run in runs]), percent=False),
                spread_text(spread([entry["bucket1"] for entry in figures["train"]])),
                spread_text(spread(test)),
                spread_text(spread([entry["bucket2"] for entry in figures["test"]])),
                compared,
            )
        )
    for entry in result.baselines:
        cells = (figure_text(key, entry[key]).split()[0] for key in ("bucket1", "bucket2"))
        rows.append((f"{entry['store']}/{entry['method']}, {entry['split']}", "", "", "", *cells, ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"failed: {title}: {reason}" for title, reason in result.failed.items()]
    lines += [f"not made: {title} (interrupted, or another sweep is at it)" for title in result.left]
    return "\n".join(lines)


def _on(run: Mapping[str, Any], store: str, split: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        entry for entry in run["evaluations"] if (entry["store"], entry["split"]) == (store, split)
    )
    return found
