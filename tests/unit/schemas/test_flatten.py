"""Datums become flat columns with exact types, and Arrow that a store can take."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from schemas.columns import COLUMNS
from schemas.flatten import FRAME_SCHEMA, flatten_datum, frame_of, to_arrow
from tests.support.events import COST_LINE, EVENT_ID, event, full_cost, full_event

DTYPES: dict[str, pl.DataType] = {
    "event_id": pl.Binary(),
    "event_type": pl.String(),
    "event_time": pl.Datetime("us", "UTC"),
    "duration_us": pl.Int64(),
    "http_status": pl.Int32(),
    "outcome": pl.String(),
    "inference_temperature": pl.Float64(),
    "inference_stream": pl.Boolean(),
    "actor_roles": pl.List(pl.String()),
    "attributes": pl.Map(pl.String(), pl.String()),
    "sealed": pl.Map(pl.String(), pl.Binary()),
    "usage_by_modality": pl.Map(pl.String(), pl.Int64()),
    "budget_limit": pl.Decimal(38, 12),
}


def test_columns_have_their_exact_types() -> None:
    assert {name: FRAME_SCHEMA[name] for name in DTYPES} == DTYPES
    assert frame_of([event()]).schema == FRAME_SCHEMA
    assert frame_of([]).schema == FRAME_SCHEMA


def test_a_full_event_fills_every_column() -> None:
    frame = frame_of([full_event()])

    assert [name for name in frame.columns if frame[name].null_count()] == []
    assert frame["event_id"].to_list() == [EVENT_ID.bytes]
    assert frame["inference_request_model"].to_list() == ["gpt-4o"]
    assert frame["input_tokens"].to_list() == [1200]
    assert frame["budget_limit"].to_list() == [Decimal("1000.000000000001")]
    assert frame["sealed"].to_list() == [{"prompt": b"\x00\xff\x10"}]


def test_a_cost_line_keeps_every_digit() -> None:
    line = frame_of([full_event()])["costs"][0].to_list()[0]

    assert line == full_cost()
    assert str(line["list_unit_price"]) == "0.000002500000000001"


def test_a_cost_line_of_an_older_writer_takes_the_defaults_of_what_it_lacks() -> None:
    line = frame_of([event(costs=[COST_LINE])])["costs"][0].to_list()[0]

    assert line == dict.fromkeys(full_cost()) | COST_LINE | {"source": "UNKNOWN"}


def test_an_absent_family_is_null_and_an_absent_field_its_default() -> None:
    row = flatten_datum(event(tool={"name": "search"}))

    assert row["tool_name"] == "search"
    assert row["tool_side_effect"] == "UNKNOWN"
    assert row["tool_type"] is None
    assert row["inference_finish_reasons"] is None
    assert row["actor_roles"] == []
    assert row["observed_time"] == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_family_that_is_null_reads_like_one_that_is_absent() -> None:
    assert flatten_datum(event(tool=None)) == flatten_datum(event())


def test_rows_keep_their_order() -> None:
    frame = frame_of([event(source_seq=seq) for seq in (3, 1, 2)])

    assert frame["source_seq"].to_list() == [3, 1, 2]


def test_arrow_has_real_maps_and_sixteen_byte_uuids() -> None:
    table = to_arrow(frame_of([full_event(), event()]))

    assert pa.types.is_map(table.schema.field("attributes").type)
    assert pa.types.is_map(table.schema.field("usage_by_modality").type)
    assert table.schema.field("event_id").type == pa.binary(16)
    assert table.column("attributes").to_pylist()[0] == [("region", "eu"), ("ümlaut", "ß")]
    assert table.column("event_id").to_pylist() == [EVENT_ID.bytes] * 2
    assert table.column_names == [column.name for column in COLUMNS]


@pytest.mark.parametrize("kept", [["attributes"], ["source", "event_id"]])
def test_arrow_takes_a_part_of_the_columns_in_any_order(kept: list[str]) -> None:
    table = to_arrow(frame_of([event()]).select(kept, extra=pl.lit(1)))

    assert table.column_names == [*kept, "extra"]


def test_a_uuid_that_is_not_sixteen_bytes_never_reaches_the_store() -> None:
    frame: Any = pl.DataFrame({"event_id": [b"short"]})

    with pytest.raises(pa.ArrowInvalid):
        to_arrow(frame)
