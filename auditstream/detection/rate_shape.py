"""`rate.shape`: a dense key's rate, latency or share of failures takes a shape that it never has.

Minutes are gathered into buckets of five: in them a dense key has enough events for a ratio, and the public
comparison that chose the thresholds is on such buckets.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.ages import Ages
from auditstream.detection.blocks import Blocks
from auditstream.detection.detector import Bucket, Column, Keys, Scores
from auditstream.detection.gathering import Gathered, Gathering
from auditstream.detection.hot_rows import HotRows
from auditstream.detection.judged import worth_telling
from auditstream.detection.last_told import LastTold
from auditstream.detection.learning import Learning
from auditstream.detection.pace import BUCKET, Pace
from auditstream.detection.shape import Shape

Metric = Literal["events", "latency_us_per_token", "failure_share", "value"]


class Ratio(NamedTuple):
    """What a metric is made of, by names of a bucket's values.

    Attributes:
        above: What is counted.
        below: What it is divided by; empty for the number itself.
        least: Least divisor: a ratio of less says nothing of the key.
        is_count: Whether it is 0 where nothing happens, rather than unknown.
    """

    above: str
    below: str = ""
    least: float = 0.0
    is_count: bool = False


RATIOS: Mapping[Metric, Ratio] = MappingProxyType(
    {
        "events": Ratio("events", is_count=True),
        # Latency grows with what is written; by token it is of the model and its load. 100 tokens are one
        # answer of some length: of less, most of the time is that to the first of them. Of events that tell
        # both: tools take time too, and write nothing.
        "latency_us_per_token": Ratio("paced_us", "paced_tokens", 100.0),
        # One failure of 20 events is 5 %: of fewer, the share jumps further than any incident moves it.
        "failure_share": Ratio("failures", "events", 20.0),
        # Any number that is taken once a bucket, as a backtest's.
        "value": Ratio("value"),
    }
)

_PROMOTED_AT = 200
"""Active minutes at which a key is given a row: most keys never get there, and a row takes 4 kB."""

_DENSE = 0.5
"""Share of the minutes since it was first seen in which a dense key is active: the shape of a sparse one is
that of its gaps."""


class RateShape(Blocks):
    """One metric of dense keys."""

    slug = "rate.shape"
    version = "2"
    family = "shape"

    def __init__(
        self, metric: Metric = "events", *, minutes: int = BUCKET, promoted_at: int = _PROMOTED_AT
    ) -> None:
        """Begin without keys.

        Args:
            metric: What is watched.
            minutes: Length of a bucket; those observed must divide it.
            promoted_at: Active minutes at which a dense key gets a row, from when on it is learnt; 0 for a
                series that is a key by itself.
        """
        self.metric: str = metric
        self._ratio = RATIOS[metric]
        self._minutes = minutes
        self._promoted_at = promoted_at
        self._names = [self._ratio.above, self._ratio.below or self._ratio.above]
        self._ages = Ages()
        self._gathering = Gathering(minutes, len(self._names))
        self._shape = Shape(Pace(minutes))
        self._hot = HotRows(self._shape)
        self._learning = Learning()
        self._told = LastTold()
        super().__init__(
            ages=self._ages,
            gathering=self._gathering,
            hot=self._hot,
            learning=self._learning,
            told=self._told,
        )

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Take a bucket in; where it closes one of its own length, judge that, then learn from it."""
        self._told.forget(self._hot.cool_down(self._ages, bucket.start))
        self._ages.saw(bucket.keys, bucket.start, bucket.minutes)
        judged = [self._judge(each, in_episode) for each in self._gathering.put(bucket, self._names)]
        told, episodes = self._told, np.flatnonzero(in_episode)
        if judged and len(episodes):  # what has no value any more does not go on
            told.level[np.setdiff1d(episodes, np.concatenate(judged))] = 0.0
        keys = np.unique(np.concatenate([episodes, *judged])).astype(np.int32)
        return worth_telling(told.scores(keys, self._ages.tiers(keys, bucket.start)), in_episode[keys])

    def levels(self, keys: Keys) -> Column:
        """Return the level that each key had last, low ones too."""
        return self._told.level[keys].astype(np.float64)

    def _judge(self, gathered: Gathered, in_episode: NDArray[np.bool_]) -> Keys:
        """Judge a closed bucket and return the keys that were."""
        minute = gathered.slot * self._minutes
        self._promote(gathered.keys, minute)
        keys, values = self._values(gathered)
        lesson = self._learning.lesson(keys, minute, in_episode[keys])
        rows, told = self._hot.rows(keys), self._told
        told.expected[keys] = self._shape.expected(rows)
        told.observed[keys] = values
        told.level[keys] = self._shape.observe(rows, values, gathered.slot, minute, lesson.share)
        self._shape.accept(rows[lesson.is_accepted], gathered.slot, minute)
        return keys

    def _values(self, gathered: Gathered) -> tuple[Keys, Column]:
        """Return the hot keys that have a value, and it."""
        above, below = gathered.sums[:, 0], gathered.sums[:, 1]
        is_hot = self._hot.has(gathered.keys)
        if self._ratio.below:
            has_value = is_hot & (below >= self._ratio.least)
            return gathered.keys[has_value], above[has_value] / below[has_value]
        if not self._ratio.is_count:
            return gathered.keys[is_hot], above[is_hot]
        keys = self._hot.keys
        values = np.zeros(len(keys))
        values[np.searchsorted(keys, gathered.keys[is_hot])] = above[is_hot]
        return keys, values

    def _promote(self, keys: Keys, minute: int) -> None:
        active = self._ages.active[keys]
        since = minute + self._minutes - self._ages.first[keys]
        is_dense = (active >= self._promoted_at) & ((active >= _DENSE * since) | (self._promoted_at == 0))
        self._hot.give(keys[is_dense & ~self._hot.has(keys)])
