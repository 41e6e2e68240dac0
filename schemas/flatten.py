"""AuditEvent datums to flat columns, with exact polars types, and on to Arrow for the store.

`schemas.columns` says which columns there are; this file fills them. Maps are polars' own `Map` type, which
becomes a real Arrow map. A value of a family that the event does not have is null, lists and maps too.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.columns import COLUMNS, FAMILIES, AvroType, Column

Datum = Mapping[str, Any]
"""One decoded AuditEvent: field names to Python values, as fastavro gives them."""

_DTYPES: dict[AvroType, pl.DataType] = {
    "string": pl.String(),
    "enum": pl.String(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "bytes": pl.Binary(),
    "uuid": pl.Binary(),
    "timestamp-micros": pl.Datetime("us", "UTC"),
}


def dtype_of(column: Column) -> pl.DataType:
    """Return the polars type of a column: uuid is Binary (16 bytes as printed), an enum is String."""
    match column.avro_type:
        case "decimal":
            return pl.Decimal(column.precision, column.scale)
        case "array":
            return pl.List(_value_dtype(column))
        case "map":
            return pl.Map(pl.String(), _value_dtype(column))
        case "records":
            return pl.List(pl.Struct({member.name: dtype_of(member) for member in column.members}))
        case scalar:
            return _DTYPES[scalar]


def _value_dtype(column: Column) -> pl.DataType:
    assert column.values is not None
    return _DTYPES[column.values]


FRAME_SCHEMA: dict[str, pl.DataType] = {column.name: dtype_of(column) for column in COLUMNS}
"""Name and polars type of every flat column, in order."""


_ARROW_TYPES: dict[str, pa.DataType] = {
    name: pl.Series([], dtype=dtype).to_arrow(compat_level=pl.CompatLevel.oldest()).type
    for name, dtype in FRAME_SCHEMA.items()
}


def flatten_datum(datum: Datum) -> dict[str, Any]:
    """Return one datum's flat values by column name, every column present.

    A field that the datum lacks takes its Avro default; a field of an absent family is None. Values keep
    their Python types.
    """
    return {
        column.name: _value(column, datum if column.family is None else datum.get(column.family))
        for column in COLUMNS
    }


def _value(column: Column, holder: Datum | None) -> Any:
    """Return a column's value from what holds it: the datum, its family, or a record of a list."""
    if holder is None:
        return None
    value = holder.get(column.path[-1], column.default)
    if column.avro_type == "records" and value:
        return [{member.name: _value(member, item) for member in column.members} for item in value]
    return value


def frame_of(datums: Sequence[Datum]) -> pl.DataFrame:
    """Return the datums as one frame: a row each in their order, every column of `FRAME_SCHEMA`."""
    holders: dict[str | None, Sequence[Datum | None]] = {None: datums}
    holders |= {family: [datum.get(family) for datum in datums] for family in FAMILIES}
    used = {family for family, records in holders.items() if any(record is not None for record in records)}
    return pl.DataFrame(
        [
            _series(column, [_value(column, holder) for holder in holders[column.family]])
            if column.family in used
            else pl.repeat(None, len(datums), dtype=FRAME_SCHEMA[column.name], eager=True).alias(column.name)
            for column in COLUMNS
        ]
    )


def _series(column: Column, values: list[Any]) -> pl.Series:
    if column.avro_type == "uuid":
        values = [value.bytes if isinstance(value, uuid.UUID) else value for value in values]
    elif column.avro_type == "map":
        values = [None if value is None else list(value.items()) for value in values]
    # By way of Arrow: polars itself takes ten to fifty times as long for lists, maps and structs.
    return pl.Series(column.name, pa.array(values, type=_ARROW_TYPES[column.name]))


def to_arrow(frame: pl.DataFrame) -> pa.Table:
    """Return the frame as an Arrow table that ClickHouse's Arrow import takes.

    Maps arrive as Arrow maps. The uuid columns among `FRAME_SCHEMA` become fixed-size binary of 16 bytes as
    printed, because ClickHouse refuses variable-length binary for a UUID. Nulls stay: ClickHouse puts the
    default of a column that is not Nullable.
    """
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    for column in COLUMNS:
        if column.avro_type == "uuid" and column.name in frame.columns:
            index = frame.columns.index(column.name)
            table = table.set_column(index, column.name, table.column(index).cast(pa.binary(16)))
    return table
