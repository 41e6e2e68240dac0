"""The body of an insert: one batch, only the columns that say something, nothing changed."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from schemas.emptiness import is_empty
from sinks.columns import TABLE_SCHEMA
from sinks.payload import Payload, encode
from tests.support.blocks import block_of


def table_in(payload: Payload) -> pa.Table:
    with pa.ipc.open_stream(b"".join(payload.pieces())) as reader:
        batches = list(reader)
        assert len(batches) == 1
        return pa.Table.from_batches(batches)


@pytest.mark.parametrize("compression", [None, "lz4"])
def test_the_body_is_one_batch_with_the_rows_and_the_deadline(compression: Any) -> None:
    frame = block_of(rows=4, attributes=[{"a": "b"}, {}, {}, {}]).frame

    payload = encode(frame, 1_800_000_000.5, compression)

    table = table_in(payload)
    assert table.column_names == payload.columns
    assert table.num_rows == 4
    assert table["attributes"].to_pylist() == [[("a", "b")], [], [], []]
    assert {moment.timestamp() for moment in table["insert_by"].to_pylist()} == {1_800_000_000.5}


def test_the_deadline_is_never_later_than_asked_for() -> None:
    table = table_in(encode(block_of(rows=1).frame, 1_800_000_000.9999))

    assert table["insert_by"].to_pylist()[0].timestamp() == 1_800_000_000.999


def test_columns_that_are_wholly_empty_are_left_out() -> None:
    frame = block_of(rows=2, tool_name="", actor_roles=[[], None], attributes=None, severity=0).frame

    columns = encode(frame, 0).columns

    assert not {"tool_name", "actor_roles", "attributes", "duplicate_of"} & set(columns)
    assert {"severity", "event_id", "leaf_kind", "insert_by"} <= set(columns)


def test_a_frame_of_several_chunks_is_still_one_batch() -> None:
    frame = pl.concat([block_of(lo=0).frame, block_of(lo=3).frame], rechunk=False)
    assert frame.n_chunks() == 2

    assert table_in(encode(frame, 0)).num_rows == 6


@pytest.mark.parametrize(
    ("column", "empty", "full"),
    [
        ("source", ["", None], ["", "x"]),
        ("raw", [b"", None], [b"", b"\x00"]),
        ("actor_roles", [[], None], [[], [""]]),
        ("attributes", [{}, None], [{}, {"": ""}]),
        ("costs", [[], None], None),
        ("duplicate_of", [None, None], [None, 0]),
        ("inference_stream", [None, None], [None, False]),
    ],
)
def test_empty_is_what_the_table_would_fill_in(column: str, empty: list[Any], full: list[Any] | None) -> None:
    assert is_empty(pl.Series(empty, dtype=TABLE_SCHEMA[column]))
    assert full is None or not is_empty(pl.Series(full, dtype=TABLE_SCHEMA[column]))


def test_categories_with_values_are_not_empty() -> None:
    assert not is_empty(pl.Series(["a", None], dtype=pl.Categorical))
