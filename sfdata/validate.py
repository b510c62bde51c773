"""Validation: is a store whole, do its labels agree with its arrays, does anything leak between splits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfdata.augment import sounding_notes
from sfdata.leaks import find_leaks
from sfdata.progress import Progress
from sfdata.schema import EVERY, SPLITS, TABLES
from sfdata.sounding import onset_lag_s, rising_share
from sfdata.spectrogram import frame_count
from sfdata.splits import split_remark
from sfdata.store import Store, open_store

TOLERANCE_FRAMES = 1e-6
RISING_SHARE = {True: 0.8, False: 0.65}  # by whether it is synthesised and dry: rooms and noise hide soft notes
RECORD_S = 0.003  # a step of the event grid: times that went through files are rounded
RESTRUCK_S = {True: 0.0, False: 0.5}  # in a room a stroke hides the next one of its key
LAG_FRAMES = {True: (-0.25, 0.6), False: (-0.25, 1.1)}  # attacks add up to a third of a frame, rooms another half


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a store."""

    check: str
    detail: str


def validate(
    path: str | Path, composers: bool = False, instruments: bool = False, progress: Progress | None = None
) -> list[Problem]:
    """Check a store thoroughly.

    The outline (arrays, types, version), checksums of all tables and frames, references between tables, labels against
    notes and against the spectrograms, variants against their records, and that no work, file, performance, instrument
    that is kept to a split, or (when asked) composer or snippets' instrument stands in two splits. Where the recorded
    recipe divides onsets, none of them may have pairs in two splits; where it splits by piece, works may stand in
    several: :func:`remarks` tells of both.

    Parameters
    ----------
    path : path
    composers : bool
        Whether a composer in two splits is a problem too.
    instruments : bool
        Whether an instrument that plays snippets both in test and in another split is a problem too.
    progress : callable, optional
        Called as ``progress(step, done, total)`` while spectrograms are looked at, which takes longest.

    Returns
    -------
    list of Problem
        Empty for a valid store.

    Raises
    ------
    FileNotFoundError
        If nothing is at `path`.
    ConnectionError
        If it lies elsewhere, and cannot be reached.
    """
    try:
        store = open_store(path)
    except ValueError as error:
        return [Problem("outline", str(error))]
    problems: list[Problem] = []

    def leaks(store: Store) -> Iterator[Problem]:
        return (Problem("leak", found) for found in find_leaks(store, composers, instruments))

    def frames(store: Store) -> Iterator[Problem]:
        return _frames(store, progress)

    for check in (_checksums, _links, _labels, _records, leaks, frames):
        try:
            problems += check(store)
        except ConnectionError:  # says nothing of the store
            raise
        except Exception as error:  # contradictory data can surface anywhere
            problems.append(Problem("reading", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
        if problems and check in (_checksums, _links):
            break  # what follows reads through tables and links that are not as they should be
    return problems


def refuse_invalid(path: str | Path) -> None:
    """Refuse a store in which :func:`validate` finds anything.

    Raises
    ------
    FileNotFoundError
        If nothing is at `path`.
    ValueError
        If it is not valid; tells the first problem.
    """
    problems = validate(path)
    if problems:
        raise ValueError(
            f"{path} is not valid ({problems[0].check}: {problems[0].detail}); see 'sfdata validate {path}'"
        )


def remarks(path: str | Path) -> list[str]:
    """What is no problem, and yet must be known to whoever reads figures made with a store.

    Raises
    ------
    FileNotFoundError
        If nothing is at `path`.
    """
    try:
        remark = split_remark(open_store(path).splits_by)
    except ValueError:  # what is damaged is no remark's business
        return []
    return [remark] if remark else []


def _checksums(store: Store) -> Iterator[Problem]:
    for name in TABLES:
        try:
            dict(getattr(store, name))  # each column is checked when it is first read, and kept for what follows
        except ValueError as error:
            yield Problem("checksum", str(error))


def _links(store: Store) -> Iterator[Problem]:
    """Row numbers that point outside their table, and regions that overlap or leave their array."""
    rows = {name: store.rows(name) for name in TABLES}
    for table, column, target in (
        ("performances", "piece", "pieces"),
        ("renditions", "performance", "performances"),
        ("renditions", "instrument", "instruments"),
        ("pairs", "reference_rendition", "renditions"),
        ("pairs", "snippet_rendition", "renditions"),
        ("pairs", "note", "notes"),
    ):
        values = getattr(store, table)[column]
        outside = int(((values < 0) | (values >= rows[target])).sum())
        if outside:
            yield Problem(
                "links", f"{outside} rows of {table}/{column} point outside table {target} ({rows[target]} rows)"
            )
    for table, first, count, total in (
        ("renditions", "first_frame", "frame_count", store.frames.shape[0]),
        ("performances", "first_note", "note_count", rows["notes"]),
    ):
        begin = getattr(store, table)[first].astype(np.int64)
        end = begin + getattr(store, table)[count]
        order = np.argsort(begin, kind="stable")
        if len(begin) and (begin.min() < 0 or end.max() > total or np.any(end[order][:-1] > begin[order][1:])):
            yield Problem("links", f"{table}/{first} and {count} overlap or leave the {total} rows they point into")
    unknown = set(store.pieces["split"]) - {*SPLITS, *([EVERY] if store.splits_by == "onset" else [])}
    if unknown or np.any(store.pairs["split"] >= len(SPLITS)):
        yield Problem("links", f"splits other than {', '.join(SPLITS)} are named: {sorted(unknown)}")


def _labels(store: Store) -> Iterator[Problem]:
    """Targets recomputed from the notes of both sides."""
    pairs, renditions, rate = store.pairs, store.renditions, store.spectrogram.frame_rate_hz
    if not len(pairs["note"]):
        yield Problem("labels", "the store holds no pairs")
        return
    last = store.reference_frames - 1
    outside = int((~((pairs["target_frame"] >= 0) & (pairs["target_frame"] <= last))).sum())
    if outside:
        yield Problem("labels", f"{outside} targets lie outside their reference (0 to {last} frames)")
    if not np.allclose(pairs["target_s"] * rate, pairs["target_frame"], rtol=0, atol=TOLERANCE_FRAMES):
        yield Problem("labels", "target_s and target_frame disagree")
    onset = store.notes["onset_s"]
    if np.any(~(store.notes["offset_s"] > onset)):
        yield Problem("labels", f"{int((~(store.notes['offset_s'] > onset)).sum())} notes end before they begin")
    counted = np.array(
        [frame_count(round(s * store.spectrogram.sample_rate_hz), store.spectrogram) for s in renditions["duration_s"]]
    )
    if np.any(counted != renditions["frame_count"]):
        yield Problem(
            "labels", f"{int((counted != renditions['frame_count']).sum())} durations disagree with the frames"
        )
    if not np.allclose(onset[pairs["note"]], pairs["snippet_centre_s"], rtol=0, atol=1e-9):
        yield Problem("labels", "snippet_centre_s differs from the onset of the pair's note")
    snippet_performance = renditions["performance"][pairs["snippet_rendition"]]
    first = store.performances["first_note"]
    inside = (pairs["note"] >= first[snippet_performance]) & (
        pairs["note"] < first[snippet_performance] + store.performances["note_count"][snippet_performance]
    )
    if not inside.all():
        yield Problem("labels", f"{int((~inside).sum())} pairs name a note of another performance than their snippet's")
    performances = [renditions["performance"][pairs[f"{side}_rendition"]] for side in ("reference", "snippet")]
    for column in ("piece", "voice"):
        of_reference, of_snippet = (store.performances[column][rows] for rows in performances)
        if np.any(of_reference != of_snippet):
            yield Problem(
                "labels", f"{int((of_reference != of_snippet).sum())} pairs join two sounds of another {column}"
            )
    start, frames = pairs["reference_start_frame"], renditions["frame_count"][pairs["reference_rendition"]]
    if np.any((start < 0) | (start >= frames)):
        yield Problem(
            "labels", f"{int(((start < 0) | (start >= frames)).sum())} references begin outside their rendition"
        )
    counterpart = _counterparts(store)
    if np.any(counterpart < 0):
        yield Problem(
            "labels", f"{int((counterpart < 0).sum())} pairs are labelled though no note of the score matches"
        )
        return
    expected = onset[counterpart] * rate - pairs["reference_start_frame"]
    wrong = int((np.abs(expected - pairs["target_frame"]) > TOLERANCE_FRAMES).sum())
    if wrong:
        yield Problem("labels", f"{wrong} targets differ from the onset of the note they stand for")
    pitch = store.notes["pitch"]
    wrong_notes = np.array([_has_wrong_notes(text) for text in store.performances["augmentation"]], dtype=bool)
    differ = (pitch[counterpart] != pitch[pairs["note"]]) & ~wrong_notes[snippet_performance]
    if differ.any():
        yield Problem("labels", f"{int(differ.sum())} pairs have another pitch in the snippet than in the reference")


def _has_wrong_notes(augmentation: str) -> bool:
    return any(drawn.get("operation") == "wrong_notes" for drawn in json.loads(augmentation).get("operations", []))


def _records(store: Store) -> Iterator[Problem]:
    """Every variant made again from the score side's notes and its record."""
    columns, recipe = store.performances, store.attrs.get("recipe", {})
    if recipe.get("spectrogram", {}) != store.attrs["spectrogram"]:
        yield Problem("records", "the recipe in the attributes is not the one that these spectrograms are from")
    drawn = all("midi" in source for source in recipe.get("sources", [])) and recipe.get("sources")
    for number in np.flatnonzero(columns["role"] == "variant"):
        record = json.loads(columns["augmentation"][number])
        if not record.get("operations") and not drawn:  # as played by somebody
            continue
        same_voice = (columns["piece"] == columns["piece"][number]) & (columns["voice"] == columns["voice"][number])
        scores = np.flatnonzero(same_voice & (columns["role"] == "score"))
        if not len(scores):
            yield Problem("records", f"performance {number} is a variant of a voice without a score side")
            continue
        try:
            made = sounding_notes(store.note_array(int(scores[0])), record, store.spectrogram.sample_rate_hz)
        except ValueError as error:
            yield Problem("records", f"the record of performance {number} cannot be applied: {error}")
            continue
        stored = store.note_array(int(number))
        if len(made) != len(stored) or any(
            not np.array_equal(made[name], stored[name]) for name in ("pitch", "velocity", "source")
        ):
            yield Problem("records", f"performance {number} is not what its record makes of the score side")
            continue
        off_s = max(float(np.abs(made[name] - stored[name]).max(initial=0)) for name in ("onset_s", "offset_s"))
        if off_s > RECORD_S:
            yield Problem("records", f"notes of performance {number} lie up to {off_s:.4f} s from what its record says")


def _counterparts(store: Store) -> NDArray[np.int64]:
    """For each pair, the row of the reference performance's note of the same source, -1 where there is none."""
    performance = store.renditions["performance"][store.pairs["reference_rendition"]]
    source = store.notes["source"][store.pairs["note"]].astype(np.int64)
    found = np.full(len(source), -1, dtype=np.int64)
    for number in np.unique(performance):
        first, count = int(store.performances["first_note"][number]), int(store.performances["note_count"][number])
        own = store.notes["source"][first : first + count].astype(np.int64)
        place = np.full(max(int(own.max(initial=0)), int(source.max(initial=0))) + 1, -1, dtype=np.int64)
        place[own[own >= 0]] = first + np.flatnonzero(own >= 0)
        rows = np.flatnonzero((performance == number) & (source >= 0))
        found[rows] = place[source[rows]]
    return found


def _frames(store: Store, progress: Progress | None = None) -> Iterator[Problem]:
    """Whether frames can be read, are the recorded ones, and tell of notes where the labels do."""
    total = len(store.renditions["gain"])
    for rendition in range(total):
        if progress:
            progress("validate", rendition + 1, total)
        try:
            frames = store.rendition_frames(rendition)
        except ValueError as error:
            yield Problem("frames", str(error))
            continue
        if frames.min(initial=0) < 0:
            yield Problem("frames", f"the spectrogram of rendition {rendition} holds values below zero")
            continue
        notes = store.performance_notes(int(store.renditions["performance"][rendition]))
        recorded = not store.instruments["sha256"][store.renditions["instrument"][rendition]]
        dry = not recorded and not json.loads(store.renditions["sound"][rendition]).get("operations")
        share, least = rising_share(notes, frames, store.spectrogram, RESTRUCK_S[dry]), RISING_SHARE[dry]
        if share < least - 1 / max(1, len(notes["onset_s"])) ** 0.5:  # two standard errors of a share
            yield Problem(
                "sounding",
                f"in rendition {rendition} energy rises at {share:.0%} of the labelled onsets; "
                f"expected at least {least:.0%}",
            )
        lag_s, error_s = onset_lag_s(notes, frames, store.spectrogram) or (None, 0.0)
        low_s, high_s = (bound / store.spectrogram.frame_rate_hz for bound in LAG_FRAMES[dry])
        if lag_s is not None and not low_s - 2 * error_s <= lag_s <= high_s + 2 * error_s:
            yield Problem(
                "sounding",
                f"in rendition {rendition} notes sound {1000 * lag_s:+.0f} ms from their labels in the median; "
                f"expected {1000 * low_s:+.0f} to {1000 * high_s:+.0f} ms",
            )
