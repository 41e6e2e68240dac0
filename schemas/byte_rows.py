"""Columns of bytes of one length as matrices, a value a row, and back: both share the column's memory."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Rows = NDArray[np.uint8]
"""A matrix of bytes, a value a row."""


def rows_of(values: pl.Series, width: int) -> Rows:
    """Return the values as rows, not to be written to; none may be null.

    Raises:
        ValueError: They do not have `width` bytes each.
    """
    data = values.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, content = data.buffers()
    begin = int(np.frombuffer(ends, np.int64)[data.offset]) if len(data) else 0
    found = np.frombuffer(content or b"", np.uint8)[begin : begin + len(data) * width]
    if values.bin.size().sum() != found.size:
        raise ValueError(f"column {values.name}: expected {width} bytes in every row")
    return found.reshape(-1, width)


def series_of(name: str, rows: Rows) -> pl.Series:
    """Return rows as a column of bytes."""
    count, width = rows.shape
    ends = np.arange(0, (count + 1) * width, width, dtype=np.int64)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(rows))]
    return pl.Series(name, pa.Array.from_buffers(pa.large_binary(), count, buffers))
