"""What it costs to plan a collection: CPU time a piece of each step before the first sample is made.

Pieces are made of the shipped ones: a line of chords in which each follows, in some real piece, the top notes of the
two before it, to the size of GiantMIDI-Piano's (about 3,200 notes and 410 s). They share passages with each other, more
than real pieces do, so that figures of *same music* are too high. They are written as MIDI to a temporary folder.

Run: python benchmarks/planning.py [--count 1000] [--measured 20]
--count 10855 is GiantMIDI-Piano's size; steps done piece by piece are measured on the first --measured of them.
"""

import argparse
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pretty_midi
import symusic

from sfdata.fingerprint import fingerprint
from sfdata.midi import find_midi, read_midi_notes, read_piece, write_midi
from sfdata.notes import NoteArray, make_notes
from sfdata.operations.base import chord_firsts, chord_numbers
from sfdata.pairs import piece_pairs
from sfdata.plan import PiecePlan, RenditionPlan, perform
from sfdata.recipe import Recipe, read_recipe
from sfdata.shipped_files import shipped_file
from sfdata.similarity import same_music
from sfdata.soundfonts import Instrument
from sfdata.voices import VoiceSettings, extract_voices

RECIPES = ("pipelines/demo.toml", "pipelines/human.toml")
METHODS = ("skyline", "voice-separation", "all")
INSTRUMENTS = [Instrument(f"{role}:0", "", "", 0, 0, "") for role in ("reference", "snippet")]


class Chords:
    """Chords of real pieces, by the top notes of the two before them."""

    def __init__(self, pieces: list[NoteArray]) -> None:
        self._notes = np.concatenate(pieces)
        self._bounds: list[tuple[int, int, float]] = []  # first note, end, time to the next chord
        self._follow: dict[tuple[int, int], list[int]] = defaultdict(list)
        base = 0
        for notes in pieces:
            first = chord_firsts(chord_numbers(notes))
            top = np.maximum.reduceat(notes["pitch"], first).tolist()
            between_s = np.append(np.diff(notes["onset_s"][first]), 0.5)
            for place, (begin, end) in enumerate(zip(first, np.append(first[1:], len(notes)), strict=True)):
                if place >= 2:
                    self._follow[top[place - 2], top[place - 1]].append(len(self._bounds))
                self._bounds.append((base + int(begin), base + int(end), min(float(between_s[place]), 2.0)))
            base += len(notes)
        self._states = list(self._follow)

    def piece(self, notes: int, rng: np.random.Generator) -> NoteArray:
        """A piece of at least so many notes."""
        state, onset_s, rows, onsets = self._states[rng.integers(len(self._states))], 0.5, [], []
        held = 0
        while held < notes:
            if state not in self._follow:
                state = self._states[rng.integers(len(self._states))]
            begin, end, between_s = self._bounds[self._follow[state][rng.integers(len(self._follow[state]))]]
            chord = self._notes[begin:end]
            rows.append(chord)
            onsets.append(onset_s + chord["onset_s"] - chord["onset_s"][0])
            state, onset_s, held = (state[1], int(chord["pitch"].max())), onset_s + between_s, held + len(chord)
        made, onset = np.concatenate(rows), np.concatenate(onsets)
        return make_notes(onset, onset + made["offset_s"] - made["onset_s"], made["pitch"], made["velocity"])


def cpu_ms(step: Callable[[Any], Any], items: Iterable[Any]) -> tuple[float, list[Any]]:
    """CPU milliseconds an item, and what the step gave."""
    items = list(items)
    began = time.process_time()
    made = [step(item) for item in items]
    return 1e3 * (time.process_time() - began) / len(items), made


def with_renditions(plan: PiecePlan, frame_rate_hz: float) -> PiecePlan:
    """One instrument for the score sides, another for snippets; of the score sides where there are no variants."""
    variants = any(p.role == "variant" for p in plan.performances)
    renditions = []
    for number, performance in enumerate(plan.performances):
        frames = int(np.ceil((performance.notes["offset_s"].max() + 1) * frame_rate_hz))
        score = performance.role == "score"
        for instrument, reference, snippet in zip(
            INSTRUMENTS, (score, False), (False, not score or not variants), strict=True
        ):
            if reference or snippet:
                renditions.append(RenditionPlan(number, instrument, 0, frames, reference, snippet))
    return replace(plan, renditions=tuple(renditions))


