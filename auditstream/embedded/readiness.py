"""Whether workers have taken over the events topic, as their group's committed plans say."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from auditstream.core.errors import RetryableError
from auditstream.core.settings import Settings
from streams.kafka_security import librdkafka_settings

_POLL_S = 0.2
_REQUEST_S = 5.0


def wait_until_recording(
    settings: Settings, *, timeout_s: float, is_hopeless: Callable[[], bool] = lambda: False
) -> None:
    """Wait until every partition of the events topic has a plan of the workers' group.

    A worker commits one as soon as it owns a partition. Events that are sent before would make it wait for
    the leases of owners that there may have been.

    Args:
        settings: Kafka, topic and group.
        timeout_s: Bound on the wait.
        is_hopeless: Whether waiting makes no more sense.

    Raises:
        RetryableError: No plan in time.
    """
    topic, group = settings.kafka.events_topic, settings.worker.app_id
    client = Consumer(
        {
            **librdkafka_settings(settings.kafka),
            "group.id": group,
            "log_level": 2,
            "enable.auto.commit": False,
        }
    )
    deadline = time.monotonic() + timeout_s
    try:
        while not _all_planned(client, topic):
            if is_hopeless() or time.monotonic() > deadline:
                raise RetryableError(f"no worker took over topic {topic}")
            time.sleep(_POLL_S)
    finally:
        client.close()


def _all_planned(client: Consumer, topic: str) -> bool:
    try:
        partitions = client.list_topics(topic, timeout=_REQUEST_S).topics[topic].partitions
        wanted = [TopicPartition(topic, partition) for partition in partitions]
        committed = client.committed(wanted, timeout=_REQUEST_S) if wanted else []
    except KafkaException:
        return False
    return bool(committed) and all(each.offset >= 0 for each in committed)
