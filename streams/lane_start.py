"""What a lane starts from, made sure of: its state held against the store and what Kafka still has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditstream.core.errors import InvariantError
from auditstream.core.logs import get_logger
from auditstream.core.ports import LostReason, Plan, StoredRange, segment_id
from streams.lane_services import LaneServices
from streams.lost_offsets import plan_over_lost
from streams.plan import Closed
from streams.recovery import (
    close_without_replay,
    is_beyond_replay,
    require_in_views,
    require_nothing_lost,
    require_replayable,
    start_closed,
    start_open,
)
from streams.segment_writer import SegmentWriter

if TYPE_CHECKING:
    from streams.lane import Lane

log = get_logger(__name__)


class LaneStart:
    """The start of one lane.

    Args:
        lane: The lane; its state may become another one here.
        writer: Its writer.
        services: What lanes share.
        log_start: Earliest offset that Kafka still has.
    """

    def __init__(self, lane: Lane, writer: SegmentWriter, services: LaneServices, log_start: int) -> None:
        self._lane = lane
        self._writer = writer
        self._services = services
        self._log_start = log_start
        self._reason: LostReason = "never_planned"

    async def check(self) -> None:
        """Return once the store agrees with the state, and an open plan can be replayed or is closed.

        Where the lane is told to drain meanwhile, a plan beyond replay stays open.

        Raises:
            Fenced: The state is that of an owner who has been followed by another.
            InvariantError: The store does not agree.
            OffsetGapError: The plan's records are lost, and are not to be recorded as lost.
        """
        plan = self._lane.state
        await self._agreed()
        if not isinstance(plan, Plan) or not is_beyond_replay(plan, self._log_start):
            return
        # Earlier owners have committed nothing since this lane was born: a lease from now on outlasts theirs.
        quiet_s = self._services.quiet_s
        log.warning("plan_beyond_replay", log=str(self._lane.log), state=repr(plan), wait_s=quiet_s)
        if await self._lane.rest(quiet_s):
            self._lane.state = await self._closed(plan, await self._agreed())

    async def plan_over_lost(self) -> Plan | None:
        """Return the plan of the gap between what is recorded and what Kafka still has, None without one.

        Raises:
            Fenced: The state is that of an owner who has been followed by another.
            OffsetGapError: There is one, and it is not to be recorded.
        """
        state, services = self._lane.state, self._services
        assert isinstance(state, Closed)
        if state.next_offset >= self._log_start:
            return None
        if services.lost_offsets == "stop":
            await self._writer.confirm_ownership()
            require_nothing_lost(self._lane.log, state, self._log_start)
        return plan_over_lost(
            state,
            self._log_start,
            reason=self._reason,
            now_s=services.clock.now_s(),
            reference_revision=services.reference_revision(),
        )

    async def _agreed(self) -> StoredRange:
        """Return what the store holds from the state's offset on, after checking that it fits the state."""
        lane, writer = self._lane, self._writer
        state = lane.state
        whole = await writer.stored(0)
        stored = await writer.stored(state.lo) if isinstance(state, Plan) else whole
        try:
            if isinstance(state, Closed):
                start_closed(lane.log, state, whole)
            else:
                start_open(lane.log, state, stored=stored, whole=whole)
        except InvariantError:
            # The group may have moved on since the state was read; then the new owner's rows are in order.
            await writer.confirm_ownership()
            raise
        return stored

    async def _closed(self, plan: Plan, stored: StoredRange) -> Closed:
        """Return the state of a plan that cannot be replayed; see `close_without_replay`."""
        log_id = self._lane.log
        if stored.rows:
            segment = segment_id(log_id, plan)
            lacking = await self._writer.views_lacking(segment)
            if lacking:
                await self._writer.confirm_ownership()
            require_in_views(segment, lacking)
            log.warning("segment_not_published_again", segment=segment)
        elif self._services.lost_offsets == "stop":
            await self._writer.confirm_ownership()
            require_replayable(log_id, plan, self._log_start)
        else:
            self._reason = "never_written"
        return close_without_replay(plan, stored)
