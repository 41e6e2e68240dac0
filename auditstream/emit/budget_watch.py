"""The watch over budgets: what is spent is asked of the record, what is new is told to gateways and to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from auditstream.core.clock import Clock
from auditstream.notify import budget_standing
from auditstream.notify.budget_news import News, Told, asks, news_of
from auditstream.notify.budget_periods import period_at
from auditstream.notify.budget_standing import Standing, standing_of
from auditstream.reference.known_budgets import known_budgets
from auditstream.reference.known_rates import KnownRates
from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot
from schemas.records.vocabulary import SignalState
from sinks.budget_spend import SpentRow

_JUST_BEFORE = timedelta(microseconds=1)

Tell = Callable[[News], object]
"""Makes news known, and returns when it is; raises `RetryableError` when it may not be."""


class Spent(Protocol):
    """What budgets' scopes spent."""

    def spent(self, budget: Budget, start: datetime, end: datetime) -> Sequence[SpentRow]:
        """Return what a budget's scope spent between two moments; blocks."""
        ...


class Spend(Spent, Protocol):
    """What budgets' scopes spent, and what was told of it; `sinks.budget_spend.BudgetSpend` is one."""

    def told(self, since: datetime) -> Mapping[str, Mapping[str, str]]:
        """Return the attributes of the newest event about each budget; blocks."""
        ...


class BudgetWatch:
    """Evaluates budgets and tells what is new of them; keeps no state that the record does not have.

    An evaluation that is repeated, by this process or another, tells the same under the same id.

    Args:
        spend: What was spent, and what was told.
        snapshot: Gives the newest reference data: kinds `budget` and `rate`.
        tell: Makes news known.
        clock: Says what time it is.
    """

    def __init__(self, spend: Spend, snapshot: Callable[[], Snapshot], tell: Tell, clock: Clock) -> None:
        self._spend = spend
        self._snapshot = snapshot
        self._tell = tell
        self._clock = clock
        self._told: dict[str, Told] | None = None

    def forget(self) -> None:
        """Read what was told from the record again: somebody else may have told more."""
        self._told = None

    def look(self, is_due: Callable[[Budget], bool] = lambda budget: True) -> list[Standing]:
        """Evaluate budgets, tell what is new of them, and return how the active ones stand.

        Of one that was retired, or has ended, gateways hear that it asks for nothing any more.

        Args:
            is_due: Whether to look at a budget.

        Raises:
            RetryableError: Store or Kafka does not answer; the next look tells what this one did not.
        """
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        snapshot = self._snapshot()
        known = known_budgets(snapshot, now)
        budgets = [each for each in known if is_due(each)]
        if not budgets:
            return []
        if self._told is None:
            told = self._spend.told(min(_begin_before(each, now) for each in known))
            self._told = {budget_id: told_before(attributes) for budget_id, attributes in told.items()}
        rates = KnownRates(snapshot)
        standings: list[Standing] = []
        for budget in budgets:
            before = self._told.get(budget.budget_id)
            if not budget.active and not asks(before):
                continue
            standing = standing_now(budget, self._spend, rates, now)
            for news in news_of(standing, before, now):
                self._tell(news)
                self._told[budget.budget_id] = news.told
            if budget.active:
                standings.append(standing)
        return standings


def budgets_at(snapshot: Snapshot, now: datetime) -> list[Budget]:
    """Return the active budgets that hold at a moment, by id."""
    return [each for each in known_budgets(snapshot, now) if each.active]


def standing_now(budget: Budget, spend: Spent, rates: KnownRates, now: datetime) -> Standing:
    """Ask the store what a budget's scope spent in the period of `now`, and return how the budget stands.

    Raises:
        RetryableError: The store does not answer.
    """
    period = period_at(budget.period, now)
    rows = spend.spent(budget, period.start, period.end)
    return standing_of(budget, (budget_standing.Spent(*row) for row in rows), rates, now)


def _begin_before(budget: Budget, now: datetime) -> datetime:
    """Return the start of the period before this one: what was told in it, the new one takes back."""
    return period_at(budget.period, period_at(budget.period, now).start - _JUST_BEFORE).start


def told_before(attributes: Mapping[str, str]) -> Told:
    """Return what an event told of a budget; see `News.fields`."""
    return Told(
        period_start=datetime.fromisoformat(attributes["period_start"]),
        reached_pct=int(attributes["reached_pct"]),
        is_forecast_over=attributes["forecast_told"] == "yes",
        state=SignalState(attributes["state"]),
        changes=int(attributes["change"]),
        scope=attributes["scope"],
    )
