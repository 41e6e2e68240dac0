"""Pages, histograms, facets, traces and arrivals of the same events, against the tables as migrated."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.core.ports import LogId
from auditstream.query import arrivals, events, facets, histograms, traces
from auditstream.query.cursors import read_cursor
from auditstream.query.grammar import parse
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from tests.support.blocks import LOG, NOON, OTHER_LOG, block_of, event_id_at
from tests.support.stores import ClickHouseStore, OpenClient, reading

NEW_LOG = LogId("audit.events.v1", 2, "0a1b2c3d")
ROWS = 240
OUTCOMES = ("SUCCESS", "SUCCESS", "FAILURE", "")
MODELS = ("gpt-4o", "claude", "", "mistral")
TENANTS = ("acme", "globex", "initech")
QUERIES = (
    "", "tenant:acme", "-tenant:acme", "outcome:failure", "-outcome:success", "model:claude", "-model:claude",
    "input_tokens>100", "input_tokens<=100 tenant:globex", "cost>0.05", "time<2026-01-02T13:00:00Z",
    "tenant:acme model:gpt-4o outcome:success", "tenant:nobody", "browser", "-browser cost<0.2",
)  # fmt: skip


@pytest.fixture(scope="module")
def reader(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, migrated) as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
def recorded(migrated: ClickHouseStore) -> ClickHouseStore:
    """Events of two hours, many at the same microsecond, one in ten sent again."""
    drawn = random.Random(8)
    migrated.empty()
    migrated.insert(
        block_of(
            rows=ROWS,
            duplicate_of=[offset - 1 if offset % 10 == 9 else None for offset in range(ROWS)],
            event_time=[NOON + timedelta(seconds=drawn.randrange(0, 7200, 300)) for _ in range(ROWS)],
            tenant_id=[drawn.choice(TENANTS) for _ in range(ROWS)],
            outcome=[drawn.choice(OUTCOMES) for _ in range(ROWS)],
            inference_request_model=[drawn.choice(MODELS) for _ in range(ROWS)],
            inference_response_model=[drawn.choice(("claude", "")) for _ in range(ROWS)],
            tool_name=[drawn.choice(("", "browser")) for _ in range(ROWS)],
            input_tokens=[drawn.choice((None, 10, 100, 1000)) for _ in range(ROWS)],
            cost_effective=[drawn.choice((None, Decimal("0.04"), Decimal("0.3"))) for _ in range(ROWS)],
        )
    )
    return migrated


def counted(reader: Reader, wanted: events.Search) -> int:
    conditions = wanted.conditions()
    sql = f"SELECT count() FROM events_current WHERE {conditions.sql}"
    return int(reader.table(sql, conditions.parameters, doing="count").rows[0][0])


def pages(reader: Reader, query: str, limit: int) -> list[uuid.UUID]:
    """Return the ids that a reader of all pages sees, in order."""
    found: list[uuid.UUID] = []
    after = None
    while True:
        wanted = events.Search(parse(query), limit=limit, after=after)
        table = events.search(reader, wanted)
        found += [uuid.UUID(str(row["event_id"])) for row in table.records()]
        if (cursor := events.next_page(table, wanted)) is None:
            return found
        after = read_cursor(cursor.text())


@pytest.mark.parametrize("query", QUERIES)
def test_pages_behind_each_other_are_one_search(reader: Reader, query: str) -> None:
    whole = events.search(reader, events.Search(parse(query), limit=1000)).records()
    assert pages(reader, query, limit=37) == [uuid.UUID(str(row["event_id"])) for row in whole]


def test_a_page_that_ends_the_search_names_no_other(reader: Reader) -> None:
    total = counted(reader, events.Search())
    wanted = events.Search(limit=total + 1)
    assert events.next_page(events.search(reader, wanted), wanted) is None


@pytest.mark.parametrize("query", QUERIES)
def test_a_histogram_counts_what_the_search_finds(reader: Reader, query: str) -> None:
    wanted = events.Search(parse(query))
    found = histograms.histogram(reader, wanted, spans=24)
    assert found.events == counted(reader, wanted) == len(pages(reader, query, limit=1000))


@pytest.mark.parametrize("spans", [1, 7, 60, 400])
@pytest.mark.parametrize(
    "length",
    [
        timedelta(microseconds=1),
        timedelta(seconds=61),
        timedelta(hours=23),
        timedelta(days=400),
        timedelta(days=99_999),
    ],
)
def test_there_are_about_as_many_bars_as_are_wished_for(length: timedelta, spans: int) -> None:
    width = histograms.width_for(length, spans)
    assert length / width <= 2 * spans
    assert width == timedelta(seconds=1) or length / width >= spans / 8


def test_bars_are_of_one_width_and_those_without_events_are_there(reader: Reader) -> None:
    period = Period(NOON - timedelta(hours=1), NOON + timedelta(hours=4))
    found = histograms.histogram(reader, events.Search(period=period), spans=60)
    assert found.width == timedelta(minutes=5)
    assert [span.start for span in found.spans] == [
        period.start + number * found.width
        for number in range(60)  # type: ignore[operator]
    ]
    assert {span.events for span in found.spans[:12]} == {0}
    assert found.spans[12].events > 0


def test_an_event_is_in_the_bar_of_its_time(reader: Reader) -> None:
    period = Period(NOON, NOON + timedelta(hours=2))
    for span in histograms.histogram(reader, events.Search(period=period), spans=24).spans:
        inside = events.Search(period=Period(span.start, span.start + timedelta(minutes=5)))
        assert span.events == counted(reader, inside)
        failed = events.Search(parse("outcome:failure"), period=inside.period)
        assert span.outcomes.get("FAILURE", 0) == counted(reader, failed)


def test_a_period_of_all_the_years_that_there_are_has_bars(reader: Reader) -> None:
    ever = events.Search(period=Period(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)))

    assert histograms.histogram(reader, ever).events == counted(reader, ever) > 0


def test_times_before_1970_have_bars_too(reader: Reader, recorded: ClickHouseStore) -> None:
    old = datetime(1969, 12, 31, 23, 59, 59, 500000, UTC)
    recorded.insert(block_of(OTHER_LOG, rows=1, event_time=old, tenant_id="old"))
    found = histograms.histogram(reader, events.Search(tenant="old"))
    assert [(span.start, span.events) for span in found.spans] == [(old.replace(microsecond=0), 1)]


def test_an_open_end_reaches_as_far_as_is_asked_for_and_no_event_is_lost(reader: Reader) -> None:
    wanted = events.Search(parse("tenant:acme"))
    newest = max(row[0] for row in events.search(reader, wanted).rows).replace(tzinfo=UTC)
    later = histograms.histogram(reader, wanted, until=newest + timedelta(hours=5))
    earlier = histograms.histogram(reader, wanted, until=newest - timedelta(hours=5))

    assert later.period.end == newest + timedelta(hours=5)
    assert later.spans[-1].start + later.width >= newest + timedelta(hours=5)
    assert later.events == earlier.events == counted(reader, wanted)
    assert earlier.period.end == newest + timedelta(microseconds=1)


def test_nothing_found_is_no_bar(reader: Reader) -> None:
    assert histograms.histogram(reader, events.Search(parse("tenant:nobody"))).spans == ()


@pytest.mark.parametrize("spans", [0, 401])
def test_a_number_of_bars_that_no_screen_has_is_refused(reader: Reader, spans: int) -> None:
    with pytest.raises(RequestError, match="spans"):
        histograms.histogram(reader, events.Search(), spans=spans)


@pytest.mark.parametrize("query", QUERIES)
def test_a_facet_counts_what_a_search_for_its_value_finds(reader: Reader, query: str) -> None:
    for facet in facets.facets(reader, events.Search(parse(query)), ("tenant", "outcome", "tool")):
        for value in facet.values:
            narrower = events.Search(parse(f"{query} {facet.field}:{value.text}"))
            assert value.events == counted(reader, narrower) > 0
        assert facet.in_time


def test_a_facet_has_the_most_frequent_first_and_says_how_many_more_there_are(reader: Reader) -> None:
    (facet,) = facets.facets(reader, events.Search(), ("tenant",), values=2)
    assert len(facet.values) == 2
    assert facet.others >= 1
    assert facet.values[0].events >= facet.values[1].events


def test_an_event_counts_once_by_the_model_that_answered(reader: Reader) -> None:
    (facet,) = facets.facets(reader, events.Search(tenant="acme"), ("model",))
    named = "inference_request_model != '' OR inference_response_model != ''"
    sql = f"SELECT count() FROM events_current WHERE tenant_id = 'acme' AND ({named})"
    assert sum(value.events for value in facet.values) == reader.table(sql, {}, doing="count").rows[0][0]


def test_every_suggested_facet_can_be_counted(reader: Reader) -> None:
    assert [each.field for each in facets.facets(reader, events.Search())] == list(facets.SUGGESTED)


@pytest.mark.parametrize("name", ["nothing", "cost", "time", "attributes", "raw", "tenant_id) --"])
def test_a_field_without_values_to_count_is_refused_by_name(reader: Reader, name: str) -> None:
    with pytest.raises(RequestError, match="facet"):
        facets.facets(reader, events.Search(), (name,))


def test_a_trace_is_read_with_its_model_and_costs_and_of_one_tenant_alone(
    reader: Reader, recorded: ClickHouseStore
) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    recorded.insert(
        block_of(
            OTHER_LOG,
            lo=10,
            rows=3,
            trace_id=trace_id,
            span_id=["a", "b", "c"],
            parent_span_id=["", "a", "a"],
            tenant_id=["acme", "acme", "globex"],
            inference_request_model=["gpt-4o", "", ""],
            cost_effective=[Decimal("0.25"), None, Decimal(1)],
            cost_currency=["USD", "", "USD"],
        )
    )
    found = traces.trace(reader, trace_id.upper(), tenant="acme")
    ids = [(depth, uuid.UUID(str(step.event["event_id"]))) for depth, step in found.walk()]
    assert ids == [(0, event_id_at(OTHER_LOG, 10)), (1, event_id_at(OTHER_LOG, 11))]
    assert found.costs == {"USD": Decimal("0.25")}
    assert found.roots[0].event["model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("trace_id", "error"), [("", RequestError), ("x" * 65, RequestError), ("no", NotFoundError)]
)
def test_a_trace_that_is_none_is_refused(reader: Reader, trace_id: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        traces.trace(reader, trace_id)


def test_arrivals_are_each_new_event_once_in_whatever_order_of_their_own_times(
    reader: Reader, recorded: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_LEAVES", 3)
    following = arrivals.Arrivals(reader, parse("tenant:late"))
    assert following.look().rows == ()
    recorded.insert(block_of(LOG, lo=ROWS, rows=7, tenant_id="late", event_time=NOON - timedelta(days=9)))
    recorded.insert(block_of(LOG, lo=ROWS + 7, rows=1, tenant_id="other"))
    recorded.insert(block_of(NEW_LOG, rows=1, tenant_id="late"))
    looks = [[uuid.UUID(str(row["event_id"])) for row in following.look().records()] for _ in range(5)]
    assert [len(look) for look in looks] == [4, 3, 1, 0, 0]
    seen = [event_id for look in looks for event_id in look]
    expected = {event_id_at(LOG, ROWS + number) for number in range(7)} | {event_id_at(NEW_LOG, 0)}
    assert set(seen) == expected
    assert len(seen) == len(expected)
