"""`costs_reported`: a tenant's costs in its own currency, at the rate of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.reference.fact import Fact
from auditstream.reference.kinds import KINDS, Entry
from auditstream.reference.owners import Tenant
from auditstream.reference.rates import CurrencyRate
from sinks.clients import ClientPool
from sinks.reference import ReferenceStore
from tests.support.blocks import NOON, block_of
from tests.support.engines import OpenClient
from tests.support.stores import ClickHouseStore

DAY = NOON.replace(hour=0, minute=0, second=0, microsecond=0)


class Costs:
    """A store with reference data and costs, and what it reports."""

    def __init__(self, store: ClickHouseStore, reference: ReferenceStore) -> None:
        self.store, self.reference = store, reference

    def know(self, *facts: Fact) -> None:
        entries = [Entry(fact, "test") for fact in facts]
        self.reference.append(entries, base=self.reference.newest(), actor="me")

    def book(
        self, costs: Sequence[tuple[str, str | None]], *, tenant: str = "acme", day: int = 0, lo: int = 0
    ) -> None:
        self.store.insert(
            block_of(
                lo=lo,
                rows=len(costs),
                tenant_id=tenant,
                event_time=NOON + timedelta(days=day),
                cost_currency=[currency for currency, _ in costs],
                cost_status=["unpriced" if amount is None else "priced" for _, amount in costs],
                **{
                    f"cost_{name}": [None if amount is None else Decimal(amount) for _, amount in costs]
                    for name in ("list", "contracted", "effective", "billed")
                },
            )
        )

    def reported(self) -> list[tuple]:
        return self.store.ask(
            "SELECT day, tenant_id, cost_currency, reporting_currency, reported_billed FROM costs_reported "
            "ORDER BY day, tenant_id, cost_currency"
        )


@pytest.fixture
def costs(engine: OpenClient, store: ClickHouseStore) -> Costs:
    database = str(store.value("SELECT currentDatabase()"))
    for table in ("reference_revisions", "cost_adjustments", *(kind.table for kind in KINDS.values())):
        store.client.command(f"TRUNCATE TABLE {table}")
    return Costs(store, ReferenceStore(ClientPool(lambda: engine(database))))


def tenant(currency: str, start: datetime = datetime(2020, 1, 1, tzinfo=UTC)) -> Tenant:
    return Tenant(tenant_id="acme", name="A", currency=currency, valid_from=start)


def rate(
    base: str, quote: str, amount: str, start: datetime = DAY, end: datetime | None = None
) -> CurrencyRate:
    return CurrencyRate(base=base, quote=quote, rate=Decimal(amount), valid_from=start, valid_to=end)


def day(number: int) -> date:
    return (DAY + timedelta(days=number)).date()


def test_each_currency_is_converted_at_the_rate_of_the_events_day(costs: Costs) -> None:
    costs.know(
        tenant("EUR"),
        rate("USD", "EUR", "0.9"),
        rate("USD", "EUR", "0.8", DAY + timedelta(days=1)),
        rate("EUR", "GBP", "0.5"),
    )
    costs.book([("USD", "10"), ("USD", "1"), ("EUR", "3"), ("GBP", "2")])
    costs.book([("USD", "10")], day=1, lo=100)

    assert costs.reported() == [
        (day(0), "acme", "EUR", "EUR", Decimal(3)),
        (day(0), "acme", "GBP", "EUR", Decimal(4)),
        (day(0), "acme", "USD", "EUR", Decimal("9.9")),
        (day(1), "acme", "USD", "EUR", Decimal(8)),
    ]


def test_without_a_rate_there_is_no_amount_and_the_original_stays_beside(costs: Costs) -> None:
    costs.know(tenant("EUR"), rate("USD", "EUR", "0.9", end=DAY + timedelta(hours=6)))
    costs.book([("USD", "10"), ("EUR", "1")])

    rows = costs.store.ask(
        "SELECT sum(reported_billed), sumMapIf(map(toString(cost_currency), cost_billed), "
        "reported_billed IS NULL) FROM costs_reported"
    )

    assert rows == [(Decimal(1), {"USD": Decimal(10)})]


def test_an_amount_is_rounded_once_half_to_even(costs: Costs) -> None:
    costs.know(tenant("EUR"), rate("USD", "EUR", "0.5"), rate("EUR", "GBP", "3"))
    costs.book([("USD", "0.000000000001"), ("GBP", "1")])
    costs.book([("USD", "0.000000000003")], day=1, lo=100)

    assert [row[-1] for row in costs.reported()] == [
        Decimal("0.333333333333"), Decimal(0), Decimal("0.000000000002"),
    ]  # fmt: skip


def test_a_tenants_currency_is_that_of_the_day(costs: Costs) -> None:
    costs.know(tenant("USD"), tenant("EUR", DAY + timedelta(days=1)), rate("USD", "EUR", "0.5"))
    for number in range(2):
        costs.book([("USD", "10")], day=number, lo=100 * number)

    assert [row[3:] for row in costs.reported()] == [("USD", Decimal(10)), ("EUR", Decimal(5))]


def test_a_corrected_rate_counts_from_when_it_is_known(costs: Costs) -> None:
    costs.know(tenant("EUR"), rate("USD", "EUR", "0.9"))
    costs.book([("USD", "10")])
    costs.know(rate("USD", "EUR", "0.7"))

    assert [row[-1] for row in costs.reported()] == [Decimal(7)]


def test_a_revision_that_was_given_up_does_not_count(costs: Costs) -> None:
    costs.know(tenant("EUR"), rate("USD", "EUR", "0.9"))
    costs.book([("USD", "10")])

    def refuse(_revision: int) -> None:
        raise RuntimeError("nobody can be told")

    with pytest.raises(RuntimeError):
        costs.reference.append(
            [Entry(rate("USD", "EUR", "0.1"), "test")], base=1, actor="me", announce=refuse
        )

    assert [row[-1] for row in costs.reported()] == [Decimal(9)]


def test_what_has_no_price_is_counted_and_converts_to_nothing(costs: Costs) -> None:
    costs.know(tenant("EUR"))
    costs.book([("", None), ("EUR", "2")])

    found = costs.store.ask(
        "SELECT sum(reported_billed), sum(unpriced_events), sum(events) FROM costs_reported"
    )

    assert found == [(Decimal(2), 1, 2)]


def test_costs_of_nobody_known_are_reported_in_usd(costs: Costs) -> None:
    costs.book([("USD", "2")], tenant="unattributed")

    assert costs.reported() == [(day(0), "unattributed", "USD", "USD", Decimal(2))]
