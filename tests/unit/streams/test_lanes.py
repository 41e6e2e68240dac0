"""The lanes of a worker: born together at an assignment, drained together."""

from __future__ import annotations

import asyncio

import pytest

from auditstream.core.errors import StoreBusyError
from auditstream.core.ports import LogId, Plan
from streams.lane_services import Membership
from streams.lanes import Lanes
from streams.plan import Closed
from tests.support.lane_parts import LOG, MEMBERSHIP, LaneBench, slab

OTHER = LogId(LOG.topic, 1, LOG.epoch)


def begun(bench: LaneBench, *logs: LogId, drain_s: float = 2.0) -> Lanes:
    lanes = Lanes(bench.services, drain_s=drain_s)
    lanes.begin(MEMBERSHIP, dict.fromkeys(logs, Closed(0, 0)), dict.fromkeys(logs, 0))
    return lanes


def test_a_slab_goes_to_the_lane_of_its_partition() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG, OTHER)
        lanes.put(slab(0, 3, partition=1))
        assert [lane.next_offset for lane in lanes] == [0, 3]
        await lanes.drain()

    bench.run(scenario)


@pytest.mark.parametrize(
    "membership", [Membership("member-1", 0), Membership("member-1", 2), Membership("member-0", 1)]
)
def test_a_slab_of_another_membership_is_dropped(membership: Membership) -> None:
    # The offsets after it may already have been given to another lane, or another worker.
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG)
        lanes.put(slab(0, 3, membership=membership))
        assert [lane.next_offset for lane in lanes] == [0]
        await lanes.drain()

    bench.run(scenario)


def test_a_slab_of_a_partition_without_a_lane_is_dropped() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, OTHER)
        lanes.put(slab(0, 3))
        await lanes.drain()

    bench.run(scenario)


def test_slabs_are_dropped_while_there_is_no_generation() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = Lanes(bench.services, drain_s=2.0)
        lanes.put(slab(0, 3))
        assert lanes.membership is None
        assert [*lanes] == []

    bench.run(scenario)


def test_the_delay_is_shared_by_the_lanes_of_the_generation() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG, OTHER)
        assert bench.services.pacing.lanes == 2
        await lanes.drain()
        begun(bench)
        assert bench.services.pacing.lanes == 1

    bench.run(scenario)


def test_what_is_remembered_is_of_the_logs_of_the_generation() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        await begun(bench, LOG, OTHER).drain()
        assert bench.recorder.kept == {LOG, OTHER}
        await begun(bench, OTHER).drain()
        assert bench.recorder.kept == {OTHER}

    bench.run(scenario)


def test_draining_finishes_open_segments_and_commits_what_is_closed() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG)
        bench.commit_s = 0.2
        lanes.put(slab(0, 6))
        await asyncio.sleep(0.1)
        await lanes.drain()
        assert (lanes.membership, [*lanes]) == (None, [])

    bench.run(scenario)
    assert bench.sink.tokens == ["0-3"]
    assert bench.commits[-1] == Closed(4, 4)


def test_draining_abandons_what_takes_too_long_with_its_plan_open() -> None:
    bench = LaneBench()
    bench.sink.script = [StoreBusyError("busy")] * 1000

    async def scenario() -> None:
        lanes = begun(bench, LOG, drain_s=2.0)
        lanes.put(slab(0, 4))
        await asyncio.sleep(1)
        begun_at = bench.time.now
        await lanes.drain()
        assert bench.time.now - begun_at < 4.1
        sent = len(bench.sink.inserts)
        await asyncio.sleep(60)
        assert len(bench.sink.inserts) == sent

    bench.run(scenario)
    assert isinstance(bench.commits[-1], Plan)
    assert bench.crashes == []


def test_draining_ends_when_commits_are_refused() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG)
        lanes.put(slab(0, 4))
        await asyncio.sleep(1)
        bench.fenced = True
        await lanes.drain()

    bench.run(scenario)
    assert bench.crashes == []


def test_draining_does_not_wait_for_ever_for_a_broker_that_is_away() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG, drain_s=2.0)
        lanes.put(slab(0, 4))
        await asyncio.sleep(1)
        bench.commit_s = 3600.0
        begun_at = bench.time.now
        await lanes.drain()
        assert bench.time.now - begun_at < 4.1

    bench.run(scenario)


def test_nothing_is_committed_again_that_kafka_has() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG)
        lanes.put(slab(0, 4))
        await asyncio.sleep(1)
        [lane] = lanes
        await bench.commit(lane)
        before = len(bench.commits)
        await lanes.drain()
        assert len(bench.commits) == before

    bench.run(scenario)


def test_draining_twice_is_draining_once() -> None:
    bench = LaneBench()

    async def scenario() -> None:
        lanes = begun(bench, LOG)
        await lanes.drain()
        await lanes.drain()

    bench.run(scenario)
