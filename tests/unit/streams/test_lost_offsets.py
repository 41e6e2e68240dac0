"""Lost offsets: what a lane does about them, step by step, and the block that stands for them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from polars.testing import assert_frame_equal

from auditstream.core.errors import InvariantError, OffsetGapError
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Lost, Plan, Segment
from auditstream.ledger.gaps import Gap, gap_of
from auditstream.ledger.leaves import NO_EVENT_ID, LeafKind, LeafRun, value_hashes
from streams.lost_offsets import lost_batch, plan_over_lost
from streams.plan import Closed
from tests.support.bad_messages import datum
from tests.support.lane_parts import EPOCH_S, LOG, LaneBench, slab
from tests.support.recorders import record_in, recorder_of, segment_of

DAY = date(2026, 3, 1)
NOTICED_MS = int(EPOCH_S * 1000)
# Offsets 2 to 6 of a log that has two leaves.
GAP_PLAN = Plan(lo=2, hi=6, first_index=2, day=DAY, lost=Lost("never_planned", NOTICED_MS))
STORED = [(0, 0), (1, 1)]


def recording(**settings: object) -> LaneBench:
    """Return a bench whose lanes record lost offsets; two rows are stored."""
    bench = LaneBench(lost_offsets="record", quiet_s=20.0, **settings)
    bench.sink.rows = list(STORED)
    return bench


def lost_total(metrics: Metrics) -> float:
    labels = {"topic": LOG.topic, "partition": str(LOG.partition)}
    return metrics.registry.get_sample_value("auditstream_lost_offsets_total", labels) or 0.0


class TestALaneBelowTheStartOfItsLog:
    def test_stops_the_worker_unless_told_otherwise(self) -> None:
        bench = LaneBench()
        bench.sink.rows = list(STORED)

        async def scenario() -> None:
            lane, task = bench.started(Closed(2, 2), log_start=7)
            lane.put(slab(7, 9))
            await task

        bench.run(scenario)
        [crash] = bench.crashes
        assert isinstance(crash, OffsetGapError)
        assert "offsets 2..6 were never recorded" in crash.message
        assert bench.sink.inserts == []

    def test_plans_the_gap_then_writes_its_leaf_then_goes_on_at_the_start(self) -> None:
        bench = recording()

        async def scenario() -> None:
            lane, _ = bench.started(Closed(2, 2), log_start=7)
            lane.put(slab(7, 9))
            await asyncio.sleep(3)
            assert lane.state == Closed(9, 5)

        bench.run(scenario)
        lost = bench.commits[0]
        assert isinstance(lost, Plan)
        assert lost.lost is not None
        assert (lost.lo, lost.hi, lost.first_index, lost.lost.reason) == (2, 6, 2, "never_planned")
        steps = [step for step in bench.steps if step != "stored"]
        once = ["gather", "commit Plan", "plan", "send", "insert", "publish", "close"]
        assert steps == once * 2
        assert bench.sink.tokens == ["2-6", "7-8"]
        assert bench.sink.rows == [*STORED, (2, 2), (7, 3), (8, 4)]
        assert lost_total(bench.services.metrics) == 5

    def test_builds_the_block_of_the_gap_again_from_its_plan_alone(self) -> None:
        bench = recording()
        bench.sink.rows = list(STORED)

        async def scenario() -> None:
            lane, _ = bench.started(GAP_PLAN, log_start=10)
            assert lane.next_offset == 10
            await asyncio.sleep(3)

        bench.run(scenario)
        assert bench.recorder.segments[0].plan == GAP_PLAN
        # What was lost since is another gap.
        assert bench.sink.tokens == ["2-6", "7-9"]
        assert bench.sink.rows == [*STORED, (2, 2), (7, 3)]

    def test_finishes_a_gap_that_was_planned_though_lost_offsets_stop_it_now(self) -> None:
        bench = LaneBench()
        bench.sink.rows = list(STORED)

        async def scenario() -> None:
            lane, _ = bench.started(GAP_PLAN, log_start=7)
            await asyncio.sleep(3)
            assert lane.state == Closed(7, 3)

        bench.run(scenario)
        assert bench.crashes == []

    def test_does_not_count_the_gap_among_dead_letters(self) -> None:
        bench = recording(dead_letter_ratio=0.5, dead_letter_run=3)
        bench.recorder.rejects = True

        async def scenario() -> None:
            lane, _ = bench.started(GAP_PLAN, log_start=7)
            lane.put(slab(7, 9))
            await asyncio.sleep(3)

        bench.run(scenario)
        assert bench.recorder.trips == []


class TestAnOpenPlanBeyondReplay:
    PLAN = Plan(lo=2, hi=5, first_index=2, day=DAY)

    def test_waits_until_no_earlier_owner_can_write_it_any_more(self) -> None:
        bench = recording()

        async def scenario() -> None:
            lane, _ = bench.started(self.PLAN, log_start=4)
            await asyncio.sleep(19.5)
            assert (lane.state, bench.commits) == (self.PLAN, [])
            # The earlier owner's insert arrives at the last moment.
            bench.sink.rows += [(2, 2), (3, 3), (4, 4), (5, 5)]
            await asyncio.sleep(1)
            assert lane.state == Closed(6, 6)

        bench.run(scenario)
        assert bench.sink.inserts == []
        assert bench.crashes == []

    def test_is_given_up_for_a_gap_and_what_is_left_of_it_is_planned_anew(self) -> None:
        bench = recording()

        async def scenario() -> None:
            lane, _ = bench.started(self.PLAN, log_start=4)
            lane.put(slab(4, 8))
            await asyncio.sleep(25)
            assert lane.state == Closed(8, 7)

        bench.run(scenario)
        assert bench.sink.tokens == ["2-3", "4-7"]
        assert bench.sink.rows == [*STORED, (2, 2), (4, 3), (5, 4), (6, 5), (7, 6)]
        lost = bench.recorder.segments[0].plan.lost
        assert lost is not None
        assert lost.reason == "never_written"

    @pytest.mark.parametrize("log_start", [3, 5, 6])
    @pytest.mark.parametrize("setting", ["stop", "record"])
    def test_is_closed_when_the_store_has_its_block(self, setting: str, log_start: int) -> None:
        bench = LaneBench(lost_offsets=setting)
        bench.sink.rows = [*STORED, (2, 2), (3, 3), (4, 4), (5, 5)]

        async def scenario() -> None:
            lane, _ = bench.started(self.PLAN, log_start=log_start)
            lane.put(slab(log_start, 7))  # the rest of the plan, which must not be recorded again
            await asyncio.sleep(bench.services.quiet_s + 1)
            lane.put(slab(7, 8))
            await asyncio.sleep(1)
            assert lane.state == Closed(8, 8)

        bench.run(scenario)
        assert bench.sink.rows == [*STORED, *((offset, offset) for offset in range(2, 8))]
        assert bench.sink.tokens == ["6-6", "7-7"]
        assert bench.crashes == []

    def test_stops_the_worker_when_a_view_lacks_its_block(self) -> None:
        bench = recording()
        bench.sink.rows = [*STORED, (2, 2), (3, 3), (4, 4), (5, 5)]
        bench.sink.lacking = ["usage_1m"]

        async def scenario() -> None:
            _, task = bench.started(self.PLAN, log_start=6)
            await task

        bench.run(scenario)
        [crash] = bench.crashes
        assert isinstance(crash, InvariantError)
        assert "usage_1m" in crash.message

    def test_stops_the_worker_unless_told_otherwise_and_stays_planned(self) -> None:
        bench = LaneBench()
        bench.sink.rows = list(STORED)

        async def scenario() -> None:
            lane, task = bench.started(self.PLAN, log_start=4)
            await task
            assert lane.state == self.PLAN

        bench.run(scenario)
        [crash] = bench.crashes
        assert "offsets 2..3 were planned but never recorded" in str(crash)

    def test_stays_open_when_the_lane_is_drained_meanwhile(self) -> None:
        bench = recording()

        async def scenario() -> None:
            lane, task = bench.started(self.PLAN, log_start=9)
            await asyncio.sleep(5)
            lane.drain()
            await asyncio.wait_for(task, 1)
            assert lane.state == self.PLAN

        bench.run(scenario)
        assert (bench.commits, bench.sink.inserts, bench.crashes) == ([], [], [])

    def test_does_not_hold_all_that_kafka_has_while_it_waits(self) -> None:
        bench = recording(segment_rows=4)

        async def scenario() -> None:
            lane, _ = bench.started(Plan(lo=2, hi=50, first_index=2, day=DAY), log_start=4)
            await asyncio.sleep(1)
            lane.put(slab(4, 14))
            assert bench.steps[-1] == "full"

        bench.run(scenario)


class TestALogThatIsCutWhileItIsRead:
    def test_is_recorded_as_far_as_it_is_held_and_then_begun_again(self) -> None:
        bench = recording()

        async def scenario() -> None:
            lane, task = bench.started(Closed(2, 2))
            await asyncio.sleep(1)
            lane.put(slab(2, 4))
            lane.put(slab(9, 11))
            lane.put(slab(11, 13))
            await asyncio.wait_for(task, 5)
            assert lane.dead
            assert lane.sent == Closed(4, 4)

        bench.run(scenario)
        assert bench.steps[-1] == "rejoin"
        assert bench.sink.rows == [*STORED, (2, 2), (3, 3)]
        assert bench.crashes == []

    def test_is_begun_again_in_the_middle_of_a_replay(self) -> None:
        bench = recording()
        plan = Plan(lo=2, hi=8, first_index=2, day=DAY)

        async def scenario() -> None:
            lane, task = bench.started(plan)
            await asyncio.sleep(1)
            lane.put(slab(2, 4))
            lane.put(slab(9, 11))
            await asyncio.wait_for(task, 5)
            assert lane.state == plan

        bench.run(scenario)
        assert bench.steps[-1] == "rejoin"
        assert bench.sink.inserts == []


class TestTheBlock:
    def segment(self) -> Segment:
        batch = lost_batch(LOG, GAP_PLAN)
        return Segment(LOG, GAP_PLAN, batch.offsets, batch.values, batch.timestamps_ms, batch.headers)

    def test_is_one_leaf_of_kind_2_whose_value_names_the_range(self) -> None:
        [row] = recorder_of().build(self.segment()).frame.iter_rows(named=True)
        assert gap_of(row["raw"]) == Gap(str(LOG), 2, 6, "never_planned")
        assert (row["leaf_kind"], row["leaf_index"], row["kafka_offset"]) == (LeafKind.GAP, 2, 2)
        assert row["kafka_timestamp"] == datetime.fromtimestamp(EPOCH_S, UTC)
        assert (row["event_id"], row["segment_id"]) == (NO_EVENT_ID, f"{LOG}/2-6")
        assert row["reject_reason"] == "never_planned"
        assert "offsets 2 to 6" in row["reject_detail"]
        run = LeafRun([2], 2, [2], [NOTICED_MS], [NO_EVENT_ID], value_hashes([row["raw"]]))
        assert row["leaf_hash"] == run.hashes()[0]

    def test_is_the_same_at_every_replay_whatever_the_store_refuses(self) -> None:
        block, again = recorder_of().build(self.segment()), recorder_of().build(self.segment(), {0: "no"})
        assert_frame_equal(block.frame, again.frame)
        assert list(block.outbound) == list(again.outbound)

    def test_is_no_dead_letter_no_event_and_no_repeat(self) -> None:
        block = recorder_of().build(self.segment())
        counts = (block.dead_letters, block.duplicates, block.unpriced, block.unattributed)
        assert (len(block), counts) == (1, (0, 0, 0, 0))

    def test_tells_of_the_loss_in_one_finding(self) -> None:
        block = recorder_of().build(self.segment())
        [message] = block.outbound
        finding = record_in(message, "finding")
        assert (finding["rule_id"], finding["tenant_id"]) == ("offsets.lost", "unattributed")
        assert finding["observed"] == 5.0
        assert "offsets 2 to 6" in finding["title"]
        assert finding["window_end"] - finding["window_start"] == timedelta(milliseconds=1)


def test_a_gap_is_planned_from_what_is_recorded_to_what_is_left() -> None:
    plan = plan_over_lost(Closed(2, 2), 7, reason="never_planned", now_s=EPOCH_S, reference_revision=3)
    assert plan == Plan(2, 6, 2, DAY, reference_revision=3, lost=Lost("never_planned", NOTICED_MS))


def test_a_repeat_after_a_gap_points_at_the_event_before_it() -> None:
    before = recorder_of().build(segment_of([datum(0), datum(1)]))
    recorder = recorder_of(before)
    recorder.build(segment_of([datum(0), datum(1)]))
    recorder.build(TestTheBlock().segment())
    after = segment_of([datum(1), datum(2)], lo=7)
    block = recorder.build(replace(after, plan=replace(after.plan, first_index=3)))
    assert block.frame["duplicate_of"].to_list() == [1, None]
