"""The ``sfdata`` command: each command parses its options, makes one library call, and prints the result.

Exit codes: 0 done, 1 done but something was skipped (only with ``--strict``) or a store is not valid, 2 usage or input
error. Everything heavy is imported inside the commands, so that ``sfdata --help`` answers at once.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import click

from sfdata.progress import progress_bar

JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for programs.")
STRICT = click.option("--strict", is_flag=True, help="Exit with 1 where something was skipped.")
SEED = click.option("--seed", type=click.IntRange(0), default=None, help="Seed of everything that is drawn.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace an existing store once the new one is whole.")
WORKERS = click.option("--workers", type=click.IntRange(1), default=None, help="Local processes. [default: one a core]")
INPUT_FOLDER = click.Path(path_type=Path)
OUTPUT: Any = {"required": True, "type": click.Path(path_type=Path)}


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
        except (ValueError, OSError, ImportError) as error:
            raise InputError(str(error)) from error


@click.group(cls=PipelineGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sfdata")
def main() -> None:
    """Training data for score following, from MIDI to aligned spectrogram pairs.

    The commands stand in the order of the pipeline; 'sfdata build' does all of it in one pass.
    """


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


@main.command()
@click.argument("midi", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", help="Folder for the voices.", **OUTPUT)
@click.option(
    "--method",
    default="skyline",
    show_default=True,
    help="skyline (the highest line), lowest, voice-separation (several voices), chew-wu (the same by partitura, with "
    "the extra sfdata[partitura]), all (every note, polyphonic).",
)
@click.option(
    "--take",
    type=int,
    multiple=True,
    help="Number of a voice to keep: 0 is the highest, -1 the lowest (give it several times).  [default: all voices]",
)
@click.option("--pedal", is_flag=True, help="Let the sustain pedal (CC64) lengthen notes.")
@JSON
@STRICT
def extract(
    midi: tuple[Path, ...],
    output: Path,
    method: str,
    take: tuple[int, ...],
    pedal: bool,
    as_json: bool,
    strict: bool,
) -> None:
    """Extract voices from MIDI files and folders.

    Writes one MIDI file a voice and manifest.jsonl, which tells the source of every note and how much leading
    silence was cut. Voices are monophonic, but with 'all', and numbered from the highest.

    Example: sfdata extract my-midi/ -o voices/ --method voice-separation --take 0 --take -1
    """
    from sfdata.midi import MidiSettings
    from sfdata.stages import extract_folder
    from sfdata.voices import VoiceSettings

    voices = VoiceSettings(method=method, take=take)
    with progress_bar() as progress:
        result = extract_folder(midi, output, MidiSettings(pedal=pedal), voices, progress)
    _finish_stage("voices", output, result, as_json, strict)


@main.command()
@click.argument("voices", type=INPUT_FOLDER)
@click.option("-o", "--output", help="Folder for the performances.", **OUTPUT)
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(path_type=Path),
    help="Take the operations of its [augment] section, with all of their settings; options below come on top.",
)
@click.option("--copies", type=click.IntRange(0), default=None, help="Variants of each voice. [default: 1]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything that is drawn.")
@click.option("--tempo", nargs=2, type=float, help="Range of the tempo factor. [default: 0.8 1.25]")
@click.option(
    "--articulation",
    multiple=True,
    help="One of these is drawn for each variant (give it several times): as-is, staccato, portato, legato, "
    "overlapping. [default: all but the last]",
)
@click.option("--note-length", nargs=2, type=float, help="Range of a factor. [default: 0.8 1.2]")
@click.option("--rest-insert", type=float, help="Share of the onsets that come late. [default: 0.03]")
@click.option("--rest-remove", type=float, help="Share of the rests that are closed. [default: 0.1]")
@click.option("--jitter", nargs=2, type=float, help="Range of the onsets' deviation in seconds. [default: none]")
@click.option(
    "--transpose",
    nargs=2,
    type=int,
    help="Range in semitones, drawn for each voice; score and variants move together. [default: none]",
)
@click.option(
    "--sample-rate",
    "sample_rate_hz",
    type=click.IntRange(8000, 96000),
    default=22050,
    show_default=True,
    help="Of the sound to be rendered, in Hz: times lie on its event grid.",
)
@JSON
@STRICT
def augment(
    voices: Path,
    output: Path,
    recipe_path: Path | None,
    seed: int,
    sample_rate_hz: int,
    as_json: bool,
    strict: bool,
    **operations: Any,
) -> None:
    """Draw variants of voices: tempo, articulation, note length, rests, pitch, or all that a recipe asks for.

    Writes the score side and every variant as MIDI; manifest.jsonl records what was drawn.

    Example: sfdata augment voices/ -o performances/ --copies 2 --seed 7
    """
    from sfdata.recipe import augment_settings, read_recipe
    from sfdata.stages import augment_folder

    base = read_recipe(recipe_path).augment if recipe_path else None
    settings = augment_settings(base, {name: value for name, value in operations.items() if value not in (None, ())})
    with progress_bar() as progress:
        result = augment_folder(voices, output, settings, seed, sample_rate_hz, progress)
    _finish_stage("performances", output, result, as_json, strict)


@main.command()
@click.argument("performances", type=INPUT_FOLDER)
@click.option("-o", "--output", help="Folder for the sound.", **OUTPUT)
@click.option(
    "--soundfont", default="timgm6mb:0", show_default=True, help="NAME[:PROGRAM], or a path to an sf2 or sf3."
)
@click.option("--format", "audio_format", default="flac", show_default=True, help="flac or wav.")
@click.option("--subtype", default="PCM_16", show_default=True, help="PCM_16, PCM_24; for wav also FLOAT.")
@click.option(
    "--sample-rate", "sample_rate_hz", type=click.IntRange(8000, 96000), default=22050, show_default=True, help="In Hz."
)
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(path_type=Path),
    help="Take its [render] and [sound] sections: rooms, noise and the like are drawn for each variant.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of what [sound] draws.")
@click.option(
    "--role",
    type=click.Choice(["score", "variant", "all"]),
    default="all",
    show_default=True,
    help="Which performances.",
)
@JSON
@STRICT
def render(
    performances: Path,
    output: Path,
    soundfont: str,
    recipe_path: Path | None,
    role: str,
    as_json: bool,
    strict: bool,
    **options: Any,
) -> None:
    """Render performances (or voices, or any MIDI) with one instrument.

    Writes NAME.flac and, beside it, NAME.notes.csv with the times at which notes begin and end in the sound.

    Example: sfdata render performances/ --soundfont timgm6mb:1 -o audio/
    """
    from sfdata.recipe import read_recipe
    from sfdata.stages import render_folder

    roles = ("score", "variant") if role == "all" else (role,)
    if recipe_path:
        recipe = read_recipe(recipe_path)
        options |= {"settings": recipe.render, "sound": recipe.sound, "rooms": recipe.rooms()}
    with progress_bar() as progress:
        result = render_folder(performances, output, soundfont, roles=roles, progress=progress, **options)
    _finish_stage("sound files", output, result, as_json, strict)


@main.command("build-pairs")
@click.option("--references", required=True, type=INPUT_FOLDER, help="Folder of sound with notes beside it.")
@click.option("--snippets", required=True, type=INPUT_FOLDER, help="Folder of the same music, rendered otherwise.")
@click.option("-o", "--output", help="The store to write.", **OUTPUT)
@click.option(
    "--recipe", "recipe_path", type=click.Path(path_type=Path), help="Its spectrogram, windows, splits, store."
)
@click.option("--licence", default="", help="Stored with every piece.")
@click.option("--attribution", default="", help="Stored with every piece.")
@SEED
@WORKERS
@OVERWRITE
@JSON
@STRICT
def build_pairs_command(
    references: Path,
    snippets: Path,
    output: Path,
    recipe_path: Path | None,
    seed: int | None,
    as_json: bool,
    strict: bool,
    **options: Any,
) -> None:
    """Build a store from two folders of sound with notes.

    Example: sfdata build-pairs --references audio/ --snippets audio2/ -o store.zarr
    """
    from sfdata.folders import build_pairs
    from sfdata.recipe import Recipe, read_recipe, with_seed

    recipe = with_seed(read_recipe(recipe_path) if recipe_path else Recipe(), seed)
    with progress_bar() as progress:
        result = build_pairs(references, snippets, output, recipe, progress=progress, **options)
    _finish_build(result, as_json, strict)


@main.command()
@click.argument("recipe_path", metavar="RECIPE.toml", type=click.Path(path_type=Path))
@click.argument("midi", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--output", help="The store to write.", **OUTPUT)
@SEED
@WORKERS
@click.option("--scheduler", help="Address of a running Dask scheduler to use, such as tcp://127.0.0.1:8786.")
@OVERWRITE
@JSON
@STRICT
def build(
    recipe_path: Path,
    midi: tuple[Path, ...],
    output: Path,
    seed: int | None,
    as_json: bool,
    strict: bool,
    **options: Any,
) -> None:
    """Build a store from a recipe in one pass, in parallel, with no audio on disk.

    MIDI files or folders given here replace the recipe's sources. An interrupted build goes on when called again.

    Example: sfdata build pipelines/demo.toml my-midi/ -o store.zarr
    """
    from sfdata.build import build as build_store
    from sfdata.recipe import read_recipe, with_seed

    recipe = with_seed(read_recipe(recipe_path), seed)
    with progress_bar() as progress:
        result = build_store(recipe, output, midi, progress=progress, **options)
    _finish_build(result, as_json, strict)


@main.command()
@click.option("-o", "--output", help="Folder for the set; its instrument gets a folder inside.", **OUTPUT)
@click.option(
    "--soundfont", default="timgm6mb:0", show_default=True, help="NAME[:PROGRAM], or a path to an sf2 or sf3."
)
@click.option("--code", default="", help="Name of the instrument in folders and files.  [default: timgm6mb-0 or so]")
@click.option("--subsets", default="NO,LG,ST,RE,CH,TR1,TR2", show_default=True, help="Playing styles, with commas.")
@click.option("--loudness", default="P,M,F", show_default=True, help="With commas.")
@click.option("--pedal", default="drawn", show_default=True, help="drawn, off, on or both.")
@click.option("--pitches", default="21-108", show_default=True, help="Lowest and highest key, as MIDI pitches.")
@click.option(
    "--duration",
    "durations",
    type=float,
    multiple=True,
    default=(0.05, 0.1, 0.3),
    show_default=True,
    help="Of the notes of chromatic scales, in seconds (give it several times).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything that is drawn.")
@click.option("--format", "audio_format", default="wav", show_default=True, help="wav or flac.")
@click.option("--sample-rate", "sample_rate_hz", type=int, default=44100, show_default=True, help="In Hz.")
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(path_type=Path),
    help="Take its [sound] section: one room, tuning and so on is drawn for the whole set.",
)
@click.option("--overwrite", is_flag=True, help="Replace a set of that name.")
@JSON
def isol(
    output: Path,
    soundfont: str,
    code: str,
    subsets: str,
    loudness: str,
    pitches: str,
    durations: tuple[float, ...],
    recipe_path: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make a set shaped like MAPS's isolated notes from any instrument.

    Single notes (normal, long, staccato), repeated notes, chromatic scales, trills: sound, annotation and MIDI with
    MAPS's folders and names. Sets of several instruments made with one seed play the same; 'sfdata import maps' pairs
    them.

    Example: sfdata isol -o maps-like/ --soundfont timgm6mb:1 --subsets CH,ST
    """
    from sfdata.isol import IsolSettings, pitch_range
    from sfdata.isol_files import make_isol
    from sfdata.recipe import Recipe, read_recipe

    settings = IsolSettings(
        subsets=tuple(subset.removeprefix("ISOL/") for subset in _listed(subsets)),
        loudness=_listed(loudness),
        pitches=pitch_range(pitches),
        durations_s=tuple(durations),
        **options,
    )
    recipe = read_recipe(recipe_path) if recipe_path else Recipe()
    with progress_bar() as progress:
        result = make_isol(
            output,
            soundfont,
            settings,
            code=code,
            overwrite=overwrite,
            sound=recipe.sound,
            rooms=recipe.rooms(),
            progress=progress,
        )
    _finish_stage("items", output, result, as_json, strict=False)


