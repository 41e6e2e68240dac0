"""What a lane may start from: every acceptance, and every refusal."""

from __future__ import annotations

from datetime import date

import pytest

from auditstream.core.errors import InvariantError, OffsetGapError
from auditstream.core.ports import LogId, Plan, StoredRange
from streams.plan import Closed
from streams.recovery import (
    is_remembered,
    require_in_views,
    start_closed,
    start_from_store,
    start_open,
    was_never_written,
)

LOG = LogId("audit.events.v1", 3, "0a1b2c3d")
# Offsets 100..119 with 16 records, the first of them leaf 40.
PLAN = Plan(lo=100, hi=119, first_index=40, day=date(2026, 3, 1))
NOTHING = StoredRange(0)
# The segment before it: offset 99 had no record.
LAST_PLAN = Plan(lo=90, hi=99, first_index=31, day=date(2026, 3, 1))
BELOW = StoredRange(rows=40, first_index=0, last_index=39, last_offset=98)
WHOLE_BLOCK = StoredRange(rows=16, first_index=40, last_index=55, last_offset=118)


def check(stored: StoredRange = NOTHING, whole: StoredRange = BELOW, *, log_start: int = 0) -> None:
    start_open(LOG, PLAN, stored=stored, whole=whole, log_start=log_start)


class TestALogWithoutCommittedState:
    @pytest.mark.parametrize(
        ("begin", "end", "expected"), [(0, 0, True), (0, 1, False), (5, 5, False), (5, 9, False)]
    )
    def test_only_offsets_that_never_moved_show_that_nothing_was_written(
        self, begin: int, end: int, expected: bool
    ) -> None:
        assert was_never_written(begin, end) is expected

    def test_begins_where_kafka_begins_when_nothing_is_stored(self) -> None:
        assert start_from_store(LOG, NOTHING, None, log_start=17) == Closed(17, 0)

    def test_takes_the_last_segment_for_an_open_plan(self) -> None:
        # Its messages may be unpublished, and views may lack it.
        assert start_from_store(LOG, BELOW, LAST_PLAN, log_start=90) == LAST_PLAN

    @pytest.mark.parametrize("log_start", [91, 100])
    def test_goes_on_after_a_last_segment_that_retention_took_from_kafka(self, log_start: int) -> None:
        assert start_from_store(LOG, BELOW, LAST_PLAN, log_start=log_start) == Closed(100, 40)

    def test_may_have_lost_older_rows(self) -> None:
        older_rows_dropped = StoredRange(rows=10, first_index=30, last_index=39, last_offset=98)
        assert start_from_store(LOG, older_rows_dropped, LAST_PLAN, log_start=100) == Closed(100, 40)

    def test_is_refused_when_indexes_are_not_dense(self) -> None:
        with pytest.raises(InvariantError, match=r"41 rows with leaf indexes 0\.\.39"):
            start_from_store(LOG, StoredRange(41, 0, 39, 98), LAST_PLAN, log_start=0)

    def test_is_refused_when_kafka_lost_what_is_not_stored(self) -> None:
        with pytest.raises(OffsetGapError, match=r"100\.\.100 were never recorded"):
            start_from_store(LOG, BELOW, LAST_PLAN, log_start=101)


class TestASegmentThatNoReplayReaches:
    def test_is_fine_when_no_view_lacks_it(self) -> None:
        require_in_views(f"{LOG}/90-99", [])

    def test_is_refused_when_views_lack_it_and_the_error_says_how_to_mend_them(self) -> None:
        with pytest.raises(InvariantError, match="not in usage_1m, usage_1h") as refusal:
            require_in_views(f"{LOG}/90-99", ["usage_1m", "usage_1h"])
        assert f"doctor rebuild --segment {LOG}/90-99" in str(refusal.value.hint)


class TestAClosedState:
    @pytest.mark.parametrize("next_offset", [99, 120])
    def test_agrees_with_a_store_that_ends_below_it(self, next_offset: int) -> None:
        start_closed(LOG, Closed(next_offset, 40), BELOW, log_start=0)

    def test_agrees_with_an_empty_store_at_the_beginning(self) -> None:
        start_closed(LOG, Closed(17, 0), NOTHING, log_start=17)

    @pytest.mark.parametrize(
        ("state", "whole"),
        [
            pytest.param(Closed(99, 41), BELOW, id="the store misses a row"),
            pytest.param(Closed(99, 39), BELOW, id="the store has a row more"),
            pytest.param(Closed(98, 40), BELOW, id="the store has a later offset"),
            pytest.param(Closed(99, 40), NOTHING, id="the store is empty"),
            pytest.param(Closed(0, 0), BELOW, id="the state is the beginning"),
        ],
    )
    def test_is_refused_when_the_store_says_otherwise(self, state: Closed, whole: StoredRange) -> None:
        with pytest.raises(InvariantError, match="the store holds up to offset"):
            start_closed(LOG, state, whole, log_start=0)

    def test_is_refused_when_kafka_lost_what_comes_next(self) -> None:
        with pytest.raises(OffsetGapError, match=r"99\.\.104 were never recorded"):
            start_closed(LOG, Closed(99, 40), BELOW, log_start=105)

    def test_may_begin_exactly_where_kafka_begins(self) -> None:
        start_closed(LOG, Closed(99, 40), BELOW, log_start=99)


class TestAnOpenPlan:
    def test_agrees_with_a_store_that_ends_where_it_begins(self) -> None:
        check()

    def test_agrees_with_a_store_that_holds_its_block(self) -> None:
        check(WHOLE_BLOCK)

    def test_agrees_with_an_empty_store_at_the_beginning(self) -> None:
        plan = Plan(lo=0, hi=3, first_index=0, day=PLAN.day)
        start_open(LOG, plan, stored=NOTHING, whole=NOTHING, log_start=0)

    def test_whose_records_kafka_lost_goes_on_when_the_store_has_them(self) -> None:
        check(WHOLE_BLOCK, log_start=120)

    def test_is_refused_when_neither_kafka_nor_the_store_has_its_records(self) -> None:
        with pytest.raises(OffsetGapError, match=r"100\.\.101 were planned but never recorded"):
            check(log_start=102)

    @pytest.mark.parametrize(
        "whole", [NOTHING, StoredRange(39, 0, 38, 97), StoredRange(41, 0, 40, 99)], ids=repr
    )
    def test_is_refused_when_the_store_does_not_end_where_it_begins(self, whole: StoredRange) -> None:
        with pytest.raises(InvariantError, match="begins at index 40"):
            check(whole=whole)

    @pytest.mark.parametrize(
        "stored",
        [
            pytest.param(StoredRange(16, 41, 56, 118), id="begins with a later index"),
            pytest.param(StoredRange(16, 39, 54, 118), id="begins with an earlier index"),
            pytest.param(StoredRange(17, 40, 56, 120), id="goes beyond the plan"),
            pytest.param(StoredRange(15, 40, 55, 118), id="misses a row"),
            pytest.param(StoredRange(32, 40, 55, 118), id="holds every row twice"),
        ],
    )
    def test_is_refused_when_other_rows_are_there(self, stored: StoredRange) -> None:
        with pytest.raises(InvariantError, match="plan 100-119 from index 40"):
            check(stored)


@pytest.mark.parametrize(("later", "expected"), [(0, True), (49, True), (50, False), (5_000, False)])
def test_a_token_counts_as_remembered_within_half_the_window(later: int, expected: bool) -> None:
    stored = StoredRange(16, 40, 55, 118, later_segments=later)
    assert is_remembered(stored, 100) is expected
