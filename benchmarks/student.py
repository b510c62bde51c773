"""What one would write in an afternoon, per pair: pretty_midi for the sound, librosa for the picture, ``np.save``.

Pairs are drawn at random from a store of real pieces. *As usually written*, a function makes one pair: it opens the
MIDI file with pretty_midi, cuts out the notes of the reference's 12 s and of the snippet's window, lets pretty_midi
play them at its default of 44.1 kHz (which makes a synth and loads the font each time), takes librosa's mel spectrogram
of each, and saves both. Then the same by degrees wiser: with notes that are there already, at 22.05 kHz; and with one
synth for all. Where FluidR3 is on the machine, the first is done with it for the snippets, too: fonts above TimGM6mb's
6 MB take longer to load. Against them stands the CPU time of a whole build by sfdata, divided by its pairs.

Run: python benchmarks/student.py [--repetitions 2] [--pairs 12] [--json FILE]
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
from threadpoolctl import threadpool_limits
from timing import RATE, SHORT, arguments, measure, optional, pieces, save, show

from sfdata.build import build
from sfdata.notes import NoteArray
from sfdata.recipe import read_recipe
from sfdata.shipped_files import shipped_file
from sfdata.soundfonts import inventory, resolve_instrument
from sfdata.store import Store, open_store

PIECES = (*SHORT, "Handel*")
Side = tuple[Path, NoteArray, int]  # the piece, notes from the window's beginning on, program


def sides(store: Store, files: list[Path], count: int) -> list[tuple[Side, Side]]:
    """Reference and snippet of some random pairs, as notes."""
    pairs, renditions, rate = store.pairs, store.renditions, store.spectrogram.frame_rate_hz
    long_s, short_s = store.reference_frames / rate, store.snippet_frames / rate
    path_of = {path.name: path for path in files}

    def cut(rendition: int, begin: float, length: float) -> Side:
        performance = int(renditions["performance"][rendition])
        notes = store.note_array(performance)
        notes = notes[(notes["offset_s"] > begin) & (notes["onset_s"] < begin + length)]
        notes["onset_s"] = np.maximum(notes["onset_s"] - begin, 0)
        notes["offset_s"] = np.minimum(notes["offset_s"] - begin, length)
        path = path_of[str(store.pieces["file"][store.performances["piece"][performance]])]
        return path, notes, int(store.instruments["program"][renditions["instrument"][rendition]])

    rows = np.random.default_rng(0).choice(len(pairs["note"]), count, replace=False)
    return [
        (
            cut(pairs["reference_rendition"][row], float(pairs["reference_start_frame"][row]) / rate, long_s),
            cut(pairs["snippet_rendition"][row], float(pairs["snippet_centre_s"][row]) - short_s / 2, short_s),
        )
        for row in rows
    ]


def picture(pretty_midi: Any, side: Side, synth: Any, rate: int, read: bool) -> Any:
    """Spectrogram of one side; `synth` is one, or a font to load."""
    path, notes, program = side
    if read:
        pretty_midi.PrettyMIDI(str(path))
    midi, part = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(program)
    for note in notes:
        part.notes.append(
            pretty_midi.Note(int(note["velocity"]), int(note["pitch"]), float(note["onset_s"]), float(note["offset_s"]))
        )
    midi.instruments.append(part)
    sound = midi.fluidsynth(fs=rate if isinstance(synth, str) else None, synthesizer=synth)
    n_fft = 2048 * rate // RATE
    return np.log1p(
        100 * librosa.feature.melspectrogram(y=sound, sr=rate, n_fft=n_fft, hop_length=rate // 20, n_mels=88)
    )


def main() -> None:
    parser = arguments(__doc__, 2)
    parser.add_argument("--pairs", type=int, default=12, help="that the student makes (%(default)s)")
    options = parser.parse_args()
    fluidsynth, pretty_midi = optional("fluidsynth"), optional("pretty_midi")
    if fluidsynth is None or pretty_midi is None:
        sys.exit("this needs both: pip install pyfluidsynth pretty_midi")
    recipe, files = read_recipe(shipped_file("pipelines/demo.toml")), pieces(*PIECES)
    font = resolve_instrument("timgm6mb:0").path
    fluid = {entry["name"]: entry["path"] for entry in inventory()}.get("fluidr3-gm")
    synth = fluidsynth.Synth(samplerate=float(RATE))
    synth.sfload(font)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        store = Path(folder) / "store.zarr"
        made = build(recipe, store, files, workers=1)
        drawn = sides(open_store(store), files, options.pairs)

        def student(synths: tuple[Any, Any], rate: int, read: bool = False) -> Callable[[], None]:
            def work() -> None:
                for number, pair in enumerate(drawn):
                    for name, side, synth in zip(("reference", "snippet"), pair, synths, strict=True):
                        # One reading of the file serves both sides.
                        values = picture(pretty_midi, side, synth, rate, read and name == "reference")
                        np.save(f"{folder}/{name}{number}.npy", values)

            return work

        contenders: dict[str, Callable[[], object]] = {
            "sfdata build, one worker": lambda: build(recipe, store, files, workers=1, overwrite=True),
            "one synth for all, notes at hand, 22.05 kHz": student((synth, synth), RATE),
            "font loaded each time, notes at hand, 22.05 kHz": student((font, font), RATE),
            "as usually written: all of it for each pair, TimGM6mb": student((font, font), 2 * RATE, True),
        }
        if fluid:
            name = "as usually written, snippets by FluidR3"
            contenders[name] = student((font, fluid), 2 * RATE, True)
        else:
            print("(left out: FluidR3, which is not on this machine: sfdata soundfonts fetch fluidr3-gm)")
        student((synth, synth), RATE)()  # the first build was one warm-up, this is the other
        seconds = measure(contenders, options.repetitions, warm_up=False)
    counts = [made.pairs] + [options.pairs] * (len(seconds) - 1)
    each = {name: 1000 * value / count for (name, value), count in zip(seconds.items(), counts, strict=True)}
    ours = next(iter(each.values()))
    show(f"CPU milliseconds a pair ({made.pairs} pairs of {made.pieces} pieces; {options.pairs} by the student)", each)
    found = {name: value / ours for name, value in each.items()}
    show("over sfdata's", found, ".0f")
    save(options, {"ms_a_pair": each, "ratios": found})


if __name__ == "__main__":
    main()
