"""What was recorded before, read back from ClickHouse: implements `auditstream.core.ports.History`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date

import polars as pl

from auditstream.core.ids import CALL_KEY_BYTES, call_key
from auditstream.core.ports import LogId
from schemas.flatten import FRAME_SCHEMA
from sinks.clients import ClientPool
from sinks.expressions import ANSWERED_MODEL
from sinks.refusals import translated

_FIRST_IDS = """
SELECT reinterpretAsFixedString(event_id) AS event_id, leaf_index
FROM events
WHERE log_id = {log:String} AND leaf_index >= {from:UInt64} AND leaf_index < {to:UInt64}
    AND leaf_kind = 0 AND duplicate_of IS NULL"""
_IDS_AT = """
SELECT leaf_index, event_id FROM events
WHERE log_id = {log:String} AND leaf_kind = 0 AND leaf_index IN {indexes:Array(UInt64)}"""

# The key is that of auditstream.core.ids.call_key, the conditions are those of streams.recording.same_calls.
_FIRST_CALLS = r"""
SELECT
    SHA256(concat(tenant_id, '\0', inference_provider, '\0', inference_response_id)) AS call_hash,
    leaf_index
FROM events
WHERE log_id = {log:String} AND leaf_index >= {from:UInt64} AND leaf_index < {to:UInt64}
    AND leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL
    AND event_type IN ('ai.inference', 'ai.embedding')
    AND inference_provider != '' AND inference_response_id != ''
    AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL OR cost_status = 'priced')"""
_CALLS_AT = """
SELECT leaf_index, tenant_id, inference_provider, inference_response_id FROM events
WHERE log_id = {log:String} AND leaf_kind = 0 AND leaf_index IN {indexes:Array(UInt64)}"""
_COUNTED = """
WHERE log_id = {log:String} AND leaf_index >= {from:UInt64} AND leaf_index < {to:UInt64}
    AND leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL"""
_RECENT = (
    """
SELECT COLUMNS_OF_EVENTS, leaf_index AS index, toUnixTimestamp64Milli(kafka_timestamp) * 1000 AS stamp
FROM events"""
    + _COUNTED
    + "\nORDER BY leaf_index"
)
_FIRST_SWAPS = """
SELECT tenant_id, inference_provider, inference_request_model, inference_response_model, min(leaf_index)
FROM events
WHERE log_id = {log:String} AND leaf_index < {to:UInt64} AND leaf_kind = 0 AND duplicate_of IS NULL
    AND same_call_as IS NULL AND event_type IN ('ai.inference', 'ai.embedding')
    AND tenant_id IN {tenants:Array(String)}
    AND (tenant_id, inference_provider, inference_request_model, inference_response_model)
        IN {keys:Array(Tuple(String, String, String, String))}
GROUP BY ALL"""
_FIRST_UNPRICED = """
SELECT tenant_id, inference_provider, MODEL AS model, min(leaf_index)
FROM events
WHERE ingest_day = {day:Date} AND log_id = {log:String} AND leaf_index < {to:UInt64} AND leaf_kind = 0
    AND duplicate_of IS NULL AND same_call_as IS NULL AND cost_status = 'unpriced'
    AND tenant_id IN {tenants:Array(String)}
    AND (tenant_id, inference_provider, model) IN {keys:Array(Tuple(String, String, String))}
