"""Signing in by an identity provider, and signing out: for browsers, whose session is a cookie.

A token needs none of it. The console has a page of its own for signing in by a token.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.oidc import LASTS, LOGIN_COOKIE, OidcProvider
from auditstream.access.sessions import COOKIE
from auditstream.access.sessions import LASTS as SESSION_LASTS
from auditstream.api.parts import Parts, PartsOf, caller_of
from auditstream.core.errors import AuditStreamError, NotAllowedError, NotFoundError
from auditstream.core.logs import get_logger

log = get_logger(__name__)
router = APIRouter(prefix="/auth", include_in_schema=False)

_CALLBACK = "/auth/callback"
_LONGEST_PATH = 1_000  # characters: a page's address travels in a cookie


@router.get("/login")
def login(parts: PartsOf, request: Request, wanted: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Send a browser to the identity provider, or back to the door that tells why not.

    Raises:
        NotFoundError: There is none.
        RetryableError: It does not answer, and there is no door.
    """
    provider = _provider(parts)
    try:
        begun = provider.begin(_redirect_uri(parts, request), _own_path(wanted))
    except AuditStreamError as error:
        return _refused(parts, error)
    answer = RedirectResponse(begun.url, 303)
    answer.set_cookie(
        LOGIN_COOKIE,
        begun.cookie,
        max_age=int(LASTS.total_seconds()),
        path="/auth",
        secure=_is_secure(parts, request),
        httponly=True,
        samesite="lax",  # the provider's answer is a navigation from its site to ours
    )
    return answer


@router.get("/callback")
def callback(parts: PartsOf, request: Request) -> Response:
    """Begin a session for whom the identity provider names, and go where they wanted to, or to the door.

    Raises:
        NotFoundError: There is no provider.
        NotSignedInError: The answer does not hold, and there is no door.
        NotAllowedError: Nothing is given to this person, and there is no door.
        RetryableError: The provider does not answer, or the sign-in cannot be told of; and no door.
    """
    provider = _provider(parts)
    try:
        finished = provider.finish(
            request.cookies.get(LOGIN_COOKIE, ""), dict(request.query_params), _redirect_uri(parts, request)
        )
        _, cookie = parts.entry.begin(finished.who, caller_of(request))
    except AuditStreamError as error:
        return _refused(parts, error)
    answer = RedirectResponse(finished.wanted, 303)
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/",
        secure=_is_secure(parts, request),
        httponly=True,
        samesite="lax",
    )
    answer.delete_cookie(LOGIN_COOKIE, path="/auth")
    return answer


def _refused(parts: Parts, error: AuditStreamError) -> Response:
    """Send a browser to the door, which is told what kind of refusal it was and no text of the error."""
    if not parts.door:
        raise error
    log.warning("sign_in_refused", code=error.code, reason=error.message)
    match error:
        case NotSignedInError():
            kind = "unproven"
        case NotAllowedError():
            kind = "not_allowed"
        case _:
            kind = "away"
    return RedirectResponse(f"{parts.door}?refused={kind}", 303)


def _provider(parts: Parts) -> OidcProvider:
    if parts.oidc is None:
        raise NotFoundError("no identity provider is set up", hint="AUDITSTREAM_API__OIDC__ISSUER names one.")
    return parts.oidc


def _redirect_uri(parts: Parts, request: Request) -> str:
    base = parts.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return base.rstrip("/") + _CALLBACK


def _is_secure(parts: Parts, request: Request) -> bool:
    return (parts.public_url or str(request.url)).startswith("https:")


def _own_path(wanted: str) -> str:
    """Return a path of ours; another site's address is not one, however browsers may read it."""
    is_ours = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_ours and wanted.isprintable() and len(wanted) <= _LONGEST_PATH else "/"
