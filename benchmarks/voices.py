"""Methods of voice extraction side by side, on transcriptions and on pieces whose voices are known.

Without truth: how many of a piece's notes the voices hold, how far they leap, whether they are monophonic, and the CPU
time against skyline's. With truth: *purity* is the share of pairs of consecutive notes of a voice that lie in one
track, staff or voice of the score; *links* is the F1 of those pairs against the consecutive notes of the score's
voices, where these are known (fugues).

Truth comes from MIDI scores with several tracks (DATA/alignments/score), from human performances and transcriptions
of the same aligned with them note by note, and from Humdrum scores (``**kern``; they need partitura), in which parts
or else staves are told apart; a quarter lasts half a second there. Folders that are not there are left out.

Run: python benchmarks/voices.py [--midi DIR] [--data ../shared/data] [--kern DIR]... [--without chew-wu]
     python benchmarks/voices.py --pictures docs/images
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import symusic
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from reality_corresp import FOLDERS, read_works

from sfdata.midi import find_midi, read_midi_notes, read_piece
from sfdata.notes import NoteArray, is_monophonic, make_notes
from sfdata.shipped_files import shipped_file
from sfdata.voices import METHODS, VoiceSettings, extract_voices
from sfmodel.tables import markdown_table

QUARTER_S = 0.5
LABELLED = 0.5  # a piece counts where at least this share of its notes has a track
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#8C6D31", "#333333", "#A5AA99")


@dataclass(frozen=True)
class Material:
    """A piece; `track` tells where each note is from (-1: unknown), `lines` whether tracks are monophonic voices."""

    group: str
    notes: NoteArray
    track: NDArray[np.int64]
    lines: bool = False


def without_truth(folder: Path) -> Iterator[Material]:
    for path in find_midi([folder]):
        notes = read_piece(path).notes
        yield Material(folder.name, notes, np.full(len(notes), -1))


def tracks_of(path: Path, notes: NoteArray) -> NDArray[np.int64]:
    """The track of each note; -1 for all where the file has but one, or the notes' order in channels is none."""
    score = symusic.Score.from_file(path).to("second")
    tracks = [track for track in score.tracks if not track.is_drum and len(track.notes)]
    known = {(note.pitch, round(note.time, 3)): number for number, track in enumerate(tracks) for note in track.notes}
    nearby = ((int(note["pitch"]), round(float(note["onset_s"]), 3)) for note in notes)
    found = [max(known.get((p, round(t + shift, 3)), -1) for shift in (-0.001, 0, 0.001)) for p, t in nearby]
    return np.array(found) if len(tracks) > 1 else np.full(len(notes), -1)


def scores(data: Path) -> Iterator[Material]:
    """MIDI scores with several tracks, and the performances and transcriptions that are aligned with them."""
    folder = data / "alignments" / "score"
    # In two scores by Sankey tracks are channels given out in turn, which says nothing about voices.
    track = {
        path.name: tracks_of(path, read_midi_notes(path)) for path in find_midi([folder]) if "sankey" not in path.name
    }
    for name, known in track.items():
        yield Material("scores", read_midi_notes(folder / name), known)
    for kind in FOLDERS:
        for work in read_works(data, kind):
            if work.score_file in track:
                source = work.performance["source"]
                notes = work.performance.copy()
                yield Material(kind, notes, np.where(source >= 0, track[work.score_file][source], -1))


