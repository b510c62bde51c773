"""The page about the paper's experiments: its numbers and ours side by side, in Markdown, with pictures.

Every sentence about results is made from them, so the page says what was found, whatever that was.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sfdata.files import write_atomically
from sfmodel.comparison import difference
from sfmodel.paper import (
    BASE_RUN,
    EXPERIMENTS,
    GMP,
    ISOL,
    PRINTED_GMP_TEST,
    PRINTED_GMP_TRAIN,
    PRINTED_ISOL_CROSS,
    PRINTED_ISOL_EPOCHS,
    PRINTED_TABLE_3,
    TABLE_3,
    Sweep,
    rates,
    read_predictions,
    read_sweeps,
)
from sfmodel.paper_meaning import meaning_text
from sfmodel.paper_pictures import Pictures
from sfmodel.paper_text import (
    INTRODUCTION,
    ended_text,
    kinds_table,
    maps_text,
    percent,
    percent_spread,
    provenance_table,
    stores_table,
)
from sfmodel.tables import markdown_table

SPLITS = {"onset": "by onset", "scale": "by scale"}
OTHER_PIECES = "gmp-unseen"


def write_paper(directories: Sequence[str | Path], output: str | Path) -> Path:
    """Write the page; its pictures go into ``images/paper`` beside it.

    Parameters
    ----------
    directories : sequence of path
        Made by ``sfmodel sweep``, one for each of :data:`sfmodel.paper.EXPERIMENTS` or fewer.
    output : path
        The Markdown file.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError, ValueError
        If a folder holds no sweep of these, or a damaged one.
    """
    output = Path(output)
    sweeps = read_sweeps(directories)
    if not sweeps:
        raise ValueError(f"no folder given; expected one or more made by 'sfmodel sweep' of {', '.join(EXPERIMENTS)}")
    pictures = Pictures(output.parent, Path("images") / "paper")
    parts = [INTRODUCTION, *filter(None, [maps_text(sweeps)]), _how(sweeps)]
    for name, section in ((TABLE_3, _table_3), (ISOL, _isol), (GMP, _gmp)):
        if name in sweeps:
            parts.append(section(sweeps[name], pictures))
        else:
            parts.append(f"## {name}\n\nNot made yet: `sfmodel sweep pipelines/{name}.toml -o {name}`.")
    parts += [meaning_text(sweeps), "## Where the numbers come from", stores_table(sweeps), provenance_table(sweeps)]
    write_atomically(output, ("\n\n".join(part.strip("\n") for part in parts) + "\n").encode())
    return output


def _how(sweeps: dict[str, Sweep]) -> str:
    folders = {name: os.path.basename(sweep.directory.resolve()) for name, sweep in sweeps.items()}
    lines = []
    for name, sweep in sweeps.items():
        command = f"sfmodel sweep pipelines/{name}.toml -o runs/{folders[name]} --stores stores"
        lengths = sorted({run.length for run in sweep.runs}, reverse=True)
        if lengths == [1.0]:
            lines.append(command)
            continue
        for length in lengths:  # runs of one sweep may have been given different lengths
            names = dict.fromkeys(run.name for run in sweep.runs if run.length == length)
            only = "".join(f" --only {one}" for one in names)
            lines.append(command + only + (f" --length {length:g}" if length < 1 else ""))
    lines.append(f"sfmodel paper {' '.join(f'runs/{folder}' for folder in folders.values())} -o docs/paper.md")
    return (
        "This page was written by the last of these commands, from what the others left. With `--maps MAPS/` they use\n"
        "the real recordings; without, stand-ins (the table of stores below says which). Each goes on where it was\n"
        "stopped, and `--jobs N` makes N trainings at a time:\n\n```sh\n" + "\n".join(lines) + "\n```"
    )


def _table_3(sweep: Sweep, pictures: Pictures) -> str:
    names = [column.run for column in PRINTED_TABLE_3 if any(run.name == column.run for run in sweep.runs)]
    labels = {column.run: column.label for column in PRINTED_TABLE_3}
    parts = [
        "## Table III: the reduced network on chromatic scales and staccato notes",
        "Accuracy is bucket 1, the nearest frame, in percent; over seeds: mean (lowest–highest).",
    ]
    rows = []
    for column in PRINTED_TABLE_3:
        if column.run not in names:
            continue
        row = [column.label, "–" if column.epochs is None else str(column.epochs), percent(column.train, 0)]
        row.append(percent(column.test, 0))
        for store in SPLITS:
            runs = sweep.of(column.run, store)
            row += [str(len(runs)), percent_spread([run.epochs for run in runs], 1)]
            for split in ("train", "test"):
                row.append(percent_spread(rates(runs, split)))
            row.append(percent_spread(rates(runs, "test", "bucket2")))
        rows.append(row)
    matched = ["**matched filter**", "", "", ""]
    for store in SPLITS:
        found = sweep.baseline(store, "test")
        matched += ["", "", "", *(f"**{percent(found[key])}**" if found else "–" for key in ("bucket1", "bucket2"))]
    heads = ["", "paper: epochs", "train", "test"]
    for title in SPLITS.values():
        heads += [f"{title}: seeds", "epochs", "train", "test", "test, bucket 2"]
    parts.append(markdown_table(heads, [*rows, matched]))
    parts += [_shortened(sweep), _differences(sweep, names, labels), _flattery(sweep, names)]
    base = next((run for run in sweep.of(BASE_RUN, "onset")), None) or sweep.runs[0]
    parts.append("### What is learnt")
    parts += [kinds_table(runs) for store in SPLITS if (runs := sweep.of(base.name, store))]
    printed = {
        part: rate
        for column in PRINTED_TABLE_3
        for part, rate in (("training", column.train), ("test", column.test))
        if column.run == base.name and rate is not None
    }
    caption = f"Figure 2: {base.name}, {SPLITS.get(base.store, base.store)}"
    parts.append(pictures.curves("figure-2", base, caption, printed))
    return "\n\n".join(parts)


def _differences(sweep: Sweep, names: Sequence[str], labels: dict[str, str]) -> str:
    """Which columns differ from the first by more than seeds scatter."""
    lines = []
    for store, title in SPLITS.items():
        base = rates(sweep.of(BASE_RUN, store), "test")
        if len(base) < 2:
            lines.append(f"Split {title}: one training each, so no interval can be told.")
            continue
        hold: list[str] = []
        fall: list[str] = []
        for name in names:
            other = rates(sweep.of(name, store), "test")
            if name == BASE_RUN or not other:
                continue
            found = difference(other, base)
            text = f"{labels[name]} {100 * found.value:+.1f}"
            if np.isfinite(found.low):
                text += f" ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
            (hold if found.holds else fall).append(text)
        lines.append(
            f"Split {title}: seeds alone make {labels[BASE_RUN]} come out between {percent(min(base))} and "
            f"{percent(max(base))}. Differences of the test accuracy to it, in points, with 95 % intervals (Welch): "
            f"these hold: {'; '.join(hold) or 'none'}. These may be chance: {'; '.join(fall) or 'none'}."
        )
    return "\n\n".join(lines)


def _flattery(sweep: Sweep, names: Sequence[str]) -> str:
    """How much better a split by onset looks than one by scale."""
    found = []
    for name in names:
        onset, scale = (rates(sweep.of(name, store), "test") for store in SPLITS)
        if onset and scale:
            found.append(100 * (np.mean(onset) - np.mean(scale)))
    if not found:
        return "No run was made with both splits, so nothing can be said of how they compare."
    filters = [figures["bucket1"] for store in SPLITS if (figures := sweep.baseline(store, "test"))]
    return (
        "By scale, recordings are kept from training as a whole; by onset, single onsets of all of them. Test accuracy "
        f"by onset minus that by scale: {min(found):+.1f} to {max(found):+.1f} points, {np.mean(found):+.1f} in the "
        f"mean of {len(found)} settings"
        + (f"; for the matched filter {100 * (filters[0] - filters[1]):+.1f}." if len(filters) == 2 else ".")
    )


def _shortened(sweep: Sweep) -> str:
    """Name the trainings that did not get their length."""
    short = [f"{run.store}/{run.name}, seed {run.seed}: {run.epochs} epochs" for run in sweep.runs if run.cut_short]
    if not short:
        return f"All {len(sweep.runs)} trainings got the length that the experiment asks for."
    return f"**Cut short**, {len(short)} of {len(sweep.runs)} trainings: {'; '.join(short)}."


def _isol(sweep: Sweep, pictures: Pictures) -> str:
    own = sweep.stores[0]
    places = [
        ("train, by onset", "–", own, "train"),
        ("test, by onset", "–", own, "test"),
        ("another piano: scales, staccato", percent(PRINTED_ISOL_CROSS, 0), "onset", "all"),
    ]
    return _section("MAPS ISOL", sweep, f"more than {PRINTED_ISOL_EPOCHS}", places, pictures, 3, {})


def _gmp(sweep: Sweep, pictures: Pictures) -> str:
    own = sweep.stores[0]
    train, test = ("–".join(f"{100 * value:.0f}" for value in pair) for pair in (PRINTED_GMP_TRAIN, PRINTED_GMP_TEST))
    places = [
        ("train, by onset", train, own, "train"),
        ("test, by onset", test, own, "test"),
        ("three pieces never heard", "–", OTHER_PIECES, "test"),
    ]
    printed = {"training": PRINTED_GMP_TRAIN[1], "test": PRINTED_GMP_TEST[1]}
    return _section("GiantMIDI-Piano", sweep, "not told; some 100 in the first phase", places, pictures, 6, printed)


def _section(
    subject: str,
    sweep: Sweep,
    epochs: str,
    places: Sequence[tuple[str, str, str, str]],
    pictures: Pictures,
    first_figure: int,
    printed: Mapping[str, float],
) -> str:
    """An experiment with few trainings: what each reached in each place, and three figures."""
    runs = {run.name if run.seed == 0 else f"{run.name}, seed {run.seed}": run for run in sweep.runs}
    heads = ["bucket 1 (accuracy) / bucket 2, %", "paper", *(f"`{name}`" for name in runs), "matched filter"]
    rows = [["epochs", epochs, *(str(run.epochs) for run in runs.values()), ""]]
    for label, accuracy, store, split in places:
        filtered = sweep.baseline(store, split)
        ours = [
            " / ".join(percent(run.rate(split, store, key)) for key in ("bucket1", "bucket2")) for run in runs.values()
        ]
        rows.append([label, accuracy, *ours, percent(filtered["bucket1"]) if filtered else ""])
    parts = [f"## {subject}: the full network", markdown_table(heads, rows)]
    parts += [f"`{name}`: {ended_text(run)}" for name, run in runs.items()]
    figure = f"Figure {first_figure}"
    for name, run in runs.items():
        short = f"figure-{first_figure}" + ("" if run is sweep.runs[0] else f"-{run.name}-{run.seed}")
        parts.append(pictures.curves(short, run, f"{figure}: {subject}, `{name}`, loss and hit rates", printed))
    found = {f"{name}, test": read for name, run in runs.items() if (read := read_predictions(run, run.store, "test"))}
    if found:
        shown = {name: result for name, (result, _) in found.items()}
        parts.append(pictures.distances(f"figure-{first_figure + 1}", shown, f"Figure {first_figure + 1}: {subject}"))
        parts.append(
            pictures.distribution(f"figure-{first_figure + 2}", shown, f"Figure {first_figure + 2}: {subject}")
        )
    return "\n\n".join(parts)
