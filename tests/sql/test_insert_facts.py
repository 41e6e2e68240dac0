"""What ClickHouse does with tokens, views and deadlines: facts of delivery, with negative controls."""

from __future__ import annotations

import pytest

from auditstream.core.errors import LeaseExpiredError, StoreSchemaError
from sinks.clickhouse import ONE_BLOCK
from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore

COUNTS = {
    "segment_ranges_feed": "SELECT sum(rows) FROM segment_ranges",
    "usage_1m_feed": "SELECT sum(events) FROM usage_1m",
    "usage_1h_feed": "SELECT sum(events) FROM usage_1h",
    "outcomes_1m_feed": "SELECT sum(events) FROM outcomes_1m",
    "latency_1m_feed": "SELECT count() FROM latency_1m",
}
"""How many rows of `events` each feed has counted; the last one counts blocks."""

SUMS = [name for name in COUNTS if name != "latency_1m_feed"]


def counts(store: ClickHouseStore) -> dict[str, int]:
    return {name: int(store.value(COUNTS[name])) for name in SUMS}


@pytest.mark.parametrize("feed", SUMS)
def test_a_feed_that_was_away_is_healed_by_the_replay_alone(store: ClickHouseStore, feed: str) -> None:
    store.insert(block_of(lo=0, rows=3, duration_us=5))
    store.client.command(f"DROP VIEW {feed}")
    store.insert(block_of(lo=3, rows=2, duration_us=5))
    store.replace_view(feed)
    assert counts(store) == {name: 3 if name == feed else 5 for name in SUMS}

    for _ in range(2):
        store.insert(block_of(lo=3, rows=2, duration_us=5))

    assert counts(store) == dict.fromkeys(SUMS, 5)


def test_states_are_not_doubled_by_a_replay(store: ClickHouseStore) -> None:
    for _ in range(3):
        store.insert(block_of(rows=3, duration_us=[10, 20, 30]))

    assert store.value("SELECT count() FROM latency_1m") == 1


def test_without_the_setting_for_views_a_replay_is_counted_again(store: ClickHouseStore) -> None:
    unprotected = {**ONE_BLOCK, "deduplicate_blocks_in_dependent_materialized_views": 0}
    store.sink._settings, protected = unprotected, store.sink._settings
    try:
        for _ in range(2):
            store.insert(block_of(rows=3))
    finally:
        store.sink._settings = protected

    assert (store.count(), store.counted_by_view()) == (3, 6)


def test_without_a_window_of_its_own_a_view_counts_a_replay_again(store: ClickHouseStore) -> None:
    store.keep_tokens(10)
    store.client.command("ALTER TABLE usage_1m MODIFY SETTING non_replicated_deduplication_window = 0")

    for _ in range(2):
        store.insert(block_of(rows=3))

    assert (store.count(), store.counted_by_view()) == (3, 6)


def test_one_failing_view_leaves_the_rows_durable_and_the_replay_completes_all(
    store: ClickHouseStore,
) -> None:
    store.break_view()
    with pytest.raises(StoreSchemaError) as refusal:
        store.insert(block_of(rows=3))
    assert "Mend the view" in refusal.value.hint
    assert (store.count(), store.counted_by_view()) == (3, 0)
    store.mend_view()

    store.insert(block_of(rows=3))

    assert counts(store) == dict.fromkeys(SUMS, 3)


def test_a_deadline_that_passes_while_the_rows_arrive_is_judged_when_they_are_complete(
    store: ClickHouseStore,
) -> None:
    slow = (
        "INSERT INTO {table} (insert_by) SELECT now64(3) + INTERVAL 150 MILLISECOND FROM numbers(2) "
        "WHERE sleepEachRow(0.1) = 0 SETTINGS max_block_size = 1, "
        "min_insert_block_size_rows = 1099511627776, min_insert_block_size_bytes = 0"
    )
    for name, clock in (("judged_late", "nowInBlock64(3)"), ("judged_early", "now64(3)")):
        store.client.command(
            f"CREATE TABLE {name} (insert_by DateTime64(3, 'UTC'), "
            f"CONSTRAINT fresh CHECK insert_by > {clock}) ENGINE = MergeTree ORDER BY insert_by"
        )
    store.client.command(slow.format(table="judged_early"))
    assert (
        store.value("SELECT count() FROM judged_early") == 2
    )  # frozen when the query started: no protection

    with pytest.raises(Exception, match="fresh"):
        store.client.command(slow.format(table="judged_late"))

    assert store.value("SELECT count() FROM judged_late") == 0
    assert "nowInBlock64" in store.value("SHOW CREATE TABLE events")


def test_a_late_block_does_not_reach_the_views_either(store: ClickHouseStore) -> None:
    with pytest.raises(LeaseExpiredError):
        store.insert(block_of(rows=3), lease_s=-1)

    assert counts(store) == dict.fromkeys(SUMS, 0)
