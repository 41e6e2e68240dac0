"""Every kind of value comes out of ClickHouse as it went in, in process and over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from auditstream.core.ports import Block
from sinks.columns import TABLE_SCHEMA
from tests.support.blocks import LOG, block_of, event_id_at
from tests.support.stores import ClickHouseStore

NINES = Decimal("99999999999999999999999999.999999999999")
MINUS_NINES = NINES.copy_negate()  # unary minus would round to the context's 28 digits
LINE: dict[str, Any] = {
    "category": "inference",
    "resource_id": None,
    "period_start": datetime(2026, 1, 1, tzinfo=UTC),
    "period_end": None,
    "meter": "text",
    "direction": "input",
    "cache_action": None,
    "quantity": Decimal("12345678901234567890123456789.123456789"),
    "unit": "tokens",
    "price_id": None,
    "price_book_rev": "r1",
    "list_unit_price": Decimal("0.000000000000000001"),
    "list": NINES,
    "contracted": MINUS_NINES,
    "effective": Decimal("0.000000000001"),
    "billed": Decimal(0),
    "currency": "USD",
    "source": "LOCAL",
}


def test_an_event_id_is_printed_as_the_event_has_it(clickhouse: ClickHouseStore) -> None:
    clickhouse.insert(block_of(rows=50))

    assert clickhouse.values("toString(event_id)") == [str(event_id_at(LOG, offset)) for offset in range(50)]


@pytest.mark.parametrize(
    "amount",
    [NINES, MINUS_NINES, Decimal("-0.000000000001"), Decimal(0), None],
    ids=lambda amount: str(amount),
)
def test_a_decimal_keeps_all_its_digits(clickhouse: ClickHouseStore, amount: Decimal | None) -> None:
    clickhouse.insert(block_of(rows=2, cost_list=[amount, Decimal("1.5")]))

    assert clickhouse.values("cost_list") == [amount, Decimal("1.5")]


def test_cost_lines_keep_every_member(clickhouse: ClickHouseStore) -> None:
    lines = [[LINE, {**LINE, "meter": "image"}], [], None]
    clickhouse.insert(block_of(rows=3, costs=lines))

    found = clickhouse.values("costs")

    utc = {"period_start": datetime(2026, 1, 1)}  # the driver leaves the zone of a UTC column out
    assert [[dict(line) for line in row] for row in found] == [
        [{**LINE, **utc}, {**LINE, **utc, "meter": "image"}],
        [],
        [],
    ]


def test_members_that_no_cost_line_has_are_null(clickhouse: ClickHouseStore) -> None:
    said = ("meter", "quantity", "unit", "billed", "currency", "source")
    clickhouse.insert(block_of(rows=2, costs=[[{name: LINE[name] for name in said}], []]))

    (line,), none = clickhouse.values("costs")

    assert dict(line) == {**dict.fromkeys(LINE), **{name: LINE[name] for name in said}}
    assert none == []


def test_times_keep_their_last_digit(clickhouse: ClickHouseStore) -> None:
    moment = datetime(2026, 7, 1, 1, 2, 3, 456_789, tzinfo=UTC)
    clickhouse.insert(block_of(rows=1, event_time=moment, kafka_timestamp=moment, review_expires=moment))

    assert clickhouse.values(
        "(toString(event_time), toString(kafka_timestamp), toString(review_expires))"
    ) == [("2026-07-01 01:02:03.456789", "2026-07-01 01:02:03.456", "2026-07-01 01:02:03.456789")]


def test_maps_and_lists_arrive_whole(clickhouse: ClickHouseStore) -> None:
    clickhouse.insert(
        block_of(
            rows=3,
            attributes=[{"a": "1", "b": ""}, {}, None],
            sealed=[{"name": b"\x00\xff"}, {}, None],
            usage_by_modality=[{"text.input": 2**62}, None, {}],
            actor_roles=[["admin", ""], [], None],
        )
    )

    columns = "(attributes, mapApply((k, v) -> (k, hex(v)), sealed), usage_by_modality, actor_roles)"
    assert clickhouse.values(columns) == [
        ({"a": "1", "b": ""}, {"name": "00FF"}, {"text.input": 2**62}, ["admin", ""]),
        ({}, {}, {}, []),
        ({}, {}, {}, []),
    ]


def test_value_bytes_arrive_unchanged(clickhouse: ClickHouseStore) -> None:
    every_byte = bytes(range(256))
    clickhouse.insert(block_of(rows=3, raw=[every_byte, b"", b"\x00" * 100_000]))

    assert clickhouse.values("raw = unhex('" + every_byte.hex() + "')")[0] == 1
    assert clickhouse.values("length(raw)") == [256, 0, 100_000]
    assert clickhouse.values("lower(hex(leaf_hash))") == [
        row.hex() for row in block_of(rows=3).frame["leaf_hash"]
    ]


def test_text_arrives_unchanged(clickhouse: ClickHouseStore) -> None:
    texts = ["", "Grüße, 世界 \U0001f600", 'it\'s "quoted"\\\n\t\0end']
    clickhouse.insert(block_of(rows=3, session_id=texts, source=texts))

    assert clickhouse.values("(session_id, source)") == [(text, text) for text in texts]


def test_a_null_value_is_told_from_an_empty_one(clickhouse: ClickHouseStore) -> None:
    clickhouse.insert(block_of(rows=2, leaf_kind=1, raw=[None, b""], raw_null=[True, False]))

    assert clickhouse.values("(raw, raw_null)") == [("", True), ("", False)]


def test_what_an_event_does_not_have_is_empty_text_or_null(clickhouse: ClickHouseStore) -> None:
    clickhouse.insert(
        block_of(rows=2, tool_name=["sql", None], input_tokens=[0, None], inference_stream=[False, None])
    )

    assert clickhouse.values("(tool_name, input_tokens, inference_stream)") == [
        ("sql", 0, False),
        ("", None, None),
    ]


def test_an_enum_column_may_be_categorical(clickhouse: ClickHouseStore) -> None:
    block = block_of(rows=3, outcome=["SUCCESS", None, "FAILURE"])

    clickhouse.insert(Block(block.segment_id, block.frame.cast({"outcome": pl.Categorical})))

    assert clickhouse.values("outcome") == ["SUCCESS", "", "FAILURE"]


def test_a_dead_letter_has_the_brokers_time_and_no_event(clickhouse: ClickHouseStore) -> None:
    clickhouse.insert(block_of(rows=2, leaf_kind=[0, 1], event_time=[datetime(2020, 1, 1, tzinfo=UTC), None]))

    assert clickhouse.values("toString(event_time)") == [
        "2020-01-01 00:00:00.000000",
        "2026-01-02 12:00:00.000000",
    ]


def test_a_block_that_has_every_column_is_taken(clickhouse: ClickHouseStore) -> None:
    rows = 2
    everything = {name: None for name in TABLE_SCHEMA if name not in block_of().frame.columns}
    everything |= {"severity": 1, "observed_time": datetime(2026, 1, 1, tzinfo=UTC), "costs": [[LINE]] * rows}
    block = block_of(rows=rows, **everything)
    assert set(block.frame.columns) == set(TABLE_SCHEMA)

    clickhouse.insert(block)

    assert clickhouse.count() == rows


def test_a_block_is_one_part_of_one_partition(clickhouse: ClickHouseStore) -> None:
    clickhouse.client.command("SYSTEM STOP MERGES events")
    block = block_of(rows=30)
    in_chunks = pl.concat([block.frame[:10], block.frame[10:]], rechunk=False)
    assert in_chunks.n_chunks() == 2

    clickhouse.insert(Block(block.segment_id, in_chunks))

    parts = "FROM system.parts WHERE database = currentDatabase() AND table = 'events' AND active"
    assert clickhouse.ask(f"SELECT count(), sum(rows) {parts}") == [(1, 30)]


def test_the_deadline_is_kept_on_the_row(clickhouse: ClickHouseStore) -> None:
    deadline_s = clickhouse.now_s() + 60

    clickhouse.sink.insert(block_of(rows=1), insert_by_s=deadline_s, timeout_s=10)

    assert clickhouse.values("toUnixTimestamp64Milli(insert_by)") == [int(deadline_s * 1000)]
