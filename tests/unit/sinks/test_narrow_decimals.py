"""Decimals are sent in 64 bits where all of a column fit, and are the same ones."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from sinks.narrow_decimals import NarrowDecimals

MOST = Decimal("999999.999999999999")
STEP = Decimal("0.000000000001")


def amounts(*values: Decimal | None) -> pa.Array:
    return pl.Series(values, dtype=pl.Decimal(38, 12)).to_arrow()


@pytest.mark.parametrize(
    ("values", "width"),
    [
        ([Decimal("1.5"), Decimal(0), STEP], 64),
        ([MOST, -MOST], 64),
        ([MOST + STEP, Decimal(0)], 128),
        ([-MOST - STEP, Decimal(0)], 128),
        # The lower half of this one alone is 1.
        ([Decimal(2**64 + 1) * STEP, Decimal(0)], 128),
        ([Decimal(-(2**64) + 1) * STEP, Decimal(0)], 128),
        ([None, -STEP, Decimal(2)], 64),
        ([None, None], 64),
        ([], 128),
    ],
)
def test_a_column_is_narrow_where_all_of_it_fits(values: list[Decimal | None], width: int) -> None:
    made = NarrowDecimals().of(amounts(*values))

    assert made.to_pylist() == values
    assert made.type.bit_width == width
    made.validate(full=True)


@pytest.mark.parametrize("values", [[STEP, Decimal(2), Decimal(3)], [STEP, None, Decimal(3)]])
def test_a_part_of_a_column_is_that_part(values: list[Decimal | None]) -> None:
    part = amounts(*values).slice(1)

    assert NarrowDecimals().of(part).to_pylist() == values[1:]


def test_a_column_over_the_memory_of_another_is_made_once_and_parts_of_it_are_their_own() -> None:
    whole, narrow = amounts(STEP, Decimal(2), Decimal(3)), NarrowDecimals()

    assert narrow.of(whole) is narrow.of(whole)
    assert narrow.of(whole.slice(1)).to_pylist() == [2, 3]
    assert narrow.of(whole.slice(0, 2)).to_pylist() == [STEP, 2]


def test_a_column_that_is_gone_is_not_taken_for_one_in_its_place() -> None:
    narrow = NarrowDecimals()

    for number in range(50):
        assert narrow.of(amounts(Decimal(number))).to_pylist() == [number]
