"""Questions about money over time."""

from __future__ import annotations

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.query import cost_series
from auditstream.query.cost_dimensions import dimensions_of
from auditstream.query.cost_series import CostSeries
from auditstream.query.named_periods import Span


def series(
    desk: Desk, who: Principal, caller: Caller, *, by: str, span: Span, tenant: str = ""
) -> list[CostSeries]:
    """Return what was spent over time, of the keys that cost most; raises as `Desk.ask` and `cost_series`.

    Args:
        desk: Asks the record.
        who: Who asks.
        caller: From where.
        by: Name of one dimension.
        span: Range of event_time, of whole hours.
        tenant: Only what is booked to this one.
    """
    (dimension,) = dimensions_of(by)
    text = f"over time by {by}, {span.start.isoformat()}/{span.end.isoformat()}"
    question = Question("costs", text, (cost_series.READ_FROM,), tenant, caller=caller)
    reader = desk.ask(who, question, may="costs")
    return cost_series.cost_series(reader, dimension, span, tenant=tenant or None)
