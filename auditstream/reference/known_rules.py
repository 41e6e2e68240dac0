"""The allocation rules that hold on a day, as a snapshot knows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from auditstream.costing.allocation import Rule
from auditstream.costing.categories import category_word
from auditstream.reference.allocations import AllocationRule
from auditstream.reference.intervals import holds_at
from auditstream.reference.snapshot import Snapshot

_DAY = timedelta(days=1) - timedelta(microseconds=1)


class KnownRules:
    """Tells the rules of a snapshot.

    Args:
        snapshot: Has the kind `allocation`.
        nobody: Tenant of what nobody owns, whose costs a rule without a tenant is about.
    """

    def __init__(self, snapshot: Snapshot, nobody: str) -> None:
        self._rows = snapshot.intervals("allocation")
        self._nobody = nobody
        self._by_day: dict[date, list[Rule]] = {}

    def on(self, day: date) -> Sequence[Rule]:
        """Return the active rules that hold at the end of a day (UTC)."""
        if day not in self._by_day:
            self._by_day[day] = list(self._found(datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY))
        return self._by_day[day]

    def _found(self, at: datetime) -> list[Rule]:
        held = self._rows.filter(pl.col("active"), holds_at(at))
        rows = held.select(*AllocationRule.model_fields).iter_rows(named=True)
        return [self._rule(AllocationRule.model_validate(row)) for row in rows]

    def _rule(self, fact: AllocationRule) -> Rule:
        return Rule(
            id=fact.rule_id,
            tenant=fact.tenant_id or self._nobody,
            method=fact.method,
            category=category_word(fact.category) if fact.category else "",
            service=fact.service,
            part=category_word(fact.part) if fact.part else "",
            shares={tenant: Decimal(share) for tenant, share in fact.shares.items()},
            tenants=fact.tenants,
            priority=fact.priority,
        )
