"""Wakes who watches usage: says which tenants used something, and which of them are this process's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from auditstream.core.errors import RetryableError
from auditstream.core.settings import KafkaSettings
from streams.java_partitioner import hashes_of
from streams.kafka_security import librdkafka_settings

_MOST_AT_ONCE = 1_000


class UsageWakes:
    """Follows the usage topic as a member of a group, so that each tenant is one member's.

    The messages' keys are tenants, and all that is read of them. The group's position means nothing: a
    member that gets a partition looks at all of its tenants anyway. For one thread.

    Args:
        kafka: Where the topic is.
        group: Group whose members share the tenants.
        session_timeout_s: After how long without a heartbeat a member's tenants go to others.
    """

    def __init__(self, kafka: KafkaSettings, group: str, *, session_timeout_s: float) -> None:
        self._partitions: set[int] = set()
        self._count = 0
        self._is_new = False
        self._topic = kafka.usage_topic
        self._consumer = Consumer(
            {
                **librdkafka_settings(kafka),
                "group.id": group,
                "auto.offset.reset": "latest",
                "enable.auto.commit": False,
                "session.timeout.ms": int(session_timeout_s * 1_000),
                "heartbeat.interval.ms": int(session_timeout_s * 100),
                "log_level": 2,
                "error_cb": _ignored,
            }
        )
        self._consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked)

    def wait(self, within_s: float) -> tuple[set[str], bool]:
        """Return the tenants that used something since the last call, and whether other tenants are ours now.

        Args:
            within_s: How long to wait for the first; a group without news takes that long.

        Raises:
            RetryableError: Kafka refuses us, or says that the topic is not there.
        """
        tenants: set[str] = set()
        for message in self._consumer.consume(_MOST_AT_ONCE, within_s):
            error, key = message.error(), message.key()
            if error is not None:
                raise RetryableError(f"Kafka: {error.str()}")
            if key:
                tenants.add(key.decode("utf-8", "replace") if isinstance(key, bytes) else key)
        is_new, self._is_new = self._is_new, False
        return tenants, is_new

    def is_ours(self, tenant: str) -> bool:
        """Return whether this member answers for a tenant; `""` stands for all tenants together."""
        if not self._count:
            return False
        return (hashes_of([tenant.encode()])[0] % self._count if tenant else 0) in self._partitions

    @property
    def has_any(self) -> bool:
        """Whether any partition is this member's."""
        return bool(self._partitions)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: Iterable[TopicPartition]) -> None:
        self._partitions = {each.partition for each in partitions}
        metadata: Any = consumer.list_topics(self._topic, timeout=10)
        self._count = len(metadata.topics[self._topic].partitions)
        self._is_new = True

    def _revoked(self, _consumer: Consumer, _partitions: Iterable[TopicPartition]) -> None:
        self._partitions = set()


def _ignored(_error: KafkaError) -> None:
    """Leave connection errors to librdkafka, which reconnects by itself."""
