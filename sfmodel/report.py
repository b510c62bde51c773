"""The report on a run: one self-contained HTML page, and its pictures as PNG files beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.facts import data_html
from sfdata.files import write_atomically
from sfdata.page import counted, document, paragraph, picture, table
from sfdata.place import Place
from sfdata.reader import PairReader
from sfdata.schema import SPLITS
from sfdata.store import Store, open_store
from sfmodel import figures
from sfmodel.checkpoint import LOG_FILE, config_section, read_config
from sfmodel.evaluation import EvaluationResult, Method, evaluate, open_method
from sfmodel.examples import choose_examples, draw_example, outcome_text, pair_facts
from sfmodel.facts import settings_html
from sfmodel.metrics import ERRORS, RATES
from sfmodel.progress import read_log
from sfmodel.tables import LABELS, PASSAGES, figure_text, interval_text

REPORT_FILE, FIGURES_DIR = "report.html", "figures"
OTHER_SPLIT_PAIRS = 2000  # of the splits beside the one reported on: enough to see overfitting, and quick

Row = tuple[Any, ...]
REPORTED = ("matched-filter", "matched-filter-5")  # more would make the table too wide for a phone


@dataclass(frozen=True)
class Evaluations:
    """What the report tells about.

    Attributes
    ----------
    split : str
        The split reported on: ``test`` where it holds pairs.
    results : dict of str to dict of str to EvaluationResult
        Split, then method: ``network …`` first, then the baselines (on other splits only the plain matched filter).
    reader : PairReader
        Pairs of `split`.
    network, matched_filter : Method
    """

    split: str
    results: dict[str, dict[str, EvaluationResult]]
    reader: PairReader
    network: Method
    matched_filter: Method

    @property
    def main(self) -> dict[str, EvaluationResult]:
        """Results on the split reported on."""
        return self.results[self.split]


def write_report(
    run_dir: str | Path,
    store: str | Path | None = None,
    output_dir: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
) -> Path:
    """Evaluate a run and write its report: ``report.html``, and the pictures in ``figures/`` beside it.

    Parameters
    ----------
    run_dir : str or Path
        As made by ``sfmodel train``.
    store : str or Path, optional
        The store to evaluate on, a path or an address; by default the one that the run was trained on.
    output_dir : str or Path, optional
        Where to write; the run's folder by default.
    device : str
        Where the network computes.
    progress : bool
        Show progress bars on standard error.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileNotFoundError
        If run or store are missing.
    ValueError
        If run or store cannot be used, or don't fit each other.
    """
    run_dir = Path(run_dir)
    config = read_config(run_dir)
    path = store if store is not None else str(config_section(config, "store", run_dir).get("path", ""))
    if not path or not Place(path).exists():
        raise FileNotFoundError(
            f"the store that {run_dir} was trained on is no longer at {path}; give its place: "
            f"sfmodel report {run_dir} STORE"
            if store is None
            else f"no store at {path}"
        )
    opened = open_store(path)
    evaluations = evaluate_all(run_dir, opened, device, progress)
    pictures, captions = draw_pictures(run_dir, opened, evaluations)
    output_dir = run_dir if output_dir is None else Path(output_dir)
    (output_dir / FIGURES_DIR).mkdir(parents=True, exist_ok=True)
    # pictures of an earlier report, of which there may have been more, would be taken for this one's
    for old in (output_dir / FIGURES_DIR).glob("example-*.png"):
        old.unlink()
    for name, png in pictures.items():
        write_atomically(output_dir / FIGURES_DIR / f"{name}.png", png)
    page = write_page(run_dir, config, opened, evaluations, pictures, captions)
    write_atomically(output_dir / REPORT_FILE, page.encode())
    return output_dir / REPORT_FILE


def evaluate_all(run_dir: Path, store: Store, device: str = "auto", progress: bool = False) -> Evaluations:
    """Evaluate the run's network and the baselines on every split that holds pairs.

    Raises
    ------
    ValueError
        If the store holds no pairs at all, or the network doesn't fit it.
    """
    network = open_method(run_dir, device)
    baselines = {name: open_method(name) for name in REPORTED}
    held = [split for split in SPLITS if len(store.pair_rows(split))]
    if not held:
        raise ValueError(f"{store.path} holds no pairs; build a store with at least one")
    main = held[-1]
    results: dict[str, dict[str, EvaluationResult]] = {}
    for split in held:
        reader = PairReader(store, split)  # the last one, the main split's, stays for the examples
        chosen = baselines if split == main else {"matched-filter": baselines["matched-filter"]}
        methods = {network.description: network, **chosen}
        limit = None if split == main else OTHER_SPLIT_PAIRS
        results[split] = {
            name: evaluate(method, store, split, progress=progress, max_pairs=limit, reader=reader)
            for name, method in methods.items()
        }
    return Evaluations(main, results, reader, network, baselines["matched-filter"])


def draw_pictures(run_dir: Path, store: Store, evaluations: Evaluations) -> tuple[dict[str, bytes], dict[str, str]]:
    """Draw every picture of the report.

    Returns
    -------
    pictures : dict of str to bytes
        Name to PNG, in the order of the page; ``curves`` is missing where the run has no log yet.
    captions : dict of str to str
        Name to what it shows.
    """
    main = evaluations.main
    two = {name: result for name, result in main.items() if name != "matched-filter-5"}
    of_split = f"{counted(len(evaluations.reader), 'pair')} of the {evaluations.split} split"
    drawn = {
        "hit-rates": figures.hit_rates(main),
        "errors": figures.error_distribution(main),
        "distances": figures.distances(two),
        "distance-distribution": figures.distance_distribution(two),
    }
    captions = {
        "hit-rates": f"Hit rates on {of_split}, with 95 % intervals from resampling pieces. The network against the "
        "matched filter, which learns nothing: plain, and at five tempi.",
        "errors": f"Share of the {of_split} whose error is no larger than the value below. Higher and further left is "
        "better. Frames are "
        f"{1000 / evaluations.reader.frame_rate_hz:.3g} ms apart, so even the nearest one is up to half of that away, "
        "and a quarter in the mean.",
        "distances": f"Distance between prediction and truth for {of_split}, in the order of the pieces; below zero is "
        "too early. Corresponds to the paper's Figs. 4 and 7.",
        "distance-distribution": f"How the distances of the {of_split} are distributed: left all of them, in half "
        "seconds and on a logarithmic scale; right the nearest, frame by frame, in percent. Corresponds to the paper's "
        "Figs. 5 and 8.",
    }
    log = read_columns(run_dir)
    if log:
        drawn = {"curves": figures.training_curves(log, store.reference_frames), **drawn}
        captions["curves"] = (
            "Loss and hit rates after every epoch. Training figures are taken while the weights change, and with "
            "dropout where there is any, so they may lie below those of validation. Corresponds to the paper's "
            "Figs. 2, 3 and 6."
        )
    network, *others = main.values()
    for number, choice in enumerate(choose_examples(network, others[0]), start=1):
        example = draw_example(
            choice, network, store, evaluations.reader, evaluations.network, evaluations.matched_filter
        )
        name = f"example-{number}"
        drawn[name] = figures.example_pair(example)
        facts = pair_facts(store, int(network.rows[choice.index]))
        captions[name] = (
            f"{choice.reason[0].upper()}{choice.reason[1:]}: {outcome_text(network, choice.index)}. {facts['piece']}, "
            f"reference from {facts['time']} on; reference {facts['reference']}, snippet {facts['snippet']}. "
            f"{_lookalikes_text(int(network.lookalikes[choice.index]))} the same notes."
        )
    return {name: figures.png_bytes(figure) for name, figure in drawn.items()}, captions


def _lookalikes_text(count: int) -> str:
    if count == 0:
        return "No other passage of the reference has"
    return f"{counted(count, 'other passage')} of the reference {'has' if count == 1 else 'have'}"


def read_columns(run_dir: Path) -> dict[str, np.ndarray]:
    """Read the run's log as columns, NaN where a figure is missing; empty where there is no log or no epoch in it."""
    rows = read_log(run_dir) if (run_dir / LOG_FILE).exists() else []
    if not rows:
        return {}
    return {key: np.array([np.nan if row[key] is None else row[key] for row in rows], dtype=float) for key in rows[0]}


