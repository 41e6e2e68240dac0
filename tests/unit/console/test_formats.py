"""How values look."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.console import formats

NOON = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def text_of(markup: str) -> str:
    """Return what a reader sees of a piece of HTML."""
    return re.sub(r"<[^>]+>", "", markup)


@pytest.mark.parametrize(
    ("amount", "currency", "seen"),
    [
        ("0.0123", "USD", "$0.012300"),
        ("0.000000250000", "USD", "$0.000000"),
        ("1234.5", "EUR", "€1,234.500000"),
        ("-0.5", "USD", "−$0.500000"),
        ("3", "CHF", "3.000000 CHF"),
    ],
)
def test_an_amount_in_a_table_has_six_decimals(amount: str, currency: str, seen: str) -> None:
    assert text_of(formats.money(Decimal(amount), currency)) == seen


def test_the_exact_amount_is_its_title() -> None:
    assert 'title="0.000000250000 USD"' in formats.money(Decimal("0.000000250000"), "USD")


def test_a_call_without_a_price_says_so() -> None:
    assert text_of(formats.money(None, status="unpriced")) == "unpriced"
    assert formats.money(None) == formats.NOTHING


@pytest.mark.parametrize(
    ("amount", "seen"),
    [
        ("1234.567", "$1,234.57"),
        ("0.0123456", "$0.0123"),
        ("0", "$0.00"),
        ("-12.5", "−$12.50"),
        ("0.5", "$0.500"),
    ],
)
def test_a_total_has_two_decimals_or_three_digits(amount: str, seen: str) -> None:
    assert text_of(formats.total_money(Decimal(amount), "USD")) == seen


@pytest.mark.parametrize(
    ("micros", "seen"),
    [
        (0, "0 µs"),
        (999, "999 µs"),
        (1_500, "1.5 ms"),
        (99_960, "100 ms"),
        (812_000, "812 ms"),
        (1_270_000, "1.27 s"),
        (61_000_000, "1 min 01 s"),
        (7_320_000_000, "2 h 02 min"),
        (259_200_000_000, "3 d 0 h"),
    ],
)
def test_a_length_of_time_is_in_its_own_unit(micros: int, seen: str) -> None:
    assert formats.length(micros) == seen
    assert formats.length(timedelta(microseconds=micros)) == seen


def test_a_moment_is_utc_with_its_exact_form_beside_it() -> None:
    tag = formats.moment_tag(NOON)

    assert text_of(tag) == "01 Mar 12:30:15.123"
    assert 'datetime="2026-03-01T12:30:15.123456Z"' in tag
    assert formats.moment_tag(NOON.replace(tzinfo=None)) == tag
    assert text_of(formats.moment_tag(NOON, "dated")) == "01 Mar 2026 12:30:15.123"
    assert text_of(formats.moment_tag(NOON, "clock")) == "12:30:15.123"


@pytest.mark.parametrize(
    ("seconds", "seen"),
    [(5, "5 s ago"), (119, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago"), (-5, "0 s ago")],
)
def test_an_age_is_in_its_largest_unit(seconds: int, seen: str) -> None:
    assert formats.ago(NOON, NOON + timedelta(seconds=seconds)) == seen


@pytest.mark.parametrize(
    ("size", "seen"),
    [(999, "999 B"), (1_000, "1 kB"), (12_345, "12.3 kB"), (4 * 10**9, "4 GB"), (10**19, "1e+04 PB")],
)
def test_sizes_are_in_decimal_units(size: int, seen: str) -> None:
    assert formats.size(size) == seen


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (None, ""),
        (True, "true"),
        (b"\x00\xff", "00ff"),
        (["a", "b"], "a, b"),
        ({"x": Decimal("1.50")}, "x=1.50"),
        (NOON, "2026-03-01T12:30:15.123456Z"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_any_value_is_one_line(value: object, seen: str) -> None:
    assert formats.plain(value) == seen


def test_what_came_from_outside_is_escaped() -> None:
    assert "<b>" not in formats.money(Decimal(1), "<b>")
    assert "<b>" not in formats.total_money(Decimal(1), "<b>")


@pytest.mark.parametrize(("part", "seen"), [(0, "0 %"), (1, "1.0 %"), (50, "50 %"), (100, "100 %")])
def test_a_share_is_in_percent(part: int, seen: str) -> None:
    assert formats.share(part, 100) == seen
    assert formats.share(part, 0) == "0 %"


def test_a_command_in_a_sentence_is_code_and_markup_in_it_is_text() -> None:
    assert formats.commands("Run `auditstream <x>`, & wait.") == (
        "Run <code>auditstream &lt;x&gt;</code>, &amp; wait."
    )
    assert formats.commands("'`' is not a time") == "&#39;`&#39; is not a time"
