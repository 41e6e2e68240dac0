"""Flattening keeps every field, and agrees with a columnar decoder that shares no code with it."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import polars as pl
import polars_avro
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.columnar import ColumnarReader
from schemas.columns import COLUMNS, FAMILIES, TOKEN_COUNTS
from schemas.contract import violation, violations_in
from schemas.flatten import FRAME_SCHEMA, flatten_datum, frame_of
from schemas.packaged import parsed_schema, schema_json
from tests.support.avro_strategies import events
from tests.support.events import full_event
from tests.support.examples import examples

BLOCKS = st.lists(events(), min_size=1, max_size=3)
QUICK = settings(max_examples=examples(30), deadline=None)
READER = ColumnarReader(schema_json("audit_event"))


def _unflattened(row: dict[str, Any]) -> dict[str, Any]:
    """Return the datum of a flat row; a family whose columns are all null is absent."""
    datum: dict[str, Any] = dict.fromkeys(FAMILIES)
    for column in COLUMNS:
        value = row[column.name]
        if column.family is None:
            datum[column.name] = value
        elif value is not None:
            datum[column.family] = (datum[column.family] or {}) | {column.path[-1]: value}
    return datum


def _without_nulls(datum: dict[str, Any]) -> dict[str, Any]:
    families = {name: datum[name] for name in FAMILIES if datum[name] is not None}
    stated = {name: {k: v for k, v in family.items() if v is not None} for name, family in families.items()}
    return datum | {name: family or None for name, family in stated.items()}


@QUICK
@given(block=BLOCKS)
def test_every_field_is_found_again(block: list[dict[str, Any]]) -> None:
    rows = frame_of(block).to_dicts()

    as_bytes = [event | {"event_id": event["event_id"].bytes} for event in block]
    assert [_unflattened(row) for row in rows] == [_without_nulls(event) for event in as_bytes]
    assert [_unflattened(flatten_datum(event)) for event in block] == [
        _without_nulls(event) for event in block
    ]


@QUICK
@given(block=BLOCKS)
def test_a_columnar_decoder_gives_the_same_frame(block: list[dict[str, Any]]) -> None:
    container = io.BytesIO()
    fastavro.writer(container, parsed_schema("audit_event"), block)
    container.seek(0)

    frame = polars_avro.read_avro(container)
    for family in FAMILIES:
        frame = frame.unnest(family, separator="_")
    frame = frame.rename({f"usage_{name}": name for name in TOKEN_COUNTS})

    assert_frame_equal(frame.select(*FRAME_SCHEMA).cast(FRAME_SCHEMA), frame_of(block))  # type: ignore[arg-type]


@QUICK
@given(blocks=st.lists(BLOCKS, min_size=1, max_size=5))
def test_the_columnar_reader_gives_the_same_frame_whatever_it_read_before(
    blocks: list[list[dict[str, Any]]],
) -> None:
    for block in blocks:
        data = []
        for event in block:
            stream = io.BytesIO()
            fastavro.schemaless_writer(stream, parsed_schema("audit_event"), event)
            data.append(stream.getvalue())

        assert_frame_equal(READER.read(data), frame_of(block))


@QUICK
@given(event=events())
def test_the_contract_judges_an_event_and_its_row_alike(event: dict[str, Any]) -> None:
    found = violations_in(frame_of([event, full_event()]))

    assert found.get(0) == violation(event)
    assert 1 not in found


def test_the_frame_schema_is_the_order_of_the_columns() -> None:
    assert list(FRAME_SCHEMA) == [column.name for column in COLUMNS]
    assert all(isinstance(dtype, pl.DataType) for dtype in FRAME_SCHEMA.values())
