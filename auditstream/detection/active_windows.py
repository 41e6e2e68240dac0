"""What a key spends in five minutes when it spends anything: mean and deviation over its active windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock, Blocks
from auditstream.detection.detector import Column, Keys
from auditstream.detection.moments import Moments

WINDOW = 5
"""Minutes of a window: what a sparse key does at once is over by then."""

_HALF_LIFE = 100.0
"""Active windows after which a window counts half."""

_CLIP = 4.0
"""Deviations beyond which a window counts as being there."""


class _Open(ArrayBlock):
    ARRAYS = ("window", "total", "share")

    def __init__(self) -> None:
        self.window: NDArray[np.int32] = np.zeros(0, np.int32)  # number of the window since 1970; 0: none
        self.total: NDArray[np.float32] = np.zeros(0, np.float32)
        self.share: NDArray[np.float32] = np.zeros(0, np.float32)  # of it that is learnt


class ActiveWindows(Blocks):
    """Windows on fixed borders; one is learnt when the key's next one begins."""

    def __init__(self) -> None:
        self._open = _Open()
        self._moments = Moments(_HALF_LIFE)
        super().__init__(open=self._open, moments=self._moments)

    def put(self, keys: Keys, values: Column, minute: int, share: Column) -> None:
        """Take in what keys did in a minute.

        Args:
            keys: Each at most once.
            values: A number each.
            minute: Minutes since 1970, later than every one before.
            share: Share of an update that the window teaches: of its least minute.
        """
        opened = self._open
        window = minute // WINDOW
        is_over = (opened.window[keys] != window) & (opened.window[keys] > 0)
        over = keys[is_over]
        totals, shares = opened.total[over].astype(np.float64), opened.share[over].astype(np.float64)
        self._moments.learn(over, totals, rate=shares, clip=_CLIP)
        is_new = opened.window[keys] != window
        opened.total[keys] = np.where(is_new, 0.0, opened.total[keys]) + values
        opened.share[keys] = np.where(is_new, share, np.minimum(opened.share[keys], share))
        opened.window[keys] = window

    def accept(self, keys: Keys, values: Column) -> None:
        """Take values for the means of keys from now on."""
        self._moments.mean[keys] = values

    def count(self, keys: Keys) -> Column:
        """Return how many windows were learnt."""
        return self._moments.count[keys]

    def mean(self, keys: Keys) -> Column:
        """Return the mean of active windows."""
        return self._moments.mean[keys]

    def deviation(self, keys: Keys) -> Column:
        """Return the standard deviation of active windows."""
        return self._moments.deviation(keys)
