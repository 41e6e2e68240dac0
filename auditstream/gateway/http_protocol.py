"""uvicorn's HTTP protocol with bounds on what comes before an application is asked."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from auditstream.gateway.problems import RefusedError
from auditstream.gateway.request_starts import RequestStarts
from auditstream.gateway.whole_requests import TakeWhole


class _TooLargeError(Exception):
    """Ends the parser's work: headers are too large."""


class BoundedProtocol(RequestStarts):
    """Refuses headers that are too large or too slow, and connections that are too many.

    httptools itself takes headers of any size, and uvicorn waits for them for ever.

    Attributes:
        HEADER_BYTES: Largest request line and headers.
        HEADER_S: Longest time for them to arrive.
        CONNECTIONS: Most connections at a time.
    """

    HEADER_BYTES: ClassVar[int] = 16 * 1024
    HEADER_S: ClassVar[float] = 10.0
    CONNECTIONS: ClassVar[int] = 2_000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = True
        self._head_bytes = 0  # of headers that are complete
        self._raw_bytes = 0  # since the head began, in chunks that did not end it
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head, or refuse."""
        super().connection_made(transport)
        if len(self.connections) > self.CONNECTIONS:
            self._refuse(RefusedError("busy", "too many connections", retry_after_s=1))
            return
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it makes a head too large."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._is_in_head:
            self._raw_bytes += len(data)
            if self._raw_bytes > self.HEADER_BYTES and not self.transport.is_closing():
                self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._begin_head()

    def on_url(self, url: bytes) -> None:
        """Count the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head."""
        self._end_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or what was refused while it was parsed."""
        if not self.transport.is_closing():
            is_too_large = self._head_bytes > self.HEADER_BYTES
            self._refuse(self._too_large() if is_too_large else RefusedError("malformed", msg))

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.HEADER_BYTES:
            raise _TooLargeError

    def _begin_head(self) -> None:
        self._is_in_head = True
        self._head_bytes = self._raw_bytes = 0
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.HEADER_S, self._too_slow)

    def _end_head(self) -> None:
        self._is_in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self._refuse(RefusedError("too_slow", f"no request within {self.HEADER_S:g} s"))

    def _too_large(self) -> RefusedError:
        return RefusedError("headers_too_large", f"the headers have more than {self.HEADER_BYTES:,} bytes")

    def _refuse(self, error: RefusedError) -> None:
        """Answer, unless somebody else's answer is under way on the connection, and close it."""
        if self.cycle is None or self.cycle.response_complete:
            body = error.body()
            lines = [b"HTTP/1.1 %d %s" % (error.status, error.code.encode())]
            headers = [*error.headers(), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
            lines += [b"%s: %s" % header for header in headers]
            self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()


def bounded_protocol(
    *, header_bytes: int, header_s: float, connections: int, take_whole: TakeWhole | None = None
) -> type[BoundedProtocol]:
    """Return the protocol with bounds of its own."""
    own = {
        "HEADER_BYTES": header_bytes,
        "HEADER_S": header_s,
        "CONNECTIONS": connections,
        "TAKE_WHOLE": None if take_whole is None else staticmethod(take_whole),
    }
    return type("BoundedProtocol", (BoundedProtocol,), own)
