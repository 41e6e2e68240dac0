"""How a budget stands: what is spent and forecast of it, and what that asks of gateways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from auditstream.costing.conversion import Rates, at_rate
from auditstream.costing.exact import ZERO, rounded
from auditstream.notify.budget_periods import BudgetPeriod, period_at
from auditstream.notify.reactions import REACTIONS
from auditstream.reference.limits import Budget
from schemas.records.vocabulary import SignalState

FORECAST_OVER_PCT = 110
"""A forecast above this share of the amount is told of: a tenth over is more than a forecast is wrong by."""

# Before that share of the period a forecast says more of the hour than of the budget: a month's first day
# would be multiplied by thirty.
_FORECAST_FROM = 0.05


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent on one day in one currency.

    Attributes:
        day: The day (UTC).
        currency: ISO 4217 code; empty for events that have no price.
        amount: Effective cost, adjustments included.
        unpriced_events: Events that the amount lacks, because they have no price.
    """

    day: date
    currency: str
    amount: Decimal
    unpriced_events: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands in the period that is now; one that is not active any more has reached nothing.

    Attributes:
        budget: The budget.
        period: The period.
        spent: Effective cost in the budget's currency.
        forecast: Cost of the whole period if it goes on as so far; None in its first twentieth.
        left_out: Amounts by currency that no rate converts: they are not in `spent`.
        unpriced_events: Events without a price: they are not in `spent` either.
    """

    budget: Budget
    period: BudgetPeriod
    spent: Decimal
    forecast: Decimal | None
    left_out: dict[str, Decimal] = field(default_factory=dict)
    unpriced_events: int = 0

    @property
    def reached_pct(self) -> int:
        """The highest threshold that is reached; 0 for none."""
        return max(
            (each for each in self.budget.thresholds_pct if self._is_over(self.spent, each)), default=0
        )

    @property
    def is_forecast_over(self) -> bool:
        """Whether the forecast passes the amount by more than a forecast may be wrong."""
        return self.forecast is not None and self._is_over(self.forecast, FORECAST_OVER_PCT)

    @property
    def state(self) -> SignalState:
        """What gateways are asked to do with further requests of the scope."""
        return REACTIONS[self.budget.reaction] if self._is_over(self.spent, 100) else SignalState.ALLOW

    @property
    def spent_pct(self) -> Decimal:
        """Share of the amount that is spent, in percent."""
        return 100 * self.spent / self.budget.amount

    def _is_over(self, amount: Decimal, percent: int) -> bool:
        return self.budget.active and 100 * amount >= percent * self.budget.amount


def standing_of(budget: Budget, spent: Iterable[Spent], rates: Rates, now: datetime) -> Standing:
    """Return how a budget stands.

    The forecast goes on at the period's mean rate: `spent / share of the period that is over`. An amount in
    another currency is converted at its day's rate, as reports do.

    Args:
        budget: The budget.
        spent: What its scope spent in the period of `now`.
        rates: What currencies were worth.
        now: The moment.
    """
    period = period_at(budget.period, now)
    total, unpriced, left_out = ZERO, 0, dict[str, Decimal]()
    for each in spent:
        unpriced += each.unpriced_events
        if not each.amount:
            continue
        amount = converted(each, budget.currency, rates)
        if amount is None:
            left_out[each.currency] = left_out.get(each.currency, ZERO) + each.amount
        else:
            total += amount
    elapsed = period.elapsed(now)
    forecast = rounded(total / Decimal(elapsed)) if elapsed >= _FORECAST_FROM else None
    return Standing(budget, period, rounded(total), forecast, left_out, unpriced)


def converted(spent: Spent, currency: str, rates: Rates) -> Decimal | None:
    """Return an amount in a currency, None when no rate held on its day."""
    if spent.currency == currency:
        return spent.amount
    rate = rates.rate(spent.currency, currency, spent.day)
    return None if rate is None else at_rate(spent.amount, rate)
