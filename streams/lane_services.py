"""What a lane needs from the worker around it: the ports towards Kafka, and what all lanes share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.metrics import Metrics
from auditstream.core.ports import LogId, Outbound, Recorder, Sink
from streams.pacing import Pacing

if TYPE_CHECKING:
    from streams.lane import Lane


class Fenced(Exception):  # noqa: N818  a signal, not an error
    """The group has moved on: this lane may write nothing more."""


class Membership(NamedTuple):
    """A worker's place in its group, by which Kafka fences commits.

    Both are needed: the numbers of generations start again in a group that was deleted, and a member that
    comes back under a static id gets a new member id in the same generation.
    """

    member_id: str
    generation: int


class Committer(Protocol):
    """Commits the state of lanes to Kafka, under the membership in which they were born."""

    async def commit(self, lane: Lane) -> None:
        """Commit `lane.state` as of the moment of sending, and call `lane.accepted`.

        Retries while the broker is away.

        Raises:
            Fenced: The lane's membership has passed, its partition is no longer ours, or an answer was lost.
        """
        ...

    async def rejoin(self) -> None:
        """Leave the group and join it anew, so that every lane of the worker begins again."""
        ...


class Publisher(Protocol):
    """Publishes to Kafka."""

    async def publish(self, messages: list[Outbound]) -> None:
        """Return once every message is acknowledged by all in-sync replicas; retries while it can."""
        ...


class Flow(Protocol):
    """Back-pressure of one partition towards the consumer."""

    def full(self, log: LogId) -> None:
        """Stop fetching the partition."""
        ...

    def drained(self, log: LogId) -> None:
        """Fetch the partition again."""
        ...


def no_checkpoint(_step: str) -> None:
    """Do nothing at a step."""


def no_reference_data() -> int:
    """Return the revision without reference data."""
    return 0


def longest_insert_s(lease_s: float, store_timeout_s: float) -> float:
    """Return how long one insert may take: a lease, within which the store has judged it or never will."""
    return max(lease_s, store_timeout_s)


@dataclass(slots=True)
class LaneServices:
    """What all lanes of a worker share.

    Attributes:
        lease_s: How long an accepted plan entitles to insert.
        store_timeout_s: Bound on one insert, shorter than the lease; grows where the store is not in time.
        builders: Executor for building blocks (processor-bound).
        inserters: Executor for inserts (waiting).
        reference_revision: Revision of the reference data that new plans name.
        crash: Called with an error that must stop the worker.
        dead_letter_ratio: Share of a partition's newest records that may be dead letters before it is paused.
        dead_letter_run: How many dead letters may come in a row before it is paused.
        pause_s: How long a paused partition is left alone.
        lost_offsets: What to do about offsets that Kafka lost before they were recorded.
        quiet_s: How long every lease of an earlier owner must be left to run out.
        checkpoint: Called with the name of each numbered step as it is reached; fault runs kill here.
    """

    sink: Sink
    recorder: Recorder
    publisher: Publisher
    committer: Committer
    flow: Flow
    builders: Executor
    inserters: Executor
    crash: Callable[[BaseException], Awaitable[None]]
    metrics: Metrics = field(default_factory=Metrics)
    pacing: Pacing = field(default_factory=Pacing)
    clock: Clock = field(default_factory=SystemClock)
    lease_s: float = 30.0
    store_timeout_s: float = 10.0
    segment_rows: int = 50_000
    segment_bytes: int = 64 * 1024 * 1024
    dead_letter_ratio: float = 0.5
    dead_letter_run: int = 10_000
    pause_s: float = 60.0
    lost_offsets: Literal["stop", "record"] = "stop"
    quiet_s: float = 61.0
    reference_revision: Callable[[], int] = no_reference_data
    checkpoint: Callable[[str], None] = no_checkpoint

    @property
    def longest_insert_s(self) -> float:
        """How long the store may take over one insert at most, however often it was not in time."""
        return longest_insert_s(self.lease_s, self.store_timeout_s)
