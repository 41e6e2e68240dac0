"""Every event that a search finds, in order of time and as it was known at one moment: what an export reads.

The moment is fixed once: how far each log went, and what was known of costs and owners then. So the same
plan gives the same rows, however often it is broken off, and what arrives meanwhile is in no part of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from auditstream.core.clock import utc_text
from auditstream.query.current_events import CurrentEvents, current_events
from auditstream.query.cursors import Cursor, read_cursor
from auditstream.query.grammar import Term
from auditstream.query.periods import Period, moment
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.columns import TABLE_SCHEMA

READ_FROM = ("events_as_known",)
"""Tables that an export reads."""

# Contents stay sealed and raw values are evidence, which has an export of its own; the others are the same in
# every row that is an event and no repeat.
_LEFT_OUT = frozenset(
    {"raw", "raw_null", "sealed", "leaf_kind", "duplicate_of", "reject_reason", "reject_detail"}
)
_MINUTE = timedelta(minutes=1)
_LOG_ENDS = "SELECT log_id, last_index + 1 AS end FROM logs ORDER BY log_id"
_NOW = "SELECT now64(6, 'UTC') AS now"


def _schema() -> pa.Schema:
    plain = {name: dtype for name, dtype in TABLE_SCHEMA.items() if name not in _LEFT_OUT}
    arrow = pl.DataFrame(schema=plain).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    fields = [pa.field(f.name, pa.string() if f.name in _AS_TEXT else _narrow(f.type)) for f in arrow]
    return pa.schema([*fields, pa.field("inserted_at", pa.timestamp("ms", "UTC"))])


def _narrow(kind: pa.DataType) -> pa.DataType:
    """Return a type with texts of 32-bit offsets, which every reader of Parquet knows."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_list(kind):
        return pa.list_(_narrow(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_narrow(kind.key_type), _narrow(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(each.name, _narrow(each.type)) for each in kind])
    return kind


_AS_TEXT = {"event_id": "toString(event_id)", "leaf_hash": "lower(hex(leaf_hash))"}

SCHEMA = _schema()
"""Columns of a row, by name: those of table `events` without contents; ids and hashes are text."""

# Under their own names the texts would take the place of the columns in WHERE and ORDER BY.
SELECTED = ", ".join(
    f"{_AS_TEXT[name]} AS {name}_text" if name in _AS_TEXT else name for name in SCHEMA.names
)
"""`SCHEMA` as a SELECT of the views of events writes it; `fitted` gives the names back."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time and how many rows are in it.

    Attributes:
        start: First moment in it (UTC).
        end: First moment after it (UTC).
        rows: How many rows are in it.
    """

    start: datetime
    end: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What an export reads, fixed once and kept beside its parts.

    Attributes:
        period: Range of event_time.
        known_on: Of adjustments, those recorded until then are in it.
        logs: By log the index after its last row.
        stretches: In order of time, without those that have no row.
    """

    period: Period
    known_on: datetime
    logs: Mapping[str, int]
    stretches: Sequence[Stretch]

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(each.rows for each in self.stretches)

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it; `read_plan` is the way back."""
        return {
            "from": utc_text(self.period.start) if self.period.start else None,
            "to": utc_text(self.period.end) if self.period.end else None,
            "known_on": utc_text(self.known_on),
            "logs": dict(self.logs),
            "stretches": [[utc_text(s.start), utc_text(s.end), s.rows] for s in self.stretches],
        }


def read_plan(document: Mapping[str, Any]) -> Plan:
    """Return the plan of a document.

    Raises:
        ValueError, TypeError, KeyError, RequestError: It is not one.
    """
    start, end = document["from"], document["to"]
    return Plan(
        Period(moment(start) if start else None, moment(end) if end else None),
        moment(document["known_on"]),
        {str(log): int(index) for log, index in document["logs"].items()},
        [Stretch(moment(a), moment(b), int(rows)) for a, b, rows in document["stretches"]],
    )


@dataclass(frozen=True, slots=True)
class EventRows:
    """The events of a search, as rows of `SCHEMA`.

    Attributes:
        reader: The store.
        terms: All must hold; none matches every event.
        period: Range of event_time.
        tenant: Only this tenant's events; None for all that the user may read.
    """

    reader: Reader
    terms: Sequence[Term] = ()
    period: Period = Period()  # noqa: RUF009  frozen
    tenant: str | None = None

    def plan(self, stretch_rows: int) -> Plan:
        """Return what is to be read, as of now.

        Args:
            stretch_rows: Rows that a stretch has at most, unless one minute has more.

        Raises:
            QueryError: A value is not one of its field's kind.
            RetryableError: No answer.
        """
        found = self.reader.table(_LOG_ENDS, {}, doing="read of the logs").rows
        logs = {str(log): int(end) for log, end in found}
        known_on = _utc(self.reader.table(_NOW, {}, doing="read of the time").rows[0][0])
        bare = Plan(self.period, known_on, logs, ())
        return Plan(self.period, known_on, logs, list(self._stretches(bare, stretch_rows)))

    def batches(
        self, plan: Plan, stretch: Stretch, *, after: str = "", limit: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows of a stretch in order of time and id, as the store sends them.

        Args:
            plan: From `plan`.
            stretch: One of its stretches.
            after: Text of the cursor after which to begin; empty for the first row.
            limit: Rows at most.

        Raises:
            RetryableError: No answer.
        """
        period = Period(stretch.start, stretch.end)
        conditions, current = self._conditions(plan, period), self._current(plan, period)
        if after:
            cursor = read_cursor(after)
            conditions.add_after(cursor.event_time, cursor.event_id)
        most = conditions.bind(limit, "UInt64")
        sql = f"{current.select(SELECTED, conditions)}\nORDER BY event_time, event_id\nLIMIT {most}"
        for batch in current.reader.batches(sql, conditions.parameters, doing="read of events"):
            if batch.num_rows:
                yield fitted(batch)

    def _stretches(self, plan: Plan, stretch_rows: int) -> Iterator[Stretch]:
        """Yield stretches of whole minutes, each as many as fit."""
        current: Stretch | None = None
        for minute, rows in self._minutes(plan):
            if current is not None and current.rows + rows <= stretch_rows:
                current = Stretch(current.start, minute + _MINUTE, current.rows + rows)
                continue
            if current is not None:
                yield current
            current = Stretch(minute, minute + _MINUTE, rows)
        if current is not None:
            yield current

    def _minutes(self, plan: Plan) -> Iterator[tuple[datetime, int]]:
        conditions, current = self._conditions(plan, Period()), self._current(plan, Period())
        counted = "toDateTime64(toStartOfMinute(event_time), 0, 'UTC') AS minute, count() AS rows"
        sql = f"{current.select(counted, conditions)}\nGROUP BY minute\nORDER BY minute"
        for batch in current.reader.batches(sql, conditions.parameters, doing="count of events"):
            yield from zip(
                map(_utc, batch.column("minute").to_pylist()), batch.column("rows").to_pylist(), strict=True
            )

    def _current(self, plan: Plan, narrowed: Period) -> CurrentEvents:
        period = plan.period.within(narrowed)
        return current_events(self.reader, tenant=self.tenant, period=period, known_on=plan.known_on)

    def _conditions(self, plan: Plan, narrowed: Period) -> Conditions:
        conditions = Conditions()
        if self.tenant is not None:
            conditions.add_tenant(self.tenant)
        conditions.add_period(plan.period)
        conditions.add_period(narrowed)
        conditions.add_terms(self.terms)
        conditions.add_leaves({log: (0, end) for log, end in plan.logs.items()})
        return conditions


def cursor_of(batch: pa.RecordBatch) -> str:
    """Return the text of a cursor on the last row of a batch."""
    last = batch.num_rows - 1
    event_id = uuid.UUID(batch.column("event_id")[last].as_py())
    return Cursor(_utc(batch.column("event_time")[last].as_py()), event_id).text()


def fitted(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the answer to `SELECTED` with the names and types of `SCHEMA`, whatever the store's version."""
    columns = [column.cast(field.type) for column, field in zip(batch.columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
