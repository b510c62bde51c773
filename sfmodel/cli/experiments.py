"""Commands that make and show whole experiments."""

import json
import re
from pathlib import Path
from typing import Any

import click

from sfdata.cli import JSON
from sfmodel.cli.group import main

UNITS_S = {"s": 1, "m": 60, "h": 3600}


def seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Read a duration such as 90, 30m or 2h."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
    if not found or float(found[1]) <= 0:
        raise click.BadParameter(f"{value!r}; expected seconds, or a number with s, m or h, such as 30m")
    return float(found[1]) * UNITS_S[found[2] or "s"]


@main.command()
@click.argument("experiment")
@click.option(
    "-o", "--output", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder."
)
@click.option(
    "--stores",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its stores lie or are built; several experiments may share them.  [default: stores in the folder]",
)
@click.option(
    "--maps",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Your copy of MAPS, for recipes that want it; without, sets with stand-ins for its instruments are made.",
)
@click.option("--jobs", default=1, show_default=True, help="Runs at a time.")
@click.option("--only", multiple=True, help="Make the runs of this name only (may be given several times).")
@click.option("--length", default=1.0, show_default=True, help="Share of all epochs to make, for want of time.")
@click.option(
    "--time-limit", "time_limit_s", callback=seconds, help="For each run, such as 30m; called again, it goes on."
)
@JSON
def sweep(experiment: str, as_json: bool, **options: Any) -> None:
    """Make all runs of an EXPERIMENT: build its stores, train, evaluate, compare.

    EXPERIMENT is a TOML file (see sfmodel.experiment), or one that ships, such as pipelines/paper-table3.toml. What is
    made already stays; after Ctrl-C, a crash or a limit of time the same command goes on. Several sweeps may work in
    one folder.

    Example: sfmodel sweep pipelines/paper-table3.toml -o table3 --jobs 2
    """
    from sfdata.progress import progress_bar
    from sfmodel.experiment import read_experiment
    from sfmodel.sweep import run_sweep
    from sfmodel.tables import sweep_text

    folder = options.pop("folder")

    def log(message: str) -> None:
        click.echo(message, err=True)

    plan = read_experiment(experiment)
    try:
        with progress_bar() as progress:
            result = run_sweep(plan, folder, **options, progress=progress, log=log)
    except KeyboardInterrupt:
        log("interrupted; everything is saved: the same command goes on")
        raise SystemExit(130) from None
    if as_json:
        found = {"folder": str(folder), "runs": result.results, "baselines": result.baselines}
        click.echo(json.dumps({**found, "failed": result.failed, "left": result.left}, indent=2))
    else:
        click.echo(sweep_text(result))
    raise SystemExit(1 if result.failed or result.left else 0)


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The Markdown file to write."
)
@JSON
def paper(folders: tuple[Path, ...], output: Path, as_json: bool) -> None:
    """Write a page that shows the paper's numbers and figures beside those of sweeps.

    FOLDERS are those that 'sfmodel sweep' made of pipelines/paper-table3.toml, paper-full-isol.toml and
    paper-full-gmp.toml; what is not given is left out and said to be. Pictures go into images/paper beside the page.

    Example: sfmodel paper runs/table3 runs/isol runs/gmp -o docs/paper.md
    """
    from sfmodel.paper_page import write_paper

    page = write_paper(folders, output)
    click.echo(json.dumps({"page": str(page)}) if as_json else str(page))
