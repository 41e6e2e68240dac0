"""`guardrail.deny_burst` and `error.burst`: more of a key's events are refused, or fail, than chance allows.

k of n in the last five minutes are held against what the key's share was, and against how much it has varied:
the tail of a beta-binomial. A key that has hardly any history borrows its tenant's, so it is usable at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.ages import Ages
from auditstream.detection.beta_binomial import tail_digits
from auditstream.detection.blocks import ArrayBlock, Blocks
from auditstream.detection.detector import COOL, Bucket, Column, Keys, Scores
from auditstream.detection.judged import Judged, judged, worth_telling
from auditstream.detection.learning import Learning
from auditstream.detection.minute_sums import MinuteSums
from auditstream.detection.parents import Parents

_MINUTES = 5
"""Minutes that are looked at: somebody who tries prompts sends several in them."""

_HALF_LIFE = 1_440.0
"""Minutes after which what was counted weighs half: yesterday's share is as good as today's."""

_DIGITS = 6.0
"""-log10 of the chance from which on it fires: once a million windows, some years of a key."""

_LEAST = 5.0
"""Events refused, at least: one user who retries twice is no burst."""

_TIMES = 2.0
"""Times the usual share, at least: with many events, a share that is a little higher is as unlikely."""

_PRIOR_WEIGHT = 200.0
"""Events that the tenant's share counts as: a key's own counts for half after 200."""

_UNKNOWN_SHARE = 0.02
"""Share of a tenant that is not known yet: most refuse less, and one that refuses more is told of once."""

_LEAST_SHARE = 1e-4
"""Share that a key which never had one is held against: one of 10,000 must not be impossible."""

_CLIP = 4.0
"""Deviations beyond which a minute is learnt as being there."""

_LEAST_WEIGHT = 10.0
"""Trials that an expectation is worth at least: below, no share would be unlikely any more."""


class Minute(NamedTuple):
    """What keys did in a minute.

    Attributes:
        minute: Minutes since 1970.
        hits: Events refused.
        events: Events.
        share: Share of an update that each key teaches.
    """

    minute: int
    hits: Column
    events: Column
    share: Column


class _Counts(ArrayBlock):
    """Decayed counts of a key, and how much its minutes varied."""

    ARRAYS = ("hits", "events", "excess", "pairs", "_last")

    def __init__(self) -> None:
        self.hits = np.zeros(0)
        self.events = np.zeros(0)
        self.excess = np.zeros(0)  # of squared distances over what independent events make
        self.pairs = np.zeros(0)  # n (n - 1) p (1 - p): what that would be if all of a minute were alike
        self._last: NDArray[np.int32] = np.zeros(0, np.int32)

    def learn(self, keys: Keys, minute: Minute, usual: Column) -> None:
        """Take in what keys did in a minute, refused events at most `_CLIP` deviations from the usual."""
        hits, events, share = minute.hits, minute.events, minute.share
        spread = usual * (1 - usual)
        deviation = np.sqrt(events * spread * (1 + np.maximum(events - 1, 0) * self.correlation(keys, usual)))
        clipped = np.minimum(hits, events * usual + np.maximum(_CLIP * deviation, 1.0))
        left = self.left(keys, minute.minute)
        # How much a share varies is learnt outside of episodes alone: a new level is not a varying one.
        calm = np.where((share >= 1) & (events > 1), 1.0, 0.0)
        for sums, more in (
            (self.excess, calm * ((clipped - events * usual) ** 2 - events * spread)),
            (self.pairs, calm * (events * (events - 1) * spread)),
            (self.hits, share * clipped),
            (self.events, share * events),
        ):
            sums[keys] = sums[keys] * left + more
        self._last[keys] = minute.minute

    def left(self, keys: Keys, minute: int) -> Column:
        """Return what is left of sums by a minute."""
        left: Column = np.exp2((self._last[keys] - minute) / _HALF_LIFE)
        return left

    def shares(self, keys: Keys) -> tuple[Column, NDArray[np.bool_]]:
        """Return the share of each key, and whether there were enough events to lend it to others."""
        hits, events = self.hits[keys], self.events[keys]
        return np.divide(hits, events, out=np.zeros(len(keys)), where=events > 0), events >= _PRIOR_WEIGHT

    def correlation(self, keys: Keys, usual: Column) -> Column:
        """Return how much two events of one minute are alike, from 0 to 1: the overdispersion.

        It begins as if a minute of `_PRIOR_WEIGHT` events had been seen that had nothing in common.
        """
        pairs = self.pairs[keys] + _PRIOR_WEIGHT**2 * usual * (1 - usual)
        return np.clip(self.excess[keys] / pairs, 0.0, 1.0)


class Burst(Blocks):
    """Bursts of one of the outcomes of events."""

    version = "1"
    family = "burst"

    def __init__(self, slug: str, metric: str, hits: str, *, rebaselines: bool) -> None:
        """Begin without keys.

        Args:
            slug: Id of the detector.
            metric: What it watches.
            hits: Name of the bucket's sum of such events.
            rebaselines: Whether a share that lasts for a day is accepted.
        """
        self.slug, self.metric, self._hits = slug, metric, hits
        self._ages = Ages()
        self._recent_hits, self._recent_events = MinuteSums(_MINUTES), MinuteSums(_MINUTES)
        self._counts = _Counts()
        self._parents = Parents()
        self._learning = Learning(rebaselines=rebaselines)
        super().__init__(
            ages=self._ages,
            hits=self._recent_hits,
            events=self._recent_events,
            counts=self._counts,
            parents=self._parents,
            learning=self._learning,
        )

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the key, a tenant's, whose share counts for that of each key while it is young."""
        self._parents.adopt(keys, parents)

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge a minute, then learn from it."""
        now = judged(self.slug, bucket, in_episode)
        hits, events = bucket.values[self._hits], bucket.values["events"]
        self._recent_hits.put(bucket.keys, hits, now.minute)
        self._recent_events.put(bucket.keys, events, now.minute)
        usual, weight = self._expectation(now.keys, now.minute)
        k = self._recent_hits.total(now.keys, now.minute)
        n = self._recent_events.total(now.keys, now.minute)
        scores = self._scores(now, k, n, usual, weight)
        lesson = self._learning.lesson(now.keys, now.minute, now.in_episode)
        minute = Minute(now.minute, hits, events, lesson.share[now.active])
        self._counts.learn(bucket.keys, minute, usual[now.active])
        self._accept(now.keys[lesson.is_accepted], k[lesson.is_accepted], n[lesson.is_accepted])
        self._ages.saw(bucket.keys, now.minute)
        return worth_telling(scores, now.in_episode)

    def _expectation(self, keys: Keys, minute: int) -> tuple[Column, Column]:
        """Return the usual share, and how many trials it is worth."""
        counts = self._counts
        left = counts.left(keys, minute)
        lent = self._parents.lent(keys, counts.shares, _UNKNOWN_SHARE)
        known = counts.events[keys] * left + _PRIOR_WEIGHT
        usual = (counts.hits[keys] * left + _PRIOR_WEIGHT * lent) / known
        usual = np.clip(usual, _LEAST_SHARE, 1 - _LEAST_SHARE)
        correlation = np.maximum(counts.correlation(keys, usual), 1 / (known + 1))
        return usual, np.maximum(1 / correlation - 1, _LEAST_WEIGHT)

    def _scores(self, now: Judged, k: Column, n: Column, usual: Column, weight: Column) -> Scores:
        observed = np.divide(k, n, out=np.zeros(len(k)), where=n > 0)
        level = np.minimum(k / _LEAST, observed / (_TIMES * usual))
        score = np.zeros(len(k))
        # The tail costs a sum: it is taken where the other conditions leave something to say.
        close = np.flatnonzero((level >= COOL) & (k <= n))
        score[close] = tail_digits(np.round(k[close]), np.round(n[close]), usual[close], weight[close])
        return Scores(
            keys=now.keys,
            level=np.minimum(level, score / _DIGITS),
            score=score,
            observed=observed,
            expected=usual,
            excess=np.zeros(len(k)),
            tier=self._ages.tiers(now.keys, now.minute),
        )

    def _accept(self, keys: Keys, k: Column, n: Column) -> None:
        """Take the share of now for the keys' own: as sure as they were of the old one."""
        share = np.divide(k, n, out=np.zeros(len(k)), where=n > 0)
        self._counts.hits[keys] = share * self._counts.events[keys]


def deny_burst() -> Burst:
    """Return the detector of events that guardrails refuse; refusals do not become usual by going on."""
    return Burst("guardrail.deny_burst", "blocked_share", "blocked", rebaselines=False)


def error_burst() -> Burst:
    """Return the detector of events that fail."""
    return Burst("error.burst", "failed_share", "failures", rebaselines=True)
