"""Minutes of usage from the rollup, in the form in which detectors take them."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from auditstream.core.errors import NotFoundError
from auditstream.core.event_types import CALL_TYPES, OPERATIONAL_COST
from auditstream.detection.history import SUMS, Usage
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader

READ_FROM = ("usage_1m",)
"""Tables that are read."""

SCOPES = {"model": "model", "project": "project_id"}
"""Columns by the kind of scope that the rollup knows."""

_COLUMNS = {
    "calls": "if(event_type IN {calls}, events, 0)",
    "unpriced": "unpriced_events",
    "spend": "if(cost_currency = {currency}, cost_effective, 0)",
    "usage_spend": "if(cost_currency = {currency} AND event_type != {bills}, cost_effective, 0)",
}
"""Expressions of sums that the rollup does not have under their name."""

# As detection takes it at first: the currency that a tenant first pays use in, of several in a minute that of
# the most; where only bills were paid, that of the first one.
_CURRENCY = """
SELECT cost_currency, sumIf(cost_effective, event_type != {bills}) AS used
FROM usage_1m WHERE cost_currency != '' AND {conditions}
GROUP BY minute, cost_currency
ORDER BY used <= 0, minute, used DESC, sum(cost_effective) DESC, cost_currency LIMIT 1"""
_MINUTES = """
SELECT intDiv(toUnixTimestamp(minute), 60) AS at, {sums} FROM usage_1m WHERE {conditions}
GROUP BY at ORDER BY at"""


def tenant_currency(reader: Reader, tenant: str, period: Period) -> str:
    """Return the currency that a tenant's spend is watched in; empty where it spent nothing.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    conditions = _conditions(tenant, period)
    sql = _CURRENCY.format(conditions=conditions.sql, bills=conditions.bind(OPERATIONAL_COST, "String"))
    rows = reader.table(sql, conditions.parameters, doing="read of usage").rows
    return str(rows[0][0]) if rows else ""


def usage_minutes(
    reader: Reader, tenant: str, period: Period, currency: str, scope: tuple[str, str] | None = None
) -> Usage:
    """Return what a tenant, and one scope of it, used by minute.

    Args:
        reader: The store.
        tenant: The tenant.
        period: Minutes that begin in it.
        currency: What its spend is counted in; what it spent in others is left out, as in detection.
        scope: Kind (of `SCOPES`) and name of the scope; None for the tenant alone.

    Raises:
        NotFoundError: Nothing was used in the period.
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    conditions = _conditions(tenant, period)
    bound = {
        "calls": conditions.bind(list(CALL_TYPES), "Array(String)"),
        "bills": conditions.bind(OPERATIONAL_COST, "String"),
        "currency": conditions.bind(currency, "String"),
    }
    columns = {name: _COLUMNS.get(name, name).format(**bound) for name in SUMS}
    asked = [f"sum({sql}) AS all_{name}" for name, sql in columns.items()]
    if scope is not None:
        is_own = f"{SCOPES[scope[0]]} = {conditions.bind(scope[1], 'String')}"
        asked += [f"sumIf({sql}, {is_own}) AS own_{name}" for name, sql in columns.items()]
    sql = _MINUTES.format(sums=", ".join(asked), conditions=conditions.sql)
    table = reader.table(sql, conditions.parameters, doing="read of usage")
    if not table.rows:
        raise NotFoundError(
            f"tenant {tenant!r} used nothing in that time",
            hint="`auditstream report cost` shows who did, and when.",
        )
    minutes, *numbers = zip(*table.rows, strict=True)
    sums = [
        np.array([float(each) for each in column if isinstance(each, (int, Decimal))]) for column in numbers
    ]
    parts = [dict(zip(SUMS, sums[at : at + len(SUMS)], strict=True)) for at in range(0, len(sums), len(SUMS))]
    return Usage(np.array(minutes, np.int64), *parts)


def _conditions(tenant: str, period: Period) -> Conditions:
    conditions = Conditions()
    conditions.add_tenant(tenant)
    for moment, comparison in ((period.start, ">="), (period.end, "<")):
        if moment is not None:
            bound = conditions.bind(int(moment.timestamp()), "Int64")
            conditions.add(f"toUnixTimestamp(minute) {comparison} {bound}")
    return conditions
