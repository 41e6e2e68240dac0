"""How fast a budget of money burns, and what is told of it; of budgets of a week and more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from auditstream.costing.exact import ZERO
from auditstream.detection.burn import BurnRow, burn_rows, burns, spend_rate, windows
from auditstream.notify.budget_periods import period_at
from auditstream.notify.burn_findings import burn_finding, event_fields
from auditstream.notify.burning import Burning, in_windows
from auditstream.notify.scopes import scope_text
from auditstream.notify.told_episodes import ToldEpisode, burn_episode, closed, cool_from
from auditstream.reference.limits import Budget
from schemas.records.detection import Finding, Signal

ABOUT = "spend"
"""What the findings of budgets that burn are about."""

_METRIC = "spend"
_ATTACKS = ("AML.T0034", "LLM10")  # the catalogue's ids of a spend spike and of a budget breach


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendBurning(Burning):
    """How fast a budget of money burns.

    Attributes:
        budget: The budget.
        period: Minutes of its period that is now.
        spent: What was spent by minutes of the window, in the budget's currency.
    """

    budget: Budget
    period: int
    spent: Mapping[int, Decimal]


@dataclass(frozen=True, slots=True)
class SpendTold:
    """What was told of a budget's burn.

    Attributes:
        burn: Its episode; None when there never was one.
        cool_since: From when on the burn is low; None while it is not. Not in the record.
    """

    burn: ToldEpisode | None = None
    cool_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpendNews:
    """What is to be told of a budget's burn.

    Attributes:
        burning: How fast it burns.
        episode: What is told, as a state.
    """

    burning: SpendBurning
    episode: ToldEpisode

    about = ABOUT
    signal: Signal | None = None  # a budget asks gateways for something when it is spent, not before

    @property
    def finding(self) -> Finding:
        """The finding, or its update."""
        burning, budget, row = self.burning, self.burning.budget, self.burning.firing
        window = timedelta(minutes=row.long if row else 0)
        return burn_finding(
            self.episode,
            budget.tenant_id,
            scope_text("budget", budget.budget_id, "", budget.scope),
            _METRIC,
            title=self.title,
            tier=row.name if row else "",
            window_start=min(self.episode.opened, burning.at - window),
            window_end=burning.at,
            observed=burning.rates[row.long] if row else None,
            expected=row.factor(burning.period) if row else None,
            score=burning.level,
            excess_cost=_excess(burning, row) if row else None,
            currency=budget.currency if row else "",
            attacks=_ATTACKS,
        )

    @property
    def title(self) -> str:
        """One line that says it."""
        burning, budget, row = self.burning, self.burning.budget, self.burning.firing
        what = f"budget {budget.budget_id}"
        if not self.episode.is_open or row is None:
            return f"{what} burns no faster than it may any more"
        return (
            f"{what} burns {burning.rates[row.long]:.1f} times as fast as it may: "
            f"{burning.spent[row.long]:.2f} of {budget.amount.normalize():f} {budget.currency}"
            f" a {budget.period} within {row.long} minutes"
        )

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the event `ai.finding` that tells of it."""
        budget = self.burning.budget
        attributes = {
            "scope": scope_text("budget", budget.budget_id, budget.tenant_id, budget.scope),
            "amount": f"{budget.amount.normalize():f}",
            "currency": budget.currency,
            "period": budget.period,
            **({"owner": budget.owner} if budget.owner else {}),
        }
        return event_fields(self.finding, self.episode, budget.budget_id, ABOUT, attributes)

    @property
    def rule(self) -> str:
        """Id of the budget."""
        return self.burning.budget.budget_id

    @property
    def tenant_id(self) -> str:
        """The budget's tenant; empty for all."""
        return self.burning.budget.tenant_id

    @property
    def columns(self) -> Mapping[str, str]:
        """Columns of events that the budget is narrowed by, and their values."""
        return self.burning.budget.scope


def spend_burning(budget: Budget, minutes: Mapping[int, Decimal], at: datetime) -> SpendBurning | None:
    """Return how fast a budget burns; None where its period is too short for the windows.

    Args:
        budget: The budget.
        minutes: What was spent by minute, counted since 1970, in the budget's currency.
        at: The moment; what its minute brought so far does not count.
    """
    now = int(at.timestamp()) // 60
    span = period_at(budget.period, at)
    period = (span.end - span.start) // timedelta(minutes=1)
    rows = burn_rows(period)
    if not rows:
        return None
    spent = in_windows(minutes, windows(rows), now, ZERO)
    amount = np.array([float(budget.amount)])
    rates = {
        each: spend_rate(np.array([float(found)]), amount, window=each, period=period)
        for each, found in spent.items()
    }
    return SpendBurning(
        at=datetime.fromtimestamp(now * 60, UTC),
        rates={each: float(rate[0]) for each, rate in rates.items()},
        burns=burns(rows, period, rates),
        budget=budget,
        period=period,
        spent=spent,
    )


def spend_news_of(burning: SpendBurning, told: SpendTold) -> tuple[SpendNews | None, SpendTold]:
    """Return what is new of a budget's burn, and what is remembered then."""
    cool_since = cool_from(burning, told.cool_since)
    return _between(burning, told, SpendTold(burn_episode(burning, told.burn, cool_since), cool_since))


def spend_news_of_retired(burning: SpendBurning, told: SpendTold) -> tuple[SpendNews | None, SpendTold]:
    """Return what is to be told of a budget that holds no more: that its burn is over."""
    return _between(burning, told, replace(told, burn=closed(told.burn)))


def _between(burning: SpendBurning, told: SpendTold, now: SpendTold) -> tuple[SpendNews | None, SpendTold]:
    if now.burn is None or now.burn == told.burn:
        return None, now
    return SpendNews(burning, now.burn), now


def _excess(burning: SpendBurning, row: BurnRow) -> Decimal:
    """Return what was spent in a row's long window above what the budget gives it."""
    given = burning.budget.amount * row.long / burning.period
    return max(ZERO, burning.spent[row.long] - given).quantize(Decimal(1).scaleb(-12))
