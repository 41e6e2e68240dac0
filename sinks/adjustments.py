"""Table `cost_adjustments`: rows of a run of leaves read, and differences appended to what was read.

An append names the state that it was worked out against, by its deduplication token. The store takes one
append a state and drops every other, so that two runs side by side book a difference once: which one was
first is seen by reading the rows back. Tokens are remembered for as many inserts as `TOKEN_WINDOW`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime

import polars as pl
import pyarrow as pa

from sinks.clickhouse import ONE_BLOCK, QUORUM
from sinks.clients import ClientPool
from sinks.columns import TABLE_SCHEMA
from sinks.expressions import time_text, uuid_bytes
from sinks.refusals import translated

TABLE = "cost_adjustments"

COUNTS = (
    "events", "failures", "unpriced_events",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip
"""Columns that count, as those of the rollups."""

COST_TOTALS = ("cost_list", "cost_contracted", "cost_effective", "cost_billed")
"""Columns of amounts, as those of the rollups."""

ADJUSTMENT_SCHEMA: dict[str, pl.DataType] = {
    "adjustment_id": pl.Binary(),
    "kind": pl.String(),
    "log_id": pl.String(),
    "leaf_index": pl.UInt64(),
    "event_id": pl.Binary(),
    "event_time": pl.Datetime("us", "UTC"),
    "event_type": pl.String(),
    "stands": pl.Boolean(),
    "tenant_id": pl.String(),
    "project_id": pl.String(),
    "team_id": pl.String(),
    "feature_id": pl.String(),
    "cost_center": pl.String(),
    "environment": pl.String(),
    "agent_id": pl.String(),
    "credential_id": pl.String(),
    "inference_provider": pl.String(),
    "model": pl.String(),
    "cost_currency": pl.String(),
    "attribution_method": pl.String(),
    "attribution_confidence": pl.Float32(),
    "cost_status": pl.String(),
    "price_basis": pl.String(),
    "same_call_as": pl.String(),
    "costs": TABLE_SCHEMA["costs"],
    **dict.fromkeys(COUNTS, pl.Int64()),
    **dict.fromkeys(COST_TOTALS, pl.Decimal(38, 12)),
    "old_revision": pl.String(),
    "new_revision": pl.String(),
    "reason": pl.String(),
    "approved_by": pl.String(),
    "recorded_at": pl.Datetime("us", "UTC"),
    "actor": pl.String(),
}
"""Name and polars type of every column."""

_COLUMNS = ", ".join(
    uuid_bytes(name) if name in {"adjustment_id", "event_id"} else name for name in ADJUSTMENT_SCHEMA
)
_OF_LEAVES = f"""
SELECT {_COLUMNS} FROM {TABLE}
WHERE log_id = {{log:String}} AND leaf_index >= {{from:UInt64}} AND leaf_index < {{to:UInt64}}
ORDER BY leaf_index, recorded_at, adjustment_id"""  # noqa: S608  names are ours
_IDS = f"""
SELECT toString(adjustment_id) FROM {TABLE}
WHERE log_id = {{log:String}} AND leaf_index >= {{from:UInt64}} AND leaf_index < {{to:UInt64}}
ORDER BY leaf_index, recorded_at, adjustment_id"""  # noqa: S608  names are ours
_OF_PERIOD = f"""
SELECT {_COLUMNS} FROM {TABLE}
WHERE event_time >= {{from:DateTime64(6, 'UTC')}} AND event_time < {{to:DateTime64(6, 'UTC')}}
ORDER BY log_id, leaf_index, recorded_at, adjustment_id"""  # noqa: S608  names are ours


class AdjustmentTable:
    """Reads and appends adjustments; calls may come from any number of threads at once.

    Args:
        clients: Where clients come from.
        replicated: Whether the table is replicated: waits for a majority, and catches up before it reads.
    """

    def __init__(self, clients: ClientPool, *, replicated: bool = False) -> None:
        self._clients = clients
        self._replicated = replicated
        self._settings = {**ONE_BLOCK, **QUORUM} if replicated else ONE_BLOCK

    def of_leaves(self, log_id: str, from_index: int, to_index: int) -> pl.DataFrame:
        """Return the rows of a run of leaves, in the order in which they were booked.

        Raises:
            RetryableError: No answer.
        """
        asked = {"log": log_id, "from": from_index, "to": to_index}
        with translated(f"read of adjustments of {log_id}"), self._clients.borrow() as client:
            if self._replicated:
                client.command(f"SYSTEM SYNC REPLICA {TABLE} LIGHTWEIGHT")
            return _typed(client.query_arrow(_OF_LEAVES, parameters=asked))

    def of_period(self, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the rows of events of a period, by leaf and in the order in which they were booked.

        Raises:
            RetryableError: No answer.
        """
        asked = {"from": time_text(start), "to": time_text(end)}
        with translated("read of adjustments"), self._clients.borrow() as client:
            return _typed(client.query_arrow(_OF_PERIOD, parameters=asked))

    def append(self, rows: pl.DataFrame, *, leaves: tuple[str, int, int], state: str) -> bool:
        """Append rows to a state of a run of leaves, all or none; return whether they are there.

        They are not when something else was appended to the state: read again, and work out what is left.

        Args:
            rows: Columns of `ADJUSTMENT_SCHEMA`; ids are the same whenever the rows are.
            leaves: Log, first index, and index after the last.
            state: `state_of` the rows that were read.

        Raises:
            RetryableError: No answer; they are there or not, all of them.
        """
        log_id, from_index, to_index = leaves
        token = f"{TABLE}/{log_id}/{from_index}-{to_index}/{state}"
        asked = {"log": log_id, "from": from_index, "to": to_index}
        with translated(f"insert of {rows.height} adjustments"), self._clients.borrow() as client:
            client.insert_arrow(
                TABLE, _arrow(rows), settings={**self._settings, "insert_deduplication_token": token}
            )
            there = {str(found) for (found,) in client.query(_IDS, asked).result_rows}
        return there.issuperset(_texts(rows.get_column("adjustment_id")))


def state_of(rows: pl.DataFrame) -> str:
    """Return what names a state: a hash over the ids of its rows, in their order."""
    ids = b"".join(rows.get_column("adjustment_id").to_list())
    return hashlib.sha256(ids).hexdigest()[:32]


def _typed(table: pa.Table) -> pl.DataFrame:
    found = pl.DataFrame(pl.from_arrow(table))
    return found.select(pl.col(name).cast(dtype) for name, dtype in ADJUSTMENT_SCHEMA.items())


def _arrow(rows: pl.DataFrame) -> pa.Table:
    table = rows.select(list(ADJUSTMENT_SCHEMA)).to_arrow(compat_level=pl.CompatLevel.oldest())
    for name in ("adjustment_id", "event_id"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, table.column(place).cast(pa.binary(16)))
    return table


def _texts(ids: pl.Series) -> Collection[str]:
    found = (value.hex() for value in ids.to_list())
    return [f"{each[:8]}-{each[8:12]}-{each[12:16]}-{each[16:20]}-{each[20:]}" for each in found]
