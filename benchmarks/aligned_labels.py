"""Do the labels of recorded sets say when it sounds? Onsets found in the sound, against those that are labelled.

The detectors and controls are those of ``maps_labels.py``. Labels are the performed notes as ``sfdata import aligned``
labels them, chords merged: from the alignment (or single notes, or a match file), moved by the annotated lag. The
control is each recording's performed notes rendered with a soundfont.

Run: python benchmarks/aligned_labels.py DIR [--control timgm6mb:0] [--without-lag] [--json]
"""

import argparse
import json
from pathlib import Path

import numpy as np
from maps_labels import RATE, Floats, chords, detect, locate, moved, nearest_lag, row

from sfdata.aligned import find_recorded, read_meta, recording_files
from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.performed import read_performance, read_score
from sfdata.render import read_audio, render
from sfdata.soundfonts import resolve_instrument

Lags = list[tuple[Floats, Floats, int]]


def measure(root: Path, control: str, use_lag: bool) -> dict[str, dict[str, float]]:
    """A row for each recording, all together, the control and chance."""
    instrument, rng = resolve_instrument(control), np.random.default_rng(0)
    lags: dict[str, Lags] = {}
    controls: dict[str, Lags] = {f"rendered by {control}": [], "by chance": []}
    for folder in find_recorded(root):
        try:
            recordings, meta = recording_files(folder), read_meta(folder / "meta.json")
            score = read_score(folder, recordings, lead_in_s=0.5, velocity=64)
            for files in recordings:
                name = f"{folder.name}/{files.who}" if files.who else folder.name
                notes, _ = read_performance(name, files, score, meta.median_audio_lag_s if use_lag else 0.0)
                notes = notes[notes["source"] >= 0]
                samples = read_audio(files.sound, RATE)
                columns = [notes[column] for column in ("onset_s", "offset_s", "pitch", "velocity")]
                exact = snap_to_event_grid(make_notes(*columns), RATE)
                for row_name, sound, (times, pitches) in (
                    (name, samples, chords(notes)),
                    (f"rendered by {control}", render(exact, instrument, RATE), chords(exact)),
                ):
                    found = detect(sound)
                    heard = (nearest_lag(times, found), locate(sound, times, pitches), len(found))
                    (controls[row_name] if row_name in controls else lags.setdefault(row_name, [])).append(heard)
                times, pitches = chords(notes)
                displaced = moved(times, rng)
                found = detect(samples)
                heard = (nearest_lag(displaced, found), locate(samples, displaced, pitches), len(found))
                controls["by chance"].append(heard)
        except ValueError as error:
            print(f"skipped {folder.name}: {error}")
    groups = lags | {"all recordings": [heard for own in lags.values() for heard in own]} | controls
    table = {}
    for name, heard in groups.items():
        if heard:
            blind, informed, found = zip(*heard, strict=True)
            table[name] = row(blind, informed, sum(found))
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recorded sets")
    parser.add_argument("--control", default="timgm6mb:0", help="soundfont preset of the control")
    parser.add_argument("--without-lag", action="store_true", help="leave median_audio_lag_s out of account")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = measure(options.folder, options.control, not options.without_lag)
    if options.json:
        print(json.dumps(table, indent=2))
        return
    columns = list(next(iter(table.values())))
    width = max(len(name) for name in table) + 2
    print(f"{'':{width}}" + "".join(f"{column.replace('_', ' '):>24}" for column in columns))
    for name, values in table.items():
        print(f"{name:{width}}" + "".join(f"{values[column]:>24}" for column in columns))


if __name__ == "__main__":
    main()
