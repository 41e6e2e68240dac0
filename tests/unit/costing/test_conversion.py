"""Conversion: each row at its day's rate, and what has none is named and left as it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from auditstream.costing.conversion import Unconverted, converted
from auditstream.costing.spent import Booked, Spent
from auditstream.reference.kinds import KINDS, Entry, frame_of
from auditstream.reference.known_rates import KnownRates
from auditstream.reference.owners import Tenant
from auditstream.reference.rates import CurrencyRate
from auditstream.reference.snapshot import Snapshot

MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)


def known(*facts: Tenant | CurrencyRate) -> KnownRates:
    names = {"rate": CurrencyRate, "tenant": Tenant}
    tables = {
        name: frame_of(
            KINDS[name],
            [Entry(fact, "test") for fact in facts if isinstance(fact, kind)],
            revision=1,
            recorded_at=datetime(2026, 11, 1, tzinfo=UTC),
            actor="test",
        )
        for name, kind in names.items()
    }
    return KnownRates(Snapshot(1, tables))


def rate(base: str, quote: str, amount: str, day: date) -> CurrencyRate:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return CurrencyRate(base=base, quote=quote, rate=Decimal(amount), valid_from=start)


def row(amount: str, currency: str, day: date) -> Booked:
    return Booked((), "acme", currency, Spent(events=1, cost_effective=Decimal(amount)), day)


RATES = known(rate("USD", "EUR", "0.9", MONDAY), rate("USD", "EUR", "0.8", TUESDAY))


def test_each_day_has_its_own_rate() -> None:
    rows, left = converted([row("10", "USD", MONDAY), row("10", "USD", TUESDAY)], lambda _: "EUR", RATES)

    assert [(each.currency, each.spent.cost_effective) for each in rows] == [
        ("EUR", Decimal(9)),
        ("EUR", Decimal(8)),
    ]
    assert left == []


def test_what_has_no_rate_stays_and_is_listed() -> None:
    pound, early = row("5", "GBP", MONDAY), row("7", "USD", date(2026, 11, 1))

    rows, left = converted([pound, early], lambda _: "EUR", RATES)

    assert rows == [pound, early]
    assert left == [
        Unconverted("GBP", "EUR", MONDAY, Decimal(5)),
        Unconverted("USD", "EUR", date(2026, 11, 1), Decimal(7)),
    ]


def test_an_opposite_rate_serves_the_other_way_round() -> None:
    rows, _ = converted([row("9", "EUR", MONDAY)], lambda _: "USD", RATES)

    assert [(each.currency, each.spent.cost_effective) for each in rows] == [("USD", Decimal(10))]


def test_amounts_are_rounded_to_twelve_decimals_halves_to_even() -> None:
    rows, _ = converted([row("0.000000000005", "USD", MONDAY)], lambda _: "EUR", RATES)

    assert rows[0].spent.cost_effective == Decimal("0.000000000004")


def test_what_has_no_currency_or_the_right_one_is_not_touched() -> None:
    same = [row("0", "", MONDAY), row("3", "EUR", MONDAY)]

    assert converted(same, lambda _: "EUR", RATES) == (same, [])


def test_a_tenant_is_reported_in_its_currency_and_else_in_dollars() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    rates = known(Tenant(tenant_id="acme", name="Acme", currency="EUR", valid_from=start))

    assert (rates.currency_of("acme", MONDAY), rates.currency_of("globex", MONDAY)) == ("EUR", "USD")
    assert rates.currency_of("acme", date(2026, 10, 30)) == "USD"
