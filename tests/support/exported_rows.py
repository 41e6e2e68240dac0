"""Rows for exports without a store: a row a minute, as `EventRows` would yield them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from auditstream.exports.records import Record, records_of
from auditstream.query.arrivals import Position
from auditstream.query.cursors import read_cursor
from auditstream.query.event_rows import SCHEMA, Plan, Stretch
from auditstream.query.periods import Period

FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def row_at(number: int, **columns: Any) -> dict[str, Any]:
    """Return row `number`, with more columns by name."""
    return {
        "event_id": str(uuid.UUID(int=(7 << 76) + (2 << 62) + number)),
        "event_type": "ai.inference",
        "event_time": FIRST + timedelta(minutes=number),
        "observed_time": datetime(1970, 1, 1, tzinfo=UTC),
        "source": "urn:test",
        "tenant_id": "acme",
        **columns,
    }


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Return rows as a batch of `SCHEMA`; columns that a row has not are null."""
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


class MadeRows:
    """So many rows, in stretches of so many; it may stop answering, and may have lost rows.

    Args:
        rows: How many.
        batch: Rows of a batch.
    """

    def __init__(self, rows: int, *, batch: int = 4) -> None:
        self.rows = [row_at(number) for number in range(rows)]
        self.batch = batch
        self.plans = 0
        self.asked: list[tuple[Stretch, str]] = []
        self.fails_after: int | None = None

    def plan(self, stretch_rows: int) -> Plan:
        self.plans += 1
        stretches = [
            Stretch(
                self.rows[first]["event_time"],
                self.rows[last]["event_time"] + timedelta(minutes=1),
                last - first + 1,
            )
            for first in range(0, len(self.rows), stretch_rows)
            for last in [min(first + stretch_rows, len(self.rows)) - 1]
        ]
        return Plan(Period(FIRST, None), FIRST, {"log/0/a": len(self.rows)}, stretches)

    def batches(
        self, plan: Plan, stretch: Stretch, *, after: str = "", limit: int
    ) -> Iterator[pa.RecordBatch]:
        self.asked.append((stretch, after))
        begin = read_cursor(after).event_time if after else stretch.start - timedelta(minutes=1)
        found = [row for row in self.rows if begin < row["event_time"] < stretch.end][:limit]
        for first in range(0, len(found), self.batch):
            if self.fails_after is not None:
                if not self.fails_after:
                    raise ConnectionAbortedError("the store is gone")
                self.fails_after -= 1
            yield batch_of(found[first : first + self.batch])


LOG = "events/0/0a"


def records(count: int) -> list[Record]:
    """Return the first rows as records."""
    rows = [row_at(number, log_id=LOG, leaf_index=number) for number in range(count)]
    return list(records_of(batch_of(rows)))


class Arriving:
    """So many events of one log that were recorded; followers of it go on where another ended.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def follower(self, after: Position | None = None) -> ArrivingFollower:
        """Return a follower that begins at a position; at the beginning without one."""
        return ArrivingFollower(self, dict(after or {LOG: (0, date(2026, 3, 1))}))


class ArrivingFollower:
    """Follows what arrives, all of it at each look."""

    def __init__(self, arriving: Arriving, position: dict[str, tuple[int, date]]) -> None:
        self._arriving = arriving
        self.position: Position = position
        self.is_behind = False

    def take(self) -> list[pa.RecordBatch]:
        first, day = self.position[LOG]
        rows = [
            row_at(number, log_id=LOG, leaf_index=number) for number in range(first, self._arriving.count)
        ]
        self.position = {LOG: (self._arriving.count, day)}
        return [batch_of(rows)] if rows else []
