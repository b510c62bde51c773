"""What each part of the bundled network's training data buys: leave it out, train, measure on recordings.

Every variant of pipelines/bundled.toml is built in small (the files of the demo, whole pieces without the melodies,
two copies), the matching network is trained on it for one epoch with the settings of pipelines/bundled-training.toml,
and measured on the stores that are named. Stores and runs stay in the folder; what is there is not made again.

Run: python benchmarks/ablation.py FOLDER STORE [STORE…] [--only NAME …] [--seeds 0 1] [--epochs 1]

STOREs are imported recordings, such as `sfdata import aligned` writes. The soundfonts that bundled.toml names must have
been fetched. Prints a table in Markdown: bucket 1, share within 50 ms, 250 ms and beyond 500 ms, in %.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sfdata.build import build
from sfdata.recipe import InstrumentSettings, Recipe, read_recipe
from sfdata.sound import SoundSettings
from sfdata.splits import SplitSettings
from sfdata.voices import VoiceSettings
from sfmodel.evaluation import evaluate
from sfmodel.settings import read_settings
from sfmodel.tables import markdown_row, markdown_table
from sfmodel.training import train

KEYS = ("bucket1", "within_50ms", "within_250ms", "beyond_500ms")
TEMPO = ("tempo", "tempo_walk", "phrase_slowing", "tempo_change", "rest_insert", "fermata")
NOTES = ("omissions", "wrong_notes", "additions", "repeated_notes", "trills", "grace_notes")
ALL_OPERATIONS = (*TEMPO, *NOTES, "jitter", "chord_spread", "articulation", "note_length", "pedal")
ALL_OPERATIONS += ("velocity_curve", "accents", "velocity_noise")


def unaugmented(*names: str) -> Callable[[Recipe], Recipe]:
    """Leave out operations on the performance."""
    return lambda recipe: replace(recipe, augment=replace(recipe.augment, **dict.fromkeys(names)))


def unsounded(*names: str) -> Callable[[Recipe], Recipe]:
    """Leave out operations on the sound."""
    return lambda recipe: replace(recipe, sound=replace(recipe.sound, **dict.fromkeys(names)))


def played_by(*snippets: str) -> Callable[[Recipe], Recipe]:
    """Other instruments."""
    chosen = InstrumentSettings(("timgm6mb:0",), snippets, draw_references=1, draw_snippets=1)
    return lambda recipe: replace(recipe, instruments=chosen)


VARIANTS: dict[str, Callable[[Recipe], Recipe]] = {
    "everything": lambda recipe: recipe,
    "without tempo": unaugmented(*TEMPO),
    "without jitter and spread chords": unaugmented("jitter", "chord_spread"),
    "without articulation, lengths, pedal": unaugmented("articulation", "note_length", "pedal"),
    "without wrong and missing notes": unaugmented(*NOTES),
    "without dynamics": unaugmented("velocity_curve", "accents", "velocity_noise"),
    "without room": unsounded("room"),
    "without noise": unsounded("noise"),
    "without equaliser": unsounded("eq"),
    "only a TimGM6mb piano": played_by("timgm6mb:0"),
    "only a FluidR3 piano": played_by("fluidr3-gm:0"),
    "only a MuseScore piano": played_by("musescore-general:0"),
    "melodies only": lambda recipe: replace(recipe, voices=VoiceSettings("skyline")),
    "without transposing": lambda recipe: recipe,
    "nothing: the score as it stands, TimGM6mb": lambda recipe: replace(
        played_by("timgm6mb:0")(recipe),
        augment=replace(recipe.augment, **dict.fromkeys(ALL_OPERATIONS)),
        sound=SoundSettings(),
    ),
}


def small(recipe: Recipe) -> Recipe:
    """What all variants have in common."""
    return replace(
        recipe,
        sources=recipe.sources[:1],
        voices=VoiceSettings("all"),
        augment=replace(recipe.augment, copies=2),
        splits=SplitSettings(train=0.9, validation=0.1, test=0.0),
    )


def file_name(variant: str) -> str:
    """A variant's name as part of a path."""
    return "-".join("".join(c if c.isalnum() else " " for c in variant).split()).lower()


def measured(folder: Path, variant: str, seed: int, epochs: int, stores: list[Path]) -> dict[str, dict[str, float]]:
    """Build, train and evaluate one variant, or read what came out last time."""
    name = file_name(variant)
    told = folder / f"{name}-{seed}.json"
    if told.is_file():
        done: dict[str, dict[str, float]] = json.loads(told.read_text())
        if set(done) >= {store.stem for store in stores}:
            return done
    store, run = folder / f"{name}.zarr", folder / f"{name}-{seed}"
    if not store.exists():
        if variant == "without transposing":
            store = folder / f"{file_name('everything')}.zarr"
        else:
            build(VARIANTS[variant](small(read_recipe("pipelines/bundled.toml"))), store, workers=1)
    settings = replace(read_settings("pipelines/bundled-training.toml"), epochs=epochs, seed=seed)
    if variant == "without transposing":
        settings = replace(settings, transpose_semitones=0)
    train(store, run, settings, resume=True)
    result = {}
    for test in stores:
        metrics = evaluate(run, test, "all").metrics
        result[test.stem] = {key: metrics[key] for key in KEYS}
    told.write_text(json.dumps(result, indent=2))
    return result


def main() -> None:
    """Make what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("stores", type=Path, nargs="+")
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    names = [store.stem for store in arguments.stores]
    print(markdown_table(["trained on", *names], []), flush=True)
    for variant in arguments.only:
        runs = [
            measured(arguments.folder, variant, seed, arguments.epochs, arguments.stores) for seed in arguments.seeds
        ]
        cells = [variant]
        for name in names:
            means = [100 * sum(run[name][key] for run in runs) / len(runs) for key in KEYS]
            cells.append(" / ".join(f"{mean:.1f}" for mean in means))
        print(markdown_row(cells), flush=True)


if __name__ == "__main__":
    main()
