"""Commands that measure methods and report on runs."""

import json
from pathlib import Path

import click

from sfdata.cli import JSON
from sfmodel.cli.group import device_option, main


@main.command()
@click.argument("method", metavar="RUN_DIR|BASELINE")
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

    Hit rates and errors, each with a 95 % interval from resampling pieces. 'sfmodel models' lists the classic methods.

    Example: sfmodel evaluate matched-filter demo.zarr
    """
    from sfdata.store import open_store
    from sfmodel.evaluation import evaluate as evaluate_method
    from sfmodel.evaluation import write_predictions
    from sfmodel.tables import metrics_text

    if predictions is not None and not predictions.absolute().parent.is_dir():
        raise ValueError(f"cannot write {predictions}: there is no folder {predictions.parent}")
    opened = open_store(store)
    result = evaluate_method(method, opened, split, device, progress=not as_json)
    if predictions is not None:
        write_predictions(predictions, result, opened)
    click.echo(json.dumps(result.metrics, indent=2) if as_json else metrics_text(result.metrics))


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