def write_page(
    run_dir: Path,
    config: Mapping[str, Any],
    store: Store,
    evaluations: Evaluations,
    pictures: Mapping[str, bytes],
    captions: Mapping[str, str],
) -> str:
    """Write the page's HTML."""

    def show(*names: str) -> str:
        return "".join(
            picture(pictures[name], captions[name].split(". ")[0], captions[name]) for name in names if name in pictures
        )

    examples = [name for name in pictures if name.startswith("example-")]
    explanation = paragraph(
        "Each picture shows a reference as the paper's Fig. 1 does (dark is loud), the snippet beside it on the same "
        "frequency axis, and below it the network's belief in each frame and the matched filter's score. The solid "
        "line is where the snippet's onset truly lies, the dashed one where the network puts it."
    )
    sections = {
        "results": ("Results", results_html(evaluations) + show("hit-rates")),
        "training": ("Training", show("curves") or paragraph("This run has no log of its epochs.")),
        "errors": ("Errors", show("errors", "distances", "distance-distribution")),
        "examples": ("Examples", explanation + show(*examples)),
        "settings": ("Settings of the run", settings_html(config)),
        "data": ("Data", data_html(store)),
    }
    return document(f"Report on {run_dir.resolve().name}", lead_text(store, evaluations), sections)


