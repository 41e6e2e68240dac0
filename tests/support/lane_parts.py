"""Lanes one at a time in virtual time, with ports that a test can script: for tests of single steps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

import polars as pl

from auditstream.core.errors import LeaseExpiredError, RejectError, RetryableError, StoreTimeoutError
from auditstream.core.metrics import Metrics
from auditstream.core.ports import (
    NOTHING_REFUSED,
    Block,
    LogId,
    Outbound,
    Plan,
    Segment,
    Slab,
    StoredRange,
    Trip,
)
from streams.lane import Lane
from streams.lane_services import Fenced, LaneServices, Membership
from streams.pacing import Pacing
from streams.plan import State
from tests.support.lane_schedules import quiet_logs, time_in_lanes
from tests.support.virtual_time import VirtualExecutor, VirtualTime

LOG = LogId("audit.events.v1", 0, "0a1b2c3d")
MEMBERSHIP = Membership("member-1", 1)
EPOCH_S = 1_772_323_200.0  # 2026-03-01T00:00:00Z


def slab(
    first: int,
    to: int,
    *,
    partition: int = 0,
    value: bytes = b"x",
    membership: Membership = MEMBERSHIP,
) -> Slab:
    """Return a slab over `[first, to)` with a record at every offset."""
    count = to - first
    values: list[bytes | None] = [value] * count
    return Slab(
        topic=LOG.topic,
        partition=partition,
        first_offset=first,
        next_offset=to,
        offsets=range(first, to),
        values=values,
        timestamps_ms=[0] * count,
        size_bytes=count * len(value),
        membership=membership,
    )


class ScriptedSink:
    """A store that does what the script says, one item an insert, and accepts what comes after it.

    Attributes:
        script: Exceptions to raise instead of storing; an exception in a tuple is raised after storing.
        reads: Exceptions to raise instead of answering `stored`.
        inserts: Segment id and `insert_by_s` of every attempt.
        allowed_s: How long each attempt was given.
        needed_s: How long an insert takes; an attempt that is given less is not in time.
        rows: Offset and index of every row that was stored.
        window: What `token_window` says.
        later_segments: What `stored` says about foreign inserts.
        unstorable: Offsets of rows that it refuses as data, unless they are dead letters.
        lacking: What `views_lacking` says.
        steps: Where read-backs are noted.
    """

    def __init__(self) -> None:
        self.script: list[BaseException | tuple[BaseException] | None] = []
        self.reads: list[RetryableError] = []
        self.inserts: list[tuple[str, float]] = []
        self.allowed_s: list[float] = []
        self.needed_s = 0.0
        self.rows: list[tuple[int, int]] = []
        self.window = 1000
        self.later_segments = 0
        self.lacking: list[str] = []
        self.unstorable: set[int] = set()
        self.steps: list[str] = []
        self._tokens: set[str] = set()

    def insert(self, block: Block, *, insert_by_s: float, timeout_s: float) -> None:
        self.inserts.append((block.segment_id, insert_by_s))
        self.allowed_s.append(timeout_s)
        if timeout_s < self.needed_s:
            raise StoreTimeoutError("not in time")
        outcome = self.script.pop(0) if self.script else None
        if isinstance(outcome, BaseException):
            raise outcome
        self._refuse(block, insert_by_s)
        if block.segment_id not in self._tokens or self.later_segments >= self.window:
            self._tokens.add(block.segment_id)
            self.rows += list(zip(block.frame["kafka_offset"], block.frame["leaf_index"], strict=True))
        if outcome is not None:
            raise outcome[0]

    def _refuse(self, block: Block, insert_by_s: float) -> None:
        """Judge the rows before the lease, as the store does."""
        events = block.frame if "leaf_kind" not in block.frame.columns else block.frame.filter(leaf_kind=0)
        bad = self.unstorable.intersection(events["kafka_offset"])
        if bad:
            raise RejectError(f"row at {min(bad)}", reason="unstorable")
        if not insert_by_s:
            raise LeaseExpiredError(block.segment_id)

    def stored(self, log: LogId, from_offset: int) -> StoredRange:
        if self.reads:
            raise self.reads.pop(0)
        self.steps.append("stored")
        rows = [row for row in self.rows if row[0] >= from_offset]
        if not rows:
            return StoredRange(0)
        indexes = [index for _, index in rows]
        return StoredRange(len(rows), min(indexes), max(indexes), max(rows)[0], self.later_segments)

    def last_plan(self, log: LogId) -> Plan | None:
        raise AssertionError("lanes do not ask for it")

    def views_lacking(self, segment_id: str) -> list[str]:
        return self.lacking

    def token_window(self) -> int:
        return self.window

    @property
    def tokens(self) -> list[str]:
        """Offset range of every attempt, without the log."""
        return [segment_id.rpartition("/")[2] for segment_id, _ in self.inserts]


class RangeRecorder:
    """One row a record, with what the test wants to be published.

    Attributes:
        script: Exceptions to raise instead of building.
        segments: Every segment that was built.
        outbound: Messages of every block.
        rule_findings: What rules found in every block.
        lost_rows: Rows to leave out, which no recorder may do.
        worn_out_reason: What `worn_out` says.
        rejects: Whether every record is a dead letter.
        refused: What it was told that the store refuses, each time.
        trips: Every trip that was told of.
        refusals: Exceptions to raise instead of telling of a trip.
        kept: Logs that it was told to keep.
    """

    def __init__(self) -> None:
        self.script: list[BaseException] = []
        self.segments: list[Segment] = []
        self.outbound: Sequence[Outbound] = ()
        self.rule_findings: Mapping[str, int] = {}
        self.lost_rows = 0
        self.worn_out_reason: str | None = None
        self.rejects = False
        self.refused: list[Mapping[int, str]] = []
        self.trips: list[Trip] = []
        self.refusals: list[RetryableError] = []
        self.kept: set[LogId] = set()

    def build(self, segment: Segment, refused: Mapping[int, str] = NOTHING_REFUSED) -> Block:
        if self.script:
            raise self.script.pop(0)
        self.segments.append(segment)
        offsets = list(segment.offsets)[self.lost_rows :]
        first = segment.plan.first_index
        frame = pl.DataFrame(
            {"kafka_offset": offsets, "leaf_index": list(range(first, first + len(offsets)))}
        )
        if refused:
            self.refused.append(refused)
            kinds = [int(position in refused) for position in range(len(offsets))]
            return Block(segment.id, frame.with_columns(leaf_kind=pl.Series(kinds)), self.outbound)
        if not self.rejects:
            return Block(segment.id, frame, self.outbound, rule_findings=self.rule_findings)
        frame = frame.with_columns(leaf_kind=pl.lit(1), reject_reason=pl.lit("contract"))
        return Block(segment.id, frame, self.outbound, dead_letters=len(frame))

    def pause_finding(self, log: LogId, trip: Trip) -> Outbound:
        if self.refusals:
            raise self.refusals.pop(0)
        self.trips.append(trip)
        return Outbound("audit.findings.v1", b"", f"{trip.limit} {trip.block.segment_id}".encode())

    def keep_only(self, logs: Collection[LogId]) -> None:
        self.kept = set(logs)

    def worn_out(self) -> str | None:
        return self.worn_out_reason


class LaneBench:
    """Everything around a lane.

    Attributes:
        steps: What happened, in order: checkpoints, commits, publishes, back-pressure.
        commits: Every accepted state.
        fenced: Set to let every commit be refused.
        commit_s: How long a commit takes.
        crashes: Errors that would have stopped the worker.
    """

    def __init__(self, **settings: Any) -> None:
        self.time = VirtualTime()
        self.sink = ScriptedSink()
        self.recorder = RangeRecorder()
        self.steps: list[str] = []
        self.sink.steps = self.steps
        self.commits: list[State] = []
        self.fenced = False
        self.commit_s = 0.003
        self.crashes: list[BaseException] = []
        self._settings = {"segment_rows": 4, "lease_s": 8.0, "store_timeout_s": 2.0, **settings}
        self._services: LaneServices | None = None

    def run(self, scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run a scenario to its end in virtual time."""
        with quiet_logs(), time_in_lanes(self.time, random.Random(0)):
            return self.time.run(scenario())

    @property
    def services(self) -> LaneServices:
        """Services on the running loop, the same for all lanes of a scenario."""
        if self._services is None:
            threads = VirtualExecutor(asyncio.get_running_loop())  # type: ignore[arg-type]
            self._services = LaneServices(
                sink=self.sink,
                recorder=self.recorder,
                publisher=self,
                committer=self,
                flow=self,
                builders=threads,
                inserters=threads,
                crash=self._crash,
                metrics=Metrics(),
                clock=self,
                checkpoint=self.steps.append,
                **{"pacing": Pacing(min_delay_s=0.5, max_delay_s=0.5), **self._settings},
            )
        return self._services

    def lane(self, state: State, *, membership: Membership = MEMBERSHIP, log_start: int = 0) -> Lane:
        """Return a lane that is not running."""
        return Lane(LOG, membership, state, self.services, log_start=log_start)

    def started(self, state: State, **settings: Any) -> tuple[Lane, asyncio.Task[None]]:
        """Return a running lane and its task."""
        lane = self.lane(state, **settings)
        return lane, asyncio.create_task(lane.run())

    def now_s(self) -> float:
        return EPOCH_S + self.time.now

    async def commit(self, lane: Lane) -> None:
        if self.fenced or lane.dead:
            raise Fenced("the group has moved on")
        state, sent_at_s = lane.state, self.now_s()
        await asyncio.sleep(self.commit_s)
        self.commits.append(state)
        self.steps.append(f"commit {type(state).__name__}")
        lane.accepted(state, sent_at_s)

    async def rejoin(self) -> None:
        self.steps.append("rejoin")

    async def publish(self, messages: list[Outbound]) -> None:
        self.steps.append(f"publish {len(messages)}")

    def full(self, log: LogId) -> None:
        self.steps.append("full")

    def drained(self, log: LogId) -> None:
        self.steps.append("drained")

    async def _crash(self, error: BaseException) -> None:
        self.crashes.append(error)
