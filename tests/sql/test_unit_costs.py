"""What conversations, runs and features cost, against sums and ranks made here in Decimal."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.costing.conversion import at_rate
from auditstream.costing.units import Growth, UnitCosts
from auditstream.query.named_periods import named_span
from auditstream.query.quoted import Quoted
from auditstream.query.reader import Reader
from auditstream.query.unit_costs import unit_costs
from tests.support.blocks import block_of
from tests.support.charges import adjust
from tests.support.stores import ClickHouseStore, OpenClient, reading

START = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = named_span("2026-W45", START)
ROWS = 300


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    store.client.command("TRUNCATE TABLE cost_adjustments")
    with reading(engine, store) as opened:
        yield opened


def planted() -> list[dict[str, Any]]:
    dice = random.Random(11)
    found = []
    for _ in range(ROWS):
        conversation = dice.choice(["", *(f"c{n}" for n in range(30))])
        status = dice.choice(["priced"] * 8 + ["unpriced", "none"])
        found.append(
            {
                "event_time": START + timedelta(minutes=dice.randrange(5_000)),
                "event_type": dice.choice(["ai.inference", "ai.embedding", "ai.tool_call"]),
                "tenant_id": "acme" if hash_of(conversation) % 2 else "globex",
                "feature_id": dice.choice(["advice", "orders"]),
                "environment": dice.choice(["pilot", "production"]),
                "conversation_id": conversation,
                "cost_status": status,
                "cost_currency": dice.choice(["USD", "USD", "EUR"]) if status == "priced" else "",
                "cost_effective": Decimal(dice.randrange(1, 10**13)).scaleb(-12)
                if status == "priced"
                else None,
            }
        )
    return found


def hash_of(text: str) -> int:
    return sum(text.encode())


def insert(store: ClickHouseStore, rows: list[dict[str, Any]]) -> None:
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    store.insert(block_of(rows=len(rows), **columns))


def expected(rows: list[dict[str, Any]], names: list[str]) -> dict[Any, tuple[Any, ...]]:
    """Return units, unpriced units, costing units, calls, cost, median, 95th percentile and the largest."""
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    found = {}
    for key, members in groups.items():
        units = {row["conversation_id"] for row in members} - {""}
        unpriced = {row["conversation_id"] for row in members if row["cost_status"] == "unpriced"} - {""}
        calls = sum(row["event_type"] in {"ai.inference", "ai.embedding"} for row in members)
        for currency in {row["cost_currency"] for row in members} - {""}:
            mine = [row for row in members if row["cost_currency"] == currency]
            by_unit: dict[str, Decimal] = defaultdict(Decimal)
            for row in mine:
                by_unit[row["conversation_id"]] += row["cost_effective"]
            whole = sum(by_unit.values())
            by_unit.pop("", None)
            ranked = sorted(by_unit.values())
            found[key, currency] = (
                len(units), len(unpriced), len(ranked), calls, whole,
                ranked[int(0.5 * len(ranked))], ranked[int(0.95 * len(ranked))], ranked[-1],
            )  # fmt: skip
    return found


def told(found: list[UnitCosts]) -> dict[Any, tuple[Any, ...]]:
    return {
        (each.key, each.currency): (
            each.units, each.unpriced_units, each.costing_units, each.calls, each.cost, each.p50, each.p95,
            each.largest,
        )
        for each in found
    }  # fmt: skip


def test_conversations_are_told_by_their_sums_and_ranks(store: ClickHouseStore, reader: Reader) -> None:
    rows = planted()
    insert(store, rows)

    assert told(unit_costs(reader, "conversation", WEEK)) == expected(rows, ["tenant_id"])


def test_features_are_told_by_their_conversations(store: ClickHouseStore, reader: Reader) -> None:
    rows = planted()
    insert(store, rows)

    assert told(unit_costs(reader, "feature", WEEK)) == expected(rows, ["tenant_id", "feature_id"])


def test_an_environment_or_a_tenant_bounds_what_is_told(store: ClickHouseStore, reader: Reader) -> None:
    rows = planted()
    insert(store, rows)
    mine = [row for row in rows if (row["environment"], row["tenant_id"]) == ("pilot", "acme")]

    found = unit_costs(reader, "conversation", WEEK, tenant="acme", environment="pilot")

    assert told(found) == expected(mine, ["tenant_id"])


RATES = {
    (START.date() + timedelta(days=number), "EUR"): rate
    for number, rate in enumerate((Decimal("1.1"), 1 / Decimal(3), Decimal("0.000000000000000001")))
}
"""What euros were worth on three days of four, of which one has a rate of 28 digits, and one hardly any."""


def in_dollars(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with what each unit cost on a day in one: converted where the day has a rate."""
    days: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        day: date = row["event_time"].date()
        days[row["tenant_id"], row["conversation_id"], row["cost_currency"], day].append(row)
    found = []
    for (_, _, currency, day), members in days.items():
        rate = RATES.get((day, currency))
        if rate is None:
            found += members
            continue
        amount = at_rate(sum(row["cost_effective"] for row in members), rate)
        first, *others = [{**row, "cost_currency": "USD", "cost_effective": Decimal(0)} for row in members]
        found += [{**first, "cost_effective": amount}, *others]
    return found


