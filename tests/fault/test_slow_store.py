"""A store that takes longer over every insert than the first attempt is given."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from auditstream.core.ports import NOTHING_REFUSED, Block, LogId, Outbound, Segment, Trip
from auditstream.embedded.clickhouse_process import RunningClickHouse
from sinks.clickhouse import connect
from sinks.clients import http_client
from streams.lane import Lane
from streams.lane_services import LaneServices, Membership
from streams.pacing import Pacing
from streams.plan import Closed
from tests.support.blocks import LOG, block_of
from tests.support.databases import migrated_database
from tests.support.faults import Delay
from tests.support.faulty_store import FaultyStore
from tests.support.lane_parts import slab

FIRST_S = 1.0
NEEDED_S = 2.5
LEASE_S = 30.0
ROWS = 50
COUNTS = """
SELECT
    (SELECT count() FROM events), (SELECT uniqExact(kafka_offset) FROM events),
    (SELECT sum(events) FROM usage_1m)"""

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]


class BlockRecorder:
    """Makes a segment's rows out of nothing but its offsets."""

    def build(self, segment: Segment, refused: Mapping[int, str] = NOTHING_REFUSED) -> Block:
        del refused
        plan = segment.plan
        return block_of(LOG, plan.lo, len(segment), segment_id=segment.id, day=plan.day)

    def pause_finding(self, log: LogId, trip: Trip) -> Outbound:
        raise AssertionError("nothing is paused")

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Remember nothing, so forget nothing."""

    def worn_out(self) -> str | None:
        return None


@dataclass
class Around:
    """What a lane has around it where neither group nor publisher refuses anything."""

    crashes: list[BaseException] = field(default_factory=list)
    services: Any = None

    async def commit(self, lane: Lane) -> None:
        lane.accepted(lane.state, self.services.clock.now_s())

    async def publish(self, messages: list[Outbound]) -> None:
        del messages

    async def rejoin(self) -> None: ...
    def full(self, log: LogId) -> None: ...
    def drained(self, log: LogId) -> None: ...

    async def crash(self, error: BaseException) -> None:
        self.crashes.append(error)


def test_a_segment_is_there_once_though_no_insert_is_as_quick_as_the_first_attempt_must_be(
    clickhouse: RunningClickHouse,
) -> None:
    """The first attempts reach the store, too, when nobody waits for them any more."""
    around = Around()
    with (
        migrated_database(clickhouse) as database,
        FaultyStore((clickhouse.host, clickhouse.port)) as proxy,
        closing(
            connect(
                database.model_copy(update={"host": proxy.host, "port": proxy.port, "timeout_s": FIRST_S})
            )
        ) as sink,
        ThreadPoolExecutor(4) as threads,
        closing(http_client(database)) as client,
    ):
        injection = proxy.inject(Delay(NEEDED_S), times=1_000)

        async def scenario() -> None:
            done = asyncio.Event()
            around.services = LaneServices(
                sink=sink,
                recorder=BlockRecorder(),
                publisher=around,
                committer=around,
                flow=around,
                builders=threads,
                inserters=threads,
                crash=around.crash,
                pacing=Pacing(min_delay_s=0.01, max_delay_s=0.01),
                lease_s=LEASE_S,
                store_timeout_s=FIRST_S,
                segment_rows=ROWS,
                checkpoint=lambda step: done.set() if step == "publish" else None,
            )
            lane = Lane(LOG, Membership("member", 1), Closed(0, 0), around.services)
            running = asyncio.create_task(lane.run())
            lane.put(slab(0, ROWS))
            async with asyncio.timeout(60):
                await done.wait()
            lane.drain()
            await running

        asyncio.run(scenario())
        assert around.crashes == []
        assert injection.struck >= 3  # those that are given 1 s and 2 s are in vain
        assert client.query(COUNTS).result_rows == [(ROWS, ROWS, ROWS)]
