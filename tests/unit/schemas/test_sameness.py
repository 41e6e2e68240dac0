"""A column says one thing when all of its rows do."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.sameness import says_one


@pytest.mark.parametrize(
    ("values", "same"),
    [
        (["x", "x", "x"], True),
        (["x"], True),
        (["x", "y", "x"], False),
        (["x", "x", "y"], False),
        (["x", None, "x"], False),
        ([None, None], False),
        ([], False),
    ],
)
def test_a_column_says_one_thing_when_every_row_says_it(values: list[Any], same: bool) -> None:
    assert says_one(pl.Series(values, dtype=pl.String)) is same


def test_numbers_are_compared_as_texts_are() -> None:
    assert says_one(pl.Series([4, 4]))
    assert not says_one(pl.Series([4, 5, 4]))
