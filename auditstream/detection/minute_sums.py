"""Sums over the last minutes by key, exact to the minute; a minute without news costs nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys


class MinuteSums(ArrayBlock):
    """The last minutes of a number a key, as a ring of single precision.

    Attributes:
        minutes: How many are kept.
    """

    ARRAYS = ("_ring", "_last")

    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        self._ring: NDArray[np.float32] = np.zeros((0, minutes), np.float32)
        self._last: NDArray[np.int32] = np.zeros(0, np.int32)  # minute of the latest number

    def put(self, keys: Keys, values: Column, minute: int) -> None:
        """Take in what keys did in a minute, later than every one before; what is too old goes.

        Args:
            keys: Each at most once.
            values: A number each.
            minute: Minutes since 1970, more than `minutes`.
        """
        ring = self._now(keys, minute)
        ring[:, minute % self.minutes] = values
        self._ring[keys] = ring
        self._last[keys] = minute

    def total(self, keys: Keys, minute: int, width: int | None = None) -> Column:
        """Return the sums over the last minutes, `minute` included; over all that are kept by default."""
        ring = self._now(keys, minute)
        if width is not None:
            ring = ring[:, self._age(minute) < width]
        total: Column = ring.sum(axis=1, dtype=np.float64)
        return total

    def _age(self, minute: int) -> NDArray[np.int64]:
        return (minute - np.arange(self.minutes)) % self.minutes

    def _now(self, keys: Keys, minute: int) -> NDArray[np.float32]:
        # A place holds the latest minute that falls on it: one after the key's last is of a lap before.
        is_kept = self._age(minute) >= (minute - self._last[keys])[:, None]
        return np.where(is_kept, self._ring[keys], np.float32(0))
