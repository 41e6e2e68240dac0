"""Events as users look for them: a search, and everything that is known of one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.query.current_events import (
    CurrentEvents,
    current_events,
    current_events_where,
    current_page,
)
from auditstream.query.cursors import Cursor
from auditstream.query.grammar import Term
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table
from sinks.expressions import ANSWERED_MODEL

LIST_COLUMNS = (
    "event_time", "event_id", "tenant_id", "event_type", "source", "project_id", "actor_id", "agent_id",
    "inference_provider", "model", "tool_name", "outcome", "input_tokens", "output_tokens",
    "cost_effective", "cost_currency", "cost_status", "trace_id",
)  # fmt: skip
"""Columns of a search's answer."""

FOUND_IN, SHOWN_FROM = "events_current", "events"
"""Tables that a search and `show` read."""

MOST_ROWS = 10_000
"""Largest limit of a search; more is an export."""

LISTED = ", ".join(f"{ANSWERED_MODEL} AS model" if name == "model" else name for name in LIST_COLUMNS)
"""`LIST_COLUMNS` as a SELECT of `events_current` writes them."""

LEAF = re.compile(r"(?P<log>[A-Za-z0-9._-]{1,249}/\d{1,9}/[0-9a-f]{1,32})/(?P<index>\d{1,19})")
"""How a leaf is named: topic/partition/epoch/index."""

# No id is made long after its event is recorded; a clock may be wrong by hours, hardly by more.
_CLOCK_SLACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Attributes:
        terms: All must hold; none matches every event.
        period: Range of event_time.
        tenant: Only this tenant's events; None for all that the user may read.
        limit: Rows at most, newest first.
        after: Only events that come after this one, in the order of the answer; None for the first page.
    """

    terms: Sequence[Term] = ()
    period: Period = Period()  # noqa: RUF009  frozen
    tenant: str | None = None
    limit: int = 50
    after: Cursor | None = None

    def conditions(self) -> Conditions:
        """Return what a row must satisfy to be found, on whichever page.

        Raises:
            QueryError: A value is not one of its field's kind.
        """
        conditions = self.scope()
        conditions.add_terms(self.terms)
        return conditions

    def scope(self) -> Conditions:
        """Return what tenant and period say of a row: with what `conditions` begins."""
        conditions = Conditions()
        if self.tenant is not None:
            conditions.add_tenant(self.tenant)
        conditions.add_period(self.period)
        return conditions

    def looked_up(self, reader: Reader) -> CurrentEvents:
        """Return from where a reader gets what is found, as of now.

        Raises:
            RetryableError: No answer.
        """
        return current_events(reader, tenant=self.tenant, period=self.period)


def search(reader: Reader, wanted: Search) -> Table:
    """Return the newest events that match, each event id once, with costs as they are known now.

    Columns are `LIST_COLUMNS`.

    Raises:
        QueryError: A value is not one of its field's kind.
        RequestError: The limit is out of range.
        RetryableError: No answer.
    """
    if not 1 <= wanted.limit <= MOST_ROWS:
        raise RequestError(f"limit {wanted.limit}: not between 1 and {MOST_ROWS}")
    conditions = wanted.conditions()
    if wanted.after is not None:
        conditions.add_before(wanted.after.event_time, wanted.after.event_id)
    limit = conditions.bind(wanted.limit, "UInt32")
    found = current_page(
        reader,
        LISTED,
        wanted.scope(),
        conditions,
        period=wanted.period,
        tail=f"ORDER BY event_time DESC, event_id DESC\nLIMIT {limit}",
    )
    return found if found.rows else Table(LIST_COLUMNS, ())  # over HTTP an empty answer names no columns


def next_page(found: Table, wanted: Search) -> Cursor | None:
    """Return the cursor of the page after an answer; None when the answer was not full, so the last one."""
    if len(found.rows) < wanted.limit:
        return None
    last = found.select(("event_time", "event_id")).rows[-1]
    return Cursor(last[0].replace(tzinfo=UTC) if last[0].tzinfo is None else last[0], uuid.UUID(str(last[1])))


def leaves_of(reader: Reader, wanted: str) -> list[tuple[str, int]]:
    """Return log and index of the row that an event is told by now, whomever it was recorded for.

    Args:
        reader: The store.
        wanted: As of `show`; a leaf's name is none that is told by its event.

    Raises:
        RetryableError: No answer.
    """
    if LEAF.fullmatch(wanted):
        return []
    conditions = Conditions()
    event_id = _event_id(wanted)
    conditions.add(f"event_id = {conditions.bind(str(event_id), 'UUID')}")
    current = current_events_where(reader, conditions, period=Period())
    if (earliest := earliest_day(event_id)) is not None:
        conditions.add(f"ingest_day >= {conditions.bind(earliest.date().isoformat(), 'Date')}")
    sql = f"{current.select('log_id, leaf_index', conditions)}\nLIMIT 1"
    found = current.reader.table(sql, conditions.parameters, doing="read of an event").rows
    return [(str(log_id), int(index)) for log_id, index in found]


def show(reader: Reader, wanted: str, *, tenant: str | None = None) -> list[dict[str, Any]]:
    """Return every row of an event, repeats included, or the row of one leaf; all columns by name.

    `raw` is bytes. Rows are in the order in which they were recorded.

    Args:
        reader: The store.
        wanted: An event id, or a leaf as `topic/partition/epoch/index`, which is how dead letters are named.
        tenant: Only rows of this tenant.

    Raises:
        RequestError: `wanted` is neither.
        NotFoundError: There is no such row.
        RetryableError: No answer.
    """
    leaf = LEAF.fullmatch(wanted)
    rows = _leaf(reader, leaf, tenant) if leaf else _event(reader, _event_id(wanted), tenant)
    if not rows:
        raise NotFoundError(
            f"{wanted}: nothing recorded under this id", hint=_not_found_hint(leaf is not None)
        )
    for row in rows:
        row["raw"] = bytes.fromhex(row.pop("raw_hex"))
        row["leaf_hash"] = bytes.fromhex(row.pop("leaf_hash_hex"))
    return rows


def _event_id(wanted: str) -> uuid.UUID:
    try:
        return uuid.UUID(wanted)
    except ValueError:
        hint = "Give an event id (a UUID) or a leaf as topic/partition/epoch/index."
        raise RequestError(f"{wanted!r} is no event id", hint=hint) from None


def _not_found_hint(is_leaf: bool) -> str:
    if is_leaf:
        return "`auditstream status` lists the logs and their next index."
    return (
        "`auditstream status` says whether everything sent has been recorded; dead letters have no event id."
    )


def _event(reader: Reader, event_id: uuid.UUID, tenant: str | None) -> list[dict[str, Any]]:
    """Return an event's rows: of the days it can have been recorded on, and of all when there are none."""
    earliest = earliest_day(event_id)
    rows = _rows(reader, event_id, tenant, earliest) if earliest else []
    return rows or _rows(reader, event_id, tenant, None)


