"""Every use of the record is told of before it happens, or kept locally meanwhile, or refused."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from auditstream.core.errors import RetryableError
from auditstream.core.ids import uuid7
from auditstream.emit.access_events import SPOOL_REPORT
from auditstream.emit.access_spool import Spool, Spooled
from auditstream.emit.announcements import Said, announcement
from schemas.codec import decode, encode_datum
from schemas.packaged import schema_json

Event = Mapping[str, Any]

_SPOOL_INTERVAL_US = 0  # a spool reports when it is emptied, at no interval


class AccessNotRecordedError(RetryableError):
    """No event could tell of an act, so it was not done."""

    code = "access_not_recorded"
    hint = (
        "Nothing was read or changed: every use of the record is an event first. Run it again when Kafka and "
        "the registry answer (`auditstream doctor`); AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY=spool keeps the "
        "events in a local file instead."
    )


class AccessRecord:
    """Tells of acts before they are done.

    Args:
        announce: Sends events and returns once they are acknowledged; raises `RetryableError`.
        spool: Where events wait while nobody acknowledges them; None to refuse the act instead.
    """

    def __init__(self, announce: Callable[[Sequence[Event]], object], spool: Spool | None = None) -> None:
        self._announce = announce
        self._spool = spool

    def tell(self, events: Sequence[Event]) -> None:
        """Return once the events are acknowledged, or kept; only then may the act go on.

        What was kept earlier goes first.

        Raises:
            AccessNotRecordedError: Neither.
        """
        try:
            if self._spool is None or self._spool.is_empty:
                self._announce(events)
            else:
                with self._spool.drained() as waiting:
                    self._announce([*_events_of(waiting), *events])
        except RetryableError as error:
            self._keep(events, error)

    def _keep(self, events: Sequence[Event], cause: RetryableError) -> None:
        if self._spool is None:
            raise AccessNotRecordedError(
                f"not done, because no event tells of it: {cause.message}"
            ) from cause
        try:
            self._spool.append([encode_datum(event, "audit_event") for event in events])
        except (RetryableError, OSError) as error:
            raise AccessNotRecordedError(f"not done, because no event tells of it: {error}") from error


def _events_of(waiting: Spooled) -> list[Event]:
    """Return the events that waited, and the one that says how many did."""
    schema = schema_json("audit_event")
    events: list[Event] = [decode(record, schema) for record in waiting.records]
    if not events and not waiting.torn:
        return []
    return [*events, _report(waiting, events)]


def _report(waiting: Spooled, events: Sequence[Event]) -> Event:
    """Return the event about a spool; sent twice, it is the same event."""
    digest = hashlib.sha256(b"".join(waiting.records) + bytes([waiting.torn])).digest()
    at = events[-1]["event_time"] if events else datetime.now(UTC)
    said = Said(by="access-spool", actor=socket.gethostname(), at=at, actor_type="SERVICE")
    report = announcement(
        SPOOL_REPORT,
        said,
        heartbeat={
            "interval_us": _SPOOL_INTERVAL_US,
            "last_seq": len(events),
            "dropped": waiting.torn,
        },
        attributes={
            "spooled": str(len(events)),
            "cut_off": str(waiting.torn),
            "from": events[0]["event_time"].isoformat() if events else "",
            "to": at.isoformat(),
        },
    )
    return report | {"event_id": uuid7(int(at.timestamp() * 1_000), digest[:10])}
