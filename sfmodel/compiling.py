"""Compiling loops over numbers: by Numba, when they are first used."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=32)
def compiled(function: Callable[..., Any], fastmath: bool = False) -> Callable[..., Any]:
    """Compile a function; what was compiled is kept on disk where that can be.

    Parameters
    ----------
    function : callable
        Of a module, so that it can be kept.
    fastmath : bool
        Whether sums may be taken in another order.

    Examples
    --------
    >>> def double(x):
    ...     return 2 * x
    >>> compiled(double)(21)
    42
    """
    import numba

    try:
        made: Callable[..., Any] = numba.njit(function, cache=True, fastmath=fastmath)
    except RuntimeError:  # nowhere to keep it
        made = numba.njit(function, fastmath=fastmath)
    return made
