"""A block as the store receives it: Arrow IPC bytes of the columns that say something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl
import pyarrow as pa

from schemas.emptiness import is_empty
from schemas.flatten import to_arrow

Compression = Literal["lz4"] | None
"""Codec of the Arrow buffers; none where the store is on this machine."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of one insert.

    Attributes:
        columns: Names of the columns in the body, in its order.
        body: An Arrow IPC stream of one record batch.
    """

    columns: list[str]
    body: memoryview


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
    table = to_arrow(kept.with_columns(deadline.alias("insert_by")))
    return Payload(list(table.column_names), memoryview(_ipc_stream(table, compression)))


def _ipc_stream(table: pa.Table, compression: Compression) -> pa.Buffer:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    if compression is not None:
        grown = pa.BufferOutputStream()
        _write(grown, table, options)
        return grown.getvalue()
    # Measuring first costs next to nothing and halves the time: a buffer that grows is copied over and over.
    measure = pa.MockOutputStream()
    _write(measure, table, options)
    buffer = pa.allocate_buffer(measure.size())
    _write(pa.FixedSizeBufferWriter(buffer), table, options)
    return buffer


def _write(sink: pa.NativeFile, table: pa.Table, options: pa.ipc.IpcWriteOptions) -> None:
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
