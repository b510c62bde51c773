"""Commands that make data, in the order of the pipeline: single steps, all in one pass, sets of notes."""

from pathlib import Path
from typing import Any

import click

from sfdata.cli.group import (
    DRAWN_SEED,
    INPUT_FOLDER,
    JSON,
    OUTPUT,
    OVERWRITE,
    SEED,
    STRICT,
    WORKERS,
    finish_build,
    finish_estimate,
    finish_stage,
    listed,
    main,
    recipe_option,
    seeded_recipe,
)
from sfdata.progress import progress_bar


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
    finish_stage("voices", output, result, as_json, strict)


@main.command()
@click.argument("voices", type=INPUT_FOLDER)
@click.option("-o", "--output", help="Folder for the performances.", **OUTPUT)
@recipe_option("Take the operations of its [augment] section, with all of their settings; options below come on top.")
@click.option("--copies", type=click.IntRange(0), default=None, help="Variants of each voice. [default: 1]")
@DRAWN_SEED
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
    finish_stage("performances", output, result, as_json, strict)


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
@recipe_option("Take its [render] and [sound] sections: rooms, noise and the like are drawn for each variant.")
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
    finish_stage("sound files", output, result, as_json, strict)


@main.command("build-pairs")
@click.option("--references", required=True, type=INPUT_FOLDER, help="Folder of sound with notes beside it.")
@click.option("--snippets", required=True, type=INPUT_FOLDER, help="Folder of the same music, rendered otherwise.")
@click.option("-o", "--output", help="The store to write.", **OUTPUT)
@recipe_option("Its spectrogram, windows, splits, store.")
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

    recipe = seeded_recipe(recipe_path, seed)
    with progress_bar() as progress:
        result = build_pairs(references, snippets, output, recipe, progress=progress, **options)
    finish_build(result, as_json, strict)


@main.command()
@click.argument("recipe_path", metavar="RECIPE.toml", type=click.Path(path_type=Path))
@click.argument("midi", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, help="The store to write: a folder, or a URL such as s3://bucket/s.zarr."
)
@SEED
@WORKERS
@click.option("--scheduler", help="Address of a running Dask scheduler to use, such as tcp://127.0.0.1:8786.")
@OVERWRITE
@click.option("--append", is_flag=True, help="Extend an existing store by what the recipe has that it lacks.")
@click.option("--dry-run", is_flag=True, help="Say what would be made, and what it would take; write nothing.")
@JSON
@STRICT
def build(
    recipe_path: Path,
    midi: tuple[Path, ...],
    output: str,
    seed: int | None,
    dry_run: bool,
    as_json: bool,
    strict: bool,
    **options: Any,
) -> None:
    """Build a store from a recipe in one pass, in parallel, with no audio on disk.

    MIDI files or folders given here replace the recipe's sources. An interrupted build goes on when called again.

    Example: sfdata build pipelines/demo.toml my-midi/ -o store.zarr
    """
    from sfdata.build import build as build_store
    from sfdata.estimate import estimate_build
    from sfdata.recipe import read_recipe, with_seed

    recipe = with_seed(read_recipe(recipe_path), seed)
    if dry_run:
        with progress_bar() as progress:
            estimate = estimate_build(recipe, output, midi, workers=options["workers"], progress=progress)
        finish_estimate(estimate, as_json, strict)
        return
    with progress_bar() as progress:
        result = build_store(recipe, output, midi, progress=progress, **options)
    finish_build(result, as_json, strict)


@main.command()
@click.option("-o", "--output", help="Folder for the set; its instrument gets a folder inside.", **OUTPUT)
@click.option(
    "--soundfont",
    help="NAME[:PROGRAM], or a path to an sf2 or sf3.  [default: a recipe's stand-ins, or timgm6mb:0]",
)
@click.option("--code", default="", help="Name of the instrument in folders and files.  [default: timgm6mb-0 or so]")
@click.option("--subsets", help="Playing styles, with commas.  [default: those of a recipe's [maps], or all]")
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
@DRAWN_SEED
@click.option("--format", "audio_format", default="wav", show_default=True, help="wav or flac.")
@click.option("--sample-rate", "sample_rate_hz", type=int, default=44100, show_default=True, help="In Hz.")
@recipe_option("Take its [render] and [sound]: one room, tuning and so on is drawn for the whole set; and its [maps].")
@click.option("--overwrite", is_flag=True, help="Replace a set of that name.")
@JSON
def isol(
    output: Path,
    soundfont: str | None,
    code: str,
    subsets: str | None,
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
    them. With a recipe that names stand-ins for MAPS's instruments, a set for each, with its own code and sound.

    Example: sfdata isol -o maps-like/ --soundfont timgm6mb:1 --subsets CH,ST
    """
    from sfdata.isol import IsolSettings, pitch_range
    from sfdata.isol_files import isol_subsets, make_isol, make_stand_ins
    from sfdata.recipe import Recipe, read_recipe
    from sfdata.soundfonts import DEFAULT_INSTRUMENT

    recipe = read_recipe(recipe_path) if recipe_path else Recipe()
    styles = isol_subsets(recipe.maps) if subsets is None else listed(subsets)
    settings = IsolSettings(
        subsets=tuple(style.removeprefix("ISOL/") for style in styles),
        loudness=listed(loudness),
        pitches=pitch_range(pitches),
        durations_s=tuple(durations),
        **options,
    )
    with progress_bar() as progress:
        if soundfont is None and recipe.maps and recipe.maps.stand_ins:
            if code:
                raise ValueError(
                    f"code {code!r} without a soundfont; expected neither: stand-ins have codes of their own"
                )
            result = make_stand_ins(output, recipe, settings, overwrite=overwrite, progress=progress)
        else:
            result = make_isol(
                output,
                soundfont or DEFAULT_INSTRUMENT,
                settings,
                code=code,
                overwrite=overwrite,
                sound=recipe.sound,
                rooms=recipe.rooms(),
                rendering=recipe.render,
                progress=progress,
            )
    finish_stage("items", output, result, as_json, strict=False)
