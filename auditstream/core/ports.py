"""The values and protocols through which the rooms meet.

A `Slab` is what one fetch of one partition brought. Slabs are gathered into a `Segment`: one contiguous
offset range of one log, fixed by a `Plan` that was committed to Kafka before anything was written. A segment
becomes one `Block`: one insert, one deduplication token, one run of Merkle leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Literal, Protocol

import msgspec
import polars as pl

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class LogId:
    """One log: a partition of one incarnation of a topic.

    Attributes:
        topic: Kafka topic name.
        partition: Kafka partition number.
        epoch: First 8 hex digits of Kafka's topic id, so that a topic that is deleted and created again
            (its offsets restart at 0) is another log; random at each start on the embedded broker.
    """

    topic: str
    partition: int
    epoch: str

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.epoch}"


@dataclass(slots=True)
class Slab:
    """The records of one fetch of one partition, in offset order.

    The slab covers offsets `[first_offset, next_offset)`. Offsets inside that range without a record are
    control records, aborted transactions or compacted away; they never were events.

    Attributes:
        topic: Kafka topic name.
        partition: Kafka partition number.
        first_offset: First offset covered.
        next_offset: Offset after the last one covered.
        offsets: Offset of each record; a `range` where the records are contiguous.
        values: Value bytes of each record; None for a null value.
        timestamps_ms: Broker timestamp of each record, milliseconds since the epoch.
        headers: Record headers, or None where the topic was declared not to need them.
        size_bytes: Bytes of all values.
        membership: Member id and generation of the group under which it was fetched.
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    offsets: Sequence[int]
    values: list[bytes | None]
    timestamps_ms: Sequence[int]
    headers: list[Headers] | None = None
    size_bytes: int = 0
    membership: tuple[str, int] | None = None


LostReason = Literal["never_planned", "never_written"]
"""How far lost offsets had come: no segment was ever planned over them, or the first of them were in a plan
whose insert never happened."""


@dataclass(frozen=True, slots=True)
class Lost:
    """That a plan's offsets are gone from Kafka before they were recorded, so that its one leaf says so.

    Attributes:
        reason: How far they had come.
        noticed_ms: When they were found missing, milliseconds since the epoch; the leaf's timestamp.
    """

    reason: LostReason
    noticed_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next segment will be, committed to Kafka before it is written.

    A replay builds the same block from the plan: everything that could differ between two attempts is here.

    Attributes:
        lo: First offset covered.
        hi: Last offset covered.
        first_index: Leaf index of the segment's first record; indexes are dense in a log.
        day: Ingest day, the table partition that the whole block goes to.
        reference_revision: Revision of the reference data (credentials, prices) to enrich with.
        enricher_version: Version of the enrichment code's rules.
        lost: Set where Kafka no longer has any of the offsets: the segment is one leaf of kind 2.
    """

    lo: int
    hi: int
    first_index: int
    day: date
    reference_revision: int = 0
    enricher_version: int = 1
    lost: Lost | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A plan with the records it covers: the unit of insert, deduplication and evidence."""

    log: LogId
    plan: Plan
    offsets: Sequence[int]
    values: Sequence[bytes | None]
    timestamps_ms: Sequence[int]
    headers: Sequence[Headers] | None = None

    @property
    def id(self) -> str:
        """Deduplication token and provenance: `topic/partition/epoch/lo-hi`."""
        return segment_id(self.log, self.plan)

    def __len__(self) -> int:
        return len(self.values)


def segment_id(log: LogId, plan: Plan) -> str:
    """Return the id of the segment that a plan of a log makes."""
    return f"{log}/{plan.lo}-{plan.hi}"


def offsets_of(segment: str) -> tuple[int, int]:
    """Return the first and the last offset that a segment's id names."""
    lo, _, hi = segment.rpartition("/")[2].partition("-")
    return int(lo), int(hi)


MOST_MESSAGE_BYTES = 1_000_000
"""Largest message of an event: under the topics' `max.message.bytes` of 1 MiB, with room for a batch."""

_RECORD_BYTES = 64  # around key, value and headers
_HEADER_BYTES = 8  # around a header's name and value


class Outbound(msgspec.Struct, frozen=True, gc=False):
    """A message to publish after the insert; a replay publishes it again, the same to the byte.

    Attributes:
        topic: Kafka topic to publish to.
        key: Message key.
        value: Message value.
        headers: Message headers.
    """

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers = ()

    @property
    def size_bytes(self) -> int:
        """How many bytes the message takes at most, headers included."""
        size = _RECORD_BYTES + len(self.key) + len(self.value or b"")
        for name, value in self.headers:
            size += _HEADER_BYTES + len(name) + len(value)
        return size


