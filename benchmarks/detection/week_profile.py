"""What a key does at an hour of the week, beside that of the day: a try, and not the product's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Column, Keys
from auditstream.detection.hour_profile import HourProfile
from auditstream.detection.pace import Pace

_HOURS = 168
_HALF_LIFE_WEEKS = 2
"""Weeks after which values weigh half: as many as the design wants to have seen first."""
_LEAST_WEEKS = 2
_FORGETS = 0.999
"""What is left of squared residuals after a value: a thousand values say which profile fits."""


class WeekProfile(HourProfile):
    """Means by key and hour of the week, which hold where they fit the key better than those of the day.

    A key has a rhythm of weeks when its residuals from them are smaller: that takes the place of the design's
    autocorrelation at a day, which says that there is a rhythm of days.
    """

    ARRAYS = (*HourProfile.ARRAYS, "_of_week", "_seen", "_off_day", "_off_week")

    def __init__(self, pace: Pace) -> None:
        """Begin without keys."""
        super().__init__(pace)
        an_hour = max(1.0, 60.0 / pace.minutes)
        self._least = _LEAST_WEEKS * an_hour
        self._week_alpha = 1.0 - 0.5 ** (1.0 / (_HALF_LIFE_WEEKS * an_hour))
        self._of_week: NDArray[np.float64] = np.zeros((0, _HOURS))
        self._seen: NDArray[np.float32] = np.zeros((0, _HOURS), np.float32)
        self._off_day: Column = np.zeros(0)
        self._off_week: Column = np.zeros(0)

    def residual(self, keys: Keys, values: Column, minute: int) -> Column:
        """Return values less the means of the hour, of the week where that fits better."""
        of_day, hour = super().residual(keys, values, minute), minute // 60 % _HOURS
        fits = (self._seen[keys, hour] >= self._least) & (self._off_week[keys] < self._off_day[keys])
        return np.where(fits, values - self._of_week[keys, hour], of_day)

    def learn(self, keys: Keys, values: Column, minute: int, rate: Column) -> None:
        """Take values in; `rate` is the share of a whole update."""
        hour = minute // 60 % _HOURS
        seen = self._seen[keys, hour]
        is_known = seen >= self._least
        for sums, off in (
            (self._off_day, super().residual(keys, values, minute)),
            (self._off_week, values - self._of_week[keys, hour]),
        ):
            sums[keys] = np.where(is_known, _FORGETS * sums[keys] + (1 - _FORGETS) * off**2, sums[keys])
        alpha = np.where(seen == 0, 1.0, np.maximum(self._week_alpha, 1.0 / (seen + 1.0)) * rate)
        self._of_week[keys, hour] += alpha * (values - self._of_week[keys, hour])
        self._seen[keys, hour] = seen + np.maximum(rate, np.float32(1e-3))
        super().learn(keys, values, minute, rate)
