"""A whole build, MIDI to store, against the bounds of synthesis and FFT for the same renditions; and where it spends.

One process builds a store; then the very renditions that the store holds are synthesised by raw libfluidsynth into a
reused buffer, and as many frames as it holds go through scipy's bare FFT. The ratio is CPU time of the build, writing,
reading back and tables included, over the sum of both. Effects (rooms, equaliser, noise) have no bound: the ratio of a
recipe that has them says how much they cost.

Run: python benchmarks/build.py [--repetitions 2] [--recipe pipelines/demo.toml …] [--all] [--json FILE]
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raw_synth import RawSynth, events_of
from spectrogram import bare_fft
from steps import profiled
from threadpoolctl import threadpool_limits
from timing import RATE, SHORT, arguments, measure, pieces, save, show

from sfdata.build import BuildResult, build
from sfdata.recipe import Recipe, read_recipe
from sfdata.shipped_files import shipped_file
from sfdata.soundfonts import resolve_instrument
from sfdata.store import Store, open_store

# Some costs are the same for any number of pieces: the more of them, the less they count.
RECIPES = {"pipelines/demo.toml": (*SHORT, "Handel*", "Brahms*", "Liszt*"), "pipelines/human.toml": SHORT}


def bounds(store: Store) -> tuple[Callable[[], object], Callable[[], object]]:
    """Synthesis and FFT of a store's renditions, and nothing else."""
    renditions, names = store.renditions, store.instruments["name"]
    synths: dict[str, RawSynth] = {}
    tasks = []
    for performance, instrument, seconds in zip(
        *(renditions[column] for column in ("performance", "instrument", "duration_s")), strict=True
    ):
        preset = resolve_instrument(str(names[instrument]))
        if preset.name not in synths:
            synths[preset.name] = RawSynth(preset.path, preset.bank, preset.program)
        events = events_of(store.note_array(int(performance)), round(float(seconds) * RATE))
        tasks.append((synths[preset.name], events))
    fft = bare_fft(int(renditions["frame_count"].sum()), store.spectrogram.n_fft)
    return (lambda: [synth.play(events) for synth, events in tasks]), fft


def once(recipe: Recipe, files: list[Path], store: Path) -> BuildResult:
    """A build in this process."""
    return build(recipe, store, files, workers=1, overwrite=True)


def against_bounds(recipe: Recipe, files: list[Path], repetitions: int) -> dict[str, Any]:
    """The figures of one recipe."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        store = Path(folder) / "store.zarr"
        made = once(recipe, files, store)
        synthesis, fft = bounds(open_store(store))
        contenders = {"build": lambda: once(recipe, files, store), "synthesis": synthesis, "fft": fft}
        seconds = measure(contenders, repetitions, warm_up=False)  # the first build was one
        with profiled() as steps:
            once(recipe, files, store)
    bound, total = seconds["synthesis"] + seconds["fft"], sum(steps.values())
    shares = {step: round(value / total, 4) for step, value in steps.most_common()}
    show(
        f"{recipe.name}: {made.pieces} pieces, {made.renditions} renditions, {made.audio_s:.0f} s; CPU over bound",
        {
            "bound: raw synthesis and bare FFT": 1.0,
            "   synthesis alone": seconds["synthesis"] / bound,
            "   FFT alone": seconds["fft"] / bound,
            "sfdata build, one worker": seconds["build"] / bound,
        },
    )
    over = seconds["build"] / bound
    show("where it goes, in parts of the bound", {step: over * share for step, share in shares.items()})
    return {
        "ratio": round(over, 4),
        "synthesis_bound": round(seconds["synthesis"] / bound, 4),
        "shares": shares,
        "cpu_s": seconds["build"],
        "audio_s": made.audio_s,
        "pairs": made.pairs,
    }


def main() -> None:
    parser = arguments(__doc__, 2)
    parser.add_argument("--recipe", action="append", help="default: the demo's, and the one with performed snippets")
    parser.add_argument("--all", action="store_true", help="all shipped pieces, not only some")
    options = parser.parse_args()
    chosen, figures = dict.fromkeys(options.recipe, SHORT) if options.recipe else RECIPES, {}
    for name, patterns in chosen.items():
        recipe = read_recipe(name if options.recipe else shipped_file(name))
        figures[recipe.name] = against_bounds(recipe, pieces(*(() if options.all else patterns)), options.repetitions)
    save(options, {"recipes": figures})


if __name__ == "__main__":
    main()
