"""The filter over place and tempo: exact steps, pauses, jumps, ends; and online time warping beside it."""

import numpy as np
import pytest

from sfmodel.motion import Motion, MotionSettings
from sfmodel.online_dtw import OnlineDtw, OnlineDtwSettings

CELL_S, STEP_S = 0.01, 0.02


def motion(cells: int = 2000, struck=(), **settings) -> Motion:
    """The filter over a reference in which notes begin in some cells, and a tenth of a second after each."""
    begins = np.zeros(cells, dtype=bool)
    for cell in struck:
        begins[cell : cell + 10] = True
    return Motion(cells, CELL_S, STEP_S, begins, MotionSettings(**settings))


def sharp(cells: int, place: float, width: float = 4.0) -> np.ndarray:
    """Log likelihoods of a frame that fits one place."""
    return np.maximum(-(((np.arange(cells) - place) / width) ** 2), -60).astype(np.float32)


def test_belief_stays_a_belief():
    rng = np.random.default_rng(0)
    filter = motion(300)
    for _ in range(50):
        estimate = filter.step(rng.normal(size=300).astype(np.float32), bool(rng.random() < 0.2))
        assert filter.belief.min() >= 0 and filter.belief.sum() == pytest.approx(1, abs=1e-4)
        assert 0 <= estimate.cell <= 299 and 0 <= estimate.confidence <= 1


@pytest.mark.parametrize("tempo", [0.5, 0.8, 1.0, 1.3, 2.0])
def test_follows_any_tempo_and_learns_it(tempo):
    filter = motion(tempo_change=0.05, tempo_reset=0.0, quantile=0.5)
    for step in range(1, 300):
        estimate = filter.step(sharp(2000, 2 * tempo * step))
    assert abs(estimate.cell - 2 * tempo * 299) < 3
    assert estimate.cells_per_step == pytest.approx(2 * tempo, rel=0.1)
    assert estimate.confidence > 0.9


def test_goes_on_without_evidence():
    filter = motion(quantile=0.5)
    for step in range(1, 200):
        filter.step(sharp(2000, 2 * step))
    before = filter.step(sharp(2000, 400)).cell
    for _ in range(20):
        estimate = filter.step(None)
    assert abs(estimate.cell - before - 40) < 4


def test_a_long_note_does_not_draw_the_belief_to_where_it_fits_best():
    """A note of 3 s whose beginning fits a little better than the rest, by so little that it may be chance."""
    note = np.full(2000, -12, dtype=np.float32)
    note[400:700] = np.linspace(0, -1.9, 300)
    ends = {}
    for slack in (0.0, 2.0):
        filter = motion(slack=slack, quantile=0.5)
        for step in range(1, 201):
            filter.step(sharp(2000, 2 * step))
        for _ in range(100):
            estimate = filter.step(note)
        ends[slack] = estimate.cell
    assert abs(ends[2.0] - 600) < 40 and ends[0.0] < 550


def test_a_tempo_that_changes_at_once_is_found_sooner_where_it_may_be_drawn_anew():
    late = {}
    for reset in (0.0, 0.03):
        filter = motion(tempo_reset=reset, tempo_change=0.02, quantile=0.5)
        for step in range(1, 301):
            filter.step(sharp(2000, 2 * step))
        late[reset] = max(600 + 3.4 * step - filter.step(sharp(2000, 600 + 3.4 * step)).cell for step in range(1, 60))
    assert late[0.03] < late[0.0] and late[0.03] < 10


def test_tempi_are_drawn_anew_about_what_they_have_been():
    filter = motion(tempo_memory_s=2.0)
    for step in range(1, 600):
        filter.step(sharp(2000, 1.5 * step))
    assert filter.settings.tempo_prior().argmax() == 9
    assert filter._tempo_prior.argmax() == np.abs(filter.settings.tempo_classes() - 0.75).argmin()


def test_the_answer_at_an_onset_is_not_behind_it():
    """Nothing of the next note has been heard, so that no place beyond its onset fits: what is believed lies before."""
    fits = np.full(2000, -12, dtype=np.float32)
    fits[400:500] = 0
    cell = {}
    for quantile in (0.5, 0.75):
        filter = motion(quantile=quantile)
        for step in range(1, 201):
            filter.step(sharp(2000, 2 * step))
        for _ in range(50):
            cell[quantile] = filter.step(fits).cell
    assert cell[0.5] + 3 < cell[0.75] < 502


