"""Do MAPS's annotations say when it sounds? Onsets found in the sound, against those annotated.

Two detectors look at each item, after resampling to 22,050 Hz:

* blind: librosa's onset strength (138 mel bands, 93 ms windows every 5 ms, each compared with that 10 ms before), its
  peaks moved back to the minimum before them; the threshold is such that it finds about as many onsets as are
  annotated. Reported are how many it finds, and the share of annotated onsets with a found one within 20 and 50 ms.
* informed: within 100 ms around each annotated onset, the moment of steepest rise of the energy in the bands of the
  annotated pitches' first four partials (46 ms windows every 2.5 ms). Reported are the share within 20 and 50 ms, and
  the median lag: above zero where it sounds after the annotation.

Notes that begin within 30 ms of a chord's first one count as one onset. Three controls: the same annotations rendered
with a soundfont, where labels are exact to the sample (what is missed there, detectors miss); and both detectors on
times that were moved at random by 0.15 to 0.5 s (what they find there, they find by chance).

Run: python benchmarks/maps_labels.py DIR [--control timgm6mb:0] [--json]
"""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from sfdata.maps import find_items, item_notes
from sfdata.notes import NoteArray, make_notes, snap_to_event_grid
from sfdata.render import read_audio, render
from sfdata.soundfonts import resolve_instrument

RATE = 22050
BLIND_FFT, INFORMED_FFT = 2048, 1024
BLIND_HOP = 110
INFORMED_HOP = 55
THRESHOLD = 0.015
CHORD_S = 0.03
REACH_S = 0.1
PARTIALS = 4
Floats = NDArray[np.float64]


def chords(notes: NoteArray) -> tuple[Floats, list[NDArray[np.integer]]]:
    """Onsets with chords merged: times of their first notes, and their pitches."""
    onset, pitch = notes["onset_s"], notes["pitch"].astype(int)
    starts = [0]
    for index in range(1, len(onset)):
        if onset[index] - onset[starts[-1]] > CHORD_S:
            starts.append(index)
    return onset[starts], np.split(pitch, starts[1:])


def detect(samples: NDArray[np.float32]) -> Floats:
    """Onsets found without looking at the annotation, in seconds."""
    strength = librosa.onset.onset_strength(
        y=samples, sr=RATE, n_fft=BLIND_FFT, hop_length=BLIND_HOP, lag=2, fmin=27.5, n_mels=138
    )
    return np.asarray(
        librosa.onset.onset_detect(
            onset_envelope=strength,
            sr=RATE,
            hop_length=BLIND_HOP,
            backtrack=True,
            units="time",
            delta=THRESHOLD,
            wait=6,
            pre_max=6,
            post_max=6,
            pre_avg=20,
            post_avg=20,
        )
    )


def nearest_lag(times: Floats, found: Floats) -> Floats:
    """Distance from each time to the nearest found one, in seconds; infinite where nothing was found."""
    padded = np.concatenate([[-np.inf], found, [np.inf]])
    after = np.searchsorted(padded, times)
    before, following = padded[after - 1] - times, padded[after] - times
    return np.where(-before < following, before, following)


def locate(samples: NDArray[np.float32], times: Floats, pitches: list[NDArray[np.integer]]) -> Floats:
    """Distance from each time to the steepest rise of its pitches' energy within 100 ms, in seconds."""
    magnitude = np.abs(librosa.stft(samples, n_fft=INFORMED_FFT, hop_length=INFORMED_HOP))  # (bins, frames), centred
    magnitude = np.log1p(100 * magnitude / INFORMED_FFT * 4)
    step = INFORMED_HOP / RATE
    reach = round(REACH_S / step)
    lags = np.empty(len(times))
    for index, (time_s, group) in enumerate(zip(times, pitches, strict=True)):
        frequency = (440 * 2 ** ((group[:, None] - 69) / 12) * np.arange(1, PARTIALS + 1)).ravel()
        bins = np.unique(np.rint(frequency * INFORMED_FFT / RATE).astype(int))
        bins = bins[(bins > 0) & (bins < len(magnitude))]
        centre = round(time_s / step)
        frames = np.clip(np.arange(centre - reach - 2, centre + reach + 3), 0, magnitude.shape[1] - 1)
        energy = magnitude[bins][:, frames].sum(axis=0)
        rise = energy[4:] - energy[:-4]  # over 10 ms, centred on the frame in between
        lags[index] = (centre - reach + int(np.argmax(rise))) * step - time_s
    return lags


