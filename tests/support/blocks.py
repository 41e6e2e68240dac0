"""Blocks as the recorder makes them, without Kafka and without Avro."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from auditstream.core.ids import uuid7
from auditstream.core.ports import Block, LogId
from sinks.columns import TABLE_SCHEMA

LOG = LogId("audit.events.v1", 0, "0a1b2c3d")
OTHER_LOG = LogId("audit.events.v1", 1, "0a1b2c3d")
DAY = date(2026, 1, 2)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def event_id_at(log: LogId, offset: int) -> uuid.UUID:
    """Return the id of the event at an offset: always the same one."""
    return uuid7(1_767_355_200_000 + offset, hashlib.sha256(f"{log}/{offset}".encode()).digest()[:10])


def block_of(
    log: LogId = LOG,
    lo: int = 0,
    rows: int = 3,
    *,
    segment_id: str | None = None,
    day: date = DAY,
    **columns: object,
) -> Block:
    """Return one block of events at offsets `lo` and up, whose leaf indexes are the offsets.

    Args:
        log: The log.
        lo: First offset.
        rows: Number of rows.
        segment_id: Another token than the planned range's.
        day: Ingest day of every row.
        columns: More columns by name; a list gives a value a row, anything else is every row's.
    """
    token = segment_id or f"{log}/{lo}-{lo + rows - 1}"
    offsets = range(lo, lo + rows)
    values: Mapping[str, Any] = {
        "event_id": [event_id_at(log, offset).bytes for offset in offsets],
        "event_type": "ai.inference",
        "event_time": NOON,
        "source": "urn:test",
        "tenant_id": "acme",
        "log_id": str(log),
        "segment_id": token,
        "leaf_index": list(offsets),
        "leaf_kind": 0,
        "leaf_hash": [hashlib.sha256(f"{log}/{offset}".encode()).digest() for offset in offsets],
        "duplicate_of": None,
        "kafka_topic": log.topic,
        "kafka_partition": log.partition,
        "kafka_offset": list(offsets),
        "kafka_timestamp": NOON,
        "schema_id": "1",
        "raw": b"\x00\x00\x00\x00\x01",
        "ingest_day": day,
        **columns,
    }
    return Block(token, pl.DataFrame([_series(name, value, rows) for name, value in values.items()]))


def _series(name: str, value: Any, rows: int) -> pl.Series:
    filled: Sequence[Any] = value if isinstance(value, list) else [value] * rows
    return pl.Series(name, filled, dtype=TABLE_SCHEMA.get(name))
