import numpy as np
import pytest

from sfdata.operations.words import Words


@pytest.mark.parametrize("bound", [1, 3, 7, 8, 1000, 3_000_000_000])  # the last is rejected every fourth time
def test_draws_are_those_of_the_generators_own_methods(bound: int):
    kinds = np.random.default_rng(bound).integers(3, size=400).tolist()
    rng = np.random.default_rng(5)
    rng.integers(9)  # leaves half a word
    own = np.random.default_rng(5)
    own.integers(9)
    words, expected, drawn, places = Words(rng, block=16), [], [], []
    for kind in kinds:
        if kind == 0:
            expected.append(int(own.integers(bound)))
            drawn.append(words.below(bound))
        elif kind == 1:
            expected.append(own.random())
            drawn.append(words.share())
        else:
            expected.extend(own.random(5).tolist())
            places.append(words.skip(5))
            drawn.extend([None] * 5)
    skipped = iter(np.concatenate([words.shares(place + np.arange(5)) for place in places]).tolist())
    assert [next(skipped) if value is None else value for value in drawn] == expected


def test_only_words_of_64_bits_are_known():
    with pytest.raises(ValueError, match="MT19937; expected PCG64"):
        Words(np.random.Generator(np.random.MT19937(1)))
