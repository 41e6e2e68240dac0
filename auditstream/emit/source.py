"""A file of lines as it is read twice: once for its hash, from which event ids come, once for its lines."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from auditstream.core.errors import NotFoundError, RequestError

STDIN = "-"
MAX_LINE_BYTES = 4 * 1024 * 1024
"""Longest line that is read into memory; four times what Kafka takes as one message by default."""

_PIECE_BYTES = 1 << 20
_IN_MEMORY_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    Attributes:
        number: Counted from 1.
        content: Its bytes without the line end; None when it is longer than `MAX_LINE_BYTES`.
    """

    number: int
    content: bytes | None


@dataclass(slots=True)
class Source:
    """A file of lines.

    Attributes:
        name: What messages call it.
        file_hash: SHA-256 of its content, decompressed: the same whether the file is compressed or not.
        size_bytes: Length of the content, decompressed.
        position_bytes: How much of it has been read as lines.
    """

    name: str
    file_hash: bytes
    size_bytes: int
    position_bytes: int = 0
    _stream: IO[bytes] = field(repr=False, kw_only=True)

    def lines(self) -> Iterator[Line]:
        """Yield the lines that are not blank.

        Raises:
            RequestError: The compressed file is damaged, or cannot be read.
        """
        number = 0
        while piece := self._piece():
            number += 1
            content = piece.removeprefix(_BOM) if number == 1 else piece
            if not piece.endswith(b"\n") and len(piece) > MAX_LINE_BYTES:
                self._skip_line()
                yield Line(number, None)
            elif content.strip():
                yield Line(number, content.rstrip(b"\r\n"))

    def content(self) -> IO[bytes]:
        """Return the whole content as a seekable stream, still the source's, for what has no lines."""
        self._stream.seek(0)
        return self._stream

    def _piece(self) -> bytes:
        with _readable(self.name):
            piece = self._stream.readline(MAX_LINE_BYTES + 1)
        self.position_bytes += len(piece)
        return piece

    def _skip_line(self) -> None:
        while (piece := self._piece()) and not piece.endswith(b"\n"):
            pass


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """Open a file, `-` for stdin; a name that ends in `.gz` is decompressed.

    What cannot be read twice, as a pipe, is kept in a temporary file meanwhile.

    Raises:
        NotFoundError: There is no such file.
        RequestError: It cannot be read.
    """
    name = "stdin" if path == STDIN else path
    with _stream(path) as stream:
        digest, size = hashlib.sha256(), 0
        with _readable(name):
            while piece := stream.read(_PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
            stream.seek(0)
        yield Source(name, digest.digest(), size, _stream=stream)


@contextmanager
def _stream(path: str) -> Iterator[IO[bytes]]:
    if path == STDIN:
        with _kept(sys.stdin.buffer) as kept:
            yield kept
        return
    with _readable(path):
        raw = Path(path).open("rb")  # noqa: SIM115  closed below, past the border of errors
    with raw:
        if path.endswith(".gz"):
            with gzip.open(raw, "rb") as content:
                yield cast("IO[bytes]", content)
        elif raw.seekable():
            yield raw
        else:
            with _kept(raw) as kept:
                yield kept


@contextmanager
def _kept(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as kept:
        shutil.copyfileobj(stream, kept, _PIECE_BYTES)
        kept.seek(0)
        yield kept


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what reading may raise into our errors."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"{name}: no such file") from error
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError(f"{name}: cannot be read: {error}") from error
