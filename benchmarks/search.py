"""First pages of searches over ten days of events, beside the same WHERE on a copy without order and indexes.

The store is the embedded one, in a process of its own (`benchmarks.search_store`). Beside the time that an
answer takes stands the store's processor time, which others on the machine lengthen less.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from clickhouse_connect.driver.client import Client

from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.query.events import LIST_COLUMNS, LISTED, Search, search
from auditstream.query.facets import SUGGESTED, facets
from auditstream.query.grammar import parse
from auditstream.query.periods import Period
from auditstream.query.reader import Reader, Table, open_reader
from benchmarks.search_store import (
    ACTORS,
    AGENTS,
    DAYS,
    FIRST,
    MODELS,
    TENANTS,
    TOOLS,
    Tell,
    filled_store,
    settings_of,
)
from sinks.clients import http_client

_PAGE = 50
_DAYS_OF_FACETS = 8
_FACET_LIMIT_S = 1.0

# A new price for one event in a hundred: every tenant's day has some.
_BOOKED = """
INSERT INTO cost_adjustments (adjustment_id, kind, log_id, leaf_index, event_id, event_time, event_type,
    stands, tenant_id, cost_currency, cost_status, cost_effective, reason, recorded_at, actor)
SELECT generateUUIDv7(), 'reprice', log_id, leaf_index, event_id, event_time, event_type,
    true, tenant_id, cost_currency, cost_status, 0.001, 'benchmark', now64(6), 'benchmark'
FROM events WHERE leaf_index % 100 = 0"""
_PLAIN = """
SELECT {columns}
FROM events_plain
WHERE leaf_kind = 0 AND duplicate_of IS NULL AND {conditions}
ORDER BY event_time DESC, event_id DESC
LIMIT {limit}"""


@dataclass(frozen=True, slots=True)
class Beside:
    """Medians of the product and of the copy.

    Attributes:
        ours_ms: The product's.
        plain_ms: The copy's.
        ratio: How many times the product's the copy's is.
    """

    ours_ms: float
    plain_ms: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Searched:
    """What searches took.

    Attributes:
        events: Events in the store.
        searches: First pages that were asked for, on each table.
        time: Until the answer was there.
        p95_ms: 95th percentile of the product's.
        time_by_field: The same by field.
        cpu: Processor time of the store.
        cpu_by_field: The same by field.
        facets_ms: Median of all suggested facets of a tenant's day, asked for at once.
        facet_ms: Median of one of them, asked for alone.
        facets_late: Facets that did not come within their limit, of either.
        facets: Facets that were asked for.
        booked_ms: Median of first pages of events to some of which new prices were booked.
        booked: How many were asked for.
        fill_s: Seconds in which the store was filled.
        megabytes: Size of `events` on disk, and of the copy.
    """

    events: int
    searches: int
    time: Beside
    p95_ms: float
    time_by_field: dict[str, Beside]
    cpu: Beside
    cpu_by_field: dict[str, Beside]
    facets_ms: float
    facet_ms: float
    facets_late: int
    facets: int
    booked_ms: float
    booked: int
    fill_s: float
    megabytes: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Took:
    """Milliseconds of one search on each table: of time, and of the store's processors."""

    field: str
    ours: tuple[float, float]
    plain: tuple[float, float]


def measure_search(events: int, tell: Tell, *, each: int = 12) -> Searched:
    """Make the store, measure, and remove it.

    Args:
        events: Events in it.
        tell: Is told how far it is.
        each: Searches of each field.

    Raises:
        RequestError: There are fewer events than days, or the disk has no room for them.
    """
    begun = time.perf_counter()
    with filled_store(events, tell) as store:
        return _measured(store, events, each, tell, fill_s=time.perf_counter() - begun)


