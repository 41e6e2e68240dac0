"""The console as an application, which the process that serves it mounts where it likes.

A screen is added so:

1. a module in `screens/` with functions of a request and `ROUTES`. Each begins with
   `visit = visit_of(request)`, which knows who asks; asks through `auditstream.access` (with `visit.desk`,
   `visit.who`, `visit.caller`) and in no other way; and answers with `visit.page("NAME.html", ...)`, or with
   `visit.part(...)` for what htmx puts into a page;
2. a template that extends `frame.html` and takes its parts from `parts.html`: `part.panel_body(url)` is a
   panel that loads and fails by itself, `part.state(...)` an empty state, `part.range_picker(period, page)`
   the range;
3. its module in `_SCREENS`, an entry in `navigation.py`, its letter in `static/keyboard.js` and `keys.html`.

What a page is about is in its address and nowhere else: `links.Link` makes addresses, `ranges.range_of`
reads the range of time. Errors are raised: whoever asks gets them as a page, or in the place of the part that
failed. Every number stands beside its range, its zone and when it was read. Styles are classes (`parts.css`):
the policy of `guards.py` knows no `style=` and no script in a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from auditstream.access.known_tokens import NotSignedInError
from auditstream.console.assets import Assets, version
from auditstream.console.guards import Guards
from auditstream.console.links import link_of
from auditstream.console.problems import BROKEN, Problem, problem_of
from auditstream.console.screens import (
    accesses,
    budgets,
    door,
    event,
    events,
    exports,
    facets,
    findings,
    health,
    integrity,
    inventory,
    live,
    palette,
    prompts,
    runs,
    searches,
    slos,
    statements,
    usage,
    usage_units,
)
from auditstream.console.visits import Parts, Visit, is_part, outside, path_of, root_of, visit_of
from auditstream.core.errors import AuditStreamError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.problem_details import retry_after

log = get_logger(__name__)

_SCREENS = (
    events,
    facets,
    event,
    runs,
    live,
    usage,
    usage_units,
    budgets,
    slos,
    findings,
    inventory,
    prompts,
    integrity,
    statements,
    health,
    accesses,
    exports,
    searches,
    palette,
    door,
)


_HTTP: Mapping[int, tuple[str, str, str]] = {
    404: ("Not found", "There is no such page.", "Choose a screen, or look for it by Go to."),
    405: ("Not done", "This page does not take that kind of request.", "Open it, and send its form."),
}
_UNREADABLE = (
    "Not read",
    "What was sent is no form of this page.",
    "Open the page again, and send its form.",
)


def create_console(parts: Parts) -> Starlette:
    """Return the console.

    Args:
        parts: What it stands on.
    """
    routes = [route for screen in _SCREENS for route in screen.ROUTES]
    made = Starlette(
        routes=[Route("/", _home), Mount(f"/static/{version()}", Assets()), *routes],
        middleware=[Middleware(Guards)],
        exception_handlers={
            NotSignedInError: _to_the_door,
            AuditStreamError: _told,
            HTTPException: _not_there,
            Exception: _broken,
        },
    )
    made.state.parts = parts
    return made


def _home(request: Request) -> Response:
    return RedirectResponse(f"{root_of(request)}/events")


def _to_the_door(request: Request, error: Exception) -> Response:
    """Ask who has not signed in to do so; they come back to where they were."""
    link = link_of(root_of(request), path_of(request), request.query_params.multi_items())
    if is_part(request):
        door_link = link_of(root_of(request), "/sign-in", {"next": _page_of_part(request)})
        return Response(status_code=401, headers={"hx-redirect": str(door_link)})
    back = str(link) if request.method == "GET" and not link.path.startswith("/parts/") else ""
    return RedirectResponse(str(link_of(root_of(request), "/sign-in", {"next": back})), status_code=303)


def _page_of_part(request: Request) -> str:
    """Return which page a part is for, as htmx says; the door goes to none but ours."""
    try:
        page = urlsplit(request.headers.get("hx-current-url", ""))
    except ValueError:
        return ""
    return f"{page.path}?{page.query}" if page.query else page.path


def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, AuditStreamError)
    problem = problem_of(error)
    if problem.status >= 500:
        log.warning("console_request_failed", path=path_of(request), code=error.code, reason=error.message)
    return _when_again(_answered(request, problem), error)


def _when_again(answer: Response, error: AuditStreamError) -> Response:
    """Say when who asks may ask again, where the error knows."""
    if isinstance(error, RetryableError) and error.retry_after_s:
        answer.headers["retry-after"] = retry_after(error.retry_after_s)
    return answer


def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if path_of(request).startswith("/static/"):  # no page: nobody reads it
        return Response(status_code=error.status_code)
    title, message, hint = _HTTP.get(error.status_code, _UNREADABLE)
    return _answered(request, Problem(error.status_code, title, message, hint, "search"))


def _broken(request: Request, error: Exception) -> Response:
    log.error("console_request_broken", path=path_of(request), exc_info=error)
    return _answered(request, BROKEN)


def _answered(request: Request, problem: Problem) -> Response:
    """Return a problem in the place of a part, as a page of the console, or as one for who is not in."""
    try:
        visit: Visit = getattr(request.state, "visit", None) or visit_of(request)
    except NotSignedInError as error:
        return _to_the_door(request, error)
    except AuditStreamError as error:  # who asks too often is not let in at all
        barred = problem_of(error)
        answer = outside(request, "problem_outside.html", barred.status, problem=barred)
        return _when_again(answer, error)
    template = "problem_fragment.html" if is_part(request) else "problem.html"
    return visit.page(template, status=problem.status, problem=problem)
