"""The ``sfmodel`` command: each command parses its options, makes one library call, and prints the result.

Exit codes: 0 done, 2 usage or input error, 130 interrupted. Everything heavy is imported inside the commands, so
that ``sfmodel --help`` answers at once.
"""

import json
from pathlib import Path
from typing import Any

import click


class InputError(click.ClickException):
    """What the library says about its input, with the exit code for it."""

    exit_code = 2


class PipelineGroup(click.Group):
    """A group that lists its commands in the order of the pipeline and turns input errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands in the order in which they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; ``Error: …`` and exit code 2 for what the library says about its input."""
        try:
            return super().invoke(ctx)
        except (ValueError, OSError, ImportError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise InputError(str(error)) from error


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda, cuda:N or mps; auto takes a GPU if there is one.",
)


@click.group(cls=PipelineGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sfdata")
def main() -> None:
    """Train networks that find a snippet of sound in a reference, and measure them against classic methods."""


if __name__ == "__main__":
    main()
