"""Recorded sets followed by Matchmaker's own on-line time warping and by our followers, measured alike.

Matchmaker 0.3.0 (Park et al., "Matchmaker: an open-source library for real-time piano score following and systematic
evaluation", ISMIR 2025) asks for NumPy 1, so it lives in an environment of its own:

    python -m venv build/matchmaker && build/matchmaker/bin/pip install pymatchmaker==0.3.0

It hears the references as we render them, all notes with one velocity, at the recording's sample rate; so both sides
have the same band. Its stream numbers an observation by where the sound in it begins, 67 ms (two frames of its) before
the last of it has been heard. Hence three rows for each: `heard`, a report counts from when all sound it used has
been heard, as for ours; `heard, ahead`, the same with every place moved on by these 67 ms at the reference's tempo, the
least that a program would do about it; `own clock`, as Matchmaker itself counts, which no one who listens can have.

Run: python benchmarks/matchmaker_followers.py DIR [--seconds 60] [--python build/matchmaker/bin/python]
"""

import argparse
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sfdata.blocks import joined
from sfdata.recordings import Recording, read_recordings
from sfdata.render import read_audio, write_audio
from sfdata.side import SCORE_VELOCITY, open_sound, side_notes
from sfmodel.followers import References, choose_followers, follow_recording
from sfmodel.following import WITHIN_MS, answers_s, set_figures
from sfmodel.tables import markdown_table

HERE = Path(__file__).resolve().parent
OURS = ("follow", "online-dtw", "oltw-dixon", "oltw-arzt")
THEIRS = {
    "arzt-chroma": "Matchmaker, Arzt, chroma (its default)",
    "arzt-lse": "Matchmaker, Arzt, log-spectral",
    "dixon-lse": "Matchmaker, Dixon, log-spectral (its default)",
    "dixon-chroma": "Matchmaker, Dixon, chroma",
}
HEAD = ["follower", "clock", *(f"≤ {limit} ms" for limit in WITHIN_MS), "worst ≤ 250", "mean ms", "median ms", "missed"]

Errors = dict[str, NDArray[np.float64]]  # name of a recording to errors of its onsets, s


def shortened(recordings: Sequence[Recording], seconds: float, folder: Path) -> list[Recording]:
    """Their first so many seconds, as WAV in the folder, with the onsets in them."""
    made = []
    for recording in recordings:
        rate_hz = soundfile.info(recording.sound).samplerate
        sound = read_audio(recording.sound, rate_hz)[: round(min(seconds, 1e6) * rate_hz)]
        path = folder / f"{recording.name.replace('/', '_')}.performance.wav"
        write_audio(path, sound, rate_hz, "FLOAT")
        there = recording.performance_s < len(sound) / rate_hz
        made.append(
            replace(
                recording,
                sound=path,
                performance_s=recording.performance_s[there],
                score_s=recording.score_s[there],
            )
        )
    return made


def ours(name: str, recordings: Sequence[Recording]) -> tuple[Errors, float]:
    """Errors of one of our followers, and how long it took against the sound's length."""
    (method,), references = choose_followers([name]), References()
    errors, took_s, lasted_s = {}, 0.0, 0.0
    for recording in recordings:
        followed = follow_recording(method, recording.score, recording.sound, references)
        at_s = followed.at(recording.performance_s, float(recording.score_s[0]))
        errors[recording.name] = at_s - recording.score_s
        took_s, lasted_s = took_s + followed.compute_s, lasted_s + followed.duration_s
    return errors, took_s / lasted_s


def theirs(python: str, recordings: Sequence[Recording], folder: Path) -> dict[str, tuple[dict[str, Errors], float]]:
    """The same of Matchmaker's followers, by their names, for each clock."""
    starts_s = {}
    for recording in recordings:
        stem = recording.sound.name.removesuffix(".performance.wav")
        rate_hz = soundfile.info(recording.sound).samplerate
        blocks, starts_s[stem] = open_sound(recording.score, rate_hz, velocity=SCORE_VELOCITY)
        write_audio(folder / f"{stem}.reference.wav", joined(blocks), rate_hz, "FLOAT")
        np.save(folder / f"{stem}.onsets.npy", np.unique(side_notes(recording.score)["onset_s"]) - starts_s[stem])
    subprocess.run([python, str(HERE / "matchmaker_oltw.py"), str(folder)], check=True)
    found: dict[str, tuple[dict[str, Errors], float]] = {}
    for name in THEIRS:
        clocks: dict[str, Errors] = {"heard": {}, "heard, ahead": {}, "own clock": {}}
        took_s = lasted_s = 0.0
        for recording in recordings:
            stem = recording.sound.name.removesuffix(".performance.wav")
            with np.load(folder / f"{stem}.npz") as reports:
                own_s, heard_s, place_s, report_took_s = reports[name]
            place_s = place_s + starts_s[stem]
            told = {
                "heard": (heard_s, place_s),
                "heard, ahead": (heard_s, place_s + (heard_s - own_s)),
                "own clock": (own_s, place_s),
            }
            for clock, (time_s, told_s) in told.items():
                at_s = answers_s(time_s, told_s, recording.performance_s, float(recording.score_s[0]))
                clocks[clock][recording.name] = at_s - recording.score_s
            took_s += float(report_took_s.sum())
            lasted_s += float(own_s[-1]) if len(own_s) else 0.0
        found[name] = clocks, took_s / max(lasted_s, 1e-9)
    return found


def row(name: str, clock: str, errors: Mapping[str, NDArray[np.float64]], real_time: float) -> list[str]:
    """A row of the table: means over recordings."""
    figures = set_figures(errors, draws=1)
    mean = figures["piecewise"]
    cells = [name, clock, *(f"{100 * mean[f'within_{limit}ms']:.1f}" for limit in WITHIN_MS)]
    cells += [f"{100 * figures['worst_within_250ms']:.1f}", f"{mean['mean_ms']:.0f}", f"{mean['median_ms']:.0f}"]
    return [*cells, f"{100 * mean['miss_rate']:.1f}", f"{real_time:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="DIR", help="a recorded set, as 'sfmodel benchmark' takes it")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="the first so many of each  [default: all]")
    parser.add_argument("--python", default="build/matchmaker/bin/python", help="Matchmaker's  [default: %(default)s]")
    arguments = parser.parse_args()
    found, skipped = read_recordings(arguments.source)
    for left_out in skipped:
        print(f"left out: {left_out['source']}: {left_out['reason']}\n")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        recordings = shortened(found, arguments.seconds, folder)
        rows = [row(f"`{name}`", "heard", *ours(name, recordings)) for name in OURS]
        for name, (clocks, real_time) in theirs(arguments.python, recordings, folder).items():
            rows += [row(THEIRS[name], clock, errors, real_time) for clock, errors in clocks.items()]
    onsets = sum(len(recording.score_s) for recording in recordings)
    print(f"{len(recordings)} recordings, {onsets:,} onsets; shares in %, means over recordings\n")
    print(markdown_table([*HEAD, "× real time"], rows))


if __name__ == "__main__":
    main()