def _measured(store: RunningClickHouse, events: int, each: int, tell: Tell, *, fill_s: float) -> Searched:
    settings = settings_of(store)
    with (
        closing(http_client(settings, answer_within_s=600.0)) as client,
        closing(open_reader(settings, answer_within_s=120.0)) as reader,
    ):
        took = _searches(reader, client, store.pid, each, tell)
        tell(f"counting facets of {_DAYS_OF_FACETS} days, at once and alone")
        at_once, alone = _facets(reader, at_once=True), _facets(reader, at_once=False)
        tell("booking new prices to one event in a hundred, and searching again")
        client.command(_BOOKED)
        booked = [_milliseconds(reader, wanted) for _, wanted in _wanted(each // 4)]
        sizes = client.query(
            "SELECT sum(bytes_on_disk) / 1e6 FROM system.parts"
            " WHERE active AND table IN ('events', 'events_plain') GROUP BY table ORDER BY table"
        ).result_rows
    by_field: dict[str, list[_Took]] = {}
    for one in took:
        by_field.setdefault(one.field, []).append(one)
    return Searched(
        events=events,
        searches=len(took),
        time=_beside(took, 0),
        p95_ms=statistics.quantiles((each.ours[0] for each in took), n=20)[-1],
        time_by_field={name: _beside(of_field, 0) for name, of_field in by_field.items()},
        cpu=_beside(took, 1),
        cpu_by_field={name: _beside(of_field, 1) for name, of_field in by_field.items()},
        facets_ms=statistics.median(taken for taken, _ in at_once),
        facet_ms=statistics.median(taken for taken, _ in alone),
        facets_late=sum(late for _, late in at_once + alone),
        facets=2 * _DAYS_OF_FACETS * len(SUGGESTED),
        booked_ms=statistics.median(booked),
        booked=len(booked),
        fill_s=fill_s,
        megabytes=(float(sizes[0][0]), float(sizes[1][0])),
    )


def _beside(took: Sequence[_Took], at: int) -> Beside:
    ours = statistics.median(each.ours[at] for each in took)
    plain = statistics.median(each.plain[at] for each in took)
    return Beside(ours, plain, plain / ours)


def _searches(reader: Reader, client: Client, pid: int, each: int, tell: Tell) -> list[_Took]:
    draw = random.Random(8)
    wanted = list(_wanted(each))
    told_each = max(1, len(wanted) // 6)
    took: list[_Took] = []
    for field, one in wanted:
        if len(took) % told_each == 0:
            tell(f"searching, here and in the copy: {len(took)} of {len(wanted)}")
        took.append(_pair(reader, client, pid, field, one, first=draw.random() < 0.5))
    return took


def _wanted(each: int) -> Iterator[tuple[str, Search]]:
    """Yield searches of a tenant's day by one field, and the field's name; the fields in turn."""
    draw = random.Random(7)
    fields: dict[str, Callable[[], str]] = {
        "model": lambda: f"model:model-{draw.randrange(MODELS)}",
        "tool": lambda: f"tool:tool-{draw.randrange(TOOLS)}",
        "agent": lambda: f"agent:agent-{draw.randrange(AGENTS)}",
        "actor": lambda: f"actor:user-{draw.randrange(ACTORS)}",
        "outcome": lambda: "outcome:failure",
        "cost": lambda: f"cost>0.0{draw.randrange(1, 8)}",
        "words": lambda: f"tool-{draw.randrange(TOOLS)}",
    }
    for _ in range(each):
        for name, query in fields.items():
            yield name, Search(parse(query()), _day(draw), _tenant(draw), _PAGE)


def _pair(reader: Reader, client: Client, pid: int, field: str, wanted: Search, *, first: bool) -> _Took:
    """Ask both, in an order that changes; both must find the same events."""
    conditions = wanted.conditions()
    sql = _PLAIN.format(columns=LISTED, conditions=conditions.sql, limit=wanted.limit)

    def ours() -> Table:
        return search(reader, wanted)

    def plain() -> Table:
        answer = client.query(sql, conditions.parameters)
        return Table(LIST_COLUMNS, tuple(map(tuple, answer.result_rows)))

    took: dict[str, tuple[float, float]] = {}
    found: dict[str, Table] = {}
    for name, act in [("ours", ours), ("plain", plain)][:: 1 if first else -1]:
        begun, cpu = time.perf_counter(), _cpu_s(pid)
        found[name] = act()
        took[name] = 1_000 * (time.perf_counter() - begun), 1_000 * (_cpu_s(pid) - cpu)
    assert found["ours"] == found["plain"], wanted
    return _Took(field, took["ours"], took["plain"])


def _cpu_s(pid: int) -> float:
    """Return processor seconds of a process, to less than the hundredth that /proc tells.

    Source: clock_getcpuclockid(3), whose clock of a process is `~pid << 3 | 2` on Linux.
    """
    return time.clock_gettime(~pid << 3 | 2)


def _facets(reader: Reader, *, at_once: bool) -> list[tuple[float, int]]:
    """Return milliseconds of each question, and how many facets it had to give up."""
    draw = random.Random(9)
    taken = []
    for _ in range(_DAYS_OF_FACETS):
        wanted = Search((), _day(draw), _tenant(draw), _PAGE)
        for fields in [SUGGESTED] if at_once else [(name,) for name in SUGGESTED]:
            begun = time.perf_counter()
            found = facets(reader, wanted, fields, limit_s=_FACET_LIMIT_S)
            late = sum(not facet.in_time for facet in found)
            taken.append((1_000 * (time.perf_counter() - begun), late))
    return taken


def _milliseconds(reader: Reader, wanted: Search) -> float:
    begun = time.perf_counter()
    search(reader, wanted)
    return 1_000 * (time.perf_counter() - begun)


def _day(draw: random.Random) -> Period:
    start = FIRST + timedelta(days=draw.randrange(DAYS))
    return Period(start, start + timedelta(days=1))


def _tenant(draw: random.Random) -> str:
    """Return a tenant as often as it has events."""
    return f"tenant-{int(draw.random() ** 3 * TENANTS)}"
