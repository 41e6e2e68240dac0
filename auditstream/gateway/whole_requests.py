"""Requests that are there with their whole body before anybody is asked for an answer.

Most small ones are: they can be answered without a task, a timer and ASGI's messages, which together cost
more than the judging of an event.
"""

from __future__ import annotations

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from auditstream.gateway.answering import Answer, headers_of
from auditstream.gateway.requests import Scope


class WholeRequest:
    """One request of a connection: answered once, or passed on to the application.

    Args:
        cycle: uvicorn's, whose body is complete.
        pass_on: Starts the application's task for it.
    """

    __slots__ = ("_cycle", "_pass_on")

    def __init__(self, cycle: RequestResponseCycle, pass_on: Callable[[], None]) -> None:
        self._cycle = cycle
        self._pass_on = pass_on

    @property
    def scope(self) -> Scope:
        """ASGI's scope."""
        return self._cycle.scope  # type: ignore[return-value]

    @property
    def body(self) -> bytes:
        """The body, as it came."""
        return bytes(self._cycle.body)

    def pass_on(self) -> None:
        """Let the application answer."""
        self._pass_on()

    def drop_body(self) -> None:
        """Keep the body no longer: from now on the request cannot be passed on."""
        self._cycle.body.clear()

    def answer(self, answer: Answer) -> None:
        """Answer, unless the caller has left, and let the connection go on to its next request."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        lines = [STATUS_LINE[answer.status]]
        for name, value in [*cycle.default_headers, *headers_of(answer, closing=not cycle.keep_alive)]:
            lines += (name, b": ", value, b"\r\n")
        lines += (b"\r\n", answer.body)
        cycle.transport.write(b"".join(lines))
        if not cycle.keep_alive:
            cycle.transport.close()
        on_response, cycle.on_response = cycle.on_response, _nothing
        on_response()


def _nothing() -> None:
    """Stand for the connection, which a request that is over need not hold."""


TakeWhole = Callable[[WholeRequest], bool]
"""Offered a request, says whether it will see to it: answer it, or pass it on."""
