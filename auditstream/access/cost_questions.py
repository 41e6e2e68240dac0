"""Questions about money: what was spent, by whom and on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.costing.breakdown import Block, blocks_of
from auditstream.costing.breakdown_rows import rows_of
from auditstream.costing.spent import Booked
from auditstream.query.conversion import quoted
from auditstream.query.cost_dimensions import columns_of, dimensions_of
from auditstream.query.cost_rows import Asked, cost_rows
from auditstream.query.named_periods import Span
from auditstream.query.reader import Reader
from auditstream.reference.fact import UNATTRIBUTED
from auditstream.reference.known_rates import KnownRates


@dataclass(frozen=True, slots=True, kw_only=True)
class CostsWanted:
    """Which costs.

    Attributes:
        by: Dimensions, with commas.
        span: Range of event_time; the trend is against the one of the same length before.
        tenant: Only what is booked to this one.
        currency: What to convert to; empty for a block a currency, or of one tenant for its own.
        known_on: Leave out what was learnt later.
        limit: Lines of a block at most.
    """

    by: str
    span: Span
    tenant: str = ""
    currency: str = ""
    known_on: datetime | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Costs:
    """What was spent.

    Attributes:
        columns: Columns of the dimensions.
        blocks: A block a currency.
        notes: What could not be converted.
    """

    columns: Sequence[str]
    blocks: Sequence[Block]
    notes: Sequence[str]

    def rows(self) -> list[dict[str, Any]]:
        """Return all lines by column."""
        return list(rows_of(self.columns, self.blocks))


def costs(desk: Desk, who: Principal, wanted: CostsWanted, caller: Caller) -> Costs:
    """Return use and cost by dimensions, with each one's share and trend.

    Raises:
        RequestError: A dimension is unknown.
        NotAllowedError: As `Desk.ask`.
        RetryableError: No answer.
    """
    asked = Asked(
        by=dimensions_of(wanted.by), span=wanted.span, tenant=wanted.tenant or None, known_on=wanted.known_on
    )
    text = f"by {wanted.by}, {wanted.span.start.isoformat()}/{wanted.span.end.isoformat()}"
    question = Question("costs", text, asked.tables, wanted.tenant, caller=caller)
    reader = desk.ask(who, question, may="costs")
    now, before, notes = _spent(desk, reader, asked, wanted.currency)
    columns = columns_of(asked.by)
    blocks = blocks_of(now, before, nobody=UNATTRIBUTED, limit=wanted.limit, width=len(columns))
    return Costs(columns, blocks, notes)


def _spent(
    desk: Desk, reader: Reader, asked: Asked, code: str
) -> tuple[list[Booked], list[Booked], list[str]]:
    """Return what was booked in the period and in the one before, and what could not be converted."""
    spans = (asked.span, asked.span.before)
    if not code and asked.tenant is None:
        now, before = (cost_rows(reader, replace(asked, span=span)) for span in spans)
        return now, before, []
    rates = KnownRates(desk.facts())
    quote = code or rates.currency_of(asked.tenant or "", asked.span.end.date())
    days = replace(asked, by=(), daily=True)
    sides, notes = [], list[str]()
    for span, prefix in zip(spans, ("", "in the period before, "), strict=True):
        currency, told = quoted(reader, replace(days, span=span), rates, quote)
        sides.append(cost_rows(reader, replace(asked, span=span), currency))
        notes += [f"{prefix}{note}" for note in told]
    now, before = sides
    return now, before, notes
