"""The sink port's read-back: what recovery learns about a log."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from auditstream.core.errors import StoreSchemaError
from auditstream.core.ports import LogId, Lost, Plan, StoredRange
from tests.support.blocks import DAY, LOG, OTHER_LOG, block_of
from tests.support.stores import Store


def test_an_empty_store_holds_nothing(store: Store) -> None:
    assert store.sink.stored(LOG, 0) == StoredRange(0)


def test_a_whole_segment_is_told_by_count_indexes_and_offset(store: Store) -> None:
    store.insert(block_of(lo=0, rows=5))

    assert store.sink.stored(LOG, 0) == StoredRange(5, 0, 4, 4, later_segments=0)


def test_only_rows_at_or_above_the_offset_count(store: Store) -> None:
    store.insert(block_of(lo=0, rows=5))
    store.insert(block_of(lo=5, rows=3))

    assert store.sink.stored(LOG, 5) == StoredRange(3, 5, 7, 7, later_segments=0)
    assert store.sink.stored(LOG, 8) == StoredRange(0)


def test_indexes_are_the_leaves_own_and_not_the_offsets(store: Store) -> None:
    store.insert(block_of(lo=10, rows=3, leaf_index=[4, 5, 6]))

    assert store.sink.stored(LOG, 10) == StoredRange(3, 4, 6, 12)


def test_a_log_with_offsets_that_are_no_leaves_is_read_to_the_offset(store: Store) -> None:
    offsets = [10, 11, 50, 51, 90]
    store.insert(block_of(lo=10, rows=5, leaf_index=[4, 5, 6, 7, 8], kafka_offset=offsets))

    assert store.sink.stored(LOG, 11) == StoredRange(4, 5, 8, 90)
    assert store.sink.stored(LOG, 52) == StoredRange(1, 8, 8, 90)
    assert store.sink.stored(LOG, 90) == StoredRange(1, 8, 8, 90)
    assert store.sink.stored(LOG, 91) == StoredRange(0)


def test_other_logs_are_not_counted_even_of_the_same_partition(store: Store) -> None:
    recreated = LogId(LOG.topic, LOG.partition, "ffffffff")
    store.insert(block_of(OTHER_LOG, rows=2))
    store.insert(block_of(recreated, rows=2))

    assert store.sink.stored(LOG, 0) == StoredRange(0)
    assert store.sink.stored(recreated, 0).rows == 2


def test_later_segments_of_every_log_are_counted(store: Store) -> None:
    store.insert(block_of(LOG, lo=0, rows=2))
    for lo in (0, 2, 4):
        store.insert(block_of(OTHER_LOG, lo=lo, rows=2))
    store.insert(block_of(LOG, lo=2, rows=2))

    assert store.sink.stored(LOG, 0).later_segments == 4
    assert store.sink.stored(LOG, 2).later_segments == 0


def test_a_segment_that_a_view_missed_is_stored(store: Store) -> None:
    store.break_view()
    with pytest.raises(StoreSchemaError, match="broken"):
        store.insert(block_of(lo=0, rows=2))

    assert store.sink.stored(LOG, 0).rows == 2


def test_a_segment_that_its_replay_brought_to_the_view_is_lacking_no_more(store: Store) -> None:
    store.break_view()
    with pytest.raises(StoreSchemaError, match="broken"):
        store.insert(block_of(lo=0, rows=2))
    store.mend_view()
    # ClickHouse does not say which of the other views got the block.
    assert {*store.breakable} <= {*store.sink.views_lacking(f"{LOG}/0-1")}

    store.insert(block_of(lo=0, rows=2))

    assert store.sink.views_lacking(f"{LOG}/0-1") == []


def test_the_last_plan_is_told_as_it_was_made(store: Store) -> None:
    day = date(2026, 3, 1)
    store.insert(block_of(lo=0, rows=5))
    # Planned to offset 19; the offsets after 14 had no record. Enriched with facts of revision 7.
    segment_id = f"{LOG}/10-19"
    indexes = [5, 6, 7, 8, 9]
    planned = {"reference_revision": 7, "enricher_version": 3}
    store.insert(block_of(lo=10, rows=5, leaf_index=indexes, segment_id=segment_id, day=day, **planned))
    store.insert(block_of(OTHER_LOG, rows=2))

    assert store.sink.last_plan(LOG) == Plan(10, 19, 5, day, reference_revision=7, enricher_version=3)


@pytest.mark.parametrize("stamp_ms", [0, 1_772_323_200_001])
def test_the_last_plan_is_told_to_be_over_lost_offsets(store: Store, stamp_ms: int) -> None:
    store.insert(block_of(lo=0, rows=5))
    gap = {"leaf_kind": 2, "reject_reason": "never_written", "enricher_version": 1}
    stamp = datetime.fromtimestamp(stamp_ms // 1000, UTC) + timedelta(milliseconds=stamp_ms % 1000)
    store.insert(block_of(lo=5, rows=1, segment_id=f"{LOG}/5-11", kafka_timestamp=stamp, **gap))

    assert store.sink.last_plan(LOG) == Plan(5, 11, 5, DAY, lost=Lost("never_written", stamp_ms))


def test_a_gap_is_one_row_at_its_first_offset_and_no_event(store: Store) -> None:
    store.insert(block_of(lo=0, rows=5))
    store.insert(block_of(lo=5, rows=1, segment_id=f"{LOG}/5-11", leaf_kind=2))
    store.insert(block_of(lo=12, rows=2, leaf_index=[6, 7]))

    found = store.sink.stored(LOG, 0)
    assert (found.rows, found.first_index, found.last_index, found.last_offset) == (8, 0, 7, 13)
    above = store.sink.stored(LOG, 6)
    assert (above.rows, above.first_index) == (2, 6)
    assert store.counted_by_view() == 7


def test_a_log_without_rows_has_no_last_plan(store: Store) -> None:
    store.insert(block_of(OTHER_LOG, rows=2))

    assert store.sink.last_plan(LOG) is None


def test_a_doubled_segment_is_not_dense(store: Store) -> None:
    store.insert(block_of(lo=0, rows=2))
    store.insert(block_of(lo=0, rows=2, segment_id=f"{LOG}/again"))

    assert store.sink.stored(LOG, 0) == StoredRange(4, 0, 1, 1, later_segments=1)


def test_the_token_window_is_the_tables_own(store: Store) -> None:
    assert store.sink.token_window() == 10_000
