"""Do the labels of recorded sets say when it sounds? Onsets found in the sound, against those that are labelled.

The detectors and controls are those of ``maps_labels.py``. Labels are the performed notes as ``sfdata import aligned``
labels them, chords merged: from the alignment (or single notes, or a match file), moved by the annotated lag. The
control is each recording's performed notes rendered with a soundfont. Soft, repeated and arpeggiated notes escape
detectors that look at one onset at a time; so the last two columns correlate, over the whole recording, the rise of
its energy with that of the labels rendered: the lag at which both agree most, in steps of 5 ms, and how much.

Run: python benchmarks/aligned_labels.py DIR [--control timgm6mb:0] [--without-lag] [--json]
"""

import argparse
import json
from pathlib import Path

import librosa
import numpy as np
from maps_labels import RATE, Floats, chords, detect, locate, moved, nearest_lag, row
from numpy.typing import NDArray

from sfdata.aligned import find_recorded, read_meta, recording_files
from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.performed import read_performance, read_score
from sfdata.render import read_audio, render
from sfdata.soundfonts import resolve_instrument

HOP, REACH = 110, 40  # 5 ms; 200 ms to either side
Lags = list[tuple[Floats, Floats, int]]


def rises(samples: NDArray[np.float32]) -> Floats:
    """How much energy rises every 5 ms, in 88 mel bands together, standardised."""
    power = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=2048, hop_length=HOP, n_mels=88, fmax=4000)
    level = np.log1p(0.5 * np.sqrt(power))
    rise = np.maximum(level[:, 2:] - level[:, :-2], 0).sum(axis=0)
    return np.asarray((rise - rise.mean()) / (rise.std() + 1e-9), dtype=np.float64)


def common_lag(samples: NDArray[np.float32], rendered: NDArray[np.float32]) -> tuple[float, float]:
    """Lag in seconds at which a recording correlates most with its labels rendered, and the correlation."""
    sound, label = rises(samples), rises(rendered)
    length = min(len(sound), len(label)) - 2 * REACH
    centre = label[REACH : REACH + length]
    agreement = [float(np.mean(centre * sound[shift : shift + length])) for shift in range(2 * REACH + 1)]
    best = int(np.argmax(agreement))
    return (best - REACH) * HOP / RATE, agreement[best]


def measure(root: Path, control: str, use_lag: bool) -> dict[str, dict[str, float]]:
    """A row for each recording, all together, the control and chance."""
    instrument, rng = resolve_instrument(control), np.random.default_rng(0)
    lags: dict[str, Lags] = {}
    common: dict[str, tuple[float, float]] = {}
    controls: dict[str, Lags] = {f"rendered by {control}": [], "by chance": []}

    def listen(to: Lags, sound: NDArray[np.float32], times: Floats, pitches: list[NDArray[np.integer]]) -> None:
        found = detect(sound)
        to.append((nearest_lag(times, found), locate(sound, times, pitches), len(found)))

    for folder in find_recorded(root):
        try:
            recordings, meta = recording_files(folder), read_meta(folder / "meta.json")
            score = read_score(folder, recordings, lead_in_s=0.5, velocity=64)
            for files in (files for files in recordings if files.sound):
                name = f"{folder.name}/{files.who}" if files.who else folder.name
                notes, _ = read_performance(name, files, score, meta.median_audio_lag_s if use_lag else 0.0)
                columns = [
                    notes[notes["source"] >= 0][column] for column in ("onset_s", "offset_s", "pitch", "velocity")
                ]
                exact = snap_to_event_grid(make_notes(*columns), RATE)
                samples, rendered = read_audio(files.sound, RATE), render(exact, instrument, RATE)
                times, pitches = chords(exact)
                common[name] = common_lag(samples, rendered)
                listen(lags.setdefault(name, []), samples, times, pitches)
                listen(controls[f"rendered by {control}"], rendered, times, pitches)
                listen(controls["by chance"], samples, moved(times, rng), pitches)
        except ValueError as error:
            print(f"skipped {folder.name}: {error}")
    groups = lags | {"all recordings": [heard for own in lags.values() for heard in own]} | controls
    table = {}
    for name, heard in groups.items():
        if heard:
            blind, informed, found = zip(*heard, strict=True)
            lag_s, agreement = common.get(name, (float("nan"), float("nan")))
            table[name] = row(blind, informed, sum(found)) | {
                "common_lag_ms": round(1000 * lag_s, 1),
                "correlation": round(agreement, 3),
            }
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
