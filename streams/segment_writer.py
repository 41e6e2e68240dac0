"""One segment to durable rows: build, insert under the plan's lease and token, publish.

A lane has one writer; segments of a lane are written one after the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from auditstream.core.errors import (
    FatalError,
    InvariantError,
    LeaseExpiredError,
    RejectError,
    StoreTimeoutError,
)
from auditstream.core.logs import get_logger
from auditstream.core.ports import NOTHING_REFUSED, Block, Segment, StoredRange
from streams.lane_services import Fenced, LaneServices
from streams.patience import patiently
from streams.recovery import is_remembered, require_in_views
from streams.refused_rows import find_refused

if TYPE_CHECKING:
    from streams.lane import Lane

log = get_logger(__name__)

T = TypeVar("T")

# Inserts refused as late in a row, each with a fresh lease: then the clocks are too far apart.
_MAX_LATE_REFUSALS = 5


class SegmentWriter:
    """Writes a lane's segments; every step is repeated while it is refused for now, the plan stays open.

    Attempts at one insert come in series. A series has one lease, which no renewal stretches: it is taken
    first, then the store is read back where an earlier attempt may have reached it, then the block is sent as
    often as the lease lasts. So the token has to be remembered for a lease, and not for as long as a plan
    can be renewed.

    An attempt that is not in time is followed by one that is given twice as long, a lease at most, under one
    that lasts for all of it: a store that is slow is not asked for the same in vain for ever.
    """

    def __init__(self, lane: Lane, services: LaneServices) -> None:
        self._lane = lane
        self._services = services
        # Whether an earlier attempt at the present segment may have reached the store.
        self._in_doubt = False
        # End of the present series' lease.
        self._insert_by_s = 0.0
        # How long the store may take over the next attempt.
        self._allowed_s = services.store_timeout_s

    async def write(self, segment: Segment, *, replayed: bool) -> Block:
        """Make the segment durable and publish what follows from it; return its block.

        Args:
            segment: What to write.
            replayed: Whether an earlier owner of the plan may have written it already.

        Raises:
            Fenced: The lane may write nothing more.
            FatalError: Going on is not safe.
            RejectError: The store refuses the segment, and it is not for single rows.
        """
        services = self._services
        block = await self._build(segment)
        if len(block):
            self._in_doubt, self._insert_by_s = replayed, 0.0
            try:
                await self._insert(segment, block)
            except RejectError as refusal:
                block = await self._build(segment, await self._find_refused(block, refusal))
                await self._insert(segment, block)
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

    async def views_lacking(self, segment_id: str) -> list[str]:
        """Return the views that lack a segment which the store has."""
        services = self._services
        return await self._patiently(
            "read_back", lambda: self._on(services.inserters, services.sink.views_lacking, segment_id)
        )

    async def _build(self, segment: Segment, refused: Mapping[int, str] = NOTHING_REFUSED) -> Block:
        services = self._services
        begun = time.monotonic()
        block = await self._patiently(
            "build", lambda: self._on(services.builders, services.recorder.build, segment, refused)
        )
        services.metrics.observe("auditstream_build_seconds", time.monotonic() - begun)
        if block.segment_id != segment.id or len(block) != len(segment):
            raise InvariantError(f"{segment.id}: {len(segment)} records became {len(block)} rows")
        return block

    async def _find_refused(self, block: Block, refusal: RejectError) -> Mapping[int, str]:
        """Return the rows that the store refuses; a replay meets the same refusal and finds the same rows."""
        services = self._services
        search = partial(find_refused, services.sink, block, refusal, timeout_s=services.store_timeout_s)
        found = await self._patiently("find_refused", lambda: self._on(services.inserters, search))
        log.error("rows_refused", segment=block.segment_id, rows=len(found), error=str(refusal))
        return found

    async def _insert(self, segment: Segment, block: Block) -> None:
        begun = time.monotonic()
        for attempt in range(1, _MAX_LATE_REFUSALS + 1):
            try:
                await self._patiently("insert", lambda: self._insert_once(segment, block))
                break
            except LeaseExpiredError as refusal:
                self._services.metrics.count("auditstream_insert_retries_total", reason=refusal.code)
                log.warning("insert_refused_as_late", segment=block.segment_id, attempt=attempt)
                self._lane.lease_until_s = self._insert_by_s = 0.0
        else:
            raise FatalError(
                f"{block.segment_id}: refused as late {_MAX_LATE_REFUSALS} times, each with a fresh lease",
                hint="The store's clock is ahead of this worker's by more than the lease.",
            )
        self._services.metrics.observe("auditstream_insert_seconds", time.monotonic() - begun)

    async def _insert_once(self, segment: Segment, block: Block) -> None:
        if self._lane.dead:
            raise Fenced("abandoned on revoke")
        if self._is_worn(self._insert_by_s):
            insert_by_s = await self._lease()
            if self._in_doubt and await self._is_stored_for_good(segment, block):
                return
            # Only now: where the store did not answer, the series has not begun.
            self._insert_by_s = insert_by_s
        self._services.checkpoint("send")
        begun = time.monotonic()
        try:
            await self._on(self._services.inserters, self._insert_blocking, block)
        except StoreTimeoutError:
            self._in_doubt = True
            self._allowed_s = self._bounded(2 * self._allowed_s)
            log.warning("insert_not_in_time", segment=block.segment_id, next_s=self._allowed_s)
            raise
        # As long as the store is slow, the next segment is not timed out first.
        self._allowed_s = self._bounded(min(self._allowed_s, 2 * (time.monotonic() - begun)))

    def _insert_blocking(self, block: Block) -> None:
        if self._lane.dead:
            raise Fenced("abandoned before the insert was sent")
        services, insert_by_s = self._services, self._insert_by_s
        # What the store judges after the lease it refuses as late: that is not waited for.
        left_s = insert_by_s - services.clock.now_s()
        timeout_s = max(min(self._allowed_s, left_s), services.store_timeout_s)
        services.sink.insert(block, insert_by_s=insert_by_s, timeout_s=timeout_s)

    def _bounded(self, allowed_s: float) -> float:
        """Return how long an insert may take, where so long is wished for."""
        services = self._services
        return max(services.store_timeout_s, min(allowed_s, services.longest_insert_s))

    async def _lease(self) -> float:
        """Return the end of the lane's lease; once half of it has passed, that of a new one.

        It is renewed by committing the same plan again, also where it ends before what the next attempt is
        given.
        """
        if self._is_worn(self._lane.lease_until_s):
            await self._services.committer.commit(self._lane)
        return self._lane.lease_until_s

    def _is_worn(self, lease_until_s: float) -> bool:
        services = self._services
        needed_s = services.lease_s / 2
        if self._allowed_s > services.store_timeout_s:
            needed_s = max(needed_s, self._allowed_s)
        return services.clock.now_s() > lease_until_s - needed_s

    async def _is_stored_for_good(self, segment: Segment, block: Block) -> bool:
        """Whether an earlier attempt was applied so long ago that its token may be forgotten.

        What was applied lately is inserted again under its token instead, which heals the views that missed
        it.

        Raises:
            Fenced: The rows in question are those of a new owner.
            InvariantError: The store holds something else than this segment, or a view lacks it.
        """
        services, plan = self._services, segment.plan
        found = await self._on(services.inserters, services.sink.stored, self._lane.log, plan.lo)
        if found.rows == 0:
            return False
        whole = found.rows == len(block) and found.first_index == plan.first_index
        if not whole or found.last_offset > plan.hi:
            await self.confirm_ownership()
            raise InvariantError(
                f"{block.segment_id}: the store holds {found.rows} rows at or above its first offset, "
                f"up to offset {found.last_offset}; the segment has {len(block)}",
                hint="Compare the segment's rows with its records before anything is written.",
            )
        window = await self._on(services.inserters, services.sink.token_window)
        if is_remembered(found, window):
            return False
        lacking = await self._on(services.inserters, services.sink.views_lacking, block.segment_id)
        if lacking:
            await self.confirm_ownership()
        require_in_views(block.segment_id, lacking)
        log.warning("segment_found_stored", segment=block.segment_id)
        return True

    async def confirm_ownership(self) -> None:
        """Return when the partition is still ours: what looks wrong to a zombie is another's progress.

        Raises:
            Fenced: It is not.
        """
        await self._services.committer.commit(self._lane)

    async def _patiently(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        return await patiently(
            what, attempt, alive=lambda: not self._lane.dead, metrics=self._services.metrics
        )

    async def _on(self, executor: Executor, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
