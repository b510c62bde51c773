"""Commands that hand data on: share a store with all it needs, export it to other forms, pull what others share."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sfdata.cli.group import JSON, OUTPUT, STORE, main
from sfdata.progress import progress_bar

NAME = click.option("--name", default="", help="Of the dataset.  [default: the store's]")
NONCOMMERCIAL = click.option(
    "--allow-noncommercial", is_flag=True, help="Also with parts that may not be used commercially."
)


def _finish(result: Any, as_json: bool, more: str = "") -> None:
    """Print what was made to be handed on, and under which licences."""
    if as_json:
        click.echo(json.dumps(asdict(result)))
        return
    click.echo(f"wrote {result.folder}: {result.files} files, {result.bytes / 1e6:,.1f} MB{more}")
    click.echo(f"licences: {', '.join(result.licences)}")
    for remark in result.remarks:
        click.echo(f"note: {remark}")


@main.command()
@STORE
@click.option("-o", "--output", help="The folder to make.", **OUTPUT)
@NAME
@NONCOMMERCIAL
@click.option("--audio", is_flag=True, help="Add FLACs of the renditions with their notes.")
@click.option("--date", default="", help="Of publishing, such as 2026-11-25.  [default: today]")
@click.option("--overwrite", is_flag=True, help="Replace a folder that was shared before.")
@JSON
def share(store: str, output: Path, as_json: bool, **options: Any) -> None:
    """Make a store ready to be handed on.

    Writes the store as one zip file, a dataset card, Croissant and mirdata metadata, licences and credits, how to cite
    and how to build it again, and checksums of it all. Refuses where a licence forbids it.

    Example: sfdata share store.zarr -o shared/
    """
    from sfdata.share import share as hand_on

    with progress_bar() as progress:
        result = hand_on(store, output, progress=progress, **options)
    _finish(result, as_json)


@main.command()
@STORE
@click.option("-o", "--output", help="The folder to make.", **OUTPUT)
@click.option("--to", required=True, type=click.Choice(["webdataset", "jams", "datasets"]), help="The form to write.")
@click.option(
    "--shard-pairs", type=click.IntRange(1), default=2048, show_default=True, help="Pairs in a file, at most."
)
@click.option("--seed", type=click.IntRange(0), help="Shuffle pairs by this seed.  [default: the store's order]")
@NAME
@NONCOMMERCIAL
@click.option("--overwrite", is_flag=True, help="Replace a folder that was exported before.")
@JSON
def export(
    store: str, output: Path, as_json: bool, to: str, shard_pairs: int, seed: int | None, **options: Any
) -> None:
    """Write a store in a form that others read.

    webdataset: tar files of pairs. datasets: Parquet files of pairs, for Hugging Face's datasets, pandas and others.
    jams: the notes of each rendition, and the pairs it is part of. Licences and credits go along; refuses where a
    licence forbids it.

    Example: sfdata export store.zarr -o exported/ --to webdataset
    """
    from sfdata.export import ExportSettings
    from sfdata.export import export as write

    with progress_bar() as progress:
        result = write(store, output, ExportSettings(to, shard_pairs, seed), progress=progress, **options)
    pairs = ", ".join(f"{split} {count}" for split, count in result.pairs.items())
    _finish(result, as_json, f"; pairs: {pairs}")


@main.command()
@click.argument("source")
@click.option("-o", "--output", help="The folder to make.", **OUTPUT)
@JSON
def pull(source: str, output: Path, as_json: bool) -> None:
    """Fetch what others share, and check it.

    SOURCE is a folder, an http(s) address of one, hf://datasets/OWNER/NAME, or doi:… of a Zenodo record. Called again,
    it goes on where it broke off.

    Example: sfdata pull https://example.org/shared/ -o pulled/
    """
    from sfdata.pull import pull as fetch

    with progress_bar() as progress:
        result = fetch(source, output, progress)
    if as_json:
        click.echo(json.dumps(asdict(result)))
        return
    click.echo(
        f"wrote {result.folder}: {result.files} files, all as listed; {result.fetched_bytes / 1e6:,.1f} MB fetched, "
        f"{result.kept_bytes / 1e6:,.1f} MB were there"
    )
    for store in result.stores:
        click.echo(f"store: {store}")
