"""When keys were first and last seen, in which bucket, and how often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys

_DAY = 1_440


class Sightings(ArrayBlock):
    """Sightings by key."""

    ARRAYS = ("_first", "_tick", "count")

    def __init__(self) -> None:
        self._first: NDArray[np.int64] = np.zeros(0, np.int64)  # minute
        self._tick: NDArray[np.int64] = np.zeros(0, np.int64)
        self.count: NDArray[np.int32] = np.zeros(0, np.int32)

    def elapsed(self, keys: Keys, tick: int) -> Column:
        """Return buckets since each key's last one; 1 for a key that is new."""
        gap = np.where(self.count[keys] > 0, tick - self._tick[keys], 1)
        return np.maximum(gap, 1).astype(np.float64)

    def days(self, keys: Keys, minute: int) -> Column:
        """Return days since each key was first seen; 0 for a key that is new."""
        since = np.where(self.count[keys] > 0, minute - self._first[keys], 0)
        return since / _DAY

    def saw(self, keys: Keys, tick: int, minute: int) -> None:
        """Note keys of a bucket."""
        self._first[keys] = np.where(self.count[keys] > 0, self._first[keys], minute)
        self._tick[keys] = tick
        self.count[keys] += 1
