import numpy as np
import pytest
import scipy.stats

from sfmodel.comparison import difference, spread


def test_a_single_value_has_no_deviation():
    found = spread([0.5])
    assert (found.count, found.mean, found.lowest, found.highest) == (1, 0.5, 0.5, 0.5) and np.isnan(found.deviation)
    alone = difference([0.7], [0.5, 0.6])
    assert alone.value == pytest.approx(0.15) and np.isnan(alone.low) and not alone.holds


@pytest.mark.parametrize("values", [[], [0.1, float("nan")], [float("inf")]])
def test_nothing_to_describe(values):
    with pytest.raises(ValueError, match="expected one or more finite numbers"):
        spread(values)


def test_intervals_are_those_of_scipy():
    rng = np.random.default_rng(3)
    for count, other in ((3, 3), (2, 5), (8, 3)):
        one, two = rng.normal(0.8, 0.02, count), rng.normal(0.7, 0.05, other)
        found = difference(one, two)
        wanted = scipy.stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
        assert found.value == pytest.approx(one.mean() - two.mean())


def test_intervals_hold_what_they_promise():
    """Drawn anew 2,000 times from equal sources, 3 against 3: some 5 % must leave zero out."""
    rng = np.random.default_rng(5)
    astray = np.mean([difference(rng.normal(size=3), rng.normal(size=3)).holds for _ in range(2000)])
    assert 0.02 < astray < 0.06  # Welch's is a little cautious for so few


def test_seeds_that_all_agree_tell_nothing_of_chance():
    """A few test pairs give equal figures by accident: no interval, rather than one without width."""
    for values in ([0.5, 0.5], [0.75, 0.75]):
        found = difference(values, [0.5, 0.5])
        assert found.value == values[0] - 0.5 and np.isnan(found.low) and np.isnan(found.high) and not found.holds
    assert difference([0.5, 0.5], [0.25, 0.26]).low > 0
