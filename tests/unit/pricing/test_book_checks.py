from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from auditstream.pricing.book_checks import book_faults, table_faults
from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.pricing.meters import METERS
from auditstream.pricing.price_rows import PriceRow
from auditstream.pricing.windows import Window, time_of_day
from tests.support.facts import day
from tests.support.price_books import book, model, prices

CATALOGUE = book(model("m-large", prices(input_mtok="1")), model("m-small", prices(input_mtok="1")))


def row(name: str = "p", **fields: Any) -> PriceRow:
    stated = {
        "price_id": name, "provider": "acme", "model": "m", "region": "", "tier": "",
        "meter": METERS["input_tokens"], "context_from": 0, "window": Window(), "unit_price": Decimal(1),
        "own": True,
    }  # fmt: skip
    return PriceRow(**stated | fields)


def faults(*rows: PriceRow) -> list[tuple[str, str]]:
    return [(fault.check, fault.detail) for fault in book_faults(rows, CATALOGUE)]


def test_the_installed_catalogue_has_no_fault() -> None:
    assert list(book_faults(bundled_catalogue().rows(), bundled_catalogue())) == []


def test_two_patterns_that_say_as_much_of_one_model_overlap() -> None:
    ((check, detail),) = faults(row("a", model="m-*"), row("b", model="*-l"), row("c", model="m-l*"))[:1] or [
        ("", "")
    ]

    assert check == ""
    ((check, detail),) = faults(row("a", model="m-*e"), row("b", model="m-l*"))
    assert (check, "a and b" in detail) == ("overlap", True)


def test_hours_that_meet_overlap_and_hours_that_do_not_do_not() -> None:
    def hours(name: str, start: str, end: str) -> PriceRow:
        return row(name, window=Window(from_time=time_of_day(start), to_time=time_of_day(end)))

    assert [check for check, _ in faults(hours("a", "00:00", "13:00"), hours("b", "11:00", "24:00"))] == [
        "overlap"
    ]
    assert faults(hours("a", "00:00", "12:00"), hours("b", "12:00", "24:00")) == []


def test_a_hole_in_the_history_is_a_gap_and_an_end_is_none() -> None:
    first, later = Window(end=day(10)), Window(start=day(20), end=day(30))

    assert faults(row("a", window=first), row("b", window=later)) == [
        ("gap", "none from 2026-01-11 to 2026-01-21")
    ]
    assert faults(row("a", window=first)) == []


def test_hours_of_the_day_without_a_price_are_a_gap() -> None:
    night = Window(from_time=timedelta(hours=20))

    assert faults(row(window=night)) == [("gap", "none for 20:00:00 of each day")]


def test_a_price_for_long_contexts_alone_is_no_price() -> None:
    assert [check for check, _ in faults(row(context_from=200_001))] == ["no_base"]
    assert faults(row("a", context_from=200_001), row("b", own=False)) == []


def test_two_currencies_for_one_model_are_told() -> None:
    assert faults(row(), row("b", meter=METERS["output_tokens"], currency="EUR")) == [
        ("mixed_currencies", "EUR and USD")
    ]


def test_rows_that_price_nothing_are_told() -> None:
    stated = {
        "price_id": "p", "provider": "acme", "model_pattern": "m", "direction": "input", "cache_action": "",
        "meter": "text", "unit": "tokens", "currency": "USD",
    }  # fmt: skip
    rows = [
        stated,
        stated | {"meter": "txt"},
        stated | {"unit": "Tokens"},
        stated | {"currency": "EUX"},
    ]

    assert [fault.check for fault in table_faults(rows)] == [
        "unknown_meter", "unknown_unit", "unknown_currency",
    ]  # fmt: skip
