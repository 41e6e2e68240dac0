"""What was spent, by dimensions: from the hourly costs where these have them, else from each event.

Both count the same: events that are no repeats, one event a model call, and every adjustment under the
dimensions that it is booked to. What an adjustment has no column for, as the tool, is its event's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from auditstream.costing.spent import AMOUNTS, COUNTS, Booked, Spent
from auditstream.query.cost_dimensions import Dimension, columns_of
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.quoted import Quoted, at_rate
from auditstream.query.reader import Reader
from sinks.expressions import ANSWERED_MODEL, time_text

HOURLY, EVENTS, ADJUSTMENTS = "costs_current", "events", "cost_adjustments"
"""Tables that are read."""

_TOKENS = tuple(name for name in COUNTS if name.endswith("_tokens") and name != "unpriced_tokens")
_TIME = "DateTime64(6, 'UTC')"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes:
        by: Dimensions.
        span: Range of event_time.
        tenant: Only what is booked to this tenant; None for all that the user may read.
        daily: Whether a row is of one day, as conversion needs it.
        known_on: Leave out what was learnt later; None for all that is known.
        types: Only events of these types; none for all.
    """

    by: Sequence[Dimension]
    span: Span
    tenant: str | None = None
    daily: bool = False
    known_on: datetime | None = None
    types: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that the answer is read from."""
        return (HOURLY, EVENTS, ADJUSTMENTS) if _is_hourly(self) else (EVENTS, ADJUSTMENTS)


def cost_rows(reader: Reader, asked: Asked, quoted: Quoted | None = None) -> list[Booked]:
    """Return what was booked, a row for each key, tenant and currency (and day).

    Args:
        reader: The store.
        asked: What is asked for.
        quoted: What to convert to, in the store: a year of days then is no more rows than one day.

    Raises:
        RetryableError: No answer.
    """
    return (hourly_rows if _is_hourly(asked) else event_rows)(reader, asked, quoted)


def hourly_rows(reader: Reader, asked: Asked, quoted: Quoted | None = None) -> list[Booked]:
    """Return the rows from `costs_current`, whose dimensions and hours these must be."""
    asked = asked if quoted is None else replace(asked, daily=True)
    conditions = _conditions(asked, "hour")
    measures = [name for name in COUNTS if name != "unpriced_tokens"]
    sums = ", ".join(f"sum(c.{name}) AS {name}" for name in (*measures, *AMOUNTS))
    select, group = _grouped(asked, "hour", [each.reads for each in asked.by])
    sql = f"""
SELECT {select}, {sums}, 0 AS unpriced_tokens
FROM costs_current AS c
WHERE {conditions.sql}
GROUP BY {group}"""  # noqa: S608  columns are ours, values are parameters
    rows = _rows(reader, sql, conditions, asked, quoted)
    if not any(row.spent.unpriced_events for row in rows):
        return rows
    # The hours say how many calls have no price, not how large they were.
    return [*rows, *(_tokens_alone(row) for row in event_rows(reader, asked, quoted, unpriced_alone=True))]


def event_rows(
    reader: Reader, asked: Asked, quoted: Quoted | None = None, *, unpriced_alone: bool = False
) -> list[Booked]:
    """Return the rows from `events` and `cost_adjustments`.

    Args:
        reader: The store.
        asked: What is asked for.
        quoted: What to convert to.
        unpriced_alone: Only what is about calls without a price.
    """
    asked = asked if quoted is None else replace(asked, daily=True)
    sql, conditions = events_sql(asked, unpriced_alone=unpriced_alone)
    return _rows(reader, sql, conditions, asked, quoted)


def events_sql(asked: Asked, *, unpriced_alone: bool = False) -> tuple[str, Conditions]:
    """Return the query that `event_rows` asks, for one that asks it in turn.

    It answers `key_0`, `key_1`, ... by dimension, `booked_tenant`, `booked_currency` and the figures.
    """
    conditions = _conditions(asked, "event_time")
    known = ""
    if asked.known_on is not None:
        known = f"AND a.recorded_at <= {conditions.bind(time_text(asked.known_on), _TIME)}"
    own = [column for each in asked.by if not each.is_booked for column in each.reads]
    booked = [column for each in asked.by if each.is_booked for column in each.reads]
    of_event = "".join(f", {column}" for column in own)
    dimensions = [*(f"{ANSWERED_MODEL} AS model" if name == "model" else name for name in booked), *own]
    adjusted = [*(f"a.{name} AS {name}" for name in booked), *(f"e.{name} AS {name}" for name in own)]
    sums = ", ".join(f"sum(b.{name}) AS {name}" for name in (*COUNTS, *AMOUNTS))
    select, group = _grouped(asked, "event_time", [each.reads for each in asked.by])
    sql = f"""
