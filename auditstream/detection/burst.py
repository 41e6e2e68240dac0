"""`guardrail.deny_burst` and `error.burst`: more of a key's events are refused, or fail, than chance allows.

k of n in the last five minutes are held against what the key's share was, and against how much it has varied:
the tail of a beta-binomial (`unusual_share`). A new key borrows its tenant's share, so it is usable at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.ages import Ages
from auditstream.detection.blocks import Blocks
from auditstream.detection.detector import Bucket, Keys, Scores
from auditstream.detection.judged import judged, worth_telling
from auditstream.detection.learning import Learning
from auditstream.detection.unusual_share import Tick, UnusualShare

_MINUTES = 5
"""Minutes that are looked at: somebody who tries prompts sends several in them."""

_HALF_LIFE = 1_440.0
"""Minutes after which what was counted weighs half: yesterday's share is as good as today's."""


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
        self._share = UnusualShare([_MINUTES], _HALF_LIFE)
        self._learning = Learning(rebaselines=rebaselines)
        super().__init__(ages=self._ages, share=self._share, learning=self._learning)

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the key, a tenant's, whose share counts for that of each key while it is young."""
        self._share.adopt(keys, parents)

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge a minute, then learn from it."""
        now = judged(self.slug, bucket, in_episode)
        minute = Tick(now.minute, bucket.keys, bucket.values[self._hits], bucket.values["events"])
        lesson = self._learning.lesson(now.keys, now.minute, now.in_episode)
        found = self._share.judge(minute, now.keys, lesson.share)
        scores = Scores(
            keys=now.keys,
            level=found.level,
            score=found.score,
            observed=found.observed,
            expected=found.usual,
            excess=np.zeros(len(now.keys)),
            tier=self._ages.tiers(now.keys, now.minute),
        )
        self._share.learn(minute, found.usual[now.active], lesson.share[now.active])
        self._share.accept(now.keys[lesson.is_accepted], found.observed[lesson.is_accepted])
        self._ages.saw(bucket.keys, now.minute)
        return worth_telling(scores, now.in_episode)


def deny_burst() -> Burst:
    """Return the detector of events that guardrails refuse; refusals do not become usual by going on."""
    return Burst("guardrail.deny_burst", "blocked_share", "blocked", rebaselines=False)


def error_burst() -> Burst:
    """Return the detector of events that fail."""
    return Burst("error.burst", "failed_share", "failures", rebaselines=True)
