"""Each delta once, and which segments of a log are finished.

Segments of a log are published one after the other, each acknowledged before the next begins, but a worker
that froze and woke may publish a part of an old one again, and within a segment the order is any. So a part
of an earlier segment than the newest has been seen; one of the newest is told by its tenant and number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.detecting.delta import Delta
from streams.detecting.event_time import NEVER, EventTime


@dataclass(slots=True)
class _Newest:
    """The newest segment of a log; it is finished when a later one, or a heartbeat behind it, is there."""

    index: int = -1
    watermark_us: int = NEVER
    recorded_until_us: int = NEVER
    seen: set[tuple[str, int]] = field(default_factory=set)


class LogOrder:
    """Lets each delta through once, and tells event time of finished segments.

    Args:
        time: Event time of the partition.
    """

    def __init__(self, time: EventTime) -> None:
        self._time = time
        self._newest: dict[str, _Newest] = {}

    def admits(self, delta: Delta) -> bool:
        """Return whether a delta is to be applied, and note that it was; a heartbeat never is."""
        self._time.hear(delta.log_id, delta.written_us)
        newest = self._newest.setdefault(delta.log_id, _Newest())
        if delta.index > newest.index:
            self._finish(delta.log_id, newest)
            newest.index, newest.seen = delta.index, set()
            newest.watermark_us = newest.recorded_until_us = NEVER
        if delta.is_heartbeat:
            # What it says of the end of the log was true when it was said, whenever it comes.
            self._time.record(delta.log_id, delta.recorded_until_us)
            return False
        if delta.index < newest.index or (delta.tenant_id, delta.part) in newest.seen:
            return False
        newest.seen.add((delta.tenant_id, delta.part))
        newest.watermark_us, newest.recorded_until_us = delta.watermark_us, delta.recorded_until_us
        return True

    def state(self) -> dict[str, Any]:
        """Return everything that is remembered, as JSON takes it."""
        return {
            name: [each.index, each.watermark_us, each.recorded_until_us, sorted(each.seen)]
            for name, each in sorted(self._newest.items())
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._newest = {
            name: _Newest(index, watermark_us, until_us, {(tenant, part) for tenant, part in seen})
            for name, (index, watermark_us, until_us, seen) in state.items()
        }

    def _finish(self, log_id: str, newest: _Newest) -> None:
        if newest.watermark_us > NEVER:
            self._time.advance(log_id, newest.watermark_us, newest.recorded_until_us)