def test_units_are_converted_a_day_at_a_time_and_what_has_no_rate_stays(
    store: ClickHouseStore, reader: Reader
) -> None:
    rows = planted()
    insert(store, rows)

    found = told(unit_costs(reader, "conversation", WEEK, quoted=Quoted("USD", RATES)))

    assert found == expected(in_dollars(rows), ["tenant_id"])
    assert {currency for _, currency in found} == {"USD", "EUR"}


def test_without_a_rate_all_stays_as_it_is(store: ClickHouseStore, reader: Reader) -> None:
    insert(store, planted())

    found = unit_costs(reader, "conversation", WEEK, quoted=Quoted("GBP", {}))

    assert found == unit_costs(reader, "conversation", WEEK)


def test_what_was_learnt_later_is_left_out_of_costs_and_of_resolved_runs(
    store: ClickHouseStore, reader: Reader
) -> None:
    at = START + timedelta(hours=1)
    insert(
        store,
        [
            {
                "event_time": at,
                "event_type": "ai.agent.action",
                "agent_id": "planner",
                "agent_instance_id": "run",
                "outcome": "SUCCESS",
                "cost_status": "priced",
                "cost_currency": "USD",
                "cost_effective": Decimal(5),
            }
        ],
    )
    booked = {"event_time": at, "agent_id": "planner", "recorded": at + timedelta(days=30)}
    booked |= {"event_type": "ai.agent.action", "model": "", "inference_provider": ""}
    away, here = ({"events": sign, "cost_effective": Decimal(5 * sign)} for sign in (-1, 1))
    adjust(store, 0, "attribution", **booked, **away)
    adjust(store, 0, "attribution", **booked, **here, tenant_id="globex", stands=True)

    def seen(known_on: datetime | None) -> list[Any]:
        found = unit_costs(reader, "task", WEEK, known_on=known_on)
        return [(each.key[0], each.resolved, each.cost) for each in found if each.units]

    assert seen(None) == [("globex", 1, Decimal(5))]
    assert seen(at + timedelta(days=29)) == [("acme", 1, Decimal(5))]


def test_a_task_is_resolved_when_its_last_step_is_a_success(store: ClickHouseStore, reader: Reader) -> None:
    def step(run: str, minute: int, outcome: str, cost: str = "1", state: str = "") -> dict[str, Any]:
        return {
            "event_time": START + timedelta(minutes=minute),
            "event_type": "ai.agent.action",
            "agent_id": "planner",
            "agent_instance_id": run,
            "agent_step_a2a_state": state,
            "outcome": outcome,
            "cost_status": "priced",
            "cost_currency": "USD",
            "cost_effective": Decimal(cost),
        }

    insert(
        store,
        [
            step("well", 1, "FAILURE"), step("well", 2, "SUCCESS", "2"),
            step("badly", 2, "FAILURE", "4"), step("badly", 1, "SUCCESS"),
            step("cancelled", 1, "SUCCESS", "5", "canceled"), step("task", 1, "SUCCESS", "6", "completed"),
        ],
    )  # fmt: skip

    (found,) = unit_costs(reader, "task", WEEK)

    assert found.key == ("acme", "planner")
    assert (found.units, found.resolved, found.cost) == (4, 2, Decimal(19))
    assert (found.per_resolved, found.per_unit) == (Decimal("9.5"), Decimal("4.75"))


def test_units_without_a_cost_are_counted_and_have_none(store: ClickHouseStore, reader: Reader) -> None:
    insert(store, [{"event_time": START, "conversation_id": "c", "cost_status": "unpriced"}])

    (found,) = unit_costs(reader, "conversation", WEEK)

    assert (found.currency, found.units, found.unpriced_units, found.per_unit, found.p50) == (
        "",
        1,
        1,
        None,
        None,
    )


def test_an_empty_period_has_no_units(reader: Reader) -> None:
    assert unit_costs(reader, "feature", WEEK) == []


def test_cost_grows_by_volume_and_by_what_a_unit_costs() -> None:
    def costs(units: int, amount: str) -> UnitCosts:
        return UnitCosts(
            key=("acme",), currency="USD", units=units, unpriced_units=0, costing_units=units, resolved=None,
            calls=0, cost=Decimal(amount), unit_cost=Decimal(amount), p50=None, p95=None, largest=None,
        )  # fmt: skip

    grown = Growth(costs(10, "5"), costs(400, "300"))

    assert (grown.volume, grown.unit_price, grown.multiple) == (Decimal(40), Decimal("1.5"), Decimal(60))
    assert grown.change_pct == Decimal(50)
