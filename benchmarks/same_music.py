"""How surely the same music is known under other names: on works that come as score, performance and transcription.

Truth is DATA/alignments/index.tsv: 34 works, each as a MIDI score, as played for MAESTRO, and as another recording
transcribed for GiantMIDI-Piano; several are movements of one sonata, which are different music. The scores of
DATA/recordings join them. Compared are all notes, their skylines, and fingerprints of transposed and half-omitted
versions; contained are works inside of files that hold two.

Run: python benchmarks/same_music.py [--data ../shared/data] [--pieces 5000]
"""

import argparse
import itertools
import resource
import time
from collections import Counter
from pathlib import Path

import numpy as np

from sfdata.fingerprint import Fingerprint, fingerprint
from sfdata.midi import read_midi_notes
from sfdata.notes import NoteArray, make_notes
from sfdata.similarity import ENOUGH, same_music, same_music_keys
from sfdata.splits import group_works
from sfdata.voices import VoiceSettings, extract_voices

KINDS = ("score", "performance", "giantmidi")


def read_works(data: Path) -> tuple[list[NoteArray], list[str], list[str]]:
    """Notes, the work's title and the kind of each file; recordings' scores under titles of their own."""
    notes, titles, kinds = [], [], []
    lines = (data / "alignments" / "index.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for line in lines:
        title, *files = line.split("\t")
        for kind, file in zip(KINDS, files, strict=True):
            folder = data / "giantmidi" if kind == "giantmidi" else data / "alignments" / kind
            notes.append(read_midi_notes(folder / file))
            titles.append(title)
            kinds.append(kind)
    for path in sorted((data / "recordings").glob("*/score.mid")):
        notes.append(read_midi_notes(path))
        titles.append(path.parent.name.rsplit("_", 1)[0])
        kinds.append("recording")
    return notes, titles, kinds


def skyline(notes: NoteArray) -> NoteArray:
    return extract_voices(notes, VoiceSettings())[0]


def compare(name: str, prints: list[Fingerprint], titles: list[str], kinds: list[str], enough: float) -> str:
    """A row: recall of each pair of kinds, false unions, and works that chains of unions merge."""
    found = {(link.one, link.other) for link in same_music(prints, enough)}
    keys = same_music_keys(prints, enough)
    group = group_works([own | {f"file:{number}"} for number, own in enumerate(keys)])
    row = [name]
    for one, other in itertools.combinations(KINDS, 2):
        pairs = [
            (a, b)
            for a, b in itertools.combinations(range(len(titles)), 2)
            if titles[a] == titles[b] and {kinds[a], kinds[b]} == {one, other}
        ]
        row.append(f"{np.mean([group[a] == group[b] for a, b in pairs]):.1%} of {len(pairs)}")
    wrong = [(a, b) for a, b in found if titles[a] != titles[b]]
    merged = sum(len({titles[i] for i in range(len(titles)) if group[i] == one}) > 1 for one in set(group))
    total = sum(titles[a] != titles[b] for a, b in itertools.combinations(range(len(titles)), 2))
    row += [f"{len(wrong)} of {total}", str(merged)]
    return "| " + " | ".join(row) + " |"


def artificial(prints: list[Fingerprint], count: int, rng: np.random.Generator) -> list[Fingerprint]:
    """Pieces that share no music but the way it moves: notes drawn by the real ones' intervals, three at a time."""
    follow: dict[tuple[int, int], Counter[int]] = {}
    tops = [np.asarray((words[words > 0] & np.uint64(127)).astype(np.int64)) for words in prints]
    for line in tops:
        steps = np.diff(line).tolist()
        for a, b, c in zip(steps, steps[1:], steps[2:], strict=False):
            follow.setdefault((a, b), Counter())[c] += 1
    tables = {key: (list(c), np.cumsum(list(c.values())) / sum(c.values())) for key, c in follow.items()}
    starts = list(tables)
    made = []
    for _ in range(count):
        length = int(rng.integers(300, 3000))
        state, pitch, line = starts[int(rng.integers(len(starts)))], 60, []
        for draw in rng.random(length):
            if state not in tables:
                state = starts[int(draw * len(starts))]
            values, cumulated = tables[state]
            step = values[int(np.searchsorted(cumulated, draw))]
            pitch = int(np.clip(pitch + step, 21, 108))
            state = (state[1], step)
            line.append(pitch)
        onset = np.arange(length) * 0.25
        made.append(fingerprint(make_notes(onset, onset + 0.2, line, np.full(length, 64))))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pieces", type=int, default=5000, help="of artificial pieces, for scale")
    parser.add_argument("--enough", type=float, default=ENOUGH)
    arguments = parser.parse_args()
    notes, titles, kinds = read_works(arguments.data)
    began = time.process_time()
    whole = [fingerprint(piece) for piece in notes]
    per_note = (time.process_time() - began) / sum(map(len, notes))
    lines = [fingerprint(skyline(piece)) for piece in notes]
    rng = np.random.default_rng(0)
    moved = []
    for piece in notes:
        shifted = piece.copy()
        shifted["pitch"] = np.clip(piece["pitch"].astype(int) + rng.integers(-6, 7), 0, 127)
        moved.append(fingerprint(shifted))
    thinned = [fingerprint(piece[rng.random(len(piece)) > 0.1]) for piece in notes]
    header = ["compared by", *(" – ".join(pair) for pair in itertools.combinations(KINDS, 2))]
    header += ["false unions", "groups of several works"]
    print(
        f"{len(notes)} files, {len(set(titles))} works\n\n| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|"
    )
    for name, prints in (
        ("all notes", whole),
        ("skyline", lines),
        ("all notes, each file transposed at random", moved),
        ("a tenth of the notes left out", thinned),
    ):
        print(compare(name, prints, titles, kinds, arguments.enough))
    for enough in (arguments.enough / 2, arguments.enough * 2, arguments.enough * 4):
        name = f"all notes, evidence of {enough:g} in place of {arguments.enough:g}"
        print(compare(name, whole, titles, kinds, enough))

    works = [i for i, kind in enumerate(kinds) if kind == "performance"]
    joined, alone = [], [whole[i - 1] for i in works]  # each score is listed before its performance
    for i, j in zip(works, works[1:] + works[:1], strict=True):
        second = notes[j].copy()
        for column in ("onset_s", "offset_s"):
            second[column] += notes[i]["offset_s"].max() + 2
        joined.append(fingerprint(np.concatenate([notes[i], second])))
    links = {(link.one, link.other) for link in same_music([*joined, *alone], arguments.enough)}
    held = [(k, len(works) + k) in links for k in range(len(works))]
    held += [((k - 1) % len(works), len(works) + k) in links for k in range(len(works))]
    print(f"\ncontained: {np.mean(held):.1%} of {len(held)} scores found in files of two performances")

    many = [*artificial(whole, arguments.pieces, rng), *whole]
    began = time.process_time()
    found = same_music(many, arguments.enough)
    seconds = time.process_time() - began
    false = sum(link.one < arguments.pieces or link.other < arguments.pieces for link in found)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(many)} pieces, {arguments.pieces} of them artificial: {false} false unions among "
        f"{arguments.pieces * (arguments.pieces - 1) // 2:,} pairs; {seconds:.1f} s of CPU, {memory:.1f} GiB at most; "
        f"fingerprints cost {per_note * 1e6:.2f} µs a note"
    )


if __name__ == "__main__":
    main()
