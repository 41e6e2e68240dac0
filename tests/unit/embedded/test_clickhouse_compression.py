"""Bodies are decoded piece by piece, whatever the pieces are, and refused when they are damaged."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterable

import lz4.frame
import pytest
from backports import zstd

from auditstream.embedded.clickhouse_compression import accepted_coding, compressor, decoded
from auditstream.embedded.clickhouse_errors import QueryError

DATA = bytes(range(256)) * 4_000
CODINGS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "lz4": (lz4.frame.compress, lz4.frame.decompress),
    "zstd": (zstd.compress, zstd.decompress),
}


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield `data` in pieces of `size` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def joined(body: AsyncIterator[bytes]) -> bytes:
    """Return all pieces."""
    return b"".join([piece async for piece in body])


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [1, 7, 1_000, 10_000_000])
async def test_a_body_is_decoded_from_pieces_of_any_size(coding: str, size: int) -> None:
    body = CODINGS[coding][0](DATA)[:] if size > 1 else CODINGS[coding][0](DATA[:2_000])
    expected = DATA if size > 1 else DATA[:2_000]

    assert await joined(decoded(pieces(body, size), coding)) == expected


@pytest.mark.parametrize("coding", CODINGS)
async def test_frames_may_follow_each_other(coding: str) -> None:
    code = CODINGS[coding][0]
    body = code(b"first ") + code(b"second ") + code(b"third")

    for size in (1, 5, 1_000):
        assert await joined(decoded(pieces(body, size), coding)) == b"first second third"


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_body_that_ends_early_is_an_error(coding: str) -> None:
    body = CODINGS[coding][0](DATA)[:-3]

    with pytest.raises(QueryError) as caught:
        await joined(decoded(pieces(body, 1_000), coding))

    assert caught.value.number == 271


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("body", [b"not coded at all", b""])
async def test_a_body_of_another_kind_is_an_error(coding: str, body: bytes) -> None:
    with pytest.raises(QueryError) as caught:
        await joined(decoded(pieces(body, 1_000), coding))

    assert caught.value.number == 271


async def test_an_unknown_coding_is_an_error() -> None:
    with pytest.raises(QueryError) as caught:
        await joined(decoded(pieces(b"x", 1), "snappy"))

    assert caught.value.number == 89


@pytest.mark.parametrize("coding", ["", "identity"])
async def test_no_coding_is_a_coding(coding: str) -> None:
    assert await joined(decoded(pieces(DATA, 1_000), coding)) == DATA


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("parts", [[], [b"one"], [DATA, b"", DATA[:10]]])
def test_an_answer_is_coded_as_others_decode_it(coding: str, parts: Iterable[bytes]) -> None:
    coder = compressor(coding)

    coded = b"".join([coder.compress(part) for part in parts] + [coder.flush()])

    assert CODINGS[coding][1](coded) == b"".join(parts)


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd, lz4", "lz4"),
        ("lz4;q=0, zstd;q=0.1", "zstd"),
        ("lz4; q=0.0", None),
        ("*", None),
    ],
)
def test_the_fastest_coding_that_the_client_takes_is_used(header: str, coding: str | None) -> None:
    assert accepted_coding(header) == coding
