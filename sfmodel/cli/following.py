"""Commands that follow and align whole performances."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click
from click.core import ParameterSource

from sfdata.cli import JSON
from sfdata.progress import progress_bar
from sfmodel.cli.group import device_option, main, soundfont_option

evidence_option = click.option(
    "--evidence",
    default="follow",
    show_default=True,
    help="How sound is heard: follow (the trained frame matcher that ships), features (needs no training), or weights.",
)


@main.command()
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("performance", required=False)
@evidence_option
@soundfont_option
@click.option(
    "--delay", "delay_s", default=0.0, show_default=True, help="Tell where it was so many seconds ago: surer."
)
@click.option("--every", "every_s", default=0.5, show_default=True, help="Seconds between the lines of plain output.")
@click.option("--live", is_flag=True, help="Follow a microphone; needs sfdata[live].")
@click.option("--microphone", help="Its number, or a part of its name.  [default: the system's choice]")
@click.option("--stream", is_flag=True, help="Follow PERFORMANCE at the pace at which it sounds; - is standard input.")
@click.option("--raw", help="Standard input is no WAV but ENCODING:RATE:CHANNELS, such as s16le:44100:1.")
@click.option("--block", "block_s", default=0.02, show_default=True, help="Seconds of sound at a time, live.")
@click.option("--osc", metavar="[HOST:]PORT", help="Live, also send positions as OSC, /sfmodel/position.")
@click.option("--midi-port", help="Live, also send song position and MIDI clock to this port.")
@click.option("--page", is_flag=True, help="Serve a page that plays PERFORMANCE under a moving cursor; Ctrl-C ends.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Of the page; on this machine only.  [default: any that is free]",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write that page as one file.")
@JSON
def follow(
    reference: Path,
    performance: str | None,
    evidence: str,
    soundfont: str,
    delay_s: float,
    every_s: float,
    live: bool,
    microphone: str | None,
    stream: bool,
    raw: str | None,
    block_s: float,
    osc: str | None,
    midi_port: str | None,
    page: bool,
    port: int,
    html: Path | None,
    as_json: bool,
) -> None:
    """Tell at every moment of PERFORMANCE where in REFERENCE it is, from the sound up to there.

    Each is MIDI, which is rendered first, or sound. With --json, --stream and --live every report is a line:
    performance_time_s (what has been heard, less the delay), reference_time_s, confidence; 50 a second. Live, a
    machine that is too slow leaves out evidence and never lags; how it kept up is told at the end, on standard error.

    Example: sfmodel follow score.mid performance.flac --json

    Watch it: sfmodel follow score.mid performance.flac --page

    From a pipe: ffmpeg -i in.mp3 -f wav - | sfmodel follow score.mid - --stream --osc 9000
    """
    from sfmodel.follower import follow_files
    from sfmodel.live_follow import STANDARD_INPUT, LiveSettings, check_reports, follow_live
    from sfmodel.position_messages import JsonLines

    if live == (performance is not None):
        raise ValueError("a microphone (--live) or a PERFORMANCE; expected one of them")
    sounding, shown = live or stream, page or html is not None
    if performance == STANDARD_INPUT and not stream:
        raise ValueError("standard input is followed as it sounds; expected --stream with -")
    _check_fit(
        {
            "stream": (not live, "follows a PERFORMANCE, --live a microphone; expected one of them"),
            "page": (not sounding, "shows a performance in a file; expected neither --live nor --stream"),
            "html": (not sounding, "shows a performance in a file; expected neither --live nor --stream"),
            "microphone": (live, "needs --live"),
            "raw": (performance == STANDARD_INPUT, "tells what standard input is; expected - --stream"),
            "block_s": (sounding, "needs --stream or --live"),
            "osc": (sounding, "needs --stream or --live"),
            "midi_port": (sounding, "needs --stream or --live"),
            "port": (page, "needs --page"),
            "every_s": (
                not (sounding or shown or as_json),
                "is of plain output, not of --json, --page, --html or live",
            ),
        }
    )
    if not 0 <= every_s < math.inf:
        raise ValueError(f"--every {every_s}; expected seconds, 0 or more")
    if shown:
        _show(reference, Path(str(performance)), evidence, soundfont, delay_s, port if page else None, html, as_json)
        return
    if sounding:
        number = int(microphone) if microphone and microphone.isdecimal() else microphone
        settings = LiveSettings(number, block_s, raw, osc, midi_port, delay_s)
        told = follow_live(reference, performance, settings, evidence, soundfont)
        click.echo(json.dumps(asdict(told)), err=True)
        return
    lines, next_s, reports = JsonLines(sys.stdout), 0.0, 0
    for report in follow_files(reference, str(performance), evidence, soundfont, delay_s=delay_s):
        reports += 1
        if as_json:
            lines.send(report)
        elif report.performance_time_s >= next_s:
            next_s = report.performance_time_s + every_s
            told_s = report.performance_time_s, report.reference_time_s
            click.echo(f"{told_s[0]:8.2f} s -> {told_s[1]:8.2f} s  ({report.confidence:.0%})")
    check_reports(performance, reports, delay_s)


def _check_fit(needs: Mapping[str, tuple[bool, str]]) -> None:
    """Refuse options that would be ignored; by their names, whether they fit, and what is said where they do not."""
    context = click.get_current_context()
    for option in context.command.params:
        fits, told = needs.get(str(option.name), (True, ""))
        if not fits and context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE:
            raise ValueError(f"{option.opts[0]} {told}")


def _show(
    reference: Path,
    performance: Path,
    evidence: str,
    soundfont: str,
    delay_s: float,
    port: int | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Write the page, and serve it until Ctrl-C."""
    import threading

    from sfdata.files import check_different, check_folder_of, write_atomically
    from sfmodel.follow_page import page_of_files
    from sfmodel.page_server import served_page

    def made() -> str:
        page = page_of_files(reference, performance, evidence, soundfont, delay_s)
        if html is not None:
            write_atomically(html, page.encode())
            click.echo(json.dumps({"html": str(html)}) if as_json else str(html))
        return page

    for what, given in (("the reference", reference), ("the performance", performance)):  # which may be one file
        check_different({what: given, "the page": html})
    check_folder_of(html)
    if port is None:
        made()
        return
    with served_page(made, port) as address:
        click.echo(json.dumps({"page": address}) if as_json else address)
        threading.Event().wait()


