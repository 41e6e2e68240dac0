"""Faust's consumer for topics that are recorded exactly once: commits and seeks belong to the lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from auditstream.core.errors import RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.ports import LogId, segment_id
from streams.lane import Lane
from streams.lane_services import Fenced, Membership
from streams.lanes import Lanes
from streams.plan import Closed, State, next_offset_of
from streams.recovery import first_needed, require_in_views, start_from_store, was_never_written
from streams.transport.consumer import BatchConsumer, as_aiokafka

if TYPE_CHECKING:
    from streams.transport.app import LaneApp

log = get_logger(__name__)

_RETRY_S = 0.5


class LaneConsumer(BatchConsumer):
    """Owns the lanes' life: reads committed states at an assignment, drains on revoke and on stop.

    Faust's acknowledgements mean nothing for these topics: the agent hands its slab to a lane and returns.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seeking = asyncio.Lock()

    @property
    def _lane_app(self) -> LaneApp:
        return cast("LaneApp", self.app)

    @property
    def lanes(self) -> Lanes:
        """The lanes of this worker."""
        return self._lane_app.lanes

    def has_lanes(self, tp: TP) -> bool:
        """Whether the partition's commits are its lane's business."""
        return tp.topic in self.batch_topics

    def lane_of(self, tp: TP) -> Lane | None:
        """Return the lane of a partition, or None where there is none."""
        return self.lanes.get(tp.topic, tp.partition)

    async def commit_lane(self, lane: Lane) -> None:
        """Commit a lane's state; see `LaneCommits.commit`."""
        await self._thread.run_here(self._thread.commits.commit(lane))

    async def rejoin(self) -> None:
        """Leave the group and join it anew; see `LaneCommits.rejoin`."""
        await self._thread.run_here(self._thread.commits.rejoin())

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        """Ask the timer to look at every partition that has a lane, acked slabs or not."""
        with_lanes = {TP(lane.log.topic, lane.log.partition) for lane in self.lanes}
        wanted = (tp for tp in with_lanes if topics is None or tp in topics or tp.topic in topics)
        yield from wanted
        yield from (tp for tp in super()._filter_tps_with_pending_acks(topics) if tp not in with_lanes)

    def _new_offset(self, tp: TP) -> int | None:
        """Say whether the timer has anything to commit: a closed state that Kafka does not have yet.

        Open plans are committed by the lane itself; the commit that follows one carries its end.
        """
        if not self.has_lanes(tp):
            return super()._new_offset(tp)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        lane = self.lane_of(tp)
        idle = lane is not None and isinstance(lane.state, Closed) and lane.state != lane.sent
        return next_offset_of(lane.state) if lane is not None and idle else None

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return self.has_lanes(tp) or super()._should_commit(tp, offset)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain before Faust pops its offsets: until the group rejoins, the old generation may commit."""
        await self.lanes.drain()
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Drain on stop too: SIGTERM brings no revoke before the consumer thread's loop is closed."""
        await self.lanes.drain()
        await super().wait_empty()

    async def perform_seek(self) -> None:
        """Give every partition its lane, or take it back to where its lane is.

        Faust calls this from its recovery, and again from `getmany` after it has thrown a fetch away, also
        concurrently: lanes are begun once a membership.
        """
        async with self._seeking:
            if any(not self.has_lanes(tp) for tp in self.assignment()):
                await super().perform_seek()
            try:
                membership = await self._thread.run_here(self._thread.commits.membership())
                if self.lanes.membership == membership:
                    await self._take_to({as_tp(lane.log): lane.next_offset for lane in self.lanes})
                else:
                    await self._begin(membership)
            except (IllegalStateError, Fenced) as error:
                # A rebalance took a partition while it was sought, or before a lane's first commit; the
                # assignment to come seeks for itself.
                log.info("assignment_changed", reason=str(error))
            except Exception as error:
                # Faust's recovery takes an error here for a stop, and the flow never resumes: end loudly.
                await self.app.crash(error)
                raise

    async def _begin(self, membership: Membership) -> None:
        """Read the committed states of a new generation, seek, and start its lanes."""
        await self.lanes.drain()
        tps = {tp for tp in self.assignment() if self.has_lanes(tp)}
        if not tps:
            self.lanes.begin(membership, {}, {})
            return
        epochs = await self._epochs({tp.topic for tp in tps})
        logs = {tp: LogId(tp.topic, tp.partition, epochs[tp.topic]) for tp in tps}
        committed = await self._thread.run_here(self._thread.commits.committed(set(map(as_aiokafka, tps))))
        begins = await self.earliest_offsets(*tps)
        without = {logs[tp]: begins[tp] for tp in tps if committed[as_aiokafka(tp)] is None}
        fresh = await self._states_without_commit(without)
        if membership != await self._thread.run_here(self._thread.commits.membership()):
            return
        states: dict[LogId, State] = {logs[tp]: committed[as_aiokafka(tp)] or fresh[logs[tp]] for tp in tps}
        await self._take_to({tp: first_needed(states[logs[tp]], begins[tp]) for tp in tps})
        begun = self.lanes.begin(membership, states, {logs[tp]: begins[tp] for tp in tps})
        # So that the next assignment need not wait again.
        await asyncio.gather(*(self.commit_lane(lane) for lane in begun if lane.log in fresh))

    def last_fetch(self, log_id: LogId) -> tuple[int, int] | None:
        """Return when a log was fetched last, in milliseconds since 1970, and where it ended then.

        None while that is not known. May be called from any thread.
        """
        partition = TopicPartition(log_id.topic, log_id.partition)
        try:
            consumer = self._thread._ensure_consumer()
            at_ms = consumer.last_poll_timestamp(partition)  # first: an end that is newer says no less
            end = consumer.highwater(partition)
        except (AssertionError, AttributeError, ConsumerNotStarted):
            return None  # aiokafka asserts that the partition is assigned: a rebalance is under way
        return None if at_ms is None or end is None else (at_ms, end)

    async def _states_without_commit(self, logs: dict[LogId, int]) -> dict[LogId, State]:
        """Return where logs without committed metadata begin.

        Where Kafka holds no state, an earlier owner may still have an insert on its way: its lease must have
        run out before the store's own rows decide. A log that was never written to needs no wait.
        """
        if not logs:
            return {}
        ends = await self.highwaters(*map(as_tp, logs))
        states: dict[LogId, State] = {
            log_id: Closed(0, 0)
            for log_id, begin in logs.items()
            if was_never_written(begin, ends[as_tp(log_id)])
        }
        unknown = {log_id: begin for log_id, begin in logs.items() if log_id not in states}
        if unknown:
            wait_s = self._lane_app.quiet_s
            log.warning("no_committed_plan", logs=sorted(map(str, unknown)), wait_s=wait_s)
            await self.sleep(wait_s)
        sink = self.lanes.services.sink
        for log_id, begin in unknown.items():
            whole = await asyncio.to_thread(sink.stored, log_id, 0)
            last = await asyncio.to_thread(sink.last_plan, log_id)
            states[log_id] = start_from_store(log_id, whole, last, begin)
            if last is not None and states[log_id] is not last:  # Kafka no longer has it for a replay
                segment = segment_id(log_id, last)
                require_in_views(segment, await asyncio.to_thread(sink.views_lacking, segment))
        return states

    async def _epochs(self, topics: set[str]) -> dict[str, str]:
        """Return the topics' epochs, patiently: a broker that is just back may not know its topics yet."""
        attempts = max(1, int(self.app.conf.broker_request_timeout / 2 / _RETRY_S))
        for attempt in range(attempts):
            try:
                return await asyncio.to_thread(self._lane_app.epochs, topics)
            except RetryableError:
                if attempt == attempts - 1:
                    raise
                await asyncio.sleep(_RETRY_S)
        raise AssertionError

    async def _take_to(self, offsets: dict[TP, int]) -> None:
        if offsets:
            await self.seek_wait({as_aiokafka(tp): offset for tp, offset in offsets.items()})
            self._read_offset.update({tp: offset or None for tp, offset in offsets.items()})


def as_tp(log_id: LogId | TopicPartition) -> TP:
    """Return Faust's form of a partition."""
    return TP(log_id.topic, log_id.partition)
