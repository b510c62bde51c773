"""Make a recorded set from human performances in MIDI and their alignments: what following was not tuned on.

Each performance in ``alignments/`` whose score is not one of those in ``human/`` is rendered with its pedal, from a
second before its first aligned note, with white noise at -62 dB; an onset of the score sounds at the median of its
notes. ``sfmodel benchmark OUT -o RESULT --task following`` then measures on it::

    sfdata soundfonts fetch fluidr3-gm
    python benchmarks/human_set.py ../shared/data human-set
"""

import argparse
import csv
import json
import shutil
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from reality_corresp import AlignedWork, read_works

from sfdata.side import open_sound

RATE = 44100
LEAD_S = 1.0
NOISE = 10 ** (-62 / 20)


def onsets(work: AlignedWork) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When each onset of the score is played, and where it stands, in the order of the performance."""
    aligned = work.performance[work.performance["source"] >= 0]
    score_s = work.score["onset_s"][aligned["source"]].round(4)
    places = np.unique(score_s)
    times = np.array([np.median(aligned["onset_s"][score_s == place]) for place in places])
    order = np.lexsort((places, times))
    return times[order], places[order]


def excerpt(midi: Path, instrument: str, begin_s: float, duration_s: float, seed: int) -> NDArray[np.float32]:
    """Sound of a part of a performance, with noise."""
    blocks, start_s = open_sound(midi, RATE, instrument)
    parts, have = [np.zeros(round(max(0.0, start_s - begin_s) * RATE), dtype=np.float32)], start_s
    for block in blocks:
        parts.append(block)
        have += len(block) / RATE
        if have > begin_s + duration_s:
            break
    sound = np.concatenate(parts)[round(max(0.0, begin_s - start_s) * RATE) :][: round(duration_s * RATE)]
    noise = np.random.default_rng(seed).normal(0, NOISE, len(sound))
    return np.clip(sound + noise, -1, 1).astype(np.float32)


def main() -> None:
    """Write the set and say how long each alignment is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder with alignments/ and human/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--instrument", default="fluidr3-gm:0")
    parser.add_argument("--seconds", type=float, default=100.0)
    given = parser.parse_args()
    with (given.data / "alignments" / "index.tsv").open(newline="", encoding="utf-8") as file:
        performances = {row["score"]: row["performance"] for row in csv.DictReader(file, delimiter="\t")}
    for seed, work in enumerate(read_works(given.data, "performance")):
        name = Path(work.score_file).stem
        if (given.data / "human" / name).exists():
            continue
        times, places = onsets(work)
        begin_s = max(0.0, times[places.argmin()] - LEAD_S)
        midi = given.data / "alignments" / "performance" / performances[work.score_file]
        sound = excerpt(midi, given.instrument, begin_s, given.seconds, seed)
        heard = (times >= begin_s) & (times < begin_s + len(sound) / RATE - 1)
        folder = given.output / name
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "performance.flac", sound, RATE)
        rows = [f"{time - begin_s:.6f},{place:.6f}" for time, place in zip(times[heard], places[heard], strict=True)]
        (folder / "alignment.csv").write_text("performance_time_s,score_time_s\n" + "\n".join(rows) + "\n")
        shutil.copy(given.data / "alignments" / "score" / work.score_file, folder / "score.mid")
        meta = {
            "title": work.title,
            "source": "human performance (MAESTRO), rendered; alignment from GiantMIDI-Piano's evaluation",
            "licence": "CC BY-NC-SA 4.0 (MAESTRO): evaluation only",
        }
        (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
        print(f"{name}: {int(heard.sum())} onsets in {len(sound) / RATE:.0f} s")


if __name__ == "__main__":
    main()
