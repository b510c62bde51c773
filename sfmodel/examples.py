"""Example pairs: which ones to look at, right and wrong, and what to call them."""

import textwrap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfdata.reader import PairReader
from sfdata.store import Store
from sfmodel.evaluation import EvaluationResult, Method, score_pairs
from sfmodel.figures import Example
from sfmodel.metrics import bucket_hits


@dataclass(frozen=True)
class Choice:
    """A pair that is worth looking at.

    Attributes
    ----------
    index : int
        Its position in the evaluation result.
    reason : str
        Why it was chosen.
    """

    index: int
    reason: str


def choose_examples(network: EvaluationResult, baseline: EvaluationResult | None = None) -> list[Choice]:
    """Choose pairs that show what a network can do and where it fails; no pair twice.

    Two that are right (bucket 1): the most and the least certain. Up to four that are wrong (not even bucket 2): the
    largest error, the most certain, a typical error, and one that the baseline gets right; the last two from pieces
    not shown before, if possible.

    Parameters
    ----------
    network : EvaluationResult
    baseline : EvaluationResult, optional
        Of the same pairs.
    """
    bucket1, bucket2 = bucket_hits(network.predicted_frame, network.target_frame)
    error, certainty = network.error_ms, network.score
    right, wrong = np.flatnonzero(bucket1), np.flatnonzero(~bucket2)
    chosen: list[Choice] = []

    def choose(candidates: NDArray[np.integer], rank: NDArray[np.floating], reason: str, vary: bool = False) -> None:
        """Take the candidate of the highest rank that isn't taken yet, if `vary` from another piece than these."""
        taken = np.array([choice.index for choice in chosen], dtype=np.int64)
        left = candidates[~np.isin(candidates, taken)]
        if vary and (other := ~np.isin(network.piece[left], network.piece[taken])).any():
            left = left[other]
        if len(left):
            chosen.append(Choice(int(left[np.argmax(rank[left])]), reason))

    choose(right, certainty, "right, most certain of all")
    choose(right, -certainty, "right, least certain of all")
    choose(wrong, error, "wrong, largest error")
    choose(wrong, certainty, "wrong, most certain of all")
    if not len(wrong):
        return chosen
    typical = -np.abs(error - np.median(error[wrong]))
    choose(wrong, typical, "wrong by a typical error", vary=True)
    if baseline is not None and np.array_equal(baseline.rows, network.rows):
        found = wrong[bucket_hits(baseline.predicted_frame, baseline.target_frame)[0][wrong]]
        choose(found, typical, "wrong where the matched filter is right", vary=True)
    return chosen


def pair_facts(store: Store, row: int) -> dict[str, str]:
    """Where a pair comes from: ``piece``, ``reference`` and ``snippet`` (instruments), ``time`` in the reference."""
    pairs, renditions, instruments = store.pairs, store.renditions, store.instruments
    piece = int(store.pair_pieces(np.array([row]))[0])
    title, composer = str(store.pieces["title"][piece]), str(store.pieces["composer"][piece])
    facts = {"piece": f"{title} ({composer})" if composer else title}
    for side in ("reference", "snippet"):
        instrument = int(renditions["instrument"][pairs[f"{side}_rendition"][row]])
        name, preset = str(instruments["name"][instrument]), str(instruments["preset"][instrument])
        facts[side] = f"{name} ({preset})" if preset else name
    start_s = float(pairs["reference_start_frame"][row]) / store.spectrogram.frame_rate_hz
    facts["time"] = f"{int(start_s // 60)}:{start_s % 60:04.1f}"
    return facts


def outcome_text(result: EvaluationResult, index: int) -> str:
    """Say how far a prediction lies from the truth and how sure the network is of it.

    The sign is that of the prediction: early means that it lies before the truth.
    """
    distance = result.distance_frames[index]
    side = "early" if distance < 0 else "late"
    return f"{result.error_ms[index]:,.0f} ms {side}, belief {100 * result.score[index]:.0f} %"


def draw_example(
    choice: Choice, result: EvaluationResult, store: Store, reader: PairReader, network: Method, baseline: Method
) -> Example:
    """Cut a chosen pair out of the store and score it."""
    position = result.position[choice.index : choice.index + 1]
    batch = reader.batch(position)
    facts = pair_facts(store, int(result.rows[choice.index]))
    instruments = f"reference {facts['reference']}, snippet {facts['snippet']}"
    reason = choice.reason[0].upper() + choice.reason[1:]
    lines = [
        f"{reason}: {outcome_text(result, choice.index)}",
        *(textwrap.shorten(line, 72, placeholder=" …") for line in (facts["piece"], instruments)),
    ]
    return Example(
        heading="\n".join(lines),
        reference=batch.reference[0],
        snippet=batch.snippet[0],
        belief=score_pairs(network, reader, position)[0],
        correlation=score_pairs(baseline, reader, position)[0],
        target_frame=float(result.target_frame[choice.index]),
        predicted_frame=int(result.predicted_frame[choice.index]),
        settings=store.spectrogram,
    )
