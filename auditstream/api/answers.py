"""What every request of the API has: a bound on its body, headers that keep its answer private, a count."""

from __future__ import annotations

import time
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditstream.core.metrics import Metrics

OWN_PATHS = ("/api/", "/auth/")
"""What is mounted beside them answers with headers of its own."""

BODY_BYTES = 64 * 1024
"""Largest body: an act with the longest comment takes a tenth of it."""

_HEADERS = {
    # What somebody may see today they may not see tomorrow, and every question is told of.
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


class Answers:
    """Wraps an application.

    Args:
        app: The application.
        metrics: What is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; count it by its route and the class of its status."""
        if scope["type"] != "http" or not scope["path"].startswith(OWN_PATHS):
            await self._app(scope, receive, send)
            return
        began_s, status, read = time.perf_counter(), 500, 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > BODY_BYTES:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                # Until its first byte: a live tail lasts as long as somebody looks at it.
                self._metrics.observe("auditstream_api_seconds", time.perf_counter() - began_s)
            await send(message)

        try:
            await self._app(scope, bounded, answered)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count("auditstream_api_requests_total", route=route, status=f"{status // 100}xx")