@pytest.mark.parametrize("pause_s", [0.3, 3, 40])
def test_waits_in_silence_for_the_next_note_however_long(pause_s):
    filter = motion(struck=(440, 480, 520))
    for step in range(1, 200):
        filter.step(sharp(2000, 2 * step))
    places = [filter.step(None, silent=True).cell for _ in range(round(pause_s / STEP_S))]
    assert all(390 < place < 446 for place in places)
    for step in range(1, 100):
        estimate = filter.step(sharp(2000, 440 + 2 * step))
        assert step < 10 or abs(estimate.cell - 440 - 2 * step) < 10
    assert abs(estimate.cell - 638) < 4


def test_silence_before_the_first_note_is_waited_out():
    filter = motion(struck=(50, 90))
    places = [filter.step(None, silent=True).cell for _ in range(2000)]
    assert max(places) < 56 and places[-1] > 40


def test_a_rest_of_the_reference_is_no_pause():
    filter = motion(struck=(380, 600))
    for step in range(1, 198):
        filter.step(sharp(2000, 2 * step))
    for _ in range(100):
        estimate = filter.step(None, silent=True)
    assert abs(estimate.cell - 594) < 30  # moves through the rest


def test_frames_for_which_there_is_no_time_are_made_up_for():
    filter, whole = motion(quantile=0.5), motion(quantile=0.5)
    for step in range(1, 100):
        filter.step(sharp(2000, 2 * step))
        whole.step(sharp(2000, 2 * step))
    before = filter.belief.copy()
    for step in range(100, 130):
        estimate = filter.skip()
        assert abs(estimate.cell - 2 * step) < 3
    assert np.array_equal(filter.belief, before)
    assert filter.skip(silent=True) == estimate
    for step in range(130, 140):
        estimate = filter.step(sharp(2000, 2 * step))
    assert abs(estimate.cell - 278) < 3 and estimate.cells_per_step == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("target", [200, 1500])
def test_jumps_both_ways(target):
    filter = motion()
    for step in range(1, 400):
        filter.step(sharp(2000, 2 * step))
    recovered = None
    for step in range(150):
        estimate = filter.step(sharp(2000, target + 2 * step))
        if recovered is None and abs(estimate.cell - target - 2 * step) < 10:
            recovered = step
    assert recovered is not None and recovered < 100


def test_begins_in_the_middle():
    filter = motion()
    for step in range(100):
        estimate = filter.step(sharp(2000, 900 + 2 * step))
    assert abs(estimate.cell - 1098) < 5


def test_stays_at_the_end():
    filter = motion(100)
    for step in range(1, 200):
        estimate = filter.step(sharp(100, min(2 * step, 99)))
    assert 95 <= estimate.cell <= 99 and np.isfinite(estimate.cell)


def test_one_cell():
    assert motion(1).step(np.zeros(1, dtype=np.float32)).cell == 0


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"tempos": 4}, "odd number"),
        ({"fastest": 1.0}, "above 1"),
        ({"jump": 1.0}, "probability"),
        ({"evidence": 0.0}, "above zero"),
        ({"lead_s": np.nan}, "lead_s"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        MotionSettings(**settings)


def test_silence_must_fit():
    with pytest.raises(ValueError, match="3 cells"):
        Motion(3, CELL_S, STEP_S, np.zeros(4, dtype=bool))


def test_online_dtw_follows():
    path = OnlineDtw(2000, CELL_S, STEP_S)
    for step in range(1, 300):
        estimate = path.step(sharp(2000, 2 * 1.2 * step, width=40))
    assert abs(estimate.cell - 2 * 1.2 * 299) < 30


def test_online_dtw_is_bounded_by_its_window():
    path = OnlineDtw(2000, CELL_S, STEP_S, OnlineDtwSettings(window_s=1.0))
    for _ in range(3):
        estimate = path.step(sharp(2000, 1900))
    assert estimate.cell <= 3 * 2 * 3


def test_online_dtw_settings():
    with pytest.raises(ValueError, match="window_s"):
        OnlineDtwSettings(window_s=0)
