"""The sink port: a block is durable at most once under its token, whole, and views follow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from auditstream.core.errors import (
    InvariantError,
    LeaseExpiredError,
    StoreBusyError,
    StoreSchemaError,
    StoreTimeoutError,
)
from auditstream.core.ports import StoredRange
from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.loopback_ports import free_port
from sinks.clickhouse import connect
from tests.support.blocks import LOG, OTHER_LOG, block_of
from tests.support.stores import ClickHouseStore, Store


def test_a_block_is_there_once_however_often_it_is_inserted(store: Store) -> None:
    for _ in range(3):
        store.insert(block_of(rows=3))

    assert (store.count(), store.counted_by_view()) == (3, 3)


def test_a_token_that_is_known_drops_other_rows_too(store: Store) -> None:
    store.insert(block_of(rows=3))

    store.insert(block_of(rows=3, tenant_id="globex"))

    assert (store.count(), store.counted_by_view()) == (3, 3)


def test_equal_rows_under_two_tokens_are_both_kept(store: Store) -> None:
    store.insert(block_of(rows=3))

    store.insert(block_of(rows=3, segment_id=f"{LOG}/again"))

    assert (store.count(), store.counted_by_view()) == (6, 6)


def test_a_token_is_known_in_its_own_day_only(store: Store) -> None:
    store.insert(block_of(rows=3))

    store.insert(block_of(rows=3, day=date(2026, 1, 3)))

    assert store.count() == 6


def test_blocks_of_several_logs_are_all_kept(store: Store) -> None:
    store.insert(block_of(LOG, rows=3))
    store.insert(block_of(OTHER_LOG, rows=2))

    assert (store.count(), store.counted_by_view()) == (5, 5)


def test_repeats_and_dead_letters_are_rows_but_not_counted(store: Store) -> None:
    store.insert(block_of(rows=3, leaf_kind=[0, 0, 1], duplicate_of=[None, 0, None]))

    assert (store.count(), store.counted_by_view()) == (3, 1)


def test_a_view_that_failed_is_healed_by_the_replay_and_not_doubled_by_the_next(store: Store) -> None:
    store.insert(block_of(lo=0, rows=3))
    store.break_view()
    with pytest.raises(StoreSchemaError):
        store.insert(block_of(lo=3, rows=2))
    assert (store.count(), store.counted_by_view()) == (5, 3)
    store.mend_view()

    store.insert(block_of(lo=3, rows=2))
    assert (store.count(), store.counted_by_view()) == (5, 5)

    store.insert(block_of(lo=3, rows=2))
    assert (store.count(), store.counted_by_view()) == (5, 5)


def test_a_late_block_is_refused_and_nothing_applied(store: Store) -> None:
    with pytest.raises(LeaseExpiredError):
        store.insert(block_of(), lease_s=-0.001)

    assert (store.count(), store.counted_by_view()) == (0, 0)


def test_a_late_block_is_refused_though_its_token_is_known(store: Store) -> None:
    store.insert(block_of())

    with pytest.raises(LeaseExpiredError):
        store.insert(block_of(), lease_s=-0.001)

    assert store.count() == 3


def test_a_token_is_forgotten_once_the_window_has_moved_on(store: Store) -> None:
    store.keep_tokens(3)
    assert store.sink.token_window() == 3
    for lo in range(4):
        store.insert(block_of(lo=lo, rows=1))

    store.insert(block_of(lo=1, rows=1))
    assert store.count() == 4

    store.insert(block_of(lo=0, rows=1))
    assert store.count() == 5


def test_a_replay_does_not_make_a_token_newer(store: Store) -> None:
    store.keep_tokens(3)
    for lo in (0, 1, 2, 0, 3):
        store.insert(block_of(lo=lo, rows=1))
    assert store.count() == 4

    store.insert(block_of(lo=0, rows=1))

    assert store.count() == 5


def test_a_window_of_tokens_is_shared_by_all_logs_and_days(store: Store) -> None:
    store.keep_tokens(2)
    store.insert(block_of(LOG, lo=0, rows=1))
    store.insert(block_of(OTHER_LOG, lo=0, rows=1))
    store.insert(block_of(LOG, lo=1, rows=1, day=date(2026, 1, 3)))

    store.insert(block_of(LOG, lo=0, rows=1))

    assert store.count() == 4


def test_threads_may_insert_at_once(store: Store) -> None:
    blocks = [block_of(log, lo=lo, rows=4) for lo in (0, 4, 8) for log in (LOG, OTHER_LOG)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(store.insert, [*blocks, *blocks]))

    assert (store.count(), store.counted_by_view()) == (24, 24)
    assert store.sink.stored(LOG, 0).rows == 12


def test_a_block_without_rows_is_nothing(store: Store) -> None:
    store.insert(block_of(rows=0))

    assert store.sink.stored(LOG, 0) == StoredRange(0)


def test_an_unknown_column_is_refused_before_anything_is_sent(store: Store) -> None:
    with pytest.raises(StoreSchemaError, match="column colour: "):
        store.insert(block_of(colour="red"))

    assert store.count() == 0


def test_a_column_of_another_type_is_refused_and_not_converted(store: Store) -> None:
    block = block_of()
    wrong = block_of(kafka_partition=[0, 0, 0]).frame.cast({"kafka_partition": int})

    with pytest.raises(StoreSchemaError, match="column kafka_partition: Int64, but the table takes Int32"):
        store.insert(type(block)(block.segment_id, wrong))

    assert store.count() == 0


def test_a_row_without_a_leaf_hash_is_refused(store: Store) -> None:
    with pytest.raises(StoreSchemaError, match="column leaf_hash: every row must have a value"):
        store.insert(block_of(leaf_hash=None))


def test_an_event_id_of_another_size_is_refused(store: Store) -> None:
    with pytest.raises(StoreSchemaError, match="column event_id: not 16 bytes"):
        store.insert(block_of(event_id=b"short"))


def test_a_block_over_two_days_is_refused_because_it_would_not_be_atomic(store: Store) -> None:
    days = [date(2026, 1, 2), date(2026, 1, 2), date(2026, 1, 3)]

    with pytest.raises(InvariantError, match="column ingest_day"):
        store.insert(block_of(rows=3, ingest_day=days))

    assert store.count() == 0


def test_rows_of_another_segment_are_refused(store: Store) -> None:
    block = block_of()

    with pytest.raises(InvariantError, match="column segment_id"):
        store.insert(type(block)("another", block.frame))


def test_an_insert_that_takes_too_long_is_stopped_and_may_be_durable(clickhouse: ClickHouseStore) -> None:
    with pytest.raises(StoreTimeoutError):
        clickhouse.sink.insert(block_of(), insert_by_s=clickhouse.now_s() + 30, timeout_s=0.001)

    clickhouse.insert(block_of())
    assert (clickhouse.count(), clickhouse.counted_by_view()) == (3, 3)


def test_a_store_that_is_not_there_is_busy_and_not_asked_before_it_is_needed() -> None:
    sink = connect(ClickHouseSettings(port=free_port(), timeout_s=1))

    with pytest.raises(StoreBusyError):
        sink.insert(block_of(), insert_by_s=2e9, timeout_s=1)
    with pytest.raises(StoreBusyError):
        sink.stored(LOG, 0)
    sink.close()
