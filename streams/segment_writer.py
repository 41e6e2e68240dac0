"""One segment to durable rows: build, insert under the plan's lease and token, publish.

A lane has one writer; segments of a lane are written one after the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar

from auditstream.core.errors import FatalError, InvariantError, LeaseExpiredError
from auditstream.core.logs import get_logger
from auditstream.core.ports import Block, Segment, StoredRange
from streams.lane_services import Fenced, LaneServices
from streams.patience import patiently
from streams.recovery import Replay

if TYPE_CHECKING:
    from streams.lane import Lane

log = get_logger(__name__)

T = TypeVar("T")

# Inserts refused as late in a row, each with a fresh lease: then the clocks are too far apart.
_MAX_LATE_REFUSALS = 5


class SegmentWriter:
    """Writes a lane's segments; every step is repeated while it is refused for now, the plan stays open."""

    def __init__(self, lane: Lane, services: LaneServices) -> None:
        self._lane = lane
        self._services = services

    async def write(self, segment: Segment, replay: Replay | None) -> Block:
        """Make the segment durable and publish what follows from it; return its block.

        Raises:
            Fenced: The lane may write nothing more.
            FatalError: Going on is not safe.
        """
        services = self._services
        block = await self._build(segment)
        if len(block):
            if not (replay is Replay.READ_BACK and await self._is_stored(segment, block)):
                await self._insert(block)
            services.checkpoint("insert")
            if block.outbound:
                await services.publisher.publish(list(block.outbound))
            services.checkpoint("publish")
        return block

    async def stored(self, from_offset: int) -> StoredRange:
        """Return what the store holds of the lane's log at or above an offset."""
        services = self._services
        return await self._patiently(
            "read_back",
            lambda: self._on(services.inserters, services.sink.stored, self._lane.log, from_offset),
        )

    async def token_window(self) -> int:
        """Return how many of the newest inserts the store remembers the tokens of."""
        services = self._services
        return await self._patiently(
            "token_window", lambda: self._on(services.inserters, services.sink.token_window)
        )

    async def _build(self, segment: Segment) -> Block:
        services = self._services
        begun = time.monotonic()
        block = await self._patiently(
            "build", lambda: self._on(services.builders, services.recorder.build, segment)
        )
        services.metrics.observe("auditstream_build_seconds", time.monotonic() - begun)
        if block.segment_id != segment.id or len(block) != len(segment):
            raise InvariantError(f"{segment.id}: {len(segment)} records became {len(block)} rows")
        return block

    async def _insert(self, block: Block) -> None:
        begun = time.monotonic()
        for attempt in range(1, _MAX_LATE_REFUSALS + 1):
            await self._hold_lease()
            self._services.checkpoint("send")
            try:
                await self._patiently("insert", lambda: self._insert_once(block))
                break
            except LeaseExpiredError as refusal:
                self._services.metrics.count("auditstream_insert_retries_total", reason=refusal.code)
                log.warning("insert_refused_as_late", segment=block.segment_id, attempt=attempt)
                self._lane.lease_until_s = 0.0
        else:
            raise FatalError(
                f"{block.segment_id}: refused as late {_MAX_LATE_REFUSALS} times, each with a fresh lease",
                hint="The store's clock is ahead of this worker's by more than the lease.",
            )
        self._services.metrics.observe("auditstream_insert_seconds", time.monotonic() - begun)

    async def _insert_once(self, block: Block) -> None:
        await self._hold_lease()
        await self._on(self._services.inserters, self._insert_blocking, block)

    def _insert_blocking(self, block: Block) -> None:
        if self._lane.dead:
            raise Fenced("abandoned before the insert was sent")
        services = self._services
        services.sink.insert(block, insert_by_s=self._lane.lease_until_s, timeout_s=services.store_timeout_s)

    async def _hold_lease(self) -> None:
        """Renew the lease by committing the same plan again, once half of it has passed."""
        if self._lane.dead:
            raise Fenced("abandoned on revoke")
        services = self._services
        if services.clock.now_s() > self._lane.lease_until_s - services.lease_s / 2:
            await services.committer.commit(self._lane)

    async def _is_stored(self, segment: Segment, block: Block) -> bool:
        """Decide by the store's rows alone, where it may have forgotten the plan's token."""
        stored = await self.stored(segment.plan.lo)
        if stored.rows == 0:
            return False
        if stored.rows != len(block) or stored.last_offset > segment.plan.hi:
            raise InvariantError(
                f"{block.segment_id}: {stored.rows} of {len(block)} rows are stored, the token is forgotten",
                hint="Compare the segment's rows with its records before anything is written.",
            )
        log.warning("segment_found_stored", segment=block.segment_id)
        return True

    async def _patiently(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        return await patiently(
            what, attempt, alive=lambda: not self._lane.dead, metrics=self._services.metrics
        )

    async def _on(self, executor: Executor, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
