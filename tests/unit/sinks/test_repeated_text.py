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
        expected = plain[name].to_pylist()
        assert (without_nulls if name == "costs" else list)(table[name].to_pylist()) == (
            without_nulls(expected) if name == "costs" else expected
        )
    table.validate(full=True)
    return table


def without_nulls(costs: list[Any]) -> list[Any]:
    """Lines without the fields that they do not have: what is not sent is null."""
    return [
        lines
        and [line and {name: value for name, value in line.items() if value is not None} for line in lines]
        for lines in costs
    ]


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
    assert not any(map(is_sent_once, (fields["meter"], fields["price_id"])))


def test_a_field_that_no_line_has_is_not_sent() -> None:
    table = assert_same(frame_of([[line(), line(direction="input")], [], [line()]]))

    sent = {field.name for field in table.schema.field("costs").type.value_type}
    assert sent == {"currency", "meter", "price_id", "quantity", "direction"}


@pytest.mark.parametrize(("start", "length"), [(0, 2), (1, 2), (2, 3), (4, 1), (0, 0)])
def test_a_part_of_a_frame_brings_its_own_lines(start: int, length: int) -> None:
    costs = [[line(currency="EUR")], [line(), line(quantity=4)], [], [line(price_id="p/2")], [line()]]

    assert_same(frame_of(costs, log_id=["a", "b", "b", "b", "b"]).slice(start, length))


@pytest.mark.parametrize("costs", [[[line()], None], [[line(), None], [line()]], [None, [line()]]])
def test_rows_and_lines_that_are_null_stay_null(costs: list[Any]) -> None:
    assert_same(frame_of(costs))


def numbered(*lines: dict[str, Any], texts: list[str]) -> pl.DataFrame:
    """Return a row a line, whose price ids are by number."""
    costs = pl.Series("costs", [[each] for each in lines], dtype=FRAME_SCHEMA["costs"])
    fields = {field.name: field.dtype for field in FRAME_SCHEMA["costs"].inner.fields}  # type: ignore[attr-defined]
    return costs.to_frame().cast(pl.List(pl.Struct(fields | {"price_id": pl.Enum(texts)})))


@pytest.mark.parametrize(("start", "length"), [(0, 4), (1, 2), (3, 1)])
def test_text_that_has_numbers_is_sent_by_them(start: int, length: int) -> None:
    frame = numbered(line(), line(price_id=None), line(price_id="p/2"), line(), texts=["p/2", "p/1"])
    part = frame.slice(start, length)

    table = with_repeated_text(part)

    kind = table.schema.field("costs").type.value_type.field("price_id").type
    assert is_sent_once(kind) is (length > 1), "one line is shorter than all the texts"
    assert_same(part.cast({"costs": FRAME_SCHEMA["costs"]}))
    sent = [[each["price_id"] for each in lines] for lines in table["costs"].to_pylist()]
    assert sent == [["p/1"], [None], ["p/2"], ["p/1"]][start : start + length]
