"""Columns become the same bytes as the encoder of single datums makes of each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.column_encoder import AtMostOne, Lists, encoded_rows
from schemas.encoder import writer_of

RECORD = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "name", "type": "string"},
        {"name": "outcome", "type": {"type": "enum", "name": "O", "symbols": ["NO", "YES"]}},
        {"name": "number", "type": "long"},
        {"name": "bins", "type": {"type": "array", "items": "int"}},
        {
            "name": "costs",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Cost",
                    "fields": [
                        {"name": "currency", "type": "string"},
                        {
                            "name": "amount",
                            "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 12},
                        },
                    ],
                },
            },
        },
    ],
}
LONGS = st.integers(-(2**63), 2**63 - 1)
AMOUNTS = st.one_of(st.integers(-300, 300), st.integers(-(2**63) + 1, 2**63 - 1))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "at": LONGS,
            "name": st.text(max_size=300),
            "outcome": st.sampled_from(["NO", "YES"]),
            "number": st.one_of(st.integers(-200, 200), LONGS),
            "bins": st.lists(st.integers(0, 500), max_size=70),
            "costs": st.lists(
                st.fixed_dictionaries(
                    {
                        "currency": st.sampled_from(["USD", "EUR"]),
                        "amount": st.integers(-(2**63) + 1, 2**63 - 1),
                    }
                ),
                max_size=1,
            ),
        }
    ),
    min_size=1,
    max_size=20,
)


def unscaled(amount: int) -> bytes:
    return amount.to_bytes((amount.bit_length() + 8) // 8, "big", signed=True)


def expected(row: dict[str, Any]) -> bytes:
    costs = [{**cost, "amount": unscaled(cost["amount"])} for cost in row["costs"]]
    return writer_of(RECORD)({**row, "costs": costs})


def columns_of(rows: list[dict[str, Any]], kind: Any = np.int64) -> dict[str, Any]:
    costs = [row["costs"][0] if row["costs"] else {"currency": "", "amount": 0} for row in rows]
    borders = np.cumsum([0, *(len(row["bins"]) for row in rows)])
    return {
        "at": np.array([row["at"] for row in rows], np.int64),
        "name": pl.Series([row["name"] for row in rows], dtype=pl.String),
        "outcome": pl.Series([row["outcome"] for row in rows], dtype=pl.String),
        "number": np.array([row["number"] for row in rows], np.int64),
        "bins": Lists(np.array([each for row in rows for each in row["bins"]], np.int64), borders),
        "costs": AtMostOne(
            np.array([bool(row["costs"]) for row in rows]),
            {
                "currency": pl.Series([cost["currency"] for cost in costs], dtype=pl.String),
                "amount": np.array([cost["amount"] for cost in costs], kind),
            },
        ),
    }


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_each_row_has_the_bytes_of_its_datum(rows: list[dict[str, Any]]) -> None:
    assert encoded_rows(RECORD, columns_of(rows), len(rows)).to_pylist() == [*map(expected, rows)]


@pytest.mark.parametrize("amount", [0, 127, -128, 128, 2**63, -(2**63), 10**37, -(10**37)])
def test_amounts_beyond_64_bits_are_written_whole(amount: int) -> None:
    row = {"at": 0, "name": "", "outcome": "NO", "number": 0, "bins": []}
    rows = [{**row, "costs": [{"currency": "USD", "amount": amount}]}]

    assert encoded_rows(RECORD, columns_of(rows, object), 1).to_pylist() == [expected(rows[0])]


@pytest.mark.parametrize("costs", [[], [{"currency": "USD", "amount": 5}]])
def test_what_all_rows_say_may_be_one_value(costs: list[Any]) -> None:
    row = {"at": 7, "name": "é", "outcome": "YES", "number": -3, "bins": [], "costs": costs}
    none = Lists(np.empty(0, np.int64), np.zeros(4, np.int64))
    columns = {**row, "bins": none, "costs": AtMostOne(bool(costs), costs[0] if costs else {})}

    assert encoded_rows(RECORD, columns, 3).to_pylist() == [expected(row)] * 3


def test_fields_may_share_a_column_also_where_their_types_differ() -> None:
    amount = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 12}
    types: list[Any] = [amount, amount, "long"]
    fields = [{"name": f"field{number}", "type": kind} for number, kind in enumerate(types)]
    shared = np.array([0, -1, 127, 128, 10**12])

    found = encoded_rows(
        {"type": "record", "name": "Row", "fields": fields},
        dict.fromkeys((field["name"] for field in fields), shared),
        len(shared),
    )

    assert found.to_pylist() == [
        writer_of("bytes")(unscaled(number)) * 2 + writer_of("long")(number) for number in shared.tolist()
    ]


def test_a_symbol_that_the_enum_does_not_have_is_refused() -> None:
    rows = [{"at": 0, "name": "", "outcome": "MAYBE", "number": 0, "bins": [], "costs": []}]

    with pytest.raises(pl.exceptions.InvalidOperationError, match="incomplete mapping"):
        encoded_rows(RECORD, columns_of(rows), 1)
