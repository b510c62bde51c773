"""Expression is measured right: against cases worked by hand, and against what is put in."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.expression import STATISTICS, ExpressionSettings, chord_times, match_notes, measure, pedal_use
from sfdata.expression.matching import dense_runs, when_played
from sfdata.expression.mistakes import find_mistakes
from sfdata.expression.playing import chord_playing, length_ratios, second_means, top_line
from sfdata.expression.robust import autocorrelation, fit_walk, line_slope, mean_square_difference, quantile, robust_sd
from sfdata.expression.summary import Measured
from sfdata.expression.timing import (
    chord_steps,
    local_tempo,
    neighbour_residuals,
    pause_lengths,
    phrase_ends,
    phrase_slowing,
    window_residuals,
)
from sfdata.midi import read_midi_notes
from sfdata.notes import NoteArray, make_notes

SETTINGS = ExpressionSettings()
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def line(onset_s: np.ndarray, pitch: int = 60, length_s: float = 0.1) -> NoteArray:
    """A score of single notes whose pitches go up and down, none twice within five."""
    pitches = pitch + np.arange(len(onset_s)) * 5 % 13
    return make_notes(onset_s, np.asarray(onset_s) + length_s, pitches, np.full(len(onset_s), 64))


def played(score: NoteArray, onset_s: np.ndarray, length_s: float | None = None) -> NoteArray:
    performance = score.copy()
    length = score["offset_s"] - score["onset_s"] if length_s is None else length_s
    performance["onset_s"], performance["offset_s"] = onset_s, onset_s + length
    return performance[np.lexsort((performance["pitch"], performance["onset_s"]))]


def chords_of(score: NoteArray, performance: NoteArray):
    return chord_times(score, performance, match_notes(score, performance))


def statistics(measured: Measured, *names: str) -> list[float]:
    return [round(measured.statistics[name], 6) for name in names]


def test_a_score_played_as_it_stands_differs_in_nothing(giantmidi: Path) -> None:
    score = read_midi_notes(next(giantmidi.glob("Bach*BWV862*")))
    measured = measure(score, score, score)
    assert statistics(measured, "matched_share", "held_ratio_5", "held_ratio_95", "sounding_ratio_50") == [1, 1, 1, 1]
    zero = ("tempo_median_octaves", "tempo_sd_octaves", "pauses_per_min", "missing_share", "extra_share", "wrong_share")
    assert statistics(measured, *zero, "left_out_share", "jitter_ms", "window_jitter_95_ms") == [0] * 9
    assert not len(measured.samples["wrong_interval"])
    named = {name for group in STATISTICS.values() for name in group}
    assert set(measured.statistics) == named
    absent = {name for name in named if np.isnan(measured.statistics[name])}
    assert absent >= set(STATISTICS["pedal"]) and "velocity_top_louder" not in absent
    assert len(absent - set(STATISTICS["pedal"])) < 30, absent


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_little_gives_nan_without_a_warning(count: int) -> None:
    score = line(np.arange(count, dtype=float))
    for performance in (score, score[:0]):
        measured = measure(score, performance)
        assert np.isnan(measured.statistics["tempo_sd_octaves"]) and np.isnan(measured.statistics["jitter_ms"])
        assert np.isnan(measured.statistics["velocity_mean"])
    assert measured.statistics["missing_share"] == 1 if count else np.isnan(measured.statistics["missing_share"])


def test_bad_input_is_refused_with_a_reason() -> None:
    score = line(np.arange(4.0))
    strange = score.copy()
    strange["source"][2] = 9
    with pytest.raises(ValueError, match="names note 9 of the score, which has none with that number"):
        measure(score, strange)
    with pytest.raises(ValueError, match="names note 0"):
        measure(score[:0], score[:1])
    with pytest.raises(ValueError, match="3 notes with pedal, 4 without"):
        measure(score, score, score[:3])
    with pytest.raises(ValueError, match="expected an end after the beginning"):
        pedal_use(np.empty(0), np.empty(0, dtype=int), 2.0, 2.0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"chord_s": 0.0}, "chord_s 0.0; expected more than 0"),
        ({"window_s": 90.0}, "window_s 90.0"),
        ({"pause_ratio": 1.0}, "pause_ratio 1.0; expected more than 1"),
        ({"run_notes": 1}, "run_notes 1; expected 2 or more"),
        ({"run_share": 0.2}, "run_share 0.2; expected 0.5 to 1"),
        ({"wrong_semitones": 12}, "wrong_semitones 12; expected 1 to 11"),
    ],
)
def test_settings_check_themselves(bad: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ExpressionSettings(**bad)


def test_the_earliest_of_several_strokes_is_the_match_and_strays_are_none() -> None:
    score = line(np.arange(0, 30, 0.5))
    performance = score.copy()
    stray = make_notes([2.25, 29.0], [2.4, 29.2], [40, 41], [64, 64], [4, 6])  # note 4 again, note 6 far away
    without = np.delete(performance, 6)
    both = np.concatenate([without, stray])
    both = both[np.lexsort((both["pitch"], both["onset_s"]))]
    matching = match_notes(score, both)
    assert matching.missing.tolist() == [6]
    assert both["onset_s"][matching.performed[matching.score == 4]].tolist() == [2.0]
    assert sorted(both["pitch"][matching.extra].tolist()) == [40, 41]


def test_skipped_stretches_are_left_out_and_time_is_not_compared_across_them() -> None:
    score = line(np.arange(0, 60, 0.25))  # 240 notes, of which 100 to 159 are skipped
    kept = np.r_[0:100, 160:240]
    performance = score[kept].copy()
    performance["onset_s"][100:] -= 15.0
    performance["offset_s"][100:] -= 15.0
    matching = match_notes(score, performance)
    assert np.flatnonzero(matching.left_out_score).tolist() == list(range(100, 160))
    assert not len(matching.missing) and not len(matching.extra) and matching.score_notes == 180
    chords = chord_times(score, performance, matching)
    assert chords.stretch.tolist() == [0] * 100 + [1] * 80
    measured = measure(score, performance)
    assert statistics(measured, "tempo_sd_octaves", "pauses_per_min", "left_out_share") == [0, 0, 0.25]
    _, octaves = local_tempo(chords, SETTINGS)
    assert np.isnan(octaves[12:20]).all() and np.isnan(octaves).sum() == 8  # the windows from 24 to 40 s


def test_extra_stretches_are_left_out_too() -> None:
    score = line(np.arange(0, 40, 0.5))
    performance = score.copy()
    performance["onset_s"][40:] += 12
    added = make_notes(20 + 0.5 * np.arange(24), 20.2 + 0.5 * np.arange(24), 70 + np.arange(24), [64] * 24, [-1] * 24)
    both = np.concatenate([performance, added])
    both = both[np.argsort(both["onset_s"], kind="stable")]
    matching = match_notes(score, both)
    assert matching.left_out_performed.sum() == 24 and not len(matching.extra)
    assert np.ptp(chord_times(score, both, matching).stretch) == 1


def test_dense_runs_keep_off_short_series() -> None:
    assert not dense_runs(np.ones(14, dtype=bool), SETTINGS).any()
    assert dense_runs(np.ones(15, dtype=bool), SETTINGS).all()


def test_local_tempo_is_exact_where_tempo_changes_at_a_window() -> None:
    score = line(np.arange(0, 20.01, 0.25))
    time = score["onset_s"]
    performance = played(score, np.where(time < 10, 2 * time, 20 + (time - 10)) + 3)
    centre_s, octaves = local_tempo(chords_of(score, performance), SETTINGS)
    assert centre_s.tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    assert octaves.tolist() == pytest.approx([-1] * 5 + [0] * 5)
    measured = measure(score, performance)
    assert statistics(measured, "tempo_median_octaves", "tempo_sd_octaves") == [-0.5, 0.5]
    assert statistics(measured, "tempo_change_over_20_share") == [round(1 / 9, 6)]
    assert statistics(measured, "end_slowing_4s_octaves") == [0.5]  # against the median between both tempi


def test_residuals_are_scaled_to_the_straying_put_in() -> None:
    score = line(np.arange(0, 400, 0.2))
    stray = np.random.default_rng(3).normal(0, 0.01, len(score))
    chords = chords_of(score, played(score, score["onset_s"] * 1.1 + stray))
    assert robust_sd(neighbour_residuals(chords, SETTINGS), 0.0) == pytest.approx(0.01, rel=0.06)
    assert robust_sd(window_residuals(chords, SETTINGS), 0.0) == pytest.approx(0.01, rel=0.06)
    one_late = score["onset_s"].copy()
    one_late[1000] += 0.03
    late_s = neighbour_residuals(chords_of(score, played(score, one_late)), SETTINGS)
    assert late_s[999:1002] == pytest.approx([-0.015 / 1.5**0.5, 0.03 / 1.5**0.5, -0.015 / 1.5**0.5])
    assert np.nanmax(np.abs(np.delete(late_s, [999, 1000, 1001]))) < 1e-9


def test_a_pause_is_what_goes_beyond_local_tempo() -> None:
    score = line(np.arange(0, 20, 0.5))
    onset_s = 1.2 * score["onset_s"]
    onset_s[20:] += 0.7
    onset_s[30:] += 0.2  # too short for a pause
    steps = chord_steps(chords_of(score, played(score, onset_s)))
    assert pause_lengths(steps, SETTINGS).tolist() == pytest.approx([0.7])
    assert measure(score, played(score, onset_s)).statistics["pauses_over_1s_per_min"] == 0


def test_slowing_before_a_long_note_is_found() -> None:
    phrase = np.append(np.arange(0, 6.01, 0.25), 8.0)  # a step of 2 s follows the note at 6 s
    score = line(np.concatenate([phrase[:-1] + 8 * i for i in range(4)]))
    time = score["onset_s"] % 8
    slow = np.where(time > 5, (time - 5) * 2 + 5, time)  # half the tempo in the last second
    performance = played(score, slow + 9 * (score["onset_s"] // 8))
    chords = chords_of(score, performance)
    ends = phrase_ends(chord_steps(chords))
    assert chords.score_s[ends].tolist() == [6, 14, 22]  # nothing follows the last
    assert phrase_slowing(chords, ends).tolist() == pytest.approx([-1, -1, -1])


def test_chords_tell_spread_order_and_voicing() -> None:
    score = make_notes([0, 0, 0, 1], [1, 1, 1, 2], [48, 60, 72, 50], [64] * 4)
    performance = make_notes([0.0, 0.02, 0.03, 1], [1, 1, 1, 2], [72, 60, 48, 50], [90, 60, 70, 64], [2, 1, 0, 3])
    matching = match_notes(score, performance)
    found = chord_playing(score, performance, matching, chord_times(score, performance, matching))
    assert found.size.tolist() == [3] and found.range_s.tolist() == [0.03]
    assert found.top_lead_s.tolist() == pytest.approx([0.025]) and found.bass_lead_s.tolist() == pytest.approx([-0.02])
    assert found.top_first.tolist() == [True] and found.upward[0] == pytest.approx(-0.981981)
    assert found.square_s2.tolist() == pytest.approx([2 * 1e-4 * 7 / 3])
    assert found.top_louder.tolist() == [25] and found.bass_louder.tolist() == [-5]
    assert found.velocity_variance.tolist() == pytest.approx([233.3333333])


def test_the_chords_spread_put_in_comes_out() -> None:
    onset_s = np.repeat(np.arange(0, 200, 0.5), 3)
    score = make_notes(onset_s, onset_s + 0.4, np.tile([48, 60, 72], 400), [64] * 1200)
    later = np.random.default_rng(5).normal(0, 0.009, 1200)
    later[2::3] -= 0.01  # the highest
    measured = measure(score, played(score, onset_s + later))
    assert measured.statistics["top_lead_ms"] == pytest.approx(10, abs=1)
    assert measured.statistics["top_first_by_chance_share"] == pytest.approx(1 / 3)
    assert measured.statistics["top_first_share"] > 0.6
    straight = measure(score, played(score, onset_s + np.where(np.arange(1200) % 3 == 2, later + 0.01, later)))
    assert straight.statistics["chord_sd_ms"] == pytest.approx(9, rel=0.06)


def test_lengths_are_compared_at_the_tempo_played() -> None:
    score = line(np.arange(0, 10, 0.5), length_s=0.5)
    performance = played(score, 2 * score["onset_s"], length_s=0.25)
    matching = match_notes(score, performance)
    ratio, written_s = length_ratios(score, performance, matching, chord_times(score, performance, matching), 2.0)
    assert written_s.tolist() == pytest.approx([1.0] * 20) and ratio.tolist() == pytest.approx([0.25] * 20)
    measured = measure(score, performance, played(score, 2 * score["onset_s"], length_s=2.0))
    assert statistics(measured, "held_ratio_50", "held_short_share", "sounding_ratio_50") == [0.25, 1, 2]
    assert statistics(measured, "held_ratio_over_600ms", "held_median_s", "sounding_overlap_share") == [0.25, 0.25, 1]


def test_times_beyond_the_last_chord_go_on_at_the_given_tempo() -> None:
    score = line(np.arange(3.0))
    chords = chords_of(score, played(score, 2 * score["onset_s"] + 1))
    assert when_played(chords, np.array([-1.0, 0.5, 2.0, 4.0]), 3.0).tolist() == [-2.0, 2.0, 5.0, 11.0]


def test_mistakes_are_told_apart() -> None:
    score = line(np.arange(0, 40, 1.0))  # pitches 60 to 72
    performance = np.delete(score.copy(), [10, 15, 20, 30])
    wrong = np.flatnonzero(performance["source"] == 5)[0]
    performance["pitch"][wrong] += 2
    added = [  # onset, pitch
        (10.05, int(score["pitch"][10]) - 1),  # 10, played wrongly
        (15.6, int(score["pitch"][15])),  # 15, displaced
        (25.3, int(score["pitch"][25])),  # 25 again
        (26.01, int(score["pitch"][26]) + 1),  # beside 26
        (33.02, int(score["pitch"][33]) + 12),  # octave of 33
        (35.5, 100),  # something else
        *((37.3 + 0.1 * i, 90 + 2 * (i % 2)) for i in range(4)),  # a trill
    ]
    onset_s, pitch = np.array(added).T
    extra = make_notes(onset_s, onset_s + 0.05, pitch, [64] * len(added), [-1] * len(added))
    performance = np.concatenate([performance, extra])
    performance = performance[np.lexsort((performance["pitch"], performance["onset_s"]))]
    matching = match_notes(score, performance)
    found = find_mistakes(score, performance, matching, chord_times(score, performance, matching), SETTINGS)
    assert found.missing.tolist() == [20, 30] and found.displaced == 1
    assert found.wrong_interval.tolist() == [2, -1]
    by_kind = {kind: performance["onset_s"][rows].round(2).tolist() for kind, rows in found.extra.items()}
    assert by_kind == {
        "trill": [37.3, 37.4, 37.5, 37.6],
        "repeat": [25.3],
        "beside": [26.01],
        "octave": [33.02],
        "other": [35.5],
    }
    assert found.repeat_s.tolist() == pytest.approx([0.3])
    names = ("missing_share", "wrong_share", "extra_share", "extra_trill_share")
    assert statistics(measure(score, performance), *names) == [0.05, 0.05, 0.2, 0.1]


def test_top_line_and_second_means() -> None:
    score = make_notes([0, 0, 1], [1, 1, 2], [60, 64, 62], [64] * 3)
    assert top_line(np.array([1.0, 2.0, 3.0]), score, chords_of(score, score)).tolist() == [2.0, 3.0]
    means, second = second_means(np.array([5.0, 5.9, 6.5, 8.1]), np.array([10.0, 20, 30, 40]))
    assert means[0] == 15 and np.isnan(means[1:]).all() and second.tolist() == [0, 0, 1, 3]


def test_pedal_that_is_never_lifted_holds_to_the_end() -> None:
    use = pedal_use(np.array([0.0, 2.0, 3.0]), np.array([64, 63, 100]), 1.0, 5.0)
    assert use["pedal_down_share"] == 0.75 and use["pedal_presses_per_min"] == 15  # the first lies before
    assert np.isnan(use["pedal_press_s"])
    assert pedal_use(np.empty(0), np.empty(0, dtype=int), 0.0, 1.0)["pedal_down_share"] == 0


def test_a_walk_put_in_comes_out() -> None:
    rng = np.random.default_rng(2)
    keep, walk = np.exp(-1 / 8), np.empty(60_000)
    walk[0] = 0
    for step, noise in enumerate(rng.normal(0, 0.1 * np.sqrt(1 - keep**2), len(walk) - 1)):
        walk[step + 1] = keep * walk[step] + noise
    walk += rng.normal(0, 0.05, len(walk))
    lags = np.array([1, 2, 4, 8, 16, 32])
    fit = fit_walk(lags, [mean_square_difference(walk, lag) for lag in lags])
    assert fit["deviation"] == pytest.approx(0.1, rel=0.08) and fit["noise"] == pytest.approx(0.05, rel=0.08)
    assert fit["memory_s"] == pytest.approx(8, rel=0.15) and fit["step"] == pytest.approx(0.05, rel=0.1)
    assert autocorrelation(walk, 8) == pytest.approx(0.8 * np.exp(-1), abs=0.03)
    assert all(np.isnan(value) for value in fit_walk(lags[:3], [1.0, 1.0, 1.0]).values())


def test_robust_statistics_of_nothing_are_nan() -> None:
    empty = np.empty(0)
    assert np.isnan([robust_sd(empty), quantile(empty, 50), line_slope(empty, empty)]).all()
    assert np.isnan([mean_square_difference(empty, 1), autocorrelation(np.zeros(20), 1)]).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 2.0), st.floats(-5, 50), st.integers(-12, 12))
def test_figures_do_not_depend_on_when_how_fast_or_in_which_key(
    seed: int, factor: float, later_s: float, key: int
) -> None:
    rng = np.random.default_rng(seed)
    onset_s = np.repeat(np.cumsum(rng.choice([0.2, 0.3, 0.5], 60)), 2)
    score = make_notes(
        onset_s, onset_s + 0.25, 50 + np.tile([0, 12], 60) + np.repeat(rng.integers(0, 12, 60), 2), [64] * 120
    )
    performance = played(score, onset_s + rng.normal(0, 0.004, 120))
    performance = performance[rng.random(120) > 0.05]
    first = measure(score, performance).statistics
    moved, moved_score = performance.copy(), score.copy()
    moved["pitch"] += np.uint8(key % 256)
    moved_score["pitch"] += np.uint8(key % 256)
    moved["onset_s"], moved["offset_s"] = (factor * moved[name] + later_s for name in ("onset_s", "offset_s"))
    second = measure(moved_score, moved).statistics
    assert second["tempo_median_octaves"] == pytest.approx(first["tempo_median_octaves"] - np.log2(factor), abs=1e-6)
    for name in (
        "tempo_sd_octaves",
        "held_ratio_50",
        "matched_share",
        "missing_share",
        "top_first_share",
        "velocity_sd",
    ):
        assert second[name] == pytest.approx(first[name], abs=1e-6), name
    assert second["jitter_ms"] == pytest.approx(factor * first["jitter_ms"], rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_every_note_is_counted_once(seed: int, missing: float, extra: float) -> None:
    rng = np.random.default_rng(seed)
    score = line(np.cumsum(rng.choice([0.1, 0.2, 0.4], 80)))
    performance = score[rng.random(80) >= missing]
    count = int(80 * extra)
    at = rng.uniform(0, score["onset_s"][-1], count)
    added = make_notes(at, at + 0.1, rng.integers(30, 90, count), [64] * count, [-1] * count)
    performance = np.concatenate([performance, added])
    performance = performance[np.argsort(performance["onset_s"], kind="stable")]
    matching = match_notes(score, performance)
    assert len(matching.score) == len(np.unique(matching.score)) == len(np.unique(matching.performed))
    in_runs = np.isin(matching.score, np.flatnonzero(matching.left_out_score))
    assert not in_runs.any() and (np.diff(matching.score) > 0).all()
    assert len(matching.score) + len(matching.missing) <= matching.score_notes
    found = find_mistakes(score, performance, matching, chord_times(score, performance, matching), SETTINGS)
    unmatched_pairs = len(matching.missing) - len(found.missing)
    assert sum(map(len, found.extra.values())) == len(matching.extra) - unmatched_pairs


def test_an_alignment_is_read_and_joined_with_its_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from reality_corresp import link

    score = make_notes([0, 0.5, 1], [0.5, 1, 1.5], [60, 62, 64], [64] * 3)
    performance = make_notes([1.0, 1.6, 2.1, 2.4], [1.5, 2, 2.2, 2.5], [60, 62, 65, 70], [50] * 4)
    lines = (
        "// alignID alignOntime ...\n"
        "0\t1.0004\tC4\t60\t50\t0\t0.000000\tC4\t60\t64\t\n"
        "2\t2.1\tF4\t65\t50\t2\t1.0\tE4\t64\t64\t\n"
        "3\t2.4\tBb4\t70\t50\t*\t-1\t*\t-1\t-1\t\n"
        "*\t-1\t*\t-1\t-1\t1\t0.5\tD4\t62\t64\t\n"
        "9\t8.0\tC4\t60\t50\t*\t-1\t*\t-1\t-1\t\n"
    )
    linked, lost = link(lines, score, performance)
    assert linked["source"].tolist() == [0, -1, 2, -1] and lost == 1
    with pytest.raises(ValueError, match="line 1 has 2 columns; expected 10"):
        link("0\t1.0\n", score, performance)


def test_real_alignments_name_notes_that_the_files_have(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from reality_corresp import link, pedal_events, sounding_notes

    folder = shared_data / "alignments"
    score = read_midi_notes(folder / "score" / "scarlatti_k239_sankey.mid")
    row = next(r for r in (folder / "index.tsv").read_text().splitlines() if "scarlatti_k239" in r).split("\t")
    midi = folder / "performance" / row[2]
    lines = (folder / "corresp-performance" / f"{midi.stem}_corresp.txt").read_text()
    performance, lost = link(lines, score, read_midi_notes(midi))
    assert lost == 0 and (performance["source"] >= 0).mean() > 0.98
    sounding = sounding_notes(midi, performance)
    assert (sounding["offset_s"] >= performance["offset_s"]).all()
    assert (sounding["offset_s"] > performance["offset_s"] + 0.01).mean() > 0.05
    heard = measure(score, performance, sounding, pedal_use(*pedal_events(midi), 1.0, 97.0)).statistics
    assert heard["matched_share"] > 0.98 and 5 < heard["jitter_ms"] < 20 and 0.02 < heard["tempo_sd_octaves"] < 0.2
    assert heard["held_ratio_50"] < heard["sounding_ratio_50"] and 0 < heard["pedal_down_share"] < 0.6


def test_what_a_recipe_draws_is_measured(giantmidi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from reality_ours import recipe_variants

    recipe = tmp_path / "twice.toml"
    text = Path("pipelines/demo.toml").read_text()
    recipe.write_text(
        text + "\n[augment]\ncopies = 2\n[augment.tempo]\nfactor = [2.0, 2.0]\n[augment.pedal]\nrate = [1.0, 1.0]\n"
    )
    variants = list(recipe_variants(recipe, [next(giantmidi.glob("Scarlatti*K9_*"))]))
    assert len(variants) == 2
    for variant in variants:
        found = measure(variant.score, variant.performance, variant.sounding, variant.pedal).statistics
        assert found["tempo_median_octaves"] == pytest.approx(1, abs=1e-3) and found["missing_share"] == 0
        assert found["held_ratio_50"] == pytest.approx(1, abs=0.01) and found["sounding_ratio_75"] > 1.1
        assert found["pedal_down_share"] > 0.5
