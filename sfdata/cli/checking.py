"""Commands that look at a store: what is in it, is it whole, is it what it says, what does it look like."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from sfdata.cli.group import JSON, OUTPUT, STORE, STRICT, main
from sfdata.progress import progress_bar


@main.command()
@STORE
@JSON
def info(store: str, as_json: bool) -> None:
    """Tell what is in a store.

    Example: sfdata info store.zarr
    """
    from sfdata.info import info as summarise

    facts = summarise(store)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, value in facts.items():
        if key == "splits":
            value = ", ".join(f"{split} {pairs}" for split, pairs in value.items())
        elif key == "instruments":
            value = ", ".join(value)
        elif key == "skipped":
            value = len(value)
        elif value is None:
            value = "not known: HTTP cannot list a folder"
        click.echo(f"{key:15} {value}")


@main.command()
@STORE
@click.option("--composers", is_flag=True, help="A composer in two splits is a problem too.")
@click.option("--instruments", is_flag=True, help="An instrument of snippets in test and another split is one, too.")
@JSON
def validate(store: str, composers: bool, instruments: bool, as_json: bool) -> None:
    """Check a store: outline, checksums, labels against notes and arrays, leaks between splits.

    Exits with 1 where there are problems.

    Example: sfdata validate store.zarr
    """
    from sfdata.validate import remarks
    from sfdata.validate import validate as check

    problems, told = check(store, composers, instruments), remarks(store)
    if as_json:
        listed = [asdict(problem) for problem in problems]
        click.echo(json.dumps({"valid": not problems, "problems": listed, "remarks": told}))
    else:
        for problem in problems:
            click.echo(f"{problem.check}: {problem.detail}")
        for remark in told:
            click.echo(f"note: {remark}")
        click.echo(f"{store}: {f'{len(problems)} problems' if problems else 'valid'}")
    sys.exit(1 if problems else 0)


@main.command()
@STORE
@click.option("--sample", type=click.IntRange(1), default=50, show_default=True, help="How many pairs are drawn.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of drawing them.")
@click.option("--midi", multiple=True, type=click.Path(path_type=Path), help="Where the pieces' MIDI files lie.")
@click.option("--rooms", type=click.Path(path_type=Path), help="Folder of your own impulse responses, if it took any.")
@JSON
@STRICT
def verify(
    store: str, sample: int, seed: int, midi: tuple[Path, ...], rooms: Path | None, as_json: bool, strict: bool
) -> None:
    """Rebuild a sample of pairs from what the store tells of itself, and compare bytes.

    Notes from MIDI files and records, sound from soundfonts, frames, targets. Says exactly what differs, and what could
    not be rebuilt here. Exits with 1 where something differs, and with --strict also where something was not rebuilt.

    Example: sfdata verify store.zarr --sample 50 --midi my-midi/
    """
    from sfdata.verify import verify as rebuild

    with progress_bar() as progress:
        result = rebuild(store, sample, seed, midi, rooms, progress)
    if as_json:
        click.echo(json.dumps({"verified": result.verified, **asdict(result)}))
    else:
        for difference in result.differences:
            click.echo(f"{difference.what}, row {difference.row}: {difference.detail}")
        for reason in result.not_rebuilt:
            click.echo(f"not rebuilt: {reason}")
        for name, (there, here) in result.software.items():
            click.echo(f"built with {name} {there}, here is {here}")
        click.echo(
            f"{store}: {result.pairs} pairs, {result.renditions} renditions, {result.scores} score sides rebuilt; "
            f"{len(result.differences)} differences"
        )
    sys.exit(0 if result.verified and not (strict and result.not_rebuilt) else 1)


@main.command()
@STORE
@click.option("--pair", type=click.IntRange(0), default=0, show_default=True, help="Row of the table of pairs.")
@click.option("-o", "--output", help="PNG, PDF or SVG, by its ending.", **OUTPUT)
def plot(store: str, pair: int, output: Path) -> None:
    """Draw a pair: reference with the target marked, and snippet.

    Example: sfdata plot store.zarr --pair 100 -o pair.png
    """
    from sfdata.plot import plot_pair
    from sfdata.store import open_store

    plot_pair(open_store(store), pair, output)
    click.echo(f"wrote {output}")


@main.command()
@STORE
@click.option("-o", "--output", help="An .html file, or a folder for report.html.", **OUTPUT)
@click.option("--pairs", type=click.IntRange(0), default=4, show_default=True, help="How many pairs are shown.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of drawing them.")
@click.option("--no-validate", is_flag=True, help="Do not check the store, which reads all of it.")
@JSON
def report(store: str, output: Path, pairs: int, seed: int, no_validate: bool, as_json: bool) -> None:
    """Write one HTML page about a store, with sound.

    What is in it, whether it is whole, distributions, and some pairs: spectrograms with the target marked, what was
    drawn, and players for reference and snippet, made again from what the store records. The page needs no other file
    and no network.

    Example: sfdata report store.zarr -o report.html
    """
    from sfdata.page import counted
    from sfdata.report import write_report

    with progress_bar() as progress:
        result = write_report(store, output, pairs, seed, not no_validate, progress)
    if as_json:
        click.echo(json.dumps(asdict(result)))
        return
    sides = [pair[side] for pair in result.pairs for side in ("reference", "snippet")]
    for reason in dict.fromkeys(side["silent"] for side in sides if not side["sound"]):
        click.echo(f"no sound: {reason}")
    found = {None: "not validated", True: "valid", False: counted(len(result.problems), "problem")}[result.valid]
    click.echo(
        f"wrote {result.report}: {len(result.pairs)} pairs, {sum(side['sound'] for side in sides)} sounds, "
        f"{result.bytes / 1e6:.1f} MB; the store: {found}"
    )
