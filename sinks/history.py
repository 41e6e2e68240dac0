"""What was recorded before, read back from ClickHouse: implements `auditstream.core.ports.History`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import polars as pl

from auditstream.core.ports import LogId
from sinks.clients import ClientPool
from sinks.refusals import translated

_FIRST_IDS = """
SELECT reinterpretAsFixedString(event_id) AS event_id, leaf_index
FROM events
WHERE log_id = {log:String} AND leaf_index >= {from:UInt64} AND leaf_index < {to:UInt64}
    AND leaf_kind = 0 AND duplicate_of IS NULL"""
_IDS_AT = """
SELECT leaf_index, event_id FROM events
WHERE log_id = {log:String} AND leaf_kind = 0 AND leaf_index IN {indexes:Array(UInt64)}"""


class ClickHouseHistory:
    """Reads event ids of a log, newest tables first."""

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


def _as_printed(stored: pl.Series) -> pl.Series:
    """Return ids as printed: ClickHouse keeps each half of a UUID as a little-endian number."""
    printed = [value[7::-1] + value[:7:-1] for value in stored.cast(pl.Binary).to_list()]
    return pl.Series("event_id", printed, dtype=pl.Binary)
