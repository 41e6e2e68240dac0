"""`spend.surge`: a key spends far more than it ever does; bills for a period are no spend of their minute.

Two measures. A hot key's last 15 minutes are held against the tail of its own history of such sums. A sparse
key has no tail to speak of: its last five minutes are held against its active windows, with floors that keep
a key that has always spent nothing from being called at its first cent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.active_windows import WINDOW, ActiveWindows
from auditstream.detection.ages import Ages
from auditstream.detection.axes import LogAxis
from auditstream.detection.blocks import Blocks
from auditstream.detection.detector import Bucket, Column, Scores, Tier
from auditstream.detection.histogram import DecayedHistogram
from auditstream.detection.hot_rows import HotRows
from auditstream.detection.judged import Judged, judged, worth_telling
from auditstream.detection.learning import Learning, Lesson
from auditstream.detection.minute_sums import MinuteSums

_QUARTER = 15
"""Minutes of a hot key's sum: a surge of ten times shows in it after two."""

_TAIL = 0.995
"""Share of a hot key's sums below the tail: an active key passes it for seven minutes a day."""

_RATIO = 1.4
"""Times the tail from which on a hot key fires. Measured on ServeGen's clients: 1.23 is wrong a quarter more
often, 1.7 misses five of a hundred surges that 1.5 finds."""

_Z = 8.0
"""Deviations from which on a sparse key fires: its windows have heavy tails, and the floors carry it.
Measured: 15 finds a fifth of the surges of sparse keys and 8 seven of ten; 6 doubles their wrong alerts."""

_FLOOR = 0.05
"""Least deviation and least tail, in the key's currency: below it nobody would look."""

_OF_MEAN = 0.5
"""Least deviation as a share of the mean of active windows: few windows are alike by chance."""

_LEAST_WINDOWS = 30
"""Active windows from which on their mean and deviation are held against."""

_AXIS = LogAxis(1e-5, 1e5, 96)
"""From a thousandth of a cent, one small request, to what no key spends in 15 minutes."""

_DECAY = 0.9999
"""What is left after a minute of a value's weight: half after 4.8 days, so a week shows, a month does not."""

_LEAST_WEIGHT = 1 / (1 - _TAIL)
"""Weight of a histogram from which on it has a tail: one value in it."""

_OWN_LEVEL = 0.01
"""Share of the histogram that an accepted level is given: twice the tail, so that it is the tail."""


PROMOTED_AT = 200
"""Active minutes at which a key is given a histogram: most keys never get there, and the tail needs ten times
as many anyway."""


class SpendSurge(Blocks):
    """Spend of keys in their currency; `usage_spend` of a bucket."""

    slug = "spend.surge"
    metric = "spend"
    version = "2"
    family = "spend"

    def __init__(self) -> None:
        self._ages = Ages()
        self._sums = MinuteSums(_QUARTER)
        self._windows = ActiveWindows()
        self._history = DecayedHistogram(_AXIS, _DECAY)
        self._hot = HotRows(self._history)
        self._learning = Learning()
        super().__init__(
            ages=self._ages,
            sums=self._sums,
            windows=self._windows,
            hot=self._hot,
            learning=self._learning,
        )

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge a minute, then learn from it."""
        now = judged(self.slug, bucket, in_episode)
        self._hot.cool_down(self._ages, now.minute)
        self._sums.put(bucket.keys, bucket.values["usage_spend"], now.minute)
        quarters = self._sums.total(now.keys, now.minute)
        scores = self._scores(now, now.spread(bucket.values["usage_spend"]), quarters)
        lesson = self._learning.lesson(now.keys, now.minute, now.in_episode)
        self._learn(now, bucket, quarters, lesson)
        return worth_telling(scores, now.in_episode[np.searchsorted(now.keys, scores.keys)])

    def _scores(self, now: Judged, spend: Column, quarters: Column) -> Scores:
        keys = now.keys
        tier = self._ages.tiers(keys, now.minute)
        is_hot = (tier >= Tier.WARM) & self._hot.has(keys)
        is_hot[is_hot] = self._history.total(self._hot.rows(keys[is_hot]), now.minute) >= _LEAST_WEIGHT
        is_sparse = ~is_hot & (tier >= Tier.SPARSE) & (self._windows.count(keys) >= _LEAST_WINDOWS)
        score, threshold, expected = np.zeros(len(keys)), np.ones(len(keys)), np.zeros(len(keys))
        observed, per_minute = quarters.copy(), np.zeros(len(keys))

        hot = self._hot.rows(keys[is_hot])
        score[is_hot] = quarters[is_hot] / np.maximum(self._history.quantile(hot, _TAIL), _FLOOR)
        expected[is_hot] = self._history.quantile(hot, 0.5)
        per_minute[is_hot] = expected[is_hot] / _QUARTER
        threshold[is_hot] = _RATIO

        sparse = keys[is_sparse]
        observed[is_sparse] = self._sums.total(sparse, now.minute, WINDOW)
        expected[is_sparse] = mean = self._windows.mean(sparse)
        deviation = np.maximum(self._windows.deviation(sparse), np.maximum(_OF_MEAN * mean, _FLOOR))
        score[is_sparse] = (observed[is_sparse] - mean) / deviation
        per_minute[is_sparse] = mean / WINDOW
        threshold[is_sparse] = _Z

        known = is_hot | is_sparse
        return Scores(
            keys=keys[known],
            level=(score / threshold)[known],
            score=score[known],
            observed=observed[known],
            expected=expected[known],
            excess=np.maximum(spend - per_minute, 0.0)[known],
            tier=tier[known],
        )

    def _learn(self, now: Judged, bucket: Bucket, quarters: Column, lesson: Lesson) -> None:
        keys = bucket.keys
        self._ages.saw(keys, now.minute)
        self._windows.put(keys, bucket.values["usage_spend"], now.minute, lesson.share[now.active])
        self._hot.give(keys[(self._ages.active[keys] >= PROMOTED_AT) & ~self._hot.has(keys)])
        accepted = now.keys[lesson.is_accepted]
        self._windows.accept(accepted, self._sums.total(accepted, now.minute, WINDOW))
        # A key without news learns nothing, unless its level of now is to be taken for its own.
        teaches = lesson.is_accepted.copy()
        teaches[now.active] = True
        teaches &= self._hot.has(now.keys)
        hot = self._hot.rows(now.keys[teaches])
        own_level = lesson.is_accepted[teaches] * _OWN_LEVEL * self._history.total(hot, now.minute)
        self._history.add(hot, quarters[teaches], now.minute, np.maximum(lesson.share[teaches], own_level))
