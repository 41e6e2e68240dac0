"""Questions about objectives: how they stand, and what is left of their error budgets."""

from __future__ import annotations

from datetime import datetime

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.emit.slo_memory import SloMemory
from auditstream.notify.slo_standing import SloStanding
from auditstream.query.slo_counts import SloCounts
from auditstream.query.slo_rows import READ_FROM
from auditstream.reference.known_objectives import objectives_at


def objectives(
    desk: Desk,
    who: Principal,
    caller: Caller,
    *,
    tenant: str = "",
    slo_id: str = "",
    at: datetime | None = None,
) -> list[SloStanding]:
    """Return how objectives stand; of those for all tenants only to whom may see all.

    Args:
        desk: Asks the record.
        who: Who asks.
        caller: From where.
        tenant: Only this one's.
        slo_id: Only this one.
        at: As it stood then; None for now.

    Raises:
        NotAllowedError: As `Desk.ask`.
        RetryableError: No answer.
    """
    now = at or desk.now
    question = Question(
        "slos", f"slo {slo_id or 'every'} at {now.isoformat()}", READ_FROM, tenant, caller=caller
    )
    reader = desk.ask(who, question, may="slos")
    scope = who.scope.narrowed(tenant)
    counts = SloCounts(reader)
    return [
        SloMemory(each, counts).standing(now)
        for each in objectives_at(desk.facts(), now)
        if each.active
        and slo_id in {"", each.slo_id}
        and (scope.tenants is None or each.tenant_id in scope.tenants)
    ]
