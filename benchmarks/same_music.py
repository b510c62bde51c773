"""How surely the same music is known under other names: on works that come as score, performance and transcription.

Truth is DATA/alignments/index.tsv: 34 works, each as a MIDI score, as played for MAESTRO, and as another recording
transcribed for GiantMIDI-Piano; several are movements of one sonata, which are different music. The scores of
DATA/recordings join them. Recall is of pairs found directly, in a collection that lacks the third kind, so that no
transcription joins a score with a performance. Compared are all notes, their skylines, and versions that were
transposed and thinned; contained are works inside of files that hold two.

Sets that had no part in the choice of thresholds are measured with --works: a folder of MIDI files is a work there,
as in ASAP (github.com/fosfrancesco/asap-dataset) and POP909 (github.com/music-x-lab/POP909-Dataset).

Run: python benchmarks/same_music.py [--data ../shared/data] [--works FOLDER ...] [--pieces 11000]
"""

import argparse
import itertools
import re
import resource
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from sfdata.fingerprint import Fingerprint, chord_tops, fingerprint
from sfdata.midi import read_midi_notes
from sfdata.notes import NoteArray, make_notes
from sfdata.similarity import ENOUGH, same_music, same_music_keys
from sfdata.splits import group_works
from sfdata.voices import VoiceSettings, extract_voices
from sfmodel.tables import markdown_row, markdown_table

KINDS = ("score", "performance", "giantmidi")
SAME_WORK = re.compile(r"(_no(_first|_\d)?)?_repeat$|/versions$")  # ends of folders' names, cut off


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
    """A row: recall of each pair of kinds by itself, and false unions and merged works among all files."""
    row = [name]
    for pair in itertools.combinations(KINDS, 2):
        files = [number for number, kind in enumerate(kinds) if kind in pair]
        links = same_music([prints[number] for number in files], enough)
        found = sum(titles[files[link.one]] == titles[files[link.other]] for link in links)
        row.append(f"{found} of {len(files) // 2}")
    wrong = sum(titles[link.one] != titles[link.other] for link in same_music(prints, enough))
    total = sum(one != other for one, other in itertools.combinations(titles, 2))
    row += [f"{wrong} of {total:,}", str(merged_groups(prints, titles, enough))]
    return markdown_row(row)


def merged_groups(prints: list[Fingerprint], titles: list[str], enough: float) -> int:
    """Groups that hold several works."""
    keys = same_music_keys(prints, enough)
    of_group = defaultdict(set)
    for number, group in enumerate(group_works([own | {f"file:{number}"} for number, own in enumerate(keys)])):
        of_group[group].add(titles[number])
    return sum(len(works) > 1 for works in of_group.values())


def report_works(root: Path, enough: float) -> None:
    """Recall and false unions of the first two files of each work in a tree of folders."""
    files = defaultdict(list)
    for path in sorted(root.rglob("*.mid"), key=lambda path: (path.name != "midi_score.mid", len(path.parts), path)):
        files[SAME_WORK.sub("", str(path.parent.relative_to(root)))].append(path)
    titles = [work for work in sorted(files) for _ in files[work][:2]]
    notes = [read_midi_notes(path) for work in sorted(files) for path in files[work][:2]]
    truth = sum(len(paths) > 1 for paths in files.values())
    print(
        f"\n{root.name}: {len(notes)} files of {len(files)} works, "
        f"{len(files) * (len(files) - 1) // 2:,} pairs of works"
    )
    for name, prints in (
        ("all notes", [fingerprint(piece) for piece in notes]),
        ("skyline", [fingerprint(skyline(piece)) for piece in notes]),
    ):
        for least in (enough / 2, enough * 0.75, enough, enough * 1.5, enough * 2):
            links = same_music(prints, least)
            found = sum(titles[link.one] == titles[link.other] for link in links)
            false = {(titles[link.one], titles[link.other]) for link in links} - {(work, work) for work in files}
            print(
                f"  {name}, evidence of {least:g}: {found} of {truth} pairs found, works united: {sorted(false) or 0}"
            )


def artificial(notes: list[NoteArray], count: int, order: int, rng: np.random.Generator) -> list[Fingerprint]:
    """Pieces that share no music but the way it moves: each interval follows the `order` before it as in real ones."""
    follow = defaultdict(list)
    for piece in notes:
        steps = np.diff(chord_tops(piece)).tolist()
        for place in range(len(steps) - order):
            follow[tuple(steps[place : place + order])].append(steps[place + order])
    states = list(follow)
    made = []
    for _ in range(count):
        length = int(rng.integers(300, 3000))
        state, pitch, line = states[int(rng.integers(len(states)))], 60, []
        for draw in rng.random(length):
            if state not in follow:
                state = states[int(draw * len(states))]
            step = follow[state][int(draw * len(follow[state]))]
            pitch += step
            pitch += 12 * ((pitch < 21) - (pitch > 108))
            state = (*state[1:], step)
            line.append(min(max(pitch, 0), 127))
        onset = np.arange(length) * 0.25
        made.append(fingerprint(make_notes(onset, onset + 0.2, line, np.full(length, 64))))
    return made


def report_scale(
    notes: list[NoteArray], whole: list[Fingerprint], titles: list[str], pieces: int, order: int, enough: float
) -> None:
    """False unions, the real files' recall, and cost in a collection of artificial pieces."""
    many = [*artificial(notes, pieces, order, np.random.default_rng(0)), *whole]
    began = time.process_time()
    links = same_music(many, enough)
    seconds = time.process_time() - began
    false = sum(link.one < pieces for link in links)
    alone = sum(titles[link.one] == titles[link.other] for link in same_music(whole, enough))
    kept = sum(link.one >= pieces and titles[link.one - pieces] == titles[link.other - pieces] for link in links)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{pieces} artificial pieces by {order} intervals: "
        f"{false} false unions in {pieces * (pieces - 1) // 2:,} pairs; "
        f"real pairs found among them {kept}, without them {alone}; {seconds:.0f} s of CPU, {memory:.1f} GiB at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--works", type=Path, nargs="*", default=[], help="folders of folders of MIDI, each a work")
    parser.add_argument("--pieces", type=int, default=11000, help="of artificial pieces, for scale; 0 leaves it out")
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
    print(f"{len(notes)} files, {len(set(titles))} works\n\n{markdown_table(header, [])}")
    for name, prints in (
        ("all notes", whole),
        ("skyline", lines),
        ("all notes, each file transposed at random", moved),
        ("a tenth of the notes left out", thinned),
    ):
        print(compare(name, prints, titles, kinds, arguments.enough))
    for enough in (arguments.enough * factor for factor in (0.5, 0.75, 1.5, 2, 4)):
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

    print(
        f"fingerprints cost {per_note * 1e6:.2f} µs a note, "
        f"{per_note * 1e3 * np.mean([*map(len, notes)]):.2f} ms a piece"
    )
    for root in arguments.works:
        report_works(root, arguments.enough)
    if arguments.pieces:
        print()
        report_scale(notes, whole, titles, arguments.pieces, 2, arguments.enough)
        report_scale(notes, whole, titles, arguments.pieces // 10, 3, arguments.enough)


if __name__ == "__main__":
    main()
