"""Questions about budgets: what is spent and forecast of each in its period now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from auditstream.access.budget_history import coming, histories, last, watched
from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.emit.budget_watch import budgets_at, standing_now
from auditstream.notify.budget_standing import Standing
from auditstream.query.reader import Reader
from auditstream.reference.known_rates import KnownRates
from auditstream.reference.limits import Budget
from sinks.budget_spend import SpentRow, spent_sql

_READ_FROM = ("costs_current",)


@dataclass(frozen=True, slots=True)
class Resting:
    """A budget that nothing watches now.

    Attributes:
        budget: What it says.
        since: When it ended, or from when it will hold or would have (UTC).
        is_to_come: Whether it will hold.
    """

    budget: Budget
    since: datetime
    is_to_come: bool


def budgets(desk: Desk, who: Principal, caller: Caller, *, tenant: str = "") -> list[Standing]:
    """Return how budgets stand; of those for all tenants only to whom may see all.

    Args:
        desk: Asks the record.
        who: Who asks.
        caller: From where.
        tenant: Only this one's.

    Raises:
        NotAllowedError: As `Desk.ask`.
        RetryableError: No answer.
    """
    now = desk.now
    question = Question("budgets", f"at {now.isoformat()}", _READ_FROM, tenant, caller=caller)
    reader = desk.ask(who, question, may="costs")
    scope = who.scope.narrowed(tenant)
    facts = desk.facts()
    spend, rates = _Spend(reader), KnownRates(facts)
    return [
        standing_now(each, spend, rates, now)
        for each in budgets_at(facts, now)
        if scope.tenants is None or each.tenant_id in scope.tenants
    ]


def standing(desk: Desk, who: Principal, budget: Budget, caller: Caller) -> Standing:
    """Return how a budget would stand now that need not be known yet; raises as `budgets`."""
    now = desk.now
    question = Question("budgets", f"{budget.budget_id} at {now.isoformat()}", _READ_FROM, caller=caller)
    reader = desk.ask(who, question, may="costs")
    return standing_now(budget, _Spend(reader), KnownRates(desk.facts()), now)


def resting(desk: Desk, who: Principal, *, tenant: str = "") -> list[Resting]:
    """Return the budgets that nothing watches now, by id: ended, or to come.

    Raises:
        NotAllowedError: Their role does not allow it.
        RetryableError: The store has not told of any reference data yet.
    """
    who.require("costs")
    scope, now = who.scope.narrowed(tenant), desk.now
    known = histories(desk.facts().intervals("budget"))
    found = [_resting(history, now) for history in known.values()]
    return [
        each
        for each in found
        if each is not None and (scope.tenants is None or each.budget.tenant_id in scope.tenants)
    ]


def _resting(history: Sequence[Budget], now: datetime) -> Resting | None:
    """Return the budget of a history that is not watched now; None when one is."""
    if watched(history, now):
        return None
    if next_ := coming(history, now):
        return Resting(next_, next_.valid_from, is_to_come=True)
    ended = last(history, now)
    if ended is None:
        return None
    since = ended.valid_to if ended.active and ended.valid_to else ended.valid_from
    return Resting(ended, since, is_to_come=False)


class _Spend:
    """What budgets' scopes spent, of what a reader may see."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def spent(self, budget: Budget, start: datetime, end: datetime) -> Sequence[SpentRow]:
        sql, parameters = spent_sql(budget, start, end)
        rows = self._reader.table(sql, parameters, doing=f"spend of budget {budget.budget_id}").rows
        return [SpentRow(*row) for row in rows]
