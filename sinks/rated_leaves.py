"""Recorded events read back with what they were attributed and priced by, in bounded runs of leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from auditstream.attribution.filling import FILLED, FILLED_BY_US
from auditstream.core.event_types import CALL_TYPES
from auditstream.pricing.line_fields import COSTS
from auditstream.pricing.routing import ROUTE_COLUMNS
from auditstream.pricing.usage import USAGE_COLUMNS
from sinks.adjustments import COST_TOTALS
from sinks.clients import ClientPool
from sinks.columns import TABLE_SCHEMA
from sinks.expressions import ANSWERED_MODEL, time_text, uuid_bytes
from sinks.refusals import translated

RUN_LEAVES = 32_768
"""Leaves of one run: runs begin at multiples of it, so that everybody means the same leaves by a run."""

CALL_SPAN = timedelta(hours=1)
"""How far apart, by event_time, reports of one call may be. They begin with the call; clocks differ."""

LEAF_COLUMNS = tuple(dict.fromkeys((
    "log_id", "leaf_index", "kafka_topic", "kafka_timestamp", "event_id", "event_time", "event_type",
    "source", "outcome", "tenant_claim", "tenant_id", *FILLED, FILLED_BY_US, "attribution_method",
    "attribution_confidence", "feature_id", "agent_id", "credential_id", "inference_response_id",
    *ROUTE_COLUMNS, *USAGE_COLUMNS, COSTS, "cost_currency", *COST_TOTALS, "price_basis", "cost_status",
    "price_book_revision", "reference_revision", "same_call_as",
)))  # fmt: skip
"""Columns of a leaf: all that owner and cost depend on, and both as they were recorded."""

_SELECTED = ", ".join(
    uuid_bytes(name) if name == "event_id" else f"events.{name} AS {name}" for name in LEAF_COLUMNS
)
_IS_EVENT = "leaf_kind = 0 AND duplicate_of IS NULL"
_WITHIN = "event_time >= {from:DateTime64(6, 'UTC')} AND event_time < {to:DateTime64(6, 'UTC')}"
_AROUND = "event_time >= {earliest:DateTime64(6, 'UTC')} AND event_time < {latest:DateTime64(6, 'UTC')}"
# As streams.recording.same_calls: what is one call of a model. Reports that a log's own rows settled are out.
_IS_CALL = (
    f"{_IS_EVENT} AND same_call_as IS NULL AND event_type IN {CALL_TYPES} "
    "AND inference_provider != '' AND inference_response_id != ''"
)
_CALL = "inference_provider, inference_response_id"

_MINUTES = """
SELECT toStartOfMinute(event_time) AS minute, count() FROM events
WHERE {where} GROUP BY minute ORDER BY minute"""
_RUNS = """
SELECT log_id, intDiv(leaf_index, {{size:UInt64}}) AS run, count() FROM events
WHERE {where} GROUP BY log_id, run ORDER BY log_id, run"""
_LEAVES = """
SELECT {columns} FROM events
WHERE log_id = {{log:String}} AND leaf_index >= {{first:UInt64}} AND leaf_index < {{after:UInt64}} AND {where}
ORDER BY leaf_index"""
# What was taken off already: its call has one report less, and needs no further look.
_UNSETTLED = f"""(log_id, leaf_index) NOT IN (
        SELECT log_id, leaf_index FROM cost_adjustments WHERE kind = 'same_call' AND {_AROUND}
    )"""  # noqa: S608  names are ours
_CALLS = f"""
SELECT {_SELECTED} FROM events
WHERE {_IS_CALL} AND {_AROUND} AND {{unsettled}} AND ({_CALL}) IN (
    SELECT {_CALL} FROM events
    WHERE {_IS_CALL} AND {_AROUND} AND {{unsettled}}
        AND ({_CALL}) IN (SELECT {_CALL} FROM events WHERE {_IS_CALL} AND {_WITHIN})
    GROUP BY {_CALL}
    HAVING count() > 1
)
ORDER BY log_id, leaf_index"""  # noqa: S608  names are ours


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events.

    Attributes:
        start: First moment of event_time (UTC).
        end: First moment after.
        provider: Only calls of this provider; empty for all events.
        model: Only calls that this model answered, or was asked for where none is known to have answered.
    """

    start: datetime
    end: datetime
    provider: str = ""
    model: str = ""

    def during(self, start: datetime, end: datetime) -> Wanted:
        """Return the same of a part of the period."""
        return Wanted(start, end, self.provider, self.model)


