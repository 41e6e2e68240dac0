"""The ratio of two sums by key in which what is old weighs less, as spend by requests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys


class DecayedRatio(ArrayBlock):
    """Numerator, denominator and number of events by key."""

    ARRAYS = ("_sums", "_last")

    def __init__(self, decay: float) -> None:
        """Begin without keys.

        Args:
            decay: What is left of a sum after a minute.
        """
        self._decay = decay
        self._sums: NDArray[np.float32] = np.zeros((0, 3), np.float32)
        self._last: NDArray[np.int32] = np.zeros(0, np.int32)

    def put(self, keys: Keys, over: Column, under: Column, events: Column, minute: int) -> None:
        """Take in what keys did in a minute, later than every one before."""
        left = self._decay ** (minute - self._last[keys]).astype(np.float64)
        self._sums[keys] = self._sums[keys] * left[:, None] + np.stack([over, under, events], axis=1)
        self._last[keys] = minute

    def ratio(self, keys: Keys) -> Column:
        """Return the ratio as of each key's last minute; 0 where the denominator is."""
        over, under = self._sums[keys, 0].astype(np.float64), self._sums[keys, 1].astype(np.float64)
        ratio: Column = np.divide(over, under, out=np.zeros(len(keys)), where=under > 0)
        return ratio

    def events(self, keys: Keys) -> Column:
        """Return the events behind it, as of each key's last minute."""
        events: Column = self._sums[keys, 2].astype(np.float64)
        return events
