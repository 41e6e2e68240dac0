"""One partition's way from slabs to durable rows: gather, plan, build, insert, publish, close.

The lane holds the partition's one commit state. Whoever commits for the partition, the lane before an insert
or Faust's timer when it is idle, sends that state as of the moment of sending. A lane lives for one group
generation; it writes nothing once the group has moved on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any, TypeVar

from auditstream.core.errors import FatalError, InvariantError, LeaseExpiredError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.ports import Block, LogId, Outbound, Plan, Segment, Slab, StoredRange
from streams.gathering import Batch, Gathering
from streams.lane_services import Fenced, LaneServices
from streams.plan import Closed, State, next_offset_of
from streams.recovery import Replay, start_closed, start_open

log = get_logger(__name__)

T = TypeVar("T")

# Longest pause between two attempts at a store or registry that refuses.
MAX_BACKOFF_S = 2.0
# Inserts refused as late in a row, each with a fresh lease: then the clocks are too far apart.
MAX_LATE_REFUSALS = 5


class Lane:
    """One partition in one generation.

    Attributes:
        log: The log that this partition is.
        generation: Group generation in which the lane was born.
        state: What a commit for this partition must say now.
        sent: The state that Kafka accepted last.
        lease_until_s: Until when the store may accept an insert of the open plan.
        dead: Set once nothing may be committed or inserted any more.
    """

    def __init__(
        self, log_id: LogId, generation: int, state: State, services: LaneServices, *, log_start: int = 0
    ) -> None:
        self.log = log_id
        self.generation = generation
        self.state: State = state
        self.sent: State | None = None
        self.lease_until_s = 0.0
        self.dead = False
        self.committed_at = time.monotonic()
        self._services = services
        self._log_start = log_start
        self._replay: Replay | None = None
        self._draining = False
        self._more = asyncio.Event()
        self._full = False
        self._labels = {"topic": log_id.topic, "partition": str(log_id.partition)}
        self._gathering = Gathering(next_offset_of(state))

    @property
    def next_offset(self) -> int:
        """The offset that the lane needs next from Kafka."""
        return self._gathering.next_offset

    @property
    def durable_offset(self) -> int:
        """The first offset that is not durable yet, as far as this worker knows."""
        return next_offset_of(self.state)

    @property
    def busy(self) -> bool:
        """Whether records are gathered, or a plan is open."""
        return self._gathering.rows > 0 or isinstance(self.state, Plan)

    def put(self, slab: Slab) -> None:
        """Take a slab. Never waits: one full lane must not hold up the agent, hence the other lanes.

        Raises:
            OffsetGapError: Records between the last slab and this one are missing.
        """
        if self._draining or self.dead:
            return
        self._gathering.add(slab)
        metrics = self._services.metrics
        metrics.count("auditstream_slabs_total", **self._labels)
        metrics.count("auditstream_records_total", len(slab.values), **self._labels)
        metrics.count("auditstream_record_bytes_total", slab.size_bytes, **self._labels)
        self._more.set()
        self._press()

    def accepted(self, state: State, sent_at_s: float) -> None:
        """Note that Kafka accepted `state`, which was read at `sent_at_s` by the worker's clock."""
        self.sent = state
        self.lease_until_s = sent_at_s + self._services.lease_s
        self.committed_at = time.monotonic()

    def drain(self) -> None:
        """Ask the lane to finish its open segment and to begin no other."""
        self._draining = True
        self._more.set()

    async def run(self) -> None:
        """Work until drained or fenced; an error that must stop the worker goes to `services.crash`."""
        try:
            await self._check_start()
            if isinstance(self.state, Plan):
                await self._finish_open_plan(self.state)
            while (batch := await self._gather()) is not None:
                await self._record(batch)
        except Fenced as signal:
            self.dead = True
            self._services.metrics.count("auditstream_fenced_lanes_total", **self._labels)
            log.warning("lane_fenced", log=str(self.log), reason=str(signal), state=repr(self.state))
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            log.exception("lane_failed", log=str(self.log), state=repr(self.state), error=repr(error))
            await self._services.crash(error)

    async def _check_start(self) -> None:
        """Hold the committed state against the store before anything is written."""
        state = self.state
        whole = await self._stored(0)
        if isinstance(state, Closed):
            start_closed(self.log, state, whole, self._log_start)
            return
        at_or_above = await self._stored(state.lo)
        window = await self._patiently(
            "token_window", lambda: self._on(self._services.inserters, self._services.sink.token_window)
        )
        self._replay = start_open(
            self.log, state, stored=at_or_above, whole=whole, token_window=window, log_start=self._log_start
        )

    async def _stored(self, from_offset: int) -> StoredRange:
        services = self._services
        return await self._patiently(
            "read_back", lambda: self._on(services.inserters, services.sink.stored, self.log, from_offset)
        )

    async def _finish_open_plan(self, plan: Plan) -> None:
        """Write the predecessor's plan again, whole and under its own token."""
        while self._gathering.next_offset <= plan.hi:
            if self._draining:
                return
            await self._wait_for_more(None)
        batch = self._gathering.take_through(plan.hi)
        self._press()
        log.info("plan_replayed", log=str(self.log), lo=plan.lo, hi=plan.hi, how=str(self._replay))
        self._services.metrics.count("auditstream_replayed_segments_total", **self._labels)
        await self._write(plan, batch)

    async def _gather(self) -> Batch | None:
        """Return the next segment's records: full, or what came within the delay. None when drained."""
        services = self._services
        until: float | None = None
        while not self._draining:
            held = self._gathering
            if held.rows >= services.segment_rows or held.size_bytes >= services.segment_bytes:
                break
            if held.covers and until is None:
                until = time.monotonic() + services.pacing.delay_s
            if until is not None and time.monotonic() >= until:
                break
            await self._wait_for_more(until)
        if self._draining:
            return None
        batch = self._gathering.take(services.segment_rows, services.segment_bytes)
        self._press()
        return batch

    async def _wait_for_more(self, until: float | None) -> None:
        self._more.clear()
        timeout = None if until is None else max(0.0, until - time.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await self._more.wait()
        except TimeoutError:
            return

    async def _record(self, batch: Batch) -> None:
        """Plan, then write."""
        assert isinstance(self.state, Closed)
        services = self._services
        if not len(batch):
            self.state = Closed(batch.hi + 1, self.state.next_index)
            return
        plan = Plan(
            lo=batch.lo,
            hi=batch.hi,
            first_index=self.state.next_index,
            day=datetime.fromtimestamp(services.clock.now_s(), UTC).date(),
            reference_revision=services.reference_revision(),
        )
        self.state = plan
        services.checkpoint("gather")
        begun = time.monotonic()
        await services.committer.commit(self)
        services.metrics.observe("auditstream_plan_commit_seconds", time.monotonic() - begun)
        services.checkpoint("plan")
        await self._write(plan, batch)
        services.metrics.observe("auditstream_fetch_to_insert_seconds", time.monotonic() - begun)

    async def _write(self, plan: Plan, batch: Batch) -> None:
        services = self._services
        segment = Segment(self.log, plan, batch.offsets, batch.values, batch.timestamps_ms, batch.headers)
        block = await self._build(segment)
        if len(block):
            await self._insert(plan, block)
            services.checkpoint("insert")
            await self._publish(list(block.outbound))
            services.checkpoint("publish")
        self._replay = None
        self.state = Closed(plan.hi + 1, plan.first_index + len(block))
        self._count(block)
        services.checkpoint("close")

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

    async def _insert(self, plan: Plan, block: Block) -> None:
        if self._replay is Replay.READ_BACK and await self._is_stored(plan, block):
            return
        late = 0
        begun = time.monotonic()
        while True:
            await self._hold_lease()
            self._services.checkpoint("send")
            try:
                await self._patiently("insert", lambda: self._insert_once(block))
                break
            except LeaseExpiredError as refusal:
                late += 1
                self._services.metrics.count("auditstream_insert_retries_total", reason=refusal.code)
                log.warning("insert_refused_as_late", segment=block.segment_id, attempt=late)
                if late >= MAX_LATE_REFUSALS:
                    raise FatalError(
                        f"{block.segment_id}: refused as late {late} times, each with a fresh lease",
                        hint="The store's clock is ahead of this worker's by more than the lease.",
                    ) from refusal
                self.lease_until_s = 0.0
        self._services.metrics.observe("auditstream_insert_seconds", time.monotonic() - begun)

    async def _insert_once(self, block: Block) -> None:
        await self._hold_lease()
        services = self._services
        await self._on(services.inserters, self._insert_blocking, block)

    def _insert_blocking(self, block: Block) -> None:
        if self.dead:
            raise Fenced("abandoned before the insert was sent")
        services = self._services
        services.sink.insert(block, insert_by_s=self.lease_until_s, timeout_s=services.store_timeout_s)

    async def _hold_lease(self) -> None:
        """Renew the lease by committing the same plan again, once half of it has passed."""
        if self.dead:
            raise Fenced("abandoned on revoke")
        services = self._services
        if services.clock.now_s() > self.lease_until_s - services.lease_s / 2:
            await services.committer.commit(self)

    async def _is_stored(self, plan: Plan, block: Block) -> bool:
        """Decide by the store's rows alone, where it may have forgotten the plan's token."""
        stored = await self._stored(plan.lo)
        if stored.rows == 0:
            return False
        if stored.rows != len(block) or stored.last_offset > plan.hi:
            raise InvariantError(
                f"{block.segment_id}: {stored.rows} of {len(block)} rows are stored, the token is forgotten",
                hint=f"Run `auditstream doctor rebuild --segment {block.segment_id}`.",
            )
        log.warning("segment_found_stored", segment=block.segment_id)
        return True

    async def _publish(self, messages: list[Outbound]) -> None:
        if messages:
            await self._services.publisher.publish(messages)

    async def _patiently(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat `attempt` while it is refused for now, with growing pauses; the plan stays open."""
        pause = 0.05
        while True:
            if self.dead:
                raise Fenced("abandoned on revoke")
            try:
                return await attempt()
            except RetryableError as refusal:
                self._services.metrics.count("auditstream_insert_retries_total", reason=refusal.code)
                log.warning("attempt_refused", what=what, log=str(self.log), error=str(refusal)[:300])
                pause = min(MAX_BACKOFF_S, pause * 2)
                wait = max(refusal.retry_after_s or 0.0, pause * random.uniform(0.5, 1.5))  # noqa: S311
                # A block that is still on its way does no harm: the next attempt carries the same token.
                await asyncio.sleep(wait)

    async def _on(self, executor: Executor, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)

    def _press(self) -> None:
        """Stop fetching at twice a segment, begin again below one."""
        services, held = self._services, self._gathering
        services.metrics.set("auditstream_gathered_records", held.rows, **self._labels)
        if held.rows >= 2 * services.segment_rows or held.size_bytes >= 2 * services.segment_bytes:
            if not self._full:
                self._full = True
                services.flow.full(self.log)
        elif self._full and held.rows <= services.segment_rows and held.size_bytes <= services.segment_bytes:
            self._full = False
            services.flow.drained(self.log)

    def _count(self, block: Block) -> None:
        metrics = self._services.metrics
        metrics.count("auditstream_segments_total", **self._labels)
        metrics.count("auditstream_rows_total", len(block), **self._labels)
        metrics.observe("auditstream_insert_rows", len(block))
