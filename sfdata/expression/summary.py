"""All statistics of one performance against its score, by name, with what each means."""

from dataclasses import dataclass, field

import numpy as np

from sfdata.expression.glossary import LAGS_S, LENGTH_GROUPS_S, PERCENTS, SAMPLES, STATISTICS, VELOCITY_LAGS_S
from sfdata.expression.matching import Chords, ExpressionSettings, Matching, chord_times, match_notes
from sfdata.expression.mistakes import KINDS, chord_places, find_mistakes
from sfdata.expression.playing import chord_playing, length_ratios, second_means, top_line
from sfdata.expression.robust import (
    FloatArray,
    autocorrelation,
    known,
    mean_square_difference,
    quantile,
    robust_sd,
    share,
)
from sfdata.expression.timing import (
    chord_steps,
    local_tempo,
    neighbour_residuals,
    pause_lengths,
    phrase_ends,
    phrase_slowing,
    tempo_between,
    window_residuals,
)
from sfdata.notes import NoteArray

LEAST_NOTES = 20
TEMPO_EVERY_S = 0.5


@dataclass(frozen=True)
class Measured:
    """What :func:`measure` gives.

    Attributes
    ----------
    statistics : dict of str to float
        All names in :data:`sfdata.expression.STATISTICS`; NaN where there is too little to tell.
    samples : dict of str to ndarray of float64
        All names in :data:`sfdata.expression.SAMPLES`: the single values behind some of the statistics.
    """

    statistics: dict[str, float]
    samples: dict[str, FloatArray]


@dataclass(frozen=True)
class _Measuring:
    """A performance beside its score, and what has been found."""

    score: NoteArray
    performance: NoteArray
    matching: Matching
    chords: Chords
    settings: ExpressionSettings
    values: dict[str, float] = field(default_factory=dict)
    samples: dict[str, FloatArray] = field(default_factory=dict)


def measure(
    score: NoteArray,
    performance: NoteArray,
    sounding: NoteArray | None = None,
    pedal: dict[str, float] | None = None,
    settings: ExpressionSettings | None = None,
) -> Measured:
    """Measure how a performance differs from its score.

    Parameters
    ----------
    score : NoteArray
    performance : NoteArray
        ``source`` names the score's notes by their ``source``, -1 where there is none.
    sounding : NoteArray, optional
        The performance's notes, in the same order, as long as they sound with the pedal.
    pedal : dict, optional
        As :func:`sfdata.expression.playing.pedal_use` gives it.
    settings : ExpressionSettings, optional

    Raises
    ------
    ValueError
        If the performance names notes that the score does not have, or `sounding` has another number of notes.
    """
    settings = settings or ExpressionSettings()
    if sounding is not None and len(sounding) != len(performance):
        raise ValueError(f"{len(sounding)} notes with pedal, {len(performance)} without; expected the same notes")
    matching = match_notes(score, performance, settings)
    chords = chord_times(score, performance, matching, settings)
    of = _Measuring(score, performance, matching, chords, settings)
    values, samples = of.values, of.samples
    played_s = float(np.ptp(chords.performed_s)) if len(chords.performed_s) else 0.0
    values["score_notes"], values["duration_min"] = float(len(score)), played_s / 60
    values["left_out_share"] = share(matching.left_out_score)
    values["matched_share"] = len(matching.score) / max(matching.score_notes, 1)
    median = _tempo(of)
    _slowing(of, median)
    for name, late_s in (
        ("jitter", neighbour_residuals(chords, settings)),
        ("window_jitter", window_residuals(chords, settings)),
    ):
        samples[f"{name}_ms"] = 1000 * known(late_s)
        values[f"{name}_ms"] = 1000 * robust_sd(late_s, 0.0)
        values[f"{name}_95_ms"] = 1000 * quantile(np.abs(late_s), 95, LEAST_NOTES)
    _chords(of)
    for prefix, notes in (("held", performance), ("sounding", sounding)):
        samples[f"{prefix}_ratio"] = np.empty(0)
        if notes is not None:
            _lengths(of, prefix, notes, 2.0**-median)
    _velocity(of)
    _mistakes(of)
    values.update(pedal or {})
    names = [name for group in STATISTICS.values() for name in group]
    return Measured({name: values.get(name, float("nan")) for name in names}, {name: samples[name] for name in SAMPLES})


