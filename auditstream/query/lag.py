"""How far the record is behind Kafka: end and committed offsets by partition.

Asked as a member-less consumer and not through the admin API, which the in-process broker does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from auditstream.core.errors import RetryableError
from auditstream.query.group_offsets import committed_offsets

_NONE_COMMITTED = -1001  # librdkafka's OFFSET_INVALID


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition's offsets.

    Attributes:
        topic: Kafka topic name.
        partition: Kafka partition number.
        committed: Offset up to which everything is recorded, None when nothing was ever committed.
        end: Offset that the next record will get.
        lag: Records, control records counted too, that are not recorded yet.
    """

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


def partition_lags(
    connection: dict[str, Any], group: str, topics: Sequence[str], *, timeout_s: float = 5.0
) -> list[PartitionLag]:
    """Return the lag of every partition of the topics that exist.

    Args:
        connection: Settings of librdkafka that reach the brokers.
        group: Consumer group of the workers; the question does not join it.
        topics: What they read.
        timeout_s: Bound on each question.

    Raises:
        RetryableError: Kafka does not answer in time.
    """
    quiet = {"log_level": 0, "error_cb": lambda _: None}
    consumer = Consumer({**connection, **quiet, "group.id": group, "enable.auto.commit": False})
    try:
        return _lags(consumer, topics, timeout_s)
    except KafkaException as error:
        raise RetryableError(f"cannot read offsets from Kafka: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _lags(consumer: Consumer, topics: Sequence[str], timeout_s: float) -> list[PartitionLag]:
    # All topics and not one by name: asking for one creates it where the broker creates topics by itself.
    known = consumer.list_topics(timeout=timeout_s).topics
    wanted = [TopicPartition(t, p) for t in topics if t in known for p in sorted(known[t].partitions)]
    committed = committed_offsets(consumer, wanted, timeout_s=timeout_s)
    return [_lag(consumer, each, timeout_s) for each in committed]


def _lag(consumer: Consumer, committed: TopicPartition, timeout_s: float) -> PartitionLag:
    if committed.error is not None:
        raise KafkaException(committed.error)
    low, end = consumer.get_watermark_offsets(committed, timeout=timeout_s, cached=False)
    offset = None if committed.offset == _NONE_COMMITTED else committed.offset
    behind = max(0, end - max(low, offset or 0))
    return PartitionLag(committed.topic, committed.partition, offset, end, behind)
