"""What was spent over time: sums by hour or day of the keys that cost most, the others together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from auditstream.core.errors import RequestError
from auditstream.query.cost_dimensions import Dimension
from auditstream.query.cost_rows import HOURLY
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.expressions import time_text

READ_FROM = HOURLY
"""Table that is read."""

_HOURS_UNTIL = timedelta(days=4)  # a hundred hours can be told apart on a page, a thousand cannot
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_MOST_STEPS = 1_000  # a range of all time has centuries of days without any cost
_TIME = "DateTime64(6, 'UTC')"


@dataclass(frozen=True, slots=True)
class CostSeries:
    """Effective cost over time, in one currency.

    Attributes:
        currency: ISO 4217 code.
        step: Length of each stretch: an hour, or a day in UTC.
        starts: Where each stretch begins (UTC), without gaps; of a long range from first to last cost.
        lines: Amounts by key and stretch, the most expensive key first.
        others: Amounts of all other keys by stretch; empty when every key has a line.
    """

    currency: str
    step: timedelta
    starts: tuple[datetime, ...]
    lines: Mapping[str, tuple[Decimal, ...]]
    others: tuple[Decimal, ...]


def cost_series(
    reader: Reader, by: Dimension, span: Span, *, tenant: str | None = None, keys: int = 6
) -> list[CostSeries]:
    """Return what was spent over time, a series a currency; those of no cost are left out.

    Args:
        reader: The store.
        by: The dimension; one that the hourly costs have.
        span: Range of event_time, of whole hours.
        tenant: Only what is booked to this tenant.
        keys: Keys that get a line of their own.

    Raises:
        RequestError: The hourly costs do not have the dimension.
        RetryableError: No answer.
    """
    if not by.is_booked:
        raise RequestError(f"by: costs over time are not known by {by.name}")
    step = _HOUR if span.end - span.start <= _HOURS_UNTIL else _DAY
    conditions = Conditions()
    if tenant:
        conditions.add_tenant(tenant)
    for moment, comparison in ((span.start, ">="), (span.end, "<")):
        conditions.add(f"hour {comparison} {conditions.bind(time_text(moment), _TIME)}")
    conditions.add("cost_currency != '' AND cost_effective != 0")
    (column,) = by.reads
    at = "hour" if step == _HOUR else "toStartOfDay(hour, 'UTC')"
    limit = conditions.bind(keys, "UInt32")
    sql = f"""
SELECT toUnixTimestamp({at}) AS at, cost_currency,
    (toString(cost_currency), toString({column})) IN (
        SELECT toString(cost_currency), toString({column}) FROM costs_current
        WHERE {conditions.sql}
        GROUP BY 1, 2 ORDER BY sum(cost_effective) DESC, 2 LIMIT {limit} BY 1
    ) AS is_own,
    if(is_own, toString({column}), '') AS name, sum(cost_effective) AS amount
FROM costs_current
WHERE {conditions.sql}
GROUP BY at, cost_currency, is_own, name"""  # noqa: S608  columns are ours, values are parameters
    found: dict[str, dict[str | None, dict[datetime, Decimal]]] = {}
    for seconds, currency, is_own, name, amount in reader.table(
        sql, conditions.parameters, doing="costs over time"
    ).rows:
        line = found.setdefault(currency, {}).setdefault(name if is_own else None, {})
        line[datetime.fromtimestamp(seconds, UTC)] = amount
    starts = _starts(_drawn(span, step, found), step)
    return [_series(currency, step, starts, found[currency]) for currency in sorted(found)]


def _series(
    currency: str,
    step: timedelta,
    starts: tuple[datetime, ...],
    amounts: Mapping[str | None, Mapping[datetime, Decimal]],
) -> CostSeries:
    filled = {name: tuple(line.get(at, Decimal(0)) for at in starts) for name, line in amounts.items()}
    others = filled.pop(None, ())
    named = sorted(
        ((name, line) for name, line in filled.items() if name is not None),
        key=lambda pair: (-sum(pair[1]), pair[0]),
    )
    return CostSeries(currency, step, starts, dict(named), others)


def _drawn(
    span: Span, step: timedelta, found: Mapping[str, Mapping[str | None, Mapping[datetime, Decimal]]]
) -> Span:
    """Return the range to tell of: of one with too many steps from the first that has a cost to the last."""
    times = [at for lines in found.values() for line in lines.values() for at in line]
    if not times or (span.end - span.start) // step <= _MOST_STEPS:
        return span
    return Span(max(span.start, min(times)), min(span.end, max(times) + step))


def _starts(span: Span, step: timedelta) -> tuple[datetime, ...]:
    first = span.start.replace(minute=0, second=0, microsecond=0)
    if step == _DAY:
        first = first.replace(hour=0)
    count = -(-(span.end - first) // step)
    return tuple(first + number * step for number in range(count))