class Placed(msgspec.Struct, frozen=True, gc=False):
    """Where a message is.

    Attributes:
        topic: Topic.
        partition: Partition.
        offset: Offset.
    """

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Block:
    """One segment as columns, ready to insert.

    Attributes:
        segment_id: Deduplication token of the insert.
        frame: One row a leaf, in log order; columns are a subset of table `events` (what is missing takes the
            table's default); UUID columns hold 16 bytes as printed (big-endian).
        outbound: What to publish once the rows are durable.
        findings: Rows of table `findings` that go with the rows: values by column.
        dead_letters: How many rows are leaves of kind 1.
        duplicates: How many rows repeat an event that was recorded before.
        same_calls: How many rows report a model call that an earlier one reports.
        unpriced: How many events have no price.
        unattributed: How many events belong to nobody that is known.
        rule_findings: How many findings rules made of it, by rule.
    """

    segment_id: str
    frame: pl.DataFrame
    outbound: Sequence[Outbound] = ()
    findings: Sequence[Mapping[str, object]] = ()
    dead_letters: int = 0
    duplicates: int = 0
    same_calls: int = 0
    unpriced: int = 0
    unattributed: int = 0
    rule_findings: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.frame.height

    def dead_letter_reasons(self) -> dict[str, int]:
        """Return how many rows were rejected for each reason."""
        if not self.dead_letters:
            return {}
        counts = self.frame.filter(pl.col("leaf_kind") == 1).get_column("reject_reason").value_counts()
        return dict(counts.iter_rows())


@dataclass(frozen=True, slots=True)
class Trip:
    """That a partition's dead letters passed a limit, so that it is paused.

    Attributes:
        limit: Which limit: the share of dead letters among the newest records, or how many came in a row.
        observed: The share, or the count, that passed it.
        allowed: The limit.
        block: The block after which it was passed.
    """

    limit: Literal["ratio", "run"]
    observed: float
    allowed: float
    block: Block


@dataclass(frozen=True, slots=True)
class StoredRange:
    """What the store holds of one log at or above an offset.

    Attributes:
        rows: Number of rows.
        first_index: Lowest leaf index among them, -1 when there are none.
        last_index: Highest leaf index among them, -1 when there are none.
        last_offset: Highest Kafka offset among them, -1 when there are none.
        later_segments: How many segments of the whole table were inserted after the first of these rows;
            compared with the deduplication window before a token is trusted.
    """

    rows: int
    first_index: int = -1
    last_index: int = -1
    last_offset: int = -1
    later_segments: int = 0


class Sink(Protocol):
    """The store of rows. Every method blocks and may be called from any thread."""

    def insert(self, block: Block, *, insert_by_s: float, timeout_s: float) -> None:
        """Make the block durable, at most once under its segment id, or raise.

        The block is written atomically: all rows or none, and views see it once; then its findings, under the
        same id, so that an attempt that was cut off in between is completed by the next one. A block whose
        token the store remembers is dropped silently; views that missed it the first time are healed.

        Args:
            block: What to write.
            insert_by_s: Absolute time (seconds since the epoch) after which the store must refuse.
            timeout_s: Bound on the store's own execution time, and on the wait for its answer.

        Raises:
            StoreBusyError: Refused for now; nothing was applied.
            StoreTimeoutError: No answer; the block may be durable.
            LeaseExpiredError: The store's clock is past `insert_by_s`; nothing was applied.
            RejectError: The store cannot take one of the rows as data.
            StoreSchemaError: The store's tables do not fit this version.
        """
        ...

    def stored(self, log: LogId, from_offset: int) -> StoredRange:
        """Return what the store holds of `log` at or above `from_offset`.

        Raises:
            RetryableError: No answer.
        """
        ...

    def last_plan(self, log: LogId) -> Plan | None:
        """Return the plan of the log's last segment, or None when the store holds nothing of the log.

        Raises:
            RetryableError: No answer.
        """
        ...

    def views_lacking(self, segment_id: str) -> list[str]:
        """Return the views that miss a segment which is in the table.

        An insert that was cut off between the table and a view leaves this, until its replay heals it.

        Raises:
            RetryableError: No answer, or inserts under way make it unclear for now.
        """
        ...

    def token_window(self) -> int:
        """Return how many of the newest inserts into the table have their tokens remembered."""
        ...