def report_reading(paths: list[Path]) -> None:
    readers: dict[str, Callable[[Path], Any]] = {
        "symusic alone": symusic.Score.from_file,
        "read_piece": read_piece,
        "pretty_midi": lambda path: pretty_midi.PrettyMIDI(str(path)),
        "mido": lambda path: [message for message in mido.MidiFile(path)],
    }
    for reader in readers.values():
        reader(paths[0])
    costs = {name: cpu_ms(reader, paths)[0] for name, reader in readers.items()}
    for name, cost in costs.items():
        print(f"| read: {name} | {cost:.2f} | {cost / costs['read_piece']:.2f} |")


def report_recipe(recipe: Recipe, name: str, pieces: list[Any], reading_ms: float) -> None:
    rate = recipe.spectrogram.frame_rate_hz

    def draw(piece: Any) -> PiecePlan:
        voices = extract_voices(piece.notes, recipe.voices)
        method, hertz = recipe.voices.method, recipe.spectrogram.sample_rate_hz
        made = perform(voices, recipe.augment, recipe.seed, piece.sha256, method, hertz)
        return PiecePlan({"sha256": piece.sha256}, frozenset(), tuple(made), ())

    cost, plans = cpu_ms(draw, pieces)
    notes = np.mean([sum(len(p.notes) for p in plan.performances) for plan in plans])
    print(f"| {name}: voices and performances, {notes:,.0f} notes | {cost:.2f} | {cost / reading_ms:.2f} |")
    plans = [with_renditions(plan, rate) for plan in plans]
    cost, _ = cpu_ms(lambda plan: piece_pairs(plan, recipe.windows, rate, 0), plans)
    print(f"| {name}: pairs | {cost:.2f} | {cost / reading_ms:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="of pieces; 10855 for GiantMIDI-Piano's size")
    parser.add_argument("--measured", type=int, default=20, help="of them, for the steps done piece by piece")
    parser.add_argument("--notes", type=int, default=3200, help="of a piece")
    arguments = parser.parse_args()
    chords = Chords([read_midi_notes(path) for path in find_midi([shipped_file("giantmidi")])])
    rng = np.random.default_rng(0)
    prints = []
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(arguments.count):
            notes = chords.piece(arguments.notes, rng)
            prints.append(fingerprint(notes))
            if number < arguments.measured:
                paths.append(Path(folder) / f"Composer, Ann, Piece {number}, id{number}.mid")
                write_midi(paths[-1], notes)
        reading_ms, pieces = cpu_ms(read_piece, paths)
        seconds = np.mean([piece.notes["offset_s"].max() for piece in pieces])
        print(f"{len(paths)} pieces of {np.mean([len(p.notes) for p in pieces]):,.0f} notes and {seconds:.0f} s each\n")
        print("| step | CPU ms a piece | times read_piece |\n|---|---|---|")
        report_reading(paths)
        for method in METHODS:
            cost, _ = cpu_ms(lambda piece, m=method: extract_voices(piece.notes, VoiceSettings(method=m)), pieces)
            print(f"| voices: {method} | {cost:.2f} | {cost / reading_ms:.2f} |")
        cost, _ = cpu_ms(lambda piece: fingerprint(piece.notes), pieces)
        print(f"| fingerprint | {cost:.2f} | {cost / reading_ms:.2f} |")
        for name in RECIPES:
            report_recipe(read_recipe(name), Path(name).stem, pieces, reading_ms)
    began = time.process_time()
    links = same_music(prints)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"\nsame music among {len(prints):,} pieces: {time.process_time() - began:.1f} s of CPU, {len(links):,} pairs "
        f"found; {memory:.2f} GiB at most, all in all"
    )


if __name__ == "__main__":
    main()
