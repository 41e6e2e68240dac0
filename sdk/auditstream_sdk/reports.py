"""What a source says of itself: heartbeats, and an event for every range of events that was lost.

Both are `ai.source.heartbeat` without a number of their own, so that numbers stay those of what was recorded.
A report of a loss has `outcome` PARTIAL and these attributes: `lost.first` and `lost.last` (the `source_seq`
of the first and the last lost event), `lost.count`, `lost.reason`, `lost.exact` (`false` when the machine
lost its power: then no event above `lost.last` was recorded, and the last ones may never have been), and
`lost.detail` where more is known. Its id is derived from instance, range and reason: told again after a
crash, it is the same event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditstream_sdk.encoding import Event, Protect, attribute_text, encoded, time_text
from auditstream_sdk.ids import derived_id, new_id
from auditstream_sdk.pending import Gap
from auditstream_sdk.records import Kind, Record

EVENT_TYPE = "ai.source.heartbeat"
_LOSS_SEVERITY = 4  # OCSF: high


@dataclass(frozen=True)
class Reporter:
    """Writes the reports of one instance.

    Attributes:
        source: Its source.
        instance: Its id.
        started_ms: When it began, in milliseconds since 1970.
        interval_s: Interval of its heartbeats.
        defaults: Envelope fields that all its events have.
        protect: What every event goes through before it is written down.
    """

    source: str
    instance: str
    started_ms: int
    interval_s: float
    defaults: Mapping[str, Any]
    protect: Protect | None = None

    def heartbeat(self, now_ns: int, *, last: int, dropped: int, lag_us: int, number: int) -> Record:
        """Return the record of a heartbeat.

        Args:
            now_ns: When.
            last: Highest number recorded.
            dropped: Events lost so far.
            lag_us: Age of the oldest event that is not acknowledged.
            number: Number of the log so far.
        """
        event = self._event(new_id(now_ns // 1_000_000), now_ns, last, dropped, lag_us)
        return Record(Kind.HEARTBEAT, number, encoded(event))

    def loss(self, gap: Gap, *, dropped: int, number: int, is_exact: bool = True) -> Record:
        """Return the record of a loss.

        Args:
            gap: What was lost, when and why.
            dropped: Events lost so far, these included.
            number: Number of the log after it.
            is_exact: Whether every number of the range was recorded.
        """
        event_id = derived_id(self.started_ms, self.instance, gap.first, gap.last, gap.reason)
        event = self._event(event_id, gap.since_ns, gap.last, dropped, 0)
        event["outcome"] = "PARTIAL"
        event["severity"] = _LOSS_SEVERITY
        event["attributes"] = {
            **event.get("attributes", {}),
            "lost.first": str(gap.first),
            "lost.last": str(gap.last),
            "lost.count": str(gap.count),
            "lost.reason": gap.reason,
            "lost.exact": "true" if is_exact else "false",
        }
        if gap.detail:
            event["attributes"]["lost.detail"] = gap.detail
        return Record(Kind.LOSS, number, encoded(event), gap.count)

    def _event(self, event_id: str, at_ns: int, last: int, dropped: int, lag_us: int) -> Event:
        beat = {
            "interval_us": round(self.interval_s * 1_000_000),
            "last_seq": last,
            "dropped": dropped,
            "lag_us": lag_us,
        }
        try:
            event = self._with(self._kept(), event_id, at_ns, beat)
            given = dict(event if self.protect is None else self.protect(event))
            encoded(given)
        except Exception:  # noqa: BLE001  a report is told in any case; what may name a person stays behind
            tenant = self.defaults.get("tenant_id")
            kept = {"tenant_id": tenant} if isinstance(tenant, str) else {}
            return self._with(kept, event_id, at_ns, beat)
        return given

    def _kept(self) -> dict[str, Any]:
        """Return the defaults as events have them."""
        kept = {name: value for name, value in self.defaults.items() if value is not None}
        if "attributes" in kept:
            kept["attributes"] = {name: attribute_text(value) for name, value in kept["attributes"].items()}
        return kept

    def _with(self, kept: Mapping[str, Any], event_id: str, at_ns: int, beat: Mapping[str, Any]) -> Event:
        return {
            "event_id": event_id,
            "event_type": EVENT_TYPE,
            "event_time": time_text(at_ns),
            "source": self.source,
            "source_instance": self.instance,
            **kept,
            "outcome": "SUCCESS",
            "heartbeat": beat,
        }
