"""Agent runs: the list, and one run as a tree with a waterfall of tokens and money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import event_questions, run_questions
from auditstream.console import filters, waterfall
from auditstream.console.links import Link, link_of
from auditstream.console.problems import problem_of
from auditstream.console.ranges import Range, iso
from auditstream.console.screens.event import panel
from auditstream.console.screens.events import asked
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError
from auditstream.query.grammar import QueryError
from auditstream.query.runs import Run
from auditstream.query.traces import Trace

_ROWS = 50
_STATE = ("q", "since", "from", "to")
_WRONG = frozenset({"FAILURE", "BLOCKED"})


def runs(request: Request) -> Response:
    """Answer with the newest runs that a search finds."""
    visit = visit_of(request)
    wanted = asked(visit)
    found: list[Run] | None = None
    problem, fault = wanted.problem, wanted.fault
    if fault is None and problem is None:
        try:
            found = run_questions.found(
                visit.desk,
                visit.who,
                visit.caller,
                text=wanted.query,
                terms=wanted.terms,
                period=wanted.range.period,
                limit=_ROWS,
            )
        except QueryError as error:
            fault = filters.fault(wanted.query, error.position, error.message, error.hint)
        except AuditStreamError as error:
            problem = problem_of(error)
    page = visit.link.at(visit.path, *_STATE)
    return visit.page(
        "runs.html",
        query=wanted.query,
        period=wanted.range,
        page=page,
        fault=fault,
        problem=problem,
        runs=None if found is None else [_row(each, visit) for each in found],
        older=_older(found, wanted.range, page),
        status=problem.status if problem else 400 if fault else 200,
    )


def _older(found: Sequence[Run] | None, of: Range, page: Link) -> Link | None:
    """Return where the runs are that began before those of a page; None where there are none.

    What began before the last of these has an event before it, and what is shown has none.
    """
    if found is None or len(found) < _ROWS:
        return None
    bounds = {"from": iso(of.period.start) if of.period.start else None, "to": iso(found[-1].start)}
    return page.with_(**{"since": None, **bounds})


def run(request: Request) -> Response:
    """Answer with one run."""
    visit = visit_of(request)
    trace_id = request.path_params["id"]
    trace = event_questions.trace(visit.desk, visit.who, trace_id, visit.caller)
    peek_id = visit.parameter("peek")
    return visit.page(
        "run.html",
        trace=trace,
        title=_title(trace),
        page=link_of(visit.root, visit.path),
        steps=_lines(trace, visit),
        axis=waterfall.axis(trace),
        failed=sum(step.event["outcome"] in _WRONG for _, step in trace.walk()),
        tenants=_tenants(trace),
        costs=sorted(trace.costs.items()),
        events_link=_events(visit, trace),
        peek_id=peek_id,
        # The panel's text is a template's own, which has escaped what it printed.
        peek=Markup(panel(visit, peek_id, visit.path)) if peek_id else None,  # noqa: S704
    )


def _lines(trace: Trace, visit: Visit) -> list[waterfall.Line]:
    state = link_of(visit.root, "/parts/event", {"of": visit.path})
    return waterfall.lines(
        trace,
        lambda id_: str(link_of(visit.root, f"/events/{id_}")),
        lambda id_: str(state.with_(id=id_)),
    )


def _events(visit: Visit, trace: Trace) -> Link:
    return link_of(visit.root, "/events", {"q": filters.term("trace", trace.trace_id), "since": "all"})


def _tenants(trace: Trace) -> list[str]:
    return sorted({str(step.event.get("tenant_id") or "") for _, step in trace.walk()} - {""})


def _title(trace: Trace) -> str:
    agents = dict.fromkeys(step.event["agent_id"] for _, step in trace.walk() if step.event["agent_id"])
    return f"Run of {', '.join(list(agents)[:3])}" if agents else "Run"


def _row(found: Run, visit: Visit) -> dict[str, Any]:
    currency, cost = next(iter(sorted(found.costs.items())), ("", None))
    return {
        "link": link_of(visit.root, f"/runs/{found.trace_id}"),
        "start": found.start,
        "agents": ", ".join(found.agents),
        "tenant": ", ".join(filter(None, found.tenants)),
        "events": found.events,
        "failed": found.failed,
        "took": found.end - found.start,
        "tokens": found.tokens,
        "cost": cost,
        "currency": currency,
        "trace_id": found.trace_id,
    }


ROUTES = (Route("/runs", runs), Route("/runs/{id}", run))
