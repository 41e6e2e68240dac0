"""What Kafka holds and nobody has recorded yet, against the time after which Kafka deletes it.

Only of partitions with such records. Asked as a member-less consumer, but for the topics' settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ConfigResource as Resource  # type: ignore[attr-defined]
from confluent_kafka.admin import ResourceType as Kind  # type: ignore[attr-defined]

from auditstream.core.errors import RetryableError
from auditstream.query.group_offsets import committed_offsets

_RETENTION = "retention.ms"
_QUIET: dict[str, Any] = {"log_level": 0, "error_cb": lambda _: None}


@dataclass(frozen=True, slots=True)
class Backlog:
    """The records of one partition that are not recorded.

    Attributes:
        topic: Kafka topic name.
        partition: Kafka partition number.
        recorded_to: Offset up to which everything is recorded; where Kafka began when nothing ever was.
        log_start: Earliest offset that Kafka still has.
        retention_ms: After how long Kafka may delete a record; None for never.
        is_half_over: Whether the oldest of them is older than half of that.
        is_over: Whether it is older than all of it.
    """

    topic: str
    partition: int
    recorded_to: int
    log_start: int
    retention_ms: int | None
    is_half_over: bool = False
    is_over: bool = False

    @property
    def lost(self) -> int:
        """How many offsets Kafka has deleted before they were recorded."""
        return max(0, self.log_start - self.recorded_to)


def retention_ms(
    connection: dict[str, Any], topics: Sequence[str], *, timeout_s: float = 5.0
) -> dict[str, int]:
    """Return after how many milliseconds Kafka may delete a record of each topic; topics that keep all lack.

    Raises:
        RetryableError: Kafka does not answer, or does not tell.
    """
    admin = AdminClient({**connection, **_QUIET})
    resources = [Resource(Kind.TOPIC, topic) for topic in topics]
    try:
        described = admin.describe_configs(resources, request_timeout=timeout_s)
        found = {each.name: described[each].result(timeout_s + 1)[_RETENTION].value for each in resources}
    except (KafkaException, TimeoutError, KeyError) as error:
        raise RetryableError(f"cannot read {_RETENTION} of {', '.join(topics)}: {error}") from error
    return {topic: int(value) for topic, value in found.items() if value is not None and int(value) >= 0}


def backlogs(
    connection: dict[str, Any],
    group: str,
    retention: Mapping[str, int | None],
    *,
    now_ms: int,
    timeout_s: float = 5.0,
) -> list[Backlog]:
    """Return what is not recorded of the topics, by partition.

    Args:
        connection: Settings of librdkafka that reach the brokers.
        group: Consumer group of the workers; the question does not join it.
        retention: The topics, and after how long Kafka may delete their records; None for never.
        now_ms: The time, milliseconds since the epoch.
        timeout_s: Bound on each question.

    Raises:
        RetryableError: Kafka does not answer in time.
    """
    consumer = Consumer({**connection, **_QUIET, "group.id": group, "enable.auto.commit": False})
    try:
        known = consumer.list_topics(timeout=timeout_s).topics
        wanted = [TopicPartition(t, p) for t in retention if t in known for p in sorted(known[t].partitions)]
        found = (
            _backlog(consumer, each, retention[each.topic], now_ms=now_ms, timeout_s=timeout_s)
            for each in committed_offsets(consumer, wanted, timeout_s=timeout_s)
        )
        return [backlog for backlog in found if backlog is not None]
    except KafkaException as error:
        raise RetryableError(f"cannot read offsets from Kafka: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _backlog(
    consumer: Consumer, committed: TopicPartition, retention: int | None, *, now_ms: int, timeout_s: float
) -> Backlog | None:
    if committed.error is not None:
        raise KafkaException(committed.error)
    topic, partition = committed.topic, committed.partition
    low, end = consumer.get_watermark_offsets(committed, timeout=timeout_s, cached=False)
    recorded_to = low if committed.offset < 0 else committed.offset
    if recorded_to >= end and recorded_to >= low:
        return None

    def is_older_than(age_ms: int) -> bool:
        """Whether a record that is not recorded was written before that."""
        asked = TopicPartition(topic, partition, max(0, now_ms - age_ms))
        (answer,) = consumer.offsets_for_times([asked], timeout=timeout_s)
        if answer.error is not None:
            raise KafkaException(answer.error)
        first_younger = end if answer.offset < 0 else answer.offset
        return max(recorded_to, low) < first_younger

    half_over = retention is not None and is_older_than(retention // 2)
    over = half_over and retention is not None and is_older_than(retention)
    return Backlog(topic, partition, recorded_to, low, retention, half_over, over)
