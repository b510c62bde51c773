"""What all commands share: the group itself, and options."""

import click

from sfdata.cli import PipelineGroup

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda, cuda:N or mps; auto takes a GPU if there is one.",
)
soundfont_option = click.option(
    "--soundfont", default="timgm6mb:0", show_default=True, help="Plays MIDI: NAME[:PROGRAM] or path."
)


@click.group(cls=PipelineGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sfdata")
def main() -> None:
    """Train networks that find a snippet of sound in a reference, and measure them against classic methods."""
