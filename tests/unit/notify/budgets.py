"""A budget to test with: 100 USD a day for one project, and how it may stand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from auditstream.notify.budget_standing import Spent, Standing, standing_of
from auditstream.reference.limits import Budget

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TODAY = date(2026, 11, 28)
EUR_IN_USD = Decimal("1.25")


def budget(**fields: Any) -> Budget:
    stated = {
        "budget_id": "search-day",
        "tenant_id": "acme",
        "scope": {"project_id": "search"},
        "period": "day",
        "amount": "100",
        "currency": "USD",
        "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Budget.model_validate(stated | fields)


class FixedRates:
    """One euro is a dollar and a quarter, and nothing else is known."""

    def rate(self, base: str, quote: str, day: date) -> Decimal | None:
        return EUR_IN_USD if (base, quote) == ("EUR", "USD") else None


RATES = FixedRates()


def spent(so_far: str, now: datetime = NOON, **fields: Any) -> Standing:
    """Return how the budget stands when so much of it is spent."""
    return standing_of(budget(**fields), [Spent(now.date(), "USD", Decimal(so_far))], RATES, now)
