"""What money means to tenants, as facts say it: gates of findings, and what they may spend a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from auditstream.detection.money_gate import Stakes
from auditstream.reference.kinds import kind_of
from auditstream.reference.limits import Budget
from auditstream.reference.owners import FINDING_GATE, Tenant
from auditstream.reference.snapshot import AnyFact, Snapshot

KINDS = ("tenant", "budget")
"""Kinds that are read."""

# Days of a mean period: what a budget comes to a day decides how grave a finding is, not what is spent.
_DAYS = {
    "hour": Decimal(1) / 24,
    "day": Decimal(1),
    "week": Decimal(7),
    "month": Decimal(30),
    "quarter": Decimal(91),
    "year": Decimal(365),
}


def stakes_of(snapshot: Snapshot, at: datetime) -> Mapping[tuple[str, str], Stakes]:
    """Return what is stated of tenants, by tenant and currency.

    The gate is the tenant's label `finding_gate`, in the currency that it is reported in. The daily budget is
    the smallest of the tenant's own budgets, those that are narrowed to a part of it left out.

    Args:
        snapshot: Reference data with the kinds `KINDS`.
        at: The time.
    """
    gates: dict[tuple[str, str], Decimal] = {}
    for tenant in _held(snapshot, Tenant, at):
        if FINDING_GATE in tenant.labels:
            gates[tenant.tenant_id, tenant.currency] = Decimal(tenant.labels[FINDING_GATE])
    days: dict[tuple[str, str], Decimal] = {}
    for budget in _held(snapshot, Budget, at):
        if budget.active and budget.tenant_id and not budget.scope:
            whose, amount = (budget.tenant_id, budget.currency), budget.amount / _DAYS[budget.period]
            days[whose] = min(amount, days.get(whose, amount))
    return {
        each: Stakes(daily_budget=days.get(each), gate=gates.get(each)) for each in sorted({*gates, *days})
    }


def _held(snapshot: Snapshot, fact: type[AnyFact], at: datetime) -> Iterator[AnyFact]:
    """Yield the facts of a kind that hold at a time."""
    for row in snapshot.holding(kind_of(fact).name, at).select(*fact.model_fields).iter_rows(named=True):
        yield fact.model_validate(row)