def kern(folder: Path) -> Iterator[Material]:
    import partitura

    for path in sorted(folder.rglob("*.krn")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parts = [part.note_array(include_staff=True) for part in partitura.load_kern(path).parts]
        except Exception as error:
            print(f"{path.name} left out: {type(error).__name__}: {str(error)[:80]}")
            continue
        rows = np.concatenate(parts)
        track = np.repeat(np.arange(len(parts)), [len(part) for part in parts]) if len(parts) > 1 else rows["staff"]
        kept = rows["duration_quarter"] > 0
        begin, length = rows["onset_quarter"][kept] * QUARTER_S, rows["duration_quarter"][kept] * QUARTER_S
        notes = make_notes(begin, begin + length, rows["pitch"][kept], np.full(kept.sum(), 64), track[kept])
        known = notes["source"].astype(np.int64)
        if len(set(known.tolist())) > 1:
            yield Material(folder.name, notes, known, lines=len(parts) > 1)


def links(number: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of notes and of those that follow them in the same voice; below zero is none."""
    order = np.argsort(number, kind="stable")
    order = order[number[order] >= 0]
    same = number[order][1:] == number[order][:-1]
    return order[:-1][same], order[1:][same]


def measure(piece: Material, method: str) -> dict[str, float]:
    """Figures for one piece; sums are named ``sum_…`` and divided by their counts later."""
    began = time.process_time()
    voices = extract_voices(piece.notes, VoiceSettings(method=method))
    seconds = time.process_time() - began
    number = np.full(len(piece.notes), -1)
    for voice, notes in enumerate(voices):
        number[notes["source"]] = voice
    first, second = links(number)
    leap = np.abs(np.diff(voices[0]["pitch"].astype(int)))
    any_leap = np.concatenate([np.abs(np.diff(voice["pitch"].astype(int))) for voice in voices])
    figures = {
        "seconds": seconds,
        "notes": len(piece.notes),
        "voices": len(voices),
        "in a voice": (number >= 0).mean(),
        "in the top voice": (number == 0).mean(),
        "leap, top": leap.mean(),
        "leap, all": any_leap.mean(),
        "beyond an octave, all": (any_leap > 12).mean(),
        "monophonic": np.mean([is_monophonic(voice) for voice in voices]),
        "notes a voice": len(piece.notes) * (number >= 0).mean() / len(voices),
    }
    known = (piece.track[first] >= 0) & (piece.track[second] >= 0)
    if (piece.track >= 0).mean() >= LABELLED:
        figures["purity"] = (piece.track[first] == piece.track[second])[known].mean()
    if piece.lines:
        truth = set(zip(*(side.tolist() for side in links(piece.track)), strict=True))
        ours = set(zip(first.tolist(), second.tolist(), strict=True))
        figures["links"] = 2 * len(truth & ours) / (len(truth) + len(ours))
    return figures


def overlapped(notes: NoteArray) -> float:
    """Share of the time in which a note sounds that two or more sound."""
    times = np.concatenate([notes["onset_s"], notes["offset_s"]])
    change = np.concatenate([np.ones(len(notes)), -np.ones(len(notes))])
    order = np.lexsort((change, times))
    sounding, length = np.cumsum(change[order])[:-1], np.diff(times[order])
    return float(length[sounding >= 2].sum() / length[sounding >= 1].sum())


def table(title: str, columns: list[str], rows: dict[str, list[str]]) -> str:
    told = markdown_table(["method", *columns], [[f"`{name}`", *cells] for name, cells in rows.items()])
    return f"### {title}\n\n{told}\n"


def compare(pieces: list[Material], methods: list[str]) -> dict[str, list[dict[str, float]]]:
    """Figures of every method on every piece, methods taking turns so that a busy machine is equally busy for all."""
    for method in methods:  # once for nothing: imports, caches
        measure(min(pieces, key=lambda piece: len(piece.notes)), method)
    found: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
    for piece in pieces:
        for method in methods:
            found[method].append(measure(piece, method))
    return found


def report_without_truth(pieces: list[Material], methods: list[str]) -> str:
    found = compare(pieces, methods)
    share = np.mean([overlapped(piece.notes) for piece in pieces])
    speed = {m: sum(f["seconds"] for f in rows) / sum(f["notes"] for f in rows) for m, rows in found.items()}
    columns = {
        "voices": "{:.1f}",
        "notes a voice": "{:.0f}",
        "in a voice": "{:.0%}",
        "in the top voice": "{:.0%}",
        "leap, top": "{:.1f}",
        "leap, all": "{:.1f}",
        "beyond an octave, all": "{:.1%}",
        "monophonic": "{:.0%}",
    }
    rows = {
        method: [form.format(np.mean([f[key] for f in figures])) for key, form in columns.items()]
        + [f"{speed[method] / speed[methods[0]]:.1f}"]
        for method, figures in found.items()
    }
    count = sum(len(piece.notes) for piece in pieces)
    return table(
        f"{pieces[0].group}: {len(pieces)} pieces, {count} notes; two or more sound {share:.0%} of the time",
        [*columns, f"CPU time over {methods[0]}'s"],
        rows,
    )


def report_with_truth(pieces: list[Material], methods: list[str]) -> str:
    """Purity and links, means over pieces, a column for each kind of material."""
    groups = list(dict.fromkeys(piece.group for piece in pieces))
    rows: dict[str, list[str]] = {method: [] for method in methods}
    columns = []
    for group in groups:
        found = compare([piece for piece in pieces if piece.group == group], methods)
        counted = sum("purity" in figures for figures in found[methods[0]])
        for key in ("purity", "links"):
            if any(key in figures for figures in found[methods[0]]):
                columns.append(f"{group}: {key} ({counted})")
                for method, figures in found.items():
                    rows[method].append(f"{np.mean([f[key] for f in figures if key in f]):.3f}")
        columns.append(f"{group}: in a voice")
        for method, figures in found.items():
            rows[method].append(f"{np.mean([f['in a voice'] for f in figures]):.3f}")
    return table("Against known tracks, staves and voices (number of pieces)", columns, rows)


def piano_roll(axes: Axes, notes: NoteArray, voices: list[NoteArray], begin: float, end: float, title: str) -> None:
    """A stretch of a piece: its notes in grey, those of each voice in a colour of its own, joined by thin lines."""
    axes.add_collection(LineCollection([((n["onset_s"], n["pitch"]), (n["offset_s"], n["pitch"])) for n in notes],
                                       colors="#D4D4D4", linewidths=4, capstyle="butt"))  # fmt: skip
    shown = []
    for voice, colour in zip(voices, COLOURS, strict=False):
        here = voice[(voice["offset_s"] > begin) & (voice["onset_s"] < end)]
        bars = [((n["onset_s"], n["pitch"]), (n["offset_s"], n["pitch"])) for n in here]
        axes.plot(here["onset_s"], here["pitch"], color=colour, linewidth=0.8, alpha=0.5)
        axes.add_collection(LineCollection(bars, colors=colour, linewidths=4, capstyle="butt"))
        shown.append(Line2D([], [], color=colour, linewidth=4))
    pitch = notes["pitch"][(notes["offset_s"] > begin) & (notes["onset_s"] < end)]
    axes.set(xlim=(begin, end), ylim=(pitch.min() - 2, pitch.max() + 2), ylabel="MIDI pitch")
    axes.set_title(title, loc="left", fontsize=10)
    if len(voices) > 1:
        axes.legend(shown, range(len(shown)), title="voice", fontsize=8, title_fontsize=8, frameon=False,
                    loc="center left", bbox_to_anchor=(1.0, 0.5))  # fmt: skip


def pictures(folder: Path) -> None:
    """Piano rolls of two of the shipped transcriptions."""
    folder.mkdir(parents=True, exist_ok=True)
    bach = read_piece(next(shipped_file("giantmidi").glob("Bach*BWV862*"))).notes
    schubert = read_piece(next(shipped_file("giantmidi").glob("Schubert*D664*"))).notes
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    for name, notes, methods, begin, end, height in (
        ("voices-methods", schubert, list(METHODS)[:4], 0.0, 25.0, 2.6),
        ("voices-separation", bach, ["voice-separation"], 0.0, 25.0, 4.2),
    ):
        figure, panels = plt.subplots(
            len(methods), 1, figsize=(11, height * len(methods)), sharex=True, squeeze=False, layout="constrained"
        )
        for axes, method in zip(panels[:, 0], methods, strict=True):
            piano_roll(axes, notes, extract_voices(notes, VoiceSettings(method=method)), begin, end, method)
        panels[-1, 0].set_xlabel("seconds")
        figure.savefig(folder / f"{name}.png", dpi=110)
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--midi", type=Path, default=shipped_file("giantmidi"), help="pieces without truth")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--kern", type=Path, action="append", default=[], help="Humdrum scores")
    parser.add_argument("--without", action="append", default=[], choices=list(METHODS), help="a method to leave out")
    parser.add_argument("--pictures", type=Path, help="only draw pictures, into this folder")
    arguments = parser.parse_args()
    if arguments.pictures:
        pictures(arguments.pictures)
        return
    methods = [method for method in METHODS if method not in arguments.without]
    print(report_without_truth(list(without_truth(arguments.midi)), methods), flush=True)
    known = list(scores(arguments.data)) if (arguments.data / "alignments").is_dir() else []
    known += [piece for folder in arguments.kern for piece in kern(folder)]
    known = [piece for piece in known if (piece.track >= 0).mean() >= LABELLED]
    if known:
        print(report_with_truth(known, methods))


if __name__ == "__main__":
    main()
