"""Questions about budgets: what is spent and forecast of each in its period now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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
        since: When it ended, or from when it will hold (UTC).
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
    histories: dict[str, list[Budget]] = {}
    for row in desk.facts().intervals("budget").iter_rows(named=True):
        budget = Budget.model_validate({name: row[name] for name in Budget.model_fields})
        histories.setdefault(budget.budget_id, []).append(budget)
    found = [_resting(history, now) for _, history in sorted(histories.items())]
    return [
        each
        for each in found
        if each is not None and (scope.tenants is None or each.budget.tenant_id in scope.tenants)
    ]


def _resting(history: Sequence[Budget], now: datetime) -> Resting | None:
    """Return the budget of a history, in order of time, that is not watched now; None when one is."""
    if any(each.covers(now) and each.active for each in history):
        return None
    coming = next((each for each in history if each.valid_from > now and each.active), None)
    if coming is not None:
        return Resting(coming, coming.valid_from, is_to_come=True)
    begun = [each for each in history if each.valid_from <= now]
    if not begun:
        return None
    last = begun[-1]
    return Resting(
        last, last.valid_to if last.active and last.valid_to else last.valid_from, is_to_come=False
    )


class _Spend:
    """What budgets' scopes spent, of what a reader may see."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def spent(self, budget: Budget, start: datetime, end: datetime) -> Sequence[SpentRow]:
        sql, parameters = spent_sql(budget, start, end)
        rows = self._reader.table(sql, parameters, doing=f"spend of budget {budget.budget_id}").rows
        return [SpentRow(*row) for row in rows]
