"""What a lane may start from: every acceptance, and every refusal."""

from __future__ import annotations

from datetime import date

import pytest

from auditstream.core.errors import InvariantError, OffsetGapError
from auditstream.core.ports import LogId, Lost, Plan, StoredRange
from streams.plan import Closed
from streams.recovery import (
    close_without_replay,
    first_needed,
    is_beyond_replay,
    is_remembered,
    require_in_views,
    require_nothing_lost,
    require_replayable,
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
# Offsets 100..104 were lost; leaf 40 says so.
LOST_PLAN = Plan(
    lo=100, hi=104, first_index=40, day=date(2026, 3, 1), lost=Lost("never_planned", 1_772_323_200_000)
)
WHOLE_BLOCK = StoredRange(rows=16, first_index=40, last_index=55, last_offset=118)


def check(stored: StoredRange = NOTHING, whole: StoredRange = BELOW) -> None:
    start_open(LOG, PLAN, stored=stored, whole=whole)


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

    def test_closes_below_what_kafka_lost_and_the_store_does_not_have(self) -> None:
        assert start_from_store(LOG, BELOW, LAST_PLAN, log_start=101) == Closed(100, 40)

    def test_takes_a_last_gap_for_an_open_plan_whatever_kafka_has(self) -> None:
        # It needs nothing from Kafka, and its finding may be unpublished.
        whole = StoredRange(rows=41, first_index=0, last_index=40, last_offset=100)
        assert start_from_store(LOG, whole, LOST_PLAN, log_start=200) == LOST_PLAN


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
        start_closed(LOG, Closed(next_offset, 40), BELOW)

    def test_agrees_with_an_empty_store_at_the_beginning(self) -> None:
        start_closed(LOG, Closed(17, 0), NOTHING)

    def test_agrees_with_a_store_that_ends_with_a_gap_below_it(self) -> None:
        start_closed(
            LOG, Closed(105, 41), StoredRange(rows=41, first_index=0, last_index=40, last_offset=100)
        )

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
            start_closed(LOG, state, whole)

    def test_is_refused_when_kafka_lost_what_comes_next(self) -> None:
        with pytest.raises(OffsetGapError, match=r"99\.\.104 were never recorded") as refusal:
            require_nothing_lost(LOG, Closed(99, 40), 105)
        assert "AUDITSTREAM_WORKER__LOST_OFFSETS=record" in refusal.value.hint

    def test_may_begin_exactly_where_kafka_begins(self) -> None:
        require_nothing_lost(LOG, Closed(99, 40), 99)


class TestAnOpenPlan:
    def test_agrees_with_a_store_that_ends_where_it_begins(self) -> None:
        check()

    def test_agrees_with_a_store_that_holds_its_block(self) -> None:
        check(WHOLE_BLOCK)

    def test_agrees_with_an_empty_store_at_the_beginning(self) -> None:
        plan = Plan(lo=0, hi=3, first_index=0, day=PLAN.day)
        start_open(LOG, plan, stored=NOTHING, whole=NOTHING)

    @pytest.mark.parametrize(("log_start", "expected"), [(100, False), (101, True), (120, True), (130, True)])
    def test_is_beyond_replay_once_kafka_lacks_its_first_offset(self, log_start: int, expected: bool) -> None:
        assert is_beyond_replay(PLAN, log_start) is expected

    def test_over_lost_offsets_can_always_be_replayed(self) -> None:
        assert not is_beyond_replay(LOST_PLAN, 10_000)

    def test_beyond_replay_closes_at_its_end_when_the_store_has_its_block(self) -> None:
        assert close_without_replay(PLAN, WHOLE_BLOCK) == Closed(120, 56)

    def test_beyond_replay_closes_at_its_beginning_when_the_store_has_nothing_of_it(self) -> None:
        assert close_without_replay(PLAN, NOTHING) == Closed(100, 40)

    def test_is_refused_when_neither_kafka_nor_the_store_has_its_records(self) -> None:
        with pytest.raises(OffsetGapError, match=r"100\.\.101 were planned but never recorded"):
            require_replayable(LOG, PLAN, 102)
        require_replayable(LOG, PLAN, 100)

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


@pytest.mark.parametrize(
    ("state", "log_start", "expected"),
    [
        pytest.param(Closed(99, 40), 50, 99, id="what comes next"),
        pytest.param(Closed(99, 40), 105, 105, id="what kafka still has"),
        pytest.param(PLAN, 50, 100, id="all of an open plan"),
        pytest.param(PLAN, 110, 110, id="what is left of an open plan"),
        pytest.param(LOST_PLAN, 50, 105, id="nothing of what was given up"),
        pytest.param(LOST_PLAN, 300, 300, id="nothing of what was lost since"),
    ],
)
def test_a_lane_needs_first(state: Closed | Plan, log_start: int, expected: int) -> None:
    assert first_needed(state, log_start) == expected
