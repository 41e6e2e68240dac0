"""One worker process in virtual time: the product's lanes and commits, around them a model of the consumer.

What `streams.transport.lane_consumer` does with Faust and aiokafka is done here with `VirtualGroup`: read the
committed states of a new generation, wait where there are none, seek, begin the lanes, fetch, commit closed
states by a timer, drain on revoke. Nothing of the lanes' own protocol is modelled; it is the real code.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Literal

from aiokafka import TopicPartition
from aiokafka.errors import IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata

from auditstream.core.errors import RetryableError
from auditstream.core.metrics import Metrics
from auditstream.core.ports import NOTHING_REFUSED, Block, LogId, Outbound, Segment, Trip
from streams.lane_services import Fenced, LaneServices, Membership, longest_insert_s
from streams.lanes import Lanes
from streams.pacing import Pacing
from streams.plan import Closed, State
from streams.recovery import first_needed, start_from_store, was_never_written
from streams.transport.commits import LaneCommits
from tests.support.virtual_kafka import TOPIC, VirtualGroup
from tests.support.virtual_store import StoreClient, VirtualStore, leaves
from tests.support.virtual_time import VirtualExecutor, VirtualLoop, VirtualTime

EPOCH = "0a1b2c3d"
EPOCH_S = datetime(2026, 1, 1, 23, 59, 30, tzinfo=UTC).timestamp()  # midnight falls into every run


class NoMetrics(Metrics):
    """Counts nothing: Prometheus' labels would take a tenth of a run."""

    def count(self, *_: Any, **__: Any) -> None: ...
    def set(self, *_: Any, **__: Any) -> None: ...
    def observe(self, *_: Any, **__: Any) -> None: ...


METRICS = NoMetrics()


@dataclass(slots=True)
class WorkerSetup:
    """Settings of a worker, and how it is patched for a negative control."""

    lease_s: float = 4.0
    store_timeout_s: float = 1.5
    skew_s: float = 0.3
    drain_s: float = 2.0
    segment_rows: int = 8
    segment_bytes: int = 1 << 20
    delay_s: float = 0.3
    seek_back: float = 0.05
    waits_for_leases: bool = True
    lost_offsets: Literal["stop", "record"] = "stop"
    sabotage: Callable[[LaneServices], None] = lambda services: None

    @property
    def quiet_s(self) -> float:
        """How long an earlier owner's insert may still be on its way."""
        longest_s = longest_insert_s(self.lease_s, self.store_timeout_s)
        return self.lease_s + longest_s + self.skew_s if self.waits_for_leases else 0.0


