"""ASGI: what a request says about who asks, and in which conversation and trace, holds for its events.

    app = AuditMiddleware(app, headers={"x-conversation-id": "conversation_id", "x-user": "actor_id"})

A request itself is no event: what is recorded while it is answered is. What a header says is the caller's
claim; map only headers that your own proxy sets.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import datetime, timezone
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from auditstream_sdk.context import audit_context
from auditstream_sdk.fields import ENVELOPE_NAMES
from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.integrations.waiting import waits

if TYPE_CHECKING:
    from auditstream_sdk import AuditClient

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_TRACEPARENT = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
"""Version, trace id, span id and flags, as W3C Trace Context has them; later versions may say more."""

_LONGEST = 256
"""Characters of a header's value that are taken over; longer ones are left out."""

_NOT_FROM_HEADERS = frozenset(
    {
        "attributes",
        "credential_id",
        "data_classes",
        "duration_us",
        "event_id",
        "event_time",
        "http_status",
        "observed_time",
        "outcome",
        "seal_key_id",
        "sealed",
        "severity",
        "src_asn",
        "tenant_id",
    }
)
"""Envelope fields that no header may set: they are no texts, or not the caller's to say."""

_LISTS = frozenset({"actor_roles", "delegation_scopes"})


class AuditMiddleware:
    """Puts envelope fields on everything that is recorded while a request is answered.

    Args:
        app: The application.
        headers: Names of headers to envelope fields. Lists (`actor_roles`) are separated by commas.
        trace: Take trace and parent span from `traceparent`.
        on_request: Given the scope, the status and the duration in microseconds, returns the fields of an
            event about the request, or None for none; needs `audit`.
        audit: Where events about requests are recorded.

    Raises:
        ValueError: A field is none that a header may set.
    """

    def __init__(
        self,
        app: App,
        *,
        headers: Mapping[str, str] | None = None,
        trace: bool = True,
        on_request: Callable[[Scope, int, int], Mapping[str, Any] | None] | None = None,
        audit: AuditClient | None = None,
    ) -> None:
        for header, name in (headers or {}).items():
            if name not in ENVELOPE_NAMES or name in _NOT_FROM_HEADERS:
                raise ValueError(f"headers: {header}: {name!r} is no field that a header may set")
        if on_request is not None and (audit is None or hasattr(audit, "__aenter__")):
            raise ValueError("on_request: needs an AuditClient as `audit`")
        self._app = app
        self._headers = {header.lower().encode("latin-1"): name for header, name in (headers or {}).items()}
        self._trace = trace
        self._on_request = on_request
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in its context."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        fields: dict[str, Any] = {}
        with FAULTS:
            fields = self._fields(scope.get("headers", ()))
        with audit_context(**fields):
            if self._on_request is None:
                await self._app(scope, receive, send)
            else:
                await self._told(scope, receive, send)

    def _fields(self, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for header, value in headers:
            name = self._headers.get(header.lower())
            if name is not None and name not in found:
                text = value.decode("utf-8", errors="replace").strip()
                if text and len(text) <= _LONGEST and text.isprintable():
                    found[name] = _listed(text) if name in _LISTS else text
            elif self._trace and header.lower() == b"traceparent":
                found.update(_trace_of(value.decode("ascii", errors="replace").strip()))
        if "actor_id" in found:
            found.setdefault("actor_type", "USER")
        return found

    async def _told(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and record what `on_request` makes of it."""
        status, began = 500, perf_counter_ns()
        started = datetime.now(timezone.utc)

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            with FAULTS:
                took_us = (perf_counter_ns() - began) // 1000
                event = self._on_request(scope, status, took_us) if self._on_request else None
                if event is not None:
                    known = {"event_time": started, "duration_us": took_us, "http_status": status}
                    await self._record({**known, **event})

    async def _record(self, event: Mapping[str, Any]) -> None:
        """Record an event without holding up the loop."""
        if self._audit is not None and waits(self._audit):
            await asyncio.to_thread(self._audit.record, event)
        elif self._audit is not None:
            self._audit.record(event)


def _trace_of(value: str) -> dict[str, str]:
    """Return trace and parent span of a `traceparent`; nothing of one that is invalid."""
    found = _TRACEPARENT.fullmatch(value)
    if found is None or value.startswith("ff") or not int(found[1], 16) or not int(found[2], 16):
        return {}
    return {"trace_id": found[1], "parent_span_id": found[2]}


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
