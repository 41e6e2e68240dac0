"""A connection to a gateway's HTTP protocol without a socket: bytes in, bytes out, in one event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.server import ServerState

from auditstream.gateway.service import server_config
from tests.support.gateways import ACME, TestGateway


class Answered:
    """One answer on a wire, parsed by httptools.

    Attributes:
        status: Its status.
        headers: Its headers, without the date.
        body: Its body.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """End."""
        self.is_complete = True


class Wire(asyncio.Transport):
    """One connection; what is written to it is kept.

    Args:
        gate: The gateway, served by its own protocol.
        is_short: Whether the protocol may take single events by the short way.
    """

    def __init__(self, gate: TestGateway, *, is_short: bool = True) -> None:
        super().__init__()
        config = server_config(gate.app, gate.settings)
        config.load()
        self.state = ServerState()
        kind: Any = config.http_protocol_class
        if not is_short:
            kind = type("LongWay", (kind,), {"TAKE_WHOLE": None})
        self.protocol = kind(config=config, server_state=self.state, app_state={})
        self.writes: list[bytes] = []
        self.is_closed = False
        self._key = gate.keys[ACME]
        self.protocol.connection_made(self)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return an address of nobody."""
        return ("192.0.2.77", 1234) if name in {"peername", "sockname"} else default

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        """Keep what is written."""
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        """Return whether the protocol closed it."""
        return self.is_closed

    def close(self) -> None:
        """Note that the protocol closed it."""
        self.is_closed = True

    def pause_reading(self) -> None:
        """Do nothing: bytes come when a test sends them."""

    def resume_reading(self) -> None:
        """Do nothing, likewise."""

    def request(self, body: bytes, query: str = "", **more: str | None) -> bytes:
        """Return a post of the tenant acme's to /v1/events; header names with _ for -."""
        given: dict[str, str | None] = {
            "host": "gateway",
            "authorization": f"Bearer {self._key}",
            "content_type": "application/json",
            "content_length": str(len(body)),
        }
        lines = [
            f"{name.replace('_', '-')}: {value}"
            for name, value in (given | more).items()
            if value is not None
        ]
        return "\r\n".join([f"POST /v1/events{query} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body

    def feed(self, data: bytes) -> None:
        """Let bytes arrive."""
        self.protocol.data_received(data)

    async def answers(self, count: int = 1) -> list[Answered]:
        """Return the first answers, once they are there."""
        async with asyncio.timeout(10):
            while True:
                found = _parsed(b"".join(self.writes), count)
                if found and all(each.is_complete for each in found):
                    return found
                await asyncio.sleep(0)

    def end(self) -> None:
        """Let the caller leave."""
        self.is_closed = True
        self.protocol.connection_lost(None)


def _parsed(data: bytes, count: int) -> list[Answered]:
    """Return as many answers; fewer, or incomplete ones, while there is not more."""
    found: list[Answered] = []
    while data and len(found) < count:
        answer = Answered()
        parser = httptools.HttpResponseParser(answer)
        head, separator, _ = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        size = len(head) + len(separator) + (int(lengths[0].partition(b":")[2]) if lengths else 0)
        parser.feed_data(data[:size])
        answer.status = parser.get_status_code() if separator else 0
        answer.headers.pop("date", None)
        found.append(answer)
        data = data[size:]
    return found if len(found) == count else []
