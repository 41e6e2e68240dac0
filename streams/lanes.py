"""The lanes of one worker: born together at an assignment, drained together at the next or at the stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from auditstream.core.logs import get_logger
from auditstream.core.ports import LogId, Slab
from streams.lane import Lane
from streams.lane_services import Fenced, LaneServices, Membership
from streams.plan import State

log = get_logger(__name__)

Partition = tuple[str, int]


class Lanes:
    """The lanes of the present generation, by topic and partition.

    Attributes:
        membership: Place in the group of the present lanes; None before the first assignment.
    """

    def __init__(self, services: LaneServices, *, drain_s: float) -> None:
        self.services = services
        self.membership: Membership | None = None
        self._drain_s = drain_s
        self._lanes: dict[Partition, Lane] = {}
        self._tasks: dict[Partition, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def get(self, topic: str, partition: int) -> Lane | None:
        """Return the lane of a partition, or None."""
        return self._lanes.get((topic, partition))

    def begin(
        self, membership: Membership, states: Mapping[LogId, State], log_starts: Mapping[LogId, int]
    ) -> list[Lane]:
        """Start a lane for every log of a new generation."""
        self.membership = membership
        self.services.pacing.begin(len(states))
        self.services.recorder.keep_only(states.keys())
        for log_id, state in states.items():
            lane = Lane(log_id, membership, state, self.services, log_start=log_starts[log_id])
            key = (log_id.topic, log_id.partition)
            self._lanes[key] = lane
            self._tasks[key] = asyncio.create_task(lane.run(), name=f"lane {log_id}")
        log.info(
            "lanes_begun",
            generation=membership.generation,
            lanes={str(key): repr(state) for key, state in states.items()},
        )
        return list(self._lanes.values())

    def put(self, slab: Slab) -> None:
        """Hand a slab to its lane; one of another membership is fetched again by whoever owns it now.

        Raises:
            OffsetGapError: Records between the last slab and this one are missing.
        """
        if slab.membership != self.membership:
            return
        lane = self._lanes.get((slab.topic, slab.partition))
        if lane is not None:
            lane.put(slab)

    async def drain(self) -> None:
        """Finish the open segments within the drain time, commit what is closed, and end every lane.

        An optimisation, not a safety need: a segment that is abandoned has a plan, and its next owner
        finishes it.
        """
        lanes, tasks = list(self._lanes.values()), list(self._tasks.values())
        self._lanes, self._tasks, self.membership = {}, {}, None
        if not lanes:
            return
        for lane in lanes:
            lane.drain()
        await asyncio.wait(tasks, timeout=self._drain_s)
        await asyncio.gather(*(self._commit_last(lane) for lane in lanes))
        for lane, task in zip(lanes, tasks, strict=True):
            lane.dead = True
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("lanes_ended", lanes=len(lanes), open_plans=sum(lane.busy for lane in lanes))

    async def _commit_last(self, lane: Lane) -> None:
        if lane.dead or lane.state == lane.sent:
            return
        try:
            async with asyncio.timeout(self._drain_s):
                await self.services.committer.commit(lane)
        except (Fenced, TimeoutError) as reason:
            log.info("last_commit_left_out", log=str(lane.log), reason=repr(reason))
