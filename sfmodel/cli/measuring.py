"""Commands that measure methods and report on runs."""

import json
from pathlib import Path

import click

from sfdata.cli import JSON
from sfdata.progress import progress_bar
from sfmodel.cli.group import device_option, main, soundfont_option


@main.command()
@click.argument("method", metavar="RUN_DIR|NAME")
@click.argument("store")
@click.option("--split", default="test", show_default=True, help="train, validation, test or all.")
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write target, prediction and error of every pair as CSV.",
)
@device_option
@JSON
def evaluate(method: str, store: str, split: str, predictions: Path | None, device: str, as_json: bool) -> None:
    """Measure a trained network, or a classic method, on the pairs of STORE.

    Hit rates and errors, each with a 95 % interval from resampling pieces. 'bundled' is the trained network that
    ships; 'sfmodel models' lists the classic methods.

    Example: sfmodel evaluate bundled demo.zarr
    """
    from sfdata.files import check_folder_of
    from sfdata.store import open_store
    from sfmodel.evaluation import evaluate as evaluate_method
    from sfmodel.evaluation import write_predictions
    from sfmodel.tables import metrics_text

    check_folder_of(predictions)
    opened = open_store(store)
    result = evaluate_method(method, opened, split, device, progress=not as_json)
    if predictions is not None:
        write_predictions(predictions, result, opened)
    click.echo(json.dumps(result.metrics, indent=2) if as_json else metrics_text(result.metrics))


@main.command()
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("performance", type=click.Path(path_type=Path))
@click.option("--at", "at_s", type=float, multiple=True, required=True, help="Seconds into PERFORMANCE; repeatable.")
@click.option("--model", default="bundled", show_default=True, help="bundled, or a run's folder or weights.")
@soundfont_option
@device_option
@JSON
def predict(
    reference: Path,
    performance: Path,
    at_s: tuple[float, ...],
    model: str,
    soundfont: str,
    device: str,
    as_json: bool,
) -> None:
    """Tell where in REFERENCE moments of PERFORMANCE lie.

    Each is MIDI, which is rendered first, or sound. The network hears 1.35 s about each moment, and nothing else:
    where the piece repeats itself it cannot know which time it is, and says so in its confidence.

    Example: sfmodel predict score.mid performance.flac --at 12.5 --at 20
    """
    from sfmodel.locating import load_locator

    places = load_locator(model, device).locate(reference, performance, at_s, soundfont)
    if as_json:
        rows = [
            {
                "performance_time_s": place.at_s,
                "reference_time_s": round(place.time_s, 4),
                "confidence": round(place.confidence, 4),
                "others": [{"reference_time_s": round(t, 4), "confidence": round(c, 4)} for t, c in place.others],
            }
            for place in places
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for place in places:
        others = "".join(f"; or {time_s:.2f} s ({confidence:.0%})" for time_s, confidence in place.others)
        click.echo(f"{place.at_s:.2f} s -> {place.time_s:.2f} s ({place.confidence:.0%}){others}")


@main.command()
@click.argument("source", metavar="DIR|STORE", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder.")
@click.option(
    "--task",
    type=click.Choice(["all", "windows", "following", "edits"]),
    default="all",
    show_default=True,
    help="Find single snippets in 12 s, follow whole recordings, or both; or find back after edits ('sfdata edit').",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    help="For windows as for 'evaluate'; for following follow, follow-delayed, follow-hmm, online-dtw, "
    "oltw-dixon, oltw-arzt, align, offline-dtw; repeatable.  [default: all there are]",
)
@click.option("--split", default="test", show_default=True, help="Of a store; of recordings all are taken.")
@device_option
@JSON
def benchmark(
    source: Path, output: Path, task: str, methods: tuple[str, ...], split: str, device: str, as_json: bool
) -> None:
    """Measure every method on a folder of recordings; or on a store, in which only windows can be measured.

    DIR holds a folder for each recording, as 'sfdata import aligned' reads them: sound, score, alignment. Writes
    benchmark.json, benchmark.md, and benchmark.html, one page with tables, pictures and the worst cases; and
    following.json and following.md, or edits.json and edits.md.

    Example: sfmodel benchmark recordings/ -o benchmark/
    """
    from sfmodel.benchmark import methods_asked, run_benchmark
    from sfmodel.benchmark_page import markdown, write_benchmark
    from sfmodel.edit_benchmark import edits_table, run_edit_benchmark
    from sfmodel.follow_benchmark import following_table, run_follow_benchmark

    if task == "edits":
        with progress_bar() as progress:
            rows = run_edit_benchmark(source, output, methods, progress=progress)
        click.echo(json.dumps(rows, indent=2) if as_json else edits_table(rows))
        return
    is_store = (source / "zarr.json").is_file()
    asked = methods_asked(task, methods, is_store)
    told, figures, text, skipped = [], [], [], []
    with progress_bar() as progress:
        if asked.windows is not None:
            found = run_benchmark(source, output, asked.windows, split, device, progress=progress, bars=not as_json)
            told, skipped = found.as_json(), found.skipped
        if asked.following is not None:
            followed = run_follow_benchmark(source, output, asked.following, progress=progress)
            figures, skipped = followed.figures, skipped or followed.skipped
            text.append(following_table(figures))
    if asked.windows is not None:
        text = [markdown(found), *text, str(write_benchmark(found, output, figures))]
    for entry in skipped:
        click.echo(f"left out: {entry['source']}: {entry['reason']}", err=True)
    click.echo(json.dumps(told + figures, indent=2) if as_json else "\n".join(text))


@main.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.argument("store", required=False)
@click.option(
    "-o",
    "--output",
    "output_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write into.  [default: RUN_DIR]",
)
@device_option
@JSON
def report(run_dir: Path, store: str | None, output_dir: Path | None, device: str, as_json: bool) -> None:
    """Write one HTML page about a run: curves, distances, hit rates against classic methods, examples.

    STORE is the one that the run was trained on unless given. The page needs no other file; its pictures also lie
    beside it as PNG files.

    Example: sfmodel report run
    """
    from sfmodel.report import write_report

    page = write_report(run_dir, store, output_dir, device, progress=not as_json)
    click.echo(json.dumps({"report": str(page)}) if as_json else str(page))
