"""Every commit of a lane's partition, made in the consumer thread from the lane's one current state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import OffsetAndMetadata

from auditstream.core.clock import Clock, SystemClock
from streams.lane import Lane
from streams.lane_services import Fenced
from streams.plan import State, from_commit, to_commit

# Pause before a commit is sent again after the coordinator moved or did not answer.
_RETRY_S = 0.1
_FENCING = (IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError)
_Waiting = list[tuple[Lane, asyncio.Future[None]]]


class LaneCommits:
    """Sends the states of lanes, all that wait together in one OffsetCommit request.

    Lives on the consumer thread's loop. A request is built from `lane.state` at the moment of sending, so
    that neither Faust's timer nor a retry after a coordinator error can put an older state over a newer one.
    """

    def __init__(self, consumer: Callable[[], Any], clock: Clock | None = None) -> None:
        self._consumer = consumer
        self._clock = clock or SystemClock()
        self._waiting: _Waiting = []
        self._sender: asyncio.Task[None] | None = None

    async def commit(self, lane: Lane) -> None:
        """Commit the lane's state under the generation it was born in.

        Raises:
            Fenced: That generation has passed, or the partition is no longer ours.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((lane, done))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_waiting())
        await done

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
                except KafkaError as error:
                    if not error.retriable:
                        raise
                else:
                    for lane, done in batch:
                        lane.accepted(states[lane], sent_at_s)
                        _settle(done)
                    return
            await asyncio.sleep(_RETRY_S)

    def _may_commit(self, lane: Lane, done: asyncio.Future[None], consumer: Any) -> bool:
        generation = consumer._coordinator.generation
        if not lane.dead and generation == lane.generation and _tp(lane) in consumer.assignment():
            return True
        _settle(done, Fenced(f"generation {generation}, lane of generation {lane.generation}"))
        return False


def _tp(lane: Lane) -> TopicPartition:
    return TopicPartition(lane.log.topic, lane.log.partition)


def _settle(done: asyncio.Future[None], error: BaseException | None = None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