@dataclass(frozen=True, slots=True)
class Run:
    """A run of leaves of a log, some of which are wanted.

    Attributes:
        log_id: The log.
        first: First index.
        wanted: How many of them are wanted.
    """

    log_id: str
    first: int
    wanted: int

    @property
    def after(self) -> int:
        """Index after the last."""
        return self.first + RUN_LEAVES


class RatedLeaves:
    """Reads events; calls may come from any number of threads at once.

    Args:
        clients: Where clients come from.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def minutes(self, wanted: Wanted) -> list[tuple[datetime, int]]:
        """Return how many events each minute has that has any, in order.

        Raises:
            RetryableError: No answer.
        """
        where, asked = _conditions(wanted)
        with translated("count of events"), self._clients.borrow() as client:
            rows = client.query(_MINUTES.format(where=where), asked).result_rows
        return [(minute.replace(tzinfo=UTC), int(count)) for minute, count in rows]

    def runs(self, wanted: Wanted) -> list[Run]:
        """Return the runs that have any of the events, by log and index.

        Raises:
            RetryableError: No answer.
        """
        where, asked = _conditions(wanted)
        with translated("search of events"), self._clients.borrow() as client:
            rows = client.query(_RUNS.format(where=where), {**asked, "size": RUN_LEAVES}).result_rows
        return [Run(str(log_id), int(run) * RUN_LEAVES, int(count)) for log_id, run, count in rows]

    def read(self, run: Run, wanted: Wanted) -> pl.DataFrame:
        """Return the wanted leaves of a run, in order: `LEAF_COLUMNS`.

        Raises:
            RetryableError: No answer.
        """
        where, asked = _conditions(wanted)
        sql = _LEAVES.format(columns=_SELECTED, where=where)
        parameters = {**asked, "log": run.log_id, "first": run.first, "after": run.after}
        with translated(f"read of events of {run.log_id}"), self._clients.borrow() as client:
            return _typed(pl.DataFrame(pl.from_arrow(client.query_arrow(sql, parameters=parameters))))

    def calls(self, start: datetime, end: datetime, *, unsettled: bool = False) -> pl.DataFrame:
        """Return the reports of calls of a period that are reported more than once: `LEAF_COLUMNS`.

        Reports count that are up to `CALL_SPAN` before or after the period.

        Args:
            start: First moment of the period (UTC).
            end: First moment after it.
            unsettled: Whether reports do not count that an adjustment was booked for.

        Raises:
            RetryableError: No answer.
        """
        asked = {
            "from": time_text(start),
            "to": time_text(end),
            "earliest": time_text(start - CALL_SPAN),
            "latest": time_text(end + CALL_SPAN),
        }
        sql = _CALLS.replace("{unsettled}", _UNSETTLED if unsettled else "true")
        with translated("search of calls"), self._clients.borrow() as client:
            return _typed(pl.DataFrame(pl.from_arrow(client.query_arrow(sql, parameters=asked))))


def _conditions(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    conditions = [_IS_EVENT, _WITHIN]
    asked: dict[str, Any] = {"from": time_text(wanted.start), "to": time_text(wanted.end)}
    if wanted.provider:
        conditions.append("inference_provider = {provider:String}")
        asked["provider"] = wanted.provider
    if wanted.model:
        conditions.append(f"{ANSWERED_MODEL} = {{model:String}}")
        asked["model"] = wanted.model
    return " AND ".join(conditions), asked


def _typed(found: pl.DataFrame) -> pl.DataFrame:
    return found.select(pl.col(name).cast(TABLE_SCHEMA[name]) for name in LEAF_COLUMNS)