SELECT {select}, {sums}
FROM
(
    SELECT
        {_listed(dimensions)} tenant_id, cost_currency, event_time, toInt64(1) AS events,
        toInt64(cost_status = 'unpriced') AS unpriced_events,
        if(cost_status = 'unpriced', ifNull(e.input_tokens, 0) + ifNull(e.output_tokens, 0), 0)
            AS unpriced_tokens,
        {", ".join(f"ifNull(e.{name}, 0) AS {name}" for name in (*_TOKENS, *AMOUNTS))}
    FROM events AS e
    WHERE leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL AND {conditions.sql}
        {"AND cost_status = 'unpriced'" if unpriced_alone else ""}
    UNION ALL
    SELECT
        {_listed(adjusted)} a.tenant_id AS tenant_id, a.cost_currency AS cost_currency,
        a.event_time AS event_time, a.events AS events, a.unpriced_events AS unpriced_events,
        a.unpriced_events * e.tokens AS unpriced_tokens,
        {", ".join(f"a.{name} AS {name}" for name in (*_TOKENS, *AMOUNTS))}
    FROM (SELECT * FROM cost_adjustments AS a WHERE {conditions.sql} {known}) AS a
    LEFT ANY JOIN
    (
        SELECT log_id, leaf_index, ifNull(input_tokens, 0) + ifNull(output_tokens, 0) AS tokens{of_event}
        FROM events
        WHERE (log_id, leaf_index) IN (SELECT log_id, leaf_index FROM cost_adjustments WHERE {conditions.sql})
    ) AS e ON a.log_id = e.log_id AND a.leaf_index = e.leaf_index
    {"WHERE a.unpriced_events != 0" if unpriced_alone else ""}
) AS b
GROUP BY {group}"""  # noqa: S608  columns are ours, values are parameters
    return sql, conditions


def _is_hourly(asked: Asked) -> bool:
    """Return whether the hourly costs can answer."""
    return asked.span.is_of_hours and asked.known_on is None and all(each.is_booked for each in asked.by)


def _conditions(asked: Asked, time: str) -> Conditions:
    conditions = Conditions()
    start, end = (conditions.bind(time_text(each), _TIME) for each in (asked.span.start, asked.span.end))
    conditions.add(f"{time} >= {start} AND {time} < {end}")
    if asked.tenant is not None:
        conditions.add_tenant(asked.tenant)
    if asked.types:
        conditions.add(f"event_type IN {conditions.bind(list(asked.types), 'Array(String)')}")
    return conditions


def _grouped(asked: Asked, time: str, reads: Iterable[tuple[str, ...]]) -> tuple[str, str]:
    """Return what is selected and grouped by beside the sums."""
    columns = [column for each in reads for column in each]
    named = [f"{column} AS key_{number}" for number, column in enumerate(columns)]
    day = [f"toDate({time}) AS day"] if asked.daily else []
    select = [*named, "tenant_id AS booked_tenant", "cost_currency AS booked_currency", *day]
    group = [*(f"key_{n}" for n in range(len(columns))), "booked_tenant", "booked_currency"]
    return ", ".join(select), ", ".join([*group, *(["day"] if asked.daily else [])])


def _listed(columns: Sequence[str]) -> str:
    """Return columns for a list that goes on; the tenant is in it anyway."""
    return "".join(f"{each}, " for each in columns if not each.endswith("tenant_id"))


def _in_currency(sql: str, conditions: Conditions, quoted: Quoted, width: int) -> str:
    """Return the query for the rows of a daily one in the currency asked for, without their days."""
    keys = "".join(f"key_{number}, " for number in range(width))
    counts, parts = ", ".join(COUNTS), ", ".join(f"{at_rate(name)} AS part_{name}" for name in AMOUNTS)
    sums = ", ".join(
        [
            *(f"sum(p.{name}) AS {name}" for name in COUNTS),
            *(f"sum(p.part_{name}) AS {name}" for name in AMOUNTS),
        ]
    )
    return f"""
SELECT {keys}booked_tenant, in_currency AS booked_currency, {sums}
FROM
(
    SELECT {keys}booked_tenant, {quoted.code(conditions)} AS in_currency, {counts}, {parts}
    FROM (SELECT *, {quoted.rate(conditions)} AS rate FROM ({sql}))
) AS p
GROUP BY {keys}booked_tenant, in_currency"""  # noqa: S608  columns are ours, values are parameters


def _rows(
    reader: Reader, sql: str, conditions: Conditions, asked: Asked, quoted: Quoted | None
) -> list[Booked]:
    width = len(columns_of(asked.by))
    if quoted is not None:
        sql = _in_currency(sql, conditions, quoted, width)
    found = reader.table(sql, conditions.parameters, doing="read of costs")
    return [_booked(row, width) for row in found.records()]


def _booked(row: dict[str, Any], width: int) -> Booked:
    figures: dict[str, Any] = {name: int(row[name]) for name in COUNTS}
    figures |= {name: Decimal(row[name]) for name in AMOUNTS}
    return Booked(
        key=tuple(str(row[f"key_{number}"]) for number in range(width)),
        tenant=str(row["booked_tenant"]),
        currency=str(row["booked_currency"]),
        spent=Spent(**figures),
        day=row.get("day", date.min),
    )


def _tokens_alone(row: Booked) -> Booked:
    """Return a row of calls without a price with nothing but their tokens; the rest was counted."""
    return replace(row, spent=Spent(unpriced_tokens=row.spent.unpriced_tokens))
