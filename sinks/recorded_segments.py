"""Recorded segments read back whole: what a recorder made them of, and every column that it made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from auditstream.core.ports import Headers, LogId, Lost, Plan, Segment, offsets_of
from schemas.framing import HEADER_NAMES, MAGIC_GUID, MAGIC_ID, framing_of
from sinks.clients import ClientPool
from sinks.columns import GAP
from sinks.refusals import translated

UNSTORABLE = "unstorable"
"""Reason of a dead letter whose event the store did not take."""

# Bytes travel as text: a column of Arrow text would have to be UTF-8.
_ROWS = """
SELECT * EXCEPT (insert_by, inserted_at, event_id, raw, sealed),
    reinterpretAsFixedString(event_id) AS event_id, base64Encode(raw) AS raw,
    mapApply((name, box) -> (name, hex(box)), sealed) AS sealed
FROM events
WHERE log_id = {log:String} AND segment_id = {segment:String} AND ingest_day = {day:Date}
ORDER BY leaf_index"""
_DAY = """
SELECT ingest_day FROM events WHERE log_id = {log:String} AND leaf_index = {index:UInt64} LIMIT 1"""
_NULLABLE = """
SELECT name FROM system.columns
WHERE database = currentDatabase() AND table = 'events' AND startsWith(type, 'Nullable')"""


@dataclass(frozen=True, slots=True)
class RecordedSegment:
    """A segment as it is recorded.

    Attributes:
        segment: What its recorder was given, as far as rows tell: of headers, the schema alone.
        refused: By position, events that the store did not take, and what it said.
        rows: Its rows in the order of leaves, with the names and types of `TABLE_SCHEMA`.
        by_header: Positions whose dead letter is about a header, which is not recorded.
    """

    segment: Segment
    refused: dict[int, str]
    rows: pl.DataFrame
    by_header: frozenset[int]


class RecordedSegments:
    """Reads segments back.

    Args:
        clients: Where clients come from.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def read(self, log: LogId, segment_id: str, first_index: int) -> RecordedSegment | None:
        """Return a segment; None when it has no rows, or rows of several days.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        with translated(f"read of {segment_id}"), self._clients.borrow() as client:
            days = client.query(_DAY, {"log": str(log), "index": first_index}).result_rows
            if not days:
                return None
            day: date = days[0][0]
            asked = {"log": str(log), "segment": segment_id, "day": day}
            frame = pl.DataFrame(pl.from_arrow(client.query_arrow(_ROWS, parameters=asked)))
        return None if frame.is_empty() else _recorded(log, segment_id, frame)

    def nullable(self) -> frozenset[str]:
        """Return the columns of the table that can be NULL.

        Raises:
            RetryableError: No answer.
        """
        with translated("read of the columns"), self._clients.borrow() as client:
            return frozenset(str(name) for (name,) in client.query(_NULLABLE).result_rows)


def _recorded(log: LogId, segment_id: str, frame: pl.DataFrame) -> RecordedSegment:
    rows = frame.with_columns(pl.col("raw").str.decode("base64"), _as_printed(frame.get_column("event_id")))
    first = rows.row(0, named=True)
    lo, hi = offsets_of(segment_id)
    stamps_ms = rows["kafka_timestamp"].dt.epoch("ms").to_list()
    is_gap = first["leaf_kind"] == GAP and rows.height == 1
    plan = Plan(
        lo,
        hi,
        first["leaf_index"],
        first["ingest_day"],
        reference_revision=first["reference_revision"],
        enricher_version=first["enricher_version"],
        lost=Lost(first["reject_reason"], stamps_ms[0]) if is_gap else None,
    )
    values = [None if is_null else value for value, is_null in rows.select("raw", "raw_null").iter_rows()]
    headers = [
        _headers(value, schema, detail)
        for value, schema, detail in zip(values, rows["schema_id"], rows["reject_detail"], strict=True)
    ]
    refused = {
        position: detail
        for position, (reason, detail) in enumerate(rows.select("reject_reason", "reject_detail").iter_rows())
        if reason == UNSTORABLE
    }
    segment = Segment(
        log,
        plan,
        rows["kafka_offset"].to_list(),
        values,
        stamps_ms,
        headers if any(headers) else None,
    )
    by_header = frozenset(
        position for position, detail in enumerate(rows["reject_detail"]) if _is_about_header(detail)
    )
    return RecordedSegment(segment, refused, rows, by_header)


def _headers(value: bytes | None, schema_id: str, detail: str) -> Headers:
    """Return the header that named the schema, where the value itself does not."""
    if _is_about_header(detail):
        return ((HEADER_NAMES["value"], b""),)
    if not schema_id:
        return ()
    try:
        if str(framing_of(value).schema) == schema_id:
            return ()
    except Exception:  # noqa: BLE001, S110  whatever the value is, it names no schema
        pass
    if schema_id.isdigit():
        data = bytes([MAGIC_ID]) + int(schema_id).to_bytes(4, "big")
    else:
        data = bytes([MAGIC_GUID]) + bytes.fromhex(schema_id.replace("-", ""))
    return ((HEADER_NAMES["value"], data),)


def _is_about_header(detail: str) -> bool:
    return f"header {HEADER_NAMES['value']}" in detail


def _as_printed(stored: pl.Series) -> pl.Series:
    """Return ids as printed: ClickHouse keeps each half of a UUID as a little-endian number."""
    printed = [value[7::-1] + value[:7:-1] for value in stored.cast(pl.Binary).to_list()]
    return pl.Series("event_id", printed, dtype=pl.Binary)
