"""Memory of a process that makes spectrograms of performances of five minutes and of an hour.

Each measurement is a process of its own that plays random chords, as long as asked, through the whole chain, dry or
with every sound operation of pipelines/human.toml, and throws the frames away. What is printed is the peak of its
resident memory, beside that of a process that has loaded the same modules and the soundfont and plays one second.

Run: python benchmarks/memory.py [--minutes 5 60]
"""

import argparse
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from sfdata.effects import OPERATIONS
from sfdata.notes import NoteArray, make_notes, snap_to_event_grid
from sfdata.recipe import read_recipe
from sfdata.rendition import rendition_frames
from sfdata.sound import draw_sound
from sfdata.soundfonts import resolve_instrument

RECIPE = Path(__file__).parents[1] / "pipelines" / "human.toml"
CHORDS_PER_S = 4
CHORD_NOTES = 3


def some_performance(seconds: float, sample_rate_hz: int) -> NoteArray:
    """Chords of three notes, four a second: as dense as much piano music."""
    rng = np.random.default_rng(0)
    onset_s = np.repeat(0.5 + np.arange(0, seconds, 1 / CHORDS_PER_S), CHORD_NOTES)
    length_s = rng.uniform(0.1, 0.6, len(onset_s))
    pitches, velocities = rng.integers(36, 97, len(onset_s)), rng.integers(30, 100, len(onset_s))
    return snap_to_event_grid(make_notes(onset_s, onset_s + length_s, pitches, velocities), sample_rate_hz)


def peak_mb(seconds: float, effects: bool) -> float:
    """Make the frames of one performance in this process; its peak of resident memory so far."""
    recipe = read_recipe(RECIPE)
    record = {}
    if effects:
        chosen = {name: getattr(recipe.sound, name) for name in OPERATIONS}
        always = {name: replace(value, probability=1.0) for name, value in chosen.items() if value is not None}
        record = draw_sound(replace(recipe.sound, **always), np.random.default_rng(0))
    notes = some_performance(seconds, recipe.spectrogram.sample_rate_hz)
    instrument = resolve_instrument("timgm6mb:0")
    frames = 0
    for block in rendition_frames(notes, instrument, recipe.spectrogram, recipe.render, record):
        frames += len(block)
    assert frames >= seconds * recipe.spectrogram.frame_rate_hz
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def measured(seconds: float, effects: bool) -> float:
    """Peak of a fresh process."""
    command = [sys.executable, __file__, "--once", str(seconds), *(["--effects"] if effects else [])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 60])
    parser.add_argument("--once", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--effects", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once is not None:
        print(peak_mb(arguments.once, arguments.effects))
        return
    lengths = {"1 s": 1.0, **{f"{minutes:g} min": 60 * minutes for minutes in arguments.minutes}}
    print(f"{'peak resident memory, MB':28}" + "".join(f"{name:>10}" for name in lengths))
    for title, effects in (("dry", False), ("all effects", True)):
        peaks = [measured(seconds, effects) for seconds in lengths.values()]
        print(f"{title:28}" + "".join(f"{peak:10.0f}" for peak in peaks))


if __name__ == "__main__":
    main()
