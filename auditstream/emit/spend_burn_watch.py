"""The watch over budgets of money that burn: slow ramps and surges that no detector of shapes sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

from auditstream.core.clock import Clock
from auditstream.costing.conversion import Rates
from auditstream.costing.exact import ZERO
from auditstream.emit.recent_minutes import RecentMinutes
from auditstream.emit.slo_watch import ToldBefore
from auditstream.notify.budget_standing import Spent, converted
from auditstream.notify.burn_findings import episode_before
from auditstream.notify.spend_burn import (
    ABOUT,
    SpendBurning,
    SpendNews,
    SpendTold,
    spend_burning,
    spend_news_of,
    spend_news_of_retired,
)
from auditstream.reference.known_budgets import known_budgets
from auditstream.reference.known_rates import KnownRates
from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot


class SpendByMinute(Protocol):
    """What budgets' scopes spent; `sinks.budget_spend.BudgetSpend` is one."""

    def spent_by_minute(
        self, budget: Budget, start: datetime, end: datetime
    ) -> Sequence[tuple[int, str, Decimal]]:
        """Return minute (since 1970), currency and amount; blocks."""
        ...


class SpendBurnWatch:
    """Evaluates how fast budgets burn and tells what is new; keeps no state that the record does not have.

    Args:
        spend: What was spent.
        events: What was told.
        snapshot: Gives the newest reference data: kinds `budget` and `rate`.
        tell: Makes news known, and returns when it is.
        clock: Says what time it is.
    """

    def __init__(
        self,
        spend: SpendByMinute,
        events: ToldBefore,
        snapshot: Callable[[], Snapshot],
        tell: Callable[[SpendNews], object],
        clock: Clock,
    ) -> None:
        self._spend = spend
        self._events = events
        self._snapshot = snapshot
        self._tell = tell
        self._clock = clock
        self._minutes: dict[str, tuple[Budget, RecentMinutes[Mapping[str, Decimal]]]] = {}
        self._told: dict[str, SpendTold] | None = None

    def forget(self) -> None:
        """Read what was told from the record again: somebody else may have told more."""
        self._told = None

    def look(self, is_due: Callable[[Budget], bool] = lambda budget: True) -> list[SpendBurning]:
        """Evaluate budgets, tell what is new of them, and return how fast those of a week and more burn.

        Args:
            is_due: Whether to look at a budget.

        Raises:
            RetryableError: Store or Kafka does not answer; the next look tells what this one did not.
        """
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        snapshot = self._snapshot()
        known = [each for each in known_budgets(snapshot, now) if is_due(each)]
        if self._told is None and known:
            self._told = {
                rule: SpendTold(episode_before(attributes))
                for (rule, about), attributes in self._events.told(now).items()
                if about == ABOUT
            }
        told = {} if self._told is None else self._told
        rates = KnownRates(snapshot)
        found = []
        for budget in known:
            before = told.get(budget.budget_id, SpendTold())
            if not budget.active and not (before.burn and before.burn.is_open):
                continue
            burning = spend_burning(budget, self._spent(budget, rates, now), now)
            if burning is None:
                continue
            news, after = (spend_news_of if budget.active else spend_news_of_retired)(burning, before)
            if news is not None:
                self._tell(news)
            told[budget.budget_id] = after
            found.append(burning)
        held = {each.budget_id for each in known}
        self._minutes = {each: kept for each, kept in self._minutes.items() if each in held}
        return found

    def _spent(self, budget: Budget, rates: Rates, now: datetime) -> dict[int, Decimal]:
        """Return what was spent by minute in the budget's currency; what no rate converts is left out."""
        until = now.replace(second=0, microsecond=0)
        kept = self._minutes.get(budget.budget_id)
        if kept is None or kept[0] != budget:
            kept = self._minutes[budget.budget_id] = (
                budget,
                RecentMinutes(lambda since, before: self._between(budget, since, before)),
            )
        kept[1].refresh(until)
        return {
            minute: sum((_in(budget, minute, *each, rates) for each in amounts.items()), ZERO)
            for minute, amounts in kept[1].amounts.items()
        }

    def _between(self, budget: Budget, since: datetime, until: datetime) -> dict[int, Mapping[str, Decimal]]:
        found: dict[int, dict[str, Decimal]] = {}
        for minute, currency, amount in self._spend.spent_by_minute(budget, since, until):
            found.setdefault(minute, {})[currency] = amount
        return dict(found)


def _in(budget: Budget, minute: int, currency: str, amount: Decimal, rates: Rates) -> Decimal:
    spent = Spent(_day(minute), currency, amount)
    return converted(spent, budget.currency, rates) or ZERO


def _day(minute: int) -> date:
    return datetime.fromtimestamp(60 * minute, UTC).date()
