"""A file of FOCUS 1.4 against the columns, types and values that are published of it.

No rules of 1.4 that a machine can check are published yet: this checks what the data model says.
"""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.focus import services
from auditstream.focus.charge import ChargeDifference, ChargeLine
from auditstream.focus.exporting import Form, export
from auditstream.focus.rows import Row, difference_row, usage_row

DATA = Path(__file__).parents[2] / "data" / "focus-1.4"
START, HOUR = datetime(2026, 11, 30, 23, tzinfo=UTC), timedelta(hours=1)
AMOUNTS = ("list", "contracted", "effective", "billed")


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


MODEL = {row["column"]: row for row in table("cost_and_usage.tsv")}
PARENTS = {row["subcategory"]: row["category"] for row in table("service_subcategories.tsv")}


def line(**changes: Any) -> Row:
    charge = {
        "charge_start": START,
        "tenant_id": "acme",
        "event_type": "ai.inference",
        "provider": "openai",
        "model": "gpt-4o",
        "currency": "USD",
        "lines": 1,
        "meter": "text",
        "direction": "input",
        "unit": "tokens",
        "quantity": Decimal(10),
        **dict.fromkeys(AMOUNTS, Decimal(1)),
    }
    return usage_row(ChargeLine(**charge | changes), HOUR)


def difference(month: int) -> Row:
    return difference_row(
        ChargeDifference(
            charge_start=START,
            tenant_id="acme",
            event_type="ai.inference",
            provider="openai",
            model="gpt-4o",
            currency="",
            lines=2,
            kind="reprice",
            recorded_month=datetime(2026, month, 1, tzinfo=UTC),
            **dict.fromkeys(AMOUNTS, Decimal(-1)),
        ),
        HOUR,
    )


def charges() -> list[Row]:
    """Return rows of every kind: calls, a cost of each category, a credit, a flat price, corrections."""
    cost = {"event_type": "ai.cost.operational", "provider": "", "model": "", "producer": "urn:infra"}
    return [
        line(agent_id="a", agent_name="Helper", region="eu-west-1", service_tier="batch", project_id="p"),
        line(cache_action="read", list_unit_price=Decimal("0.0000025"), price_id="openai/gpt-4o/input"),
        *(line(**cost, category=each, unit="gb-hours") for each in (*services._CATEGORIES, "unheard of", "")),
        line(**cost, category="gpu", resource_id="i-1", period_start=START, period_end=START + 5 * HOUR),
        line(quantity=Decimal(0), unit="seats"),
        line(**dict.fromkeys(AMOUNTS, Decimal(-3)), unit="credits"),
        difference(11),
        difference(12),
    ]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The rows of a written file."""
    done = export(tmp_path_factory.mktemp("focus") / "out", Form("csv", "1.4"), [charges()], {})
    with (done.folder / str(done.manifest["file"])).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_columns_are_those_of_the_version_and_ours_come_last(rows: list[dict[str, str]]) -> None:
    names = list(rows[0])
    ours = [name for name in names if name.startswith("x_")]

    assert names[-len(ours) :] == ours
    assert {*names} - {*ours} <= {*MODEL}
    assert {name for name, each in MODEL.items() if each["level"] == "Mandatory"} <= {*names}


def test_nothing_is_null_that_must_not_be(rows: list[dict[str, str]]) -> None:
    required = {name for name in rows[0] if name in MODEL and MODEL[name]["nulls"] == "no"}

    assert required
    assert {name for row in rows for name in required if not row[name]} == set()


FORMATS = {
    "Date/Time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "Decimal (any)": re.compile(r"-?\d+(\.\d+)?"),
    "Decimal (non-negative)": re.compile(r"\d+(\.\d+)?"),
    "Currency": re.compile(r"[A-Z]{3}"),
    "Unit": re.compile(r"\S(.*\S)?"),
    "Unspecified": re.compile(r".+"),
}


@pytest.mark.parametrize("name", [*MODEL])
def test_a_value_is_of_its_columns_format(rows: list[dict[str, str]], name: str) -> None:
    form = MODEL[name]["format"]
    values = {row[name] for row in rows if row.get(name)}

    if form == "Allowed Values":
        assert values <= {*(MODEL[name]["values"].split("|") if MODEL[name]["values"] else PARENTS)}
    elif form == "Key-Value":
        for pairs in map(json.loads, values):
            assert all(isinstance(each, str) for each in pairs.values())
            assert name != "SkuPriceDetails" or all(key.startswith("x_") for key in pairs)
    elif form != "JSON Object" or values:
        assert {value for value in values if not FORMATS[form].fullmatch(value)} == set()


def test_a_subcategory_is_of_its_category(rows: list[dict[str, str]]) -> None:
    pairs = {(row["ServiceSubcategory"], row["ServiceCategory"]) for row in rows}

    assert len(pairs) > 10
    assert pairs <= {*PARENTS.items()}


def test_quantities_and_units_go_together_and_are_of_use_alone(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert bool(row["ConsumedQuantity"]) == bool(row["ConsumedUnit"])
        assert bool(row["PricingQuantity"]) == bool(row["PricingUnit"])
        assert not row["ConsumedQuantity"] or row["ChargeCategory"] == "Usage"
        assert not row["SkuPriceDetails"] or row["SkuPriceId"]
