"""Columns of bytes as rows, and back."""

from __future__ import annotations

import polars as pl
import pytest

from schemas.byte_rows import rows_of, series_of

IDS = [bytes([number]) * 16 for number in range(5)]


@pytest.mark.parametrize(("start", "length"), [(0, 5), (1, 3), (4, 1), (0, 0)])
def test_values_are_rows_and_rows_are_values(start: int, length: int) -> None:
    values = pl.Series("id", IDS, dtype=pl.Binary).slice(start, length)

    rows = rows_of(values, 16)

    assert [bytes(row) for row in rows] == IDS[start : start + length]
    assert series_of("id", rows).to_list() == IDS[start : start + length]


def test_columns_in_pieces_are_rows_in_their_order() -> None:
    first, second = (pl.Series("id", part, dtype=pl.Binary) for part in (IDS[:2], IDS[2:]))

    assert rows_of(first.append(second), 16).tobytes() == b"".join(IDS)


def test_values_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes in every row"):
        rows_of(pl.Series("id", [bytes(16), bytes(17)], dtype=pl.Binary), 16)
