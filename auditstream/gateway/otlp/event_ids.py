"""Ids of events that OpenTelemetry reports: derived, so that an exporter's second try is a duplicate.

UUIDv7 layout: the 48-bit time is that of the span (or record), the other 74 bits are of a SHA-256. For a span
the hash is over trace id and span id; for an event inside a span also over its place there; for a log record,
which has no id of its own, over the record and its resource as sent.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from auditstream.core.ids import uuid7

_NANOS_PER_MS = 1_000_000


def span_event_id(trace_id: bytes, span_id: bytes, start_ns: int, place: int | None = None) -> UUID:
    """Return the id of a span's event, or of the event at a place inside the span.

    Args:
        trace_id: 16 bytes.
        span_id: 8 bytes.
        start_ns: When the span began, in nanoseconds since the epoch.
        place: Place among the span's events, from 0.
    """
    suffix = b"" if place is None else place.to_bytes(4, "big")
    return uuid7(start_ns // _NANOS_PER_MS, hashlib.sha256(trace_id + span_id + suffix).digest()[:10])


def record_event_id(record: bytes, resource: bytes, time_ns: int) -> UUID:
    """Return the id of a log record's event.

    Args:
        record: The record, serialised the same way each time.
        resource: Its resource, likewise.
        time_ns: Its time, in nanoseconds since the epoch.
    """
    length = len(record).to_bytes(8, "big")
    return uuid7(time_ns // _NANOS_PER_MS, hashlib.sha256(length + record + resource).digest()[:10])
