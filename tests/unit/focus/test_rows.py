"""Charges as FOCUS has them: meters, units, services, and prices that give the costs."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.focus.charge import ChargeDifference, ChargeLine
from auditstream.focus.rows import Row, difference_row, usage_row
from auditstream.focus.services import provider_of, service_of
from auditstream.focus.units import unit_of
from tests.support.examples import examples

START = datetime(2026, 11, 30, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
AMOUNTS = ("list", "contracted", "effective", "billed")


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
        "unit": "tokens",
        "quantity": Decimal(10),
        **dict.fromkeys(AMOUNTS, Decimal(1)),
    }
    return usage_row(ChargeLine(**charge | changes), HOUR)


@pytest.mark.parametrize(
    ("meter", "direction", "action", "unit", "name"),
    [
        ("text", "input", "", "tokens", "Input Tokens"),
        ("text", "input", "read", "tokens", "Cache Read Input Tokens"),
        ("text", "input", "write", "tokens", "Cache Write Input Tokens"),
        ("text", "output", "", "tokens", "Output Tokens"),
        ("audio", "output", "", "tokens", "Audio Output Tokens"),
        ("web_search", "", "", "calls", "Web Search Calls"),
    ],
)
def test_meters_are_named_as_focus_names_them(
    meter: str, direction: str, action: str, unit: str, name: str
) -> None:
    assert line(meter=meter, direction=direction, cache_action=action, unit=unit)["SkuMeter"] == name


@pytest.mark.parametrize(
    ("written", "consumed", "pricing"),
    [
        ("tokens", "Tokens", "1000000 Tokens"),
        ("seconds", "Seconds", "Seconds"),
        ("gb-hours", "GB-Hours", "GB-Hours"),
        ("GPU hours", "GPU-Hours", "GPU-Hours"),
        ("API calls", "API Calls", "API Calls"),
        ("vector_store_days", "Vector Store-Days", "Vector Store-Days"),
        ("", "Units", "Units"),
        ("€", "Units", "Units"),
        ("1000", "Units", "Units"),
    ],
)
def test_units_are_written_as_focus_writes_them(written: str, consumed: str, pricing: str) -> None:
    unit = unit_of(written)

    assert (unit.consumed, unit.pricing) == (consumed, pricing)


_money = st.decimals(0, 10**6, places=12)


@settings(max_examples=examples(100), deadline=None)
@given(
    quantity=st.decimals(0, 10**12, places=9),
    amounts=st.tuples(_money, _money),
    price=st.none() | st.decimals(0, 10, places=18),
    lines=st.integers(1, 1000),
)
def test_prices_times_quantities_are_costs_whatever_was_reported(
    quantity: Decimal, amounts: tuple[Decimal, Decimal], price: Decimal | None, lines: int
) -> None:
    listed, contracted = amounts
    row = line(quantity=quantity, list=listed, contracted=contracted, list_unit_price=price, lines=lines)

    for name, cost in (("ListUnitPrice", listed), ("ContractedUnitPrice", contracted)):
        unit_price, priced = row[name], row["PricingQuantity"]
        assert isinstance(unit_price, Decimal)
        assert isinstance(priced, Decimal)
        # A ratio is rounded to 18 places, a line to 12.
        assert abs(unit_price * priced - cost) <= lines * Decimal("1e-12") + priced * Decimal("1e-18")


def test_a_catalogues_price_stays_what_it_is() -> None:
    row = line(
        quantity=Decimal(3), list_unit_price=Decimal("0.0000025"), **dict.fromkeys(AMOUNTS, Decimal("7.5E-6"))
    )

    assert row["ListUnitPrice"] == row["ContractedUnitPrice"] == Decimal("2.5")


def test_a_skus_price_has_one_sku() -> None:
    rows = [line(model=model, price_id="openai/gpt-4o/input") for model in ("gpt-4o", "gpt-4o-2024-08-06")]

    assert len({row["SkuId"] for row in rows}) == len({row["SkuPriceId"] for row in rows}) == 2
    assert {row["x_PriceId"] for row in rows} == {"openai/gpt-4o/input"}


def test_the_last_hour_of_a_month_is_billed_in_it() -> None:
    row = line()

    assert row["BillingPeriodStart"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert row["BillingPeriodEnd"] == row["ChargePeriodEnd"] == datetime(2026, 12, 1, tzinfo=UTC)


def test_tags_have_what_is_known_alone() -> None:
    assert json.loads(str(line(project_id="p", prompt_name="greeting")["Tags"])) == {
        "project_id": "p",
        "prompt_name": "greeting",
    }
    assert line()["Tags"] is None


def difference(month: int, **changes: Any) -> Row:
    said = {"currency": "USD", **dict.fromkeys(AMOUNTS, Decimal(-1))}
    return difference_row(
        ChargeDifference(
            charge_start=START,
            tenant_id="acme",
            event_type="ai.inference",
            provider="openai",
            model="gpt-4o",
            lines=2,
            kind="reprice",
            recorded_month=datetime(2026, month, 1, tzinfo=UTC),
            **said | changes,
        ),
        HOUR,
    )


def test_only_a_month_that_is_over_is_corrected() -> None:
    in_time, later = difference(11), difference(12, old_revision="1", new_revision="2")

    assert (in_time["ChargeCategory"], in_time["ChargeClass"]) == ("Adjustment", None)
    assert (later["ChargeCategory"], later["ChargeClass"]) == ("Usage", "Correction")
    assert later["BillingPeriodStart"] == datetime(2026, 12, 1, tzinfo=UTC)
    assert later["ChargePeriodStart"] == START
    assert later["ChargeDescription"] == "Repriced: gpt-4o (1 to 2)"


def test_an_amount_without_a_currency_says_so() -> None:
    assert difference(11, currency="")["BillingCurrency"] == "XXX"


def test_services_have_one_category_each() -> None:
    assert service_of("openai", "", "inference").name == "OpenAI API"
    assert service_of("in_house", "", "").provider == "in_house"
    for category in ("gpu", "Vector Store", "incident-response", "never heard of"):
        found = service_of("", "urn:infra", category)
        assert found == service_of("", "urn:infra", category.lower().replace(" ", "_").replace("-", "_"))
        assert found.name.endswith("(operational)")


@pytest.mark.parametrize(
    ("service", "provider", "word"),
    [
        ("", "openai", "openai"),
        ("", "mistral", "mistral_ai"),
        ("OpenAI API", "OpenAI", "openai"),
        ("", "OpenAI", "openai"),
        ("Amazon Bedrock", "AWS", "aws.bedrock"),
        ("Amazon S3", "Elsewhere", "elsewhere"),
    ],
)
def test_a_provider_is_known_by_its_names(service: str, provider: str, word: str) -> None:
    assert provider_of(service, provider) == word
