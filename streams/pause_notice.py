"""Telling that a partition is paused: one finding a trip."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from auditstream.core.logs import get_logger
from auditstream.core.ports import Outbound, Trip
from streams.lane_services import LaneServices
from streams.patience import patiently

if TYPE_CHECKING:
    from streams.lane import Lane

log = get_logger(__name__)


async def publish_trip(lane: Lane, services: LaneServices, trip: Trip) -> None:
    """Publish the finding of a trip; waits while registry or broker do not answer.

    Raises:
        Fenced: The lane has died meanwhile; its successor meets the dead letters that follow.
    """
    log.error("dead_letter_limit_passed", log=str(lane.log), limit=trip.limit, observed=trip.observed)
    loop, recorder = asyncio.get_running_loop(), services.recorder

    async def attempt() -> Outbound:
        return await loop.run_in_executor(services.builders, recorder.pause_finding, lane.log, trip)

    message = await patiently("pause_finding", attempt, alive=lambda: not lane.dead, metrics=services.metrics)
    await services.publisher.publish([message])
