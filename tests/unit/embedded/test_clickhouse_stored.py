"""Stored blocks are a zstd frame that any reader of zstd takes, and hold the rows as they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from auditstream.embedded.clickhouse_stored import FRAME_START, LAST_BLOCK, stored

PIECES = [
    [],
    [b""],
    [b"one row"],
    [b"a" * 131_071, b"b" * 131_072, b"c" * 131_073],
    [bytes(range(256)) * 4_000, b"", b"end"],
]


@pytest.mark.parametrize("pieces", PIECES, ids=["none", "empty", "short", "around a block", "many blocks"])
def test_a_reader_of_zstd_finds_the_rows(pieces: list[bytes]) -> None:
    frame = b"".join([FRAME_START, *(block for piece in pieces for block in stored(piece)), LAST_BLOCK])

    with pa.CompressedInputStream(pa.BufferReader(frame), "zstd") as read:
        assert b"".join(pieces) == read.read()
