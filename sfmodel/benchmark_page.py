"""The benchmark as a page for people: tables, pictures, and the worst cases with what the method believed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.files import write_atomically
from sfdata.page import counted, document, paragraph, picture, table
from sfmodel import figures
from sfmodel.benchmark import Benchmark, Measured
from sfmodel.evaluation import EvaluationResult, open_method
from sfmodel.examples import Choice, draw_example, outcome_text, pair_facts
from sfmodel.follow_benchmark import following_cells
from sfmodel.tables import LABELS, PASSAGES, figure_text, interval_text, markdown_table

HTML_FILE, MARKDOWN_FILE, FIGURES_DIR = "benchmark.html", "benchmark.md", "figures"
COLUMNS = ("bucket1", "within_50ms", "within_100ms", "within_250ms", "beyond_500ms", "median_ms")
SHOWN = ("bucket1", "within_250ms")
WORST_CASES = 6
GROSS_MS = 500.0


def write_benchmark(found: Benchmark, output: str | Path, following: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write ``benchmark.html``, ``benchmark.md`` and the pictures.

    Parameters
    ----------
    found : Benchmark
    output : path
    following : sequence of dict
        What :func:`sfmodel.follow_benchmark.run_follow_benchmark` found, to stand on the same page.

    Returns
    -------
    Path
        The page.
    """
    output = Path(output)
    (output / FIGURES_DIR).mkdir(parents=True, exist_ok=True)
    for old in (output / FIGURES_DIR).glob("worst-*.png"):
        old.unlink()
    results = {entry.method.name: entry.result for entry in found.measured[: len(figures.COLOURS)]}
    pictures = {
        "hit-rates": figures.png_bytes(figures.hit_rates(results)),
        "errors": figures.png_bytes(figures.error_distribution(results)),
    }
    main = found.measured[0]
    captions = {}
    for number, choice in enumerate(worst_cases(main.result), start=1):
        name = f"worst-{number}"
        example = draw_example(
            choice, main.result, found.store, found.reader, main.method, open_method("matched-filter")
        )
        pictures[name] = figures.png_bytes(figures.example_pair(example))
        captions[name] = case_text(found, main.result, choice)
    for name, png in pictures.items():
        write_atomically(output / FIGURES_DIR / f"{name}.png", png)
    write_atomically(output / MARKDOWN_FILE, markdown(found).encode())
    write_atomically(output / HTML_FILE, page(found, pictures, captions, following).encode())
    return output / HTML_FILE


