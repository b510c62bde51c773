"""On-line time warping, Dixon's and Arzt's: against time warping of the whole, at several tempi, by their own rules."""

import numpy as np
import pytest

from sfmodel.oltw import ArztSettings, ArztWarping, DixonSettings, DixonWarping

CELL_S, STEP_S = 0.01, 0.02
FRAMES = 600


def dixon(frames: int = FRAMES, silent=None, **settings) -> DixonWarping:
    cells = 2 * frames - 1
    quiet = np.zeros(cells, dtype=bool) if silent is None else silent
    return DixonWarping(cells, CELL_S, STEP_S, quiet, DixonSettings(**{"window_s": 2.0, "square_s": 0.4} | settings))


def arzt(frames: int = FRAMES, silent=None, **settings) -> ArztWarping:
    cells = 2 * frames - 1
    quiet = np.zeros(cells, dtype=bool) if silent is None else silent
    return ArztWarping(cells, CELL_S, STEP_S, quiet, ArztSettings(**{"window_s": 2.0} | settings))


def music(frames: int = FRAMES) -> np.ndarray:
    """Features of a piece with a note every 0.2 s, of which each decays, shape (frames, 12)."""
    rng = np.random.default_rng(3)
    notes = rng.integers(0, 12, frames // 10 + 1)
    time = np.arange(frames)
    values = np.zeros((frames, 12))
    values[time, notes[time // 10]] = 0.9 ** (time % 10)
    return values + 0.02 * rng.random((frames, 12))


def heard(reference: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Log likelihoods of a frame at every cell."""
    at_frames = -20 * ((reference - frame) ** 2).sum(axis=1)
    return np.repeat(at_frames, 2)[:-1].astype(np.float32)


def performed(reference: np.ndarray, tempo: float) -> np.ndarray:
    """Places of the reference, in frames, that a performance at a tempo goes through."""
    return np.arange(0, len(reference) - 1, tempo)


@pytest.mark.parametrize("make", [dixon, arzt])
@pytest.mark.parametrize("tempo", [0.7, 0.85, 1.0, 1.2, 1.4])
def test_follows_any_tempo(make, tempo):
    reference, follower = music(), make()
    places = performed(reference, tempo)
    error = np.array([follower.step(heard(reference, reference[round(place)])).cell / 2 - place for place in places])
    assert np.median(np.abs(error[50:])) <= 3 and np.mean(np.abs(error[50:]) < 12) > 0.97
    assert follower.belief.sum() == 1 and follower.belief[2 * follower.place] == 1


def whole_warping(cost: np.ndarray) -> np.ndarray:
    """Time warping with both sides' steps weighing once and diagonal ones twice, shape (frames, places)."""
    total = np.full((len(cost) + 1, cost.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for x in range(len(cost)):
        for y in range(cost.shape[1]):
            ways = total[x, y + 1] + cost[x, y], total[x + 1, y] + cost[x, y], total[x, y] + 2 * cost[x, y]
            total[x + 1, y + 1] = min(ways)
    return total[1:, 1:]


def test_dixon_is_time_warping_of_the_whole_while_all_is_kept():
    frames = 30
    rng = np.random.default_rng(1)
    cost = rng.random((frames, frames)).astype(np.float32)
    cost -= cost.min(axis=1, keepdims=True)
    follower = dixon(frames, square_s=0.6)
    for row in cost:
        estimate = follower.step(np.repeat(-row, 2)[:-1])
    total = whole_warping(cost)
    assert (follower.heard, follower.reached) == (frames - 1, frames - 1)
    np.testing.assert_allclose(follower._total[:frames, :frames], total, rtol=1e-5)
    ends = {(x, frames - 1): total[x, -1] / (x + frames + 1) for x in range(frames)}
    ends |= {(frames - 1, y): total[-1, y] / (y + frames + 1) for y in range(frames)}
    assert estimate.cell == 2 * min(ends, key=ends.__getitem__)[1]


def test_dixon_windowed_costs_are_those_of_paths_within_the_window():
    """Every kept cost is the cheapest of some path, so no less than that of the whole; and none is of another place."""
    frames = 120
    cost = np.random.default_rng(2).random((frames, frames)).astype(np.float32)
    cost -= cost.min(axis=1, keepdims=True)
    follower, total = dixon(frames, window_s=0.4, square_s=0.4), whole_warping(cost)
    for row in cost[:90]:
        follower.step(np.repeat(-row, 2)[:-1])
        window, x, y = follower.window, follower.heard, follower.reached
        kept_x, kept_y = np.arange(max(0, x - window + 1), x + 1), np.arange(max(0, y - window + 1), y + 1)
        kept = follower._total[np.ix_(kept_x % window, kept_y % window)]
        assert np.isfinite(kept).all() and (kept >= total[np.ix_(kept_x, kept_y)] - 1e-4).all()


@pytest.mark.parametrize("most_alone", [1, 3, 5])
@pytest.mark.parametrize("alone", ["performance", "reference"])
def test_dixon_neither_side_goes_on_alone_for_long(most_alone, alone):
    """Where only the first place fits the performance would go on alone; where only the first frame fits, the other."""
    follower = dixon(square_s=0.0, most_alone=most_alone)
    cost = np.full(2 * FRAMES - 1, 10, dtype=np.float32)
    cost[0 if alone == "performance" else -1] = 0
    reached = []
    for number in range(60):
        follower.step(-cost if alone == "performance" or number else 0 * cost)
        reached.append(follower.reached)
    steps = np.diff(reached[10:])
    if alone == "performance":
        assert set(steps.tolist()) <= {0, 1} and steps.sum() == pytest.approx(len(steps) / most_alone, abs=1)
    else:
        assert set(steps.tolist()) == {most_alone}


def test_dixon_goes_on_with_both_at_the_beginning():
    follower = dixon(square_s=1.0)
    rng = np.random.default_rng(0)
    for number in range(49):
        follower.step(rng.normal(size=2 * FRAMES - 1).astype(np.float32))
        assert follower.reached == number


def test_arzt_goes_no_further_than_a_step_and_never_back():
    follower = arzt(largest_step=2)
    rng, cells = np.random.default_rng(0), []
    for _ in range(200):
        cells.append(follower.step(10 * rng.normal(size=2 * FRAMES - 1).astype(np.float32)).cell)
    assert set(np.diff([0, *cells]).tolist()) <= {0, 2, 4} and len(set(cells)) > 5


def test_arzt_adds_up_what_time_warping_of_the_whole_does():
    frames = 20
    cost = np.random.default_rng(1).random((frames, frames)).astype(np.float32)
    cost -= cost.min(axis=1, keepdims=True)
    follower = arzt(frames, diagonal=2.0)
    for row in cost:
        follower.step(np.repeat(-row, 2)[:-1])
    cost[0, 0] /= 2  # a first step from nowhere weighs once
    np.testing.assert_allclose(follower._total, whole_warping(cost)[-1], rtol=1e-5)


@pytest.mark.parametrize("make", [dixon, arzt])
def test_looks_at_nothing_later(make):
    rng = np.random.default_rng(5)
    frames = 3 * rng.normal(size=(150, 2 * FRAMES - 1)).astype(np.float32)
    one, other = make(), make()
    for number, frame in enumerate(frames):
        estimate = one.step(frame)
        if number < 100:
            assert estimate == other.step(frame)


@pytest.mark.parametrize("follower", [dixon(), arzt(diagonal=2.0)])
def test_a_pause_is_waited_out(follower):
    reference = music()
    for place in range(200):
        follower.step(heard(reference, reference[place]))
    for _ in range(100):
        estimate = follower.step(None, silent=True)
        assert abs(estimate.cell / 2 - 199) < 5
    for place in range(200, 300):
        estimate = follower.step(heard(reference, reference[place]))
    assert abs(estimate.cell / 2 - 299) < 5


@pytest.mark.parametrize("make", [dixon, arzt])
def test_a_rest_is_gone_through(make):
    reference = music()
    resting = np.zeros(2 * FRAMES - 1, dtype=bool)
    resting[400:600] = True
    follower = make(silent=resting)
    for place in range(400):
        rest = 200 <= place < 300
        estimate = follower.step(None if rest else heard(reference, reference[place]), silent=rest)
    assert abs(estimate.cell / 2 - 399) < 5


@pytest.mark.parametrize("make", [dixon, arzt])
def test_silence_before_the_first_sound_does_not_count(make):
    reference = music()
    resting = np.zeros(2 * FRAMES - 1, dtype=bool)
    resting[:100] = True
    reference[:50] = 0
    follower = make(silent=resting)
    for _ in range(150):
        assert follower.step(None, silent=True).cell == 98
    for place in range(50, 200):
        estimate = follower.step(heard(reference, reference[place]))
        assert abs(estimate.cell / 2 - place) < 12
    assert follower.belief[int(estimate.cell)] == 1 and abs(estimate.cell / 2 - 199) < 3


@pytest.mark.parametrize("make", [dixon, arzt])
def test_stays_at_the_end_and_within_one_cell(make):
    follower = make(1)
    assert [follower.step(np.zeros(1, dtype=np.float32)).cell for _ in range(3)] == [0, 0, 0]
    reference = music(40)
    follower = make(40)
    for place in [*range(40), *[39] * 150]:
        estimate = follower.step(heard(reference, reference[place]))
    assert estimate.cell == 78


@pytest.mark.parametrize(
    "settings, given, message",
    [
        (DixonSettings, {"window_s": 0}, "window_s 0"),
        (DixonSettings, {"most_alone": 0}, "most_alone 0"),
        (DixonSettings, {"square_s": 11.0}, "square_s 11"),
        (DixonSettings, {"lead_s": np.nan}, "lead_s nan"),
        (ArztSettings, {"window_s": -1}, "window_s -1"),
        (ArztSettings, {"largest_step": 0}, "largest_step 0"),
        (ArztSettings, {"diagonal": 0.0}, "diagonal 0"),
        (ArztSettings, {"lead_s": np.inf}, "lead_s inf"),
    ],
)
def test_settings_that_cannot_be(settings, given, message):
    with pytest.raises(ValueError, match=message):
        settings(**given)


@pytest.mark.parametrize("warping", [DixonWarping, ArztWarping])
def test_silence_must_fit(warping):
    with pytest.raises(ValueError, match="3 cells"):
        warping(3, CELL_S, STEP_S, np.zeros(4, dtype=bool))
