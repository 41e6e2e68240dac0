"""Model calls of a period with what they used and what they cost, as they come, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from auditstream.core.event_types import CALL_TYPES
from auditstream.pricing.line_fields import COSTS
from auditstream.pricing.routing import ROUTE_COLUMNS, unsaid_as_null
from auditstream.pricing.usage import USAGE_COLUMNS
from auditstream.query.current_events import current_events
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.columns import TABLE_SCHEMA
from sinks.expressions import ANSWERED_MODEL

READ_FROM = ("events_current",)
"""Tables that are read."""

_COLUMNS = tuple(
    dict.fromkeys((
        "event_type", "outcome", "event_time", "tenant_id", *ROUTE_COLUMNS, *USAGE_COLUMNS, "cost_currency",
        "cost_effective", "cost_status",
    ))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls.

    Attributes:
        span: Range of event_time.
        tenant: Only this tenant's; None for all.
        provider: Only of this provider; None for all.
        model: Only those that this model answered, or was asked for; None for all.
    """

    span: Span
    tenant: str | None = None
    provider: str | None = None
    model: str | None = None


def priced_calls(reader: Reader, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """Yield the calls as the pricer takes them, without cost lines, and what they cost as known now.

    Each call is there once, whoever reported it; repeats are not. Text that says nothing is null.

    Raises:
        RetryableError: No answer.
    """
    conditions = Conditions()
    conditions.add_period(wanted.span.period)
    conditions.add(f"event_type IN {conditions.bind(list(CALL_TYPES), 'Array(String)')}")
    conditions.add("same_call_as IS NULL")
    if wanted.tenant is not None:
        conditions.add_tenant(wanted.tenant)
    if wanted.provider is not None:
        conditions.add(f"inference_provider = {conditions.bind(wanted.provider, 'String')}")
    if wanted.model is not None:
        name = conditions.bind(wanted.model, "String")
        conditions.add(f"{ANSWERED_MODEL} = {name}")
    current = current_events(reader, tenant=wanted.tenant, period=wanted.span.period)
    sql = current.select(", ".join(_COLUMNS), conditions)
    for batch in current.reader.batches(sql, conditions.parameters, doing="read of calls"):
        yield _typed(pl.DataFrame(pl.from_arrow(batch)))


def _typed(found: pl.DataFrame) -> pl.DataFrame:
    typed = found.select(pl.col(name).cast(TABLE_SCHEMA[name]) for name in _COLUMNS)
    return unsaid_as_null(typed).with_columns(pl.lit([], dtype=TABLE_SCHEMA[COSTS]).alias(COSTS))
