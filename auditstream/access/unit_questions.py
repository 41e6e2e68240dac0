"""Questions about what one of a thing costs."""

from __future__ import annotations

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.costing.units import UnitCosts
from auditstream.query import unit_costs
from auditstream.query.named_periods import Span
from auditstream.query.unit_costs import Unit

_ENDS = "events_current"  # how runs ended


def units(
    desk: Desk, who: Principal, caller: Caller, *, unit: Unit, span: Span, tenant: str = ""
) -> list[UnitCosts]:
    """Return the costs of units by group and currency; raises as `Desk.ask` and `unit_costs`.

    Args:
        desk: Asks the record.
        who: Who asks.
        caller: From where.
        unit: What is counted.
        span: Range of event_time.
        tenant: Only this one's.
    """
    text = f"units by {unit}, {span.start.isoformat()}/{span.end.isoformat()}"
    question = Question("units", text, (*unit_costs.READ_FROM, _ENDS), tenant, caller=caller)
    reader = desk.ask(who, question, may="costs")
    return unit_costs.unit_costs(reader, unit, span, tenant=tenant or None)