class OffsetRecorder:
    """Maps a record to a row; the value of a record of the model is its offset."""

    def build(self, segment: Segment, refused: Mapping[int, str] = NOTHING_REFUSED) -> Block:
        plan = segment.plan
        if plan.lost is not None:
            return leaves(
                segment.id, [plan.lo], range(plan.first_index, plan.first_index + 1), plan.day, plan.lost
            )
        offsets = [int(value or b"-1") for value in segment.values]
        assert offsets == list(segment.offsets), f"{segment.id}: records and offsets are out of step"
        return leaves(segment.id, offsets, range(plan.first_index, plan.first_index + len(offsets)), plan.day)

    def pause_finding(self, log: LogId, trip: Trip) -> Outbound:
        raise AssertionError("no record of the model is a dead letter")

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Remember nothing, so forget nothing."""

    def worn_out(self) -> str | None:
        return None


class VirtualWorker:
    """A worker process: `start`, then `freeze`, `thaw`, `leave` or `kill` it.

    Attributes:
        alive: Whether the process is there.
        lanes: The lanes of its present generation.
    """

    def __init__(
        self,
        name: str,
        *,
        time: VirtualTime,
        rng: random.Random,
        group: VirtualGroup,
        store: VirtualStore,
        setup: WorkerSetup,
        instance: str = "",
        on_crash: Callable[[VirtualWorker, BaseException], None],
        on_step: Callable[[VirtualWorker, str], None] = lambda worker, step: None,
    ) -> None:
        self.name = name
        self.alive = True
        self.instance = instance
        self._time, self._rng, self._group, self._setup = time, rng, group, setup
        self._on_crash, self._on_step = on_crash, on_step
        self.loop = VirtualLoop(time)
        self._skew_s = rng.uniform(-setup.skew_s / 2, setup.skew_s / 2)
        self._coordinator = _Coordinator(self)
        self._assigned: list[int] = []
        self._positions: dict[int, int] = {}
        self._full: set[int] = set()
        self._leaving = False
        self._sink = StoreClient(store, timeout_s=setup.store_timeout_s)
        self._commits = LaneCommits(lambda: self._coordinator.consumer, clock=self)
        self._threads = VirtualExecutor(self.loop, self._step_s)
        self.lanes = Lanes(self._services(), drain_s=setup.drain_s)

    def start(self) -> None:
        """Let the process run from now on."""
        self.loop.create_task(self._live())

    def kill(self) -> None:
        """End the process with nothing cleaned up; what it has sent arrives all the same."""
        self.alive = False
        self.loop.kill()

    def leave(self) -> None:
        """Ask the process to stop in good order, as SIGTERM does."""
        self._leaving = True
        self.loop.call_soon_threadsafe(self._coordinator.moved_on.set)

    def now_s(self) -> float:
        """The worker's wall clock."""
        return EPOCH_S + self._time.now + self._skew_s

    async def commit(self, lane: Any) -> None:
        await self._commits.commit(lane)

    async def rejoin(self) -> None:
        await self._commits.rejoin()

    def full(self, log: LogId) -> None:
        self._full.add(log.partition)

    def drained(self, log: LogId) -> None:
        self._full.discard(log.partition)

    async def publish(self, messages: list[Any]) -> None:
        assert not messages

    async def crash(self, error: BaseException) -> None:
        # Called from coroutines that are being closed, too: must not wait for anything.
        if self.alive and self.loop.is_running():
            self.kill()
            self._on_crash(self, error)

    def _services(self) -> LaneServices:
        setup = self._setup
        services = LaneServices(
            sink=self._sink,
            recorder=OffsetRecorder(),
            publisher=self,
            committer=self,
            flow=self,
            builders=self._threads,
            inserters=self._threads,
            crash=self.crash,
            metrics=METRICS,
            pacing=Pacing(min_delay_s=setup.delay_s, max_delay_s=setup.delay_s),
            clock=self,
            lease_s=setup.lease_s,
            store_timeout_s=setup.store_timeout_s,
            segment_rows=setup.segment_rows,
            segment_bytes=setup.segment_bytes,
            lost_offsets=setup.lost_offsets,
            quiet_s=setup.quiet_s,
            checkpoint=lambda step: self._on_step(self, step),
        )
        setup.sabotage(services)
        return services

    def _step_s(self) -> float:
        return self._rng.uniform(0.0, 0.005) if self._rng.random() < 0.97 else self._rng.uniform(0.0, 1.0)

    async def _live(self) -> None:
        while True:
            try:
                generation, self._assigned = await self._join()
            except UnknownMemberIdError:
                self.kill()  # a static member that was replaced
                return
            self._coordinator.begin(generation)
            work = [asyncio.create_task(self._beat(generation)), asyncio.create_task(self._serve())]
            await self._coordinator.moved_on.wait()
            await self.lanes.drain()
            for task in work:
                task.cancel()
            await asyncio.wait(work)
            if self._leaving:
                self._group.leave(self._coordinator.member_id)
                self.kill()
                return

    async def _join(self) -> tuple[int, list[int]]:
        return await self.ask(
            lambda answer: self._group.join(self._coordinator.member_id, self.instance, answer)
        )

    async def ask(self, send: Callable[[Callable[[Any], None]], None]) -> Any:
        """Send a request into the world and wait for its answer."""
        future = self.loop.create_future()

        def settle(answer: Any) -> None:
            if not future.done():
                future.set_result(answer)

        send(lambda answer: self.loop.call_soon_threadsafe(settle, answer))
        answer = await future
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _beat(self, generation: int) -> None:
        trouble = None
        while trouble is None:
            await asyncio.sleep(self._rng.uniform(0.7, 1.2))
            trouble = self._group.heartbeat(self._coordinator.member_id, generation)
        self._coordinator.lost(rejoin_only=trouble is RebalanceInProgressError)

    async def _serve(self) -> None:
        membership = await self._commits.membership()
        try:
            await self._begin(membership)
        except Fenced:
            return  # the next generation begins its own lanes
        except Exception as error:
            await self.crash(error)
            return
        await asyncio.gather(self._fetch(membership), self._commit_by_timer())

    async def _begin(self, membership: Membership) -> None:
        await self.lanes.drain()
        logs = {partition: LogId(TOPIC, partition, EPOCH) for partition in self._assigned}
        tps = {partition: TopicPartition(TOPIC, partition) for partition in self._assigned}
        committed = await self._commits.committed(set(tps.values()))
        starts = {log: self._group.logs[partition].start for partition, log in logs.items()}
        fresh = await self._states_without_commit(
            {log: starts[log] for partition, log in logs.items() if committed[tps[partition]] is None}
        )
        if membership != await self._commits.membership():
            return
        states: dict[LogId, State] = {log: committed[tps[p]] or fresh[log] for p, log in logs.items()}
        self._positions = {log.partition: first_needed(state, starts[log]) for log, state in states.items()}
        self._full.clear()
        begun = self.lanes.begin(membership, states, starts)
        await asyncio.gather(*(self.commit(lane) for lane in begun if lane.log in fresh))

    async def _states_without_commit(self, logs: dict[LogId, int]) -> dict[LogId, State]:
        ends = {log: self._group.logs[log.partition].end for log in logs}
        written = [log for log, start in logs.items() if not was_never_written(start, ends[log])]
        states: dict[LogId, State] = {log: Closed(0, 0) for log in logs if log not in written}
        if written:
            await asyncio.sleep(self._setup.quiet_s)
        for log in written:
            whole = await self._read(self._sink.stored, log, 0)
            last = await self._read(self._sink.last_plan, log)
            states[log] = start_from_store(log, whole, last, logs[log])
            if last is None:
                known = self._group.logs[log.partition]
                known.begun_at = max(known.begun_at, logs[log])
        return states

    async def _read(self, question: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            try:
                return await self.loop.run_in_executor(self._threads, question, *arguments)
            except RetryableError:
                await asyncio.sleep(0.2)

    async def _commit_by_timer(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            idle = [each for each in self.lanes if isinstance(each.state, Closed) and each.state != each.sent]
            for outcome in await asyncio.gather(*map(self.commit, idle), return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, Fenced):
                    await self.crash(outcome)

    async def _fetch(self, membership: Membership) -> None:
        rng, queued_to = self._rng, self.loop.time()
        while True:
            await asyncio.sleep(rng.uniform(0.02, 0.7))
            queued_to = max(queued_to, self.loop.time() + rng.uniform(0.0, 0.2))
            for partition in self._assigned:
                lane = self.lanes.get(TOPIC, partition)
                if lane is None or partition in self._full:
                    continue
                self._fetch_one(partition, membership, queued_to)
                if rng.random() < self._setup.seek_back:
                    self._positions[partition] = lane.next_offset

    def _fetch_one(self, partition: int, membership: Membership, deliver_at: float) -> None:
        """Fetch what comes next; a fetch that is thrown away is followed by a seek to where the lane is."""
        log = self._group.logs[partition]
        first = max(log.start, self._positions[partition])
        to = min(log.end, first + self._rng.randint(1, 12))
        lane = self.lanes.get(TOPIC, partition)
        if to <= first or lane is None:
            return
        self._positions[partition] = to
        if self._rng.random() < self._setup.seek_back / 2:
            self._positions[partition] = lane.next_offset
            return
        self.loop.call_at(deliver_at, self._deliver, log.slab(partition, first, to, membership))

    def _deliver(self, slab: Any) -> None:
        try:
            self.lanes.put(slab)
        except Exception as error:
            self.loop.create_task(self.crash(error))


class _Coordinator:
    """What `LaneCommits` uses of aiokafka's group coordinator, in front of a `VirtualGroup`."""

    def __init__(self, worker: VirtualWorker) -> None:
        self._worker = worker
        self._memberships = 1
        self.generation = -1
        self.moved_on = asyncio.Event()
        self._closing = worker.loop.create_future()
        self._commit_lock = asyncio.Lock()
        assignment = SimpleNamespace(assignment=None)
        self.consumer = SimpleNamespace(
            _coordinator=self,
            _subscription=SimpleNamespace(subscription=assignment),
            assignment=lambda: {TopicPartition(TOPIC, each) for each in worker._assigned},
        )

    def begin(self, generation: int) -> None:
        """Note a new generation."""
        self.generation = generation
        if not self._worker._leaving:
            self.moved_on.clear()

    def lost(self, *, rejoin_only: bool) -> None:
        """Note that the group has moved on, or is about to; the old generation may commit until then."""
        if not rejoin_only:
            self.generation = -1
            self._memberships += 1
        self.moved_on.set()

    @property
    def member_id(self) -> str:
        """The name under which the process is, or will be, a member."""
        return f"{self._worker.name}#{self._memberships}"

    async def _maybe_leave_group(self) -> None:
        await asyncio.sleep(self._worker._rng.choice([0.0, 0.01, 1.0]))
        if self.generation > 0 and not self._worker.instance and self._worker._rng.random() < 0.8:
            self._worker._group.leave(self.member_id)
        self.lost(rejoin_only=False)

    async def ensure_coordinator_known(self) -> None:
        await asyncio.sleep(0)

    async def _do_commit_offsets(
        self, _assignment: object, offsets: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> None:
        member_id, generation, worker = self.member_id, self.generation, self._worker
        plain = {tp.partition: (each.offset, each.metadata) for tp, each in offsets.items()}
        try:
            await worker.ask(lambda answer: worker._group.commit(member_id, generation, plain, answer))
        except (UnknownMemberIdError, IllegalGenerationError):
            self.lost(rejoin_only=False)  # as aiokafka resets its generation
            raise

    async def fetch_committed_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, Any]:
        rng = self._worker._rng
        await asyncio.sleep(rng.uniform(0.001, 0.02))
        found = dict(self._worker._group.offsets)
        await asyncio.sleep(rng.uniform(0.001, 0.02) if rng.random() < 0.9 else rng.uniform(0.0, 2.0))
        return {tp: OffsetAndMetadata(*found[tp.partition]) for tp in sorted(tps) if tp.partition in found}
