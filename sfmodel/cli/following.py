"""Commands that follow and align whole performances."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

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
@click.option("--port", default=0, help="Of the page; on this machine only.  [default: any that is free]")
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
    from sfmodel.live_follow import LiveSettings, follow_live
    from sfmodel.position_messages import JsonLines

    if live == (performance is not None):
        raise ValueError("a microphone (--live) or a PERFORMANCE; expected one of them")
    if not live and not stream and (osc or midi_port or raw or microphone or performance == "-"):
        raise ValueError("--osc, --midi-port, --raw and standard input need --stream; a microphone needs --live")
    if page or html is not None:
        if live or stream:
            raise ValueError("--page and --html show a performance in a file; expected neither --live nor --stream")
        _show(reference, str(performance), evidence, soundfont, delay_s, port if page else None, html)
        return
    if live or stream:
        number = int(microphone) if microphone and microphone.isdecimal() else microphone
        settings = LiveSettings(number, block_s, raw, osc, midi_port, delay_s)
        told = follow_live(reference, performance, settings, evidence, soundfont)
        click.echo(json.dumps(asdict(told)), err=True)
        return
    lines, shown_s = JsonLines(sys.stdout), -every_s
    for report in follow_files(reference, str(performance), evidence, soundfont, delay_s=delay_s):
        if as_json:
            lines.send(report)
        elif report.performance_time_s >= shown_s + every_s:
            shown_s = report.performance_time_s
            click.echo(f"{shown_s:8.2f} s -> {report.reference_time_s:8.2f} s  ({report.confidence:.0%})")


def _show(
    reference: Path,
    performance: str,
    evidence: str,
    soundfont: str,
    delay_s: float,
    port: int | None,
    html: Path | None,
) -> None:
    """Write the page, and serve it until Ctrl-C."""
    import threading

    from sfdata.files import check_folder_of, write_atomically
    from sfmodel.follow_page import page_of_files
    from sfmodel.page_server import served_page

    check_folder_of(html)
    made = page_of_files(reference, performance, evidence, soundfont, delay_s)
    if html is not None:
        write_atomically(html, made.encode())
        click.echo(str(html))
    if port is not None:
        with served_page(made, port) as address:
            click.echo(address)
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