@main.command()
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("performance", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="alignment.csv")
@click.option("--midi", type=click.Path(dir_okay=False, path_type=Path), help="REFERENCE's notes at the times played.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="The path as PNG.")
@evidence_option
@soundfont_option
@JSON
def align(
    reference: Path,
    performance: Path,
    output: Path,
    midi: Path | None,
    picture: Path | None,
    evidence: str,
    soundfont: str,
    as_json: bool,
) -> None:
    """Align PERFORMANCE with REFERENCE, all of both being known: labels for one's own recordings.

    Writes performance_time_s,score_time_s: a row for every onset of a MIDI reference, ten a second for sound. With the
    score and a meta.json beside it, 'sfdata import aligned' reads it.

    Example: sfmodel align score.mid performance.flac -o alignment.csv --midi performed.mid --picture path.png
    """
    from sfmodel.align_files import align_files

    done = align_files(reference, performance, output, midi, picture, evidence, soundfont)
    click.echo(json.dumps(done, indent=2) if as_json else f"{done['rows']} rows: {output}")


@main.command("train-follower")
@click.argument("store")
@click.option("-o", "--output", "run_dir", required=True, type=click.Path(path_type=Path), help="Folder for the run.")
@click.option("--steps", default=12_000, show_default=True, help="Batches of windows.")
@click.option("--windows", default=8, show_default=True, help="In a step.")
@click.option("--learning-rate", default=0.002, show_default=True, help="Highest; rises, then falls to zero.")
@click.option("--seed", default=0, show_default=True, help="Of the weights and the windows.")
@device_option
@click.option("--resume", is_flag=True, help="Continue the run in the folder, if there is one.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the folder.")
@JSON
def train_follower(
    store: str,
    run_dir: Path,
    steps: int,
    windows: int,
    learning_rate: float,
    seed: int,
    device: str,
    resume: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train the frame matcher, by which 'follow' and 'align' hear, on STORE.

    STORE is one of 50 frames a second, as pipelines/following.toml makes it. Give the folder to 'follow --evidence'.

    Example: sfmodel train-follower following.zarr -o follower
    """
    from sfmodel.frame_training import FrameTrainingSettings
    from sfmodel.frame_training import train_follower as train

    settings = FrameTrainingSettings(
        steps=steps, windows=windows, learning_rate=learning_rate, seed=seed, device=device
    )
    with progress_bar() as progress:
        done = train(
            store,
            run_dir,
            None,
            settings,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            log=lambda message: click.echo(message, err=True),
        )
    click.echo(json.dumps(done, indent=2) if as_json else f"{done['run_dir']}: {done['validation']}")
