"""Several opinions into one: two of them must find a bucket odd, or one of them what the other just did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys

_CAP = 1.5
"""Share of its threshold at which an opinion counts no further: one that shouts is still one of two."""

_BAR = 1.1
"""Mean of the two strongest from which on they agree. On the public data it does better than the lesser of
the two (a vote), for a strong opinion carries one that just falls short; it needs a higher bar than 1."""


class Agreement(ArrayBlock):
    """What opinions said last, by key."""

    ARRAYS = ("_before",)

    def __init__(self, opinions: int) -> None:
        """Begin without keys; `opinions` is how many there are."""
        self._before: NDArray[np.float32] = np.zeros((0, opinions), np.float32)

    def level(self, keys: Keys, shares: NDArray[np.float64]) -> Column:
        """Return how far keys agree: from 1 on they do.

        Args:
            keys: Each at most once.
            shares: Score of each opinion as a share of its threshold; a row a key.
        """
        shares = np.minimum(shares, _CAP)
        recent = np.maximum(shares, self._before[keys])
        self._before[keys] = shares
        two = np.partition(recent, recent.shape[1] - 2, axis=1)[:, -2:]
        level: Column = two.mean(axis=1) / _BAR
        return level
