"""A client that costs little: prepared requests over connections that stay, each waiting for its answer.

`python -m benchmarks.http_load URL KEY CONTENT_TYPE BATCH CONNECTIONS SECONDS PID` prints one JSON line. PID
is the server; a body is one event, or BATCH of them as NDJSON, with new ids in each request.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from typing import cast
from urllib.parse import urlsplit

import psutil
import uvloop

from benchmarks.events import datum
from schemas.json_form import json_of

_UNKEYED = dict.fromkeys(("credential_id", "conversation_id", "trace_id", "span_id"))
"""Without them an event's key is its id: events are on all partitions."""

_ID = b"0197f3a0-1c2b-7d4e-8f00-"


class Load:
    """Sends requests for a while and counts what came of them."""

    def __init__(self, url: str, key: str, content_type: str, batch: int) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        event_id = uuid.UUID((_ID + b"000000000000").decode())
        line = json_of(datum("small", 1) | {"event_id": event_id} | _UNKEYED).encode()
        body = b"\n".join([line] * batch)
        head = (
            f"POST /v1/events HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {key}\r\n"
            f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        self.pieces = (head + body).split(_ID + b"000000000000")
        self.number = 0
        self.statuses: dict[int, int] = {}
        self.is_over = False

    def request(self) -> bytes:
        """Return the next request."""
        found = [self.pieces[0]]
        for piece in self.pieces[1:]:
            self.number += 1
            found += [_ID, b"%012x" % self.number, piece]
        return b"".join(found)


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._answer = bytearray()
        self._size = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by name
        transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._size:
            end = self._answer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._answer[:end]).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._size = end + 4 + int(length or 0)
        if len(self._answer) < self._size:
            return
        status = int(self._answer[9:12])
        self._load.statuses[status] = self._load.statuses.get(status, 0) + 1
        self._answer.clear()
        self._size = 0
        if self._load.is_over:
            self._transport.close()
        else:
            self._transport.write(self._load.request())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def run(load: Load, connections: int, seconds: float, server: psutil.Process) -> dict[str, object]:
    """Return statuses, time, and the processor time of the server."""
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: Connection(load), load.host, load.port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(min(1.0, seconds / 4))  # warm
    load.statuses.clear()
    begun, cpu = time.perf_counter(), server.cpu_times()
    await asyncio.sleep(seconds)
    statuses, took_s, ended = dict(load.statuses), time.perf_counter() - begun, server.cpu_times()
    load.is_over = True
    await asyncio.wait([asyncio.ensure_future(each.done) for each in opened], timeout=30)
    return {
        "statuses": {str(status): count for status, count in statuses.items()},
        "seconds": took_s,
        "cpu_s": ended.user + ended.system - cpu.user - cpu.system,
    }


def main() -> None:
    """Run as the module's docstring says."""
    url, key, content_type, batch, connections, seconds, pid = sys.argv[1:]
    load = Load(url, key, content_type, int(batch))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(load, int(connections), float(seconds), psutil.Process(int(pid))))))


if __name__ == "__main__":
    main()
