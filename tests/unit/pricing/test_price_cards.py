from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from genai_prices.types import ConditionalPrice

from auditstream.pricing.book import NoPrice, Route, Schedule, Unpriced
from auditstream.pricing.cards import PriceCard, unit_price
from auditstream.pricing.windows import LAST
from tests.support.price_books import book, model, prices, since, tiered, variant


def cards(schedule: Schedule | Unpriced) -> list[PriceCard | NoPrice]:
    assert isinstance(schedule, Schedule)
    return [card for _, card in schedule.cards]


def prices_by_id(card: PriceCard | NoPrice, step: int = 0) -> dict[str, Decimal]:
    assert isinstance(card, PriceCard)
    return {rate.price_id: rate.unit_price for rate in card.steps[step]}


def test_a_card_has_the_price_of_one_unit_of_each_meter() -> None:
    acme = book(model("m", prices(input_mtok="2.50", output_mtok="10", web_searches_kcount="10")))

    (card,) = cards(acme.schedule(Route("acme", ("m",), "")))

    assert prices_by_id(card) == {
        "acme/m/input": Decimal("0.0000025"),
        "acme/m/output": Decimal("0.00001"),
        "acme/m/web_searches": Decimal("0.01"),
    }


def test_a_context_length_is_a_step_of_the_card() -> None:
    acme = book(model("m", prices(input_mtok=tiered("1", (200, "2"), (500, "3")), output_mtok="9")))

    (card,) = cards(acme.schedule(Route("acme", ("m",), "")))

    assert isinstance(card, PriceCard)
    assert card.starts == (200, 500)
    assert [list(prices_by_id(card, step)) for step in range(3)] == [
        ["acme/m/input", "acme/m/output"],
        ["acme/m/input>200", "acme/m/output"],
        ["acme/m/input>500", "acme/m/output"],
    ]


def test_meters_with_different_starts_share_the_steps() -> None:
    acme = book(model("m", prices(input_mtok=tiered("1", (200, "2")), output_mtok=tiered("8", (500, "9")))))

    (card,) = cards(acme.schedule(Route("acme", ("m",), "")))

    assert [list(prices_by_id(card, step).values()) for step in range(3)] == [
        [Decimal("0.000001"), Decimal("0.000008")],
        [Decimal("0.000002"), Decimal("0.000008")],
        [Decimal("0.000002"), Decimal("0.000009")],
    ]


def test_a_tier_replaces_the_prices_that_it_names() -> None:
    batch = variant({"processing": "batch"}, prices(input_mtok="1"))
    acme = book(model("m", prices(input_mtok="2", output_mtok="8"), batch))

    (card,) = cards(acme.schedule(Route("acme", ("m",), "batch")))

    assert prices_by_id(card) == {
        "acme/m/input/batch": Decimal("0.000001"),
        "acme/m/output": Decimal("0.000008"),
    }


def test_a_tier_has_no_price_before_it_begins() -> None:
    batch = variant(
        {"processing": "batch"}, prices(input_mtok="1"), since(date(2026, 10, 14), prices()).constraint
    )
    acme = book(model("m", prices(input_mtok="2"), batch))

    schedule = acme.schedule(Route("acme", ("m",), "batch"))

    assert isinstance(schedule, Schedule)
    (_, before), (window, after) = schedule.cards
    assert before is NoPrice.NO_PRICE
    assert isinstance(after, PriceCard)
    assert (window.end, after.basis) == (LAST, "dated")


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (Route("nobody", ("m",), ""), NoPrice.UNKNOWN_PROVIDER),
        (Route("acme", ("other",), ""), NoPrice.UNKNOWN_MODEL),
        (Route("acme", (), ""), NoPrice.UNKNOWN_MODEL),
        (Route("acme", ("m",), "bach"), NoPrice.UNKNOWN_TIER),
        (Route("acme", ("plain",), "batch"), NoPrice.NO_TIER),
        (Route("acme", ("m",), "web"), NoPrice.UNKNOWN_TIER),
        (Route("acme", ("m",), "batch+flex"), NoPrice.UNKNOWN_TIER),
    ],
)
def test_a_route_without_a_price_says_why(route: Route, reason: NoPrice) -> None:
    batch, search = variant({"processing": "batch"}, prices()), variant({"search_type": "web"}, prices())
    acme = book(model("m", prices(input_mtok="2"), batch, search), model("plain", prices(input_mtok="2")))

    assert acme.schedule(route) == Unpriced(reason)


def test_a_model_listed_without_prices_has_no_card() -> None:
    acme = book(model("m", prices()))

    assert cards(acme.schedule(Route("acme", ("m",), ""))) == [NoPrice.NO_PRICE]


def test_a_price_is_dated_when_the_catalogue_says_since_or_until_when() -> None:
    was, now = prices(input_mtok="2"), prices(input_mtok="1")
    acme = book(
        model("dated", [ConditionalPrice(prices=was), since(date(2025, 6, 10), now)]), model("plain", was)
    )

    dated = [
        card.basis
        for card in cards(acme.schedule(Route("acme", ("dated",), "")))
        if isinstance(card, PriceCard)
    ]
    plain = [
        card.basis
        for card in cards(acme.schedule(Route("acme", ("plain",), "")))
        if isinstance(card, PriceCard)
    ]
    assert (dated, plain) == (["dated", "dated"], ["undated"])


@pytest.mark.parametrize(
    ("price", "per", "expected"),
    [
        ("0.08333333333333334", 1_000_000, "0.000000083333333333"),
        ("0.0000000000025", 1_000_000, "0.000000000000000002"),
        ("0.0000000000035", 1_000_000, "0.000000000000000004"),
        ("0.04", 3600, "0.000011111111111111"),
        ("9999999999.123456789012", 1, "9999999999.123456789012"),
    ],
)
def test_a_unit_price_is_rounded_half_even_to_18_places(price: str, per: int, expected: str) -> None:
    assert unit_price(Decimal(price), per) == Decimal(expected)
