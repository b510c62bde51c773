"""Words and tables of the page about the paper."""

from collections.abc import Mapping, Sequence

import numpy as np

from sfmodel.comparison import spread
from sfmodel.metrics import bucket_hits
from sfmodel.paper import LAST_EPOCHS, Run, Sweep, read_predictions
from sfmodel.tables import markdown_table, spread_text

STAND_IN = "StandIn"  # how the recipes' codes of stand-ins begin
INTRODUCTION = """
# The paper's experiments, made again

"Towards audio based score following" (Ostermaier, Wiedenmann, Bayani; TU Berlin) trains a network with two stacks to
find a snippet of 1.35 s in a reference of 12 s. Neither its code nor its exact data were published, so what follows is
not its data but its experiments: the same subsets of MAPS, the same kinds of network, the training regimes as it prints
them, and its numbers beside ours.

The paper does not say how wide its layers are, which optimiser it used, how its data were split, whether reference and
snippet were cut from one recording, or how references were placed. Chosen here: the widths in `sfmodel.architectures`
(in Table III a hidden layer of 256 units), Adam, splits by onset (and, to compare, by recording or piece), one
recording on both sides for MAPS, as it speaks of one piano at a time, and for each onset one reference that the store
pins, out of those that begin every 3 s. Weights are those of the epoch with the lowest validation loss. Where MAPS is
not at hand (it may not be handed on), stand-ins take the place of its two pianos: two presets of TimGM6mb, one in an
artificial church ([maps.md](maps.md)).
"""


def percent(value: float | None, digits: int = 1) -> str:
    """Write a rate in percent, without the sign.

    Examples
    --------
    >>> percent(0.8349), percent(0.83, 0), percent(None)
    ('83.5', '83', '–')
    """
    return "–" if value is None else f"{100 * value:.{digits}f}"


def percent_spread(values: Sequence[float], factor: int = 100) -> str:
    """Write the mean of several seeds, and the lowest and highest; rates in percent, or counts as they are.

    Examples
    --------
    >>> percent_spread([0.5, 0.75]), percent_spread([20, 31], 1), percent_spread([])
    ('62.5 (50.0–75.0)', '26 (20–31)', '–')
    """
    return spread_text(spread(values), percent=factor == 100) if len(values) else "–"


def ended_text(run: Run) -> str:
    """Tell how long a training lasted, whether it was cut short, and where it was going."""
    log = run.log()
    text = f"Trained for {run.epochs} epochs in {run.seconds / 60:.0f} minutes on {_threads(run)}"
    if run.cut_short:
        asked = f"its experiment asks for {round(run.epochs_allowed / run.length)}"
        text += f": **cut short**, {asked}. "
    else:
        text += f", of at most {run.epochs_allowed}; ended by {run.ended}. "
    last = min(LAST_EPOCHS, run.epochs)
    if last >= 2:
        words = []
        for key, part in (("train_loss", "training"), ("validation_loss", "validation")):
            losses = log[key][-last:]
            if np.isfinite(losses).all():  # a store without pairs for validation leaves its figures out
                trend = np.polyfit(np.arange(last), losses, 1)[0]
                verb = "still falling" if trend < 0 else "no longer falling"
                words.append(f"the loss on the {part} was {verb} ({trend:+.3f} an epoch)")
        text += f"Over the last {last} epochs {' and '.join(words)}. "
    return text + f"The weights are those of epoch {run.best_epoch}."


def kinds_table(runs: Sequence[Run]) -> str:
    """Accuracy on the test by kind of recording, over the seeds of one setting."""
    hits: dict[str, list[list[float]]] = {}
    for run in runs:
        found = read_predictions(run, run.store, "test")
        if found is None:
            continue
        result, titles = found
        right, _ = bucket_hits(result.predicted_frame, result.target_frame)
        kinds = np.array([" ".join(title.split()[:2]) for title in titles])
        for kind in sorted(set(kinds)):
            chosen = kinds == kind
            hits.setdefault(kind, []).append([float(right[chosen].mean()), float(chosen.sum())])
    if not hits:
        return "No predictions were kept."
    rows = [
        [kind, f"{values[0][1]:.0f}", percent_spread([rate for rate, _ in values])] for kind, values in hits.items()
    ]
    told = f"`{runs[0].name}`, split `{runs[0].store}`, seeds: {len(runs)}, by kind of recording (CH0.3: a scale with "
    told += "notes of 0.3 s, 54 s long; CH0.1: 19 s; CH0.05: 10 s; ST: a single staccato note):"
    return told + "\n\n" + markdown_table(["kind", "onsets in the test", "bucket 1, %"], rows)


def stores_table(sweeps: Mapping[str, Sweep]) -> str:
    """The stores: instruments, pieces, pairs."""
    rows: dict[str, list[str]] = {}
    for sweep in sweeps.values():
        for name, facts in sweep.document["stores"].items():
            pairs = " / ".join(f"{facts['pairs'][split]:,}" for split in ("train", "validation", "test"))
            instruments = ", ".join(facts["instruments"])
            rows[name] = [f"`{name}`", f"`{facts['recipe']}`", instruments, f"{facts['pieces']:,}", pairs]
    heads = ["store", "recipe", "instruments", "pieces", "pairs: train / validation / test"]
    return markdown_table(heads, list(rows.values()))


def maps_text(sweeps: Mapping[str, Sweep]) -> str:
    """Which of the stores made after MAPS hold MAPS, and which its stand-ins."""
    held: dict[str, bool] = {}
    for sweep in sweeps.values():
        for name, facts in sweep.document["stores"].items():
            if str(facts["recipe"]).startswith("paper-maps"):
                held[name] = not any(str(code).startswith(STAND_IN) for code in facts["instruments"])
    parts = []
    for real, told in ((True, "MAPS's own recordings"), (False, "stand-ins, **not MAPS itself**")):
        names = [f"`{name}`" for name in sorted(held) if held[name] is real]
        if names:
            parts.append(f"{', '.join(names)} {'holds' if len(names) == 1 else 'hold'} {told}")
    return f"Here {'; '.join(parts)}." if parts else ""


def provenance_table(sweeps: Mapping[str, Sweep]) -> str:
    """Every run: where it lies, how it ended, how long it took; and the software."""
    rows = []
    for sweep in sweeps.values():
        for run in sweep.runs:
            ended = {"patience": "patience", "epochs": "all epochs", "time": "out of time"}.get(run.ended, run.ended)
            figures = [percent(run.rate(split)) for split in ("train", "test")]
            rows.append(
                [
                    f"{sweep.name}: {run.store}/{run.name}/seed-{run.seed}",
                    f"{run.epochs} ({ended})",
                    str(run.best_epoch),
                    *figures,
                    f"{run.parameters:,}",
                    f"{run.seconds:.0f}",
                ]
            )
    first = next(iter(sweeps.values()))
    versions = ", ".join(f"{name} {value}" for name, value in first.runs[0].config()["software"].items())
    heads = ["run", "epochs", "best", "train, %", "test, %", "parameters", "seconds"]
    return (
        f"{len(rows)} trainings; the folder of each holds `config.json`, `log.csv`, weights and predictions. Software: "
        f"{versions}.\n\n<details><summary>All trainings</summary>\n\n" + markdown_table(heads, rows) + "\n\n</details>"
    )


def _threads(run: Run) -> str:
    count = int(run.config()["software"].get("threads", 1))
    return f"{count} thread{'s' * (count > 1)} of a processor"