class History(Protocol):
    """What was recorded before. Every method blocks and may be called from any thread."""

    def first_ids(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        """Return the events of a log with leaf indexes in `[from_index, to_index)`, repeats left out.

        Columns: `event_id` (16 bytes as printed), `leaf_index`.

        Raises:
            RetryableError: No answer.
        """
        ...

    def ids_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        """Return the event id (16 bytes as printed) at each of the leaf indexes that has one.

        Raises:
            RetryableError: No answer.
        """
        ...

    def first_calls(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        """Return the first reports of model calls with leaf indexes in `[from_index, to_index)`.

        They are events of a call with a response id that count tokens or have a cost, repeats and further
        reports left out. Columns: `call_key` (`core.ids.call_key`), `leaf_index`.

        Raises:
            RetryableError: No answer.
        """
        ...

    def calls_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        """Return the call key at each of the leaf indexes that has one.

        Raises:
            RetryableError: No answer.
        """
        ...

    def recent(self, log: LogId, columns: Sequence[str], from_index: int, to_index: int) -> pl.DataFrame:
        """Return the events of a log with leaf indexes in `[from_index, to_index)`, in order.

        Repeats and further reports of a call are left out. Absent texts may be empty instead of null, and
        columns are of the types of `schemas.flatten.FRAME_SCHEMA`.

        Args:
            log: The log.
            columns: Names of columns of table `events`; `index` (the leaf's) and `stamp` (the broker's time,
                in microseconds) are added.
            from_index: First leaf.
            to_index: Leaf after the last one.

        Raises:
            RetryableError: No answer.
        """
        ...

    def first_swaps(
        self, log: LogId, swaps: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        """Return the first leaf below `to_index` of calls in which another model answered than was asked for.

        Args:
            log: The log.
            swaps: Tenant, provider, model asked for, and model that answered.
            to_index: Leaf after the last one that counts.

        Raises:
            RetryableError: No answer.
        """
        ...

    def first_unpriced(
        self, log: LogId, day: date, models: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        """Return the first leaf of a day below `to_index` of events without a price.

        Args:
            log: The log.
            day: Day that segments were planned on.
            models: Tenant, provider, and model that answered, else the one asked for.
            to_index: Leaf after the last one that counts.

        Raises:
            RetryableError: No answer.
        """
        ...


class Directory(Protocol):
    """Reference facts by revision. Blocks on a revision that it has not read yet; any thread may call it."""

    def intervals(self, kind: str, revision: int) -> pl.DataFrame:
        """Return what holds when, as known at `revision`: the columns of the kind's table.

        `[valid_from, valid_to)` (UTC, microseconds; `valid_to` null while open) are cut so that at most one
        row of a key holds at any time. Equal for equal arguments, for ever.

        Args:
            kind: Kind of the facts, as `credential`; see `auditstream.reference.kinds.KINDS`.
            revision: A revision that a plan names; 0 is the one without facts.

        Raises:
            RetryableError: The store does not answer, or does not have the whole revision yet.
        """
        ...


NOTHING_REFUSED: Mapping[int, str] = MappingProxyType({})


class Recorder(Protocol):
    """Turns a segment into a block: decode, attribute, price, mark duplicates.

    Pure in (segment, reference revision): calling it twice for one plan gives equal blocks, byte for byte.
    """

    def build(self, segment: Segment, refused: Mapping[int, str] = NOTHING_REFUSED) -> Block:
        """Return the segment's block, one row a record. Blocks; runs on an executor thread.

        A record that cannot be decoded becomes a row of kind 1 and a dead letter. The one record of a plan
        over lost offsets is the text that names them; it becomes a row of kind 2.

        Args:
            segment: What to build from.
            refused: By position, events that the store does not take as data, and what it said of each: they
                become dead letters, too.

        Raises:
            RetryableError: Something it needs (the registry) is down; call again later.
            FatalError: Going on is not safe.
        """
        ...

    def pause_finding(self, log: LogId, trip: Trip) -> Outbound:
        """Return the message that says that a partition is paused. Blocks, as `build` does.

        Its id follows from the segment, so that a trip that is met again in a replay is told apart from a
        new one.

        Raises:
            RetryableError: Something it needs (the registry) is down; call again later.
        """
        ...

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget what was remembered of other logs: their partitions are another worker's now."""
        ...

    def worn_out(self) -> str | None:
        """Return why the process should be replaced once its segment is closed; None when it is fine."""
        ...


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """A checkpoint of a log as it was published.

    Attributes:
        origin: Name of the log.
        log_id: `topic/partition/epoch`.
        size: Leaves under the root.
        root: 32 bytes.
        note: The signed checkpoint, cosignatures included.
        signed_at: When it was published (UTC).
        witnesses: Names of the witnesses whose cosignatures it carries.
    """

    origin: str
    log_id: str
    size: int
    root: bytes
    note: bytes
    signed_at: datetime
    witnesses: tuple[str, ...]
