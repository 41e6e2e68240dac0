"""The forms that events are exported in: what a part's file is, and what standard it keeps."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from auditstream.core.errors import RequestError
from auditstream.core.values import as_line, as_text
from auditstream.exports.cloud_event import cloud_event_of
from auditstream.exports.ocsf.event import OCSF_VERSION, ocsf_of
from auditstream.exports.records import Record, records_of
from auditstream.query.event_rows import SCHEMA

_AT_ONCE = 2_000
"""Rows that are Python values at the same time: some 20 MB of them."""


class PartWriter(Protocol):
    """Writes one file of an export; `close` makes it whole and leaves the stream open."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch."""
        ...

    def close(self) -> None:
        """Write what is still to be written."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """A form of export.

    Attributes:
        name: As a caller names it, and as the record of exports does.
        suffix: Of its files.
        media_type: Of its files.
        schema: What the manifest says of the schema: the standard and its version.
        open: Makes the writer of one file.
    """

    name: str
    suffix: str
    media_type: str
    schema: Mapping[str, str]
    open: Callable[[IO[bytes]], PartWriter]


class _Lines:
    """Writes a JSON text a line."""

    def __init__(self, stream: IO[bytes], document: Callable[[Record], Mapping[str, Any]]) -> None:
        self._stream = stream
        self._document = document

    def write(self, batch: pa.RecordBatch) -> None:
        for rows in _slices(batch):
            lines = [f"{as_line(self._document(record))}\n" for record in records_of(rows)]
            self._stream.write("".join(lines).encode())

    def close(self) -> None:
        self._stream.flush()


class _Csv:
    """Writes CSV (RFC 4180 with LF): a header, and a line a row; lists and maps are JSON."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        self._csv = csv.writer(self._text, lineterminator="\n")
        self._csv.writerow(SCHEMA.names)

    def write(self, batch: pa.RecordBatch) -> None:
        for rows in _slices(batch):
            self._csv.writerows(
                [as_text(record.get(name)) for name in SCHEMA.names] for record in records_of(rows)
            )

    def close(self) -> None:
        self._text.detach()


class _Parquet:
    """Writes Parquet, compressed with zstd; a row group a batch."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._writer = pq.ParquetWriter(stream, SCHEMA, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (batch.slice(first, _AT_ONCE) for first in range(0, batch.num_rows, _AT_ONCE))


def _columns(record: Record) -> Record:
    return record


DOCUMENTS: Mapping[str, Callable[[Record], Mapping[str, Any]]] = {
    "jsonl": _columns,
    "ocsf": ocsf_of,
    "cloudevents": cloud_event_of,
}
"""What a record is in the forms that are a JSON object an event."""


def _lines(form: str) -> Callable[[IO[bytes]], PartWriter]:
    return lambda stream: _Lines(stream, DOCUMENTS[form])


_RECORD = {"name": "auditstream events", "columns": f"{len(SCHEMA)}"}
_JSON_LINES = "application/x-ndjson"

FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form("parquet", "parquet", "application/vnd.apache.parquet", _RECORD, _Parquet),
        Form("csv", "csv", "text/csv", _RECORD, _Csv),
        Form("jsonl", "jsonl", _JSON_LINES, _RECORD, _lines("jsonl")),
        Form(
            "ocsf",
            "jsonl",
            _JSON_LINES,
            {"name": "OCSF", "version": OCSF_VERSION},
            _lines("ocsf"),
        ),
        Form(
            "cloudevents",
            "jsonl",
            _JSON_LINES,
            {"name": "CloudEvents", "version": "1.0"},
            _lines("cloudevents"),
        ),
    )
}
"""Every form by name."""


def form_named(name: str) -> Form:
    """Return a form.

    Raises:
        RequestError: There is none of the name.
    """
    if name not in FORMS:
        raise RequestError(f"form {name!r}: there is no such form", hint=f"There is {', '.join(FORMS)}.")
    return FORMS[name]
