"""The command group, the options that commands share, and how they end."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

if TYPE_CHECKING:
    from sfdata.recipe import Recipe

JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for programs.")
STRICT = click.option("--strict", is_flag=True, help="Exit with 1 where something was left out.")
SEED = click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything that is drawn.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is there, once the new one is whole.")
WORKERS = click.option("--workers", type=click.IntRange(1), default=None, help="Local processes. [default: one a core]")
STORE = click.argument("store")  # a path or a URL
INPUT_FOLDER = click.Path(path_type=Path)
DRAWN_SEED = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything that is drawn."
)
OUTPUT: Any = {"required": True, "type": click.Path(path_type=Path)}


def recipe_option(text: str) -> Any:
    """The option ``--recipe``, as ``recipe_path``; `text` says what is taken of it."""
    return click.option("--recipe", "recipe_path", type=click.Path(path_type=Path), help=text)


def seeded_recipe(path: Path | None, seed: int | None) -> "Recipe":
    """The recipe that was given, or the default one, with the seed that was given in place of its own."""
    from sfdata.recipe import Recipe, read_recipe, with_seed

    return with_seed(read_recipe(path) if path else Recipe(), seed)


class InputError(click.ClickException):
    """What the library says about its input, with the exit code for it."""

    exit_code = 2


class PipelineGroup(click.Group):
    """A group that lists its commands in the order of the pipeline and turns input errors into one line.

    ``extras`` names packages that an extra of the distribution installs, and that extra; ``interrupted`` is what
    Ctrl-C says.
    """

    interrupted = "interrupted"

    extras: ClassVar[dict[str, str]] = {"torch": "model", "safetensors": "model", "psutil": "model"}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands in the order in which they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; ``Error: …`` and exit code 2 for what the library says about its input."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if error.name not in self.extras:
                raise
            remedy = f"pip install 'sfdata[{self.extras[error.name]}]'"
            raise InputError(f"this needs {error.name}, which is not installed: {remedy}") from error
        except BrokenPipeError:
            raise
        except KeyboardInterrupt:
            click.echo(self.interrupted, err=True)
            raise SystemExit(130) from None
        except MemoryError as error:
            told = " ".join(str(error).split()) or "more was asked for than there is"
            raise InputError(f"not enough memory: {told}") from error
        except (ValueError, OSError, ImportError) as error:
            raise InputError(str(error)) from error


@click.group(cls=PipelineGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sfdata")
def main() -> None:
    """Training data for score following, from MIDI to aligned spectrogram pairs.

    The commands stand in the order of the pipeline; 'sfdata build' does all of it in one pass.
    """


def listed(text: str) -> tuple[str, ...]:
    """Parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _report_skipped(skipped: Any, strict: bool) -> None:
    for entry in skipped:
        click.echo(f"skipped {entry.source}: {entry.reason}", err=True)
    if strict and skipped:
        sys.exit(1)


def finish_stage(what: str, output: Path, result: Any, as_json: bool, strict: bool) -> None:
    """Print what a step on folders wrote, and what it skipped."""
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(f"wrote {result.written} {what} to {output}, skipped {len(result.skipped)} sources")
    _report_skipped(result.skipped, strict)


def finish_build(result: Any, as_json: bool, strict: bool) -> None:
    """Print what a build or an import made, and what it skipped."""
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(
            f"wrote {result.store}: {result.pieces} pieces, {result.renditions} renditions "
            f"({result.audio_s / 3600:.2f} h of sound), {result.pairs} pairs, in {result.elapsed_s:.1f} s; "
            f"skipped {len(result.skipped)} sources"
        )
    _report_skipped(result.skipped, strict)


def finish_estimate(estimate: Any, as_json: bool, strict: bool) -> None:
    """Print what a build would make, and take."""
    if as_json:
        click.echo(json.dumps(asdict(estimate)))
    else:
        free = f", {estimate.free_bytes / 1e9:.1f} GB are free there" if estimate.free_bytes else ""
        click.echo(
            f"MIDI    {estimate.usable} of {estimate.files} files, {estimate.notes:,} notes, "
            f"{estimate.midi_s / 3600:.2f} h\n"
            f"sound   {estimate.renditions} renditions, about {estimate.audio_s / 3600:.2f} h\n"
            f"disk    about {estimate.store_bytes / 1e6:,.0f} MB{free}\n"
            f"memory  about {estimate.worker_bytes / 1e6:,.0f} MB in each of {estimate.workers} workers\n"
            f"time    about {estimate.seconds / 60:,.1f} min"
        )
    _report_skipped(estimate.skipped, strict)
