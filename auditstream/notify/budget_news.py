"""What is told of a budget: nothing while it stands as it was told, else a signal, an event or both."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from auditstream.core.clock import EPOCH
from auditstream.core.ids import uuid7
from auditstream.notify.budget_standing import FORECAST_OVER_PCT, Standing
from auditstream.notify.scopes import scope_text
from auditstream.reference.limits import Budget
from schemas.records.detection import Signal
from schemas.records.vocabulary import SignalKind, SignalState

# OCSF severities from a share of the amount on; below the first, and for what is good news, informational.
_SEVERITIES = ((100, 4), (80, 3), (1, 2))
_INFORMATIONAL = 1
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a budget last.

    Attributes:
        period_start: Start of the period that it was about.
        reached_pct: Highest threshold that was reached.
        is_forecast_over: Whether it was told in this period that the forecast passes the amount.
        state: What gateways were asked to do.
        changes: How many events told of the budget in the period.
        scope: Scope that they were asked about; empty where nothing was told.
    """

    period_start: datetime
    reached_pct: int = 0
    is_forecast_over: bool = False
    state: SignalState = SignalState.UNKNOWN
    changes: int = 0
    scope: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told of a budget, and what will have been told then.

    Attributes:
        standing: How it stands.
        told: What to remember once it is told.
        signal: For gateways; None when they are asked for nothing new.
        event_id: Id of the event; None when only the signal is new.
        threshold_pct: Threshold that the event names.
        is_forecast: Whether the event is about the forecast.
    """

    standing: Standing
    told: Told
    signal: Signal | None
    event_id: UUID | None = None
    threshold_pct: int = 0
    is_forecast: bool = False

    @property
    def severity(self) -> int:
        """Severity of the event, OCSF."""
        if self.is_forecast:
            return 3
        return next((level for pct, level in _SEVERITIES if self.threshold_pct >= pct), _INFORMATIONAL)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the event `ai.budget` that tell of it."""
        standing, budget = self.standing, self.standing.budget
        return {
            "event_id": self.event_id,
            "severity": self.severity,
            "budget": {
                "id": budget.budget_id,
                "period": budget.period,
                "limit": budget.amount,
                "spent": standing.spent,
                "forecast": standing.forecast,
                "currency": budget.currency,
                "threshold_pct": self.threshold_pct,
                "reaction": budget.reaction if standing.state is not SignalState.ALLOW else "notify",
            },
            "attributes": {
                "scope": scope_of(budget),
                "about": "forecast" if self.is_forecast else "spent",
                "state": str(standing.state),
                "reached_pct": str(standing.reached_pct),
                "period_start": standing.period.start.isoformat(),
                "change": str(self.told.changes),
                "forecast_told": "yes" if self.told.is_forecast_over else "no",
                **({"owner": budget.owner} if budget.owner else {}),
                **({"unpriced_events": str(standing.unpriced_events)} if standing.unpriced_events else {}),
                **{f"left_out_{code}": str(amount) for code, amount in sorted(standing.left_out.items())},
            },
        }


def news_of(standing: Standing, told: Told | None, now: datetime) -> list[News]:
    """Return what is new of a budget, in the order to tell it in; empty when it stands as it was told.

    A threshold that was passed together with a lower one is told alone. A budget that a correction, a larger
    amount or a new period brought back below a threshold is told of too. Gateways act by scope: of one that
    is not the budget's any more they are asked for nothing, and of the new one they know nothing yet.

    Args:
        standing: How it stands.
        told: What was told last; None when nothing ever was.
        now: From when the news holds.
    """
    told = told or Told(standing.period.start)
    if told.period_start != standing.period.start:
        told = replace(told, period_start=standing.period.start, is_forecast_over=False, changes=0)
    found: list[News] = []
    scope = scope_of(standing.budget)
    if told.scope not in {"", scope}:
        if asks(told):
            found.append(News(standing, told, _taken_back(standing, told.scope, now)))
        told = replace(told, state=SignalState.UNKNOWN)
    told = replace(told, scope=scope)
    if standing.reached_pct != told.reached_pct or standing.state != _asked(told):
        told = replace(told, reached_pct=standing.reached_pct, state=standing.state, changes=told.changes + 1)
        signal, number = signal_of(standing, now), _event_id(standing, told.changes)
        found.append(News(standing, told, signal, number, standing.reached_pct))
    elif standing.state != told.state:
        told = replace(told, state=standing.state)
        found.append(News(standing, told, signal_of(standing, now)))
    if standing.is_forecast_over and not told.is_forecast_over and standing.reached_pct < 100:
        told = replace(told, is_forecast_over=True, changes=told.changes + 1)
        number = _event_id(standing, told.changes)
        found.append(News(standing, told, None, number, FORECAST_OVER_PCT, is_forecast=True))
    return found


def asks(told: Told | None) -> bool:
    """Return whether gateways were told to do anything but allow."""
    return told is not None and _asked(told) is not SignalState.ALLOW


def signal_of(standing: Standing, now: datetime) -> Signal:
    """Return what gateways are told: what to do with the scope's requests until the period ends."""
    budget, period = standing.budget, standing.period
    left_us = (period.end - now) // _MICROSECOND
    is_open = standing.state is SignalState.ALLOW
    return Signal(
        scope=scope_of(budget),
        tenant_id=budget.tenant_id,
        kind=SignalKind.BUDGET,
        rule_id=budget.budget_id,
        state=standing.state,
        reason=f"{standing.spent_pct:.1f} % of {budget.amount:f} {budget.currency} a {budget.period}",
        revision=(now - EPOCH) // _MICROSECOND,
        effective=now,
        expires=period.end,
        limit=budget.amount,
        spent=standing.spent,
        currency=budget.currency,
        fallback_model=budget.fallback_model or None,
        retry_after_us=None if is_open else max(0, left_us),
    )


def _taken_back(standing: Standing, scope: str, now: datetime) -> Signal:
    """Return what gateways are told of a scope that the budget had before."""
    return replace(signal_of(standing, now), scope=scope, state=SignalState.ALLOW, retry_after_us=None)


def scope_of(budget: Budget) -> str:
    """Return the scope of a budget as text, as `budget=acme-month/tenant=acme/project_id=search`."""
    return scope_text("budget", budget.budget_id, budget.tenant_id, budget.scope)


def _asked(told: Told) -> SignalState:
    """Return what gateways do as they were told; who was told nothing allows."""
    return SignalState.ALLOW if told.state is SignalState.UNKNOWN else told.state


def _event_id(standing: Standing, change: int) -> UUID:
    """Return an id that is the same whoever tells of the change, however often."""
    start = standing.period.start
    name = f"{standing.budget.budget_id}\0{start.isoformat()}\0{change}".encode()
    return uuid7(int(start.timestamp() * 1_000), hashlib.sha256(name).digest()[:10])
