"""What the scope of a budget spent, and what was told of it: read from the record itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from auditstream.reference.limits import BUDGET_SCOPE, Budget
from sinks.clients import ClientPool
from sinks.expressions import ANSWERED_MODEL
from sinks.refusals import translated

BUDGET_EVENTS_SOURCE = "urn:auditstream:budgets"
"""`source` of the events that tell of budgets."""

_SPENT = """
SELECT toDate(hour) AS day, cost_currency, sum(cost_effective) AS amount, sum(unpriced_events) AS unpriced
FROM costs_current
WHERE hour >= {{start:DateTime}} AND hour < {{end:DateTime}}{conditions}
GROUP BY day, cost_currency
HAVING amount != 0 OR unpriced != 0
ORDER BY day, cost_currency"""

_IN_ROLLUP = frozenset({"project_id", "environment", "inference_provider", "model", "event_type"})
_BY_MINUTE = """
SELECT intDiv(toUnixTimestamp({at}), 60) AS number, cost_currency, sum({amount}) AS spent
FROM {table}
WHERE {at} >= {{start:DateTime}} AND {at} < {{end:DateTime}} AND cost_currency != ''{conditions}
GROUP BY number, cost_currency
HAVING spent != 0"""

# Also the last of the period before: that a budget was passed then is what a new period takes back.
_TOLD = """
SELECT
    budget_id,
    argMax(
        attributes,
        (
            parseDateTime64BestEffortOrZero(attributes['period_start'], 6, 'UTC'),
            toUInt32OrZero(attributes['change'])
        )
    ) AS newest
FROM events
WHERE event_type = 'ai.budget' AND source = {source:String} AND event_time >= {since:DateTime64(6, 'UTC')}
    AND leaf_kind = 0 AND duplicate_of IS NULL
GROUP BY budget_id"""


class SpentRow(NamedTuple):
    """What was spent on a day in a currency; the currency is empty for events without a price."""

    day: date
    currency: str
    amount: Decimal
    unpriced_events: int


class SpentMinute(NamedTuple):
    """What was spent in a minute in a currency; the minute is counted since 1970."""

    minute: int
    currency: str
    amount: Decimal


class BudgetSpend:
    """Asks the store what budgets' scopes spent. Blocks; calls may come from any thread.

    Args:
        clients: Where clients come from.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def spent(self, budget: Budget, start: datetime, end: datetime) -> list[SpentRow]:
        """Return the effective cost of a budget's scope, net of adjustments, by day and currency.

        Args:
            budget: Says the scope.
            start: First moment, at a full hour.
            end: First moment after, at a full hour.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        sql, parameters = spent_sql(budget, start, end)
        with translated(f"spend of budget {budget.budget_id}"), self._clients.borrow() as client:
            rows = client.query(sql, parameters).result_rows
        return [SpentRow(*row) for row in rows]

    def spent_by_minute(self, budget: Budget, start: datetime, end: datetime) -> list[SpentMinute]:
        """Return the effective cost of a budget's scope as it was recorded, by minute and currency.

        Adjustments are of hours and not in it: what burns now has hardly any.

        Args:
            budget: Says the scope.
            start: First moment, at a full minute.
            end: First moment after, likewise.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        if budget.scope.keys() <= _IN_ROLLUP:
            conditions, parameters = _scope(budget)
            source = {"table": "usage_1m", "at": "minute", "amount": "cost_effective"}
        else:
            conditions, parameters = _scope(budget, model=ANSWERED_MODEL)
            conditions += " AND leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL"
            conditions += " AND ingest_day >= toDate({start:DateTime}) - 1"
            source = {"table": "events", "at": "event_time", "amount": "ifNull(cost_effective, 0)"}
        sql = _BY_MINUTE.format(conditions=conditions, **source)
        with translated(f"burn of budget {budget.budget_id}"), self._clients.borrow() as client:
            rows = client.query(sql, {**parameters, "start": start, "end": end}).result_rows
        return [SpentMinute(int(minute), str(currency), Decimal(amount)) for minute, currency, amount in rows]

    def told(self, since: datetime) -> dict[str, Mapping[str, str]]:
        """Return the attributes of the newest recorded event about each budget, by the budget's id.

        Args:
            since: Earlier events are left out.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        parameters = {"source": BUDGET_EVENTS_SOURCE, "since": since}
        with translated("read of what was told of budgets"), self._clients.borrow() as client:
            rows = client.query(_TOLD, parameters).result_rows
        return {str(budget_id): attributes for budget_id, attributes in rows}


def spent_sql(budget: Budget, start: datetime, end: datetime) -> tuple[str, dict[str, Any]]:
    """Return the query of what a budget's scope spent, whose rows are `SpentRow`, and its parameters."""
    conditions, parameters = _scope(budget)
    return _SPENT.format(conditions=conditions), {**parameters, "start": start, "end": end}


def _scope(budget: Budget, *, model: str = "model") -> tuple[str, dict[str, Any]]:
    """Return the conditions of a budget's scope, each with AND before it, and their parameters."""
    names = [name for name in BUDGET_SCOPE if name in budget.scope]
    columns = {name: model if name == "model" else name for name in names}
    conditions = "".join(f" AND {columns[name]} = {{{name}:String}}" for name in names)
    parameters: dict[str, Any] = {name: budget.scope[name] for name in names}
    if budget.tenant_id:
        conditions += " AND tenant_id = {tenant_id:String}"
        parameters["tenant_id"] = budget.tenant_id
    return conditions, parameters
