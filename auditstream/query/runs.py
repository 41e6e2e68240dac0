"""Agent runs: traces of several events, each with how long it took, what failed, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from auditstream.core.errors import RequestError
from auditstream.query.current_events import current_events
from auditstream.query.grammar import Term
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader

READ_FROM = "events_current"
"""Table that is read."""

MOST_RUNS = 500
"""Runs of an answer at most."""

_FEWEST_EVENTS = 2  # one call alone is an event, and no run
_MOST_AGENTS = 3  # that a list names
# A run is told of as a whole when one of its events is in the period; none takes longer than this.
_LONGEST = timedelta(days=1)
_FIGURES = f"""
trace_id,
toUnixTimestamp64Micro(min(event_time)) AS began,
max(toUnixTimestamp64Micro(event_time) + ifNull(duration_us, 0)) AS ended,
arraySlice(groupUniqArrayIf(toString(agent_id), agent_id != ''), 1, {_MOST_AGENTS}) AS agents,
groupUniqArray(toString(tenant_id)) AS tenants,
count() AS events,
countIf(outcome IN ('FAILURE', 'BLOCKED')) AS failed,
sum(ifNull(input_tokens, 0)) + sum(ifNull(output_tokens, 0)) AS tokens,
sumMapIf(
    map(toString(cost_currency), assumeNotNull(cost_effective)), cost_effective IS NOT NULL
) AS costs,
countIf(cost_status = 'unpriced') AS unpriced"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        trace_id: Its trace.
        start: When its first event began (UTC).
        end: When its last one ended.
        agents: Some of the agents that acted.
        tenants: Whose events it has.
        events: How many.
        failed: How many failed or were blocked.
        tokens: Tokens in and out.
        costs: Effective cost by currency.
        unpriced: Calls whose price was not known.
    """

    trace_id: str
    start: datetime
    end: datetime
    agents: tuple[str, ...]
    tenants: tuple[str, ...]
    events: int
    failed: int
    tokens: int
    costs: Mapping[str, Decimal]
    unpriced: int


def runs(reader: Reader, terms: Sequence[Term], period: Period, *, limit: int) -> list[Run]:
    """Return the newest runs that have an event in a period which satisfies every term, each as a whole.

    Args:
        reader: The store.
        terms: What one of its events must satisfy.
        period: When that event must have been.
        limit: Runs at most.

    Raises:
        QueryError: A value is not one of its field's kind.
        RequestError: The limit is out of range.
        RetryableError: No answer.
    """
    if not 1 <= limit <= MOST_RUNS:
        raise RequestError(f"limit {limit}: not between 1 and {MOST_RUNS}")
    around = Period(_shifted(period.start, -_LONGEST), _shifted(period.end, _LONGEST))
    current = current_events(reader, tenant=None, period=around)
    wanted = Conditions()
    wanted.add("trace_id != ''")
    wanted.add_period(period)
    wanted.add_terms(terms)
    # More than are wanted: some of them turn out to be one event alone.
    found = wanted.bind(limit * 4, "UInt32")
    traces = f"""{current.select("trace_id", wanted)}
    GROUP BY trace_id
    ORDER BY max(event_time) DESC
    LIMIT {found}"""
    whole = wanted.beside()
    whole.add_period(around)
    whole.add(f"trace_id IN ({traces})")
    sql = f"""
{current.select(_FIGURES, whole)}
GROUP BY trace_id
HAVING events >= {_FEWEST_EVENTS}
ORDER BY began DESC, trace_id
LIMIT {whole.bind(limit, "UInt32")}"""
    rows = current.reader.table(sql, whole.parameters, doing="search for runs").records()
    return [
        Run(
            row["trace_id"],
            _moment(row["began"]),
            _moment(row["ended"]),
            tuple(sorted(row["agents"])),
            tuple(sorted(row["tenants"])),
            row["events"],
            row["failed"],
            row["tokens"],
            dict(row["costs"]),
            row["unpriced"],
        )
        for row in rows
    ]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _shifted(at: datetime | None, by: timedelta) -> datetime | None:
    try:
        return None if at is None else at + by
    except OverflowError:
        return at
