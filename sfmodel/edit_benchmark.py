"""Do followers find back: on recordings with a pause, a passage played again or left out, a start in the middle.

Conventions
-----------
Time counts from where playing goes on after the edit. A follower is *back* some time later if the median error of the
onsets of the two seconds from then on is at most 250 ms. It has *recovered* with the first of three onsets in a row
that are within 250 ms. A pause is *held* if every report during it lies between the onset before, less 0.25 s, and the
one after, plus 0.25 s.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.edited import EditedRecording, read_edited
from sfdata.edits import KINDS
from sfdata.files import write_atomically
from sfdata.progress import Progress
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfmodel.followers import Followed, References, choose_followers, follow_recording
from sfmodel.tables import markdown_table

EDITS_FILE, EDITS_TABLE = "edits.json", "edits.md"
NEAR_S, SPAN_S, IN_A_ROW = 0.25, 2.0, 3


@dataclass(frozen=True)
class Recovery:
    """How a follower took an edit.

    Attributes
    ----------
    back_5s, back_10s : bool or None
        None where no onset is left then.
    recovered_s : float
        Infinite if never.
    held : bool or None
        Of pauses.
    """

    back_5s: bool | None
    back_10s: bool | None
    recovered_s: float
    held: bool | None


def recovery(edited: EditedRecording, followed: Followed) -> Recovery:
    """Judge one performance."""
    error_s = np.abs(followed.at(edited.performance_s, float(edited.score_s[0])) - edited.score_s)
    after_s = edited.performance_s - edited.until_s

    def back(time_s: float) -> bool | None:
        then = (after_s >= time_s) & (after_s < time_s + SPAN_S)
        return bool(np.median(error_s[then]) <= NEAR_S) if then.any() else None

    later = np.flatnonzero(after_s >= 0)
    near = error_s[later] <= NEAR_S
    rows = [i for i in range(len(later)) if near[i : i + IN_A_ROW].all()]
    recovered_s = float(after_s[later[rows[0]]]) if rows else float("inf")
    held = None
    if edited.kind == "pause":
        before, first = later[0] - 1, later[0]
        low_s, high_s = edited.score_s[before] - NEAR_S, edited.score_s[first] + NEAR_S
        during = (followed.performance_time_s >= edited.at_s) & (followed.performance_time_s < edited.until_s)
        said_s = followed.reference_time_s[during]
        held = bool(((said_s >= low_s) & (said_s <= high_s)).all())
    return Recovery(back(5.0), back(10.0), recovered_s, held)


def run_edit_benchmark(
    source: str | Path,
    output: str | Path,
    methods: Sequence[str] = (),
    soundfont: str = DEFAULT_INSTRUMENT,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Follow edited recordings with every causal follower, and write ``edits.json`` and ``edits.md``.

    Parameters
    ----------
    source : path
        A folder that ``sfdata edit`` made.
    output : path
    methods : sequence of str
        Of :data:`sfmodel.followers.FOLLOWERS`, the causal ones.
    soundfont : str
        Plays the scores.
    progress : callable, optional

    Returns
    -------
    list of dict
        One a method: ``method``, and for each kind ``recordings``, ``back_5s``, ``back_10s``, ``median_recovery_s``
        and, for pauses, ``held``.

    Raises
    ------
    FileNotFoundError
        If there are no folders.
    ValueError
        If one is no edited recording, or a method is unknown or not causal.
    """
    named = choose_followers(methods)
    chosen = [method for method in named if method.causal]
    if methods and len(chosen) < len(named):
        knowing = ", ".join(method.name for method in named if not method.causal)
        causal = ", ".join(method.name for method in choose_followers() if method.causal)
        raise ValueError(f"{knowing} does not follow while it hears, but knows the end; expected some of {causal}")
    folders = sorted(path.parent for path in Path(source).glob("*/alignment.csv"))
    if not folders:
        raise FileNotFoundError(f"no edited recordings in {source}; make some with 'sfdata edit'")
    recordings, references = [read_edited(folder) for folder in folders], References(soundfont)
    found: dict[str, dict[str, list[Recovery]]] = {m.name: {kind: [] for kind in KINDS} for m in chosen}
    for number, edited in enumerate(recordings):
        for method in chosen:
            followed = follow_recording(method, edited.score, edited.sound, references)
            found[method.name][edited.kind].append(recovery(edited, followed))
        if progress:
            progress("followed", number + 1, len(recordings))
    figures = [{"method": name, **_figures(kinds)} for name, kinds in found.items()]
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / EDITS_FILE, (json.dumps(figures, indent=2) + "\n").encode())
    write_atomically(output / EDITS_TABLE, edits_table(figures).encode())
    return figures


def _figures(kinds: Mapping[str, Sequence[Recovery]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for kind, entries in kinds.items():
        if not entries:
            continue
        median_s = float(np.median([entry.recovered_s for entry in entries]))
        told[kind] = {
            "recordings": len(entries),
            "back_5s": _share([entry.back_5s for entry in entries]),
            "back_10s": _share([entry.back_10s for entry in entries]),
            "median_recovery_s": median_s if np.isfinite(median_s) else None,
        }
        if kind == "pause":
            told[kind]["held"] = _share([entry.held for entry in entries])
    return told


def _share(values: Sequence[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def edits_table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Table in Markdown: back after 5 s / 10 s, in %; median seconds to recover; pauses held."""
    kinds = [kind for kind in KINDS if any(kind in row for row in figures)]
    rows = []
    for row in figures:
        cells = [row["method"]]
        for kind in kinds:
            part = row[kind]
            shares = " / ".join(
                "–" if part[key] is None else f"{100 * part[key]:.0f}" for key in ("back_5s", "back_10s")
            )
            recovered = "never" if part["median_recovery_s"] is None else f"{part['median_recovery_s']:.1f} s"
            held = f"; {100 * part['held']:.0f} held" if part.get("held") is not None else ""
            cells.append(f"{shares}; {recovered}{held}")
        rows.append(cells)
    return markdown_table(["follower", *kinds], rows) + "\n"
