"""Questions about what is paid around inference."""

from __future__ import annotations

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.core.errors import NotAllowedError
from auditstream.costing.own_cost import OwnPrices
from auditstream.query import cost_rows
from auditstream.query.named_periods import Span, months_of
from auditstream.query.wrapper_months import Basis, MonthOfCosts, month_of_costs
from auditstream.reference.fact import UNATTRIBUTED
from auditstream.reference.known_rates import KnownRates
from auditstream.reference.known_rules import KnownRules

_READ_FROM = (cost_rows.HOURLY, cost_rows.EVENTS, cost_rows.ADJUSTMENTS, "events_current")
_NO_PRICES = OwnPrices("USD", None, None, 1)  # what we take ourselves is not measured from here


def wrapper(desk: Desk, who: Principal, span: Span, caller: Caller) -> tuple[list[MonthOfCosts], list[str]]:
    """Return inference against everything else, month by month, and lines for what was not converted.

    Shared costs are spread by what every tenant uses. Who sees a few of them would be told wrong shares, and
    is told none.

    Args:
        desk: Asks the record.
        who: Who asks.
        span: Range of event_time.
        caller: From where.

    Raises:
        NotAllowedError: As `Desk.ask`, and for who does not see every tenant.
        RetryableError: No answer.
    """
    text = f"wrapper, {span.start.isoformat()}/{span.end.isoformat()}"
    reader = desk.ask(who, Question("wrapper", text, _READ_FROM, caller=caller), may="costs")
    if who.tenants is not None:
        raise NotAllowedError(
            "shared costs are spread by what every tenant uses, and you see some of them",
            hint="Somebody who sees all tenants can tell; `auditstream report statement` is a tenant's own.",
        )
    facts = desk.facts()
    basis = Basis(
        rates=KnownRates(facts), rules=KnownRules(facts, UNATTRIBUTED), prices=_NO_PRICES, measured=None
    )
    notes: list[str] = []
    months = [month_of_costs(reader, part, basis, notes.append) for part in months_of(span)]
    return months, list(dict.fromkeys(notes))
