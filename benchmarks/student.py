"""What one would write in an afternoon, per pair: pretty_midi for the sound, librosa for the picture, ``np.save``.

Real pairs, drawn at random from a store, are made as usually written: the notes of the reference's 12 s and of the
snippet's window are cut out, each is synthesised by pretty_midi at 22.05 kHz (which loads the font each time), becomes
librosa's mel spectrogram, and both are saved. Then the same with one synth shared by all. Against them stands the CPU
time of a whole build by sfdata, divided by its pairs. Reading MIDI, voices and finding the pairs are given to the
student for nothing.

Run: python benchmarks/student.py [--repetitions 3] [--pairs 20] [--json FILE]
"""

import sys
import tempfile
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
from sfdata.soundfonts import resolve_instrument
from sfdata.store import Store, open_store

Side = tuple[NoteArray, int]  # notes from the window's beginning on, program


def sides(store: Store, count: int) -> list[tuple[Side, Side]]:
    """Reference and snippet of some random pairs, as notes."""
    pairs, renditions, rate = store.pairs, store.renditions, store.spectrogram.frame_rate_hz
    long_s, short_s = store.reference_frames / rate, store.snippet_frames / rate

    def cut(rendition: int, begin: float, length: float) -> Side:
        notes = store.note_array(int(renditions["performance"][rendition]))
        notes = notes[(notes["offset_s"] > begin) & (notes["onset_s"] < begin + length)]
        notes["onset_s"] = np.maximum(notes["onset_s"] - begin, 0)
        notes["offset_s"] = np.minimum(notes["offset_s"] - begin, length)
        return notes, int(store.instruments["program"][renditions["instrument"][rendition]])

    rows = np.random.default_rng(0).choice(len(pairs["note"]), count, replace=False)
    return [
        (
            cut(pairs["reference_rendition"][row], float(pairs["reference_start_frame"][row]) / rate, long_s),
            cut(pairs["snippet_rendition"][row], float(pairs["snippet_centre_s"][row]) - short_s / 2, short_s),
        )
        for row in rows
    ]


def picture(pretty_midi: Any, side: Side, synth: Any) -> Any:
    """Spectrogram of one side."""
    notes, program = side
    midi, part = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(program)
    for note in notes:
        part.notes.append(
            pretty_midi.Note(int(note["velocity"]), int(note["pitch"]), float(note["onset_s"]), float(note["offset_s"]))
        )
    midi.instruments.append(part)
    sound = midi.fluidsynth(fs=None if synth else RATE, synthesizer=synth)
    return np.log1p(100 * librosa.feature.melspectrogram(y=sound, sr=RATE, n_fft=2048, hop_length=1102, n_mels=88))


def main() -> None:
    parser = arguments(__doc__, 3)
    parser.add_argument("--pairs", type=int, default=20, help="that the student makes (%(default)s)")
    options = parser.parse_args()
    fluidsynth, pretty_midi = optional("fluidsynth"), optional("pretty_midi")
    if fluidsynth is None or pretty_midi is None:
        sys.exit("this needs both: pip install pyfluidsynth pretty_midi")
    recipe, files = read_recipe(shipped_file("pipelines/demo.toml")), pieces(*SHORT)
    synth = fluidsynth.Synth(samplerate=float(RATE))
    synth.sfload(resolve_instrument("timgm6mb:0").path)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        store = Path(folder) / "store.zarr"
        made = build(recipe, store, files, workers=1)
        drawn = sides(open_store(store), options.pairs)

        def student(shared: Any) -> None:
            for number, (reference, snippet) in enumerate(drawn):
                np.save(f"{folder}/reference{number}.npy", picture(pretty_midi, reference, shared))
                np.save(f"{folder}/snippet{number}.npy", picture(pretty_midi, snippet, shared))

        seconds = measure(
            {
                "sfdata build, one worker": lambda: build(recipe, store, files, workers=1, overwrite=True),
                "one shared synth": lambda: student(synth),
                "as usually written: font loaded each time": lambda: student(None),
            },
            options.repetitions,
        )
    counts = [made.pairs, options.pairs, options.pairs]
    each = {name: 1000 * value / count for (name, value), count in zip(seconds.items(), counts, strict=True)}
    ours = next(iter(each.values()))
    show(f"CPU milliseconds a pair ({made.pairs} pairs of {made.pieces} pieces; {options.pairs} by the student)", each)
    found = {name: value / ours for name, value in each.items()}
    show("over sfdata's", found, ".0f")
    save(options, {"ms_a_pair": each, "ratios": found})


if __name__ == "__main__":
    main()
