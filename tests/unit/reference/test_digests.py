"""The hash of a fact."""

from __future__ import annotations

import hashlib
from datetime import timedelta, timezone
from decimal import Decimal

import pytest

from auditstream.reference.digests import digest
from auditstream.reference.fact import Fact
from auditstream.reference.owners import Tenant
from auditstream.reference.rates import CurrencyRate
from tests.support.facts import day


def rate(text: str) -> CurrencyRate:
    return CurrencyRate(base="USD", quote="EUR", rate=Decimal(text), valid_from=day(0))


def test_what_is_hashed_is_what_the_page_says() -> None:
    text = (
        '{"base":"USD","kind_of_fact":"rate","quote":"EUR","rate":"0.91",'
        '"valid_from":"2026-01-01T00:00:00.000000Z","valid_to":null}'
    )

    assert digest(rate("0.910")) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("one", "other"), [("0.91", "0.910000000000000000"), ("100", "1E+2"), ("10", "10.0")]
)
def test_places_of_a_decimal_do_not_count(one: str, other: str) -> None:
    assert digest(rate(one)) == digest(rate(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("10", "1"), ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345679")],
)
def test_digits_of_a_decimal_do(one: str, other: str) -> None:
    assert digest(rate(one)) != digest(rate(other))


def tenant(**fields: object) -> Fact:
    return Tenant.model_validate({"tenant_id": "a", "name": "A", "valid_from": day(0), **fields})


def test_order_of_labels_and_zone_of_times_do_not_count() -> None:
    elsewhere = day(0).astimezone(timezone(timedelta(hours=5)))

    assert digest(tenant(labels={"a": "1", "b": "2"})) == digest(tenant(labels={"b": "2", "a": "1"}))
    assert digest(tenant()) == digest(tenant(valid_from=elsewhere))


@pytest.mark.parametrize(
    "fields",
    [{"name": "B"}, {"active": False}, {"labels": {"a": "1"}}, {"valid_to": day(3)}, {"valid_from": day(1)}],
)
def test_every_field_counts(fields: dict[str, object]) -> None:
    assert digest(tenant(**fields)) != digest(tenant())
