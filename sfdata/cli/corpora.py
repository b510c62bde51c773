"""Commands that read recordings with annotations."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sfdata.cli.group import (
    INPUT_FOLDER,
    JSON,
    OUTPUT,
    OVERWRITE,
    SEED,
    STRICT,
    WORKERS,
    finish_build,
    listed,
    main,
    recipe_option,
    seeded_recipe,
)
from sfdata.progress import progress_bar


@main.group("import")
def import_group() -> None:
    """Recordings with annotations become the same kind of store."""


@import_group.command("maps")
@click.argument("folder", metavar="DIR", type=INPUT_FOLDER)
@click.option("-o", "--output", help="The store to write.", **OUTPUT)
@click.option(
    "--references",
    help="A soundfont preset that plays the annotations, or the code of a recorded instrument.  [default: timgm6mb:0]",
)
@click.option("--snippets", help="Codes of recorded instruments, with commas.  [default: all others]")
@click.option("--subsets", help="Such as ISOL/CH,ISOL/ST or ISOL,MUS.  [default: all]")
@click.option("--split", help="train, validation, test; shares, as [splits] say; items, by name.  [default: test]")
@click.option("--lead", "lead_s", type=float, nargs=2, help="Shortest and longest silence before an item, in seconds.")
@click.option("--licence", help="In place of MAPS's own.")
@click.option("--attribution", help="In place of MAPS's own.")
@recipe_option("Its [maps] (options above go before it), spectrogram, windows, splits, store.")
@SEED
@WORKERS
@OVERWRITE
@JSON
@STRICT
def import_maps_command(
    folder: Path,
    output: Path,
    recipe_path: Path | None,
    seed: int | None,
    as_json: bool,
    strict: bool,
    workers: int | None,
    overwrite: bool,
    **chosen: Any,
) -> None:
    """Build a store from MAPS, any part of it, or a set like it ('sfdata isol').

    Recordings of the same music on several instruments form one piece. DIR is all of MAPS, one instrument, one subset,
    or any folder with some of its files. Where a recipe's [maps.stand_ins] name a stand-in for an instrument that is
    not there, it is taken and told.

    Example: sfdata import maps MAPS/ -o maps.zarr --subsets ISOL/CH,ISOL/ST
    """
    from sfdata.import_maps import import_maps
    from sfdata.maps_settings import MapsSettings

    recipe = seeded_recipe(recipe_path, seed)
    given = {name: value for name, value in chosen.items() if value is not None}
    given |= {name: listed(given[name]) for name in ("snippets", "subsets") if name in given}
    settings = replace(recipe.maps or MapsSettings(), **given)
    with progress_bar() as progress:
        result = import_maps(folder, output, settings, recipe, workers=workers, overwrite=overwrite, progress=progress)
    for code, own in result.stand_ins.items():
        click.echo(f"{own} stands in for {code}, of which there is nothing in {folder}", err=as_json)
    finish_build(result, as_json, strict)


@import_group.command("aligned")
@click.argument("folder", metavar="DIR", type=INPUT_FOLDER)
@click.option("-o", "--output", help="The store to write.", **OUTPUT)
@click.option(
    "--soundfont", default="timgm6mb:0", show_default=True, help="Renders the scores: NAME[:PROGRAM] or path."
)
@click.option(
    "--velocity", type=click.IntRange(1, 127), default=64, show_default=True, help="Of all the score's notes."
)
@click.option("--split", default="test", show_default=True, help="train, validation, test, or shares of the works.")
@click.option("--performed-by", default="", help="Renders performances of which there is a match file but no sound.")
@recipe_option("Its spectrogram, windows, splits, store.")
@SEED
@WORKERS
@OVERWRITE
@JSON
@STRICT
def import_aligned_command(
    folder: Path,
    output: Path,
    soundfont: str,
    velocity: int,
    split: str,
    performed_by: str,
    recipe_path: Path | None,
    seed: int | None,
    as_json: bool,
    strict: bool,
    **options: Any,
) -> None:
    """Build a store from recordings that are aligned to scores.

    DIR holds a folder for each piece: performance.flac (or wav, ogg, mp3), score.mid, alignment.csv, meta.json. Match
    files and (n)ASAP are read too. The score is rendered, the recordings are the snippets. See docs/recordings.md.

    Example: sfdata import aligned recordings/ -o recordings.zarr
    """
    from sfdata.import_aligned import AlignedSettings, import_aligned

    settings = AlignedSettings(soundfont, velocity, split, performed_by)
    recipe = seeded_recipe(recipe_path, seed)
    with progress_bar() as progress:
        result = import_aligned(folder, output, settings, recipe, progress=progress, **options)
    if not as_json:
        for told in result.performances:
            click.echo(
                f"{told.recording}: {told.labelled} of {told.notes} notes labelled ({told.missing} without a row, "
                f"{told.beyond} before or after the alignment), {told.rows_without_note} of {told.rows} rows unused"
            )
    finish_build(result, as_json, strict)


@main.command("edit")
@click.argument("folder", metavar="DIR", type=INPUT_FOLDER)
@click.option("-o", "--output", help="A folder.", **OUTPUT)
@click.option(
    "--edit",
    "kinds",
    multiple=True,
    type=click.Choice(["pause", "repeat", "skip", "middle"]),
    help="Repeatable.  [default: all four]",
)
@click.option("--seed", default=0, show_default=True, help="Of what is drawn.")
@OVERWRITE
@JSON
@STRICT
def edit_command(
    folder: Path, output: Path, kinds: tuple[str, ...], seed: int, overwrite: bool, as_json: bool, strict: bool
) -> None:
    """Make recordings with a pause, a passage of 10 s played again or left out, or a start in the middle.

    DIR is a recorded set, as 'sfdata import aligned' reads it: sound, score, alignment. For each recording and edit a
    folder NAME--EDIT is written, with the alignment exact to the sample: to test whether followers find back. Those
    that are there stay if they are the same; others are refused without --overwrite.

    Example: sfdata edit recordings/ -o edited/ --edit pause --edit skip
    """
    from sfdata.edited import edit_recordings
    from sfdata.edits import KINDS

    with progress_bar() as progress:
        done = edit_recordings(folder, output, kinds or KINDS, seed, overwrite, progress)
    if as_json:
        told = {"written": len(done.written), "kept": len(done.kept), "skipped": done.skipped}
        click.echo(json.dumps(told, indent=2))
    else:
        kept = f"; {len(done.kept)} were there" if done.kept else ""
        click.echo(f"{len(done.written)} edited recordings written to {output}{kept}")
        for entry in done.skipped:
            click.echo(f"skipped {entry['source']}: {entry['reason']}", err=True)
    if strict and done.skipped:
        raise SystemExit(1)
