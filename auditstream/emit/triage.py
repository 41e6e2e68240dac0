"""Triage: what people do about a finding is an event, and another version of the finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from auditstream.core.errors import RequestError
from auditstream.core.finding_ids import UPDATES_APART
from auditstream.emit.announcements import Said
from auditstream.emit.finding_events import finding_event
from auditstream.query.findings import Standing
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

ActName = Literal["acknowledge", "assign", "comment", "close"]

TRIAGE = "triage"
"""`suppressed_by` of a version that a person made: nobody is called to be told of it."""

LONGEST_COMMENT = 2_000
"""Characters of a comment: a page of text; more belongs into a ticket."""

LONGEST_ASSIGNEE = 256
"""Characters of whom a finding is given to: a name or an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody does.

    Attributes:
        name: `acknowledge` (somebody looks at it), `assign`, `comment`, `close`.
        actor: Who does it.
        at: When (UTC).
        assignee: Whom it is given to; for `assign`.
        comment: What they say.
    """

    name: ActName
    actor: str
    at: datetime
    assignee: str = ""
    comment: str = ""


def acted(standing: Standing, act: Act) -> Finding:
    """Return the version of a finding that an act makes.

    Raises:
        RequestError: The act lacks what it needs, or the finding is as it would be already.
    """
    _require(standing, act)
    newest = standing.newest
    version = newest.version + 1
    if version % UPDATES_APART == 0:
        raise RequestError(
            f"finding {newest.finding_id[:16]}: {UPDATES_APART - 1} acts since the detector's last version",
            hint="Comment in your ticket system instead.",
        )
    ends = act.name == "close"
    return replace(
        newest,
        version=version,
        status=_status(standing, act),
        # Who was called is told that it is over, as by the detector; of the rest nobody is told.
        suppressed_by=None if ends and _was_called(standing) else TRIAGE,
        act=act.name,
        actor=act.actor,
        assignee=act.assignee,
        comment=act.comment,
    )


def triage_event(finding: Finding, act: Act) -> dict[str, Any]:
    """Return the event of an act, `finding` being the version that it makes."""
    said = Said(by="triage", actor=act.actor, at=act.at, tenant_id=finding.tenant_id)
    return finding_event(finding, act.name, said, assignee=act.assignee, comment=act.comment)


def carry_out(
    standing: Standing,
    act: Act,
    *,
    announce: Callable[[list[dict[str, Any]]], object],
    publish: Callable[[list[Finding]], object],
) -> Finding:
    """Do an act and return the version that it made: the event first, then the version.

    Args:
        standing: The finding.
        act: The act.
        announce: Sends events, and returns when they are acknowledged.
        publish: Publishes and stores findings likewise.

    Raises:
        RequestError: As `acted`.
        RetryableError: The event or the version is not known to be acknowledged.
    """
    made = acted(standing, act)
    announce([triage_event(made, act)])
    publish([made])
    return made


def _require(standing: Standing, act: Act) -> None:
    if len(act.comment) > LONGEST_COMMENT:
        raise RequestError(f"comment: longer than {LONGEST_COMMENT} characters")
    if len(act.assignee) > LONGEST_ASSIGNEE:
        raise RequestError(f"assignee: longer than {LONGEST_ASSIGNEE} characters")
    if act.name == "assign" and not act.assignee:
        raise RequestError("assignee: must not be empty")
    if act.name == "comment" and not act.comment:
        raise RequestError("comment: must not be empty")
    is_over = standing.status is FindingStatus.RESOLVED
    if is_over and act.name in {"acknowledge", "assign", "close"}:
        raise RequestError(
            f"finding {standing.newest.finding_id[:16]} is over already",
            hint="`auditstream findings show` tells how it ended; a comment can still be made.",
        )


def _status(standing: Standing, act: Act) -> FindingStatus:
    match act.name:
        case "close":
            return FindingStatus.RESOLVED
        case "acknowledge" | "assign":
            return FindingStatus.IN_PROGRESS
        case "comment":
            return standing.status


def _was_called(standing: Standing) -> bool:
    return any(each.finding.suppressed_by is None for each in standing.versions)