def earliest_day(event_id: uuid.UUID) -> datetime | None:
    """Return when an event can have been recorded at the earliest, by the time in its id (UUIDv7 only).

    Source: RFC 9562, section 5.7: the first 48 bits are milliseconds since the epoch.
    """
    if event_id.version != 7:
        return None
    try:
        return datetime.fromtimestamp((event_id.int >> 80) / 1000, UTC) - _CLOCK_SLACK
    except (OverflowError, ValueError):
        return None


_ALL = "* EXCEPT (raw, leaf_hash), hex(raw) AS raw_hex, hex(leaf_hash) AS leaf_hash_hex"


def _rows(
    reader: Reader, event_id: uuid.UUID, tenant: str | None, earliest: datetime | None
) -> list[dict[str, Any]]:
    conditions = Conditions()
    if tenant is not None:
        conditions.add_tenant(tenant)
    if earliest is not None:
        conditions.add(f"ingest_day >= {conditions.bind(earliest.date().isoformat(), 'Date')}")
    conditions.add(f"event_id = {conditions.bind(str(event_id), 'UUID')}")
    return _read(reader, conditions)


def _leaf(reader: Reader, leaf: re.Match[str], tenant: str | None) -> list[dict[str, Any]]:
    conditions = Conditions()
    if tenant is not None:
        conditions.add_tenant(tenant)
    conditions.add(f"log_id = {conditions.bind(leaf['log'], 'String')}")
    conditions.add(f"leaf_index = {conditions.bind(int(leaf['index']), 'UInt64')}")
    return _read(reader, conditions)


def _read(reader: Reader, conditions: Conditions) -> list[dict[str, Any]]:
    sql = f"""
SELECT {_ALL} FROM events
WHERE {conditions.sql}
ORDER BY inserted_at, log_id, leaf_index
LIMIT 1000"""  # noqa: S608  columns are ours, values are parameters
    return reader.table(sql, conditions.parameters, doing="read of an event").records()
