"""What was spent, asked of the hourly costs and of the events: both agree with sums made here in Decimal."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.core.errors import RequestError
from auditstream.costing.conversion import converted
from auditstream.costing.spent import Booked, Spent
from auditstream.query.cost_dimensions import DIMENSIONS, columns_of, dimensions_of
from auditstream.query.cost_rows import Asked, cost_rows, event_rows, hourly_rows
from auditstream.query.named_periods import Span, named_span
from auditstream.query.quoted import Quoted
from auditstream.query.reader import Reader
from tests.support.adjustments import book
from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore, OpenClient, reading

START = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = named_span("2026-W45", START)
CALLS = 200
STEP = Decimal("1e-12")
BOOKED = [name for name, each in DIMENSIONS.items() if each.is_booked]


@dataclass
class Call:
    """One planted event, as a person would count it."""

    columns: dict[str, Any]
    counts: bool = True


def planted() -> list[Call]:
    """Return events of two tenants in three currencies, with repeats, second reports and unpriced calls."""
    dice = random.Random(7)
    calls = []
    for number in range(CALLS):
        kind = dice.choice(["priced"] * 6 + ["unpriced", "none"])
        amount = Decimal(dice.randrange(1, 10**14)).scaleb(-12)
        is_priced = kind == "priced"
        columns: dict[str, Any] = {
            "event_time": START + timedelta(minutes=dice.randrange(0, 3 * 24 * 60)),
            "tenant_id": dice.choice(["acme", "globex", "unattributed"]),
            "event_type": dice.choice(["ai.inference", "ai.tool_call"]),
            "project_id": dice.choice(["search", "support", ""]),
            "team_id": dice.choice(["one", "two"]),
            "feature_id": dice.choice(["advice", "orders"]),
            "cost_center": dice.choice(["CC-1", "CC-2"]),
            "environment": dice.choice(["production", "ci"]),
            "agent_id": dice.choice(["", "agent-1"]),
            "credential_id": dice.choice(["key-1", "key-2"]),
            "inference_provider": dice.choice(["openai", "anthropic"]),
            "inference_request_model": dice.choice(["small", "large"]),
            "inference_response_model": dice.choice(["", "large-2026"]),
            "inference_prompt_name": "advice",
            "inference_prompt_version": dice.choice(["7", "8"]),
            "experiment_key": "shorter",
            "experiment_variant": dice.choice(["control", "treatment"]),
            "tool_name": dice.choice(["", "lookup"]),
            "agent_instance_id": f"r{dice.randrange(9)}",
            "conversation_id": f"c{dice.randrange(20)}",
            "cost_status": kind,
            "cost_currency": dice.choice(["USD", "USD", "EUR"]) if is_priced else "",
            "input_tokens": None if kind == "none" else dice.randrange(1000),
            "output_tokens": None if kind == "none" else dice.randrange(1000),
            "cost_list": amount if is_priced else None,
            "cost_contracted": (amount / 2).quantize(STEP) if is_priced else None,
            "cost_effective": (amount / 4).quantize(STEP) if is_priced else None,
            "cost_billed": Decimal(0) if is_priced else None,
            "duplicate_of": 0 if number % 31 == 30 else None,
            "same_call_as": 0 if number % 37 == 36 else None,
        }
        calls.append(Call(columns, number % 31 != 30 and number % 37 != 36))
    return calls


@pytest.fixture(scope="module")
def reader(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, migrated) as opened:
        yield opened


@pytest.fixture(scope="module")
def recorded(migrated: ClickHouseStore) -> list[Call]:
    """The planted events, recorded once: what is booked later is in a table of its own."""
    found = planted()
    columns: dict[str, Any] = {name: [each.columns[name] for each in found] for name in found[0].columns}
    migrated.insert(block_of(rows=CALLS, **columns))
    return found


@pytest.fixture
def calls(migrated: ClickHouseStore, recorded: list[Call]) -> list[Call]:
    """The planted events, to which nothing was booked."""
    migrated.client.command("TRUNCATE TABLE cost_adjustments")
    return recorded


def adjust(store: ClickHouseStore, leaf: int, call: Call, kind: str, **differences: Any) -> None:
    """Book a difference for a planted event, to its own dimensions where no other is named."""
    columns = call.columns
    own = ("tenant_id", "project_id", "team_id", "feature_id", "cost_center", "environment", "agent_id",
           "credential_id", "inference_provider", "cost_currency", "event_time", "event_type")  # fmt: skip
    booked = {
        "model": model_of(columns),
        "recorded_at": datetime(2026, 11, 20, tzinfo=UTC),
        **{name: columns[name] for name in own},
        **differences,
    }
    book(store, leaf, kind, **booked)


def model_of(columns: dict[str, Any]) -> str:
    return str(columns["inference_response_model"] or columns["inference_request_model"])


def expected(calls: list[Call], by: str, span: Span = WEEK, tenant: str | None = None) -> dict[Any, Spent]:
    """Return the sums of planted events, made one by one."""
    names = [name for each in dimensions_of(by) for name in each.reads]
    found: dict[Any, list[Spent]] = defaultdict(list)
    for call in calls:
        columns = call.columns
        inside = span.start <= columns["event_time"] < span.end and tenant in {None, columns["tenant_id"]}
        if not (call.counts and inside):
            continue
        key = tuple(model_of(columns) if name == "model" else columns[name] for name in names)
        tokens = [columns["input_tokens"] or 0, columns["output_tokens"] or 0]
        missing = columns["cost_status"] == "unpriced"
        amounts: dict[str, Any] = {
            name: columns[name] or Decimal(0) for name in ("cost_list", "cost_contracted", "cost_effective")
        }
        found[key, columns["tenant_id"], columns["cost_currency"]].append(
            Spent(
                events=1,
                unpriced_events=int(missing),
                unpriced_tokens=sum(tokens) if missing else 0,
                input_tokens=tokens[0],
                output_tokens=tokens[1],
                **amounts,
            )
        )
    return {key: added(parts) for key, parts in found.items()}


def added(parts: list[Spent]) -> Spent:
    return Spent(
        **{each.name: sum((getattr(part, each.name) for part in parts), 0) for each in fields(Spent)}
    )


def by_key(rows: list[Booked]) -> dict[Any, Spent]:
    found: dict[Any, list[Spent]] = defaultdict(list)
    for row in rows:
        found[row.key, row.tenant, row.currency].append(row.spent)
    return {key: total for key, parts in found.items() if (total := added(parts)) != Spent()}


@pytest.mark.parametrize("by", [*DIMENSIONS, "team,model", "tenant,tool,variant", "prompt_version,project"])
def test_costs_by_any_dimension_are_the_sums_of_the_events(
    reader: Reader, calls: list[Call], by: str
) -> None:
    asked = Asked(dimensions_of(by), WEEK)

    assert by_key(cost_rows(reader, asked)) == expected(calls, by)


@pytest.mark.parametrize("by", [*BOOKED, "team,model", ",".join(BOOKED)])
def test_the_hourly_costs_and_the_events_agree(
    reader: Reader, migrated: ClickHouseStore, calls: list[Call], by: str
) -> None:
    book_everything(migrated, calls)
    for asked in (
        Asked(dimensions_of(by), WEEK),
        Asked(dimensions_of(by), WEEK, tenant="globex", daily=True),
    ):
        assert by_key(hourly_rows(reader, asked)) == by_key(event_rows(reader, asked))


def book_everything(store: ClickHouseStore, calls: list[Call]) -> list[Call]:
    """Book an adjustment of every kind, and return the events as they are known then."""
    picks: list[Callable[[dict[str, Any]], bool]] = [
        lambda columns: columns["cost_status"] == "priced",
        lambda columns: columns["cost_status"] == "unpriced",
        lambda columns: columns["cost_status"] == "priced",
        lambda columns: columns["cost_currency"] == "USD",
    ]
    moved, priced, twice, cheaper = (
        next(n for n, each in enumerate(calls) if each.counts and n > 20 * place and wanted(each.columns))
        for place, wanted in enumerate(picks)
    )
    known = [replace(each, columns=dict(each.columns)) for each in calls]
    one = calls[moved].columns
    figures = {
        name: one[name]
        for name in ("input_tokens", "output_tokens", "cost_list", "cost_contracted", "cost_effective")
    }
    adjust(
        store,
        moved,
        calls[moved],
        "attribution",
        events=-1,
        **{name: -each for name, each in figures.items()},
    )
    adjust(
        store, moved, calls[moved], "attribution", events=1, tenant_id="initech", project_id="new", **figures
    )
    known[moved].columns |= {"tenant_id": "initech", "project_id": "new"}
    adjust(
        store, priced, calls[priced], "reprice", unpriced_events=-1, cost_list=Decimal(7), cost_currency=""
    )
    known[priced].columns |= {"cost_status": "priced", "cost_list": Decimal(7)}
    lost = calls[twice].columns
    gone = {name: -lost[name] for name in figures}
    adjust(store, twice, calls[twice], "duplicate", events=-1, **gone)
    known[twice].counts = False
    adjust(store, cheaper, calls[cheaper], "reprice", cost_effective=Decimal("-0.000000000001"))
    known[cheaper].columns["cost_effective"] -= Decimal("0.000000000001")
    return known


@pytest.mark.parametrize("by", ["tenant,project", "tool,conversation", "prompt_version,variant"])
def test_late_corrections_are_in_the_costs_whatever_they_are_asked_by(
    reader: Reader, migrated: ClickHouseStore, calls: list[Call], by: str
) -> None:
    known = book_everything(migrated, calls)

    assert by_key(cost_rows(reader, Asked(dimensions_of(by), WEEK))) == expected(known, by)


def test_corrections_that_came_after_the_date_asked_for_are_left_out(
    reader: Reader, migrated: ClickHouseStore, calls: list[Call]
) -> None:
    known = book_everything(migrated, calls)
    asked = Asked(dimensions_of("tenant,tool"), WEEK)
    before, after = (replace(asked, known_on=datetime(2026, 11, day, tzinfo=UTC)) for day in (19, 20))

    assert by_key(cost_rows(reader, before)) == expected(calls, "tenant,tool")
    assert by_key(cost_rows(reader, after)) == expected(known, "tenant,tool")


def test_a_period_that_ends_within_an_hour_is_cut_there(reader: Reader, calls: list[Call]) -> None:
    span = Span(START + timedelta(minutes=10), START + timedelta(hours=30, minutes=7))

    assert by_key(cost_rows(reader, Asked(dimensions_of("model"), span))) == expected(calls, "model", span)


def test_a_tenant_sees_what_is_booked_to_it_alone(reader: Reader, calls: list[Call]) -> None:
    asked = Asked(dimensions_of("tenant"), WEEK, tenant="acme")

    assert by_key(cost_rows(reader, asked)) == expected(calls, "tenant", tenant="acme")


def test_daily_rows_are_of_the_day_of_their_events(reader: Reader, calls: list[Call]) -> None:
    rows = cost_rows(reader, Asked(dimensions_of("tool"), WEEK, daily=True))

    days = {each.columns["event_time"].date() for each in calls if each.counts}
    assert {row.day for row in rows} == days
    assert by_key(rows) == expected(calls, "tool")


class Rates:
    """What dollars were worth in euros, but for one day in three."""

    def rate(self, base: str, quote: str, day: date) -> Decimal | None:
        return None if (base, quote) != ("USD", "EUR") or day.day % 3 == 0 else 1 / Decimal(7 * day.day)


@pytest.mark.parametrize("by", ["", "tenant,model", "tool", "prompt_version,project"])
def test_the_store_converts_as_is_done_here(
    reader: Reader, migrated: ClickHouseStore, calls: list[Call], by: str
) -> None:
    book_everything(migrated, calls)
    asked = Asked(dimensions_of(by) if by else (), WEEK)
    daily, left = converted(cost_rows(reader, replace(asked, daily=True)), lambda _: "EUR", Rates())
    assert left
    pairs = {(row.day, "USD"): Rates().rate("USD", "EUR", row.day) for row in daily}
    quoted = Quoted("EUR", {pair: rate for pair, rate in pairs.items() if rate is not None})

    found = cost_rows(reader, asked, quoted)

    assert by_key(found) == by_key(daily)
    assert {row.day for row in found} == {date.min}


def test_without_any_rate_rows_are_as_they_were(reader: Reader, calls: list[Call]) -> None:
    asked = Asked(dimensions_of("tool"), WEEK)

    assert by_key(cost_rows(reader, asked, Quoted("EUR", {}))) == by_key(cost_rows(reader, asked))


def test_an_empty_period_has_no_rows(reader: Reader, calls: list[Call]) -> None:
    empty = named_span("2025-01", START)

    assert cost_rows(reader, Asked(dimensions_of("tenant"), empty)) == []
    assert cost_rows(reader, Asked(dimensions_of("tool"), empty)) == []


@pytest.mark.parametrize("by", ["", "tenant,", "nonsense", "tenant,tenant", "tenant,event_time"])
def test_a_dimension_that_is_none_is_refused_with_those_that_are(by: str) -> None:
    if by == "tenant,":
        assert columns_of(dimensions_of(by)) == ["tenant_id"]
        return
    with pytest.raises(RequestError) as refused:
        dimensions_of(by)
    assert "twice" in refused.value.message or "prompt_version" in refused.value.hint
