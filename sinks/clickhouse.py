"""The ClickHouse sink: one insert is one segment, one block, one table partition, one token.

Facts that this rests on, each held by a test in `tests/contract/sinks` or `tests/sql`: a known token drops
the block in the table and in each view that has it, and only there, so that a replay heals a view that missed
it; the constraint `fresh` is judged when the block is complete, and before the token; tokens are remembered
per table partition, the newest ones only, and a replay does not make a token newer.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from clickhouse_connect.driver.client import Client

from auditstream.core.errors import StoreSchemaError
from auditstream.core.ports import Block, LogId, Lost, Plan, StoredRange, offsets_of
from auditstream.core.settings import ClickHouseSettings
from sinks.clients import ClientPool, embedded_client, http_client, is_local, waiting
from sinks.columns import GAP, ingest_day_of
from sinks.feeds import feeds_lacking
from sinks.finding_rows import add_finding_rows
from sinks.history import ClickHouseHistory
from sinks.payload import Compression, encode
from sinks.refusals import translated

Settings = dict[str, str | int | float]

ONE_BLOCK: Settings = {
    # Squash until the body ends, so that the body is one block however the input cuts it.
    "min_insert_block_size_rows": 2**40,
    "min_insert_block_size_bytes": 0,
    "max_insert_block_size": 2**40,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 1,
    "async_insert": 0,
    # The token counts in views too; without this every replay is counted again there.
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "materialized_views_ignore_errors": 0,
    "input_format_null_as_default": 1,
}
"""Settings under which an insert is exactly one block, and under which its token protects the views."""

QUORUM: Settings = {"insert_quorum": "auto"}
"""On replicas: accepted means held by a majority, so that one lost replica loses nothing."""

_LAST = """
SELECT leaf_index, kafka_offset FROM events WHERE log_id = {log:String} ORDER BY leaf_index DESC LIMIT 1"""
_FIRST = """
SELECT leaf_index, segment_id, inserted_at FROM events
WHERE log_id = {log:String} AND leaf_index >= {lowest:UInt64} AND kafka_offset >= {from:Int64}
ORDER BY leaf_index, inserted_at LIMIT 1"""
_COUNT = "SELECT count() FROM events WHERE log_id = {log:String}"
_COUNT_ABOVE = f"{_COUNT} AND leaf_index >= {{lowest:UInt64}} AND kafka_offset >= {{from:Int64}}"
_LATER = """
SELECT count() FROM segment_ranges
WHERE inserted_at >= {since:DateTime64(3, 'UTC')} AND segment_id != {first:String}"""
_LAST_SEGMENT = """
SELECT segment_id, ingest_day FROM events WHERE log_id = {log:String} ORDER BY leaf_index DESC LIMIT 1"""
_SEGMENT = """
SELECT
    min(leaf_index), any(reference_revision), any(enricher_version),
    any(leaf_kind), any(reject_reason), any(toUnixTimestamp64Milli(kafka_timestamp))
