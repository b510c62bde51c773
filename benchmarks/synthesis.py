"""Synthesis against raw libfluidsynth, and what a fresh synth for each rendition costs.

The bound is ``fluid_synth_write_float`` into a reused buffer, 22.05 kHz, reverb and chorus off, with the same events at
the same samples, by a synth that is made once. All contenders play the same notes of real pieces, skyline and whole.

Run: python benchmarks/synthesis.py [--repetitions 3] [--seconds 60] [--json FILE]
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from raw_synth import RawSynth, events_of
from timing import RATE, arguments, measure, optional, pieces, ratios, save, show

from sfdata.fluidsynth import library_version
from sfdata.midi import read_piece, write_midi
from sfdata.notes import NoteArray, make_notes
from sfdata.render import RenderSettings, render, rendered_samples
from sfdata.soundfonts import Instrument, inventory, resolve_instrument
from sfdata.voices import extract_voices

PIECES = ("Handel*", "Scarlatti*K9_*", "Bach*BWV862*")
ONE_NOTE = make_notes([0.0], [0.001], [60], [64])


def material(seconds: float) -> list[NoteArray]:
    """The beginnings of some pieces, top voice and all notes."""
    both = [(extract_voices(notes)[0], notes) for notes in (read_piece(path).notes for path in pieces(*PIECES))]
    return [notes[notes["offset_s"] < seconds] for pair in both for notes in pair]


def with_pyfluidsynth(fluidsynth: Any, font: str, performances: list[Any]) -> Callable[[], object]:
    """A synth made once, and ``get_samples`` between events."""
    options = {"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.polyphony": 512}
    synth = fluidsynth.Synth(gain=1.5, samplerate=float(RATE), **options)
    synth.program_select(0, synth.sfload(font), 0, 0)

    def work() -> None:
        for events in performances:
            position, parts = 0, []
            for at, kind, pitch, velocity in events:
                if at > position:
                    parts.append(synth.get_samples(at - position)[::2])
                    position = at
                if kind == 1:
                    synth.noteon(0, pitch, velocity)
                elif kind == 0:
                    synth.noteoff(0, pitch)
            np.concatenate(parts)
            synth.all_sounds_off(0)

    return work


def with_pretty_midi(pretty_midi: Any, files: list[Path], rate: int | None) -> Callable[[], object]:
    """``PrettyMIDI.fluidsynth`` as it is called by most: a synth, and a font loaded, each time."""
    read = [pretty_midi.PrettyMIDI(str(path)) for path in files]
    return lambda: [midi.fluidsynth(fs=rate) for midi in read]


def with_program(program: str, font: str, files: list[Path], out: Path) -> Callable[[], object]:
    """The program, writing each file's sound to a WAV."""
    line = [program, "-niq", "-F", str(out), "-r", str(RATE), "-g", "1.5", "-R", "0", "-C", "0", font]
    return lambda: [subprocess.run([*line, path], check=True, capture_output=True) for path in files]


def speed(seconds: float, repetitions: int) -> dict[str, float]:
    """Ratios of CPU time to the bound."""
    instrument, notes = resolve_instrument("timgm6mb:0"), material(seconds)
    performances = [events_of(own, rendered_samples(own, RATE, RenderSettings())) for own in notes]
    bound, effects = RawSynth(instrument.path), RawSynth(instrument.path, effects=True)
    contenders: dict[str, Callable[[], object]] = {
        "bound: raw write_float into a reused buffer": lambda: [bound.play(events) for events in performances],
        "sfdata.render": lambda: [render(own, instrument, RATE) for own in notes],
        "the bound with FluidSynth's own reverb and chorus": lambda: [effects.play(events) for events in performances],
    }
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.mid" for number in range(len(notes))]
        for path, own in zip(files, notes, strict=True):
            write_midi(path, own)
        if fluidsynth := optional("fluidsynth"):
            contenders["pyfluidsynth, get_samples"] = with_pyfluidsynth(fluidsynth, instrument.path, performances)
            if pretty_midi := optional("pretty_midi"):
                contenders["pretty_midi.fluidsynth, 22.05 kHz"] = with_pretty_midi(pretty_midi, files, RATE)
                contenders["pretty_midi.fluidsynth, its 44.1 kHz default"] = with_pretty_midi(pretty_midi, files, None)
        if program := shutil.which("fluidsynth"):
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
            name = f"the program fluidsynth -F ({said.split('version')[-1].split()[0]})"
            contenders[name] = with_program(program, instrument.path, files, Path(folder) / "out.wav")
        else:
            print("(left out: the program fluidsynth, which is not installed: apt-get install fluidsynth)")
        found = ratios(measure(contenders, repetitions))
    length = sum(events[-1][0] for events in performances) / RATE
    show(f"synthesis, {len(notes)} performances, {length:.0f} s, FluidSynth {library_version()}: CPU over bound", found)
    return found


def fresh(repetitions: int) -> dict[str, dict[str, float]]:
    """Milliseconds for a fresh synth, by font: the font loaded again, and borrowed from a host."""
    table = {}
    for entry in inventory():
        if not entry["path"]:
            continue
        instrument, font = resolve_instrument(f"{entry['name']}:0"), entry["path"]
        seconds = measure(
            {
                "font loaded for each rendition": lambda font=font: RawSynth(font, whole_font=True).close(),
                "font borrowed, sfdata.render of one note": lambda instrument=instrument: render(
                    ONE_NOTE, instrument, RATE, RenderSettings(tail_s=0)
                ),
            },
            1 if entry["bytes"] > 3e7 else repetitions,
        )
        table[entry["name"]] = {name: 1000 * value for name, value in seconds.items()}
        show(f"a fresh synth, {entry['name']}: ms of CPU", table[entry["name"]])
    return table


def same_in_any_order(seconds: float) -> bool:
    """Whether renditions are the same bit for bit in whatever order they are made."""
    instruments: list[Instrument] = [resolve_instrument(f"timgm6mb:{program}") for program in (0, 1, 4)]
    tasks = [(notes, instrument) for notes in material(seconds)[:4] for instrument in instruments]
    order = np.random.default_rng(0).permutation(len(tasks))
    first = [render(notes, instrument, RATE).tobytes() for notes, instrument in tasks]
    again = {int(i): render(tasks[i][0], tasks[i][1], RATE).tobytes() for i in order}
    same = all(first[i] == again[i] for i in range(len(tasks)))
    print(f"\n{len(tasks)} renditions, again in another order: {'bit for bit the same' if same else 'NOT THE SAME'}")
    return same


def main() -> None:
    parser = arguments(__doc__, 3)
    parser.add_argument("--seconds", type=float, default=60, help="of each piece (%(default)s)")
    options = parser.parse_args()
    found = speed(options.seconds, options.repetitions)
    loads = fresh(options.repetitions)
    save(options, {"ratios": found, "fresh_ms": loads, "same_in_any_order": same_in_any_order(options.seconds / 2)})


if __name__ == "__main__":
    main()
