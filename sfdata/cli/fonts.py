"""Commands of instruments: list, verify, add, fetch."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from sfdata.cli.group import JSON, main


@main.group()
def soundfonts() -> None:
    """Instruments: which there are, and whether their files are the right ones."""


@soundfonts.command("list")
@JSON
def soundfonts_list(as_json: bool) -> None:
    """List the registry of soundfonts: licence, split, where each lies or how to get it, presets.

    Example: sfdata soundfonts list
    """
    from sfdata.soundfonts import inventory

    rows = inventory()
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['name']}  {row['licence'] or 'licence unknown'}  split {row['split']}  {row['title']}")
        click.echo(f"  {row['path'] or 'not on this machine: ' + row['get']}")
        click.echo("  " + ", ".join(f"{program} {title}" for program, title in row["presets"].items()))


@soundfonts.command("verify")
@click.argument("names", nargs=-1)
@JSON
def soundfonts_verify(names: tuple[str, ...], as_json: bool) -> None:
    """Check the registered soundfonts on this machine by their sha256.

    Those NAMED must be there. Without names only another file in a soundfont's place is a problem. Exits with 2 where
    there are problems.

    Example: sfdata soundfonts verify timgm6mb
    """
    from sfdata.soundfonts import check

    found = check(names)
    if as_json:
        click.echo(json.dumps({"valid": not found.problems, "problems": found.problems, "absent": found.absent}))
    else:
        for problem in found.problems:
            click.echo(problem)
        if not found.problems:
            click.echo("all soundfonts on this machine are the right ones")
        if found.absent:
            click.echo(f"{len(found.absent)} not on this machine: {', '.join(found.absent)}")
    sys.exit(2 if found.problems else 0)


@soundfonts.command("add")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="What its instruments are called by: NAME:PROGRAM.")
@click.option("--licence", default="", help="SPDX identifier, such as CC0-1.0.")
@click.option("--source", default="", help="Where it comes from: a web page.")
@click.option("--split", default="", help="all, train, validation or test: where its instruments are kept.")
@click.option("--title", default="", help="Instead of the title in the file.")
@JSON
def soundfonts_add(path: Path, as_json: bool, **facts: str) -> None:
    """Register a soundfont of your own (sf2 or sf3) by its sha256; the file stays where it is.

    With the name of a font that sfdata knows, and the very file, it tells where that lies.

    Example: sfdata soundfonts add my-piano.sf2 --name my-piano --licence CC0-1.0
    """
    from sfdata.user_fonts import add_soundfont

    added = add_soundfont(path, **facts)
    if as_json:
        click.echo(json.dumps(asdict(added) | {"registry": str(added.registry)}))
    else:
        font = added.soundfont
        click.echo(f"added {font.name} ({font.title}, {len(font.presets)} presets in bank 0) to {added.registry}")
    for warning in added.warnings:
        click.echo(f"note: {warning}", err=True)


@soundfonts.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that can be fetched.")
@JSON
def soundfonts_fetch(names: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Download registered soundfonts that are not on this machine.

    Each is compared with the registry's sha256 before it is put in place. Exits with 2 where one could not be had.

    Example: sfdata soundfonts fetch fluidr3-gm
    """
    from sfdata.downloads import download_bars, fetch

    if everything == bool(names):
        raise click.UsageError("name the soundfonts to fetch, or give --all; 'sfdata soundfonts list' tells names")
    with download_bars() as progress:
        results = fetch(names, progress)
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results]))
    for result in results:
        if result.state == "failed":
            click.echo(f"Error: {result.reason}", err=True)
        elif not as_json:
            click.echo(f"{result.name}: {result.state}{result.path and ' at ' + result.path}")
    sys.exit(2 if any(result.state == "failed" for result in results) else 0)