@main.group("import")
def import_group() -> None:
    """Recordings with annotations become the same kind of store."""


@import_group.command("maps")
@click.argument("folder", metavar="DIR", type=INPUT_FOLDER)
@click.option("-o", "--output", help="The store to write.", **OUTPUT)
@click.option(
    "--references",
    default="timgm6mb:0",
    show_default=True,
    help="A soundfont preset that plays the annotations, or the code of a recorded instrument.",
)
@click.option("--snippets", default="", help="Codes of recorded instruments, with commas.  [default: all others]")
@click.option("--subsets", default="", help="Such as ISOL/CH,ISOL/ST or ISOL,MUS.  [default: all]")
@click.option("--split", default="test", show_default=True, help="train, validation, test, or shares of the works.")
@click.option("--licence", default="", help="In place of MAPS's own.")
@click.option("--attribution", default="", help="In place of MAPS's own.")
@click.option(
    "--recipe", "recipe_path", type=click.Path(path_type=Path), help="Its spectrogram, windows, splits, store."
)
@SEED
@WORKERS
@OVERWRITE
@JSON
@STRICT
def import_maps_command(
    folder: Path,
    output: Path,
    references: str,
    snippets: str,
    subsets: str,
    split: str,
    licence: str,
    attribution: str,
    recipe_path: Path | None,
    seed: int | None,
    as_json: bool,
    strict: bool,
    **options: Any,
) -> None:
    """Build a store from MAPS, any part of it, or a set like it ('sfdata isol').

    Recordings of the same music on several instruments form one piece. DIR is all of MAPS, one instrument, one subset,
    or any folder with some of its files.

    Example: sfdata import maps MAPS/ -o maps.zarr --subsets ISOL/CH,ISOL/ST
    """
    from sfdata.import_maps import MapsSettings, import_maps
    from sfdata.recipe import Recipe, read_recipe, with_seed

    settings = MapsSettings(references, _listed(snippets), _listed(subsets), split, licence, attribution)
    recipe = with_seed(read_recipe(recipe_path) if recipe_path else Recipe(), seed)
    with progress_bar() as progress:
        result = import_maps(folder, output, settings, recipe, progress=progress, **options)
    _finish_build(result, as_json, strict)


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
@click.option(
    "--recipe", "recipe_path", type=click.Path(path_type=Path), help="Its spectrogram, windows, splits, store."
)
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
    from sfdata.recipe import Recipe, read_recipe, with_seed

    settings = AlignedSettings(soundfont, velocity, split, performed_by)
    recipe = with_seed(read_recipe(recipe_path) if recipe_path else Recipe(), seed)
    with progress_bar() as progress:
        result = import_aligned(folder, output, settings, recipe, progress=progress, **options)
    if not as_json:
        for told in result.performances:
            click.echo(
                f"{told.recording}: {told.labelled} of {told.notes} notes labelled ({told.missing} without a row, "
                f"{told.beyond} before or after the alignment), {told.rows_without_note} of {told.rows} rows unused"
            )
    _finish_build(result, as_json, strict)


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@JSON
def info(store: Path, as_json: bool) -> None:
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
        click.echo(f"{key:15} {value}")


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--composers", is_flag=True, help="A composer in two splits is a problem too.")
@click.option("--instruments", is_flag=True, help="An instrument of snippets in test and another split is one, too.")
@JSON
def validate(store: Path, composers: bool, instruments: bool, as_json: bool) -> None:
    """Check a store: outline, checksums, labels against notes and arrays, leaks between splits.

    Exits with 1 where there are problems.

    Example: sfdata validate store.zarr
    """
    from sfdata.validate import validate as check

    problems = check(store, composers, instruments)
    if as_json:
        click.echo(json.dumps({"valid": not problems, "problems": [asdict(problem) for problem in problems]}))
    else:
        for problem in problems:
            click.echo(f"{problem.check}: {problem.detail}")
        click.echo(f"{store}: {f'{len(problems)} problems' if problems else 'valid'}")
    sys.exit(1 if problems else 0)


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(1), default=50, show_default=True, help="How many pairs are drawn.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of drawing them.")
@click.option("--midi", multiple=True, type=click.Path(path_type=Path), help="Where the pieces' MIDI files lie.")
@click.option("--rooms", type=click.Path(path_type=Path), help="Folder of your own impulse responses, if it took any.")
@JSON
def verify(store: Path, sample: int, seed: int, midi: tuple[Path, ...], rooms: Path | None, as_json: bool) -> None:
    """Rebuild a sample of pairs from what the store tells of itself, and compare bytes.

    Notes from MIDI files and records, sound from soundfonts, frames, targets. Says exactly what differs, and what could
    not be rebuilt here. Exits with 1 where something differs.

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
    sys.exit(0 if result.verified else 1)


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--pair", type=click.IntRange(0), default=0, show_default=True, help="Row of the table of pairs.")
@click.option("-o", "--output", help="PNG, PDF or SVG, by its ending.", **OUTPUT)
def plot(store: Path, pair: int, output: Path) -> None:
    """Draw a pair: reference with the target marked, and snippet.

    Example: sfdata plot store.zarr --pair 100 -o pair.png
    """
    from sfdata.plot import plot_pair
    from sfdata.store import open_store

    plot_pair(open_store(store), pair, output)
    click.echo(f"wrote {output}")


def _listed(text: str) -> tuple[str, ...]:
    """Parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _report_skipped(skipped: Any, strict: bool) -> None:
    for entry in skipped:
        click.echo(f"skipped {entry.source}: {entry.reason}", err=True)
    if strict and skipped:
        sys.exit(1)


def _finish_stage(what: str, output: Path, result: Any, as_json: bool, strict: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(f"wrote {result.written} {what} to {output}, skipped {len(result.skipped)} sources")
    _report_skipped(result.skipped, strict)


def _finish_build(result: Any, as_json: bool, strict: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(
            f"wrote {result.store}: {result.pieces} pieces, {result.renditions} renditions "
            f"({result.audio_s / 3600:.2f} h of sound), {result.pairs} pairs, in {result.elapsed_s:.1f} s; "
            f"skipped {len(result.skipped)} sources"
        )
    _report_skipped(result.skipped, strict)
