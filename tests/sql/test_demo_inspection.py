"""The inspection of a demonstration: each kind of difference is seen, and told from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from auditstream.demo.day import Tally
from auditstream.demo.inspection import Findings, Inspection, Sent
from tests.support.blocks import LOG, block_of
from tests.support.stores import ClickHouseStore

ROWS = 8
SOURCE = "urn:demo:test"
SENT = Sent({LOG.partition: 0}, [SOURCE], messages=ROWS)
TALLY = Tally(
    events=6,
    duplicates=1,
    dead_letters=1,
    by_tenant=Counter({"acme": 5, "": 1}),
    input_tokens=60,
    output_tokens=6,
    unpriced=1,
)
COLUMNS: dict[str, list[object]] = {
    "leaf_kind": [0, 0, 0, 0, 0, 0, 0, 1],
    "duplicate_of": [None, None, None, None, None, None, 0, None],
    "tenant_id": ["acme"] * 5 + ["unattributed", "acme", ""],
    "input_tokens": [10] * 7 + [None],
    "output_tokens": [1] * 7 + [None],
    "cost_status": ["priced"] * 5 + ["unpriced", "priced", ""],
    "cost_billed": [Decimal("0.5")] * 5 + [None, Decimal("0.5"), None],
    "source": [SOURCE] * 7 + [""],
}


def inspected(store: ClickHouseStore, sent: Sent = SENT, tally: Tally = TALLY, **columns: object) -> Findings:
    """Return what is found when the day's rows differ in some columns from what was sent."""
    store.insert(block_of(rows=ROWS, **(COLUMNS | columns)))
    return inspection(store, sent).findings(tally)


def inspection(store: ClickHouseStore, sent: Sent = SENT) -> Inspection:
    def ask(sql: str, parameters: Mapping[str, Any] = {}, /) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = store.client.query(sql, dict(parameters)).result_rows
        return rows

    return Inspection(ask, LOG.topic, LOG.epoch, sent)


def test_what_was_sent_and_recorded_once_does_not_differ(store: ClickHouseStore) -> None:
    found = inspected(store)
    assert found.differences == []
    assert (found.produced, found.recorded, found.duplicates, found.dead_letters) == (8, 8, 1, 1)
    assert (found.unpriced, found.unattributed, found.tenants, found.dense) == (1, 1, 1, True)
    assert found.cost_total == Decimal("2.5"), "the repeat costs nothing"


def test_only_the_messages_that_were_sent_are_looked_at(store: ClickHouseStore) -> None:
    store.insert(block_of(lo=ROWS, rows=4, source=["urn:auditstream:gateway"] * 4))
    assert inspected(store).differences == []
    assert inspection(store, Sent({LOG.partition: 5}, [SOURCE])).recorded() == 3, "two events, a dead letter"
    assert inspection(store, Sent({LOG.partition + 1: 0}, [SOURCE])).recorded() == 0
    assert inspection(store, Sent({}, [SOURCE])).recorded() == 0


@pytest.mark.parametrize(
    ("columns", "difference"),
    [
        ({"duplicate_of": [None] * ROWS}, "duplicates: 0, expected 1"),
        ({"leaf_kind": [0] * 6 + [1, 1]}, "dead letters: 2, expected 1"),
        ({"tenant_id": ["acme"] * 4 + ["globex", "unattributed", "acme", ""]}, "events by tenant:"),
        ({"input_tokens": [11] + [10] * 6 + [None]}, "input tokens: 61, expected 60"),
        ({"output_tokens": [None] + [1] * 6 + [None]}, "output tokens: 5, expected 6"),
        ({"cost_status": ["priced"] * 7 + [""]}, "unpriced: 0, expected 1"),
        ({"cost_billed": [None] * ROWS}, "cost: 0, expected more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_difference_is_named(store: ClickHouseStore, columns: dict[str, object], difference: str) -> None:
    assert any(each.startswith(difference) for each in inspected(store, **columns).differences)


def test_a_message_without_a_row_and_one_that_was_not_acknowledged_are_seen(store: ClickHouseStore) -> None:
    missing = Sent({LOG.partition: 0}, [SOURCE], messages=ROWS + 1)
    found = inspected(store, missing)
    assert "recorded: 8, expected 9" in found.differences
    assert "messages: 9, expected 8" in found.differences


def test_a_row_that_is_there_twice_is_seen(store: ClickHouseStore) -> None:
    store.insert(block_of(rows=1, source=[SOURCE], segment_id="another token"))
    found = inspected(store)
    assert "rows: 9, expected 8" in found.differences
    assert not found.dense


@pytest.mark.parametrize(
    "indexes", [[0, 1, 2, 3, 4, 5, 6, 8], [1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 1, 2, 3, 4, 5, 6]]
)
def test_indexes_with_a_hole_or_a_repeat_or_a_late_start_are_seen(
    store: ClickHouseStore, indexes: list[object]
) -> None:
    found = inspected(store, leaf_index=indexes)
    assert not found.dense
    assert any(each.startswith(f"log {LOG}") for each in found.differences)


@pytest.mark.parametrize("rollup", ["usage_1m", "usage_1h"])
def test_a_rollup_that_lost_or_doubled_rows_is_seen(store: ClickHouseStore, rollup: str) -> None:
    assert inspected(store).differences == []
    store.client.command(f"INSERT INTO {rollup} SELECT * FROM {rollup} LIMIT 1")
    (doubled,) = inspection(store).findings(TALLY).differences
    assert doubled.startswith(f"{rollup}: 1 rows differ")
    store.client.command(f"TRUNCATE TABLE {rollup}")
    (lost,) = inspection(store).findings(TALLY).differences
    assert lost.startswith(f"{rollup}: 2 rows differ")
