"""`spend.creep`: days become dearer little by little, none of them remarkable.

A one-sided CUSUM over the logarithm of daily spend: what days are above their expectation adds up, half a
deviation a day is forgiven. A day is judged when the first of a key's minutes after it arrives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock, Blocks
from auditstream.detection.detector import Bucket, Column, Keys, Scores, Tier
from auditstream.detection.judged import judged, worth_telling
from auditstream.detection.learning import Learning
from auditstream.detection.moments import Moments

_DAY = 1_440

_FORGIVEN = 0.5
"""Deviations that are taken off each day: half of the shift that is to be found soonest, one deviation."""

_SUM = 5.0
"""Sum from which on it fires. With these two, a shift of one deviation is found after 10.4 days, and a key
that does not change fires once in 930 (Montgomery, Statistical Quality Control, table 9.3)."""

_LEAST_DAYS = 14
"""Active days before a key is judged: each weekday was seen twice."""

_HALF_LIFE = 28.0
"""Active days after which what was learnt weighs half: slower than the creep that is looked for."""

_CLIP = 4.0
"""Deviations beyond which a day is learnt as being there, and counts in the sum: one huge day is no creep."""

_LEAST_DEVIATION = 0.1
"""Of the logarithm: days that are a tenth apart are alike."""

_LEAST_SPEND = 0.01
"""Spend, in the key's currency, below which a day counts as this."""


def summed(total: Column, z: Column) -> Column:
    """Return the sums after a day that was z deviations from its expectation."""
    return np.maximum(total + np.clip(z, -_CLIP, _CLIP) - _FORGIVEN, 0.0)


class _Days(ArrayBlock):
    ARRAYS = ("day", "today", "latest", "total")

    def __init__(self) -> None:
        self.day: NDArray[np.int32] = np.zeros(0, np.int32)  # days since 1970 of `today`; 0: none yet
        self.today = np.zeros(0)  # spend
        self.latest = np.zeros(0)  # spend of the latest day that was judged
        self.total = np.zeros(0)  # the CUSUM


class SpendCreep(Blocks):
    """Daily spend of keys, tenants above all; `spend` of a bucket."""

    slug = "spend.creep"
    metric = "spend_1d"
    version = "1"
    family = "creep"

    def __init__(self) -> None:
        self._days = _Days()
        self._moments = Moments(_HALF_LIFE)
        self._learning = Learning()
        super().__init__(days=self._days, moments=self._moments, learning=self._learning)

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge the days that are over, and add to those that are not."""
        now = judged(self.slug, bucket, in_episode)
        days, day = self._days, now.minute // _DAY
        lesson = self._learning.lesson(now.keys, now.minute, now.in_episode)
        is_over = np.zeros(len(now.keys), np.bool_)
        is_over[now.active] = (days.day[bucket.keys] > 0) & (days.day[bucket.keys] < day)
        over = now.keys[is_over]
        self._judge(over, lesson.share[is_over])
        self._accept(now.keys[lesson.is_accepted])
        days.today[over] = 0.0
        days.today[bucket.keys] += bucket.values["spend"]
        days.day[bucket.keys] = day
        expected = np.exp(self._moments.mean[now.keys])
        latest = days.latest[now.keys]
        scores = Scores(
            keys=now.keys,
            level=days.total[now.keys] / _SUM,
            score=days.total[now.keys],
            observed=latest,
            expected=expected,
            excess=np.where(is_over, np.maximum(latest - expected, 0.0), 0.0),
            tier=np.full(len(now.keys), Tier.WARM, np.uint8),  # the others have a sum of 0
        )
        return worth_telling(scores, now.in_episode)

    def _judge(self, keys: Keys, share: Column) -> None:
        days, moments = self._days, self._moments
        days.latest[keys] = days.today[keys]
        values = np.log(np.maximum(days.today[keys], _LEAST_SPEND))
        z = moments.z(keys, values, _LEAST_DEVIATION)
        is_known = moments.count[keys] >= _LEAST_DAYS
        days.total[keys] = np.where(is_known, summed(days.total[keys], z), 0.0)
        moments.learn(keys, values, rate=share, clip=_CLIP, floor=_LEAST_DEVIATION)

    def _accept(self, keys: Keys) -> None:
        """Take the latest day for what is expected, and begin to sum anew."""
        self._moments.mean[keys] = np.log(np.maximum(self._days.latest[keys], _LEAST_SPEND))
        self._days.total[keys] = 0.0
