"""Sound at another sample rate, as it comes, with a delay of less than a millisecond.

soxr's streams give back the very samples that their resampling of a whole file does, but some 40 ms late (58 ms from
16 kHz), since they filter in long blocks. That is much of what a follower takes altogether, so live sound goes through
a short filter instead.
"""

import math

import numpy as np
import scipy.signal
from numpy.typing import NDArray

PASSED = 0.8  # of the lower rate's half: up to there nothing is changed; what is folded lies above it
STOPBAND_DB = 100.0


class Resampler:
    """Turns mono sound into the same sound at another rate, block by block.

    Sample ``i`` of the result lies at ``i / wanted_hz``. It is given as soon as the sound up to `delay_s` after it has
    come. What is given does not depend on how the sound was cut into blocks. Tones up to 0.8 times half of the lower
    rate keep their level; what others leave below that is 100 dB lower.

    Parameters
    ----------
    rate_hz, wanted_hz : int

    Attributes
    ----------
    delay_s : float
        Sound that is needed beyond a sample.

    Raises
    ------
    ValueError
        If a rate is not above 0.

    Examples
    --------
    >>> resampler = Resampler(44100, 22050)
    >>> [len(resampler.push(np.zeros(count, dtype=np.float32))) for count in (33, 1, 882, 0)]
    [0, 1, 441, 0]
    >>> len(resampler.finish())
    16
    """

    def __init__(self, rate_hz: int, wanted_hz: int) -> None:
        if rate_hz <= 0 or wanted_hz <= 0:
            raise ValueError(f"resampling from {rate_hz} Hz to {wanted_hz} Hz; expected rates above 0")
        divisor = math.gcd(rate_hz, wanted_hz)
        self._up, self._down = wanted_hz // divisor, rate_hz // divisor
        lower_hz = min(rate_hz, wanted_hz)
        if rate_hz == wanted_hz:
            self._half, taps = 0, np.ones(1)
        else:
            width = (1 - PASSED) * lower_hz / rate_hz * 2  # of the transition, as a share of half of `rate_hz`
            count, beta = scipy.signal.kaiserord(STOPBAND_DB, width)
            self._half = -(-count // 2)  # samples of the sound on each side
            taps = self._up * scipy.signal.firwin(
                2 * self._half * self._up + 1, lower_hz / 2, window=("kaiser", beta), fs=rate_hz * self._up
            )
        self._taps = taps.astype(np.float32)
        self.delay_s = self._half / rate_hz
        self._taken = self._given = 0
        self._first = self._first_held(0)  # index of the first sample held; silence lies before the sound
        self._held = np.zeros(-self._first, dtype=np.float32)

    def needed(self, count: int) -> int:
        """Samples to be taken in all before `count` are given: the fewest.

        Examples
        --------
        >>> [Resampler(44100, 22050).needed(count) for count in (0, 1, 442)]
        [0, 34, 916]
        """
        return self._half + 1 + -(-(count - 1) * self._down // self._up) if count > 0 else 0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples and give those that are complete.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)

        Returns
        -------
        ndarray of float32, shape (resampled,)
        """
        self._taken += len(samples)
        # Sample m sees the sound up to m * down / up + half.
        return self._until((self._taken - 1 - self._half) * self._up // self._down + 1, samples)

    def finish(self) -> NDArray[np.float32]:
        """Give the last samples, beyond which the sound is silent: ``ceil(taken * wanted_hz / rate_hz)`` in all."""
        silence = np.zeros(self._half, dtype=np.float32)
        return self._until(-(-self._taken * self._up // self._down), silence)

    def _first_held(self, given: int) -> int:
        # The first sample that sample `given` sees, or one of the `down` before it: so that the filter, which gives
        # every down-th sample from its own first on, falls on the grid.
        first_seen = -(-(given * self._down - self._half * self._up) // self._up)
        return self._half + self._down * ((first_seen - self._half) // self._down)

    def _until(self, end: int, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        self._held = np.concatenate([self._held, samples])
        if end <= self._given:
            return np.empty(0, dtype=np.float32)
        offset = (self._half - self._first) // self._down * self._up
        made = scipy.signal.upfirdn(self._taps, self._held, self._up, self._down)[self._given + offset : end + offset]
        self._given = end
        first = self._first_held(end)
        self._held, self._first = self._held[first - self._first :], first
        return np.asarray(made, dtype=np.float32)
