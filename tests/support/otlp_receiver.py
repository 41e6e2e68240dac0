"""A loopback OTLP/HTTP receiver that is made of the gateway's functions, and of nothing else of it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from auditstream.gateway.drafts import Draft
from auditstream.gateway.otlp.answers import Answer, exported, metrics_rejected
from auditstream.gateway.otlp.decoding import decode
from auditstream.gateway.otlp.logs import logs_to_drafts
from auditstream.gateway.otlp.signals import LOGS, METRICS, TRACES, Encoding
from auditstream.gateway.otlp.spans import spans_to_drafts


@dataclass
class Received:
    """What came.

    Attributes:
        url: Endpoint for exporters.
        drafts: All drafts, in order.
        bodies: Bodies of the requests, decompressed.
    """

    url: str
    drafts: list[Draft] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events among the drafts."""
        return [dict(draft.event) for draft in self.drafts if draft.event is not None]


@contextmanager
def otlp_receiver() -> Iterator[Received]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    received = Received(f"http://127.0.0.1:{server.server_address[1]}")
    server.received = received  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        received: Received = self.server.received  # type: ignore[attr-defined]
        received.bodies.append(body)
        answer = _answer(self.path, body, Encoding(self.headers["Content-Type"]), received)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


def _answer(path: str, body: bytes, encoding: Encoding, received: Received) -> Answer:
    if path == "/v1/metrics":
        return metrics_rejected(decode(METRICS, body, encoding), encoding)
    signal = TRACES if path == "/v1/traces" else LOGS
    request: Any = decode(signal, body, encoding)
    drafts = spans_to_drafts(request) if signal is TRACES else logs_to_drafts(request)
    received.drafts += drafts
    refused = [(draft.index, draft.refusal) for draft in drafts if draft.refusal is not None]
    return exported(signal, refused, signal.count(request), encoding)
