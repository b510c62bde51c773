"""Reading MIDI: symusic alone is the bound; and whether its notes are those that others read.

Run: python benchmarks/midi.py [--repetitions 3] [--json FILE]
"""

from collections import Counter
from pathlib import Path

import mido
import pretty_midi
import symusic
from timing import arguments, measure, pieces, ratios, save, show

from sfdata.midi import read_midi_notes, read_piece

Strokes = Counter[tuple[int, int]]  # pitch, onset in milliseconds


def with_mido(path: Path) -> Strokes:
    """Strokes of a file; mido counts the time itself, tempo map included."""
    time, strokes = 0.0, Counter()
    for message in mido.MidiFile(path):
        time += message.time
        if message.type == "note_on" and message.velocity:
            strokes[message.note, round(1000 * time)] += 1
    return strokes


def with_pretty_midi(path: Path) -> Strokes:
    notes = [note for part in pretty_midi.PrettyMIDI(str(path)).instruments for note in part.notes]
    return Counter((note.pitch, round(1000 * note.start)) for note in notes)


def with_symusic(path: Path) -> Strokes:
    notes = [note for track in symusic.Score(path, ttype="second").tracks for note in track.notes]
    return Counter((note.pitch, round(1000 * note.time)) for note in notes)


def with_sfdata(path: Path) -> Strokes:
    notes = read_midi_notes(path)
    return Counter(zip(notes["pitch"].tolist(), (round(1000 * t) for t in notes["onset_s"].tolist()), strict=True))


def agreement(ours: Strokes, theirs: Strokes) -> int:
    """How many of their strokes are among ours, to the millisecond."""
    found, left = 0, ours.copy()
    for (pitch, time), count in theirs.items():
        for near in (time, time - 1, time + 1):  # rounding differs
            taken = min(count, left[pitch, near])
            found, count = found + taken, count - taken
            left[pitch, near] -= taken
    return found


def main() -> None:
    options, files = arguments(__doc__, 3).parse_args(), pieces()
    found = ratios(
        measure(
            {
                "bound: symusic.Score": lambda: [symusic.Score(path) for path in files],
                "sfdata.read_piece (clock, repeated strokes, sha256, checks)": lambda: [read_piece(p) for p in files],
                "pretty_midi.PrettyMIDI": lambda: [pretty_midi.PrettyMIDI(str(path)) for path in files],
                "mido.MidiFile": lambda: [mido.MidiFile(path) for path in files],
            },
            options.repetitions,
        )
    )
    show(f"reading {len(files)} files: CPU over bound", found)
    ours = [with_sfdata(path) for path in files]
    count = sum(own.total() for own in ours)
    agree = {}
    print(f"\nnotes, of which pitch and onset are the same to the millisecond; sfdata reads {count}")
    for name, read in (("symusic", with_symusic), ("pretty_midi", with_pretty_midi), ("mido", with_mido)):
        theirs = [read(path) for path in files]
        same = sum(agreement(own, other) for own, other in zip(ours, theirs, strict=True))
        agree[name] = {"notes": sum(other.total() for other in theirs), "same": same}
        print(f"  {name:66} {agree[name]['notes']:9} {same:9}")
    save(options, {"ratios": found, "notes": count, "agree": agree})


if __name__ == "__main__":
    main()
