"""Bills: a charge becomes an event of operational cost, and what is wrong with a row is said."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.core.errors import RequestError
from auditstream.emit.cost_csv import COLUMNS
from auditstream.emit.formats import FORMATS
from auditstream.emit.reading import Accepted, Options, Reading, Refused
from auditstream.emit.source import opened
from tests.support.shared_data import shared_file

Read = Callable[..., list[Reading]]
HEADER = "period_start,period_end,category,amount,currency"
ROW = "2026-11-01,2026-12-01,Vector Store,120.50,USD"
FOCUS = """\
BilledCost,EffectiveCost,ListCost,BillingCurrency,ChargeCategory,ChargeFrequency,ServiceName,ServiceCategory,\
ProviderName,ChargePeriodStart,ChargePeriodEnd,Tags,PricingQuantity,PricingUnit,x_Ticket,x_CostCategory
0,10.0000000000005,12,USD,Usage,Usage-Based,Amazon EC2,Compute,AWS,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,\
"{""tenant_id"":""acme"",""owner"":""ops""}",24,Hours,T-1,
7,7,7,USD,Purchase,Recurring,Azure OpenAI,AI and Machine Learning,Microsoft,2026-11-01,2026-12-01,,,,,
3,3,3,USD,Usage,Usage-Based,Datadog,Other,Datadog,2026-11-01,2026-12-01,,,,,Monitoring
1,1,1,USD,Usage,Usage-Based,Datadog,Other,Datadog,2026-12-01,2026-11-01,,,,,
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reading(name: str, content: str, **options: Any) -> list[Reading]:
        path = tmp_path / "bill.csv"
        path.write_text(content)
        with opened(str(path)) as source:
            return list(FORMATS[name](source, Options(**options)))

    return reading


def datums(readings: list[Reading]) -> list[dict[str, Any]]:
    assert all(isinstance(reading, Accepted) for reading in readings), readings
    return [dict(reading.datum) for reading in readings if isinstance(reading, Accepted)]


def test_a_row_is_an_operational_cost_at_the_start_of_its_period(read: Read) -> None:
    (event,) = datums(read("cost-csv", f"{HEADER}\n{ROW}\n"))

    assert event["event_type"] == "ai.cost.operational"
    assert event["event_time"] == datetime(2026, 11, 1, tzinfo=UTC)
    (line,) = event["costs"]
    assert (line["category"], line["currency"]) == ("vector_store", "USD")
    assert [line[name] for name in ("list", "contracted", "effective", "billed")] == [Decimal("120.50")] * 4
    assert (line["period_start"], line["period_end"]) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert not event.get("tenant_id")


def test_every_documented_column_is_taken(read: Read) -> None:
    cells = {
        "period_start": "2026-11-01T00:00:00+01:00", "period_end": "2026-11-02", "category": "review",
        "amount": "5", "currency": "EUR", "effective": "4", "list": "6", "contracted": "5.5", "billed": "0",
        "service": "desk", "meter": "minutes", "quantity": "7.5", "unit": "Minutes", "unit_price": "0.8",
        "resource_id": "desk-1", "description": "night shift", "tenant_id": "acme", "project_id": "p",
        "team_id": "t", "feature_id": "f", "cost_center": "c", "environment": "production",
    }  # fmt: skip
    assert list(cells) == list(COLUMNS)

    (event,) = datums(read("cost-csv", f"{','.join(cells)}\n{','.join(cells.values())}\n"))

    (line,) = event["costs"]
    figures = ("list", "contracted", "effective", "billed", "quantity")
    assert {name: f"{line[name].normalize():f}" for name in figures} == {
        "list": "6", "contracted": "5.5", "effective": "4", "billed": "0", "quantity": "7.5",
    }  # fmt: skip
    assert (line["meter"], line["unit"], line["resource_id"]) == ("minutes", "Minutes", "desk-1")
    owner = ("tenant_id", "project_id", "team_id", "feature_id", "cost_center", "environment")
    assert [event[name] for name in owner] == ["acme", "p", "t", "f", "c", "production"]
    assert event["attributes"] == {"service": "desk", "description": "night shift"}


