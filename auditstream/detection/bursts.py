"""Bursts: where so many rows of one key lie within a time that the count is reached."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


class Bursts(NamedTuple):
    """Bursts, one an entry.

    Attributes:
        first: Position of the first row of each.
        last: Position of the row that made the count full.
    """

    first: Numbers
    last: Numbers


def bursts(
    keys: NDArray[np.uint64], times: Numbers, stamps: Numbers, *, count: int, within_us: int
) -> Bursts:
    """Return the bursts among rows in the order of a log, by the position of their last row.

    A burst is full at the row that is the `count`-th within the time. A row after it of the same key that is
    also full goes on with that burst and is none of its own. Both clocks must agree: neither a producer that
    sends what it kept, nor one whose clock stands still, makes a burst.

    Args:
        keys: Key of each row.
        times: Event times, in microseconds; they need not rise.
        stamps: Broker's times, in microseconds.
        count: How many rows make a burst, at least 2.
        within_us: Within how long.
    """
    order = np.argsort(keys, kind="stable")
    if len(order) < count:
        return Bursts(np.empty(0, np.int64), np.empty(0, np.int64))
    key, back = keys[order], count - 1
    first, last = order[:-back], order[back:]
    full = key[back:] == key[:-back]
    for clock in (times, stamps):
        full &= np.abs(clock[last] - clock[first]) <= within_us
    goes_on = np.zeros_like(full)
    goes_on[1:] = full[:-1] & (key[back:-1] == key[back + 1 :])
    found = np.flatnonzero(full & ~goes_on)
    by_position = np.argsort(last[found])
    return Bursts(first[found][by_position], last[found][by_position])
