"""Several opinions into one: two of them must find a bucket odd, or one of them what the other just did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys

_BAR = 1.1
"""Share of its threshold from which on an opinion counts: six of them agree by chance more often than the
five that the thresholds were chosen for."""


class Agreement(ArrayBlock):
    """What opinions said last, by key."""

    ARRAYS = ("_before",)

    def __init__(self, opinions: int, bar: float = _BAR) -> None:
        """Begin without keys.

        Args:
            opinions: How many there are.
            bar: Share of its threshold from which on one counts.
        """
        self._bar = bar
        self._before: NDArray[np.float32] = np.zeros((0, opinions), np.float32)

    def level(self, keys: Keys, shares: NDArray[np.float64]) -> Column:
        """Return how far keys agree, which is the second strongest opinion: from 1 on they do.

        Args:
            keys: Each at most once.
            shares: Score of each opinion as a share of its threshold; a row a key.
        """
        recent = np.maximum(shares, self._before[keys])
        self._before[keys] = shares
        level: Column = np.partition(recent, recent.shape[1] - 2, axis=1)[:, -2] / self._bar
        return level
