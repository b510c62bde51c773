"""Every way to follow on recorded sets: one table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.files import write_atomically
from sfdata.progress import Progress
from sfdata.recordings import Recording, read_recordings
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfdata.spectrogram import SpectrogramSettings
from sfmodel.followers import Followed, FollowMethod, References, choose_followers, follow_recording
from sfmodel.following import WITHIN_MS, errors_between_s, set_figures
from sfmodel.sound_sources import BLOCK_S
from sfmodel.tables import markdown_table

FOLLOW_FILE, FOLLOW_TABLE = "following.json", "following.md"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class FollowBenchmark:
    """What :func:`run_follow_benchmark` found.

    Attributes
    ----------
    figures : list of dict
        One a method; what ``following.json`` holds.
    skipped : list of dict
        ``source`` and ``reason``.
    """

    figures: list[dict[str, Any]]
    skipped: list[dict[str, str]]


def run_follow_benchmark(
    source: str | Path,
    output: str | Path,
    methods: Sequence[str] = (),
    soundfont: str = DEFAULT_INSTRUMENT,
    progress: Progress | None = None,
) -> FollowBenchmark:
    """Follow every recording of a set in every way, and write ``following.json`` and ``following.md``.

    Parameters
    ----------
    source : path
        A recorded set, as :mod:`sfdata.aligned` reads it.
    output : path
        A folder.
    methods : sequence of str
        Of :data:`sfmodel.followers.FOLLOWERS`; all if empty.
    soundfont : str
        Plays the scores.
    progress : callable, optional

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no recordings.
    ValueError
        If a method is unknown, or no recording can be followed.
    """
    chosen = choose_followers(methods)
    recordings, skipped = read_recordings(source)
    if not recordings:
        raise ValueError(f"{source}: no recording can be followed: {skipped[0]['reason'] if skipped else 'none there'}")
    done: dict[str, dict[str, Followed]] = {method.name: {} for method in chosen}
    references = References(soundfont)
    for number, recording in enumerate(recordings):
        for method in chosen:
            done[method.name][recording.name] = follow_recording(method, recording.score, recording.sound, references)
        if progress:
            progress("followed", number + 1, len(recordings))
    figures = [method_figures(method, recordings, done[method.name]) for method in chosen]
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / FOLLOW_FILE, (json.dumps(figures, indent=2) + "\n").encode())
    write_atomically(output / FOLLOW_TABLE, following_table(figures).encode())
    return FollowBenchmark(figures, skipped)


def method_figures(
    method: FollowMethod, recordings: Sequence[Recording], followed: dict[str, Followed]
) -> dict[str, Any]:
    """Figures of one method on all recordings."""
    errors, between_s = {}, []
    for recording in recordings:
        start_s, run = float(recording.score_s[0]), followed[recording.name]
        errors[recording.name] = run.at(recording.performance_s, start_s) - recording.score_s
        said = run.performance_time_s, run.reference_time_s
        between_s.append(np.abs(errors_between_s(*said, recording.performance_s, recording.score_s)))
    figures = set_figures(errors)
    instruments = sorted({recording.instrument for recording in recordings})
    offset_ms: dict[str, float] = {}
    shifted: dict[str, FloatArray] = {}
    for instrument in instruments:
        names = [recording.name for recording in recordings if recording.instrument == instrument]
        offset_s = float(np.median(np.concatenate([errors[name] for name in names])))
        offset_ms[instrument] = 1000 * offset_s
        shifted |= {name: errors[name] - offset_s for name in names}
    runs = list(followed.values())
    real_time_factor = sum(run.compute_s for run in runs) / sum(run.duration_s for run in runs)
    frame_ms = 1000 / SpectrogramSettings(frame_rate_hz=50.0).frame_rate_hz
    return {
        "method": method.name,
        "causal": method.causal,
        "description": method.description,
        **figures,
        "offset_ms": offset_ms,
        "all_reports": {
            f"within_{limit}ms": float(
                np.mean([np.mean(error_s <= limit / 1000) for error_s in between_s if len(error_s)])
            )
            for limit in WITHIN_MS
        },
        "without_offset": set_figures(shifted, draws=1)["piecewise"],
        "real_time_factor": real_time_factor,
        "worst_block_ms": 1000 * max(run.worst_block_s for run in runs) if method.causal else None,
        # From a sound's arrival to the first report that has heard it: the wait until a frame is complete, where live
        # sources end a block (see :mod:`sfmodel.live_follow`), the block's work, and the delay asked for.
        "latency_ms": frame_ms / 2 + 1000 * (BLOCK_S * real_time_factor + method.delay_s) if method.causal else None,
    }


def following_cells(figures: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Heads, and a row for each follower: means over recordings, shares in %."""
    head = ["follower", *(f"≤ {limit} ms" for limit in WITHIN_MS), "worst ≤ 250", "mean ms", "median ms", "missed"]
    head += ["misaligned", "imprecision ms", "completed", "all reports ≤ 50", "≤ 100", "× real time", "latency ms"]
    rows = [head]
    for row in figures:
        mean, interval = row["piecewise"], row["ci95"]
        cells = [row["method"] + ("" if row["causal"] else " (knows the end)")]
        for limit in WITHIN_MS:
            key = f"within_{limit}ms"
            low, high = interval[key]
            cells.append(f"{100 * mean[key]:.1f} ({100 * low:.0f}–{100 * high:.0f})")
        cells.append(f"{100 * row['worst_within_250ms']:.1f}")
        cells += [f"{mean['mean_ms']:.0f}", f"{mean['median_ms']:.0f}", f"{100 * mean['miss_rate']:.1f}"]
        cells += [f"{100 * mean['misalign_rate']:.1f}", f"{mean['imprecision_ms']:.0f}"]
        cells.append(f"{100 * mean['piece_completion']:.1f}")
        cells += [f"{100 * row['all_reports'][f'within_{limit}ms']:.1f}" for limit in (50, 100)]
        cells.append(f"{row['real_time_factor']:.2f}")
        cells.append("" if row["latency_ms"] is None else f"{row['latency_ms']:.0f}")
        rows.append(cells)
    return rows


def following_table(figures: Sequence[Mapping[str, Any]]) -> str:
    """The same in Markdown."""
    head, *rows = following_cells(figures)
    return markdown_table(head, rows) + "\n"
