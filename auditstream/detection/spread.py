"""`credential.many_networks`, `credential.many_countries`: more places than one holder of a key is at.

The places of an hour are counted over all logs of the tenant, and held against a number that is odd for
anybody and against twice what is usual for the key: a fleet that runs everywhere is learnt as one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.acquaintances import HOUR
from auditstream.detection.ages import Ages
from auditstream.detection.blocks import ArrayBlock, Blocks
from auditstream.detection.detector import Bucket, Column, Keys, Scores
from auditstream.detection.judged import judged, worth_telling
from auditstream.detection.learning import Learning

_TIMES = 2.0
"""Times what is usual, at least."""

_HALF_LIFE = 7 * 24.0
"""Hours after which what was usual counts for half: what a key does on weekdays is still known on Monday."""


class _Usual(ArrayBlock):
    """The most places of an hour, once another one is over: an attack that begins teaches nothing."""

    ARRAYS = ("_usual", "_before", "_now", "_hour")

    def __init__(self) -> None:
        self._usual = np.zeros(0)
        self._before = np.zeros(0)
        self._now = np.zeros(0)
        self._hour: NDArray[np.int32] = np.zeros(0, np.int32)

    def most(self, keys: Keys, hour: int) -> Column:
        """Return what is usual as of an hour, and turn to it."""
        passed = hour - self._hour[keys]
        left = np.exp2(-np.minimum(passed, 10_000) / _HALF_LIFE)
        learnt = np.where(
            passed > 0, np.maximum(self._usual[keys] * left, self._before[keys]), self._usual[keys]
        )
        learnt = np.where(passed > 1, np.maximum(learnt, self._now[keys]), learnt)
        before = np.where(passed == 1, self._now[keys], self._before[keys])
        self._usual[keys] = learnt
        self._before[keys] = np.where(passed > 1, 0.0, before)
        self._now[keys] = np.where(passed > 0, 0.0, self._now[keys])
        self._hour[keys] = hour
        return learnt

    def learn(self, keys: Keys, places: Column) -> None:
        """Note places of the hour."""
        self._now[keys] = np.maximum(self._now[keys], places)

    def accept(self, keys: Keys, places: Column) -> None:
        """Take places as usual from now on."""
        self._usual[keys] = places


class Spread(Blocks):
    """Places of credentials, of one kind."""

    version = "1"
    family = "spread"

    def __init__(self, slug: str, kind: str, least: float) -> None:
        """Begin without keys.

        Args:
            slug: Id of the detector.
            kind: Kind of place.
            least: Places of an hour from which on it fires.
        """
        self.slug, self.metric, self._least = slug, f"{kind}_1h", least
        self._ages = Ages()
        self._usual = _Usual()
        self._learning = Learning()
        super().__init__(ages=self._ages, usual=self._usual, learning=self._learning)

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge a minute, then learn from it."""
        now = judged(self.slug, bucket, in_episode)
        told = bucket.values.get(self.metric)
        places = now.spread(np.zeros(len(bucket.keys)) if told is None else told)
        usual = self._usual.most(now.keys, now.minute // HOUR)
        level = places / np.maximum(self._least, _TIMES * usual)
        lesson = self._learning.lesson(now.keys, now.minute, now.in_episode)
        calm = ~now.in_episode & (level < 1)
        self._usual.learn(now.keys[calm], places[calm])
        self._usual.accept(now.keys[lesson.is_accepted], places[lesson.is_accepted])
        scores = Scores(
            keys=now.keys,
            level=level,
            score=places,
            observed=places,
            expected=usual,
            excess=np.zeros(len(now.keys)),
            tier=self._ages.tiers(now.keys, now.minute),
        )
        self._ages.saw(bucket.keys, now.minute)
        return worth_telling(scores, now.in_episode)


def many_networks() -> Spread:
    """Return the detector of networks (autonomous systems): four in an hour."""
    return Spread("credential.many_networks", "network", 4.0)


def many_countries() -> Spread:
    """Return the detector of countries: three in an hour."""
    return Spread("credential.many_countries", "country", 3.0)
