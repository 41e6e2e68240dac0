"""One client connection and the upstream connection behind it: whole exchanges, relayed, held back or cut."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.support.http_framing import Body, Head, read_head

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]

BROKEN = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""What reading from or writing to a peer that went away raises."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LATE_BODY_S = 1.0  # how long the rest of a request may take to arrive after its answer


class Relay:
    """The two connections of one client; the upstream one is opened when first needed and kept alive."""

    def __init__(self, client: Peer, open_upstream: Callable[[], Awaitable[Peer]]) -> None:
        self.client = client
        self._store: Peer | None = None
        self._open = open_upstream

    async def pass_on(self, head: Head, body: Body, first: bytes) -> bool:
        """Send a request on as it arrives and return its answer as it arrives; False ends the connection.

        Both directions run at once: the store may answer before it has read the whole request.
        """
        store = await self._upstream()
        store[1].write(head.raw + first)
        sending = asyncio.ensure_future(_pump(body, store[1]))
        try:
            going_on = await self._return_answer(head, store, to_client=True)
            done, _ = await asyncio.wait({sending}, timeout=_LATE_BODY_S)
            return going_on and bool(done) and sending.exception() is None
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, *BROKEN):
                await sending

    def invite(self, head: Head) -> Head:
        """Ask a client that waits for "100 Continue" to send its body; return the head without the wish."""
        if head.headers.get("expect", "").lower() != "100-continue":
            return head
        self._write(_CONTINUE)
        raw = re.sub(rb"\r\nexpect:[^\r]*", b"", head.raw, count=1, flags=re.IGNORECASE)
        return replace(head, raw=raw)

    async def exchange(self, head: Head, whole: bytes, *, to_client: bool) -> bool:
        """Send a whole request to the store and take its answer; a client that has gone does not matter."""
        store = await self._upstream()
        store[1].write(head.raw + whole)
        await store[1].drain()
        return await self._return_answer(head, store, to_client=to_client)

    async def send_share(self, head: Head, whole: bytes, share: float) -> None:
        """Send the store the head and a share of the body, then end the connection in an orderly way.

        An orderly end (FIN) is the nastier one: a careless store could take it for the body's end.
        """
        store = await self._upstream()
        store[1].write(head.raw + whole[: int(len(whole) * share)])
        await store[1].drain()
        await close(store[1])

    async def answer(self, status: int, body: bytes, more_headers: str = "") -> bool:
        """Answer in the store's place; the connection lives on."""
        start = f"HTTP/1.1 {status} Fault\r\nContent-Type: text/plain\r\n"
        self._write(f"{start}{more_headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await self._drain()
        return True

    async def close(self) -> None:
        """End both connections in an orderly way."""
        await close(self.client[1])
        if self._store is not None:
            await close(self._store[1])

    async def _upstream(self) -> Peer:
        if self._store is not None and (self._store[0].at_eof() or self._store[1].is_closing()):
            await close(self._store[1])
            self._store = None
        if self._store is None:
            self._store = await self._open()
            # drain() then waits until all is handed to the kernel, so that a cut comes after what it follows.
            self._store[1].transport.set_write_buffer_limits(0)
        return self._store

    async def _return_answer(self, request: Head, store: Peer, *, to_client: bool) -> bool:
        head = await self._final_head(store, to_client=to_client)
        body = Body(store[0], head, is_answer_to=request.method)
        while piece := await body.read():
            if to_client:
                self._write(piece)
                await self._drain()
        await self._drain()
        if head.wants_close or body.ends_with_connection:
            await close(store[1])
        return not (head.wants_close or request.wants_close or body.ends_with_connection)

    async def _final_head(self, store: Peer, *, to_client: bool) -> Head:
        while True:
            head = await read_head(store[0])
            if head is None:
                raise ConnectionResetError("the store ended the connection without an answer")
            if to_client:
                self._write(head.raw)
            if head.status >= 200:
                return head

    def _write(self, data: bytes) -> None:
        if not self.client[1].is_closing():
            self.client[1].write(data)

    async def _drain(self) -> None:
        with contextlib.suppress(OSError):
            await self.client[1].drain()


async def receive(body: Body, first: bytes) -> bytes:
    """Take in the rest of a body, as it is on the wire, after its `first` bytes."""
    pieces = [first]
    while piece := await body.read():
        pieces.append(piece)
    return b"".join(pieces)


async def close(writer: asyncio.StreamWriter) -> None:
    """End a connection in an orderly way (FIN)."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, as a crashed peer's kernel would."""
    raw = writer.get_extra_info("socket")
    if raw is not None and not writer.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _pump(body: Body, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await body.read():
            writer.write(piece)
            await writer.drain()
    except BROKEN:
        await close(writer)  # a client that was cut in mid-body is cut in mid-body for the store too
        raise
