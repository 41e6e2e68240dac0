"""Where nothing was booked, searches, histograms and facets read `events`: they say what the view says."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.core.errors import StoreTimeoutError
from auditstream.query import facets, period_reader, scopes
from auditstream.query.current_events import CurrentEvents
from auditstream.query.events import LISTED, Search, next_page, search
from auditstream.query.grammar import parse
from auditstream.query.histograms import histogram
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table
from auditstream.query.scopes import Scope, ScopedReader, filters
from sinks.columns import TABLE_SCHEMA
from tests.support.adjustments import adjust, move
from tests.support.blocks import LOG, NOON, block_of, event_id_at
from tests.support.stores import ClickHouseStore, OpenClient, reading
from tests.support.watched_readers import Watch, watched

ROWS = 120
TENANTS = ("acme", "globex", "initech")
HOUR = Period(NOON, NOON + timedelta(hours=1))
QUERIES = (
    "", "-tenant:acme", "model:claude input_tokens>10", "-output_tokens>5 browser",
    "cost>0.05 reasoning_tokens<50", "-cache_read_tokens>0",
)  # fmt: skip


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return watched(monkeypatch)


@pytest.fixture
def recorded(migrated: ClickHouseStore) -> ClickHouseStore:
    """Events of three tenants and two hours; some are sent again, some report a call again, one is none."""
    drawn = random.Random(8)
    migrated.empty()
    migrated.client.command("TRUNCATE TABLE cost_adjustments")
    migrated.insert(
        block_of(
            rows=ROWS,
            leaf_kind=[1 if offset == 7 else 0 for offset in range(ROWS)],
            duplicate_of=[offset - 1 if offset % 10 == 9 else None for offset in range(ROWS)],
            same_call_as=[offset - 1 if offset % 6 == 1 else None for offset in range(ROWS)],
            event_time=[NOON + timedelta(seconds=60 * offset) for offset in range(ROWS)],
            tenant_id=[TENANTS[offset % 3] for offset in range(ROWS)],
            outcome=[drawn.choice(("SUCCESS", "FAILURE", "")) for _ in range(ROWS)],
            inference_request_model=[drawn.choice(("gpt-4o", "claude", "")) for _ in range(ROWS)],
            tool_name=[drawn.choice(("", "browser")) for _ in range(ROWS)],
            cost_status=[drawn.choice(("priced", "unpriced")) for _ in range(ROWS)],
            cost_effective=[drawn.choice((None, Decimal("0.04"), Decimal("0.3"))) for _ in range(ROWS)],
            **{
                name: [drawn.choice((None, 3, 10, 100)) for _ in range(ROWS)]
                for name in ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")
            },
        )
    )
    return migrated


@pytest.fixture
def reader(engine: OpenClient, recorded: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, recorded) as opened:
        yield opened


def by_view(reader: Reader, wanted: Search) -> tuple[tuple[object, ...], ...]:
    """Return what the view itself says of a search."""
    conditions = wanted.conditions()
    sql = (
        f"SELECT {LISTED} FROM events_current WHERE {conditions.sql} ORDER BY event_time DESC, event_id DESC"
    )
    return reader.table(sql, conditions.parameters, doing="test").rows


def everything_agrees(reader: Reader, wanted: Search) -> int:
    """Return the number of events, once search, histogram and facets have said what the view says."""
    rows = by_view(reader, wanted)
    assert search(reader, wanted).rows == rows
    assert histogram(reader, wanted).events == len(rows)
    (owners,) = facets.facets(reader, wanted, ("tenant",), limit_s=60)
    assert sum(value.events for value in owners.values) == len(rows)
    return len(rows)


def adjust_everything(store: ClickHouseStore) -> None:
    """Book each kind of difference to an event of acme's first hour."""
    adjust(store, 0, "reprice", cost_effective=Decimal("0.5"), event_time=NOON)
    move(store, 3, "acme", "globex", event_time=NOON + timedelta(minutes=3))
    adjust(store, 6, "duplicate", events=-1, event_time=NOON + timedelta(minutes=6))
    adjust(store, 12, "same_call", events=-1, event_time=NOON + timedelta(minutes=12))


