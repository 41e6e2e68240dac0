"""The door: signing in by a token, signing out, and the colours that a reader wants."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.sessions import COOKIE, LASTS
from auditstream.console.problems import Problem, problem_of
from auditstream.console.visits import THEME_COOKIE, THEMES, Parts, caller_of, outside, root_of
from auditstream.core.errors import AuditStreamError

_A_YEAR_S = 365 * 24 * 3600
_REFUSED = Problem(
    401,
    "Not signed in",
    "This token does not count: it is not known, was revoked, or has expired.",
    "An administrator can make another one.",
    "lock",
)
_REFUSALS: Mapping[str, Problem] = {
    "unproven": Problem(
        401,
        "Not signed in",
        "The sign-in did not hold: it took too long, began in another browser, or was refused there.",
        "Begin it again.",
        "lock",
    ),
    "not_allowed": Problem(
        403,
        "Not allowed",
        "You are known, and nothing is given to you here.",
        "An administrator can add you to the grants.",
        "lock",
    ),
    "away": Problem(
        503,
        "No answer right now",
        "The identity provider does not answer, or the record of sign-ins does not.",
        "Try again in a minute.",
        "triangle-alert",
    ),
}
"""Why a sign-in by the identity provider came to nothing, by what the way back from it says."""

_LONGEST_SECRET = 512  # characters; ours have some sixty


def sign_in(request: Request) -> Response:
    """Answer with the door; it tells who comes back from the identity provider why they are not in."""
    why = _REFUSALS.get(request.query_params.get("refused", ""))
    return _door(request, request.query_params.get("next", ""), why, status=why.status if why else 200)


async def signed_in(request: Request) -> Response:
    """Begin a session for whoever shows a token that counts, and go where they wanted to."""
    parts: Parts = request.app.state.parts
    form = await request.form()
    secret, wanted = str(form.get("token", ""))[:_LONGEST_SECRET], str(form.get("next", ""))
    try:
        _, cookie = await run_in_threadpool(parts.entry.sign_in, secret, caller_of(request))
    except NotSignedInError:
        return _door(request, wanted, _REFUSED, status=_REFUSED.status)
    except AuditStreamError as error:
        problem = problem_of(error)
        return _door(request, wanted, problem, status=problem.status)
    answer = RedirectResponse(_own(wanted, root_of(request)), status_code=303)
    set_session(answer, cookie, request, parts)
    return answer


def sign_out(request: Request) -> Response:
    """End a session: the browser forgets its cookie."""
    answer = RedirectResponse(root_of(request) + "/sign-in", status_code=303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


async def theme(request: Request) -> Response:
    """Remember the colours that a reader wants, and go back."""
    form = await request.form()
    chosen = str(form.get("theme", ""))
    answer = RedirectResponse(_own(str(form.get("back", "")), root_of(request)), status_code=303)
    if chosen in THEMES:
        answer.set_cookie(
            THEME_COOKIE,
            chosen,
            max_age=_A_YEAR_S,
            path=root_of(request) or "/",
            httponly=True,
            samesite="lax",
        )
    return answer


def set_session(answer: Response, cookie: str, request: Request, parts: Parts) -> None:
    """Give a browser its session: for our pages alone, out of reach of script."""
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(LASTS.total_seconds()),
        path="/",  # the API takes it, too, and a sign-in by an identity provider ends there
        secure=parts.is_secure,
        httponly=True,
        samesite="lax",  # strict would ask who comes by a link from a mail to sign in again
    )


def _door(request: Request, wanted: str, said: Problem | None = None, *, status: int = 200) -> Response:
    parts: Parts = request.app.state.parts
    return outside(request, "sign_in.html", status, next=wanted, said=said, oidc_name=parts.oidc_name)


def _own(wanted: str, root: str) -> str:
    """Return a path of ours to go to; another site's address is not one."""
    is_ours = wanted.startswith(f"{root}/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_ours and wanted.isprintable() else f"{root}/events"


ROUTES = (
    Route("/sign-in", sign_in, methods=["GET"]),
    Route("/sign-in", signed_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
    Route("/theme", theme, methods=["POST"]),
)
