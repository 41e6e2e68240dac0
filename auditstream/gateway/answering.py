"""Endpoints as ASGI applications: an answer or a problem, counted, and never an exception."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.gateway.bodies import Receive
from auditstream.gateway.credentials import Credentials, Principal, UnknownKeyError
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.requests import Head, Scope
from auditstream.gateway.sign_ins import SignIns

log = get_logger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
JSON = b"application/json"
_DISCARD_BYTES, _DISCARD_S = 4 * 1024 * 1024, 2.0
"""How much of a body is read for nothing, and for how long, so that its caller sees why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response.

    Attributes:
        status: Status.
        body: Body.
        content_type: Its media type.
        headers: Further headers.
    """

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_answer(status: int, value: Any) -> Answer:
    """Return JSON data as a response."""
    return Answer(status, msgspec.json.encode(value))


class Door:
    """Lets in who has a key, and notes who came and who did not get in.

    Args:
        credentials: Keys that count.
        sign_ins: Tells of them.
        metrics: Counts refusals.
    """

    def __init__(self, credentials: Credentials, sign_ins: SignIns, metrics: Metrics) -> None:
        self._credentials = credentials
        self._sign_ins = sign_ins
        self._metrics = metrics

    def admit(self, head: Head) -> Principal:
        """Return who sends a request.

        Raises:
            RefusedError: Nobody who may.
        """
        try:
            principal = self._credentials.principal(head.text(b"authorization"))
        except UnknownKeyError as error:
            self._metrics.count("auditstream_gateway_refused_keys_total", reason=error.code)
            self._sign_ins.refused(error, head.address)
            raise
        self._sign_ins.accepted(principal, head.address)
        return principal

    def known(self, head: Head) -> Principal | None:
        """Return who sends a request; None, and nothing is noted, where `admit` would refuse it."""
        try:
            principal = self._credentials.principal(head.text(b"authorization"))
        except RefusedError:
            return None
        self._sign_ins.accepted(principal, head.address)
        return principal


class Endpoint(ABC):
    """One route for callers with a key.

    Args:
        route: Name of the route, for metrics.
        door: Lets callers in.
        metrics: Counts answers.
    """

    def __init__(self, route: str, door: Door, metrics: Metrics) -> None:
        self.route = route
        self._door = door
        self._metrics = metrics

    @abstractmethod
    async def answer(self, head: Head, principal: Principal, receive: Receive, scope: Scope) -> Answer:
        """Return the answer to a request.

        Raises:
            RefusedError: It is refused.
        """

    def count(self, status: int, by: int = 1) -> None:
        """Count requests that are answered with a status."""
        self._metrics.count(
            "auditstream_gateway_requests_total", by, route=self.route, status=f"{status // 100}xx"
        )

    def refusal(self, error: RefusedError, _head: Head) -> Answer:
        """Return a refusal in the form of the route; problem+json unless it has its own."""
        content_type, *more = error.headers()
        return Answer(error.status, error.body(), content_type[1], tuple(more))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        head = Head.of(scope)
        is_read = _BodySeen(receive)
        try:
            principal = self._door.admit(head)
            answer = await self.answer(head, principal, is_read, scope)
        except RefusedError as error:
            answer = self.refusal(error, head)
        except Exception as error:  # noqa: BLE001  told of by type only: the message may quote the body
            log.error("request_failed", route=self.route, error=type(error).__name__)  # noqa: TRY400
            answer = self.refusal(RefusedError("internal", "a fault of the gateway's own"), head)
        if not is_read.is_complete:
            await is_read.discard()
        self.count(answer.status)
        await respond(send, answer, closing=not is_read.is_complete)


class _BodySeen:
    """ASGI's `receive`, and whether it has given the whole body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_complete = False

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self.is_complete = not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Read the rest of a body and forget it, unless it is long or slow.

        A connection that is closed with bytes unread is reset, and its caller may never see the answer.
        """
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_S):
                while not self.is_complete and size <= _DISCARD_BYTES:
                    size += len((await self()).get("body", b""))


async def respond(send: Send, answer: Answer, *, closing: bool = False) -> None:
    """Send an answer.

    Args:
        send: ASGI's.
        answer: What to send.
        closing: Whether to close the connection: the rest of a body that nobody read would have to be.
    """
    headers = headers_of(answer, closing=closing)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def headers_of(answer: Answer, *, closing: bool) -> Headers:
    """Return all headers of an answer; `closing` as for `respond`."""
    headers: Headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        *answer.headers,
    ]
    if closing:
        headers.append((b"connection", b"close"))
    return headers