def moved(times: Floats, rng: np.random.Generator) -> Floats:
    """Times moved by 0.15 to 0.5 s, either way."""
    shift = rng.uniform(0.15, 0.5, len(times)) * rng.choice([-1, 1], len(times))
    return np.sort(np.abs(times + shift))


def row(blind: Iterable[Floats], informed: Iterable[Floats], found: int) -> dict[str, float]:
    """Shares and medians of one instrument's lags."""
    seen, placed = np.concatenate(list(blind)), np.concatenate(list(informed))
    matched = seen[np.abs(seen) <= 0.05]
    return {
        "onsets": len(seen),
        "blind_found": found,
        "blind_20ms": round(float((np.abs(seen) <= 0.02).mean()), 4),
        "blind_50ms": round(float((np.abs(seen) <= 0.05).mean()), 4),
        "blind_median_lag_ms": round(1000 * float(np.median(matched)), 1) if len(matched) else float("nan"),
        "informed_20ms": round(float((np.abs(placed) <= 0.02).mean()), 4),
        "informed_50ms": round(float((np.abs(placed) <= 0.05).mean()), 4),
        "informed_median_lag_ms": round(1000 * float(np.median(placed)), 1),
    }


def measure(folder: Path, control: str) -> dict[str, dict[str, float]]:
    """Rows for each instrument, all together, the control and chance."""
    items, skipped = find_items(folder)
    for entry in skipped:
        print(f"skipped {entry.source}: {entry.reason}")
    instrument, rng = resolve_instrument(control), np.random.default_rng(0)
    lags: dict[str, list[tuple[Floats, Floats, int]]] = {}
    rendered: set[str] = set()

    def add(name: str, samples: NDArray[np.float32], times: Floats, pitches: list[NDArray[np.integer]]) -> None:
        found = detect(samples)
        lags.setdefault(name, []).append((nearest_lag(times, found), locate(samples, times, pitches), len(found)))

    for item in items:
        notes, samples = item_notes(item), read_audio(item.sound, RATE)
        times, pitches = chords(notes)
        add(item.name.instrument, samples, times, pitches)
        add("by chance", samples, moved(times, rng), pitches)
        if item.name.music not in rendered:
            rendered.add(item.name.music)
            even = make_notes(notes["onset_s"], notes["offset_s"], notes["pitch"], np.full(len(notes), 64))
            exact = snap_to_event_grid(even, RATE)
            add(f"rendered by {control}", render(exact, instrument, RATE), *chords(exact))
    codes = sorted({item.name.instrument for item in items})
    groups: dict[str, Callable[[str], bool]] = {code: code.__eq__ for code in codes}
    groups["all recordings"] = lambda name: name in codes
    groups |= {name: name.__eq__ for name in (f"rendered by {control}", "by chance")}
    table = {}
    for name, wanted in groups.items():
        blind, informed, found = zip(
            *(heard for own, all_heard in lags.items() if wanted(own) for heard in all_heard), strict=True
        )
        table[name] = row(blind, informed, sum(found))
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="MAPS or a part of it")
    parser.add_argument("--control", default="timgm6mb:0", help="soundfont preset of the control")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = measure(options.folder, options.control)
    if options.json:
        print(json.dumps(table, indent=2))
        return
    columns = list(next(iter(table.values())))
    print(f"{'':24}" + "".join(f"{column.replace('_', ' '):>24}" for column in columns))
    for name, values in table.items():
        print(f"{name:24}" + "".join(f"{values[column]:>24}" for column in columns))


if __name__ == "__main__":
    main()
