"""What the scope of a budget spent, and what was told of it: read from the record itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from auditstream.reference.limits import BUDGET_SCOPE, Budget
from sinks.clients import ClientPool
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
        names = [name for name in BUDGET_SCOPE if name in budget.scope]
        conditions = "".join(f" AND {name} = {{{name}:String}}" for name in names)
        parameters: dict[str, Any] = {name: budget.scope[name] for name in names}
        if budget.tenant_id:
            conditions += " AND tenant_id = {tenant_id:String}"
            parameters["tenant_id"] = budget.tenant_id
        sql = _SPENT.format(conditions=conditions)
        with translated(f"spend of budget {budget.budget_id}"), self._clients.borrow() as client:
            rows = client.query(sql, {**parameters, "start": start, "end": end}).result_rows
        return [SpentRow(*row) for row in rows]

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
