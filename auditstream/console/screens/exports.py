"""Exports: asked for here, written meanwhile, and fetched as files with their manifest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from auditstream.access import export_questions
from auditstream.access.export_jobs import KEPT, ExportJobs, ExportWanted, Job
from auditstream.console import filters
from auditstream.console.acts import Act, act_of, to
from auditstream.console.filters import Fault
from auditstream.console.links import link_of
from auditstream.console.problems import Problem, problem_of
from auditstream.console.ranges import PRESETS, Range, range_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import NotAllowedError, NotFoundError, RequestError
from auditstream.query.grammar import QueryError, parse
from auditstream.query.periods import Period, moment

FORMS: Mapping[str, str] = {
    "parquet": "Parquet, a column a field",
    "csv": "CSV, a column a field",
    "jsonl": "JSON, an object a line",
    "ocsf": "OCSF, for a SIEM",
    "cloudevents": "CloudEvents, to send on",
}
"""Forms of an export, by name, in words."""

_FIELDS = ("q", "since", "from", "to", "form", "tenant", "purpose")
_FOLLOWED = "followed"  # of the list that follows exports under way
_LONGEST_PURPOSE = 200  # as the API takes it


def exports(request: Request) -> Response:
    """Answer with the form, one's own exports, and the record of all."""
    visit = visit_of(request)
    return _page(visit, dict(request.query_params))


def own(request: Request) -> Response:
    """Answer with one's own exports, as they stand."""
    visit = visit_of(request)
    return visit.part("exports_own.html", **_own(visit, was_under_way=bool(visit.parameter(_FOLLOWED))))


def record(request: Request) -> Response:
    """Answer with the record of exports, by whatever way they left."""
    visit = visit_of(request)
    found = export_questions.told_of(visit.desk, visit.who, visit.caller)
    return visit.part("exports_record.html", rows=found, sees_all=visit.who.sees_all)


def download(request: Request) -> Response:
    """Answer with a file of an export."""
    visit = visit_of(request)
    id_, name = request.path_params["id"], request.path_params["name"]
    path = _jobs(visit).file(visit.who, id_, name, visit.caller)
    # Whatever it is, no browser shows it: it is somebody's data, and no page of ours.
    return FileResponse(path, filename=name, media_type="application/octet-stream")


async def begin(request: Request) -> Response:
    """Begin an export."""
    act = await act_of(request)
    return await run_in_threadpool(_begin, act)


def _begin(act: Act) -> Response:
    visit, text = act.visit, act.text("q")
    try:
        _jobs(visit).create(visit.who, _wanted(act), visit.caller)
    except NotAllowedError:
        raise
    except QueryError as error:
        fault = filters.fault(text, error.position, error.message, error.hint)
        return _page(visit, act.form, fault=fault)
    except RequestError as error:
        return _page(visit, act.form, problem=problem_of(error))
    return to(link_of(visit.root, "/exports"))


def _wanted(act: Act) -> ExportWanted:
    purpose, text, now = act.text("purpose"), act.text("q"), act.visit.now
    if len(purpose) > _LONGEST_PURPOSE:
        raise RequestError(f"purpose: is longer than {_LONGEST_PURPOSE} characters")
    period = _range(act.form, act.visit).period
    return ExportWanted(
        form=act.text("form"),
        text=text,
        terms=parse(text),
        period=Period(period.start, period.end or now),
        tenant=act.text("tenant"),
        purpose=purpose,
    )


def _page(
    visit: Visit, fields: Mapping[str, str], *, fault: Fault | None = None, problem: Problem | None = None
) -> Response:
    visit.who.require("exports")
    tenants = visit.who.tenants
    try:
        period = _range(fields, visit)
    except RequestError as error:
        problem, period = problem or problem_of(error), range_of({}, visit.now)
    own, own_problem = None, None
    try:
        own = _own(visit)
    except NotFoundError as error:
        own_problem = problem_of(error)
    return visit.page(
        "exports.html",
        status=400 if fault or problem else 200,
        fault=fault,
        problem=problem,
        form={name: fields.get(name, "") for name in _FIELDS},
        period=period,
        presets=PRESETS,
        forms=FORMS,
        tenants=sorted(tenants or ()),
        most=visit.who.limits.export_rows,
        longest_purpose=_LONGEST_PURPOSE,
        own=own,
        own_problem=own_problem,
        record_url=link_of(visit.root, "/parts/exports/record"),
    )


def _range(fields: Mapping[str, str], visit: Visit) -> Range:
    """Return the range of a form, where two moments go before a preset."""
    bounds = {name: fields.get(name, "") for name in ("since", "from", "to")}
    if bounds["from"] or bounds["to"]:
        bounds["since"] = ""
    return range_of(bounds, visit.now)


def _own(visit: Visit, *, was_under_way: bool = False) -> dict[str, Any]:
    """Return what the list of one's own exports shows.

    Args:
        visit: Who looks.
        was_under_way: Whether the list that this one replaces said that some are: it asks again by itself
            until none is, and says so then.

    Raises:
        NotFoundError: This process writes no exports.
    """
    found = _jobs(visit).list(visit.who)
    is_under_way = any(not each.is_over for each in found)
    return {
        "jobs": [_job(each, visit) for each in found],
        "is_under_way": is_under_way,
        "has_ended": was_under_way and not is_under_way,
        "url": link_of(visit.root, "/parts/exports/own", {_FOLLOWED: "yes"}),
        "record_url": link_of(visit.root, "/parts/exports/record"),
        "forms": FORMS,
        "kept": KEPT.days,
    }


def _jobs(visit: Visit) -> ExportJobs:
    visit.who.require("exports")
    if visit.parts.reach.exports is None:
        raise NotFoundError("this process writes no exports", hint="Use `auditstream export`.")
    return visit.parts.reach.exports


def _job(job: Job, visit: Visit) -> dict[str, Any]:
    begun = moment(job.requested_at)
    took = (moment(job.finished_at) if job.finished_at else visit.now) - begun
    return {
        "of": job,
        "begun": begun,
        "took": max(took, timedelta()),
        "is_own": job.owner == visit.who.id,
        "files": [
            {"name": name, "link": link_of(visit.root, f"/exports/{job.export_id}/{name}")}
            for name in job.files
        ],
    }


ROUTES = (
    Route("/exports", exports, methods=["GET"]),
    Route("/exports", begin, methods=["POST"]),
    Route("/parts/exports/own", own),
    Route("/parts/exports/record", record),
    Route("/exports/{id}/{name}", download, methods=["GET"]),
)
