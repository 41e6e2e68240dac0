"""Answers as ClickHouse gives them over HTTP: headers, errors, bodies that are sent while they are made."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aiohttp import web

from auditstream.embedded.clickhouse_compression import Compressor, compressor
from auditstream.embedded.clickhouse_connections import Summary
from auditstream.embedded.clickhouse_errors import ErrorNumber, QueryError

# An answer up to this size is complete before its headers go out, and so has the final summary and status.
_HELD_BYTES = 1 << 20
_SPOOL_BYTES = 16 << 20  # from there on an answer that has to be complete first waits in a file
_TEXT = "text/plain; charset=UTF-8"
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Arrow": "application/vnd.apache.arrow.file",
    "ArrowStream": "application/vnd.apache.arrow.stream",
    "Parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan:
    """How one answer is to be sent.

    Attributes:
        query_id: For the headers.
        format: Format of the body.
        timezone: Time zone in which the body's times without one are.
        coding: Content coding, or None.
        waits: Whether the whole body must be there before the status is sent.
        folder: Where a large body waits.
        patience_s: How long the client may take to take one piece.
    """

    query_id: str
    format: str
    timezone: str
    coding: str | None
    waits: bool
    folder: Path
    patience_s: float

    def headers(self, summary: Summary) -> dict[str, str]:
        """Return the answer's headers with what is known of the query so far."""
        found = {
            **base_headers(self.query_id),
            "Content-Type": _CONTENT_TYPES.get(self.format, _TEXT),
            "X-ClickHouse-Format": self.format,
            "X-ClickHouse-Timezone": self.timezone,
            "X-ClickHouse-Summary": summary_text(summary),
        }
        if self.coding:
            found["Content-Encoding"] = self.coding
        return found


def base_headers(query_id: str) -> dict[str, str]:
    """Return the headers that every answer has."""
    return {
        "X-ClickHouse-Server-Display-Name": socket.gethostname(),
        "X-ClickHouse-Query-Id": query_id,
        # Answers hold the audit log; nothing on the way may keep one.
        "Cache-Control": "no-store",
    }


def summary_text(summary: Summary) -> str:
    """Return the X-ClickHouse-Summary header: numbers as strings, as ClickHouse writes them."""
    return json.dumps({name: str(value) for name, value in asdict(summary).items()}, separators=(",", ":"))


def error_answer(error: QueryError, query_id: str) -> web.Response:
    """Return the answer for an error before any part of the body was sent."""
    headers = {**base_headers(query_id), "X-ClickHouse-Exception-Code": str(error.number)}
    if error.number == ErrorNumber.REQUIRED_PASSWORD:
        headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
    return web.Response(text=error.text + "\n", status=error.status, headers=headers)


def done_answer(query_id: str, timezone: str, summary: Summary) -> web.Response:
    """Return the answer of a statement without a result."""
    headers = {
        **base_headers(query_id),
        "X-ClickHouse-Timezone": timezone,
        "X-ClickHouse-Summary": summary_text(summary),
    }
    return web.Response(body=b"", content_type="text/plain", charset="UTF-8", headers=headers)


@dataclass(slots=True)
class _Body:
    """The body on its way out, coded."""

    http: web.Request
    patience_s: float
    coder: Compressor | None
    response: web.StreamResponse = field(default_factory=web.StreamResponse)

    async def write(self, piece: bytes) -> None:
        await self._send(self.coder.compress(piece) if self.coder else piece)

    async def end(self) -> None:
        if self.coder:
            await self._send(self.coder.flush())

    async def _send(self, coded: bytes) -> None:
        if not coded:
            return
        try:
            async with asyncio.timeout(self.patience_s):
                await self.response.write(coded)
        except TimeoutError as error:
            if self.http.transport is not None:
                self.http.transport.abort()
            raise ConnectionAbortedError(f"the client took nothing for {self.patience_s:g} s") from error


async def send_answer(
    http: web.Request,
    plan: AnswerPlan,
    read: Callable[[], Awaitable[bytes]],
    outcome: Callable[[], Awaitable[Summary]],
) -> web.StreamResponse:
    """Send an answer while the engine makes it, in constant memory.

    Args:
        http: The request.
        plan: How to send.
        read: Returns the next piece of the body, empty at its end; not called faster than the client takes
            pieces.
        outcome: Returns what the query did once the body has ended.

    Raises:
        QueryError: The query failed and nothing was sent yet. Later the error goes into the body, in
            ClickHouse's form, and the connection is cut before the body's proper end.
    """
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES, dir=str(plan.folder)) as held:
        ended = await _hold(read, held, everything=plan.waits)
        summary = await outcome() if ended else Summary()
        tag = secrets.token_hex(8)
        headers = {**plan.headers(summary), "X-ClickHouse-Exception-Tag": tag}
        body = _Body(http, plan.patience_s, compressor(plan.coding) if plan.coding else None)
        body.response.headers.update(headers)
        if ended and not plan.coding:
            body.response.content_length = held.tell()
        await body.response.prepare(http)
        held.seek(0)
        while piece := held.read(_HELD_BYTES):
            await body.write(piece)
    try:
        while not ended and (piece := await read()):
            await body.write(piece)
        await outcome()
    except QueryError as error:
        await _send_late_error(body, error, tag)
        return body.response
    await body.end()
    await body.response.write_eof()
    return body.response


async def _hold(
    read: Callable[[], Awaitable[bytes]], held: tempfile.SpooledTemporaryFile[bytes], *, everything: bool
) -> bool:
    """Read the start of the body, or all of it; return whether it has ended."""
    while piece := await read():
        held.write(piece)
        if not everything and held.tell() >= _HELD_BYTES:
            return False
    return True


async def _send_late_error(body: _Body, error: QueryError, tag: str) -> None:
    """End a body with an error as ClickHouse 25.11 and later do, and without the last chunk.

    The tag tells the error from rows that look like one; a client that knows nothing of it sees a body that
    was cut short.
    """
    text = error.text.encode() + b"\n"
    length = str(len(text)).encode()
    mark = tag.encode()
    await body.write(
        b"\r\n__exception__\r\n" + mark + b"\r\n" + text + length + b" " + mark + b"\r\n__exception__\r\n"
    )
    await body.end()
    if body.http.transport is not None:
        body.http.transport.close()
