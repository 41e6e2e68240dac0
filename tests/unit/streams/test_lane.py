"""One lane, step by step: what it commits, writes and publishes, in which order, and what stops it."""

from __future__ import annotations

import asyncio
from datetime import date
from itertools import pairwise

import pytest

from auditstream.core.errors import (
    FatalError,
    InvariantError,
    LeaseExpiredError,
    OffsetGapError,
    RegistryDownError,
    RejectError,
    StoreBusyError,
    StoreTimeoutError,
)
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Outbound, Plan
from streams.lane import Lane
from streams.lane_services import Membership
from streams.plan import Closed
from tests.support.lane_parts import EPOCH_S, LaneBench, slab

DAY = date(2026, 3, 1)
MESSAGE = Outbound("audit.dlq.v1", b"key", b"value")


class TestASegment:
    def test_is_planned_then_written_then_published_then_closed(self) -> None:
        bench = LaneBench()
        bench.recorder.outbound = [MESSAGE, MESSAGE]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(1)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        assert bench.commits == [Plan(lo=0, hi=3, first_index=0, day=DAY)]
        order = ["gather", "commit Plan", "plan", "send", "insert", "publish 2", "publish", "close"]
        assert [step for step in bench.steps if step != "stored"] == order
        assert bench.sink.rows == [(0, 0), (1, 1), (2, 2), (3, 3)]

    def test_counts_what_rules_found_by_rule(self) -> None:
        bench = LaneBench()
        bench.recorder.rule_findings = {"aws.trail_stopped": 2}

        async def scenario() -> Metrics:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 8))
            await asyncio.sleep(2)
            return bench.services.metrics

        registry = bench.run(scenario).registry
        assert bench.crashes == []
        labels = {"rule": "aws.trail_stopped"}
        assert registry.get_sample_value("auditstream_rule_findings_total", labels) == 4.0

    def test_names_the_day_and_the_reference_data_of_its_plan(self) -> None:
        bench = LaneBench(reference_revision=lambda: 42)

        async def scenario() -> None:
            lane, _ = bench.started(Closed(10, 7))
            bench.sink.rows = [(9, index) for index in range(7)]
            lane.put(slab(10, 14))
            await asyncio.sleep(1)

        bench.run(scenario)
        [segment] = bench.recorder.segments
        assert segment.plan == Plan(lo=10, hi=13, first_index=7, day=DAY, reference_revision=42)
        assert segment.id == "audit.events.v1/0/0a1b2c3d/10-13"

    def test_is_cut_at_the_row_limit_without_waiting(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 9))
            await asyncio.sleep(0.4)  # less than the delay
            assert bench.sink.tokens == ["0-3", "4-7"]
            await asyncio.sleep(0.5)
            assert bench.sink.tokens == ["0-3", "4-7", "8-8"]

        bench.run(scenario)

    def test_is_cut_at_the_byte_limit(self) -> None:
        bench = LaneBench(segment_rows=100, segment_bytes=10)

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 3, value=b"12345678"))
            await asyncio.sleep(0.2)
            assert bench.sink.tokens == ["0-2"]

        bench.run(scenario)

    def test_counts_the_delay_while_the_last_segment_is_written(self) -> None:
        bench = LaneBench()  # a delay of 0.5 s
        bench.commit_s = 0.4

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))  # full: planned at once, and 0.4 s on its way
            await asyncio.sleep(0.1)
            lane.put(slab(4, 6))
            await asyncio.sleep(0.55)
            assert bench.commits[-1] == Plan(lo=0, hi=3, first_index=0, day=DAY)
            await asyncio.sleep(0.45)
            assert bench.commits[-1] == Plan(lo=4, hi=5, first_index=4, day=DAY)

        bench.run(scenario)

    def test_waits_for_the_delay_from_its_first_record_on(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            await asyncio.sleep(10)
            lane.put(slab(0, 1))
            await asyncio.sleep(0.3)
            lane.put(slab(1, 2))
            await asyncio.sleep(0.1)
            assert bench.sink.tokens == []
            await asyncio.sleep(0.2)
            assert bench.sink.tokens == ["0-1"]

        bench.run(scenario)

    def test_is_not_made_of_offsets_without_records(self) -> None:
        bench = LaneBench()

        async def scenario() -> Lane:
            lane, _ = bench.started(Closed(0, 0))
            empty = slab(0, 5)
            empty.offsets, empty.values, empty.timestamps_ms = [], [], []
            lane.put(empty)
            await asyncio.sleep(1)
            return lane

        lane = bench.run(scenario)
        assert (lane.state, lane.sent, bench.sink.tokens) == (Closed(5, 0), None, [])

    def test_numbers_go_on_from_segment_to_segment(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            for first in range(0, 12, 3):
                lane.put(slab(first, first + 3))
            await asyncio.sleep(2)

        bench.run(scenario)
        assert bench.sink.rows == [(n, n) for n in range(12)]


class TestTheLease:
    def test_runs_from_the_moment_before_the_plan_was_sent(self) -> None:
        bench = LaneBench(lease_s=8.0)
        bench.commit_s = 2.0

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            await asyncio.sleep(1)
            lane.put(slab(0, 4))
            await asyncio.sleep(5)

        bench.run(scenario)
        [(_, insert_by_s)] = bench.sink.inserts
        assert insert_by_s == pytest.approx(EPOCH_S + 1 + 8, abs=0.01)

    def test_is_renewed_under_the_same_plan_while_the_store_refuses(self) -> None:
        bench = LaneBench(lease_s=8.0)
        bench.sink.script = [StoreBusyError("full")] * 9

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(60)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        assert len(bench.commits) > 2
        assert set(bench.commits) == {Plan(lo=0, hi=3, first_index=0, day=DAY)}
        assert len(bench.sink.inserts) == 10
        bounds = [bound for _, bound in bench.sink.inserts]
        assert bounds == sorted(bounds)
        assert bounds[-1] > bounds[0]

    def test_an_insert_refused_as_late_is_sent_again_under_a_fresh_lease(self) -> None:
        bench = LaneBench()
        bench.sink.script = [LeaseExpiredError("late")]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(2)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        assert len(bench.commits) == 2
        (_, first), (_, second) = bench.sink.inserts
        assert second > first

    def test_an_insert_that_is_not_in_time_is_given_longer_under_a_lease_that_lasts_for_it(self) -> None:
        bench = LaneBench(lease_s=8.0, store_timeout_s=2.0)
        bench.sink.needed_s = 7.0
        sent_at: list[float] = []

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            bench.services.checkpoint = lambda step: sent_at.append(bench.now_s()) if step == "send" else None
            lane.put(slab(0, 4))
            await asyncio.sleep(20)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        assert bench.sink.allowed_s == [2.0, 4.0, pytest.approx(8.0, abs=0.01)]
        for (_, insert_by_s), at_s, allowed_s in zip(
            bench.sink.inserts, sent_at, bench.sink.allowed_s, strict=True
        ):
            assert insert_by_s >= at_s + allowed_s
        assert set(bench.sink.tokens) == {"0-3"}
        assert bench.sink.rows == [(n, n) for n in range(4)]

    def test_an_insert_is_never_given_longer_than_a_lease(self) -> None:
        bench = LaneBench(lease_s=8.0, store_timeout_s=3.0)
        bench.sink.needed_s = 100.0

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(30)
            assert isinstance(lane.state, Plan)
            assert bench.crashes == []

        bench.run(scenario)
        assert bench.sink.allowed_s[:2] == [3.0, 6.0]
        assert len(bench.sink.allowed_s) > 5
        assert bench.sink.allowed_s[2:] == [pytest.approx(8.0, abs=0.01)] * (len(bench.sink.allowed_s) - 2)

    def test_the_next_insert_is_given_what_the_last_one_took_and_as_much_again(self) -> None:
        bench = LaneBench(lease_s=8.0, store_timeout_s=2.0)
        bench.sink.script = [StoreTimeoutError("no answer"), None, None]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 8))
            await asyncio.sleep(20)
            assert lane.state == Closed(8, 8)

        bench.run(scenario)
        assert bench.sink.tokens == ["0-3", "0-3", "4-7"]
        assert bench.sink.allowed_s == [2.0, 4.0, 2.0]

    def test_inserts_that_are_always_late_stop_the_worker(self) -> None:
        bench = LaneBench()
        bench.sink.script = [LeaseExpiredError("late")] * 100

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(60)

        bench.run(scenario)
        [crash] = bench.crashes
        assert isinstance(crash, FatalError)
        assert "clock" in crash.hint
        assert len(bench.sink.inserts) == 5


