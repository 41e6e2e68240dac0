"""Content codings: compressed bodies decompressed piece by piece, never past a size or a ratio."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from typing import Protocol

from auditstream.gateway.problems import RefusedError

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

_PIECE = 64 * 1024
_FREE_BYTES = 64 * 1024
"""Below this much output the ratio says nothing: a few repeated names compress well."""

_WINDOW_LOG = 23
"""Largest zstd window, 8 MiB: what RFC 8878 (3.1.1.1.2) asks every decoder for, and all that we allot."""


class Inflation(Protocol):
    """One body being decompressed."""

    def feed(self, data: bytes) -> bytes:
        """Return what the next bytes decompress to.

        Raises:
            RefusedError: It is not of the coding, or too much.
        """
        ...

    def finish(self) -> None:
        """Return when the body is complete.

        Raises:
            RefusedError: It breaks off.
        """
        ...


class _Bounds:
    """Counts what came in and went out, and refuses what is too much."""

    def __init__(self, most_bytes: int, most_ratio: int) -> None:
        self._most_bytes = most_bytes
        self._most_ratio = most_ratio
        self._given = 0
        self._made = 0

    def take(self, data: bytes) -> None:
        self._given += len(data)

    def made(self, piece: bytes) -> None:
        self._made += len(piece)
        if self._made > self._most_bytes:
            raise too_large(self._most_bytes)
        if self._made > max(_FREE_BYTES, self._most_ratio * self._given):
            raise RefusedError(
                "decompression_bomb",
                f"the body decompresses to more than {self._most_ratio} times its size",
                field="content-encoding",
            )

    @property
    def room(self) -> int:
        """How much to ask for next: one byte more than may come, so that too much is seen."""
        return min(_PIECE, self._most_bytes + 1 - self._made)


class _Gzip:
    """RFC 1952, members one after the other included."""

    def __init__(self, most_bytes: int, most_ratio: int) -> None:
        self._bounds = _Bounds(most_bytes, most_ratio)
        self._member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._is_begun = False

    def feed(self, data: bytes) -> bytes:
        self._bounds.take(data)
        pieces = []
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            self._is_begun = True
            try:
                piece = self._member.decompress(data, self._bounds.room)
            except zlib.error as error:
                raise _broken("gzip", error) from None
            self._bounds.made(piece)
            pieces.append(piece)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return b"".join(pieces)

    def finish(self) -> None:
        if self._is_begun and not self._member.eof:
            raise _cut("gzip")


class _Zstd:
    """RFC 8878, frames one after the other included."""

    def __init__(self, most_bytes: int, most_ratio: int) -> None:
        self._bounds = _Bounds(most_bytes, most_ratio)
        self._frame = self._new_frame()
        self._is_begun = False

    def feed(self, data: bytes) -> bytes:
        self._bounds.take(data)
        pieces = []
        while data or (self._is_begun and not self._frame.needs_input and not self._frame.eof):
            if self._frame.eof:
                self._frame = self._new_frame()
            self._is_begun = True
            try:
                piece = self._frame.decompress(data, self._bounds.room)
            except ZstdError as error:
                raise _broken("zstd", error) from None
            self._bounds.made(piece)
            pieces.append(piece)
            data = self._frame.unused_data if self._frame.eof else b""
        return b"".join(pieces)

    def finish(self) -> None:
        if self._is_begun and not self._frame.eof:
            raise _cut("zstd")

    @staticmethod
    def _new_frame() -> ZstdDecompressor:
        return ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})


class _Identity:
    def __init__(self, most_bytes: int, _most_ratio: int) -> None:
        self._most_bytes = most_bytes
        self._given = 0

    def feed(self, data: bytes) -> bytes:
        self._given += len(data)
        if self._given > self._most_bytes:
            raise too_large(self._most_bytes)
        return data

    def finish(self) -> None:
        """Every body is complete."""


_CODINGS: Mapping[str, type[_Gzip] | type[_Zstd] | type[_Identity]] = {
    "": _Identity,
    "identity": _Identity,
    "gzip": _Gzip,
    "x-gzip": _Gzip,  # RFC 9110, 8.4.1.3
    "zstd": _Zstd,
}
CODINGS = "gzip, zstd"
"""What a caller may choose, as in the header Accept-Encoding."""


def inflation_of(coding: str, *, most_bytes: int, most_ratio: int) -> Inflation:
    """Return what decompresses a body.

    Args:
        coding: Value of the header Content-Encoding.
        most_bytes: Largest decompressed body.
        most_ratio: Most bytes that one byte may stand for.

    Raises:
        RefusedError: The coding is not known.
    """
    kind = _CODINGS.get(coding.strip().lower())
    if kind is None:
        raise RefusedError(
            "unsupported_encoding",
            f"{coding[:64]!r} is not one content coding of {CODINGS}",
            field="content-encoding",
        )
    return kind(most_bytes, most_ratio)


def too_large(most_bytes: int) -> RefusedError:
    """Return the problem of a body that is too large."""
    return RefusedError("too_large", f"the body has more than {most_bytes:,} bytes")


def _broken(coding: str, error: Exception) -> RefusedError:
    return RefusedError("malformed", f"the body is not {coding}: {error}", field="content-encoding")


def _cut(coding: str) -> RefusedError:
    return RefusedError("malformed", f"the body breaks off within {coding}", field="content-encoding")
