"""What a request is refused with: our errors as problem details, and of faults of ours no more than that.

The text of an error that is about the request is for who sent it. That of a fault is for the log: it may
quote the store, and with it what is not the caller's to see.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.rates import TooManyRequestsError
from auditstream.core.errors import (
    AuditStreamError,
    NotAllowedError,
    NotFoundError,
    RequestError,
    RetryableError,
    VerificationError,
)
from auditstream.core.logs import get_logger
from auditstream.core.problem_details import CONTENT_TYPE, problem, retry_after
from auditstream.evidence.proving import NotSealedError
from auditstream.query.grammar import QueryError
from auditstream.query.scopes import LimitError

log = get_logger(__name__)

_AGAIN_S = 2.0
"""When to try again what failed for a reason that says nothing of it."""

_AWAY = "this cannot be answered now: a service behind the API does not answer"
_FAULT = "a fault of the API's own; its log has the reason"

_STATUSES: tuple[tuple[type[AuditStreamError], int], ...] = (
    (NotSignedInError, HTTPStatus.UNAUTHORIZED),
    (TooManyRequestsError, HTTPStatus.TOO_MANY_REQUESTS),
    (NotAllowedError, HTTPStatus.FORBIDDEN),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (LimitError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RequestError, HTTPStatus.BAD_REQUEST),
    (NotSealedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (RetryableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (VerificationError, HTTPStatus.CONFLICT),
)
"""Status of each class of errors; the first that fits."""

_ABOUT_THE_REQUEST = (RequestError, TooManyRequestsError, NotSealedError, VerificationError)


class NotAcceptableError(RequestError):
    """No form of the answer is one that the caller takes."""

    code = "not_acceptable"
    hint = "Accept application/json, application/x-ndjson or text/csv."


def register(app: FastAPI) -> None:
    """Have an application answer with problems."""
    app.add_exception_handler(AuditStreamError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def response_of(error: AuditStreamError) -> Response:
    """Return the answer to a request that ends with an error."""
    status = next((each for kind, each in _STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, NotAcceptableError):
        status = HTTPStatus.NOT_ACCEPTABLE
    if isinstance(error, _ABOUT_THE_REQUEST):
        said = problem(status, error.code, error.message, field=field_of(error), hint=error.hint)
    else:
        log.warning("request_failed", code=error.code, reason=error.message[:500])
        code = error.code if isinstance(error, RetryableError) else "internal"
        said = problem(status, code, _AWAY if isinstance(error, RetryableError) else _FAULT)
    if isinstance(error, QueryError):
        said["position"] = error.position
    headers = {}
    if isinstance(error, RetryableError):
        headers["retry-after"] = retry_after(error.retry_after_s or _AGAIN_S)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return _response(said, headers)


def field_of(error: AuditStreamError) -> str:
    """Return the parameter that an error is about; empty where nobody said."""
    named = error.context.get("field")
    if isinstance(named, str):
        return named
    if isinstance(error, QueryError):
        return "q"
    return "authorization" if isinstance(error, NotSignedInError) else ""


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AuditStreamError)
    return response_of(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place, *names = first["loc"]
    field = ".".join(map(str, names)) or str(place)
    return _response(problem(422, "invalid", f"{field}: {first['msg']}", field=field))


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    details = {
        404: "there is nothing at this path",
        405: "the path takes another method",
        413: "the body is larger than any that is asked for",
    }
    status = error.status_code
    detail = details.get(status, "the request cannot be read")
    return _response(problem(status, codes.get(status, "malformed"), detail), dict(error.headers or {}))


async def _fault(_request: Request, error: Exception) -> Response:
    log.error("request_broke", error=repr(error)[:500])
    return _response(problem(500, "internal", _FAULT))


def _response(said: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(said, said["status"], headers, media_type=CONTENT_TYPE)
