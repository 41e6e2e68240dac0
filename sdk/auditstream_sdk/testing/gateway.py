"""A gateway on loopback for tests: it keeps what it accepts, and misbehaves as it is told.

It answers as auditstream's gateway does, over real sockets, and knows nothing of the contract but ids;
whether an event is one, the real gateway says.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Event = dict[str, Any]
Behaviour = Callable[["Request"], None]


class Request:
    """One request, and ways to answer it; what a behaviour does not answer is answered well.

    Attributes:
        events: Events of the request.
        headers: Its header fields, by lower-case name.
    """

    def __init__(self, gateway: LocalGateway, handler: BaseHTTPRequestHandler, events: list[Event]) -> None:
        self.events = events
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.is_answered = False
        self._gateway = gateway
        self._handler = handler

    def accept(self, refuse: Callable[[int, Event], str | None] = lambda *_: None) -> None:
        """Keep the events and answer 202.

        Args:
            refuse: Returns the code with which the event at an index is refused, None to accept it.
        """
        rejected = []
        for index, event in enumerate(self.events):
            code = refuse(index, event)
            if code is not None:
                rejected.append({"index": index, "code": code, "detail": "told to", "field": "event_type"})
        refused = {each["index"] for each in rejected}
        kept = [event for index, event in enumerate(self.events) if index not in refused]
        self._gateway.keep(kept)
        receipts = [
            {
                "value_sha256": sha256(json.dumps(event).encode()).hexdigest(),
                "topic": "audit.events.v1",
                "partition": 0,
                "offset": offset,
            }
            for offset, event in enumerate(kept)
        ]
        ids = [event["event_id"] for event in kept]
        if kept:
            told = {"accepted": len(kept), "ids": ids, "receipts": receipts, "rejected": rejected}
            self.answer(202, told)
        else:
            self.answer(422, {"code": "unaccepted", "detail": "none was accepted", "rejected": rejected})

    def answer(self, status: int, told: Any = None, **headers: str) -> None:
        """Answer with a status, a JSON body and header fields (`retry_after="1"`)."""
        self.is_answered = True
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        self._handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._handler.wfile.write(data)

    def keep_and_cut(self) -> None:
        """Keep the events, and close the connection instead of answering."""
        self._gateway.keep(self.events)
        self.cut()

    def cut(self) -> None:
        """Close the connection instead of answering."""
        self.is_answered = True
        self._handler.close_connection = True

    def hang(self, until: threading.Event) -> None:
        """Say nothing until something happens, then close the connection."""
        until.wait()
        self.cut()


class LocalGateway:
    """Listens on a port of its own from `with` to its end.

    Args:
        behave: Is given each request; what it leaves unanswered is accepted.
        port: Port; a free one when 0.
    """

    def __init__(self, behave: Behaviour | None = None, port: int = 0) -> None:
        self.behave = behave
        self.requests = 0
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Its address, for `AuditClient(url=…)`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def events(self) -> list[Event]:
        """Events kept, in order; one that came twice is there twice."""
        with self._changed:
            return list(self._events)

    def of_type(self, event_type: str) -> list[Event]:
        """Return the events of a type."""
        return [event for event in self.events if event["event_type"] == event_type]

    def keep(self, events: list[Event]) -> None:
        """Keep events."""
        with self._changed:
            self._events.extend(events)
            self._changed.notify_all()

    def wait_for(self, holds: Callable[[list[Event]], object], timeout_s: float = 10.0) -> list[Event]:
        """Wait until the kept events are as wanted, and return them.

        Raises:
            TimeoutError: They did not become so.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self._events), timeout_s):
                raise TimeoutError(f"{len(self._events)} events within {timeout_s} s, not as wanted")
            return list(self._events)

    def __enter__(self) -> LocalGateway:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                request = Request(gateway, self, [json.loads(line) for line in body.splitlines()])
                gateway.requests += 1
                with suppress(ConnectionError):  # whoever asked may be dead
                    if gateway.behave is not None:
                        gateway.behave(request)
                    if not request.is_answered:
                        request.accept()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of these tests die and go away."""