class TestErrors:
    @pytest.mark.parametrize("error", [StoreBusyError("busy"), StoreTimeoutError("no answer")], ids=repr)
    def test_what_the_store_refuses_for_now_is_sent_again_under_the_same_token(
        self, error: Exception
    ) -> None:
        bench = LaneBench()
        bench.sink.script = [error, error]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(10)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        assert bench.sink.tokens == ["0-3"] * 3
        assert len(bench.sink.rows) == 4

    def test_a_block_is_built_again_when_the_registry_is_back(self) -> None:
        bench = LaneBench()
        bench.recorder.script = [RegistryDownError("down")] * 3

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(10)

        bench.run(scenario)
        assert bench.sink.tokens == ["0-3"]

    def test_the_store_is_asked_again_at_the_start_until_it_answers(self) -> None:
        bench = LaneBench()
        bench.sink.reads = [StoreTimeoutError("no answer")] * 3

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(10)

        bench.run(scenario)
        assert bench.sink.tokens == ["0-3"]

    @pytest.mark.parametrize("error", [FatalError("stop"), ValueError("bug")], ids=repr)
    def test_any_other_error_stops_the_worker_with_the_plan_open(self, error: Exception) -> None:
        bench = LaneBench()
        bench.sink.script = [error]

        async def scenario() -> Lane:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await task
            return lane

        lane = bench.run(scenario)
        assert bench.crashes == [error]
        assert isinstance(lane.state, Plan)

    def test_rows_that_the_store_refuses_become_dead_letters_and_the_others_are_recorded(self) -> None:
        bench = LaneBench(segment_rows=100)
        bench.sink.unstorable = {0, 41, 42, 99}

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 100))
            await asyncio.sleep(10)
            assert lane.state == Closed(100, 100)

        bench.run(scenario)
        assert bench.recorder.refused == [{offset: f"row at {offset}" for offset in (0, 41, 42, 99)}]
        assert bench.sink.rows == [(offset, offset) for offset in range(100)]
        assert set(bench.sink.tokens) == {"0-99"}
        assert bench.crashes == []

    def test_rows_that_the_store_refuses_are_found_however_busy_it_is(self) -> None:
        bench = LaneBench()
        bench.sink.unstorable = {2}
        bench.sink.script = [RejectError("row at 2"), *[StoreBusyError("down"), StoreTimeoutError("?")] * 3]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(120)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        assert bench.recorder.refused == [{2: "row at 2"}]

    def test_a_store_that_refuses_very_many_rows_stops_the_worker(self) -> None:
        bench = LaneBench(segment_rows=200)
        bench.sink.unstorable = set(range(200))

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 200))
            await task
            assert isinstance(lane.state, Plan)

        bench.run(scenario)
        assert isinstance(bench.crashes[0], RejectError)
        assert bench.sink.rows == []

    def test_a_refusal_that_is_for_no_single_row_stops_the_worker(self) -> None:
        bench = LaneBench()
        refusal = RejectError("the block as a whole")
        bench.sink.script = [refusal]

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await task

        bench.run(scenario)
        assert bench.crashes == [refusal]

    def test_a_panic_of_native_code_stops_the_worker(self) -> None:
        class PanicError(BaseException):
            """As pyo3's PanicException, which is no Exception."""

        bench, panic = LaneBench(), PanicError()
        bench.recorder.script = [panic]

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await task

        bench.run(scenario)
        assert bench.crashes == [panic]

    def test_a_block_with_fewer_rows_than_records_is_never_written(self) -> None:
        bench = LaneBench()
        bench.recorder.lost_rows = 1

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await task

        bench.run(scenario)
        assert isinstance(bench.crashes[0], InvariantError)
        assert bench.sink.inserts == []

    def test_a_hole_in_the_log_is_an_error_of_the_put(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane = bench.lane(Closed(0, 0))
            lane.put(slab(0, 2))
            with pytest.raises(OffsetGapError):
                lane.put(slab(3, 4))

        bench.run(scenario)

    def test_a_recorder_that_is_worn_out_ends_the_worker_with_its_segment_closed(self) -> None:
        bench = LaneBench()
        bench.recorder.worn_out_reason = "a decoder hangs"

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await task

        bench.run(scenario)
        assert bench.commits[-1] == Closed(4, 4)
        assert [str(crash) for crash in bench.crashes] == ["a decoder hangs"]


class TestFencing:
    def test_a_lane_whose_plan_is_refused_writes_nothing(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            bench.fenced = True
            lane.put(slab(0, 4))
            await task
            assert lane.dead

        bench.run(scenario)
        assert bench.sink.inserts == []
        assert bench.crashes == []

    def test_a_lane_that_is_fenced_between_attempts_sends_no_other(self) -> None:
        bench = LaneBench(lease_s=2.0)
        bench.sink.script = [StoreBusyError("busy")] * 50

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(1)
            bench.fenced = True
            await task
            sent = len(bench.sink.inserts)
            await asyncio.sleep(30)
            assert len(bench.sink.inserts) == sent

        bench.run(scenario)
        assert bench.crashes == []

    def test_a_dead_lane_sends_nothing_that_its_thread_had_not_begun(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))

            def die(step: str) -> None:
                if step == "send":  # the insert waits for a thread by then
                    asyncio.get_running_loop().call_soon(setattr, lane, "dead", True)

            bench.services.checkpoint = die
            lane.put(slab(0, 4))
            await asyncio.sleep(10)

        bench.run(scenario)
        assert bench.sink.inserts == []

    def test_a_dead_lane_takes_no_slab(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane = bench.lane(Closed(0, 0))
            lane.dead = True
            lane.put(slab(0, 4))
            assert lane.next_offset == 0

        bench.run(scenario)

    def test_a_contradiction_stops_the_worker_while_the_partition_is_its_own(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [(0, 0), (1, 1)]

        async def scenario() -> None:
            _, task = bench.started(Closed(1, 1))
            await task

        bench.run(scenario)
        assert isinstance(bench.crashes[0], InvariantError)

    def test_the_rows_of_a_successor_do_not_stop_a_worker_that_was_put_out_of_the_group(self) -> None:
        # Frozen between reading its committed state and looking at the store, it sees its successor's rows.
        bench = LaneBench()
        bench.sink.rows = [(0, 0), (1, 1)]
        bench.fenced = True

        async def scenario() -> None:
            lane, task = bench.started(Closed(1, 1))
            await task
            assert lane.dead

        bench.run(scenario)
        assert bench.crashes == []


class TestAReplay:
    PLAN = Plan(lo=10, hi=15, first_index=7, day=date(2025, 12, 31), reference_revision=3)
    BEFORE = [(index, index) for index in range(7)]

    @pytest.mark.parametrize("missing", [13, 15], ids=["half of it", "its last record"])
    def test_writes_the_whole_plan_under_its_own_token_and_day(self, missing: int) -> None:
        bench = LaneBench(reference_revision=lambda: 99)
        bench.sink.rows = [*self.BEFORE]

        async def scenario() -> Lane:
            lane, _ = bench.started(self.PLAN)
            lane.put(slab(10, missing))
            await asyncio.sleep(5)
            assert bench.sink.inserts == []  # not before all of it is here
            lane.put(slab(missing, 18))
            await asyncio.sleep(5)
            return lane

        lane = bench.run(scenario)
        assert bench.recorder.segments[0].plan == self.PLAN
        assert bench.sink.tokens == ["10-15", "16-17"]
        assert lane.state == Closed(18, 15)

    def test_is_committed_again_before_it_is_written(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [*self.BEFORE]

        async def scenario() -> None:
            lane, _ = bench.started(self.PLAN)
            lane.put(slab(10, 16))
            await asyncio.sleep(1)

        bench.run(scenario)
        assert bench.commits[0] == self.PLAN
        assert bench.steps.index("commit Plan") < bench.steps.index("send")

    def test_of_a_block_that_is_there_is_sent_again_so_that_views_heal(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [*self.BEFORE]
        bench.recorder.outbound = [MESSAGE]

        async def scenario() -> None:
            first, _ = bench.started(self.PLAN)
            first.put(slab(10, 16))
            await asyncio.sleep(1)
            second, _ = bench.started(self.PLAN, membership=Membership("member-2", 2))
            second.put(slab(10, 16))
            await asyncio.sleep(1)

        bench.run(scenario)
        assert bench.sink.tokens == ["10-15", "10-15"]
        assert bench.sink.rows == [*self.BEFORE, *((10 + n, 7 + n) for n in range(6))]
        assert bench.steps.count("publish 1") == 2

    def test_of_a_block_whose_token_is_forgotten_is_not_sent_again(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [*self.BEFORE, *((10 + n, 7 + n) for n in range(6))]
        bench.sink.window, bench.sink.later_segments = 100, 100
        bench.recorder.outbound = [MESSAGE]

        async def scenario() -> None:
            lane, _ = bench.started(self.PLAN)
            lane.put(slab(10, 16))
            await asyncio.sleep(1)
            assert lane.state == Closed(16, 13)

        bench.run(scenario)
        assert bench.sink.inserts == []
        assert "publish 1" in bench.steps  # published all the same: readers drop repeats

    def test_of_a_block_that_a_view_lacks_and_whose_token_is_forgotten_stops_the_worker(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [*self.BEFORE, *((10 + n, 7 + n) for n in range(6))]
        bench.sink.window, bench.sink.later_segments = 100, 100
        bench.sink.lacking = ["usage_1m"]

        async def scenario() -> None:
            lane, task = bench.started(self.PLAN)
            lane.put(slab(10, 16))
            await task

        bench.run(scenario)
        assert isinstance(bench.crashes[0], InvariantError)
        assert "doctor rebuild --segment" in str(bench.crashes[0].hint)
        assert bench.sink.inserts == []

    def test_of_a_block_with_too_few_rows_whose_token_is_forgotten_stops_the_worker(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [*self.BEFORE, *((10 + n, 7 + n) for n in range(4))]
        bench.sink.window, bench.sink.later_segments = 100, 100

        async def scenario() -> None:
            lane, task = bench.started(self.PLAN)
            lane.put(slab(10, 16))
            await task

        bench.run(scenario)
        assert isinstance(bench.crashes[0], InvariantError)
        assert bench.sink.inserts == []

    def test_whose_token_is_forgotten_while_it_waits_for_its_records_is_not_doubled(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [*self.BEFORE, *((10 + n, 7 + n) for n in range(6))]
        bench.sink.window = 100

        async def scenario() -> None:
            lane, _ = bench.started(self.PLAN)
            await asyncio.sleep(30)
            bench.sink.later_segments = 100  # of other logs, meanwhile
            lane.put(slab(10, 16))
            await asyncio.sleep(5)

        bench.run(scenario)
        assert len(bench.sink.rows) == 13

    def test_larger_than_two_segments_gets_all_its_records(self) -> None:
        # A predecessor with larger segments made the plan; fetching must not stop before it is complete.
        bench = LaneBench(segment_rows=2)
        bench.sink.rows = [*self.BEFORE]

        async def scenario() -> None:
            lane, _ = bench.started(self.PLAN)
            for offset in range(10, 16):
                if "full" in bench.steps and "drained" not in bench.steps:
                    break  # the consumer fetches no more
                lane.put(slab(offset, offset + 1))
                await asyncio.sleep(0.1)
            await asyncio.sleep(5)

        bench.run(scenario)
        assert bench.sink.tokens == ["10-15"]

    def test_that_is_drained_before_its_records_came_leaves_the_plan_open(self) -> None:
        bench = LaneBench()
        bench.sink.rows = [*self.BEFORE]

        async def scenario() -> Lane:
            lane, task = bench.started(self.PLAN)
            lane.put(slab(10, 12))
            await asyncio.sleep(1)
            lane.drain()
            await task
            return lane

        assert bench.run(scenario).state == self.PLAN
        assert bench.sink.inserts == []


def test_a_retry_after_the_store_forgot_the_token_does_not_double() -> None:
    # Applied, the answer lost; then refused for so long that other logs' inserts push the token out.
    bench = LaneBench()
    bench.sink.script = [(StoreTimeoutError("applied, no answer"),), *[StoreBusyError("down")] * 20]

    async def scenario() -> None:
        lane, _ = bench.started(Closed(0, 0))
        lane.put(slab(0, 4))
        await asyncio.sleep(10)
        bench.sink.later_segments = bench.sink.window
        await asyncio.sleep(60)
        assert lane.state == Closed(4, 4)

    bench.run(scenario)
    assert bench.sink.rows == [(0, 0), (1, 1), (2, 2), (3, 3)]


class TestASeriesOfAttempts:
    def test_ends_with_one_lease_that_no_renewal_stretches(self) -> None:
        # The store's word that it remembers the token holds for one lease; a later one would outlive it.
        bench = LaneBench(lease_s=8.0)
        bench.sink.script = [StoreTimeoutError("no answer"), *[StoreBusyError("down")] * 4]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            for _ in range(40):
                await asyncio.sleep(0.25)
                await bench.commit(lane)  # Faust's timer, say
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        leases = [insert_by_s for _, insert_by_s in bench.sink.inserts]
        series = sorted(set(leases))
        assert len(leases) == 6
        assert all(later - earlier >= 4.0 for earlier, later in pairwise(series))

    def test_begins_with_a_read_back_once_an_attempt_is_in_doubt(self) -> None:
        bench = LaneBench(lease_s=8.0)
        bench.sink.script = [StoreTimeoutError("no answer"), *[StoreBusyError("down")] * 20]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(60)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        order = [step for step in bench.steps if step in {"commit Plan", "stored", "send"}]
        assert order[:4] == ["stored", "commit Plan", "send", "send"]  # the start's check, the first series
        for number, step in enumerate(order[3:], 3):
            if step == "commit Plan":
                assert order[number + 1 : number + 3] == ["stored", "send"]
        assert order.count("stored") > 2

    def test_does_not_begin_until_the_store_was_read_back(self) -> None:
        bench = LaneBench(lease_s=8.0)
        bench.sink.script = [(StoreTimeoutError("applied, no answer"),), *[StoreBusyError("down")] * 20]

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(2)
            bench.sink.reads = [StoreBusyError("down")] * 4
            attempts = len(bench.sink.inserts)
            while len(bench.sink.reads) > 1:
                await asyncio.sleep(0.05)
            before = [insert_by_s for _, insert_by_s in bench.sink.inserts[attempts:]]
            assert len(set(before)) <= 1  # what was left of the first series
            bench.sink.later_segments = bench.sink.window
            await asyncio.sleep(60)
            assert lane.state == Closed(4, 4)

        bench.run(scenario)
        assert bench.sink.rows == [(0, 0), (1, 1), (2, 2), (3, 3)]


class TestAPause:
    """Segments of four records; four dead letters in a row are too many."""

    def bench(self) -> LaneBench:
        bench = LaneBench(dead_letter_run=4, pause_s=60.0)
        bench.recorder.rejects = True
        return bench

    def test_is_told_once_and_lasts_until_a_probe_is_events(self) -> None:
        bench = self.bench()

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(10)
            lane.put(slab(4, 8))
            await asyncio.sleep(40)
            assert bench.sink.tokens == ["0-3"]  # paused
            await asyncio.sleep(20)
            assert bench.sink.tokens == ["0-3", "4-7"]  # the probe, which fails
            bench.recorder.rejects = False
            lane.put(slab(8, 12))
            await asyncio.sleep(65)
            lane.put(slab(12, 16))
            await asyncio.sleep(5)

        bench.run(scenario)
        assert bench.sink.tokens == ["0-3", "4-7", "8-11", "12-15"]
        [trip] = bench.recorder.trips
        assert trip.block.segment_id == "audit.events.v1/0/0a1b2c3d/0-3"
        assert bench.steps.count("publish 1") == 1

    def test_that_ended_is_told_again_when_it_comes_again(self) -> None:
        bench = self.bench()

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            for number, rejects in enumerate([True, False, True]):
                bench.recorder.rejects = rejects
                lane.put(slab(4 * number, 4 * number + 4))
                await asyncio.sleep(65)

        bench.run(scenario)
        assert [trip.block.segment_id.rpartition("/")[2] for trip in bench.recorder.trips] == ["0-3", "8-11"]

    def test_after_a_replay_tells_of_the_same_segment_before_anything_else_is_read(self) -> None:
        bench = self.bench()
        plan = Plan(lo=0, hi=3, first_index=0, day=DAY)

        async def scenario() -> None:
            first, _ = bench.started(plan)
            first.put(slab(0, 4))
            await asyncio.sleep(5)
            first.dead = True
            second, _ = bench.started(plan, membership=Membership("member-2", 2))
            second.put(slab(0, 8))
            await asyncio.sleep(5)

        bench.run(scenario)
        assert bench.sink.tokens == ["0-3", "0-3"]
        assert {trip.block.segment_id for trip in bench.recorder.trips} == {"audit.events.v1/0/0a1b2c3d/0-3"}
        assert len(bench.recorder.trips) == bench.steps.count("publish 1") == 2

    def test_waits_for_the_registry_to_be_told_of(self) -> None:
        bench = self.bench()
        bench.recorder.refusals = [RegistryDownError("no answer")] * 3

        async def scenario() -> None:
            lane, _ = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(10)

        bench.run(scenario)
        assert bench.steps.count("publish 1") == len(bench.recorder.trips) == 1
        assert bench.crashes == []

    def test_is_not_told_of_by_a_lane_that_the_group_has_left_behind(self) -> None:
        bench = self.bench()
        bench.recorder.refusals = [RegistryDownError("no answer")] * 100

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            lane.put(slab(0, 4))
            await asyncio.sleep(5)
            lane.dead = True
            await task

        bench.run(scenario)
        assert "publish 1" not in bench.steps


class TestDraining:
    def test_finishes_the_open_segment_and_begins_no_other(self) -> None:
        bench = LaneBench()

        async def scenario() -> Lane:
            lane, task = bench.started(Closed(0, 0))
            bench.commit_s = 1.0
            lane.put(slab(0, 7))
            await asyncio.sleep(0.5)
            lane.drain()
            await task
            return lane

        assert bench.run(scenario).state == Closed(4, 4)
        assert bench.sink.tokens == ["0-3"]

    def test_takes_no_more_slabs(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane = bench.lane(Closed(0, 0))
            lane.drain()
            lane.put(slab(5, 9))  # not even one with a hole before it
            assert (lane.next_offset, lane.busy) == (0, False)

        bench.run(scenario)

    def test_ends_a_lane_that_has_nothing(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane, task = bench.started(Closed(0, 0))
            await asyncio.sleep(1)
            lane.drain()
            await task

        bench.run(scenario)


class TestBackPressure:
    def test_stops_the_fetch_at_two_segments_and_begins_again_below_one(self) -> None:
        bench = LaneBench()

        async def scenario() -> None:
            lane = bench.lane(Closed(0, 0))  # not running: nothing is taken
            lane.put(slab(0, 7))
            assert bench.steps == []
            lane.put(slab(7, 8))
            lane.put(slab(8, 12))
            assert bench.steps == ["full"]  # once
            task = asyncio.create_task(lane.run())
            await asyncio.sleep(1)
            assert bench.steps.count("drained") == 1
            lane.put(slab(12, 30))
            assert bench.steps.count("full") == 2
            lane.drain()
            await task

        bench.run(scenario)

    def test_counts_bytes_too(self) -> None:
        bench = LaneBench(segment_bytes=10)

        async def scenario() -> None:
            lane = bench.lane(Closed(0, 0))
            lane.put(slab(0, 1, value=b"x" * 19))
            assert bench.steps == []
            lane.put(slab(1, 2, value=b"x"))
            assert bench.steps == ["full"]

        bench.run(scenario)
