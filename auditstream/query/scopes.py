"""Whose rows a reader sees: every statement is held to the tenants, the period and the bounds of who asks.

The store itself adds the condition to each table and view that a statement reads (setting
`additional_table_filters`), so that no question can forget it, whatever its WHERE says. A table of which
nobody said whose its rows are is refused.

Source: https://clickhouse.com/docs/operations/settings/settings#additional_table_filters
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from auditstream.core.errors import AuditStreamError, InvariantError, RequestError, StoreTimeoutError
from auditstream.query.periods import Period
from auditstream.query.reader import Reader, Stream, Table
from sinks.expressions import time_text

_TENANT = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LOG_ID = re.compile(r"[A-Za-z0-9._-]{1,249}/\d{1,9}/[0-9a-f]{1,32}")
_READ = re.compile(r"(?<!ARRAY )\b(?:FROM|JOIN)\s+([A-Za-z_][\w.]*)", re.IGNORECASE)
_NAMED = re.compile(r"\b([A-Za-z_]\w*)\s+AS\s+\(\s*(?:SELECT|WITH)\b", re.IGNORECASE)
_LISTED = re.compile(r"\bFROM\s+[\w.]+(?:\s+(?:AS\s+)?\w+)?\s*,", re.IGNORECASE)

# What the store stops a statement at: rows and bytes to read, rows of the answer, time, memory.
_TOO_MUCH = frozenset({158, 159, 241, 307, 396})


class LimitError(RequestError):
    """A question asks for more than the role of who asks may read at once."""

    code = "limit"
    hint = "Ask for less: a shorter range of time, one tenant, a field that is indexed."


@dataclass(frozen=True, slots=True)
class Rows:
    """Whose the rows of a table are.

    Attributes:
        tenant: Column of the tenant; empty where rows belong to nobody: prices, logs, checkpoints.
        begins: Time that must lie before the end of a period; empty where rows have no time of their own.
            Of a sum over an hour its last second: an hour that the period cuts is not seen.
        ends: Time that must not lie before its start.
        of_all: Whether rows without a tenant are for every tenant.
        is_leaf: Whether rows are leaves as they were recorded, whatever was learnt later.
        is_view: Whether what was learnt later is read beneath it, from `cost_adjustments`.
    """

    tenant: str = "tenant_id"
    begins: str = ""
    ends: str = ""
    of_all: bool = False
    is_leaf: bool = False
    is_view: bool = False


_ADJUSTMENTS = "cost_adjustments"
_EVENTS = Rows(begins="event_time", ends="event_time")
_LEAVES = replace(_EVENTS, is_leaf=True)
_MINUTES = Rows(begins="addSeconds(minute, 59)", ends="minute")
_HOURS = Rows(begins="addSeconds(hour, 3599)", ends="hour")
_DAYS = Rows(begins="addSeconds(toDateTime(day, 'UTC'), 86399)", ends="toDateTime(day, 'UTC')")
_OWNED = Rows()
_OWNED_OR_ALL = Rows(of_all=True)
_SHARED = Rows(tenant="")

TABLES: Mapping[str, Rows] = {
    "events": _LEAVES,
    _ADJUSTMENTS: _EVENTS,
    **dict.fromkeys(("events_current", "events_as_known"), replace(_EVENTS, is_view=True)),
    **dict.fromkeys(("usage_1m", "outcomes_1m", "latency_1m", "latency_quantiles_1m"), _MINUTES),
    **dict.fromkeys(("usage_1h", "costs_current", "costs_as_known"), _HOURS),
    "costs_reported": _DAYS,
    "findings": Rows(begins="window_start", ends="window_end"),
    "receipts": _OWNED,
    **dict.fromkeys(
        ("tenants", "credentials", "projects", "agents", "sources", "budgets", "slos", "retention", "holds",
         "contracts", "assets", "exports"),
        _OWNED,
    ),
    **dict.fromkeys(("tools", "mutes"), _OWNED_OR_ALL),
    **dict.fromkeys(("prices", "currency_rates", "closures", "reference_revisions"), _SHARED),
    **dict.fromkeys(("logs", "segments", "segment_ranges", "checkpoints"), _SHARED),
}  # fmt: skip
"""Every table that a question may read. Logs are shared: how long they are says nothing of whose leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one statement may use at most; 0 for the server's own bound.

    Attributes:
        seconds: Time.
        read_bytes: Bytes read from tables, decompressed.
        rows: Rows of the answer.
    """

    seconds: float = 0.0
    read_bytes: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What somebody may see.

    Attributes:
        tenants: Whose rows; None for everybody's.
        period: What happened when; open ends for all time.
        bounds: What one statement may use.
        leaves: Rows of `events` that are seen although they were recorded for another tenant, by log and
            index: they were attributed to one of these later.
    """

    tenants: frozenset[str] | None = None
    period: Period = field(default_factory=Period)
    bounds: Bounds = field(default_factory=Bounds)
    leaves: frozenset[tuple[str, int]] = frozenset()

    def narrowed(self, tenant: str | None) -> Scope:
        """Return the part of it that is one tenant's; nobody's where there is none."""
        if not tenant:
            return self
        is_in = bool(_TENANT.fullmatch(tenant)) if self.tenants is None else tenant in self.tenants
        tenants = frozenset({tenant}) if is_in else frozenset[str]()
        return replace(self, tenants=tenants)

    def condition(self, rows: Rows) -> str:
        """Return the condition on a table's rows; empty for none.

        Raises:
            InvariantError: A tenant has no tenant's name.
        """
        clauses = []
        if self.tenants is not None and rows.tenant:
            owners = [*map(_quoted, sorted(self.tenants)), *(["''"] if rows.of_all else [])]
            owned = f"{rows.tenant} IN ({', '.join(owners)})" if owners else "0"
            clauses.append(f"({owned} OR {self._among_leaves()})" if self.leaves and rows.is_leaf else owned)
        if rows.begins and self.period.end is not None:
            clauses.append(f"{rows.begins} < {_time(self.period.end)}")
        if rows.ends and self.period.start is not None:
            clauses.append(f"{rows.ends} >= {_time(self.period.start)}")
        return " AND ".join(clauses)

    def _among_leaves(self) -> str:
        named = ", ".join(f"({_log_name(log_id)}, {index:d})" for log_id, index in sorted(self.leaves))
        return f"(log_id, leaf_index) IN ({named})"


