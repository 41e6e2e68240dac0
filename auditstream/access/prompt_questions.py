"""Questions about prompts: how their versions do, and the variants of experiments."""

from __future__ import annotations

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.query.named_periods import Span
from auditstream.query.prompts import READ_FROM, PromptUse, prompt_uses


def uses(desk: Desk, who: Principal, span: Span, caller: Caller, *, tenant: str = "") -> list[PromptUse]:
    """Return how prompts did in a range, by tenant, prompt, version and variant; raises as `Desk.ask`.

    Args:
        desk: Asks the record.
        who: Who asks.
        span: Range of event_time.
        caller: From where.
        tenant: Only this one's.
    """
    text = f"{span.start.isoformat()}/{span.end.isoformat()}"
    reader = desk.ask(who, Question("prompts", text, READ_FROM, tenant, caller=caller), may="prompts")
    return prompt_uses(reader, span, tenant=tenant or None)
