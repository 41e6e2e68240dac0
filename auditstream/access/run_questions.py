"""Questions about agent runs."""

from __future__ import annotations

from collections.abc import Sequence

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.query import runs
from auditstream.query.grammar import Term
from auditstream.query.periods import Period
from auditstream.query.runs import Run


def found(
    desk: Desk,
    who: Principal,
    caller: Caller,
    *,
    text: str,
    terms: Sequence[Term],
    period: Period,
    limit: int,
) -> list[Run]:
    """Return the newest runs with an event that a search finds; raises as `Desk.ask` and `runs.runs`.

    Args:
        desk: Asks the record.
        who: Who asks.
        caller: From where.
        text: The search as it was written.
        terms: The same, read.
        period: When the event must have been.
        limit: Runs at most.
    """
    reader = desk.ask(who, Question("runs", text, (runs.READ_FROM,), caller=caller), may="events")
    return runs.runs(reader, terms, period, limit=limit)
