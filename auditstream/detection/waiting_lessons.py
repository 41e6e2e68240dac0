"""What waits to be learnt of keys: blocks of ticks until they are whole, lessons until no window has them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys


class TickBlock(ArrayBlock):
    """Hits and events of ticks that are looked at as one, by key."""

    ARRAYS = ("_sums", "_block")

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._sums = np.zeros((0, 2))
        self._block: NDArray[np.int32] = np.zeros(0, np.int32)

    def put(self, keys: Keys, hits: Column, events: Column, at: int) -> tuple[Column, Column]:
        """Add what a tick brought, and return hits and events of a block that is whole by then, else 0."""
        block = at // self._ticks
        is_whole = self._block[keys] != block
        whole = np.where(is_whole[:, None], self._sums[keys], 0.0)
        self._sums[keys] = np.where(is_whole[:, None], 0.0, self._sums[keys])
        self._sums[keys] += np.column_stack([hits, events])
        self._block[keys] = block
        return whole[:, 0], whole[:, 1]


class WaitingLessons(ArrayBlock):
    """Lessons that wait until nothing is held against them any more: two blocks of time, by key.

    A block is as long as the longest window, so that a window lies in the block of now and the one before.
    """

    ARRAYS = ("_now", "_before", "_block")

    def __init__(self, ticks: int, sums: int) -> None:
        self._ticks = ticks
        self._now = np.zeros((0, sums))
        self._before = np.zeros((0, sums))
        self._block: NDArray[np.int32] = np.zeros(0, np.int32)

    def due(self, keys: Keys, at: int) -> NDArray[np.float64]:
        """Return the lessons of keys that have waited for long enough by a tick, and turn to it."""
        block = at // self._ticks
        passed = (block - self._block[keys])[:, None]
        now, before = self._now[keys], self._before[keys]
        due = np.where(passed >= 1, before, 0.0) + np.where(passed > 1, now, 0.0)
        self._before[keys] = np.where(passed == 1, now, np.where(passed > 1, 0.0, before))
        self._now[keys] = np.where(passed >= 1, 0.0, now)
        self._block[keys] = block
        return due

    def add(self, keys: Keys, lessons: NDArray[np.float64]) -> None:
        """Add lessons of the block that `due` turned to."""
        self._now[keys] += lessons
