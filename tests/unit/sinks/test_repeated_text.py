"""Text that is the same in every row is sent once, and nothing else of the body is another one."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from schemas.flatten import FRAME_SCHEMA, to_arrow
from sinks.repeated_text import with_repeated_text


def line(**fields: Any) -> dict[str, Any]:
    return {"currency": "USD", "meter": "text", "price_id": "p/1", "quantity": 3, **fields}


def frame_of(costs: list[Any], **columns: list[Any]) -> pl.DataFrame:
    series = pl.Series("costs", costs, dtype=FRAME_SCHEMA["costs"])
    return pl.DataFrame([series, *(pl.Series(name, values) for name, values in columns.items())])


def assert_same(frame: pl.DataFrame) -> pa.Table:
    table = with_repeated_text(frame)
    plain = to_arrow(frame)
    assert sorted(table.column_names) == sorted(plain.column_names)
    for name in plain.column_names:
        assert table[name].to_pylist() == plain[name].to_pylist()
    table.validate(full=True)
    return table


def is_sent_once(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind))


@pytest.mark.parametrize(
    ("values", "once"),
    [(["x", "x", "x"], True), (["x", "y", "x"], False), (["x", None, "x"], False), ([None] * 3, False)],
)
def test_a_column_is_sent_once_where_every_row_says_the_same(values: list[Any], once: bool) -> None:
    table = assert_same(frame_of([[line()], [], [line()]], log_id=values, leaf_index=[1, 2, 3]))

    assert is_sent_once(table.schema.field("log_id").type) is once


def test_a_field_of_cost_lines_is_sent_once_where_every_line_says_the_same() -> None:
    table = assert_same(frame_of([[line(), line(meter="audio")], [], [line(price_id=None)]]))

    fields = {field.name: field.type for field in table.schema.field("costs").type.value_type}
    assert is_sent_once(fields["currency"])
    assert not any(map(is_sent_once, (fields["meter"], fields["price_id"], fields["source"])))


@pytest.mark.parametrize(("start", "length"), [(0, 2), (1, 2), (2, 3), (4, 1), (0, 0)])
def test_a_part_of_a_frame_brings_its_own_lines(start: int, length: int) -> None:
    costs = [[line(currency="EUR")], [line(), line(quantity=4)], [], [line(price_id="p/2")], [line()]]

    assert_same(frame_of(costs, log_id=["a", "b", "b", "b", "b"]).slice(start, length))


@pytest.mark.parametrize("costs", [[[line()], None], [[line(), None], [line()]], [None, [line()]]])
def test_rows_and_lines_that_are_null_stay_null(costs: list[Any]) -> None:
    assert_same(frame_of(costs))
