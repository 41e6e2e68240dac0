"""A block as the store receives it: Arrow IPC bytes of the columns that say something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl
import pyarrow as pa

from schemas.emptiness import is_empty
from sinks.repeated_text import with_repeated_text

Compression = Literal["lz4"] | None
"""Codec of the Arrow buffers; none where the store is on this machine."""

_PIECE_BYTES = 256 * 1024
"""Bytes handed to the driver at a time: few enough to stay in the cache while they are copied."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of one insert.

    Attributes:
        columns: Names of the columns in the body, in its order.
        buffers: An Arrow IPC stream of one record batch, in parts. The columns' own memory, not a copy: a
            body of hundreds of megabytes would be fetched from the system page by page, and given back.
    """

    columns: list[str]
    buffers: list[pa.Buffer]

    def pieces(self) -> Iterator[bytes]:
        """Yield the stream in pieces of a size to send.

        A piece seldom ends where a buffer ends: the engine in the process skips what pads a buffer by a seek
        where that was not read together with the buffer, and refuses the insert when it reads from a pipe.
        """
        parts: list[memoryview] = []
        lacking = _PIECE_BYTES
        for buffer in self.buffers:
            rest = memoryview(buffer)
            while rest:
                parts.append(rest[:lacking])
                rest, lacking = rest[lacking:], lacking - len(parts[-1])
                if not lacking:
                    yield b"".join(parts)
                    parts, lacking = [], _PIECE_BYTES
        yield b"".join(parts)


def encode(frame: pl.DataFrame, insert_by_s: float, compression: Compression = None) -> Payload:
    """Return the frame's columns that are not wholly empty, and `insert_by`, as one Arrow record batch.

    What is left out is filled by the table's default, so that rare families cost nothing in blocks without
    them. One batch, because the store cuts its blocks along batches.

    Args:
        frame: Rows of `sinks.columns.TABLE_SCHEMA`.
        insert_by_s: Seconds since the epoch; rounded down to milliseconds, never later than asked for.
        compression: Codec of the Arrow buffers.
    """
    kept = frame.select([series for series in frame if not is_empty(series)]).rechunk()
    deadline = pl.lit(int(insert_by_s * 1000), pl.Int64).cast(pl.Datetime("ms", "UTC"))
    table = with_repeated_text(kept.with_columns(deadline.alias("insert_by")))
    return Payload(list(table.column_names), _ipc_stream(table, compression))


def _ipc_stream(table: pa.Table, compression: Compression) -> list[pa.Buffer]:
    kept = _Kept()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (
        pa.PythonFile(kept, mode="w") as sink,
        pa.ipc.new_stream(sink, table.schema, options=options) as writer,
    ):
        writer.write_table(table)
    return kept.buffers


class _Kept:
    """A file that keeps what is written to it, as it is."""

    closed = False

    def __init__(self) -> None:
        self.buffers: list[pa.Buffer] = []

    def write(self, data: pa.Buffer | bytes) -> int:
        self.buffers.append(pa.py_buffer(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing to close."""