def worst_cases(result: EvaluationResult, count: int = WORST_CASES) -> list[Choice]:
    """Gross errors to look at: the surest ones, half of them where nothing repeats, from different pieces if possible.

    Parameters
    ----------
    result : EvaluationResult
    count : int
        At most so many.
    """
    gross = result.error_ms > GROSS_MS
    chosen: list[Choice] = []
    for repeated, most in ((False, count - count // 2), (True, count // 2)):
        left = np.flatnonzero(gross & ((result.lookalikes > 0) == repeated))
        left = left[np.argsort(-result.score[left], kind="stable")]
        pieces: set[int] = set()
        ranked: list[tuple[bool, int, int]] = []
        for index in left.tolist():  # one of each piece first, the surest before the others
            ranked.append((int(result.piece[index]) in pieces, len(ranked), index))
            pieces.add(int(result.piece[index]))
        reason = "in a passage that comes again" if repeated else "in a passage that comes once"
        chosen += [Choice(index, f"surely wrong {reason}") for *_, index in sorted(ranked)[:most]]
    return chosen


def case_text(found: Benchmark, result: EvaluationResult, choice: Choice) -> str:
    """What a worst case is, in words."""
    facts = pair_facts(found.store, int(result.rows[choice.index]))
    centre_s = float(found.store.pairs["snippet_centre_s"][result.rows[choice.index]])
    alike = int(result.lookalikes[choice.index])
    return (
        f"{choice.reason[0].upper()}{choice.reason[1:]}: {outcome_text(result, choice.index)}. {facts['piece']}, "
        f"{centre_s:.1f} s into the recording, played by {facts['snippet']}; the reference begins at {facts['time']}. "
        f"{counted(alike, 'other passage') if alike else 'No other passage'} of the reference "
        f"{'has' if alike < 2 else 'have'} the same notes."
    )


def overall_rows(found: Benchmark, part: str = "pooled") -> list[list[Any]]:
    """A row for each method: its figures with 95 % intervals."""
    rows = []
    for entry in found.measured:
        figures_of = entry.figures[part]
        intervals = figures_of.get("ci95") or entry.figures["ci95"]
        cells = [(figure_text(key, figures_of[key]), interval_text(key, intervals[key])) for key in COLUMNS]
        rows.append([entry.method.name, *cells])
    return rows


def part_rows(measured: list[Measured], part: str, key: str) -> list[list[str]]:
    """A row for each recording or instrument, a column for each method."""
    names = measured[0].figures[part]
    return [
        [
            name,
            f"{names[name]['pairs']:,}",
            *(figure_text(key, entry.figures[part][name][key]) for entry in measured),
        ]
        for name in names
    ]


def markdown(found: Benchmark) -> str:
    """All tables as Markdown."""
    parts = []
    heads = ["", *(LABELS[key] for key in COLUMNS)]
    for part, title in TITLES.items():
        if all(part in entry.figures for entry in found.measured):
            rows = [
                [row[0], *(f"{figure} ({interval})" for figure, interval in row[1:])]
                for row in overall_rows(found, part)
            ]
            parts.append(_titled_table(f"{title}: {pairs_text(found, part)}", heads, rows))
    methods = [entry.method.name for entry in found.measured]
    for part, title in (("instruments", "By instrument"), ("recordings", "By recording")):
        for key in SHOWN:
            rows = part_rows(found.measured, part, key)
            parts.append(_titled_table(f"{title}: {LABELS[key]}", ["", "pairs", *methods], rows))
    if found.skipped:
        parts.append("\n".join(f"Left out: {entry['source']}: {entry['reason']}" for entry in found.skipped) + "\n")
    return "\n".join(parts)


TITLES = {
    "pooled": "All pairs",
    "piecewise": "Mean over pieces",
    **{name: label[0].upper() + label[1:] for name, label in PASSAGES.items()},
}


def pairs_text(found: Benchmark, part: str) -> str:
    """How many pairs a table is about."""
    first = found.measured[0].figures
    held = first[part].get("pairs", first["pairs"])
    return f"{counted(held, 'pair')}, {counted(first['pieces'], 'piece')}"


def page(
    found: Benchmark,
    pictures: dict[str, bytes],
    captions: dict[str, str],
    following: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The page's HTML."""
    heads = ["", *(LABELS[key] for key in COLUMNS)]
    overall = "".join(
        table(
            heads,
            overall_rows(found, part),
            f"{title}: {pairs_text(found, part)}. Below each figure its 95 % interval, from resampling pieces.",
            numbers=True,
            stacked=True,
        )
        for part, title in TITLES.items()
        if all(part in entry.figures for entry in found.measured)
    )
    methods = [entry.method.name for entry in found.measured]
    parts = {
        part: "".join(
            table(["", "pairs", *methods], part_rows(found.measured, part, key), LABELS[key], numbers=True)
            for key in SHOWN
        )
        for part in ("instruments", "recordings")
    }
    drawn = picture(
        pictures["hit-rates"], "Hit rates", "Hit rates with 95 % intervals, from resampling pieces."
    ) + picture(
        pictures["errors"],
        "Errors",
        "Share of pairs whose error is no larger than the value below. Higher and further left is better.",
    )
    cost = table(
        ["", "pairs a second", "of the snippets' time"],
        [
            [name, f"{entry.figures['pairs_per_s']:,.0f}", f"{entry.figures['real_time_factor']:.5f}"]
            for name, entry in zip(methods, found.measured, strict=True)
        ],
        "Time that evaluating took here.",
        numbers=True,
    )
    main = found.measured[0].method.name
    worst = paragraph(
        f"What {main} gets grossly wrong, the surest cases first. Each picture shows the reference (dark is loud), the "
        "recorded snippet beside it on the same frequency axis, and below what is believed of each frame, and the "
        "matched filter's score. The solid line is where the snippet's onset truly lies, the dashed one where it was "
        "put."
    ) + "".join(picture(pictures[name], caption.split(". ")[0], caption) for name, caption in captions.items())
    skipped = "".join(paragraph(f"Left out: {e['source']}: {e['reason']}", "note") for e in found.skipped)
    first = found.measured[0].figures["pooled"]
    lead = (
        f"{counted(len(found.reader), 'pair')} from {counted(found.measured[0].figures['pieces'], 'piece')}: "
        f"{main} finds the nearest frame in {figure_text('bucket1', first['bucket1'])} and is more than half a second "
        f"off in {figure_text('beyond_500ms', first['beyond_500ms'])}."
    )
    sections = {
        "results": ("Results", overall + drawn + skipped),
        "instruments": ("By instrument", parts["instruments"]),
        "recordings": ("By recording", parts["recordings"]),
        "worst": ("Worst cases", worst),
        "cost": ("Cost", cost),
    }
    if following:
        heads, *rows = following_cells(following)
        told = "Share of onsets within so much of score time at the last report before them: means over recordings."
        followed = table(heads, rows, told + " In brackets 95 % intervals.", numbers=True, stacked=True)
        sections = {"following": ("Following whole recordings", followed)} | sections
    return document("Methods on recordings", lead, sections)


def _titled_table(title: str, heads: list[str], rows: list[list[str]]) -> str:
    return f"**{title}**\n\n{markdown_table(heads, rows)}\n"
