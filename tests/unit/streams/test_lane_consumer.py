"""What a worker does when its partitions go while it seeks them, or have no position."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from auditstream.core.ports import LogId
from streams.lane_services import Fenced
from streams.transport.lane_consumer import LaneConsumer

MEMBERSHIP = ("member", 3)
LANE = SimpleNamespace(log=LogId("audit.events.v1", 3, "0a1b2c3d"), next_offset=7)


class Lanes(list[Any]):
    """The lanes of a membership."""

    membership = MEMBERSHIP


def consumer_whose_seek_raises(error: Exception, crashes: list[Exception]) -> LaneConsumer:
    async def membership() -> tuple[str, int]:
        return MEMBERSHIP

    async def run_here(call: Any) -> Any:
        return await call

    async def crash(reason: Exception) -> None:
        crashes.append(reason)

    async def seek_wait(_offsets: dict[Any, int]) -> None:
        raise error

    consumer = LaneConsumer.__new__(LaneConsumer)
    parts: dict[str, Any] = {
        "app": SimpleNamespace(lanes=Lanes([LANE]), crash=crash),
        "_seeking": asyncio.Lock(),
        "_thread": SimpleNamespace(run_here=run_here, commits=SimpleNamespace(membership=membership)),
        "assignment": lambda: {TP("audit.events.v1", 3)},
        "has_lanes": lambda _tp: True,
        "seek_wait": seek_wait,
    }
    for name, part in parts.items():
        setattr(consumer, name, part)
    return consumer


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(IllegalStateError("No current assignment for partition"), id="no longer assigned"),
        pytest.param(Fenced("Membership(4), lane of Membership(3)"), id="its first commit comes too late"),
    ],
)
async def test_a_partition_that_a_rebalance_takes_while_it_is_sought_is_left_to_the_next_assignment(
    gone: Exception,
) -> None:
    crashes: list[Exception] = []
    await consumer_whose_seek_raises(gone, crashes).perform_seek()
    assert crashes == []


async def test_any_other_error_of_a_seek_ends_the_worker_loudly() -> None:
    crashes: list[Exception] = []
    error = RuntimeError("the state is unreadable")
    with pytest.raises(RuntimeError, match="unreadable"):
        await consumer_whose_seek_raises(error, crashes).perform_seek()
    assert crashes == [error]


def test_a_partition_that_has_no_position_yet_is_not_judged_and_ends_nothing() -> None:
    def verify(_now: float, _tp: TP) -> None:
        raise AssertionError

    consumer = LaneConsumer.__new__(LaneConsumer)
    consumer._thread = SimpleNamespace(verify_event_path=verify)  # type: ignore[assignment]
    consumer.verify_event_path(0.0, TP("audit.events.v1", 3))
