"""Every commit of a lane's partition, made in the consumer thread from the lane's one current state."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaConnectionError,
    KafkaError,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
)
from aiokafka.structs import OffsetAndMetadata

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.logs import get_logger
from streams.lane import Lane
from streams.lane_services import Fenced, Membership
from streams.plan import State, from_commit, to_commit

log = get_logger(__name__)

# Pause before a commit is sent again after the coordinator moved or was not there.
_RETRY_S = 0.1
# How long a coordinator is looked for before the group is left without telling it.
_LEAVE_S = 5.0
# The request may have arrived, or may yet: the connection ended, or nobody answered.
_IN_DOUBT = (KafkaConnectionError, RequestTimedOutError)
_FENCING = (IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError)
_Waiting = list[tuple[Lane, asyncio.Future[None]]]


class LaneCommits:
    """Sends the states of lanes, all that wait together in one OffsetCommit request.

    Lives on the consumer thread's loop. A request is built from `lane.state` at the moment of sending, so
    that neither Faust's timer nor a retry after a coordinator error can put an older state over a newer one.
    For the same reason nothing is committed after a request whose answer was lost: it may arrive late, over
    another connection, and would put its state over the newer one. The worker takes a new place in the group
    instead, after which the broker refuses what was sent from the old one.
    """

    def __init__(self, consumer: Callable[[], Any], clock: Clock | None = None) -> None:
        self._consumer = consumer
        self._clock = clock or SystemClock()
        self._waiting: _Waiting = []
        self._sender: asyncio.Task[None] | None = None

    async def commit(self, lane: Lane) -> None:
        """Commit the lane's state under the membership it was born in.

        Raises:
            Fenced: That membership has passed, the partition is no longer ours, or the answer was lost.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((lane, done))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_waiting())
        await done

    async def rejoin(self) -> None:
        """Leave the group and join it anew."""
        await _leave(self._consumer()._coordinator)

    async def membership(self) -> Membership:
        """Return the present place in the group."""
        return membership_of(self._consumer()._coordinator)

    async def committed(self, tps: set[TopicPartition]) -> dict[TopicPartition, State | None]:
        """Return the committed state of each partition; None where there is none of ours."""
        found = await self._consumer()._coordinator.fetch_committed_offsets(list(tps))
        return {tp: from_commit(found[tp].offset, found[tp].metadata) if tp in found else None for tp in tps}

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._send(batch)
            except BaseException as error:
                for _, done in batch:
                    _settle(done, error)
                if not isinstance(error, Exception):
                    raise

    async def _send(self, batch: _Waiting) -> None:
        consumer = self._consumer()
        coordinator = consumer._coordinator
        while True:
            if coordinator._closing.done():
                raise Fenced("the consumer is closed")
            await coordinator.ensure_coordinator_known()
            async with coordinator._commit_lock:
                batch = [(lane, done) for lane, done in batch if self._may_commit(lane, done, consumer)]
                if not batch:
                    return
                states = {lane: lane.state for lane, _ in batch}
                sent_at_s = self._clock.now_s()
                try:
                    # Builds its request before its first await: nothing slips between check and send.
                    await coordinator._do_commit_offsets(
                        consumer._subscription.subscription.assignment,
                        {_tp(lane): OffsetAndMetadata(*to_commit(state)) for lane, state in states.items()},
                    )
                except _FENCING as refusal:
                    raise Fenced(f"refused by the broker: {type(refusal).__name__}") from refusal
                except _IN_DOUBT as error:
                    doubt = error
                    break
                except KafkaError as error:
                    if not error.retriable:
                        raise
                else:
                    for lane, done in batch:
                        lane.accepted(states[lane], sent_at_s)
                        _settle(done)
                    return
            await asyncio.sleep(_RETRY_S)
        log.warning("commit_in_doubt", lanes=[str(lane.log) for lane in states], error=repr(doubt))
        for _, done in batch:
            _settle(done, Fenced(f"the answer to a commit was lost: {type(doubt).__name__}"))
        await _leave(coordinator)

    def _may_commit(self, lane: Lane, done: asyncio.Future[None], consumer: Any) -> bool:
        now = membership_of(consumer._coordinator)
        if not lane.dead and now == lane.membership and _tp(lane) in consumer.assignment():
            return True
        _settle(done, Fenced(f"{now}, lane of {lane.membership}"))
        return False


async def _leave(coordinator: Any) -> None:
    """Leave the group and join it anew."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LEAVE_S):
            await coordinator.ensure_coordinator_known()
    await coordinator._maybe_leave_group()


def membership_of(coordinator: Any) -> Membership:
    """Return the place in the group that aiokafka's coordinator has now."""
    return Membership(coordinator.member_id, coordinator.generation)


def _tp(lane: Lane) -> TopicPartition:
    return TopicPartition(lane.log.topic, lane.log.partition)


def _settle(done: asyncio.Future[None], error: BaseException | None = None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
