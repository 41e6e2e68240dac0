"""Routes about findings: which there are, one with its versions, and what people do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from auditstream.access import finding_questions
from auditstream.api.descriptions import PROBLEMS, ROWS, document
from auditstream.api.forms import document_response, rows_response
from auditstream.api.parameters import TenantParameter, about, period_of
from auditstream.api.parts import AskerOf
from auditstream.detection.severities import Severity
from auditstream.emit.triage import LONGEST_ASSIGNEE, LONGEST_COMMENT, ActName
from auditstream.query.findings import COLUMNS, Standing, Wanted
from schemas.records.vocabulary import FindingStatus

router = APIRouter(tags=["findings"], responses=PROBLEMS)

StatusName = Literal["open", "all", "new", "in_progress", "suppressed", "resolved"]
SeverityName = Literal["informational", "low", "medium", "high", "critical", "fatal"]

_SEVERITY = COLUMNS.index("severity")
_COLUMNS = (*COLUMNS[:_SEVERITY], "severity", "severity_id", *COLUMNS[_SEVERITY + 1 :])
_OPEN = tuple(each for each in FindingStatus if each is not FindingStatus.RESOLVED)
_NO_ACT = ("act", "actor", "comment", "version")  # of one version; `versions` has them all


class ActBody(BaseModel):
    """What somebody does about a finding."""

    model_config = ConfigDict(extra="forbid")

    act: ActName
    assignee: str = Field("", max_length=LONGEST_ASSIGNEE, description="Whom it is given to; for `assign`.")
    comment: str = Field("", max_length=LONGEST_COMMENT)


@router.get("/findings", summary="Findings as they stand", responses=ROWS)
def list_findings(
    *,
    request: Request,
    ask: AskerOf,
    since: Annotated[str | None, Query(max_length=16, description="Only the last 15m, 2h, 7d.")] = None,
    start: Annotated[str | None, Query(alias="from", max_length=64, description="ISO 8601.")] = None,
    end: Annotated[str | None, Query(alias="to", max_length=64, description="ISO 8601.")] = None,
    tenant: TenantParameter = "",
    rule: Annotated[str, Query(max_length=256, description="Rule or detector, as spend.surge.")] = "",
    status: Annotated[StatusName, Query(description="`open` is all but resolved.")] = "open",
    severity: Annotated[SeverityName | None, Query(description="This and graver.")] = None,
    called: Annotated[bool, Query(description="Only those that somebody was called for.")] = False,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> Response:
    """Return findings, those that went on last first; what a person says of one holds until it is over."""
    wanted = Wanted(
        period=period_of(since, start, end, ask.desk.now),
        tenant=tenant,
        rule=rule,
        statuses=_statuses(status),
        least_severity=Severity[severity.upper()] if severity else 0,
        called=called,
    )
    found = finding_questions.found(ask.desk, ask.who, wanted, ask.caller, limit=limit)
    rows = (
        (*row[:_SEVERITY], Severity(row[_SEVERITY]).word, row[_SEVERITY], *row[_SEVERITY + 1 :])
        for row in found.rows
    )
    return rows_response(request, _COLUMNS, rows)


@router.get("/findings/{finding_id}", summary="One finding with its versions", responses=document())
def show_finding(finding_id: str, ask: AskerOf) -> Response:
    """Return what was seen, where it stands, and every version with who did what; by eight digits or more."""
    with about("finding_id"):
        found = finding_questions.standing(ask.desk, ask.who, finding_id, ask.caller)
    return document_response(_finding(found))


@router.post(
    "/findings/{finding_id}/acts",
    status_code=201,
    summary="Do something about a finding",
    responses=document("The version that the act made.", 201),
)
def act_on_finding(finding_id: str, body: ActBody, ask: AskerOf) -> Response:
    """Acknowledge, assign, comment or close a finding: an event tells of it, then another version says so."""
    made = finding_questions.act(
        ask.desk,
        ask.who,
        finding_id,
        body.act,
        ask.caller,
        publish=ask.parts.publish,
        assignee=body.assignee,
        comment=body.comment,
    )
    said = made.to_datum()
    return document_response({"data": said | {"status": str(made.status)}}, status=201)


def _statuses(name: StatusName) -> tuple[FindingStatus, ...]:
    if name == "all":
        return ()
    return _OPEN if name == "open" else (FindingStatus(name.upper()),)


def _finding(found: Standing) -> Mapping[str, Any]:
    newest = found.newest.to_datum()
    return {
        "data": {
            **{name: value for name, value in newest.items() if name not in _NO_ACT},
            "status": str(found.status),
            "severity_id": found.newest.severity,
            "severity": Severity(found.newest.severity).word,
            "assignee": found.assignee,
        },
        "versions": [
            {
                "version": each.finding.version,
                "recorded_at": each.recorded_at,
                "status": str(each.finding.status),
                "severity_id": each.finding.severity,
                "act": each.finding.act,
                "actor": each.finding.actor,
                "assignee": each.finding.assignee,
                "comment": each.finding.comment,
                "suppressed_by": each.finding.suppressed_by,
            }
            for each in found.versions
        ],
    }