FROM events
WHERE ingest_day = {day:Date} AND segment_id = {segment:String}"""
_ENGINE = "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'events'"
_WINDOW = re.compile(r"\b(?:non_)?replicated_deduplication_window = (\d+)")


class ClickHouseSink:
    """Implements `auditstream.core.ports.Sink` over HTTP or the engine in this process.

    Calls may come from any number of threads at once. Clients are opened when they are needed, so that a
    worker can start before the store does.

    Args:
        clients: Where clients come from; closed with the sink.
        compression: Codec of the Arrow buffers on the wire.
        replicated: Whether the tables are replicated: waits for a majority, and reads after catching up.
    """

    def __init__(
        self, clients: ClientPool, *, compression: Compression = None, replicated: bool = False
    ) -> None:
        self._clients = clients
        self._compression = compression
        self._replicated = replicated
        self._settings = {**ONE_BLOCK, **QUORUM} if replicated else ONE_BLOCK

    def insert(self, block: Block, *, insert_by_s: float, timeout_s: float) -> None:
        """Make the block durable, at most once under its segment id, or raise; see the port.

        Raises:
            InvariantError: The rows are not of one day and of the block's segment; nothing was sent.
        """
        if not len(block):
            return
        ingest_day_of(block)
        payload = encode(block.frame, insert_by_s, self._compression)
        settings = {
            **self._settings,
            "insert_deduplication_token": block.segment_id,
            "max_execution_time": timeout_s,
        }
        with (
            translated(f"insert of {block.segment_id}"),
            self._clients.borrow() as client,
            waiting(client, timeout_s),
        ):
            client.raw_insert(
                "events",
                column_names=payload.columns,
                insert_block=payload.pieces(),  # type: ignore[arg-type]  # the driver writes any buffers
                settings=settings,
                fmt="ArrowStream",
            )
            if block.findings:
                add_finding_rows(client, block.findings, token=block.segment_id)

    def stored(self, log: LogId, from_offset: int) -> StoredRange:
        """Return what the table holds of `log` at or above `from_offset`; see the port.

        Reads the end of the log only, so that it is as quick on an old log as on a new one: an offset has at
        most one leaf, so the rows in question are among the last `last_offset - from_offset + 1` indexes.
        `later_segments` goes by the time that inserts began, so it can be short by as many as were under way
        together: leave that much room when it is compared with the window.
        """
        with translated(f"read of {log}"), self._clients.borrow() as client:
            self._catch_up(client)
            last = client.query(_LAST, {"log": str(log)}).result_rows
            if not last or last[0][1] < from_offset:
                return StoredRange(0)
            last_index, last_offset = last[0]
            lowest = max(0, last_index - (last_offset - from_offset))
            where = {"log": str(log), "lowest": lowest, "from": from_offset}
            rows = client.query(_COUNT_ABOVE if from_offset > 0 else _COUNT, where).result_rows[0][0]
            first_index, first, since = client.query(_FIRST, where).result_rows[0]
            later = client.query(_LATER, {"first": first, "since": _text(since)}).result_rows[0][0]
        return StoredRange(rows, first_index, last_index, last_offset, later)

    def last_plan(self, log: LogId) -> Plan | None:
        """Return the plan of the segment with the log's highest leaf, as its rows tell it; see the port."""
        with translated(f"read of {log}"), self._clients.borrow() as client:
            self._catch_up(client)
            found = client.query(_LAST_SEGMENT, {"log": str(log)}).result_rows
            if not found:
                return None
            segment_id, day = found[0]
            where = {"segment": segment_id, "day": day}
            first_index, revision, enricher, kind, reason, stamp = client.query(_SEGMENT, where).result_rows[
                0
            ]
        lo, hi = offsets_of(segment_id)
        lost = Lost(reason, stamp) if kind == GAP else None
        return Plan(lo, hi, first_index, day, revision, enricher, lost)

    def views_lacking(self, segment_id: str) -> list[str]:
        """Return the tables that views feed and that lack the segment; see the port."""
        with translated(f"look for {segment_id} in the views"), self._clients.borrow() as client:
            self._catch_up(client)
            return [feed.target for feed in feeds_lacking(client, segment_id)]

    def token_window(self) -> int:
        """Return how many of the newest inserts into the table have their tokens remembered.

        Raises:
            StoreSchemaError: There is no table, or it remembers none.
            RetryableError: No answer.
        """
        with translated("read of the token window"), self._clients.borrow() as client:
            rows = client.query(_ENGINE).result_rows
        found = _WINDOW.search(rows[0][0]) if rows else None
        if found is None:
            raise StoreSchemaError("table events: missing, or without a deduplication window")
        return int(found[1])

    def history(self) -> ClickHouseHistory:
        """Return the reader of what was recorded before, over the same clients."""
        return ClickHouseHistory(self._clients)

    def _catch_up(self, client: Client) -> None:
        if self._replicated:
            client.command("SYSTEM SYNC REPLICA events LIGHTWEIGHT")

    def close(self) -> None:
        """Close the clients; a call under way is let to end."""
        self._clients.close()


def connect(settings: ClickHouseSettings) -> ClickHouseSink:
    """Return a sink over HTTP; connects on its first call."""
    return ClickHouseSink(
        ClientPool(lambda: http_client(settings)),
        compression=None if is_local(settings) else "lz4",
        replicated=settings.engine == "ReplicatedMergeTree",
    )


def connect_embedded(path: Path, *, database: str = "default") -> ClickHouseSink:
    """Return a sink over the engine in this process; opens it on its first call."""
    return ClickHouseSink(ClientPool(lambda: embedded_client(path, database=database)))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