def _tempo(of: _Measuring) -> float:
    """Fill in tempo; returns the median in octaves, 0 where there is none."""
    chords, settings, values, samples = of.chords, of.settings, of.values, of.samples
    _, octaves = local_tempo(chords, settings)
    time_s, often = local_tempo(chords, settings, TEMPO_EVERY_S)
    heard = known(octaves)
    median = float(np.median(heard)) if len(heard) else 0.0
    samples["tempo_time_s"], samples["tempo_octaves"] = time_s, often - median
    if len(heard) < 3:
        return median
    change = known(np.diff(octaves))
    values["tempo_median_octaves"] = median
    values["tempo_sd_octaves"], values["tempo_robust_sd_octaves"] = float(heard.std()), robust_sd(heard)
    for percent in PERCENTS:
        values[f"tempo_{percent}_octaves"] = quantile(heard, percent) - median
    values["tempo_change_octaves"] = robust_sd(change, 0.0)
    values["tempo_change_over_20_share"] = share(np.abs(change) > np.log2(1.2))
    values["tempo_change_over_50_share"] = share(np.abs(change) > np.log2(1.5))
    for lag_s in LAGS_S:
        lag = max(1, round(lag_s / settings.window_s))
        values[f"tempo_autocorrelation_{lag_s}s"] = autocorrelation(octaves, lag)
        values[f"tempo_difference_{lag_s}s_octaves"] = mean_square_difference(octaves, lag) ** 0.5
    return median


def _slowing(of: _Measuring, median: float) -> None:
    chords, values, samples = of.chords, of.values, of.samples
    samples["pause_s"] = np.empty(0)
    if len(chords.score_s) < 3:
        return
    end_s = float(chords.score_s[-1])
    for length_s in (4, 2):
        values[f"end_slowing_{length_s}s_octaves"] = tempo_between(chords, end_s - length_s, end_s) - median
    steps = chord_steps(chords)
    ends = phrase_ends(steps)
    slowing = phrase_slowing(chords, ends)
    values["phrase_ends_per_min"] = 60 * len(ends) / float(np.ptp(chords.score_s))
    values["phrase_slowing_octaves"], values["phrase_slowing_25_octaves"] = quantile(slowing, 50), quantile(slowing, 25)
    pauses_s = pause_lengths(steps, of.settings)
    samples["pause_s"] = pauses_s
    minutes = float(steps.played_s[~np.isnan(steps.expected_s)].sum()) / 60
    if minutes > 0:
        values["pauses_per_min"] = len(pauses_s) / minutes
        values["pauses_over_1s_per_min"] = float((pauses_s > 1).sum()) / minutes
    values["pause_median_s"], values["pause_90_s"] = quantile(pauses_s, 50), quantile(pauses_s, 90)


def _chords(of: _Measuring) -> None:
    values, samples = of.values, of.samples
    found = chord_playing(of.score, of.performance, of.matching, of.chords)
    samples["chord_range_ms"], samples["top_lead_ms"] = 1000 * found.range_s, 1000 * found.top_lead_s
    if len(found.size) < 10:
        return
    rolled = found.range_s > of.settings.rolled_s
    together = ~rolled
    if together.any():
        degrees = float((found.size[together] - 1).sum())
        values["chord_sd_ms"] = 1000 * float(np.sqrt(found.square_s2[together].sum() / degrees))
    values["chord_range_ms"], values["chord_range_90_ms"] = (1000 * quantile(found.range_s, p) for p in (50, 90))
    values["chord_range_2_notes_ms"] = 1000 * quantile(found.range_s[found.size == 2], 50, 6)
    values["chord_range_4_notes_ms"] = 1000 * quantile(found.range_s[found.size >= 4], 50, 6)
    values["top_lead_ms"], values["bass_lead_ms"] = (
        1000 * quantile(lead_s, 50) for lead_s in (found.top_lead_s, found.bass_lead_s)
    )
    values["top_first_share"] = share(found.top_first)
    values["top_first_by_chance_share"] = float((1 / found.size).mean())
    values["rolled_share"] = share(rolled)
    values["rolled_upward_share"] = share(known(found.upward[rolled]) > 0.5)
    values["velocity_top_louder"] = float(found.top_louder.mean())
    values["velocity_bass_louder"] = float(found.bass_louder.mean())
    values["velocity_chord_sd"] = float(np.sqrt(found.velocity_variance.mean()))


