"""What a key does at an hour of the day: an exponentially weighted mean for each of 24."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys
from auditstream.detection.pace import Pace

_HALF_LIFE_DAYS = 3
"""Days after which an hour's values weigh half: a week's rhythm shows, a new one takes over within it."""


class HourProfile(ArrayBlock):
    """Means by key and hour."""

    ARRAYS = ("_mean", "_count")

    def __init__(self, pace: Pace) -> None:
        """Begin without keys."""
        an_hour = max(1.0, 60.0 / pace.minutes)
        self._alpha = 1.0 - 0.5 ** (1.0 / (_HALF_LIFE_DAYS * an_hour))
        self._mean: NDArray[np.float64] = np.zeros((0, 24))
        self._count: NDArray[np.float32] = np.zeros((0, 24), np.float32)

    def residual(self, keys: Keys, values: Column, minute: int) -> Column:
        """Return values less the means of their hour; 0 where there is none.

        Args:
            keys: Each at most once.
            values: A value each.
            minute: Minutes since 1970.
        """
        hour = minute // 60 % 24
        return np.where(self._count[keys, hour] > 0, values - self._mean[keys, hour], 0.0)

    def learn(self, keys: Keys, values: Column, minute: int, rate: Column) -> None:
        """Take values in; `rate` is the share of a whole update."""
        hour = minute // 60 % 24
        count = self._count[keys, hour]
        alpha = np.maximum(self._alpha, 1.0 / (count + 1.0)) * rate
        # The first value of an hour is all that is known of it, whatever it teaches.
        alpha = np.where(count == 0, 1.0, alpha)
        self._mean[keys, hour] += alpha * (values - self._mean[keys, hour])
        self._count[keys, hour] = count + np.maximum(rate, np.float32(1e-3))