@pytest.mark.parametrize("query", QUERIES)
def test_answers_are_those_of_the_view_whether_anything_is_booked_or_not(
    reader: Reader, recorded: ClickHouseStore, query: str
) -> None:
    searches = [
        Search(parse(query), limit=1000),
        Search(parse(query), HOUR, "acme", limit=1000),
        Search(parse(query), HOUR, "globex", limit=1000),
        Search(parse(query), Period(HOUR.end, None), limit=1000),
    ]
    before = [everything_agrees(reader, wanted) for wanted in searches]
    assert sum(before) > 0

    adjust_everything(recorded)

    assert [everything_agrees(reader, wanted) for wanted in searches][-1] == before[-1]


def test_every_column_is_that_of_the_view(reader: Reader) -> None:
    columns = ", ".join((*TABLE_SCHEMA, "search_text"))

    recorded, view = (
        reader.table(
            f"{CurrentEvents(reader, is_adjusted).select(columns, Conditions())} ORDER BY leaf_index",
            {},
            doing="test",
        )
        for is_adjusted in (False, True)
    )

    assert len(recorded.rows) > 100
    assert recorded == view


@pytest.mark.parametrize(
    ("wanted", "further"),
    [
        (Search(period=HOUR), [{"events_current"}]),
        (Search(period=HOUR, tenant="acme"), [{"events_current"}]),
        (Search(period=HOUR, tenant="globex"), [{"events_current"}]),
        (Search(period=HOUR, tenant="initech"), []),
        (Search(period=Period(HOUR.end, None)), []),
        pytest.param(Search(period=Period(None, NOON)), [{"cost_adjustments"}], id="no row can tell"),
    ],
)
def test_the_view_is_asked_where_something_is_booked_to_a_tenants_events_of_the_period(
    reader: Reader, watch: Watch, recorded: ClickHouseStore, wanted: Search, further: list[set[str]]
) -> None:
    adjust_everything(recorded)

    search(reader, wanted)

    assert watch.read == [{"cost_adjustments", "events"}, *further]


def test_what_another_tenant_was_given_is_found_where_nothing_of_its_own_was(
    reader: Reader, recorded: ClickHouseStore
) -> None:
    at = NOON + timedelta(minutes=3)
    move(recorded, 3, "acme", "newcomer", event_time=at)

    (row,) = search(reader, Search(period=HOUR, tenant="newcomer")).records()

    assert uuid.UUID(str(row["event_id"])) == event_id_at(LOG, 3)


def test_what_is_booked_between_two_pages_is_in_the_second(reader: Reader, recorded: ClickHouseStore) -> None:
    acme = Search(tenant="acme", limit=5)
    first = search(reader, acme)
    after = next_page(first, acme)
    assert after is not None
    whole = by_view(reader, Search(tenant="acme"))
    behind = [uuid.UUID(str(row[1])) for row in whole[5:]]
    going, priced = behind[0], behind[2]
    leaves = {event_id_at(LOG, offset): offset for offset in range(ROWS)}
    move(recorded, leaves[going], "acme", "globex", event_time=_time(whole[5]))
    adjust(
        recorded,
        leaves[priced],
        "reprice",
        cost_effective=Decimal(7),
        cost_status="unpriced",
        event_time=_time(whole[7]),
    )

    rows = {uuid.UUID(str(row["event_id"])): row for row in _page(reader, "acme", after).records()}

    assert list(rows) == behind[1:6]
    assert rows[priced]["cost_status"] == "unpriced"
    assert going in {uuid.UUID(str(row["event_id"])) for row in _page(reader, "globex", after).records()}


def _page(reader: Reader, tenant: str, after: object) -> Table:
    return search(reader, Search(tenant=tenant, limit=5, after=after))  # type: ignore[arg-type]


