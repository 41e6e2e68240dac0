"""`guardrail.deny_burst` of hours: a policy has become stricter where it decides too rarely for five minutes.

What a quarter of an hour brought is put together over an hour and over six, and held against the key's own
past as bursts are (`unusual_share`): a share of refusals that went from 2 % to 12 % at a decision every two
minutes is a refusal in a quarter, and one in a million in three hours.

Of a key for which policies decide, what counts is the share of their decisions: nobody asked them about steps
and calls, and how many of these a turn takes says nothing of a policy. What refuses by itself, as a provider
does, has decided too. Of a key for which nobody is known to decide, it is the share of all events.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.ages import Ages
from auditstream.detection.blocks import ArrayBlock, Blocks
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
minutes. How much a share varies is learnt of blocks of the same lengths: what varies from quarter to quarter
is no matter of six hours, and of a quarter's few decisions it cannot be told from chance."""

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


_NAMES = ("blocked", "events", "blocked_decisions", "decisions")
"""Of a bucket's values: what was refused, of all; and of what policies decided."""


class _Deciders(ArrayBlock):
    """Keys for which a policy has decided."""

    ARRAYS = ("decide",)

    def __init__(self) -> None:
        self.decide: NDArray[np.bool_] = np.zeros(0, np.bool_)


class DenyRise(Blocks):
    """Shares of refusals by key that are higher for hours."""

    slug = "guardrail.deny_burst"
    metric = "blocked_share_6h"
    version = "2"
    family = "burst"

    def __init__(self) -> None:
        """Begin without keys."""
        self._ages = Ages()
        self._gathering = Gathering(_QUARTER, len(_NAMES))
        self._deciders = _Deciders()
        self._share = UnusualShare(
            _WINDOWS, _HALF_LIFE, minutes=_QUARTER, blocks=_WINDOWS, prior=_PRIOR, waits=True, doubt=_DOUBT
        )
        self._learning = Learning(rebaselines=False)
        self._told = LastTold()
        super().__init__(
            ages=self._ages,
            gathering=self._gathering,
            deciders=self._deciders,
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
        closed = self._gathering.put(bucket, _NAMES)
        judged = [self._judge(each, episodes, in_episode) for each in closed]
        keys = np.unique(np.concatenate([episodes, *judged])).astype(np.int32)
        return worth_telling(self._told.scores(keys, self._ages.tiers(keys, bucket.start)), in_episode[keys])

    def _judge(self, gathered: Gathered, episodes: Keys, in_episode: NDArray[np.bool_]) -> Keys:
        """Judge a quarter and return the keys that were."""
        minute = gathered.slot * _QUARTER
        keys = np.union1d(gathered.keys, episodes).astype(np.int32)
        quarter = self._asked(gathered)
        active = np.searchsorted(keys, quarter.keys)
        lesson = self._learning.lesson(keys, minute, in_episode[keys])
        found, told = self._share.judge(quarter, keys, lesson.share), self._told
        is_old = (minute - self._ages.first[keys] >= _PAST) & self._share.is_known(keys)
        told.level[keys] = np.where(is_old, found.level, 0.0)
        told.observed[keys], told.expected[keys] = found.observed, found.usual
        self._share.learn(quarter, found.usual[active], lesson.share[active])
        return keys

    def _asked(self, gathered: Gathered) -> Tick:
        """Return what was refused of what could have been, of keys that had any of it."""
        keys, (blocked, events, by_policies, decisions) = gathered.keys, gathered.sums.T
        begins = (decisions > 0) & ~self._deciders.decide[keys]
        self._share.begin_anew(keys[begins])  # its past is of events
        self._deciders.decide[keys[begins]] = True
        decided = decisions + blocked - by_policies
        trials = np.where(self._deciders.decide[keys], decided, events)
        has_any = trials > 0
        return Tick(gathered.slot, keys[has_any], blocked[has_any], trials[has_any])
