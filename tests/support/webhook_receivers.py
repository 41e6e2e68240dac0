"""A real HTTP server on this machine that receives webhooks, and answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came, and what to answer next: status and headers, then 204s."""

    url: str = ""
    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    received: Queue[Received] = field(default_factory=Queue)

    def next(self, *, within_s: float = 30.0) -> Received:
        """Return the next request that comes."""
        return self.received.get(timeout=within_s)


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """Run a receiver for the length of the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10.0

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.put(Received(self.path, headers, body))
            status, more = receiver.answers.pop(0) if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=1"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
