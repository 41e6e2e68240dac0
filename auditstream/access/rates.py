"""How often each principal may ask: a bucket each, which fills again as time passes."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from auditstream.access.principal import Principal
from auditstream.core.clock import Clock
from auditstream.core.errors import RetryableError

_BURST_S = 10.0
"""How many seconds' worth may come at once: a page of the console asks some ten questions in one go."""

_MOST_BUCKETS = 10_000
"""Principals that are remembered; a full bucket is the same as none, so that the oldest can be forgotten."""


class TooManyRequestsError(RetryableError):
    """A principal asks more often than their role may."""

    code = "rate_limited"
    hint = "Wait as long as Retry-After says."


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Rates:
    """Counts the requests of principals; any thread may ask. They are this process's own.

    Args:
        clock: Tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, who: Principal) -> None:
        """Count a request.

        Raises:
            TooManyRequestsError: There were too many; says when the next may come.
        """
        rate = who.limits.requests_per_s
        most, now_s = rate * _BURST_S, self._clock.now_s()
        with self._guard:
            bucket = self._buckets.pop(who.id, None) or _Bucket(most, now_s)
            bucket.tokens = min(most, bucket.tokens + rate * max(0.0, now_s - bucket.at_s))
            bucket.at_s = now_s
            self._buckets[who.id] = bucket  # the last in order: the first is the one that asked longest ago
            if len(self._buckets) > _MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            if bucket.tokens < 1:
                raise TooManyRequestsError(
                    f"more than {rate:g} requests a second", retry_after_s=(1 - bucket.tokens) / rate
                )
            bucket.tokens -= 1