def _time(row: tuple[object, ...]) -> datetime:
    assert isinstance(row[0], datetime)
    return row[0].replace(tzinfo=UTC)


def test_a_scope_sees_what_came_to_its_tenants_and_nothing_of_others(
    reader: Reader, recorded: ClickHouseStore
) -> None:
    scoped = {name: ScopedReader(reader, Scope(tenants=frozenset({name}))) for name in TENANTS}

    def seen(name: str) -> set[tuple[object, ...]]:
        return {row[1:3] for row in search(scoped[name], Search(limit=1000)).rows}

    before = {name: seen(name) for name in TENANTS}
    assert all({row[1] for row in rows} == {name} for name, rows in before.items())
    move(recorded, 3, "acme", "globex", event_time=NOON + timedelta(minutes=3))

    (moved,) = before["acme"] - seen("acme")
    assert seen("globex") - before["globex"] == {(moved[0], "globex")}
    assert seen("initech") == before["initech"]
    for name in TENANTS:
        (owner,) = facets.facets(scoped[name], Search(), ("tenant",), limit_s=60)
        assert [(value.text, value.events) for value in owner.values] == [(name, len(seen(name)))]
        assert histogram(scoped[name], Search()).events == len(seen(name))


def test_a_search_reads_the_differences_of_its_period_alone(
    reader: Reader, recorded: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    adjust_everything(recorded)
    adjust(recorded, 90, "reprice", cost_effective=Decimal("0.5"), event_time=NOON + timedelta(minutes=90))
    move(recorded, 93, "acme", "globex", event_time=NOON + timedelta(minutes=93))
    held: list[dict[str, str]] = []

    def noted(sql: str, scope: Scope) -> dict[str, str]:
        held.append(filters(sql, scope))
        return held[-1]

    monkeypatch.setattr(scopes, "filters", noted)
    monkeypatch.setattr(period_reader, "filters", noted)
    for asker in (reader, ScopedReader(reader, Scope())):
        for period in (HOUR, Period(HOUR.end, None), Period(None, HOUR.end), Period()):
            for tenant in (None, *TENANTS):
                wanted = Search(period=period, tenant=tenant, limit=1000)
                told = by_view(reader, wanted)
                assert histogram(asker, wanted).events == len(told)
                assert search(asker, wanted).rows == told

        search(asker, Search(period=HOUR))
        assert held[-1]["cost_adjustments"] == held[-1]["events_current"]
        search(asker, Search())
        assert held[-1] == {}


def test_facets_counted_in_one_pass_are_those_counted_alone(
    reader: Reader, watch: Watch, recorded: ClickHouseStore
) -> None:
    fields = ("tenant", "outcome", "model", "tool", "verdict", "tool", "inference_stream", "event_id")
    for adjusted in (False, True):
        if adjusted:
            adjust_everything(recorded)
        watch.read.clear()
        at_once = facets.facets(reader, Search(), fields, values=2, limit_s=60)
        assert len(watch.read) == 2  # one look for differences, one pass
        assert at_once == [
            facets.facets(reader, Search(), (name,), values=2, limit_s=60)[0] for name in fields
        ]


def test_where_one_pass_is_too_long_each_facet_has_its_own_limit(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, limits = reader.table, []

    def table(sql: str, parameters: Mapping[str, object], *, doing: str, limit_s: float = 0.0) -> Table:
        if limit_s:
            limits.append(limit_s)
        if doing in {"facets", "facet model"}:
            raise StoreTimeoutError(f"{doing}: too long")
        return asked(sql, parameters, doing=doing, limit_s=limit_s)

    monkeypatch.setattr(reader, "table", table)

    tenant, model = facets.facets(reader, Search(), ("tenant", "model"), limit_s=60)

    assert (tenant.in_time, model.in_time) == (True, False)
    assert {value.text for value in tenant.values} == set(TENANTS)
    assert limits == [60, 60, 60]
