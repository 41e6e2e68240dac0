"""What holds for every answer and form: the headers that browsers obey, and where a form may come from."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing inline and nothing from elsewhere: an event's text that were taken for markup would do nothing.
_POLICY = "; ".join((
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip

HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # an address holds the search, which is nobody else's business
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Headers of every answer."""

ROOT = "auditstream.console.root"
"""Key of a request's scope: path that the console is mounted at."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_UNKEPT = "no-store"  # pages hold the record; a browser's cache is no place for it


class Guards:
    """Sets the headers, and refuses a form that another site sent.

    A browser says where a form comes from in `Sec-Fetch-Site` or `Origin`; one that says neither is not one.

    Args:
        app: What is guarded.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        # Where a part of us is mounted in turn, `root_path` becomes that part's.
        scope.setdefault(ROOT, scope.get("root_path", ""))

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", _UNKEPT)
            await send(message)

        if scope["method"] not in _SAFE and not is_own_form(Headers(scope=scope)):
            refused = PlainTextResponse("This form was sent by another site.\n", status_code=403)
            await refused(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def is_own_form(headers: Headers) -> bool:
    """Return whether the browser says that a request was caused by a page of the same origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host", "")
