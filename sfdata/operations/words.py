"""Draws of mixed kinds, many of them: what a generator's own methods give, without calling one for each.

Each call of a generator costs a microsecond or more, and a variant may need some thousands of single draws whose kinds
depend on those before. Here a generator's 64-bit words are taken a few thousand at once, and made into numbers in the
way of NumPy's ``Generator``, so that the draws are the same as by its methods.
"""

import numpy as np
from numpy.typing import NDArray


class Words:
    """The stream of words of a generator that is left to this object from here on.

    Parameters
    ----------
    rng : Generator
        Made by :func:`numpy.random.default_rng`.
    block : int
        Words taken at once.

    Examples
    --------
    >>> words, rng = Words(np.random.default_rng(1)), np.random.default_rng(1)
    >>> [words.below(7), words.share(), words.below(7)] == [rng.integers(7), rng.random(), rng.integers(7)]
    True
    """

    def __init__(self, rng: np.random.Generator, block: int = 4096) -> None:
        state = rng.bit_generator.state
        if state["bit_generator"] != "PCG64":
            raise ValueError(f"the generator is of kind {state['bit_generator']}; expected PCG64, as by default_rng")
        self._generator, self._block = rng.bit_generator, block
        self._half: int | None = state["uinteger"] if state["has_uint32"] else None
        self._words: list[int] = []
        self._parts: list[NDArray[np.uint64]] = []
        self._place = 0

    def _word(self) -> int:
        place = self.skip(1)
        return self._words[place]

    def skip(self, count: int) -> int:
        """Pass over `count` draws of :meth:`share`; the place of the first, for :meth:`shares`."""
        place = self._place
        self._place += count
        while self._place > len(self._words):
            part = self._generator.random_raw(self._block)
            self._parts.append(part)
            self._words.extend(part.tolist())
        return place

    def below(self, bound: int) -> int:
        """Draw a whole number from 0 to less than `bound`, as ``integers(bound)`` does (Lemire's method, 32 bits)."""
        if bound == 1:
            return 0
        while True:
            if self._half is None:
                word = self._word()
                half, self._half = word & 0xFFFFFFFF, word >> 32
            else:
                half, self._half = self._half, None
            product = half * bound
            if product & 0xFFFFFFFF >= (1 << 32) % bound:
                return product >> 32

    def share(self) -> float:
        """Draw from 0 to less than 1, as ``random()`` does."""
        return (self._word() >> 11) * 2.0**-53

    def shares(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """What :meth:`share` would have given at places that were passed over, in the shape of `places`."""
        words = np.concatenate([np.zeros(0, dtype=np.uint64), *self._parts])[places]
        return np.asarray((words >> np.uint64(11)) * 2.0**-53)
