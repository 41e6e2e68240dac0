"""Questions about findings, and what people do about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.emit.triage import Act, ActName, carry_out
from auditstream.query import findings
from auditstream.query.findings import Standing, Wanted
from auditstream.query.reader import Table
from schemas.records.detection import Finding

Publish = Callable[[list[Finding]], object]
"""Publishes and stores findings; returns when they are acknowledged."""


def found(desk: Desk, who: Principal, wanted: Wanted, caller: Caller, *, limit: int) -> Table:
    """Return findings as they stand; raises as `Desk.ask` and `findings.current`."""
    question = Question("findings", repr(wanted), (findings.READ_FROM,), wanted.tenant, caller=caller)
    return findings.current(desk.ask(who, question, may="findings"), wanted, limit=limit)


def standing(desk: Desk, who: Principal, id_: str, caller: Caller) -> Standing:
    """Return a finding by the first digits of its id; raises as `Desk.ask` and `findings.standing`."""
    question = Question("findings show", id_, (findings.READ_FROM,), caller=caller)
    return findings.standing(desk.ask(who, question, may="findings"), id_)


def act(
    desk: Desk,
    who: Principal,
    id_: str,
    name: ActName,
    caller: Caller,
    *,
    publish: Publish,
    assignee: str = "",
    comment: str = "",
) -> Finding:
    """Do something about a finding that the principal may see, and return the version that it made.

    Args:
        desk: Asks the record.
        who: Who acts.
        id_: First digits of the finding's id.
        name: What they do.
        caller: From where.
        publish: Publishes findings.
        assignee: Whom it is given to.
        comment: What they say.

    Raises:
        NotAllowedError: As `Desk.ask`.
        NotFoundError: No finding that they may see has the id.
        RequestError: The act lacks what it needs, or the finding is as it would be already.
        RetryableError: The event or the version is not known to be acknowledged.
    """
    question = Question(f"findings {name}", id_, (findings.READ_FROM,), caller=caller)
    known = findings.standing(desk.ask(who, question, may="triage"), id_)
    done = Act(name=name, actor=who.name, at=desk.now, assignee=assignee, comment=comment)

    def announce(events: list[dict[str, Any]]) -> None:
        desk.tell(events)

    return carry_out(known, done, announce=announce, publish=publish)
