"""`cost.unit_drift`: what one call of a model costs moves, whatever the number of calls does.

Calls alone count: a key whose events are decisions and tool calls one day, and calls the next, has not become
dearer; and a bill for storage is no call's.

On AI traffic this ratio tells more than volumes do: clients burst to six times their rate on ordinary days,
and what their requests look like changes far less. The same is held for other ratios: tokens a call,
time a token, share of the input that no cache paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.ages import SPARSE_FROM, Ages
from auditstream.detection.blocks import Blocks
from auditstream.detection.decayed_ratio import DecayedRatio
from auditstream.detection.detector import Bucket, Column, Keys, Scores
from auditstream.detection.judged import Judged, judged, worth_telling
from auditstream.detection.learning import Learning
from auditstream.detection.minute_sums import MinuteSums
from auditstream.detection.moments import Moments
from auditstream.detection.parents import Parents

_DECAY = 0.85
"""What is left of a sum after a minute: half after four, so a few requests are enough and one is not."""

_HALF_LIFE = 69.0
"""Active minutes after which what was learnt weighs half: alpha = .01."""

_Z = 4.25
"""Deviations from which on it fires. Measured on ServeGen's clients: 5 with a gate of $0.30 finds a tenth
less, 4 with this gate is wrong a fifth more often."""

_CLIP = 4.0
"""Deviations beyond which a value is learnt as being there: what fires carries the mean no further."""

_LEAST_DEVIATION = 0.05
"""Of the logarithm: a ratio that never moved by more than a twentieth may do so once."""

_LEAST_EVENTS = 3.0
"""Decayed calls behind a ratio that is judged or learnt: one long prompt is no drift."""

_LEAST_WITHOUT_MONEY = 20.0
"""Decayed calls behind a ratio that is not of money and is judged: no excess says whether it matters, and the
answers of a few calls are twice as long as usual by chance. Measured on the demonstration's quiet hours."""

_PARENT_WEIGHT = 200.0
"""Active minutes that a parent's variance weighs as much as: a key's own counts for half after 200."""

_UNKNOWN_DEVIATION = 0.2
"""Deviation of the logarithm of a key without a parent: the median of ServeGen's clients is .16."""

_TOLD_FROM = 0.50
"""Excess within 15 minutes from which on a drift of cost is told of, in the key's currency. Measured: a third
of the wrong alerts are about less than $0.30, and one found in forty. Whom to call, the money gate says."""

_EXCESS_MINUTES = 15

_LEAST_RATIO = 1e-12
"""Stands for a ratio of 0, whose logarithm there is not: less than one token costs anywhere."""

