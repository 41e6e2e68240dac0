"""Decimals of 128 bits go to the store in 64 where those hold all of a column: nearly all amounts do.

The store takes any width of decimal for its own. What is not sent is not copied either, at either end.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_DIGITS = 18
"""Digits of the wider numbers that 64 bits hold all of."""


class NarrowDecimals:
    """Makes columns of one block narrow; columns that share their memory are looked at once.

    Most often what is billed is what is effective and what is contracted.
    """

    def __init__(self) -> None:
        # With what they were made of: no other memory gets its address meanwhile.
        self._made: dict[tuple[int, int, int], tuple[pa.Decimal128Array, pa.Array]] = {}

    def of(self, decimals: pa.Decimal128Array) -> pa.Array:
        """Return the same decimals in 64 bits, or as they are where one of them has more than 18 digits."""
        validity, numbers = decimals.buffers()
        if validity is not None:
            return _narrowed(decimals)
        place = numbers.address, decimals.offset, len(decimals)
        known, made = self._made.get(place, (None, None))
        if known is None or known.type != decimals.type:
            made = _narrowed(decimals)
            self._made[place] = decimals, made
        return made


def _narrowed(decimals: pa.Decimal128Array) -> pa.Array:
    validity, numbers = decimals.buffers()
    scale, nulls = decimals.type.scale, decimals.null_count
    if scale > _DIGITS or not len(decimals) or (nulls and decimals.offset):
        return decimals
    halves = np.frombuffer(numbers, np.int64)
    begin, end = 2 * decimals.offset, 2 * (decimals.offset + len(decimals))
    low = halves[begin:end:2].copy()
    if not _holds(low, halves[begin + 1 : end : 2]):
        return decimals
    return pa.Array.from_buffers(
        pa.decimal64(_DIGITS, scale), len(low), [validity if nulls else None, pa.py_buffer(low)], nulls
    )


def _holds(low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
    """Return whether the lower halves are the whole numbers, of at most 18 digits."""
    least, most = int(low.min()), int(low.max())
    if least <= -(10**_DIGITS) or most >= 10**_DIGITS:
        return False
    if least >= 0:  # so it is but for credits, and the signs need not be compared
        return not np.bitwise_or.reduce(high)
    return bool((high == low >> 63).all())