def test_a_file_that_is_sent_twice_is_the_same_events(read: Read) -> None:
    content = f"{HEADER}\n{ROW}\n{ROW}\n"

    first, second = datums(read("cost-csv", content))

    assert first["event_id"] != second["event_id"]
    assert [each["event_id"] for each in datums(read("cost-csv", content))] == [
        first["event_id"],
        second["event_id"],
    ]


def test_a_tenant_of_the_command_is_that_of_rows_without_one(read: Read) -> None:
    content = f"{HEADER},tenant_id\n{ROW},globex\n{ROW},\n"

    assert [each["tenant_id"] for each in datums(read("cost-csv", content, tenant="acme"))] == [
        "globex",
        "acme",
    ]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("x,2026-12-01,audit,1,USD", "period_start"),
        ("2026-12-01,2026-11-01,audit,1,USD", "period_end"),
        ("2026-11-01,2026-12-01,,1,USD", "category"),
        ("2026-11-01,2026-12-01,audit,1e,USD", "amount"),
        ("2026-11-01,2026-12-01,audit,NaN,USD", "amount"),
        ("2026-11-01,2026-12-01,audit,,USD", "amount"),
        ("2026-11-01,2026-12-01,audit,1,dollar", "costs[].currency"),
        ("2026-11-01,2026-12-01,audit,1", "line"),
        ('2026-11-01,2026-12-01,"audit,1,USD', "line"),
        (f"2026-11-01,2026-12-01,audit,{10**30},USD", "costs[0].list"),
    ],
)
def test_a_row_that_is_no_charge_is_refused_with_its_field(read: Read, row: str, field: str) -> None:
    refused, _ = read("cost-csv", f"{HEADER}\n{row}\n{ROW}\n")

    assert isinstance(refused, Refused)
    assert (refused.line, refused.field) == (2, field)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "is empty"),
        ("period_start,period_end,category,amount", "no column currency"),
        ("period_start,period_end,category,currency", "no column amount"),
        (f"{HEADER},colour", "column 'colour' is unknown"),
        (f"{HEADER},amount", "amount is there twice"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(read: Read, header: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read("cost-csv", header)


def test_a_charge_of_a_focus_bill_keeps_what_it_says(read: Read) -> None:
    compute, reserved, watch = datums(read("focus", FOCUS)[:3])

    (line,) = compute["costs"]
    assert compute["tenant_id"] == "acme"
    assert (line["category"], line["quantity"], line["unit"]) == ("compute", Decimal(24), "Hours")
    assert [f"{line[name].normalize():f}" for name in ("list", "contracted", "effective", "billed")] == [
        "12", "10", "10", "0",
    ]  # fmt: skip
    assert compute["attributes"]["exact.effective"] == "10.0000000000005"
    assert compute["attributes"]["service"] == "Amazon EC2"
    assert compute["attributes"]["tag.owner"] == "ops"
    assert compute["attributes"]["x_Ticket"] == "T-1"
    assert compute["attributes"]["ProviderName"] == "AWS"
    assert [each["costs"][0]["category"] for each in (reserved, watch)] == [
        "provisioned_throughput",
        "observability",
    ]


def test_a_bad_row_of_a_focus_bill_is_refused_with_its_column(read: Read) -> None:
    *_, refused = read("focus", FOCUS)

    assert isinstance(refused, Refused)
    assert refused.field == "ChargePeriodEnd"


def test_the_published_sample_is_taken_to_the_last_digit(tmp_path: Path) -> None:
    path = shared_file("focus-samples", "focus_sample_200.csv")

    with opened(str(path)) as source:
        events = datums(list(FORMATS["focus"](source, Options(tenant="acme"))))

    with path.open(newline="") as rows:
        billed = sum(Decimal(row["BilledCost"]) for row in csv.DictReader(rows))
    assert len(events) == 199
    assert sum(each["costs"][0]["billed"] for each in events) == billed == Decimal("2.72534080970")
    assert len({each["event_id"] for each in events}) == 199