Part = Callable[[Mapping[str, Column]], Column]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two sums of a bucket whose ratio is watched.

    Attributes:
        metric: Its name.
        over: The numerator.
        under: The denominator.
        events: Name of the number of events behind it.
        is_money: Whether the numerator is money: then there is an excess.
    """

    metric: str
    over: Part
    under: Part
    events: str = "calls"
    is_money: bool = False


UNIT_COST = Ratio("unit_cost", lambda of: of["usage_spend"], lambda of: of["calls"], is_money=True)
OUTPUT_TOKENS = Ratio("output_tokens_per_call", lambda of: of["output_tokens"], lambda of: of["calls"])
# Of events that say both how long they took and what they wrote: the time of tools is not that of tokens.
TOKEN_TIME = Ratio("ms_per_output_token", lambda of: of["paced_us"] / 1e3, lambda of: of["paced_tokens"])
UNCACHED_SHARE = Ratio(
    # A cache that stops hitting moves this by factors, and the share of hits by points.
    "uncached_input_share",
    lambda of: np.maximum(of["input_tokens"] - of["cache_read_tokens"], 0.0),
    lambda of: of["input_tokens"],
)

RATIOS = (UNIT_COST, OUTPUT_TOKENS, TOKEN_TIME, UNCACHED_SHARE)


class UnitDrift(Blocks):
    """One ratio of keys, rising."""

    slug = "cost.unit_drift"
    version = "2"
    family = "ratio"

    def __init__(self, ratio: Ratio) -> None:
        self._of = ratio
        self.metric = ratio.metric
        self._ages = Ages()
        self._ratio = DecayedRatio(_DECAY)
        self._moments = Moments(_HALF_LIFE)
        self._parents = Parents()
        self._learning = Learning()
        self._excess = MinuteSums(_EXCESS_MINUTES)
        parts = {"excess": self._excess} if ratio.is_money else {}
        super().__init__(
            ages=self._ages,
            ratio=self._ratio,
            moments=self._moments,
            parents=self._parents,
            learning=self._learning,
            **parts,
        )

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the key whose history stands in for that of each key while it is young."""
        self._parents.adopt(keys, parents)

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge a minute, then learn from it."""
        now = judged(self.slug, bucket, in_episode)
        over, under = self._of.over(bucket.values), self._of.under(bucket.values)
        events = bucket.values[self._of.events]
        self._ratio.put(bucket.keys, over, under, events, now.minute)
        if self._of.is_money:
            excess = over - under * np.exp(self._moments.mean[bucket.keys])
            is_known = self._ages.active[bucket.keys] >= SPARSE_FROM
            self._excess.put(bucket.keys, np.where(is_known, excess, 0.0), now.minute)
        else:
            excess = np.zeros(len(bucket.keys))
        values = np.log(np.maximum(self._ratio.ratio(now.keys), _LEAST_RATIO))
        scores = self._scores(now, values, np.maximum(now.spread(excess), 0.0))
        self._learn(now, values)
        return worth_telling(scores, now.in_episode[np.searchsorted(now.keys, scores.keys)])

    def _scores(self, now: Judged, values: Column, excess: Column) -> Scores:
        keys = now.keys
        tier = self._ages.tiers(keys, now.minute)
        known = (self._ages.active[keys] >= SPARSE_FROM) & (self._moments.count[keys] > 0)
        enough = self._ratio.events(keys) >= (_LEAST_EVENTS if self._of.is_money else _LEAST_WITHOUT_MONEY)
        z = (values - self._moments.mean[keys]) / self._deviation(keys)
        score = np.where(enough, z, 0.0)
        level = score / _Z
        if self._of.is_money:
            level = np.minimum(level, self._excess.total(keys, now.minute) / _TOLD_FROM)
        return Scores(
            keys=keys[known],
            level=level[known],
            score=score[known],
            observed=np.exp(values[known]),
            expected=np.exp(self._moments.mean[keys][known]),
            excess=excess[known],
            tier=tier[known],
        )

    def _deviation(self, keys: Keys) -> Column:
        """Return deviations in which a parent's stands for what a key has not shown yet."""
        moments = self._moments
        count = moments.count[keys]
        lent = self._parents.lent(keys, self._variances, _UNKNOWN_DEVIATION**2)
        variance = (count * moments.variance[keys] + _PARENT_WEIGHT * lent) / (count + _PARENT_WEIGHT)
        return np.maximum(np.sqrt(variance), _LEAST_DEVIATION)

    def _variances(self, keys: Keys) -> tuple[Column, NDArray[np.bool_]]:
        return self._moments.variance[keys], self._moments.count[keys] >= SPARSE_FROM

    def _learn(self, now: Judged, values: Column) -> None:
        lesson = self._learning.lesson(now.keys, now.minute, now.in_episode)
        self._ages.saw(now.keys[now.active], now.minute)
        is_taught = self._ratio.events(now.keys) >= _LEAST_EVENTS
        accepted = now.keys[lesson.is_accepted & is_taught]
        self._moments.mean[accepted] = values[lesson.is_accepted & is_taught]
        is_new = np.zeros(len(now.keys), np.bool_)
        is_new[now.active] = True
        taught = is_taught & is_new
        self._moments.learn(
            now.keys[taught], values[taught], rate=lesson.share[taught], clip=_CLIP, floor=_LEAST_DEVIATION
        )
