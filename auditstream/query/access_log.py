"""The access log: who asked the record what, from the events that tell of it before it is answered."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from auditstream.core.errors import RequestError
from auditstream.query.current_events import current_events
from auditstream.query.cursors import Cursor
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader

READ_FROM = ("events_current",)
"""Tables that are read."""

MOST_ROWS = 1_000
"""Largest limit of a page."""

_READERS = 12
_OF_THESE = "event_type = 'ai.data_access'"
_ROWS = """event_id, event_time, actor_id, credential_id, outcome, source, src_ip,
    attributes['command'] AS command, attributes['role'] AS role, attributes['tenant'] AS tenants,
    arrayMap(each -> toString(each), data_access_tables) AS tables, data_access_rows AS data_rows,
    data_access_bytes AS data_bytes, data_access_purpose AS purpose,
    toString(data_access_destination) AS destination"""
_BY_READER = """actor_id, count() AS questions, countIf(outcome = 'BLOCKED') AS blocked,
    sum(ifNull(data_access_rows, 0)) AS exported, max(event_time) AS last"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which accesses; what is empty narrows nothing.

    Attributes:
        period: When.
        reader: Who.
        command: What they called.
        blocked: Only what was refused.
        after: Where the page before ended.
        limit: Accesses of a page.
    """

    period: Period
    reader: str = ""
    command: str = ""
    blocked: bool = False
    after: Cursor | None = None
    limit: int = 50

    def conditions(self, *, paged: bool) -> Conditions:
        """Return what a row must satisfy."""
        conditions = Conditions()
        conditions.add(_OF_THESE)
        conditions.add_period(self.period)
        if self.reader:
            conditions.add(f"actor_id = {conditions.bind(self.reader, 'String')}")
        if self.command:
            conditions.add(f"attributes['command'] = {conditions.bind(self.command, 'String')}")
        if self.blocked:
            conditions.add("outcome = 'BLOCKED'")
        if paged and self.after is not None:
            conditions.add_before(self.after.event_time, self.after.event_id)
        return conditions


@dataclass(frozen=True, slots=True)
class Accessed:
    """One question to the record.

    Attributes:
        event_id: The event that tells of it.
        at: When (UTC).
        reader: Who.
        credential: Id of what they signed in with.
        outcome: `SUCCESS`, or `BLOCKED` for what was refused.
        source: Part of the product that was asked.
        address: From where.
        command: What was called.
        role: Their role.
        tenants: Whose rows it was about; `*` for everybody's.
        tables: Tables that were read.
        rows: Rows that left with an export.
        size_bytes: Bytes that left with an export.
        purpose: What for.
        destination: Where to.
    """

    event_id: uuid.UUID
    at: datetime
    reader: str
    credential: str
    outcome: str
    source: str
    address: str
    command: str
    role: str
    tenants: str
    tables: tuple[str, ...]
    rows: int
    size_bytes: int
    purpose: str
    destination: str


@dataclass(frozen=True, slots=True)
class ReaderCount:
    """How often somebody asked.

    Attributes:
        reader: Who.
        questions: How often.
        blocked: How often they were refused.
        exported: Rows that left with exports.
        last: When they asked last (UTC).
    """

    reader: str
    questions: int
    blocked: int
    exported: int
    last: datetime


def accesses(reader: Reader, wanted: Wanted) -> list[Accessed]:
    """Return a page of accesses, the newest first.

    Raises:
        RequestError: The limit is out of range.
        RetryableError: No answer.
    """
    if not 1 <= wanted.limit <= MOST_ROWS:
        raise RequestError(f"limit {wanted.limit}: not between 1 and {MOST_ROWS}")
    conditions = wanted.conditions(paged=True)
    most = conditions.bind(wanted.limit, "UInt32")
    current = current_events(reader, tenant=None, period=wanted.period)
    sql = f"{current.select(_ROWS, conditions)}\nORDER BY event_time DESC, event_id DESC\nLIMIT {most}"
    found = current.reader.table(sql, conditions.parameters, doing="read of the access log").rows
    return [
        Accessed(
            uuid.UUID(str(id_)), _utc(at), str(who), str(credential), str(outcome), str(source),
            str(address), str(command), str(role), str(tenants), tuple(map(str, tables)), int(rows or 0),
            int(size or 0), str(purpose), str(destination),
        )
        for id_, at, who, credential, outcome, source, address, command, role, tenants, tables, rows, size,
        purpose, destination in found
    ]  # fmt: skip


def next_page(found: Sequence[Accessed], wanted: Wanted) -> Cursor | None:
    """Return where the next page begins; None after the last."""
    return Cursor(found[-1].at, found[-1].event_id) if len(found) == wanted.limit else None


def by_reader(reader: Reader, wanted: Wanted, *, most: int = _READERS) -> list[ReaderCount]:
    """Return who asked most, so many of them; raises as `accesses`."""
    conditions = wanted.conditions(paged=False)
    limit = conditions.bind(most, "UInt32")
    current = current_events(reader, tenant=None, period=wanted.period)
    grouped = f"GROUP BY actor_id\nORDER BY questions DESC, actor_id\nLIMIT {limit}"
    sql = f"{current.select(_BY_READER, conditions)}\n{grouped}"
    return [
        ReaderCount(str(who), int(questions), int(blocked), int(exported), _utc(last))
        for who, questions, blocked, exported, last in current.reader.table(
            sql, conditions.parameters, doing="count of the access log"
        ).rows
    ]


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
