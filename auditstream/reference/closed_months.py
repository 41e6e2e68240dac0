"""Closed months: which a period touches, and whose."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from auditstream.reference.closures import Closure
from auditstream.reference.snapshot import Snapshot

EVERY_TENANT = ""
"""Tenant of a closure that is of all of them."""


class ClosedMonths:
    """The closures that hold at a time.

    Args:
        closures: One a tenant and month.
    """

    def __init__(self, closures: Collection[Closure]) -> None:
        self._by_key = {(closure.tenant_id, closure.month): closure for closure in closures}

    @classmethod
    def at(cls, snapshot: Snapshot, at: datetime) -> ClosedMonths:
        """Return those of a time, by a snapshot with the kind `closure`."""
        rows = snapshot.intervals("closure").select(*Closure.model_fields).rows(named=True)
        known = (Closure.model_validate(row) for row in rows)
        return cls([closure for closure in known if closure.active and closure.covers(at)])

    def of(self, tenant: str, month: str) -> Closure | None:
        """Return the closure of a tenant's month, as 2026-03; that of all tenants counts."""
        return self._by_key.get((EVERY_TENANT, month)) or self._by_key.get((tenant, month))

    def touched(self, start: datetime, end: datetime, tenant: str | None) -> list[Closure]:
        """Return the closures that a period falls into, by month and tenant.

        Args:
            start: First moment of the period (UTC).
            end: First moment after it.
            tenant: Whose alone; None for all tenants'.
        """
        found = (
            closure
            for closure in self._by_key.values()
            if tenant is None or closure.tenant_id in {EVERY_TENANT, tenant}
            if f"{start:%Y-%m}" <= closure.month and _first_moment(closure.month) < end
        )
        return sorted(found, key=lambda closure: (closure.month, closure.tenant_id))


def _first_moment(month: str) -> datetime:
    return datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
