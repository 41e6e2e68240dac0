"""An answer on stdout as a file of columns: the Arrow IPC stream format, or Parquet."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from auditstream.cli.context import Output
from auditstream.core.errors import RequestError

FORMS = (Output.ARROW, Output.PARQUET)
"""Forms that are bytes."""


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> object: ...


def refuse_terminal(form: Output | None) -> None:
    """Return unless bytes would go to a terminal, and put it out of order.

    Raises:
        RequestError: They would.
    """
    if form in FORMS and sys.stdout.isatty():
        hint = f"Lead it into a file: --output {form} > FILE."
        raise RequestError(f"--output {form}: is not for a terminal", hint=hint)


def write_batches(form: Output | None, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write batches to stdout as they come; Parquet is whole only at the end.

    Args:
        form: One of `FORMS`.
        schema: Of the batches.
        batches: The rows.
    """
    out = sys.stdout.buffer
    opened: Any = (
        pa.ipc.new_stream(out, schema)
        if form is Output.ARROW
        else pq.ParquetWriter(out, schema, compression="zstd")
    )
    with cast("AbstractContextManager[_Writer]", opened) as writer:
        for batch in batches:
            writer.write_batch(batch)
    out.flush()
