"""What table `events` takes from a block: the event's columns and our own.

The migrations hold the table itself; a test compares the two. Types are checked here, to the letter, because
the store does not: its Arrow import turns text into numbers and wraps what is too large, and says nothing.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from auditstream.core.errors import InvariantError, StoreSchemaError
from auditstream.core.ports import Block
from schemas.flatten import FRAME_SCHEMA

OWN_SCHEMA: dict[str, pl.DataType] = {
    "tenant_claim": pl.String(),
    "attribution_method": pl.String(),
    "attribution_confidence": pl.Float32(),
    "attribution_filled": pl.UInt8(),
    "cost_currency": pl.String(),
    "cost_list": pl.Decimal(38, 12),
    "cost_contracted": pl.Decimal(38, 12),
    "cost_effective": pl.Decimal(38, 12),
    "cost_billed": pl.Decimal(38, 12),
    "price_basis": pl.String(),
    "cost_status": pl.String(),
    "price_book_revision": pl.String(),
    "computed_cost": pl.Decimal(38, 12),
    "computed_currency": pl.String(),
    "cost_difference": pl.Decimal(38, 12),
    "unpriced_reason": pl.String(),
    "unpriced_meter": pl.String(),
    "reference_revision": pl.UInt64(),
    "enricher_version": pl.UInt32(),
    "log_id": pl.String(),
    "segment_id": pl.String(),
    "leaf_index": pl.UInt64(),
    "leaf_kind": pl.UInt8(),
    "leaf_hash": pl.Binary(),
    "duplicate_of": pl.UInt64(),
    "same_call_as": pl.UInt64(),
    "kafka_topic": pl.String(),
    "kafka_partition": pl.Int32(),
    "kafka_offset": pl.Int64(),
    "kafka_timestamp": pl.Datetime("ms", "UTC"),
    "schema_id": pl.String(),
    "reject_reason": pl.String(),
    "reject_detail": pl.String(),
    "raw": pl.Binary(),
    "raw_null": pl.Boolean(),
    "ingest_day": pl.Date(),
}
"""Name and polars type of every column that is not the event's own."""

TABLE_SCHEMA: dict[str, pl.DataType] = {**FRAME_SCHEMA, **OWN_SCHEMA}
"""Name and polars type of every column that a block may have. A String may also be Categorical or Enum, in a
list of records too: text by number."""

REQUIRED = frozenset({
    "event_id", "log_id", "segment_id", "leaf_index", "leaf_kind", "leaf_hash",
    "kafka_topic", "kafka_partition", "kafka_offset", "kafka_timestamp", "ingest_day",
})  # fmt: skip
"""Columns without which a row is no leaf."""

GAP = 2
"""`leaf_kind` of the one row that stands for a segment of lost offsets."""

_SIZES = {"event_id": 16, "leaf_hash": 32}


def ingest_day_of(block: Block) -> date:
    """Return the day that the whole block goes to, after checking that the block fits the table.

    Raises:
        StoreSchemaError: A column is unknown, of another type, or required and missing; names it.
        InvariantError: The rows are not of one day and of the segment that the block names.
    """
    frame = block.frame
    for name, dtype in frame.schema.items():
        _require_type(name, dtype)
    for name in sorted(REQUIRED):
        if name not in frame.columns or frame[name].null_count():
            raise StoreSchemaError(f"column {name}: every row must have a value")
    for name, size in _SIZES.items():
        if not (frame[name].bin.size() == size).all():
            raise StoreSchemaError(f"column {name}: not {size} bytes in every row")
    _require_one(frame["segment_id"], block.segment_id)
    day: date = frame["ingest_day"][0]
    _require_one(frame["ingest_day"], day)
    return day


def spelt_out(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a block's frame with the types of `TABLE_SCHEMA`: no text by number."""
    return frame.cast({name: TABLE_SCHEMA[name] for name in frame.columns})


def _require_type(name: str, dtype: pl.DataType) -> None:
    expected = TABLE_SCHEMA.get(name)
    if expected is None:
        raise StoreSchemaError(f"column {name}: table events has none of that name")
    if dtype != expected and _spelt_out(dtype) != expected:
        raise StoreSchemaError(f"column {name}: {dtype}, but the table takes {expected}")


def _spelt_out(dtype: Any) -> Any:
    """Return a type with String for text by number."""
    match dtype:
        case pl.Categorical() | pl.Enum():
            return pl.String()
        case pl.List():
            return pl.List(_spelt_out(dtype.inner))
        case pl.Struct():
            return pl.Struct({field.name: _spelt_out(field.dtype) for field in dtype.fields})
        case _:
            return dtype


def _require_one(series: pl.Series, value: object) -> None:
    if not (series == value).all():
        raise InvariantError(f"column {series.name}: not {value} in every row of the block")
