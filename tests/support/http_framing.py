"""Where an HTTP/1.1 message ends on a raw connection, without changing a byte of it (RFC 9112, section 6)."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import lz4.frame
import zstandard

PIECE_BYTES = 256 * 1024  # one read; large enough that a 20 MB block costs under a hundred wake-ups
_PREFIX_BYTES = 4096  # how much of a decompressed body is looked at for the statement


@dataclass(frozen=True, slots=True)
class Head:
    """The start line and headers of a message, with the bytes they came in.

    Attributes:
        raw: Every byte up to and including the empty line.
        start: The start line.
        headers: Values by lower-case name; the last one wins.
    """

    raw: bytes
    start: str
    headers: dict[str, str]

    @property
    def is_chunked(self) -> bool:
        """Whether the body is sent in chunks."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        """The body's length in bytes, None when the head does not say."""
        value = self.headers.get("content-length")
        return None if value is None else int(value)

    @property
    def wants_close(self) -> bool:
        """Whether the sender ends the connection after this message."""
        return self.headers.get("connection", "").lower() == "close" or "HTTP/1.0" in self.start

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.start.split(" ", 1)[0]

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start.split(" ", 2)[1])

    @property
    def parameters(self) -> dict[str, str]:
        """The URL parameters of a request."""
        target = self.start.split(" ", 2)[1]
        return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Read one head; None when the peer has ended the connection between two messages."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    start, *lines = raw[:-4].decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Head(raw, start, headers)


class Body:
    """The body of one message as it is on the wire; `read` returns pieces until b"" at its end."""

    def __init__(self, reader: asyncio.StreamReader, head: Head, *, is_answer_to: str = "") -> None:
        """Frame the body after `head`; `is_answer_to` is the request's method, for answers."""
        self._reader = reader
        self._chunked = head.is_chunked
        self._left: int | None = 0 if self._chunked else head.length
        if is_answer_to:
            if is_answer_to == "HEAD" or head.status in {204, 304}:
                self._chunked, self._left = False, 0
        elif not self._chunked and self._left is None:
            self._left = 0
        self._last_chunk = False
        self.ends_with_connection = self._left is None
        self.payload = b""  # of the last piece, without chunk framing

    async def read(self) -> bytes:
        """Return the next piece as it is on the wire, b"" after the last.

        Raises:
            asyncio.IncompleteReadError: The peer ended the connection in mid-body.
        """
        if self._chunked and self._left == 0:
            return await self._start_chunk()
        if self._left == 0:
            return b""
        piece = await self._reader.read(min(PIECE_BYTES, self._left or PIECE_BYTES))
        if self._left is not None:
            if not piece:
                raise asyncio.IncompleteReadError(piece, self._left)
            self._left -= len(piece)
        self.payload = piece
        if self._chunked and self._left == 0:
            piece += await self._reader.readexactly(2)
        return piece

    async def _start_chunk(self) -> bytes:
        self.payload = b""
        if self._last_chunk:
            return b""
        line = await self._reader.readuntil(b"\r\n")
        self._left = int(line.split(b";")[0], 16)
        if self._left == 0:
            self._last_chunk = True
            trailer = await self._reader.readuntil(b"\r\n")
            while trailer[-4:] != b"\r\n\r\n" and trailer != b"\r\n":
                trailer += await self._reader.readuntil(b"\r\n")
            return line + trailer
        return line + await self.read()


def decoded_prefix(payload: bytes, encoding: str) -> bytes:
    """Return the first bytes of a body whose first piece is `payload`, undone of its content encoding."""
    if encoding == "gzip":
        return zlib.decompressobj(31).decompress(payload, _PREFIX_BYTES)
    if encoding == "lz4":
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(payload, _PREFIX_BYTES))
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(payload)[:_PREFIX_BYTES]
    return payload[:_PREFIX_BYTES]
