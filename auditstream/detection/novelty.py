"""`entity.first_seen` of a credential: it does two things at once that it has never done, as a thief does.

A key that is used from another place, by another client, for another tool or model was released, or stolen.
One of these alone happens with every release: two of them within an hour, or another country, are told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.acquaintances import KINDS
from auditstream.detection.ages import Ages
from auditstream.detection.blocks import ArrayBlock, Blocks
from auditstream.detection.detector import Bucket, Column, Scores
from auditstream.detection.judged import judged, worth_telling
from auditstream.detection.traits import FIRST_SEEN

_FACTS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("country",), 1.0),
    (("network", "block"), 0.5),
    (("user_agent",), 0.5),
    (("tool", "model"), 0.5),
)
"""What is one fact, however many of its kinds tell it, and what it is worth: a sum of 1 fires."""

_LEAST_EVENTS = 1_000.0
"""Events of a key before anything is told of it: what it does seldom was not seen before."""


class _Events(ArrayBlock):
    """Events by key."""

    ARRAYS = ("total",)

    def __init__(self) -> None:
        self.total = np.zeros(0)


class Novelty(Blocks):
    """News of credentials."""

    slug = FIRST_SEEN
    metric = "new_names_1h"
    version = "1"
    family = "novelty"

    def __init__(self) -> None:
        """Begin without keys."""
        self._ages = Ages()
        self._events = _Events()
        super().__init__(ages=self._ages, events=self._events)

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge a minute, then learn from it."""
        now = judged(self.slug, bucket, in_episode)
        self._events.total[bucket.keys] += bucket.values["events"]
        nothing = np.zeros(len(bucket.keys))
        news = {kind: bucket.values.get(f"new_{kind}", nothing) for kind in KINDS}
        score: Column = sum(
            (worth * np.any([news[kind] > 0 for kind in kinds], axis=0) for kinds, worth in _FACTS), nothing
        )
        score = now.spread(score) * (self._events.total[now.keys] >= _LEAST_EVENTS)
        scores = Scores(
            keys=now.keys,
            level=score,
            score=score,
            observed=now.spread(sum(news.values(), nothing)),
            expected=np.zeros(len(now.keys)),
            excess=np.zeros(len(now.keys)),
            tier=self._ages.tiers(now.keys, now.minute),
        )
        self._ages.saw(bucket.keys, now.minute)
        return worth_telling(scores, now.in_episode)
