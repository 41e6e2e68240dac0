from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from auditstream.pricing.reported import LARGEST_AMOUNT
from tests.support.calls import call, price, price_one
from tests.support.events import event, full_cost


def line(**changes: Any) -> dict[str, Any]:
    return full_cost() | {"list": Decimal(4), "contracted": Decimal(3), "effective": Decimal(2)} | changes


def test_lines_that_an_event_brings_are_kept_and_added_up() -> None:
    lines = [line(billed=Decimal("1.5")), line(billed=Decimal("-0.25"), meter="gpu")]

    priced = price_one(event(event_type="ai.cost.operational", costs=lines))

    assert [kept["meter"] for kept in priced.lines] == ["text", "gpu"]
    assert priced.row["costs"][0] == full_cost() | lines[0]
    assert [priced.row[f"cost_{name}"] for name in ("list", "contracted", "effective", "billed")] == [
        8, 6, 4, Decimal("1.25"),
    ]  # fmt: skip
    assert (priced.status, priced.row["cost_currency"], priced.row["price_basis"]) == ("priced", "USD", "")
    assert priced.row["price_book_revision"] == ""


@pytest.mark.parametrize("source", ["PROVIDER", "LOCAL", "UNKNOWN"])
def test_a_producers_price_wins_over_the_catalogue(source: str) -> None:
    priced = price_one(call(input_tokens=1_000_000, costs=[line(source=source, billed=Decimal(7))]))

    assert (priced.total, len(priced.lines)) == (7, 1)


def test_kept_lines_stand_beside_priced_calls_in_one_frame() -> None:
    kept = [
        event(event_type="ai.cost.operational", costs=[line(billed=Decimal(number))]) for number in (1, 2)
    ]
    calls = [call(input_tokens=400_000), call(input_tokens=800_000)]

    priced = price(kept[0], calls[0], kept[1], calls[1])

    assert [answer.total for answer in priced] == [1, 1, 2, 2]
    assert [answer.lines[0]["source"] for answer in priced] == ["PROVIDER", "LOCAL", "PROVIDER", "LOCAL"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "UNPRICED"}, "reported_unpriced"),
        ({"currency": "EUR"}, "mixed_currencies"),
        ({"billed": LARGEST_AMOUNT + Decimal(1)}, "impossible_amount"),
        ({"list": -LARGEST_AMOUNT - Decimal(1)}, "impossible_amount"),
    ],
)
def test_lines_that_cannot_be_added_up_have_no_total(changes: dict[str, Any], reason: str) -> None:
    priced = price_one(event(costs=[line(), line(**changes)]))

    assert (priced.status, priced.refusal, priced.total) == ("unpriced", reason, None)
    assert priced.row["cost_currency"] == ""
    assert len(priced.lines) == 2


def test_a_line_in_another_currency_keeps_it() -> None:
    assert price_one(event(costs=[line(currency="EUR")])).row["cost_currency"] == "EUR"


def test_many_of_the_largest_amounts_add_up_exactly() -> None:
    priced = price_one(event(costs=[line(billed=Decimal(LARGEST_AMOUNT))] * 1_000))

    assert priced.total == LARGEST_AMOUNT * 1_000
