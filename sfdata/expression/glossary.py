"""What is measured: the names of all statistics and samples, and what they mean.

Octaves are base-2 logarithms of tempo, positive where it is faster; shares are between 0 and 1.
"""

PERCENTS = (5, 25, 50, 75, 95)
LAGS_S = (2, 4, 8, 16, 32)
VELOCITY_LAGS_S = (1, 2, 4, 8, 16, 32)
PLACES = ("single", "top", "inner", "bass")
LENGTH_GROUPS_S = {
    "under_150ms": (0.0, 0.15),
    "150_to_300ms": (0.15, 0.3),
    "300_to_600ms": (0.3, 0.6),
    "over_600ms": (0.6, 9.0),
}


def _length_statistics(prefix: str, what: str) -> dict[str, str]:
    return {
        **{f"{prefix}_ratio_{p}": f"{what} / written length: {p} % of the notes lie below" for p in PERCENTS},
        f"{prefix}_log2_sd": f"{what} / written length: robust sd of the base-2 logarithm",
        f"{prefix}_autocorrelation": f"{what} / written length (logarithm), top line: correlation with the next note",
        f"{prefix}_short_share": f"notes of less than half their written length ({what})",
        f"{prefix}_overlap_share": f"notes of more than 1.05 times their written length ({what})",
        f"{prefix}_median_s": f"median {what}, s",
        **{
            f"{prefix}_ratio_{g}": f"median ratio of notes written {g.replace('_', ' ')} ({what})"
            for g in LENGTH_GROUPS_S
        },
    }


STATISTICS: dict[str, dict[str, str]] = {
    "material": {
        "score_notes": "notes of the score",
        "left_out_share": "score notes left out: stretches where nearly nothing is matched",
        "matched_share": "of the others, matched",
        "duration_min": "minutes played",
    },
    "tempo": {
        "tempo_median_octaves": "median tempo against the score's nominal one",
        "tempo_sd_octaves": "local tempo (2 s of the score), standard deviation",
        "tempo_robust_sd_octaves": "local tempo, robust sd",
        **{f"tempo_{p}_octaves": f"local tempo against the piece's median: {p} % point" for p in PERCENTS if p != 50},
        "tempo_change_octaves": "change from window to window (2 s), robust sd",
        "tempo_change_over_20_share": "windows that differ by more than 20 % from the one before",
        "tempo_change_over_50_share": "windows that differ by more than 50 % from the one before",
        **{f"tempo_autocorrelation_{lag}s": f"correlation with the tempo {lag} s of the score later" for lag in LAGS_S},
        **{f"tempo_difference_{lag}s_octaves": f"root mean square change over {lag} s of the score" for lag in LAGS_S},
    },
    "slowing and pauses": {
        "end_slowing_4s_octaves": "tempo of the last 4 s of the score against the piece's median",
        "end_slowing_2s_octaves": "tempo of the last 2 s of the score against the piece's median",
        "phrase_ends_per_min": "long notes (2.5 times the usual step, 0.5 s) that may end phrases, per minute",
        "phrase_slowing_octaves": "last second before them against the four seconds before: median",
        "phrase_slowing_25_octaves": "the same: 25 % of the phrase ends lie below",
        "pauses_per_min": "steps between chords longer than local tempo tells by 0.3 s and 20 %",
        "pauses_over_1s_per_min": "those longer by more than 1 s",
        "pause_median_s": "by how much pauses are longer, median",
        "pause_90_s": "by how much pauses are longer, 90 % point",
    },
    "onsets": {
        "jitter_ms": "chords against the line through their neighbours, robust sd, ms",
        "jitter_95_ms": "the same, 95 % of the chords stray less, ms",
        "window_jitter_ms": "chords against a line through 2 s (holds rubato), robust sd, ms",
        "window_jitter_95_ms": "the same, 95 % of the chords stray less, ms",
    },
    "chords": {
        "chord_sd_ms": "onsets within chords that are not rolled, sd, ms",
        "chord_range_ms": "first to last onset of a chord, median, ms",
        "chord_range_90_ms": "first to last onset of a chord, 90 % point, ms",
        "chord_range_2_notes_ms": "chords of two notes: median, ms",
        "chord_range_4_notes_ms": "chords of four and more: median, ms",
        "top_lead_ms": "highest note before the mean of the others, median, ms",
        "bass_lead_ms": "lowest note before the mean of the others, median, ms",
        "top_first_share": "chords whose highest note comes first",
        "top_first_by_chance_share": "what chance would make of that",
        "rolled_share": "chords spread over more than 60 ms",
        "rolled_upward_share": "of those of three and more notes, played from below",
    },
    "articulation": _length_statistics("held", "time the key is held"),
    "sounding": _length_statistics("sounding", "time the note sounds, with pedal"),
    "velocity": {
        "velocity_mean": "mean MIDI velocity",
        "velocity_sd": "standard deviation",
        "velocity_range": "5 to 95 % point",
        "velocity_top_autocorrelation_1": "top line: correlation with the next note",
        "velocity_top_autocorrelation_4": "top line: correlation with the fourth next note",
        "velocity_local_sd": "within a second, sd",
        **{
            f"velocity_difference_{lag}s": f"means of seconds: root mean square change over {lag} s"
            for lag in VELOCITY_LAGS_S
        },
        "velocity_top_louder": "highest note of a chord less the mean of the others",
        "velocity_bass_louder": "lowest note of a chord less the mean of the others",
        "velocity_chord_sd": "within chords, sd",
    },
    "mistakes": {
        "missing_share": "missing notes",
        **{
            f"missing_{place}_share": f"missing notes: {place}{'' if place == 'single' else ' of chords'}"
            for place in PLACES
        },
        "wrong_share": "wrong notes within 4 semitones",
        "wrong_octave_share": "wrong by an octave",
        "displaced_share": "missing here, extra within a second: mostly the alignment's doing",
        "extra_share": "extra notes, per note of the score",
        "extra_trill_share": "extra notes: of trills",
        "extra_repeat_share": "extra notes: key struck again within 0.5 s",
        "extra_beside_share": "extra notes: one or two semitones beside a note struck at the same time",
        "extra_octave_share": "extra notes: octave of a note struck at the same time",
        "extra_other_share": "extra notes: others",
        "trills_per_min": "groups of trill notes that the score does not have, per minute",
    },
    "pedal": {
        "pedal_down_share": "time the pedal is down",
        "pedal_presses_per_min": "times it is pressed, per minute",
        "pedal_press_s": "median time it is held, s",
    },
}

SAMPLES: dict[str, str] = {
    "tempo_octaves": "local tempo against the piece's median, octaves",
    "tempo_time_s": "middle of its window, s of the score",
    "jitter_ms": "chords against the line through their neighbours, ms",
    "window_jitter_ms": "chords against a line through 2 s, ms",
    "chord_range_ms": "first to last onset of a chord, ms",
    "top_lead_ms": "highest note before the mean of the others, ms",
    "held_ratio": "time the key is held / written length",
    "sounding_ratio": "time the note sounds / written length",
    "velocity": "MIDI velocity",
    "wrong_interval": "played less written pitch of wrong notes, semitones",
    "pause_s": "by how much pauses are longer than local tempo tells, s",
    "repeat_s": "time from a repeated note to the nearest stroke of its key, s",
}
