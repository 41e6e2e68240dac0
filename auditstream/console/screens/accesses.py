"""The access log: who asked the record what, when, and what left with it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import use_questions
from auditstream.access.use_questions import Uses
from auditstream.console.links import link_of
from auditstream.console.problems import problem_of
from auditstream.console.ranges import range_of
from auditstream.console.visits import visit_of
from auditstream.core.errors import AuditStreamError, NotAllowedError
from auditstream.query.access_log import Wanted
from auditstream.query.cursors import read_cursor

_STATE = ("reader", "command", "blocked", "since", "from", "to")
_USUAL = "7d"
_ROWS = 50


def accesses(request: Request) -> Response:
    """Answer with a page of the access log."""
    visit = visit_of(request)
    page = visit.link.at("/accesses", *_STATE)
    period = range_of({}, visit.now, usual=_USUAL)
    found: Uses | None = None
    problem = None
    after = visit.parameter("after")
    try:
        period = range_of(request.query_params, visit.now, usual=_USUAL)
        wanted = Wanted(
            period=period.period,
            reader=visit.parameter("reader"),
            command=visit.parameter("command"),
            blocked=bool(visit.parameter("blocked")),
            after=read_cursor(after) if after else None,
            limit=_ROWS,
        )
        found = use_questions.uses(visit.desk, visit.who, wanted, visit.caller)
    except NotAllowedError:
        raise
    except AuditStreamError as error:
        problem = problem_of(error)
    return visit.page(
        "accesses.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        period=period,
        found=found,
        rows=[
            {"of": each, "link": link_of(visit.root, f"/events/{each.event_id}")}
            for each in (found.found if found else ())
        ],
        most=max((each.questions for each in found.readers), default=0) if found else 0,
        filters=[(name, visit.parameter(name)) for name in ("reader", "command") if visit.parameter(name)],
        blocked=bool(visit.parameter("blocked")),
        after=after,
        # What is older is found from the same end of the range: a relative one would move meanwhile.
        older=page.with_(after=found.after.text()) if found and found.after else None,
        sees_all=visit.who.sees_all,
    )


ROUTES = (Route("/accesses", accesses),)
