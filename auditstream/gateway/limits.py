"""Rates and quotas of credentials and tenants: how many events they may send a second and a day.

They are this process's own: several gateways each allow as much. Limits are the settings' unless the tenant's
reference labels say otherwise: `gateway_events_per_s` and `gateway_events_per_day` for the tenant, the same
with `/<credential id>` for one of its credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditstream.core.clock import Clock
from auditstream.core.logs import get_logger
from auditstream.gateway.credentials import Principal
from auditstream.gateway.problems import RefusedError

log = get_logger(__name__)

RATE_LABEL = "gateway_events_per_s"
QUOTA_LABEL = "gateway_events_per_day"
_BURST_S = 5.0
"""How many seconds' worth may come at once."""

_DAY_S = 86_400


@dataclass(slots=True)
class _Bucket:
    """What one credential or tenant has left.

    Attributes:
        tokens: Events that may come now; negative after a request larger than what was left, which is let in
            whole and paid for by the next ones.
        at_s: When that was.
        day: UTC day of `used`.
        used: Events of that day.
    """

    tokens: float
    at_s: float
    day: int = 0
    used: int = 0


class Limits:
    """Counts events and refuses what is too much; nothing of a request that is refused counts.

    Args:
        events_per_s: Rate of who has no own; 0 for none.
        events_per_day: Quota, likewise.
        clock: Tells the time.
    """

    def __init__(self, *, events_per_s: float, events_per_day: int, clock: Clock) -> None:
        self._per_s = events_per_s
        self._per_day = events_per_day
        self._clock = clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, principal: Principal, count: int) -> None:
        """Count events of a request.

        Raises:
            RefusedError: They are too many; says for how long.
        """
        held = self._held(principal)
        for who, bucket, rate, quota in held:
            self._check(who, bucket, count, rate=rate, quota=quota)
        for _, bucket, _, _ in held:
            bucket.tokens -= count
            bucket.used += count

    def give_back(self, principal: Principal, count: int) -> None:
        """Count events no more that were taken a moment ago: not accepted, or to be taken again."""
        for _, bucket, _, _ in self._held(principal):
            bucket.tokens += count
            bucket.used = max(0, bucket.used - count)  # they may have been yesterday's

    def _held(self, principal: Principal) -> list[tuple[str, _Bucket, float, float]]:
        """Return who is limited, with what they have left, their rate and their quota."""
        labels = principal.labels
        if not labels and not self._per_s and not self._per_day:
            return []
        whose = (("credential", principal.credential_id), ("tenant", principal.tenant_id))
        now_s = self._clock.now_s()
        held: list[tuple[str, _Bucket, float, float]] = []
        for kind, name in whose:
            suffix = f"/{name}" if kind == "credential" else ""
            rate = _number(labels, RATE_LABEL + suffix, self._per_s)
            quota = _number(labels, QUOTA_LABEL + suffix, self._per_day)
            if rate or quota:
                held.append((f"{kind} {name}", self._bucket((kind, name), rate, now_s), rate, quota))
        return held

    def _bucket(self, key: tuple[str, str], rate: float, now_s: float) -> _Bucket:
        full = rate * _BURST_S
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(full, now_s)
        bucket.tokens = min(full, bucket.tokens + max(0.0, now_s - bucket.at_s) * rate)
        bucket.at_s = now_s
        today = int(now_s // _DAY_S)
        if bucket.day != today:
            bucket.day, bucket.used = today, 0
        return bucket

    @staticmethod
    def _check(who: str, bucket: _Bucket, count: int, *, rate: float, quota: float) -> None:
        now_s = bucket.at_s
        if quota and bucket.used + count > quota:
            raise RefusedError(
                "quota_exceeded",
                f"{who} has sent {bucket.used:,} of {quota:,.0f} events of this day (UTC)",
                retry_after_s=_DAY_S - now_s % _DAY_S,
            )
        wanted = min(count, rate * _BURST_S)
        if rate and bucket.tokens < wanted:
            raise RefusedError(
                "rate_limited",
                f"{who} may send {rate:g} events a second",
                retry_after_s=(wanted - bucket.tokens) / rate,
            )


def _number(labels: Mapping[str, str], name: str, otherwise: float) -> float:
    text = labels.get(name)
    if text is None:
        return otherwise
    try:
        return max(0.0, float(text))
    except ValueError:
        log.warning("limit_is_no_number", label=name)
        return otherwise
