"""`guardrail.deny_burst` of hours: a policy has become stricter where it decides too rarely for five minutes.

What a quarter of an hour brought is put together over an hour and over six, and held against the key's own
past as bursts are (`unusual_share`): a share of refusals that went from 2 % to 12 % at a decision every two
minutes is a refusal in a quarter, and one in a million in three hours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.ages import Ages
from auditstream.detection.blocks import Blocks
from auditstream.detection.detector import Bucket, Keys, Scores
from auditstream.detection.gathering import Gathered, Gathering
from auditstream.detection.judged import worth_telling
from auditstream.detection.last_told import LastTold
from auditstream.detection.learning import Learning
from auditstream.detection.unusual_share import Tick, UnusualShare

_QUARTER = 15
"""Minutes that are gathered: 24 sums stand for six hours, and what takes hours need not be told sooner."""

_WINDOWS = (4, 24)
"""Quarters that are looked at together: one hour, and six, which have 180 decisions if one comes every two
minutes."""

_HALF_LIFE = 3 * 96.0
"""Quarters after which what was counted weighs half: three days, so that hours of something new are a small
part of it."""

_PRIOR = 20.0
"""Events that the tenant's share counts as: a tenth of the least past that a key is judged by."""

_DOUBT = 1.0
"""Deviations that chance makes, by which a share must vary more to be taken for one that varies: a few
refusals a day vary much by chance alone."""

_PAST = 1_440
"""Minutes since a key was first seen before it is judged: its past has a day and a night."""


class DenyRise(Blocks):
    """Shares of refusals by key that are higher for hours."""

    slug = "guardrail.deny_burst"
    metric = "blocked_share_6h"
    version = "1"
    family = "burst"

    def __init__(self) -> None:
        """Begin without keys."""
        self._ages = Ages()
        self._gathering = Gathering(_QUARTER, 2)
        self._share = UnusualShare(_WINDOWS, _HALF_LIFE, prior=_PRIOR, waits=True, doubt=_DOUBT)
        self._learning = Learning(rebaselines=False)
        self._told = LastTold()
        super().__init__(
            ages=self._ages,
            gathering=self._gathering,
            share=self._share,
            learning=self._learning,
            told=self._told,
        )

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the key, a tenant's, whose share counts for that of each key while it is young."""
        self._share.adopt(keys, parents)

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Take a minute in; where it closes a quarter of an hour, judge that, then learn from it."""
        self._ages.saw(bucket.keys, bucket.start, bucket.minutes)
        episodes = np.flatnonzero(in_episode).astype(np.int32)
        closed = self._gathering.put(bucket, ("blocked", "events"))
        judged = [self._judge(each, episodes, in_episode) for each in closed]
        keys = np.unique(np.concatenate([episodes, *judged])).astype(np.int32)
        return worth_telling(self._told.scores(keys, self._ages.tiers(keys, bucket.start)), in_episode[keys])

    def _judge(self, gathered: Gathered, episodes: Keys, in_episode: NDArray[np.bool_]) -> Keys:
        """Judge a quarter and return the keys that were."""
        minute = gathered.slot * _QUARTER
        keys = np.union1d(gathered.keys, episodes).astype(np.int32)
        active = np.searchsorted(keys, gathered.keys)
        quarter = Tick(gathered.slot, gathered.keys, gathered.sums[:, 0], gathered.sums[:, 1])
        lesson = self._learning.lesson(keys, minute, in_episode[keys])
        found, told = self._share.judge(quarter, keys, lesson.share), self._told
        is_old = (minute - self._ages.first[keys] >= _PAST) & self._share.is_known(keys)
        told.level[keys] = np.where(is_old, found.level, 0.0)
        told.observed[keys], told.expected[keys] = found.observed, found.usual
        self._share.learn(quarter, found.usual[active], lesson.share[active])
        return keys
