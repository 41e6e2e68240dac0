"""What recorded events say of the price book: calls without a price, and costs told otherwise."""

from __future__ import annotations

from typing import NamedTuple

from auditstream.query.current_events import current_events
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table
from sinks.expressions import ANSWERED_MODEL

READ_FROM = "events_current"
"""Table that both read: each event once, with what was learnt later."""

UNPRICED_COLUMNS = (
    "provider", "model", "tier", "region", "reason", "meter", "events", "tokens", "tenants", "first_at",
    "last_at",
)  # fmt: skip
DIFFERENCE_COLUMNS = (
    "provider", "model", "currency", "events", "reported", "computed", "difference", "difference_pct",
    "not_compared",
)  # fmt: skip


_UNPRICED = f"""
    toString(inference_provider) AS provider, toString({ANSWERED_MODEL}) AS model,
    toString(inference_service_tier) AS tier, toString(inference_region) AS region,
    toString(unpriced_reason) AS reason, toString(unpriced_meter) AS meter,
    count() AS events, sum(ifNull(input_tokens, 0) + ifNull(output_tokens, 0)) AS tokens,
    arraySort(groupUniqArray(20)(toString(tenant_id))) AS tenants,
    min(event_time) AS first_at, max(event_time) AS last_at"""
_BY_WHAT_LACKS = """
GROUP BY provider, model, tier, region, reason, meter
ORDER BY events DESC, provider, model, tier, region, reason, meter"""

_DIFFERENCES = f"""
    toString(inference_provider) AS provider, toString({ANSWERED_MODEL}) AS model,
    toString(cost_currency) AS currency,
    countIf(cost_difference IS NOT NULL) AS events,
    sumIf(cost_billed, cost_difference IS NOT NULL) AS reported,
    sumIf(computed_cost, cost_difference IS NOT NULL) AS computed,
    sum(cost_difference) AS difference,
    if(computed = 0, NULL, toDecimal64(difference * 100 / computed, 2)) AS difference_pct,
    countIf(cost_difference IS NULL) AS not_compared"""
_BY_MODEL = """
GROUP BY provider, model, currency
ORDER BY abs(difference) DESC, provider, model, currency"""


def unpriced(reader: Reader, period: Period, *, tenant: str | None = None) -> Table:
    """Return calls that need a price and have none, by what they lack one for; columns `UNPRICED_COLUMNS`.

    Raises:
        RetryableError: No answer.
    """
    question = _Question(_UNPRICED, "cost_status = 'unpriced'", _BY_WHAT_LACKS)
    found = _asked(reader, question, period, tenant, doing="read of unpriced events")
    return found if found.rows else Table(UNPRICED_COLUMNS, ())  # an empty answer over HTTP names no columns


def reported_differences(reader: Reader, period: Period, *, tenant: str | None = None) -> Table:
    """Return what producers say that calls cost against what the book says; columns `DIFFERENCE_COLUMNS`.

    `not_compared` counts calls whose two costs are in different currencies.

    Raises:
        RetryableError: No answer.
    """
    question = _Question(_DIFFERENCES, "computed_currency != ''", _BY_MODEL)
    found = _asked(reader, question, period, tenant, doing="read of reported costs")
    return found if found.rows else Table(DIFFERENCE_COLUMNS, ())


class _Question(NamedTuple):
    figures: str
    of_which: str
    grouped: str


def _asked(reader: Reader, question: _Question, period: Period, tenant: str | None, *, doing: str) -> Table:
    conditions = Conditions()
    conditions.add(question.of_which)
    if tenant is not None:
        conditions.add_tenant(tenant)
    conditions.add_period(period)
    current = current_events(reader, tenant=tenant, period=period)
    sql = current.select(question.figures, conditions) + question.grouped
    return current.reader.table(sql, conditions.parameters, doing=doing)
