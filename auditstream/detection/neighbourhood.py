"""What a value is beside those just before it: the difference from the last, a level, the distance to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys

_SMOOTHING = 0.1
"""Share of a value in the smoothed level: about the last ten buckets, an hour of five-minute ones."""


class Beside(NamedTuple):
    """Values beside their neighbours; 0 for a key's first value, and the value itself as its level.

    Attributes:
        difference: From the last value.
        distance: From the smoothed level of those before.
        smoothed: The level with the value in it.
    """

    difference: Column
    distance: Column
    smoothed: Column


class Neighbourhood(ArrayBlock):
    """Last value and smoothed level by key; they follow whatever comes, for they are no baseline."""

    ARRAYS = ("_last", "_level", "_count")

    def __init__(self) -> None:
        self._last: NDArray[np.float64] = np.zeros(0)
        self._level: NDArray[np.float64] = np.zeros(0)
        self._count: NDArray[np.int32] = np.zeros(0, np.int32)

    def put(self, keys: Keys, values: Column, elapsed: Column) -> Beside:
        """Take values in and return them beside those before.

        Args:
            keys: Each at most once.
            values: A value each.
            elapsed: Buckets since the key's last one.
        """
        count, level = self._count[keys], self._level[keys]
        is_known = count > 0
        alpha = np.maximum(1.0 - (1.0 - _SMOOTHING) ** elapsed, 1.0 / (count + 1.0))
        distance = values - level
        smoothed = level + alpha * distance
        difference = values - self._last[keys]
        self._last[keys], self._level[keys], self._count[keys] = values, smoothed, count + 1
        return Beside(np.where(is_known, difference, 0.0), np.where(is_known, distance, 0.0), smoothed)

    def last(self, keys: Keys) -> Column:
        """Return the last values of keys."""
        return self._last[keys]

    def smoothed(self, keys: Keys) -> Column:
        """Return the smoothed levels of keys."""
        return self._level[keys]