def lead_text(store: Store, evaluations: Evaluations) -> str:
    """Say in two sentences how good the network is, and how good no network."""
    network, matched_filter = list(evaluations.main.values())[:2]

    def share(result: EvaluationResult) -> str:
        interval = interval_text("bucket1", result.metrics["ci95"]["bucket1"])
        return f"{figure_text('bucket1', result.metrics['bucket1'])} (95 % interval {interval})"

    pairs, pieces = (
        counted(network.metrics["pairs"], f"{evaluations.split} pair"),
        counted(network.metrics["pieces"], "piece"),
    )
    return (
        f"On {pairs} from {pieces} of {store.place.name}, the {evaluations.network.description} finds the nearest "
        f"frame in {share(network)}. The matched filter, which learns nothing, finds it in {share(matched_filter)}."
        + (
            ""
            if evaluations.split == "test"
            else " The store holds no test pairs: these had a part in training the network."
        )
    )


def results_html(evaluations: Evaluations) -> str:
    """Tables: all figures of all methods on the main split, and hit rates on every split."""
    main = {name: result.metrics for name, result in evaluations.main.items()}
    first = next(iter(main.values()))

    def cell(key: str, metrics: Mapping[str, Any]) -> tuple[str, str]:
        return figure_text(key, metrics[key]), interval_text(key, metrics["ci95"][key])

    rows: list[Row] = [(LABELS[key], *(cell(key, metrics) for metrics in main.values())) for key in (*RATES, *ERRORS)]
    for part, label in PASSAGES.items():
        if "repeated" in first and part in first:
            heading = f"bucket 1, {label} ({counted(first[part]['pairs'], 'pair')})"
            rows.append((heading, *(cell("bucket1", metrics[part]) for metrics in main.values())))
    count = f"{counted(first['pairs'], 'pair')} of {counted(first['pieces'], 'piece')}"
    html = table(
        ["", *main],
        rows,
        f"Split {evaluations.split}: {count}. Below each figure its 95 % interval, from resampling pieces.",
        numbers=True,
    )
    if first["pieces"] < 10:
        html += paragraph(
            f"With only {counted(first['pieces'], 'piece')} to resample, the intervals are too narrow rather than too "
            "wide.",
            "note",
        )
    splits = evaluations.results
    accuracy: list[Row] = [("pairs evaluated", *(f"{_first(splits[split])['pairs']:,}" for split in splits))]
    for method in _shared(splits):
        for key in ("bucket1", "bucket2"):
            cells = [cell(key, splits[split][method].metrics) for split in splits]
            accuracy.append((f"{method}, {LABELS[key].split(' (')[0]}", *cells))
    return html + table(
        ["", *splits],
        accuracy,
        "Hit rates by split, in evaluation mode: training far above test is overfitting. The training and validation "
        "splits are sampled evenly where they are large.",
        numbers=True,
    )


def _first(results: Mapping[str, EvaluationResult]) -> dict[str, Any]:
    return next(iter(results.values())).metrics


def _shared(splits: Mapping[str, Mapping[str, EvaluationResult]]) -> list[str]:
    """Methods that were evaluated on every split."""
    first, *others = splits.values()
    return [name for name in first if all(name in results for results in others)]
