"""Dead letters as the record has them: what was refused, why, and the bytes, to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.query.events import LEAF
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table

READ_FROM = ("events",)
"""Tables that are read."""

LIST_COLUMNS = (
    "leaf", "kafka_timestamp", "reject_reason", "reject_detail", "kafka_topic", "kafka_partition",
    "kafka_offset",
)  # fmt: skip
"""Columns of a list."""

MOST_ROWS = 10_000
"""Largest limit of a list."""

_MOST_LEAVES = 1_000  # each is two parameters of the statement
_MANY = "Name a reason, a topic or a time instead."
_LISTED = """
    concat(log_id, '/', toString(leaf_index)) AS leaf, kafka_timestamp, reject_reason, reject_detail,
    kafka_topic, kafka_partition, kafka_offset"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters are meant; what is empty narrows nothing.

    Attributes:
        leaves: Their leaves, as `topic/partition/epoch/index`.
        reason: Only those refused for this reason.
        topic: Only those that came from this topic.
        period: Range of the broker's timestamp.
    """

    leaves: Sequence[str] = ()
    reason: str = ""
    topic: str = ""
    period: Period = field(default_factory=Period)

    @property
    def is_all(self) -> bool:
        """Whether nothing narrows it."""
        return not (self.leaves or self.reason or self.topic or self.period.start or self.period.end)

    def conditions(self) -> Conditions:
        """Return what a row must satisfy.

        Raises:
            RequestError: A leaf is not written as one, or there are too many.
        """
        conditions = Conditions()
        conditions.add("leaf_kind = 1")
        conditions.add_period(self.period)  # their event_time is the broker's timestamp
        if self.reason:
            conditions.add(f"reject_reason = {conditions.bind(self.reason, 'String')}")
        if self.topic:
            conditions.add(f"kafka_topic = {conditions.bind(self.topic, 'String')}")
        if self.leaves:
            if len(self.leaves) > _MOST_LEAVES:
                raise RequestError(
                    f"{len(self.leaves)} leaves: more than {_MOST_LEAVES} are not named one by one"
                )
            named = [
                f"(log_id = {conditions.bind(log, 'String')}"
                f" AND leaf_index = {conditions.bind(index, 'UInt64')})"
                for log, index in map(_leaf, self.leaves)
            ]
            conditions.add(f"({' OR '.join(named)})")
        return conditions


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter.

    Attributes:
        log_id: Its log.
        leaf_index: Index of its leaf.
        topic: Topic that it came from.
        partition: Partition that it came from.
        offset: Its offset there.
        schema_id: Writer schema that it named, by id or GUID; empty where it named none.
        reason: Why it is no event.
        value: Its bytes, framing included; None for a null value.
    """

    log_id: str
    leaf_index: int
    topic: str
    partition: int
    offset: int
    schema_id: str
    reason: str
    value: bytes | None

    @property
    def leaf(self) -> str:
        """Its leaf, as lists name it."""
        return f"{self.log_id}/{self.leaf_index}"


@dataclass(frozen=True, slots=True)
class Count:
    """How many dead letters of one topic and reason there are.

    Attributes:
        topic: Topic that they came from.
        reason: Why they are no events.
        letters: How many.
        nulls: Those of them with a null value.
        first: Timestamp of the oldest (UTC).
        last: Timestamp of the newest (UTC).
    """

    topic: str
    reason: str
    letters: int
    nulls: int
    first: datetime
    last: datetime


def listed(reader: Reader, chosen: Chosen, *, limit: int) -> Table:
    """Return dead letters, the newest first; columns are `LIST_COLUMNS`.

    Raises:
        RequestError: The limit is out of range, or a leaf is not written as one.
        RetryableError: No answer.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise RequestError(f"limit {limit}: not between 1 and {MOST_ROWS}")
    conditions = chosen.conditions()
    most = conditions.bind(limit, "UInt32")
    sql = f"""
SELECT {_LISTED}
FROM events
WHERE {conditions.sql}
ORDER BY kafka_timestamp DESC, log_id, leaf_index DESC
LIMIT {most}"""  # noqa: S608  columns are ours, values are parameters
    found = reader.table(sql, conditions.parameters, doing="read of dead letters")
    return found if found.rows else Table(LIST_COLUMNS, ())


def counts(reader: Reader, chosen: Chosen) -> list[Count]:
    """Return how many there are by topic and reason, most first.

    Raises:
        RequestError: A leaf is not written as one.
        NotFoundError: A leaf that is named is no dead letter.
        RetryableError: No answer.
    """
    conditions = chosen.conditions()
    sql = f"""
SELECT kafka_topic, reject_reason, count() AS letters, countIf(raw_null) AS nulls,
    min(kafka_timestamp) AS first, max(kafka_timestamp) AS last
FROM events
WHERE {conditions.sql}
GROUP BY kafka_topic, reject_reason
ORDER BY letters DESC, kafka_topic, reject_reason"""  # noqa: S608
    rows = reader.table(sql, conditions.parameters, doing="count of dead letters").rows
    found = [
        Count(str(topic), str(reason), int(letters), int(nulls), _utc(first), _utc(last))
        for topic, reason, letters, nulls, first, last in rows
    ]
    missing = len(set(chosen.leaves)) - sum(each.letters for each in found)
    if chosen.leaves and missing > 0:
        hint = "`auditstream dlq list` names those that there are."
        raise NotFoundError(f"{missing} of the leaves are no dead letters", hint=hint)
    return found


def letters(reader: Reader, chosen: Chosen) -> Iterator[DeadLetter]:
    """Yield dead letters with their bytes, in the order of their logs, as they come.

    Raises:
        RequestError: A leaf is not written as one.
        NotAllowedError: The user may not read bytes as received.
        RetryableError: No answer.
    """
    conditions = chosen.conditions()
    sql = f"""
SELECT log_id, leaf_index, kafka_topic, kafka_partition, kafka_offset, schema_id, reject_reason,
    hex(raw) AS raw_hex, raw_null
FROM events
WHERE {conditions.sql}
ORDER BY log_id, leaf_index"""  # noqa: S608
    for batch in reader.batches(sql, conditions.parameters, doing="read of dead letters"):
        for row in batch.to_pylist():
            value = None if row["raw_null"] else bytes.fromhex(row["raw_hex"])
            yield DeadLetter(
                row["log_id"], row["leaf_index"], row["kafka_topic"], row["kafka_partition"],
                row["kafka_offset"], row["schema_id"], row["reject_reason"], value,
            )  # fmt: skip


def _leaf(text: str) -> tuple[str, int]:
    found = LEAF.fullmatch(text)
    if found is None:
        hint = "`auditstream dlq list` names leaves, as topic/partition/epoch/index."
        raise RequestError(f"{text!r} is no leaf", hint=hint)
    return found["log"], int(found["index"])


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
