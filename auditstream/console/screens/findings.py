"""Findings: what detectors and rules found, the evidence, and what people do about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from auditstream.access import finding_questions
from auditstream.console import filters
from auditstream.console.formats import utc
from auditstream.console.links import Link, link_of
from auditstream.console.problems import problem_of
from auditstream.console.ranges import Range, iso, range_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, RequestError
from auditstream.detection.severities import Severity
from auditstream.emit.triage import LONGEST_ASSIGNEE, LONGEST_COMMENT, ActName
from auditstream.query.fields import FIELDS
from auditstream.query.findings import Standing, Wanted
from auditstream.query.reader import Table
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

_STATE = ("status", "severity", "rule", "tenant", "called", "since", "from", "to")
_USUAL_RANGE = "7d"
_ROWS = 200
_AROUND = timedelta(minutes=30)  # what came before and after says what is usual
_MOST_CONTRIBUTORS = 10

_TONES: Mapping[int, str] = {2: "info", 3: "warn", 4: "bad", 5: "bad", 6: "bad"}
_STATUSES: Mapping[str, tuple[str, tuple[FindingStatus, ...]]] = {
    "open": ("Open", tuple(each for each in FindingStatus if each is not FindingStatus.RESOLVED)),
    "new": ("New", (FindingStatus.NEW,)),
    "in_progress": ("In progress", (FindingStatus.IN_PROGRESS,)),
    "suppressed": ("Suppressed", (FindingStatus.SUPPRESSED,)),
    "resolved": ("Resolved", (FindingStatus.RESOLVED,)),
    "all": ("All", ()),
}
_DONE: Mapping[str, str] = {
    "acknowledge": "acknowledged it",
    "assign": "assigned it",
    "comment": "commented",
    "close": "closed it",
}


def findings(request: Request) -> Response:
    """Answer with the findings of a range as they stand."""
    visit = visit_of(request)
    page = visit.link.at("/findings", *_STATE)
    status = visit.parameter("status") or "open"
    found, problem = None, None
    period = range_of({}, visit.now, usual=_USUAL_RANGE)
    try:
        period = range_of(request.query_params, visit.now, usual=_USUAL_RANGE)
        wanted = _wanted(visit, status, period)
        found = finding_questions.found(visit.desk, visit.who, wanted, visit.caller, limit=_ROWS)
    except AuditStreamError as error:
        problem = problem_of(error)
    return visit.page(
        "findings.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        period=period,
        statuses=[
            {"label": label, "link": page.with_(status=name), "is_chosen": name == status}
            for name, (label, _) in _STATUSES.items()
        ],
        severities=[
            {"label": each.word, "link": page.with_(severity=each.name.lower()),
             "is_chosen": visit.parameter("severity") == each.name.lower()}
            for each in (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
        ],
        severity=visit.parameter("severity"),
        rule=visit.parameter("rule"),
        called=visit.parameter("called"),
        rows=[_row(each, visit, page) for each in _gravest_first(found)] if found is not None else None,
        is_full=found is not None and len(found.rows) == _ROWS,
    )  # fmt: skip


def finding(request: Request) -> Response:
    """Answer with one finding: what was seen, the evidence, and its versions."""
    visit = visit_of(request)
    return _shown(visit, _standing(visit))


async def act(request: Request) -> Response:
    """Do what a form says about a finding, and show it again."""
    visit = await run_in_threadpool(visit_of, request)
    form = await request.form()
    said = {name: str(form.get(name, "")) for name in ("act", "assignee", "comment", "form_token")}
    return await run_in_threadpool(_acted, visit, said)


def _acted(visit: Visit, said: Mapping[str, str]) -> Response:
    visit.require_own_form(said["form_token"])
    id_: str = visit.request.path_params["id"]
    try:
        finding_questions.act(
            visit.desk,
            visit.who,
            id_,
            _act_name(said["act"]),
            visit.caller,
            publish=visit.parts.publish,
            assignee=said["assignee"].strip(),
            comment=said["comment"].strip(),
        )
    except RequestError as error:
        if type(error) is not RequestError:  # not there, or not allowed: nothing to mend in the form
            raise
        return _shown(visit, _standing(visit), said=said, problem=problem_of(error))
    return RedirectResponse(str(link_of(visit.root, f"/findings/{id_}")), status_code=303)


def _act_name(text: str) -> ActName:
    found: ActName | None = next((each for each in get_args(ActName) if each == text), None)
    if found is None:
        raise RequestError(f"act: {text!r} is none of {', '.join(get_args(ActName))}")
    return found


def _wanted(visit: Visit, status: str, period: Range) -> Wanted:
    if status not in _STATUSES:
        raise RequestError(f"status: {status!r} is none of {', '.join(_STATUSES)}")
    severity = visit.parameter("severity").upper()
    if severity and severity not in Severity.__members__:
        raise RequestError(f"severity: {severity.lower()!r} is none of low, medium, high, critical")
    return Wanted(
        period=period.period,
        tenant=visit.parameter("tenant"),
        rule=visit.parameter("rule"),
        statuses=_STATUSES[status][1],
        least_severity=Severity[severity] if severity else 0,
        called=bool(visit.parameter("called")),
    )


def _gravest_first(found: Table) -> list[dict[str, Any]]:
    """Return findings by severity; of one, those that went on last first, as they came."""
    return sorted(found.records(), key=lambda record: -int(record["severity"]))


def _row(record: Mapping[str, Any], visit: Visit, page: Link) -> dict[str, Any]:
    severity = Severity(record["severity"])
    return {
        **record,
        "severity": severity.word,
        "tone": _TONES.get(int(severity), ""),
        "status": str(record["status"]).lower().replace("_", " "),
        "link": link_of(visit.root, f"/findings/{record['finding_id']}"),
        "rule_link": page.with_(rule=record["rule_id"]),
        "lasted": utc(record["until"]) - utc(record["since"]),
    }


def _standing(visit: Visit) -> Standing:
    return finding_questions.standing(visit.desk, visit.who, visit.request.path_params["id"], visit.caller)


def _shown(visit: Visit, standing: Standing, **said: Any) -> Response:
    newest = standing.newest
    problem = said.get("problem")
    return visit.page(
        "finding.html",
        status=problem.status if problem else 200,
        finding=newest,
        severity=Severity(newest.severity).word,
        tone=_TONES.get(newest.severity, ""),
        state=str(standing.status).lower().replace("_", " "),
        is_over=standing.status is FindingStatus.RESOLVED,
        assignee=standing.assignee,
        versions=[_version(each.finding, each.recorded_at) for each in reversed(standing.versions)],
        contributors=_contributors(newest),
        events_link=_events(visit, newest),
        related=[
            {"id": each, "link": link_of(visit.root, f"/events/{each}")} for each in newest.related_events
        ],
        lasted=newest.window_end - newest.window_start,
        rule_link=link_of(visit.root, "/findings", {"rule": newest.rule_id, "status": "all", "since": "90d"}),
        may_act=visit.who.may("triage"),
        said=said.get("said") or {},
        problem=problem,
        longest=LONGEST_COMMENT,
        longest_assignee=LONGEST_ASSIGNEE,
    )


def _version(found: Finding, recorded_at: Any) -> dict[str, Any]:
    return {
        "number": found.version,
        "recorded_at": recorded_at,
        "status": str(found.status).lower().replace("_", " "),
        "severity": Severity(found.severity).word.lower(),
        "actor": found.actor,
        "did": _DONE.get(found.act, found.act),
        "assignee": found.assignee,
        "comment": found.comment,
        "quiet": found.suppressed_by or "",
    }


def _contributors(found: Finding) -> list[dict[str, Any]]:
    ordered = sorted(found.contributors.items(), key=lambda pair: -abs(pair[1]))[:_MOST_CONTRIBUTORS]
    most = max((abs(value) for _, value in ordered), default=0.0)
    return [{"name": name, "value": value, "share": abs(value), "most": most} for name, value in ordered]


def _events(visit: Visit, found: Finding) -> Link:
    """Return the events of a finding's scope, around the time that it went on."""
    terms = [filters.term("tenant", found.tenant_id)] if found.tenant_id else []
    for part in found.scope.split("/"):
        name, equals, value = part.partition("=")
        if equals and name in FIELDS and value and filters.term(name, value) not in terms:
            terms.append(filters.term(name, value))
    bounds = {"from": iso(found.window_start - _AROUND), "to": iso(found.window_end + _AROUND)}
    return link_of(visit.root, "/events", {"q": " ".join(terms), **bounds})


ROUTES = (
    Route("/findings", findings),
    Route("/findings/{id}", finding, methods=["GET"]),
    Route("/findings/{id}", act, methods=["POST"]),
)
