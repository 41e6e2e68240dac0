"""What is charged, by hour or day, against `costs_current` and against sums in Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from auditstream.billing.bill import Bill
from auditstream.billing.focus_bill import read_focus_bill
from auditstream.billing.residuals import residuals
from auditstream.core.errors import RequestError
from auditstream.focus.exporting import Form, export
from auditstream.focus.reading import read_focus
from auditstream.focus.row import FocusRow
from auditstream.focus.rows import difference_row, usage_row
from auditstream.query.charge_rows import (
    Granularity,
    Wanted,
    charge_differences,
    charge_lines,
    unpriced_events,
)
from auditstream.query.named_periods import Span, month_span
from auditstream.query.reader import Reader
from auditstream.query.recorded_costs import recorded_costs
from tests.support.blocks import NOON
from tests.support.charges import LINES, adjust, adjust_charges, record_charges
from tests.support.stores import ClickHouseStore, OpenClient, reading

JANUARY = month_span("2026-01")
_NET = """
SELECT cost_currency, sum(cost_billed), sum(cost_effective), sum(cost_list), sum(cost_contracted)
FROM costs_current WHERE hour >= '2026-01-01 00:00:00' AND hour < '2026-02-01 00:00:00'
GROUP BY cost_currency HAVING sum(cost_list) != 0 ORDER BY cost_currency"""


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, store) as opened:
        yield opened


@pytest.fixture
def recorded(store: ClickHouseStore) -> ClickHouseStore:
    record_charges(store)
    return store


@pytest.fixture
def adjusted(recorded: ClickHouseStore) -> ClickHouseStore:
    adjust_charges(recorded)
    return recorded


def rows_of(reader: Reader, wanted: Wanted) -> list[dict[str, Any]]:
    length = timedelta(hours=1) if wanted.granularity == "hour" else timedelta(days=1)
    return [
        *(dict(usage_row(each, length)) for each in charge_lines(reader, wanted)),
        *(dict(difference_row(each, length)) for each in charge_differences(reader, wanted)),
    ]


def totals(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
    currencies = sorted({row["BillingCurrency"] for row in rows})
    return [
        (each, *(sum(row[name] for row in rows if row["BillingCurrency"] == each) for name in names))
        for each in currencies
    ]


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_the_rows_sum_up_to_what_the_net_costs_are(
    adjusted: ClickHouseStore, reader: Reader, granularity: Granularity
) -> None:
    rows = rows_of(reader, Wanted(JANUARY, granularity))

    assert totals(rows) == adjusted.ask(_NET)
    usd = sum(own["list"] for index in (0, 1, 6, 8, 9) for own in LINES[index]) + Decimal("0.375")
    assert totals(rows)[1][3] == usd


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_prices_times_quantities_are_the_costs(
    recorded: ClickHouseStore, reader: Reader, granularity: Granularity
) -> None:
    rows = [row for row in rows_of(reader, Wanted(JANUARY, granularity)) if row["ChargeCategory"] == "Usage"]

    assert len(rows) == 5
    for row in rows:
        rounding = row["x_Lines"] * Decimal("1e-12")
        assert abs(row["PricingQuantity"] * row["ListUnitPrice"] - row["ListCost"]) <= rounding
        assert abs(row["PricingQuantity"] * row["ContractedUnitPrice"] - row["ContractedCost"]) <= rounding


def test_lines_of_one_hour_owner_and_price_are_one_row(recorded: ClickHouseStore, reader: Reader) -> None:
    rows = rows_of(reader, Wanted(JANUARY))

    inputs = [row for row in rows if row["x_PriceId"] == "openai/gpt-4o/input"]
    (row,) = inputs
    assert row["ConsumedQuantity"] == Decimal(1234570)
    assert row["PricingQuantity"] * row["ListUnitPrice"] == row["ListCost"] == Decimal("3.086425")
    assert (row["PricingUnit"], row["SkuMeter"]) == ("1000000 Tokens", "Input Tokens")
    assert row["x_Lines"] == 2
    assert json.loads(row["Tags"]) == {"environment": "production", "agent_name": "Helper"}
    assert row["ChargePeriodStart"] == NOON
    assert row["BillingPeriodStart"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert row["BillingPeriodEnd"] == datetime(2026, 2, 1, tzinfo=UTC)


def test_an_operational_cost_has_its_own_service_and_period(
    recorded: ClickHouseStore, reader: Reader
) -> None:
    (row,) = [row for row in rows_of(reader, Wanted(JANUARY)) if row.get("ResourceId") == "vs-1"]

    assert (row["ServiceCategory"], row["ServiceName"]) == ("Databases", "Vector store (operational)")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == (NOON, NOON + timedelta(hours=3))
    assert (row["ConsumedUnit"], row["ProviderName"], row["ResourceId"]) == ("GB-Hours", "urn:test", "vs-1")


def test_a_cost_of_no_quantity_is_the_price_of_one_charge(recorded: ClickHouseStore, reader: Reader) -> None:
    (row,) = [row for row in rows_of(reader, Wanted(JANUARY)) if row["x_CostCategory"] == "seats"]

    assert (row["PricingQuantity"], row["PricingUnit"]) == (1, "Charges")
    assert (row["ListUnitPrice"], row["ContractedUnitPrice"], row["ConsumedQuantity"]) == (30, 9, 0)


def test_what_is_given_back_is_a_credit_without_a_price(recorded: ClickHouseStore, reader: Reader) -> None:
    (row,) = [row for row in rows_of(reader, Wanted(JANUARY)) if row["BilledCost"] < 0]

    assert row["ChargeCategory"] == "Credit"
    assert row.get("PricingQuantity") is row.get("ListUnitPrice") is row["PricingCategory"] is None


def test_a_difference_is_a_correction_only_once_its_month_is_over(
    adjusted: ClickHouseStore, reader: Reader
) -> None:
    rows = [row for row in rows_of(reader, Wanted(JANUARY)) if row.get("x_AdjustmentKind")]

    assert [(r["ChargeCategory"], r["ChargeClass"], r["ListCost"]) for r in rows] == [
        ("Adjustment", None, Decimal("0.5")),
        ("Usage", "Correction", Decimal("-0.125")),
    ]
    assert rows[1]["BillingPeriodStart"] == datetime(2026, 3, 1, tzinfo=UTC)
    assert rows[1]["ChargePeriodStart"] == NOON


def test_as_known_on_a_day_leaves_out_what_came_later(adjusted: ClickHouseStore, reader: Reader) -> None:
    then = datetime.now(UTC) + timedelta(
        days=1
    )  # the events are inserted now, the later correction is of March
    adjust(adjusted, 0, "reprice", recorded=then + timedelta(days=1), cost_list=Decimal(7))

    now = rows_of(reader, Wanted(JANUARY))
    known = rows_of(reader, Wanted(JANUARY, known_on=then))

    assert totals(now)[1][3] - totals(known)[1][3] == 7
    assert rows_of(reader, Wanted(JANUARY, known_on=NOON)) == []


def test_one_tenant_alone_can_be_asked_for(adjusted: ClickHouseStore, reader: Reader) -> None:
    rows = rows_of(reader, Wanted(JANUARY, tenant="globex"))

    assert {row["SubAccountId"] for row in rows} == {"globex"}
    assert totals(rows) == [("EUR", *[Decimal("0.003")] * 4)]


def test_events_without_a_price_are_counted_where_they_are_booked_now(
    adjusted: ClickHouseStore, reader: Reader
) -> None:
    assert [(e.provider, e.model, e.events) for e in unpriced_events(reader, Wanted(JANUARY))] == [
        ("openai", "gpt-4o", 1)
    ]
    assert unpriced_events(reader, Wanted(JANUARY, tenant="acme")) == []
    assert [e.events for e in unpriced_events(reader, Wanted(JANUARY, tenant="globex"))] == [1]


def test_the_days_of_a_range_give_the_same_as_the_whole(adjusted: ClickHouseStore, reader: Reader) -> None:
    wanted = Wanted(JANUARY)
    by_day = [row for day in wanted.days() for row in rows_of(reader, day)]

    assert len(wanted.days()) == 31
    assert sorted(map(str, by_day)) == sorted(map(str, rows_of(reader, wanted)))


@pytest.mark.parametrize("granularity", ["hour", "day"])
def test_a_range_that_is_not_of_whole_hours_or_days_is_refused(granularity: Granularity) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    step = timedelta(minutes=30) if granularity == "hour" else timedelta(hours=12)

    with pytest.raises(RequestError, match=f"not of whole {granularity}s"):
        Wanted(Span(start, start + step), granularity).check()


def test_both_files_read_as_the_same_rows(adjusted: ClickHouseStore, reader: Reader, tmp_path: Path) -> None:
    rows = rows_of(reader, Wanted(JANUARY))
    read: dict[str, list[FocusRow]] = {}
    for form in ("csv", "parquet"):
        done = export(tmp_path / form, Form(form, "1.2"), [rows], {})
        with (tmp_path / form / f"focus.{form}").open("rb") as stream:
            read[form] = [row for row in read_focus(stream, form) if isinstance(row, FocusRow)]
        assert done.rows == len(rows) == len(read[form])
        assert done.manifest["totals"]["EUR"]["ListCost"] == "0.003000000000"

    places = [name for name in FocusRow.__slots__ if name not in {"line", "other"}]
    for one, other in zip(read["csv"], read["parquet"], strict=True):
        assert [getattr(one, name) for name in places] == [getattr(other, name) for name in places]
    types = pq.read_schema(tmp_path / "parquet" / "focus.parquet")
    assert str(types.field("ListCost").type) == "decimal128(38, 18)"


def test_what_we_exported_ourselves_has_no_residual(
    adjusted: ClickHouseStore, reader: Reader, tmp_path: Path
) -> None:
    export(tmp_path / "out", Form("csv", "1.2"), [rows_of(reader, Wanted(JANUARY))], {})
    bill = Bill()
    with (tmp_path / "out" / "focus.csv").open("rb") as stream:
        read_focus_bill(read_focus(stream, "focus.csv"), "focus.csv", bill)
    days = [JANUARY.start.date() + timedelta(days=number) for number in range(31)]

    found = residuals(bill, recorded_costs(reader, JANUARY, ""), days)

    assert [(each.provider, each.model, each.currency) for each in found if each.billed] == [
        ("openai", "gpt-4o", "USD"),
        ("openai", "gpt-4o", "EUR"),
    ]
    assert [each for each in found if each.residual] == []
    assert sum(each.billed for each in found) > 3


def test_recorded_costs_are_of_the_tenant_that_is_asked_for(
    adjusted: ClickHouseStore, reader: Reader
) -> None:
    (found,) = recorded_costs(reader, JANUARY, "globex")[-1:]

    assert (found.amount, found.currency, found.day) == (
        Decimal("0.003"),
        "EUR",
        NOON.date() + timedelta(days=1),
    )
    assert [each.unpriced_events for each in recorded_costs(reader, JANUARY, "globex")] == [1, 0]
