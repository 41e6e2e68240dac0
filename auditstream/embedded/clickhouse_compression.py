"""Content codings of HTTP bodies, piece by piece: gzip, deflate, lz4 (frames) and zstd."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import lz4.frame
from backports import zstd

from auditstream.embedded.clickhouse_errors import ErrorNumber, refusal

_ZLIB_FORMAT = 15
_GZIP_FORMAT = 31  # zlib's number for its largest window in a gzip wrapper
_FAST = 1  # for loopback, where bytes are cheaper than time


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Compressor(Protocol):
    """Compresses one answer."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what of the coded answer is ready after `data`."""
        ...

    def flush(self) -> bytes:
        """Return the rest; the answer is complete."""
        ...


class _Lz4Frame:
    """An LZ4 frame with the interface of the other codings, whose header comes with the first data."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._header = bytes(self._frame.begin())

    def compress(self, data: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        header, self._header = self._header, b""
        return header + bytes(self._frame.flush())


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP_FORMAT),
    "deflate": lambda: zlib.decompressobj(_ZLIB_FORMAT),
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
}
# The order is ours where a client takes several: fastest first.
_COMPRESSORS: dict[str, Callable[[], Compressor]] = {
    "lz4": _Lz4Frame,
    "zstd": lambda: zstd.ZstdCompressor(level=_FAST),
    "gzip": lambda: zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP_FORMAT),
    "deflate": lambda: zlib.compressobj(_FAST, zlib.DEFLATED, _ZLIB_FORMAT),
}


def accepted_coding(accept_encoding: str) -> str | None:
    """Return the content coding to answer with, or None for none.

    Args:
        accept_encoding: The request's header; codings with `q=0` are not taken, other weights are not ranked.
    """
    offered = set()
    for part in accept_encoding.split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            offered.add(name.strip().lower())
    return next((name for name in _COMPRESSORS if name in offered), None)


def compressor(coding: str) -> Compressor:
    """Return a new compressor of an accepted coding."""
    return _COMPRESSORS[coding]()


async def decoded(body: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """Yield the pieces of a request's body without its content coding.

    Raises:
        QueryError: 89, an unknown coding; 271, bytes that are not of the coding or end too early.
    """
    if coding in ("", "identity"):
        async for piece in body:
            yield piece
        return
    if coding not in _DECOMPRESSORS:
        raise refusal(
            ErrorNumber.UNKNOWN_COMPRESSION_METHOD, f"Unknown compression method of the body: {coding}."
        )
    decompressor = _DECOMPRESSORS[coding]()
    async for piece in body:
        rest: bytes | None = piece
        while rest:
            if decompressor.eof:  # members and frames may follow each other
                decompressor = _DECOMPRESSORS[coding]()
            try:
                plain = decompressor.decompress(rest)
            except (zlib.error, zstd.ZstdError, RuntimeError) as error:
                raise refusal(ErrorNumber.CANNOT_DECOMPRESS, f"The body is not {coding}: {error}.") from error
            rest = decompressor.unused_data if decompressor.eof else None
            if plain:
                yield plain
    if not decompressor.eof:
        raise refusal(ErrorNumber.CANNOT_DECOMPRESS, f"The body ends before its {coding} data does.")
