"""What is charged, summed up by the hour or day in the store: cost lines, and differences booked later.

Both leave out what `costs_current` leaves out, so that the sums are the same: repeats, and calls that another
event reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from auditstream.core.errors import RequestError
from auditstream.focus.charge import ChargeDifference, ChargeLine
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.expressions import ANSWERED_MODEL, time_text

READ_FROM = ("events", "cost_adjustments")
"""Tables that the charges are read from."""

Granularity = Literal["hour", "day"]

_STARTS: dict[Granularity, str] = {
    "hour": "toStartOfHour(event_time)",
    "day": "toStartOfDay(event_time, 'UTC')",
}
_OWNERS = "tenant_id, project_id, team_id, feature_id, cost_center, environment, agent_id, credential_id"
_TIME = "DateTime64(6, 'UTC')"
_LINES = """
SELECT
    toDateTime64({start}, 0, 'UTC') AS charge_start,
    {owners}, event_type, agent_name, inference_provider AS provider, {model} AS model,
    inference_provider_account_id AS account, inference_region AS region,
    inference_service_tier AS service_tier, inference_prompt_name AS prompt_name,
    inference_prompt_version AS prompt_version, experiment_key, experiment_variant,
    if(event_type = 'ai.cost.operational', source, '') AS producer,
    ifNull(line.category, '') AS category,
    ifNull(line.resource_id, '') AS resource_id,
    line.period_start AS period_start,
    line.period_end AS period_end,
    line.meter AS meter,
    ifNull(line.direction, '') AS direction,
    ifNull(line.cache_action, '') AS cache_action,
    line.unit AS unit,
    ifNull(line.price_id, '') AS price_id,
    ifNull(line.price_book_rev, '') AS price_revision,
    line.list_unit_price AS list_unit_price,
    line.source AS price_source,
    line.currency AS currency,
    count() AS lines,
    sum(ifNull(line.quantity, 0)) AS quantity,
    sum(ifNull(line.list, 0)) AS list,
    sum(ifNull(line.contracted, 0)) AS contracted,
    sum(ifNull(line.effective, 0)) AS effective,
    sum(ifNull(line.billed, 0)) AS billed
FROM events ARRAY JOIN costs AS line
WHERE {conditions}
GROUP BY ALL ORDER BY ALL"""
_DIFFERENCES = """
SELECT
    toDateTime64({start}, 0, 'UTC') AS charge_start,
    {owners}, event_type, inference_provider AS provider, model, kind,
    toDateTime64(toStartOfMonth(recorded_at), 0, 'UTC') AS recorded_month,
    old_revision, new_revision, cost_currency AS currency,
    count() AS lines,
    sum(cost_list) AS list,
    sum(cost_contracted) AS contracted,
    sum(cost_effective) AS effective,
    sum(cost_billed) AS billed
FROM cost_adjustments
WHERE {conditions}
GROUP BY ALL
HAVING list != 0 OR contracted != 0 OR effective != 0 OR billed != 0
ORDER BY ALL"""
_UNPRICED = """
SELECT provider, model, sum(n) AS events
FROM
(
    SELECT inference_provider AS provider, {model} AS model, toInt64(count()) AS n
    FROM events WHERE {conditions} GROUP BY ALL
    UNION ALL
    SELECT inference_provider AS provider, model, sum(unpriced_events) AS n
    FROM cost_adjustments WHERE {booked} GROUP BY ALL
)
GROUP BY provider, model HAVING events != 0
ORDER BY events DESC, provider, model"""
_NOW = "SELECT now64(6, 'UTC')"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which charges.

    Attributes:
        span: Range of event_time, in whole hours or days.
        granularity: What a row sums up.
        tenant: Of this tenant only, all when ''.
        known_on: As known then (UTC): without what was recorded later; as known now when None.
    """

    span: Span
    granularity: Granularity = "hour"
    tenant: str = ""
    known_on: datetime | None = None

    def check(self) -> None:
        """Raise `RequestError` unless the range is of whole hours or days."""
        ends = (self.span.start, self.span.end)
        is_by_day = self.granularity == "day"
        whole = [each.replace(minute=0, second=0, microsecond=0) for each in ends]
        if tuple(whole) != ends or (is_by_day and any(each.hour for each in ends)):
            hint = "Both ends of --period must be whole: 2026-11-03T10:00Z, or 2026-11-03."
            raise RequestError(f"--period is not of whole {self.granularity}s", hint=hint)

    def days(self) -> list[Wanted]:
        """Return the same for each day (UTC) that the range is of."""
        found, start = [], self.span.start
        while start < self.span.end:
            midnight = start.replace(hour=0) + timedelta(days=1)
            end = min(midnight, self.span.end)
            found.append(replace(self, span=Span(start, end)))
            start = end
        return found


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Events that need a price and have none: they are in no sum of money."""

    provider: str
    model: str
    events: int


def charge_lines(reader: Reader, wanted: Wanted) -> Iterator[ChargeLine]:
    """Yield the cost lines of priced events, summed up, in order and as they come.

    Raises:
        RetryableError: No answer.
    """
    conditions = _of_events(wanted)
    conditions.add("cost_status = 'priced'")
    sql = _LINES.format(
        start=_STARTS[wanted.granularity], owners=_OWNERS, model=ANSWERED_MODEL, conditions=conditions.sql
    )
    for batch in reader.batches(sql, conditions.parameters, doing="read of cost lines"):
        yield from (ChargeLine(**record) for record in batch.to_pylist())


def charge_differences(reader: Reader, wanted: Wanted) -> Iterator[ChargeDifference]:
    """Yield the differences booked after the fact, summed up, but those that take nothing and add nothing.

    Raises:
        RetryableError: No answer.
    """
    conditions = _of_adjustments(wanted)
    sql = _DIFFERENCES.format(start=_STARTS[wanted.granularity], owners=_OWNERS, conditions=conditions.sql)
    for batch in reader.batches(sql, conditions.parameters, doing="read of adjustments"):
        yield from (ChargeDifference(**record) for record in batch.to_pylist())


def unpriced_events(reader: Reader, wanted: Wanted) -> list[Unpriced]:
    """Return how many events have no price, by provider and model, most first.

    Raises:
        RetryableError: No answer.
    """
    conditions = _of_events(wanted)
    conditions.add("cost_status = 'unpriced'")
    booked = _of_adjustments(wanted)
    sql = _UNPRICED.format(model=ANSWERED_MODEL, conditions=conditions.sql, booked=booked.sql)
    # Both bind the same values in the same order, so that one set of parameters serves both.
    found = reader.table(sql, conditions.parameters, doing="count of unpriced events")
    return [Unpriced(str(provider), str(model), int(events)) for provider, model, events in found.rows]


def store_time(reader: Reader) -> datetime:
    """Return the time by the store's clock (UTC).

    Raises:
        RetryableError: No answer.
    """
    now: datetime = reader.table(_NOW, {}, doing="read of the clock").rows[0][0]
    return now


def _of_events(wanted: Wanted) -> Conditions:
    conditions = Conditions()
    _add_common(conditions, wanted, "inserted_at")
    conditions.add("leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL")
    return conditions


def _of_adjustments(wanted: Wanted) -> Conditions:
    conditions = Conditions()
    _add_common(conditions, wanted, "recorded_at")
    return conditions


def _add_common(conditions: Conditions, wanted: Wanted, recorded: str) -> None:
    conditions.add_period(wanted.span.period)
    if wanted.tenant:
        conditions.add_tenant(wanted.tenant)
    if wanted.known_on is not None:
        conditions.add(f"{recorded} <= {conditions.bind(time_text(wanted.known_on), _TIME)}")