class ScopedReader(Reader):
    """A reader that sees what a scope lets through, whatever the statement says; see the module.

    Args:
        store: Where statements are asked; belongs to the caller, who closes it.
        scope: What may be seen.
    """

    def __init__(self, store: Reader, scope: Scope) -> None:
        super().__init__(store._clients)
        self._scope = scope

    def table(self, sql: str, parameters: Mapping[str, object], *, doing: str, limit_s: float = 0.0) -> Table:
        """Return the answer to one of our own queries, as of `Reader`.

        Raises:
            LimitError: The scope's bounds are not enough.
            StoreTimeoutError: They are not, and the question has a limit of its own.
            InvariantError: A table is none of `TABLES`.
        """
        with _held(doing, limit_s):
            return super().table(sql, parameters, doing=doing, limit_s=limit_s)

    def batches(self, sql: str, parameters: Mapping[str, object], *, doing: str) -> Iterator[pa.RecordBatch]:
        """Yield the answer to one of our own queries in batches, as of `Reader`.

        Raises:
            LimitError: The scope's bounds are not enough.
            InvariantError: A table is none of `TABLES`.
        """
        with _held(doing, 0.0):
            yield from super().batches(sql, parameters, doing=doing)

    @contextmanager
    def stream(self, sql: str, *, limit_s: float = 0.0) -> Iterator[Stream]:
        """Refuse: which tables a user's own statement reads is not known before the store has parsed it.

        Raises:
            InvariantError: Always.
        """
        raise InvariantError("a statement of a user's own is not held to a scope")
        yield

    def seeing(self, leaves: Iterable[tuple[str, int]]) -> ScopedReader:
        """Return a reader that sees these leaves, too, whomever they were recorded for."""
        return ScopedReader(self, replace(self._scope, leaves=frozenset(leaves)))

    def within(self, period: Period) -> ScopedReader:
        """Return a reader that sees of this scope what happened in a period."""
        return ScopedReader(self, replace(self._scope, period=self._scope.period.within(period)))

    def close(self) -> None:
        """Do nothing: the clients are the store's."""

    def _bounds(self, client: Client, sql: str, limit_s: float) -> dict[str, Any]:
        bounds = self._scope.bounds
        seconds = min((each for each in (bounds.seconds, limit_s) if each), default=0.0)
        wanted: dict[str, Any] = {
            "additional_table_filters": filters(sql, self._scope),
            "max_execution_time": seconds,
            "max_bytes_to_read": bounds.read_bytes,
            "max_result_rows": bounds.rows,
        }
        for name in wanted:
            # The driver would refuse it where the store calls it read-only; the store decides.
            client.server_settings.pop(name, None)
        return {name: value for name, value in wanted.items() if value}


def filters(sql: str, scope: Scope) -> dict[str, str]:
    """Return the condition of each table that a statement of ours reads.

    The store holds what a view reads to them as well: differences of other times, which no event of the
    period can have, are not read. Whose they are is the view's own business: an event may have been another
    tenant's.

    Raises:
        InvariantError: A table is none of `TABLES`, or several are listed with commas.
    """
    if _LISTED.search(sql):
        raise InvariantError("tables are listed with commas, where only the first would be seen")
    found, beneath = {}, {}
    for name in tables_of(sql):
        rows = TABLES.get(name)
        if rows is None:
            raise InvariantError(f"table {name}: nobody said whose its rows are")
        if condition := scope.condition(rows):
            found[name] = condition
        if rows.is_view and (condition := scope.condition(replace(rows, tenant=""))):
            beneath[_ADJUSTMENTS] = condition
    return beneath | found


def tables_of(sql: str) -> set[str]:
    """Return the tables that a statement of ours reads: what FROM and JOIN name, its own names aside."""
    return set(_READ.findall(sql)) - set(_NAMED.findall(sql))


@contextmanager
def _held(doing: str, limit_s: float) -> Iterator[None]:
    try:
        yield
    except AuditStreamError as error:
        cause = error.__cause__
        if not isinstance(cause, Error) or cause.code not in _TOO_MUCH:
            raise
        if limit_s:
            raise StoreTimeoutError(f"{doing}: given up at its limit") from error
        raise LimitError(f"{doing}: more than the role may read at once") from error


def _log_name(log_id: str) -> str:
    if not _LOG_ID.fullmatch(log_id):
        raise InvariantError(f"log {log_id!r}: is no name of a log")
    return f"'{log_id}'"


def _quoted(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant):
        raise InvariantError(f"tenant {tenant!r}: is no name of a tenant")
    return f"'{tenant}'"


def _time(moment: datetime) -> str:
    return f"toDateTime64('{time_text(moment)}', 6, 'UTC')"
