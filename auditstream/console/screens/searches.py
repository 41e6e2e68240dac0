"""Saved searches: one's own, and those that others share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access.saved_searches import LONGEST_NAME, SavedSearch, kept_of
from auditstream.console.acts import Act, act_of, to
from auditstream.console.links import link_of
from auditstream.console.problems import Problem, problem_of
from auditstream.console.ranges import RangeError, range_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import RequestError


def searches(request: Request) -> Response:
    """Answer with the searches that somebody sees, and the form that saves one."""
    visit = visit_of(request)
    return _page(visit, request.query_params.multi_items())


async def save(request: Request) -> Response:
    """Save a search."""
    act = await act_of(request)
    return await run_in_threadpool(_save, act)


async def delete(request: Request) -> Response:
    """Delete a search of one's own."""
    act = await act_of(request)
    act.visit.who.require("searches")
    saved = act.visit.parts.reach.searches
    await run_in_threadpool(saved.delete, act.visit.who, request.path_params["id"])
    return to(link_of(act.visit.root, "/searches"))


def _save(act: Act) -> Response:
    visit = act.visit
    visit.who.require("searches")
    try:
        visit.parts.reach.searches.save(
            visit.who,
            act.text("name"),
            act.sent,
            is_shared=bool(act.text("shared")),
            now=visit.now,
        )
    except RequestError as error:
        return _page(visit, act.sent, problem_of(error))
    return to(link_of(visit.root, "/searches"))


def _page(visit: Visit, sent: Sequence[tuple[str, str]], problem: Problem | None = None) -> Response:
    visit.who.require("searches")
    fields, kept = dict(sent), kept_of(sent)
    return visit.page(
        "searches.html",
        status=problem.status if problem else 200,
        problem=problem,
        form={name: fields.get(name, "") for name in ("name", "q", "shared")},
        kept=kept,
        range_words=_words(dict(kept), visit),
        rows=[_row(each, visit) for each in visit.parts.reach.searches.visible(visit.who)],
        longest=LONGEST_NAME,
    )


def _row(saved: SavedSearch, visit: Visit) -> dict[str, Any]:
    parameters = dict(saved.parameters)
    return {
        "of": saved,
        "query": parameters.get("q", ""),
        "range": _words(parameters, visit),
        "link": link_of(visit.root, "/events", saved.parameters),
        "delete": link_of(visit.root, f"/searches/{saved.id}/delete")
        if saved.owner == visit.who.id
        else None,
    }


def _words(parameters: Mapping[str, str], visit: Visit) -> str:
    """Return the range of a search in words."""
    try:
        return range_of({name: parameters.get(name, "") for name in ("since", "from", "to")}, visit.now).label
    except RangeError as error:
        return error.message


ROUTES = (
    Route("/searches", searches, methods=["GET"]),
    Route("/searches", save, methods=["POST"]),
    Route("/searches/{id}/delete", delete, methods=["POST"]),
)
