"""How oddly one number a key behaves: its opinions, agreed, once the key has been seen for long enough."""

from __future__ import annotations

import numpy as np

from auditstream.detection.agreement import Agreement
from auditstream.detection.blocks import Blocks
from auditstream.detection.detector import Column, Keys
from auditstream.detection.opinions import THRESHOLDS, Opinions
from auditstream.detection.pace import Pace

_WARM_UP_MINUTES = 1_000
"""Time of values after which a key is judged: 200 buckets of five minutes."""

_WARM_UP_BUCKETS = 30
"""Buckets after which it is judged at the earliest: the tail of a tenth of them is three values."""

_OWN_LEVEL = 0.01
"""Share of its history that an accepted level is given: enough to be no rarity any more."""


class Shape(Blocks):
    """The level of one number a key; from 1 on its shape is odd."""

    def __init__(self, pace: Pace) -> None:
        """Begin without keys."""
        self._warm_up = max(_WARM_UP_BUCKETS, _WARM_UP_MINUTES / pace.minutes)
        self._opinions = Opinions(pace)
        self._agreement = Agreement(len(THRESHOLDS))
        super().__init__(opinions=self._opinions, agreement=self._agreement)

    def observe(self, keys: Keys, values: Column, tick: int, minute: int, rate: Column) -> Column:
        """Return the level of each key in a bucket, then learn from it; 0 before it is judged.

        Args:
            keys: Each at most once.
            values: A finite value each.
            tick: Number of the bucket, larger than those before.
            minute: Its start, in minutes since 1970.
            rate: Share of a whole lesson: a tenth during an episode.
        """
        is_warm = self._opinions.sightings.count[keys] >= self._warm_up
        shares = self._opinions.observe(keys, values, tick, minute, rate)
        return np.where(is_warm, self._agreement.level(keys, shares), 0.0)

    def expected(self, keys: Keys) -> Column:
        """Return the means of keys."""
        return self._opinions.moments.mean[keys]

    def accept(self, keys: Keys, tick: int, minute: int) -> None:
        """Take what keys did last for what they do."""
        self._opinions.accept(keys, tick, minute, _OWN_LEVEL)
