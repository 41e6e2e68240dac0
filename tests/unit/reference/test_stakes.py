"""What money means to tenants, as facts say it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from auditstream.detection.money_gate import Stakes
from auditstream.reference.known_stakes import stakes_of
from auditstream.reference.limits import Budget
from auditstream.reference.owners import Tenant
from tests.support.facts import day, snapshot_of


def tenant(name, gate=None, start=0, currency="EUR"):
    labels = {"tier": "gold"} | ({} if gate is None else {"finding_gate": gate})
    return Tenant(tenant_id=name, name=name, currency=currency, labels=labels, valid_from=day(start))


def budget(name, **fields):
    given = {"tenant_id": "acme", "period": "month", "amount": "300", "currency": "EUR", **fields}
    return Budget(budget_id=name, valid_from=day(0), **given)


def test_a_gate_is_the_tenants_label_that_holds_at_the_time():
    snapshot = snapshot_of({1: [tenant("acme", "5"), tenant("globex")], 2: [tenant("acme", "7.5", start=10)]})

    assert stakes_of(snapshot, day(9)) == {("acme", "EUR"): Stakes(gate=Decimal(5))}
    assert stakes_of(snapshot, day(10)) == {("acme", "EUR"): Stakes(gate=Decimal("7.5"))}


def test_a_daily_budget_is_the_smallest_of_the_tenants_own():
    facts = [
        budget("month"),
        budget("week", period="week", amount="140"),
        budget("hour", period="hour", amount="0.5", currency="USD"),
        budget("part", period="day", amount="1", scope={"project_id": "search"}),
        budget("everything", tenant_id="", period="day", amount="1"),
        budget("retired", period="day", amount="1", active=False),
    ]

    assert stakes_of(snapshot_of({1: facts}), day(1)) == {
        ("acme", "EUR"): Stakes(daily_budget=Decimal(10)),
        ("acme", "USD"): Stakes(daily_budget=Decimal(12)),
    }


@pytest.mark.parametrize("gate", ["", "five", "-1", "NaN", "Infinity"])
def test_a_gate_that_is_no_amount_is_refused(gate):
    with pytest.raises(ValidationError, match="finding_gate: must be an amount, 0 or more"):
        tenant("acme", gate)
