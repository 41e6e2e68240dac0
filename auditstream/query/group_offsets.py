"""What a consumer group has committed, also while its coordinator is on the move."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

_PAUSE_S = 0.1
# Said by a broker that has just started, or has just given the group to another: both pass by themselves.
_ON_THE_MOVE = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


def committed_offsets(
    consumer: Consumer, wanted: Sequence[TopicPartition], *, timeout_s: float
) -> list[TopicPartition]:
    """Return the committed offset of each partition.

    Args:
        consumer: A consumer of the group; it does not join it.
        wanted: The partitions; of none, none are asked for.
        timeout_s: Bound on the question.

    Raises:
        KafkaException: No answer in time.
    """
    deadline = time.monotonic() + timeout_s
    while wanted:
        try:
            return list(consumer.committed(list(wanted), timeout=timeout_s))
        except KafkaException as error:
            if error.args[0].code() not in _ON_THE_MOVE or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)
    return []
