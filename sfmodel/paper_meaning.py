"""What the page's comparison means: sentences made of the results alone."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from sfdata.windows import nearest_frame
from sfmodel.evaluation import EvaluationResult
from sfmodel.paper import GMP, TABLE_3, Run, Sweep, rates, read_predictions
from sfmodel.paper_text import percent

ONSET, SCALE = "onset", "scale"


def meaning_text(sweeps: Mapping[str, Sweep]) -> str:
    """The page's part on what the comparison means."""
    parts = ["## What the comparison means"]
    parts += [f"* **{head}** {text}" for head, text in _points(sweeps) if text]
    return parts[0] + "\n\n" + "\n".join(parts[1:])


def _points(sweeps: Mapping[str, Sweep]) -> Iterator[tuple[str, str]]:
    yield "Beside a method that learns nothing.", filter_text(sweeps)
    yield "Beside one answer for everything.", constant_text(sweeps)
    yield "What a split by onset measures.", memory_text(sweeps)
    yield "How networks err.", hop_text(sweeps)
    yield (
        "Ours is not the paper's data.",
        "What it did otherwise cannot be known. Had it, for one, several references for each onset and divided the "
        "pairs by chance, the same onset would stand on both sides, and the test would be easier.",
    )


def filter_text(sweeps: Mapping[str, Sweep]) -> str:
    """The matched filter against the networks, on the test pairs of every store that one was trained on."""
    told, ahead = [], 0
    for sweep in sweeps.values():
        for store in sweep.stores:
            figures = sweep.baseline(store, "test")
            reached = rates([run for run in sweep.runs if run.store == store])
            if figures is None or not reached:
                continue
            filtered = float(figures["bucket1"])
            ahead += filtered > max(reached)
            told.append(f"`{store}` {percent(filtered)} % against {percent(max(reached))} %")
    if not told:
        return ""
    text = (
        "The matched filter, a plain normalised cross-correlation, against the best of our networks, on the same test "
        f"pairs: {'; '.join(told)}. The filter is ahead on {ahead} of {len(told)}."
    )
    if ahead:
        text += (
            " Reference and snippet are of one recording, or of one performance on two instruments, so each fits where "
            "it was cut out and hardly anywhere else. What such accuracies compare is networks with each other; a "
            "network would be worth having where snippets are *performed* differently (`pipelines/human.toml`)."
        )
    return text


def best_constant(target_frame: NDArray[np.floating]) -> tuple[float, int]:
    """The frame that most targets are nearest to, and the share of them.

    Examples
    --------
    >>> best_constant(np.array([9.8, 10.2, 30.0, 50.0]))
    (0.5, 10)
    """
    frames, counts = np.unique(nearest_frame(target_frame), return_counts=True)
    most = int(counts.argmax())
    return float(counts[most] / len(target_frame)), int(frames[most])


def constant_text(sweeps: Mapping[str, Sweep]) -> str:
    """What one frame for all test pairs would reach, and how many frames networks answer."""
    told = []
    for sweep in sweeps.values():
        for store in sweep.stores:
            tested = [(run, _test_of(run)) for run in sweep.runs if run.store == store]
            found = [(len(np.unique(result.predicted_frame)), run, result) for run, result in tested if result]
            if not found:
                continue
            fewest, run, result = min(found, key=lambda entry: entry[0])
            share, frame = best_constant(result.target_frame)
            targets = len(np.unique(nearest_frame(result.target_frame)))
            told.append(
                f"on `{store}`, frame {frame} for every pair would be right in {percent(share)} %, and of {targets} "
                f"different frames that are right somewhere, the least varied network ({run.name}, seed {run.seed}) "
                f"answers {fewest}"
            )
    if not told:
        return ""
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def memory_text(sweeps: Mapping[str, Sweep]) -> str:
    """By onset against what was never heard, as far as both were run."""
    told = []
    if TABLE_3 in sweeps:
        pairs = [
            (np.mean(onset), np.mean(scale))
            for name in dict.fromkeys(run.name for run in sweeps[TABLE_3].runs)
            if (onset := rates(sweeps[TABLE_3].of(name, ONSET))) and (scale := rates(sweeps[TABLE_3].of(name, SCALE)))
        ]
        if pairs:
            gaps = [100 * (onset - scale) for onset, scale in pairs]
            lower = sum(gap > 0 for gap in gaps)
            told.append(
                f"in Table III, {lower} of {len(gaps)} settings are less accurate on recordings that were kept from "
                f"training as a whole, by {np.mean(gaps):.1f} points in the mean of all"
            )
    if GMP in sweeps:
        for run in sweeps[GMP].runs:
            here = run.rate("test")
            for store, split in run.evaluations:
                away = run.rate(split, store)
                if store not in sweeps[GMP].stores and here is not None and away is not None:
                    told.append(
                        f"on pieces that it never heard (`{store}`), the network of the three pieces has "
                        f"{percent(away)} % against {percent(here)} %"
                    )
    if not told:
        return ""
    text = "; ".join(told)
    return (
        "The onsets before and after one in the test are in training, in windows that overlap by nearly all of their "
        f"length, so such a test measures memory, too. {text[0].upper()}{text[1:]}."
    )


def _test_of(run: Run) -> EvaluationResult | None:
    found = read_predictions(run, run.store, "test")
    return found[0] if found else None


def hop_text(sweeps: Mapping[str, Sweep]) -> str:
    """Of the predictions that are wrong, how many are so by whole steps from one reference to the next.

    Such a prediction is right within the recording, and belongs to another reference than the one that was shown.
    """
    told = []
    for sweep in sweeps.values():
        for store in sweep.stores:
            best = max((run for run in sweep.runs if run.store == store), key=lambda run: run.rate("test") or 0.0)
            result = _test_of(best)
            if result is None:
                continue
            hop_frames = float(best.config()["store"]["windows"]["reference_hop_s"]) * result.frame_rate_hz
            found = whole_steps(result.distance_frames, hop_frames)
            if found is not None:
                chance = percent(3 / hop_frames)
                told.append(f"on `{store}` ({best.name}) {percent(found)} % of the wrong ones, {chance} % by chance")
    if not told:
        return ""
    return (
        "References begin at fixed steps of a recording. A network that has learnt by heart where in the recording a "
        "snippet lies, but not where the reference begins, errs by whole steps, to within a frame: "
        f"{'; '.join(told)}."
    )


def whole_steps(distance_frames: NDArray[np.floating], hop_frames: float) -> float | None:
    """Share of the wrong predictions whose distance is a multiple of a step, to within a frame and a half.

    Examples
    --------
    >>> whole_steps(np.array([0.2, -60.3, 119.0, 30.0, 61.9]), 60.0)
    0.5
    """
    wrong = distance_frames[np.abs(distance_frames) >= 1]
    if not len(wrong):
        return None
    steps = np.round(wrong / hop_frames)
    return float(((steps != 0) & (np.abs(wrong - steps * hop_frames) < 1.5)).mean())
