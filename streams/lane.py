"""One partition's way from slabs to durable rows: gather, plan, build, insert, publish, close.

The lane holds the partition's one commit state. Whoever commits for the partition, the lane before an insert
or Faust's timer when it is idle, sends that state as of the moment of sending. A lane lives for one group
generation; it writes nothing once the group has moved on.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from auditstream.core.errors import FatalError, OffsetGapError
from auditstream.core.logs import get_logger
from auditstream.core.ports import Block, LogId, Plan, Segment, Slab
from streams.dead_letter_limit import PROBE_ROWS, DeadLetterLimit
from streams.gathering import Batch, Gathering
from streams.lane_services import Fenced, LaneServices, Membership
from streams.lane_start import LaneStart
from streams.lost_offsets import lost_batch
from streams.pause_notice import publish_trip
from streams.plan import Closed, State, next_offset_of
from streams.recovery import first_needed, is_beyond_replay
from streams.segment_writer import SegmentWriter

log = get_logger(__name__)


class Lane:
    """One partition in one generation.

    Attributes:
        log: The log that this partition is.
        membership: The worker's place in the group when the lane was born.
        state: What a commit for this partition must say now.
        sent: The state that Kafka accepted last.
        lease_until_s: Until when the store may accept an insert of the open plan.
        dead: Set once nothing may be committed or inserted any more.
    """

    def __init__(
        self,
        log_id: LogId,
        membership: Membership,
        state: State,
        services: LaneServices,
        *,
        log_start: int = 0,
    ) -> None:
        self.log = log_id
        self.membership = membership
        self.state: State = state
        self.sent: State | None = None
        self.lease_until_s = 0.0
        self.dead = False
        self.committed_at = time.monotonic()
        self._services = services
        self._log_start = log_start
        self._draining = False
        # Whether Kafka has gone on at a later offset than the one that must come next.
        self._was_skipped = False
        self._more = asyncio.Event()
        self._full = False
        self._limit = DeadLetterLimit(services.dead_letter_ratio, services.dead_letter_run)
        self._labels = {"topic": log_id.topic, "partition": str(log_id.partition)}
        self._gathering = Gathering(first_needed(state, log_start))
        self._writer = SegmentWriter(self, services)
        self._start = LaneStart(self, self._writer, services, log_start)

    @property
    def next_offset(self) -> int:
        """The offset that the lane needs next from Kafka."""
        return self._gathering.next_offset

    @property
    def durable_offset(self) -> int:
        """The first offset that is not durable yet, as far as this worker knows."""
        return next_offset_of(self.state)

    @property
    def oldest_ms(self) -> int | None:
        """Broker timestamp of the oldest record that is gathered, in milliseconds; None without any."""
        return self._gathering.oldest_ms

    @property
    def busy(self) -> bool:
        """Whether records are gathered, or a plan is open."""
        return self._gathering.rows > 0 or isinstance(self.state, Plan)

    def put(self, slab: Slab) -> None:
        """Take a slab. Never waits: one full lane must not hold up the agent, hence the other lanes.

        Raises:
            OffsetGapError: Records between the last slab and this one are missing, and are not to be recorded
                as lost.
        """
        if self._draining or self.dead or self._was_skipped:
            return
        try:
            self._gathering.add(slab, time.monotonic())
        except OffsetGapError as gap:
            if self._services.lost_offsets == "stop":
                raise
            log.warning("offsets_skipped", log=str(self.log), gap=str(gap))
            self._was_skipped = True  # what is held is recorded first; then all begins again
            self._more.set()
            return
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

    async def rest(self, for_s: float) -> bool:
        """Do nothing for a while; return False at once when the lane is drained meanwhile."""
        until = time.monotonic() + for_s
        self.committed_at = until  # a rest is no stall
        while not self._draining and time.monotonic() < until:
            await self._wait_for_more(until)
        return not self._draining

    async def run(self) -> None:
        """Work until drained or fenced; an error that must stop the worker goes to `services.crash`."""
        try:
            await self._check_start()
            if isinstance(self.state, Plan):
                await self._finish_open_plan(self.state)
                await self._pause_while_tripped()
            if not self._draining:
                await self._account_for_lost()
            while (batch := await self._gather()) is not None:
                await self._record(batch)
                await self._pause_while_tripped()
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
        await self._start.check()
        if isinstance(self.state, Closed):
            self._gathering.skip_to(self.state.next_offset)

    async def _account_for_lost(self) -> None:
        """Record the offsets between what is recorded and what Kafka still has as one gap leaf, or stop."""
        plan = await self._start.plan_over_lost()
        if plan is not None:
            await self._commit_plan(plan)
            await self._write(plan, lost_batch(self.log, plan))

    async def _finish_open_plan(self, plan: Plan) -> None:
        """Write the predecessor's plan again, whole and under its own token."""
        if is_beyond_replay(plan, self._log_start):
            return  # told to drain before it was clear what became of it
        while plan.lost is None and self._gathering.next_offset <= plan.hi:
            if self._draining:
                return
            if self._was_skipped:
                await self._begin_again()
            await self._wait_for_more(None)
        batch = lost_batch(self.log, plan) if plan.lost else self._gathering.take_through(plan.hi)
        self._press()
        log.info("plan_replayed", log=str(self.log), lo=plan.lo, hi=plan.hi)
        self._services.metrics.count("auditstream_replayed_segments_total", **self._labels)
        await self._write(plan, batch, replayed=True)

    async def _gather(self) -> Batch | None:
        """Return the next segment's records: full, or what came until its turn. None when drained.

        The turn counts from the arrival of the oldest record, hence comes nearer while the last segment is
        written: a record waits for the delay and one insert, not for two.
        """
        services = self._services
        turn_s: float | None = None
        max_rows = PROBE_ROWS if self._limit.tripped else services.segment_rows
        while not self._draining:
            held = self._gathering
            if held.rows >= max_rows or held.size_bytes >= services.segment_bytes:
                break
            if self._was_skipped:
                if held.oldest_s is not None:
                    break
                await self._begin_again()
            if turn_s is None and held.oldest_s is not None:
                turn_s = services.pacing.take_turn(self.log, held.oldest_s)
            if turn_s is not None and time.monotonic() >= turn_s:
                break
            await self._wait_for_more(turn_s)
        if self._draining:
            return None
        batch = self._gathering.take(max_rows, services.segment_bytes)
        self._press()
        return batch

    async def _pause_while_tripped(self) -> None:
        """Leave the partition alone for a while when too much of it was dead letters."""
        services = self._services
        services.metrics.set("auditstream_partition_paused", int(self._limit.tripped), **self._labels)
        if (trip := self._limit.take_trip()) is not None:
            await publish_trip(self, services, trip)
        if not self._limit.tripped:
            return
        log.error("partition_paused", log=str(self.log), state=repr(self.state), for_s=services.pause_s)
        await self.rest(services.pause_s)

    async def _begin_again(self) -> None:
        """Leave this generation: where Kafka's log begins now is asked for at the beginning of the next.

        Raises:
            Fenced: Always.
        """
        committer = self._services.committer
        if self.state != self.sent:
            await committer.commit(self)
        await committer.rejoin()
        raise Fenced(f"Kafka no longer has offset {self._gathering.next_offset}")

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
        begun = time.monotonic()
        await self._commit_plan(plan)
        await self._write(plan, batch)
        services.metrics.observe("auditstream_fetch_to_insert_seconds", time.monotonic() - begun)

    async def _commit_plan(self, plan: Plan) -> None:
        services = self._services
        self.state = plan
        services.checkpoint("gather")
        begun = time.monotonic()
        await services.committer.commit(self)
        services.metrics.observe("auditstream_plan_commit_seconds", time.monotonic() - begun)
        services.checkpoint("plan")

    async def _write(self, plan: Plan, batch: Batch, *, replayed: bool = False) -> None:
        services = self._services
        segment = Segment(self.log, plan, batch.offsets, batch.values, batch.timestamps_ms, batch.headers)
        block = await self._writer.write(segment, replayed=replayed)
        self.state = Closed(plan.hi + 1, plan.first_index + len(block))
        self._count(block)
        if plan.lost is None:
            self._limit.note(block)
        else:
            self._tell_of_lost(plan)
        services.checkpoint("close")
        await self._leave_if_worn_out()

    async def _leave_if_worn_out(self) -> None:
        """End the worker for a fresh one, with the segment closed: its successor must not meet it again."""
        reason = self._services.recorder.worn_out()
        if reason is not None:
            await self._services.committer.commit(self)
            raise FatalError(reason, hint="The worker's supervisor starts it again.")

    def _press(self) -> None:
        """Stop fetching at twice a segment, begin again below one."""
        services, held = self._services, self._gathering
        services.metrics.set("auditstream_gathered_records", held.rows, **self._labels)
        over = held.rows >= 2 * services.segment_rows or held.size_bytes >= 2 * services.segment_bytes
        if over and not self._needs_more():
            if not self._full:
                self._full = True
                services.flow.full(self.log)
        elif self._full and held.rows <= services.segment_rows and held.size_bytes <= services.segment_bytes:
            self._full = False
            services.flow.drained(self.log)

    def _needs_more(self) -> bool:
        """Whether an open plan waits for records: it may be larger than this worker's own segments."""
        plan = self.state
        if not isinstance(plan, Plan) or is_beyond_replay(plan, self._log_start):
            return False
        return self._gathering.next_offset <= plan.hi

    def _tell_of_lost(self, plan: Plan) -> None:
        assert plan.lost is not None
        count = plan.hi - plan.lo + 1
        log.error("offsets_lost", log=str(self.log), lo=plan.lo, hi=plan.hi, reason=plan.lost.reason)
        self._services.metrics.count("auditstream_lost_offsets_total", count, **self._labels)

    def _count(self, block: Block) -> None:
        metrics = self._services.metrics
        metrics.count("auditstream_segments_total", **self._labels)
        metrics.count("auditstream_rows_total", len(block), **self._labels)
        metrics.observe("auditstream_insert_rows", len(block))
        for reason, count in block.dead_letter_reasons().items():
            metrics.count("auditstream_dead_letters_total", count, topic=self.log.topic, reason=reason)
        metrics.count("auditstream_duplicates_total", block.duplicates, **self._labels)
        metrics.count("auditstream_same_calls_total", block.same_calls, **self._labels)
        metrics.count("auditstream_unpriced_events_total", block.unpriced, topic=self.log.topic)
        metrics.count("auditstream_unattributed_events_total", block.unattributed, topic=self.log.topic)
        for rule, count in block.rule_findings.items():
            metrics.count("auditstream_rule_findings_total", count, rule=rule)
