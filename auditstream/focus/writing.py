"""Rows as bytes of a file: CSV or Parquet, by way of Arrow, some thousand rows at a time.

CSV: RFC 4180 with LF, UTF-8 without a mark; null is nothing; a time ends in Z; a number has no exponent and
always a decimal point, since readers guess a column's type. Parquet: decimals of 18 places, times in UTC.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import IO, Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq

from auditstream.core.errors import InvariantError
from auditstream.focus.profile import arrow_schema, columns_of
from auditstream.focus.rows import Row

FileFormat = Literal["csv", "parquet"]

_GROUP_ROWS = 16_384  # of a Parquet row group: some ten megabytes of Python values


class CsvWriter:
    """Writes CSV.

    Args:
        stream: Where to; stays open.
        version: Version of FOCUS.
    """

    def __init__(self, stream: IO[bytes], version: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        self._names = tuple(column.name for column in columns_of(version))
        self._csv = csv.writer(self._text, lineterminator="\n")
        self._csv.writerow(self._names)

    def write(self, rows: Iterable[Row]) -> int:
        """Add rows, and return how many."""
        count = 0
        for row in rows:
            self._csv.writerow([_cell(row.get(name)) for name in self._names])
            count += 1
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.detach()


class ParquetWriter:
    """Writes Parquet; nothing is readable before the end.

    Args:
        stream: Where to; stays open.
        version: Version of FOCUS.
    """

    def __init__(self, stream: IO[bytes], version: str) -> None:
        self._schema = arrow_schema(version)
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def write(self, rows: Iterable[Row]) -> int:
        """Add rows, and return how many."""
        count = 0
        for row in rows:
            self._rows.append(row)
            count += 1
            if len(self._rows) >= _GROUP_ROWS:
                self._write_group()
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write_group()
        finally:
            self._writer.close()

    def _write_group(self) -> None:
        if self._rows:
            self._writer.write_batch(_batch(self._rows, self._schema))
            self._rows = []


WRITERS: dict[FileFormat, type[CsvWriter] | type[ParquetWriter]] = {
    "csv": CsvWriter,
    "parquet": ParquetWriter,
}


def _batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        try:
            columns.append(pa.array([row.get(field.name) for row in rows], field.type))
        except pa.ArrowInvalid as error:  # a number of more than 20 digits before the point
            raise InvariantError(f"{field.name}: {error}") from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            written = f"{value.normalize():f}" if value else "0"
            return written if "." in written else f"{written}.0"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return str(value)