GROUP BY ALL""".replace("MODEL", ANSWERED_MODEL)


class ClickHouseHistory:
    """Reads what was recorded of a log: event ids, keys of model calls, and what rules look back at."""

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def first_ids(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        """Return the ids of a run of leaves, repeats and dead letters left out; see the port."""
        parameters = {"log": str(log), "from": from_index, "to": to_index}
        with translated(f"read of ids of {log}"), self._clients.borrow() as client:
            table = client.query_arrow(_FIRST_IDS, parameters=parameters)
        frame = pl.DataFrame(pl.from_arrow(table))
        return frame.select(_as_printed(frame.get_column("event_id")), pl.col("leaf_index").cast(pl.UInt64))

    def ids_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        """Return the ids at some leaves; see the port."""
        parameters = {"log": str(log), "indexes": list(indexes)}
        with translated(f"read of ids of {log}"), self._clients.borrow() as client:
            rows = client.query(_IDS_AT, parameters).result_rows
        return {int(index): uuid.UUID(str(event_id)).bytes for index, event_id in rows}

    def first_calls(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        """Return the first reports of calls in a run of leaves; see the port."""
        parameters = {"log": str(log), "from": from_index, "to": to_index}
        with translated(f"read of calls of {log}"), self._clients.borrow() as client:
            table = client.query_arrow(_FIRST_CALLS, parameters=parameters)
        frame = pl.DataFrame(pl.from_arrow(table))
        keys = frame.get_column("call_hash").cast(pl.Binary).bin.head(CALL_KEY_BYTES)
        return frame.select(keys.alias("call_key"), pl.col("leaf_index").cast(pl.UInt64))

    def calls_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        """Return the call keys at some leaves; see the port."""
        parameters = {"log": str(log), "indexes": list(indexes)}
        with translated(f"read of calls of {log}"), self._clients.borrow() as client:
            rows = client.query(_CALLS_AT, parameters).result_rows
        return {int(index): call_key(*map(str, names)) for index, *names in rows}

    def recent(self, log: LogId, columns: Sequence[str], from_index: int, to_index: int) -> pl.DataFrame:
        """Return some columns of a run of events; see the port."""
        parameters = {"log": str(log), "from": from_index, "to": to_index}
        named = [_AS_IDS.format(name) if FRAME_SCHEMA[name] == pl.Binary else name for name in columns]
        sql = _RECENT.replace("COLUMNS_OF_EVENTS", ", ".join(named))
        with translated(f"read of the newest events of {log}"), self._clients.borrow() as client:
            frame = pl.DataFrame(pl.from_arrow(client.query_arrow(sql, parameters=parameters)))
        typed = [pl.col(name).cast(FRAME_SCHEMA[name]) for name in columns]
        frame = frame.select(*typed, pl.col("index").cast(pl.UInt64), pl.col("stamp").cast(pl.Int64))
        ids = [_as_printed(frame[name]) for name in columns if FRAME_SCHEMA[name] == pl.Binary]
        return frame.with_columns(ids)

    def first_swaps(
        self, log: LogId, swaps: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        """Return where a log had swaps of models first; see the port."""
        return self._firsts(_FIRST_SWAPS, log, swaps, to_index)

    def first_unpriced(
        self, log: LogId, day: date, models: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        """Return where a log had events without a price first on a day; see the port."""
        return self._firsts(_FIRST_UNPRICED, log, models, to_index, day=day)

    def _firsts(
        self, sql: str, log: LogId, keys: Sequence[tuple[str, ...]], to_index: int, **more: object
    ) -> dict[tuple[str, ...], int]:
        parameters = {
            "log": str(log), "to": to_index, "tenants": sorted({key[0] for key in keys}), "keys": list(keys),
            **more,
        }  # fmt: skip
        with translated(f"read of what {log} had first"), self._clients.borrow() as client:
            rows = client.query(sql, parameters).result_rows
        return {tuple(map(str, key)): int(index) for *key, index in rows}


_AS_IDS = "reinterpretAsFixedString({0}) AS {0}"
"""An id as bytes; Arrow would have it as text."""


def _as_printed(stored: pl.Series) -> pl.Series:
    """Return ids as printed: ClickHouse keeps each half of a UUID as a little-endian number."""
    printed = [value[7::-1] + value[:7:-1] for value in stored.cast(pl.Binary).to_list()]
    return pl.Series(stored.name, printed, dtype=pl.Binary)