def _lengths(of: _Measuring, prefix: str, notes: NoteArray, seconds_per_second: float) -> None:
    score, matching, chords, values, samples = of.score, of.matching, of.chords, of.values, of.samples
    ratio, written_s = length_ratios(score, notes, matching, chords, seconds_per_second)
    heard = known(ratio)
    samples[f"{prefix}_ratio"] = heard
    if len(heard) < LEAST_NOTES:
        return
    for percent in PERCENTS:
        values[f"{prefix}_ratio_{percent}"] = quantile(heard, percent)
    values[f"{prefix}_log2_sd"] = robust_sd(np.log2(heard))
    logarithm = np.clip(np.log2(ratio), -3, 3)
    values[f"{prefix}_autocorrelation"] = autocorrelation(top_line(logarithm, score, chords), 1, LEAST_NOTES)
    values[f"{prefix}_short_share"], values[f"{prefix}_overlap_share"] = share(heard < 0.5), share(heard > 1.05)
    values[f"{prefix}_median_s"] = quantile((notes["offset_s"] - notes["onset_s"])[matching.performed], 50)
    for group, (low_s, high_s) in LENGTH_GROUPS_S.items():
        inside = (written_s >= low_s) & (written_s < high_s)
        values[f"{prefix}_ratio_{group}"] = quantile(ratio[inside], 50, LEAST_NOTES)


def _velocity(of: _Measuring) -> None:
    performance, matching, values, samples = of.performance, of.matching, of.values, of.samples
    heard = performance["velocity"][matching.performed].astype(np.float64)
    samples["velocity"] = heard
    if len(heard) < LEAST_NOTES:
        return
    values["velocity_mean"], values["velocity_sd"] = float(heard.mean()), float(heard.std())
    values["velocity_range"] = quantile(heard, 95) - quantile(heard, 5)
    of_note = np.full(len(of.score), np.nan)
    of_note[matching.score] = heard
    line = top_line(of_note, of.score, of.chords)
    for lag in (1, 4):
        values[f"velocity_top_autocorrelation_{lag}"] = autocorrelation(line, lag, LEAST_NOTES)
    means, second = second_means(performance["onset_s"][matching.performed], heard)
    around = known(heard - means[second])
    values["velocity_local_sd"] = float(np.sqrt(np.mean(around**2))) if len(around) else float("nan")
    for lag in VELOCITY_LAGS_S:
        values[f"velocity_difference_{lag}s"] = mean_square_difference(means, lag) ** 0.5


def _mistakes(of: _Measuring) -> None:
    score, performance, matching = of.score, of.performance, of.matching
    settings, values, samples = of.settings, of.values, of.samples
    found = find_mistakes(score, performance, matching, of.chords, settings)
    samples["wrong_interval"], samples["repeat_s"] = found.wrong_interval.astype(np.float64), found.repeat_s
    count = matching.score_notes
    if not count:
        return
    missing = np.zeros(len(score), dtype=bool)
    missing[found.missing] = True
    values["missing_share"] = len(found.missing) / count
    for place, rows in chord_places(score, of.chords).items():
        rows = rows[~matching.left_out_score[rows]]
        values[f"missing_{place}_share"] = share(missing[rows]) if len(rows) >= LEAST_NOTES else float("nan")
    size = np.abs(found.wrong_interval)
    values["wrong_share"] = float((size <= settings.wrong_semitones).sum()) / count
    values["wrong_octave_share"] = float((size == 12).sum()) / count
    values["displaced_share"] = found.displaced / count
    values["extra_share"] = sum(len(rows) for rows in found.extra.values()) / count
    for kind in KINDS:
        values[f"extra_{kind}_share"] = len(found.extra[kind]) / count
    trill_s = performance["onset_s"][found.extra["trill"]]
    groups = int((np.diff(trill_s) > 0.5).sum()) + 1 if len(trill_s) else 0
    if values["duration_min"] > 0:
        values["trills_per_min"] = groups / values["duration_min"]
