"""Costs of model calls as they are known now, by provider, model and day."""

from __future__ import annotations

from auditstream.billing.residuals import Recorded
from auditstream.focus.services import provider_of
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.expressions import time_text

READ_FROM = ("costs_current",)

# Amounts of one model in several currencies are several rows; what has no price has no currency either.
_SQL = """
SELECT
    inference_provider, model, toDate(hour, 'UTC') AS day, cost_currency,
    sum(cost_billed) AS billed, sum(unpriced_events) AS unpriced
FROM costs_current
WHERE {conditions}
GROUP BY inference_provider, model, day, cost_currency
HAVING billed != 0 OR unpriced != 0
ORDER BY inference_provider, model, day, cost_currency"""


def recorded_costs(reader: Reader, span: Span, tenant: str) -> list[Recorded]:
    """Return what model calls cost as invoiced, net of adjustments; operational costs are not in it.

    Args:
        reader: The store.
        span: Range of event_time, of whole days.
        tenant: Of this tenant only, all when ''.

    Raises:
        RetryableError: No answer.
    """
    conditions = Conditions()
    conditions.add(f"hour >= {conditions.bind(time_text(span.start), _TIME)}")
    conditions.add(f"hour < {conditions.bind(time_text(span.end), _TIME)}")
    conditions.add("event_type != 'ai.cost.operational'")
    if tenant:
        conditions.add_tenant(tenant)
    sql = _SQL.format(conditions=conditions.sql)
    found = reader.table(sql, conditions.parameters, doing="read of costs")
    return [
        Recorded(provider_of("", provider), model, day, currency, billed, int(unpriced))
        for provider, model, day, currency, billed, unpriced in found.rows
    ]


_TIME = "DateTime64(6, 'UTC')"
