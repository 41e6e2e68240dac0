"""Operational costs, and what they can be spread by: use by tenant, and the size of the store."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from auditstream.core.event_types import CALL_TYPES, OPERATIONAL_COST
from auditstream.costing.allocation import Charge, Weights
from auditstream.costing.categories import category_word
from auditstream.costing.own_cost import Measured
from auditstream.query.current_events import current_events
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader

_STORED = """
SELECT toUInt64(sum(bytes_on_disk)) AS size, toUInt64(sumIf(rows, table = 'events')) AS stored
FROM system.parts WHERE database = currentDatabase() AND active"""


def charges_of(reader: Reader, span: Span, known_on: datetime | None = None) -> list[Charge]:
    """Return the cost lines of operational costs, a charge a day, owner, category, service and currency.

    Lines that say that they are unpriced are left out; their events are counted as unpriced.

    Args:
        reader: The store.
        span: Range of event_time.
        known_on: Leave out what was learnt later; None for all that is known.

    Raises:
        RetryableError: No answer.
    """
    conditions = Conditions()
    conditions.add_period(span.period)
    conditions.add(f"event_type = {conditions.bind(OPERATIONAL_COST, 'String')}")
    current = current_events(reader, tenant=None, period=span.period, known_on=known_on)
    events = current.select("tenant_id, attributes, event_time, costs", conditions)
    sql = f"""
SELECT tenant_id, ifNull(line.category, '') AS category, attributes['service'] AS service,
    line.currency AS currency, toDate(event_time) AS day, sum(ifNull(line.effective, 0)) AS amount
FROM ({events}) ARRAY JOIN costs AS line
WHERE line.source != 'UNPRICED'
GROUP BY tenant_id, category, service, currency, day
ORDER BY tenant_id, category, service, currency, day"""  # noqa: S608  values are parameters
    found = current.reader.table(sql, conditions.parameters, doing="read of operational costs")
    return [
        Charge(str(tenant), category_word(str(category)), str(service), str(currency), day, Decimal(amount))
        for tenant, category, service, currency, day, amount in found.rows
    ]


def weights_of(reader: Reader, span: Span, known_on: datetime | None = None) -> Weights:
    """Return what each tenant's model calls used; the arguments are those of `charges_of`.

    Raises:
        RetryableError: No answer.
    """
    conditions = Conditions()
    conditions.add_period(span.period)
    conditions.add(f"event_type IN {conditions.bind(list(CALL_TYPES), 'Array(String)')}")
    current = current_events(reader, tenant=None, period=span.period, known_on=known_on)
    used = """tenant_id, toInt64(countIf(same_call_as IS NULL)) AS requests,
    toInt64(sum(ifNull(input_tokens, 0) + ifNull(output_tokens, 0))) AS tokens,
    toInt64(sumIf(ifNull(duration_us, 0), same_call_as IS NULL)) AS time_us"""
    sql = f"{current.select(used, conditions)}\nGROUP BY tenant_id ORDER BY tenant_id"
    found = current.reader.table(sql, conditions.parameters, doing="read of use by tenant")
    rows = found.records()
    tokens, requests, time_us = (
        {str(row["tenant_id"]): int(row[name]) for row in rows} for name in ("tokens", "requests", "time_us")
    )
    return Weights(tokens, requests, time_us)


def measured(reader: Reader, cpu_s: Decimal | None) -> Measured:
    """Return how large the store is now.

    Raises:
        RetryableError: No answer.
    """
    size, stored = reader.table(_STORED, {}, doing="read of the store's size").rows[0]
    return Measured(int(size), int(stored), cpu_s)
