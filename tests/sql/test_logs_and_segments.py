"""`segments` tells from events, `logs` from what each insert left behind; both agree."""

from __future__ import annotations

from datetime import date

import pytest

from sinks.clickhouse import _COUNT, _COUNT_ABOVE, _FIRST, _LAST
from sinks.history import _FIRST_IDS
from tests.support.blocks import DAY, LOG, OTHER_LOG, block_of
from tests.support.stores import ClickHouseStore


def test_a_segment_is_one_row_with_its_ranges(store: ClickHouseStore) -> None:
    store.insert(block_of(LOG, lo=10, rows=3, leaf_index=[4, 5, 6]))
    store.insert(block_of(LOG, lo=13, rows=2, leaf_index=[7, 8]))

    assert store.ask(
        "SELECT segment_id, first_index, last_index, rows, first_offset, last_offset, ingest_day "
        "FROM segments ORDER BY first_index"
    ) == [
        (f"{LOG}/10-12", 4, 6, 3, 10, 12, DAY),
        (f"{LOG}/13-14", 7, 8, 2, 13, 14, DAY),
    ]


def test_a_log_is_one_row_with_its_epoch_and_counts(store: ClickHouseStore) -> None:
    store.insert(block_of(LOG, lo=0, rows=3, leaf_kind=[0, 1, 0], duplicate_of=[None, None, 0]))
    store.insert(block_of(LOG, lo=3, rows=2, leaf_kind=[2, 0], day=date(2026, 1, 5)))
    store.insert(block_of(OTHER_LOG, lo=0, rows=1))

    assert store.ask(
        "SELECT log_id, kafka_topic, kafka_partition, epoch, segments, first_index, last_index, rows, "
        "dead_letters, gaps, duplicates, last_offset, first_day, last_day FROM logs ORDER BY log_id"
    ) == [
        (str(LOG), "audit.events.v1", 0, "0a1b2c3d", 2, 0, 4, 5, 1, 1, 1, 4, DAY, date(2026, 1, 5)),
        (str(OTHER_LOG), "audit.events.v1", 1, "0a1b2c3d", 1, 0, 0, 1, 0, 0, 0, 0, DAY, DAY),
    ]


def test_a_replay_leaves_one_segment(store: ClickHouseStore) -> None:
    for _ in range(3):
        store.insert(block_of(rows=3))

    assert store.value("SELECT segments FROM logs") == store.value("SELECT count() FROM segments") == 1


def test_leaf_hashes_in_log_order_are_read_from_the_projection(store: ClickHouseStore) -> None:
    for lo in (0, 40):
        store.insert(block_of(rows=40, lo=lo))
    run = f"FROM events WHERE log_id = '{LOG}' AND leaf_index >= 10 ORDER BY leaf_index LIMIT 5"
    hashes = f"SELECT leaf_hash {run}"

    plan = "\n".join(line for (line,) in store.ask(f"EXPLAIN projections = 1 {hashes}"))

    assert "log_order" in plan
    assert [row[0] for row in store.ask(hashes)] == [
        block_of(lo=10, rows=5).frame["leaf_hash"][number] for number in range(5)
    ]


@pytest.mark.parametrize("query", [_LAST, _FIRST, _COUNT_ABOVE, _COUNT, _FIRST_IDS])
def test_what_recovery_reads_is_answered_from_the_projection(store: ClickHouseStore, query: str) -> None:
    store.insert(block_of(rows=40))
    where = {"log": str(LOG), "lowest": 3, "from": 5, "to": 9}

    plan = "\n".join(line for (line,) in store.ask(f"EXPLAIN projections = 1 {query}", **where))

    assert "log_order" in plan
