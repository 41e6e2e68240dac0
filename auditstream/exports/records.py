"""Rows of a batch as records that have only what the row has: no nulls, no empty texts, lists or maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from auditstream.core.clock import EPOCH
from schemas.columns import COLUMNS, Column

Record = Mapping[str, Any]
"""Values of a row by column; money is Decimal, times have a zone, maps are dicts."""


def records_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Yield the rows of a batch as records.

    `observed_time` is left out where it is the epoch, which says that nobody observed the event.
    """
    filled = [(name, values) for name in batch.schema.names if (values := _values(batch, name)) is not None]
    for index in range(batch.num_rows):
        record = {}
        for name, values in filled:
            value = values[index]
            if value is not None and value not in ("", [], {}):
                record[name] = value
        if record.get("observed_time") == EPOCH:
            del record["observed_time"]
        yield record


def _values(batch: pa.RecordBatch, name: str) -> list[Any] | None:
    """Return a column's values, None where no row has one: most columns of a batch are such."""
    column = batch.column(name)
    if column.null_count == len(column):
        return None
    values: list[Any] = column.to_pylist()
    if pa.types.is_map(column.type):
        values = [None if value is None else dict(value) for value in values]
    return values if any(value is not None and value not in ("", [], {}) for value in values) else None


def datum_of(record: Record) -> dict[str, Any]:
    """Return the fields of the AuditEvent in a record, families as the contract has them.

    The tenant and the cost lines are those of the record, which the recorder gave it. Sealed boxes are not in
    a record, so the key that sealed them is not named either.
    """
    datum: dict[str, Any] = {}
    for column in COLUMNS:
        if column.name in record and column.name != "seal_key_id":
            holder = datum if column.family is None else datum.setdefault(column.family, {})
            holder[column.path[-1]] = _value(column, record[column.name])
    return datum


def _value(column: Column, value: Any) -> Any:
    if column.avro_type == "records":
        return [{name: item for name, item in line.items() if item is not None} for line in value]
    return value
