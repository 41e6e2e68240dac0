"""A provider's HTTP interface on a real socket, which answers what a test has laid out for it, in order.

Streams are sent event by event; an answer may be cut off in the middle, which closes the connection.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "the-secret-of-the-prompt"
"""A word for prompts and answers, which must be found in no event and no log."""


@dataclass(frozen=True)
class Answer:
    """What is sent for one request.

    Attributes:
        body: JSON of the answer, or None for a stream.
        events: Events of the stream; those with a `type` are named by it, as Anthropic's are.
        status: Status of the answer.
        headers: Further headers.
        is_cut: Close the connection before the stream ends.
        ending: What closes the stream, as OpenAI's `[DONE]`.
    """

    body: Mapping[str, Any] | None = None
    events: tuple[Mapping[str, Any], ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    ending: str = ""


@dataclass
class FakeProvider:
    """A running provider.

    Attributes:
        url: Its address, without a path.
        answers: What it answers next; without any it answers 500.
        requests: Path and body of each request that arrived.
    """

    url: str = ""
    answers: deque[Answer] = field(default_factory=deque)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, *answers: Answer) -> None:
        """Lay out answers."""
        self.answers.extend(answers)


@contextmanager
def fake_provider() -> Iterator[FakeProvider]:
    """Serve on a free port of the loopback until the block ends."""
    provider = FakeProvider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: callers that go away are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: FakeProvider

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.provider.requests.append((self.path, body))
        answers = self.provider.answers
        answer = (
            answers.popleft() if answers else Answer({"error": {"message": "nothing laid out"}}, status=500)
        )
        if answer.body is not None:
            self._send(answer)
        else:
            self._stream(answer)

    def _send(self, answer: Answer) -> None:
        encoded = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _stream(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in answer.events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            self._chunk(f"{name}data: {json.dumps(event)}\n\n")
        if answer.is_cut:
            self.close_connection = True
            return
        if answer.ending:
            self._chunk(answer.ending)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        encoded = text.encode()
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(encoded), encoded))
        except OSError:
            self.close_connection = True  # the caller went away, as some tests mean it to
