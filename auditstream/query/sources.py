"""Sources that number their events and send heartbeats: numbers that never came, heartbeats that stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from auditstream.detection.sources import Gap, Pulse
from auditstream.query.reader import Reader
from sinks.expressions import time_text

MOST_GAPS = 1_000
"""Gaps that are told at most: of more, a table is no place to read them."""

_ANY = "SELECT 1 FROM events WHERE source = {source:String} AND leaf_kind = 0 LIMIT 1"
# A number that is missing is told by the next one that came, or by a heartbeat that names it as sent.
_GAPS = """
SELECT tenant, from_source, instance, before + 1 AS first, number - seen AS last, noticed
FROM
(
    SELECT tenant, from_source, instance, number, seen, noticed,
        lagInFrame(number, 1, number - seen) OVER (PARTITION BY from_source, instance ORDER BY number
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
    FROM
    (
        SELECT source AS from_source, source_instance AS instance, of.1 AS number, max(of.2) AS seen,
            argMax(tenant_id, of.2) AS tenant, min(inserted_at) AS noticed
        FROM events
        ARRAY JOIN arrayFilter(of -> of.1 > 0, [
            (ifNull(source_seq, 0), 1), (ifNull(heartbeat_last_seq, 0), 0)
        ]) AS of
        WHERE leaf_kind = 0 AND duplicate_of IS NULL
            AND event_time >= {start:DateTime64(6, 'UTC')} AND event_time < {end:DateTime64(6, 'UTC')}
            AND (empty({of:Array(String)}) OR has({of:Array(String)}, source))
        GROUP BY from_source, instance, number
    )
)
WHERE first <= last AND noticed <= {settled:DateTime64(6, 'UTC')}
ORDER BY from_source, instance, first
LIMIT {most:UInt32}"""

# Instances come and go: a source beats as long as one of its instances does. What our own pipeline has not
# recorded yet is no silence: time goes as far as the newest record.
_BEATS = """
SELECT argMax(tenant_id, kafka_timestamp) AS tenant, source, max(kafka_timestamp) AS last,
    argMax(heartbeat_interval_us, kafka_timestamp) AS every,
    (SELECT max(kafka_timestamp) FROM events WHERE event_time >= {start:DateTime64(6, 'UTC')}) AS newest
FROM events
WHERE event_type = 'ai.source.heartbeat' AND leaf_kind = 0 AND heartbeat_interval_us > 0
    AND event_time >= {start:DateTime64(6, 'UTC')}
GROUP BY source
ORDER BY source"""


def is_known(reader: Reader, source: str) -> bool:
    """Return whether an event of a source is recorded, whenever.

    Raises:
        RetryableError: No answer.
    """
    return bool(reader.table(_ANY, {"source": source}, doing="look for a source").rows)


def gaps(
    reader: Reader, start: datetime, end: datetime, *, settled: datetime, of: Sequence[str] = ()
) -> list[Gap]:
    """Return the numbers that are missing between those that came, of events between two moments.

    Args:
        reader: The store.
        start: First moment of event time.
        end: First moment after.
        settled: The next number must have been recorded by then: until it has waited, a number is only late.
        of: Sources to look at; all when empty.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    times = {"start": time_text(start), "end": time_text(end), "settled": time_text(settled)}
    rows = reader.table(
        _GAPS, {**times, "of": list(of), "most": MOST_GAPS}, doing="look for missing numbers"
    ).rows
    return [
        Gap(str(tenant), str(source), str(instance), int(first), int(last), _utc(noticed))
        for tenant, source, instance, first, last, noticed in rows
    ]


def pulses(reader: Reader, start: datetime) -> list[Pulse]:
    """Return the sources that have sent heartbeats since a moment.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    rows = reader.table(_BEATS, {"start": time_text(start)}, doing="look for heartbeats").rows
    return [
        Pulse(str(tenant), str(source), _utc(last), timedelta(microseconds=int(every)), _utc(newest))
        for tenant, source, last, every, newest in rows
    ]


def _utc(at: datetime) -> datetime:
    """Return a time of the store; the driver leaves the zone out where it is that of the server."""
    return at.replace(tzinfo=UTC)
