"""The product's Kafka topics: what they must look like, making them, and telling what differs.

Every function blocks, and works with any Kafka that answers admin calls; the in-process broker does not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

# Public names, but not re-exported for type checkers.
from confluent_kafka.admin import ConfigResource as Resource  # type: ignore[attr-defined]
from confluent_kafka.admin import NewTopic as Creation  # type: ignore[attr-defined]
from confluent_kafka.admin import ResourceType as Kind  # type: ignore[attr-defined]

from auditstream.core.errors import RetryableError
from auditstream.core.settings import KafkaSettings
from auditstream.embedded.admin_answers import answer, refusal

# Largest record batch on the topics that carry events: 1 MiB, above what producers send unless told otherwise
# (1,000,000 bytes in librdkafka).
MAX_EVENT_BYTES = 1 << 20
# A dead letter is the event's bytes and, as headers, reason and origin: with the same limit the largest event
# could not become one.
DEAD_LETTER_HEADROOM_BYTES = 1 << 16
DEFAULT_PARTITIONS = 4
_BROKER_DEFAULT = -1
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must look like.

    Attributes:
        name: Kafka topic name.
        partitions: Number of partitions.
        config: Topic settings by their Kafka names; settings not named here are the broker's business.
    """

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicDifference:
    """One setting of an existing topic that is not what the product needs.

    Attributes:
        topic: Kafka topic name.
        setting: Kafka's name of the setting, or `partitions`.
        expected: Value that the product needs.
        found: Value that the topic has; empty when it has none.
    """

    topic: str
    setting: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.found or 'not set'}, expected {self.expected}"


def product_topics(kafka: KafkaSettings, *, partitions: int = DEFAULT_PARTITIONS) -> tuple[TopicSpec, ...]:
    """Return every topic that the product reads or writes.

    Args:
        kafka: Names of the topics.
        partitions: Partitions of the topics whose load grows with the number of events.
    """
    event_log = {
        "cleanup.policy": "delete",  # never compact: every record is evidence
        "message.timestamp.type": "LogAppendTime",  # the broker's clock, which a producer cannot set back
        "max.message.bytes": str(MAX_EVENT_BYTES),
    }
    dead_letters = {
        "cleanup.policy": "delete",
        "max.message.bytes": str(MAX_EVENT_BYTES + DEAD_LETTER_HEADROOM_BYTES),
    }
    events = (kafka.events_topic, *kafka.direct_topics)
    return (
        *(TopicSpec(name, partitions, event_log) for name in events),
        TopicSpec(kafka.dead_letter_topic, 1, dead_letters),
        TopicSpec(kafka.usage_topic, partitions, {"cleanup.policy": "delete"}),
        TopicSpec(kafka.findings_topic, 1, {"cleanup.policy": "delete"}),
        TopicSpec(kafka.signals_topic, 1, {"cleanup.policy": "compact"}),
    )


def create_topics(
    admin: AdminClient, topics: Sequence[TopicSpec], *, timeout_s: float = 30.0
) -> list[TopicDifference]:
    """Create the topics that do not exist, wait until they can be written, and compare those that do.

    Existing topics are never changed: more partitions would move keys, and a shorter limit would lose events.

    Returns:
        What differs from the specification, in its order; empty when all is as it should be.

    Raises:
        ConfigError: The broker refuses a setting.
        NotAllowedError: The client may not create or describe topics.
        RetryableError: No answer in time.
    """
    deadline = time.monotonic() + timeout_s
    new = [Creation(t.name, t.partitions, _BROKER_DEFAULT, config=dict(t.config)) for t in topics]
    for name, future in admin.create_topics(new, request_timeout=timeout_s).items():
        try:
            future.result(timeout_s)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise refusal(error, f"create topic {name}") from error
    _wait_writable(admin, [topic.name for topic in topics], deadline)
    return topic_differences(admin, topics, timeout_s=timeout_s)


def topic_differences(
    admin: AdminClient, topics: Sequence[TopicSpec], *, timeout_s: float = 30.0
) -> list[TopicDifference]:
    """Return where existing topics differ from what they must look like.

    Raises:
        NotFoundError: A topic does not exist.
        NotAllowedError: The client may not describe topics.
        RetryableError: No answer in time.
    """
    resources = [Resource(Kind.TOPIC, topic.name) for topic in topics]
    configs = admin.describe_configs(resources, request_timeout=timeout_s)
    partitions = _partition_counts(admin, timeout_s)
    differences: list[TopicDifference] = []
    for topic, resource in zip(topics, resources, strict=True):
        entries = answer(configs[resource], timeout_s, f"describe topic {topic.name}")
        found = {name: entry.value or "" for name, entry in entries.items()}
        found["partitions"] = str(partitions.get(topic.name, 0))
        expected = {"partitions": str(topic.partitions), **topic.config}
        differences += [
            TopicDifference(topic.name, name, value, found.get(name, ""))
            for name, value in expected.items()
            if found.get(name) != value
        ]
    return differences


def topic_epoch(admin: AdminClient, topic: str, *, timeout_s: float = 30.0) -> str:
    """Return the epoch of a topic's logs: the first 8 hex digits of the id that Kafka gave this incarnation.

    Raises:
        NotFoundError: The topic does not exist.
        NotAllowedError: The client may not describe it.
        RetryableError: No answer in time; the in-process broker never answers.
    """
    futures = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)
    return _epoch(answer(futures[topic], timeout_s, f"describe topic {topic}").topic_id)


def _epoch(topic_id: Any) -> str:
    """Return the first 32 bits in hex of a `confluent_kafka.Uuid`, whose stub lacks its methods.

    The number is taken and not the text: confluent_kafka prints ids with the base64 alphabet of `+` and `/`,
    Kafka itself with `-` and `_`.
    """
    upper_64_bits: int = topic_id.get_most_significant_bits() % (1 << 64)
    return f"{upper_64_bits >> 32:08x}"


def _wait_writable(admin: AdminClient, names: Sequence[str], deadline: float) -> None:
    """Wait until every partition has a leader: Kafka answers the creation before its brokers know of it."""
    missing = set(names)
    while time.monotonic() < deadline:
        found = _list_topics(admin, max(0.1, deadline - time.monotonic()))
        missing = {
            name
            for name in names
            if name not in found or any(p.leader < 0 for p in found[name].partitions.values())
        }
        if not missing:
            return
        time.sleep(_POLL_S)
    raise RetryableError(f"topic {min(missing)} did not become writable in time")


def _partition_counts(admin: AdminClient, timeout_s: float) -> dict[str, int]:
    return {name: len(topic.partitions) for name, topic in _list_topics(admin, timeout_s).items()}


def _list_topics(admin: AdminClient, timeout_s: float) -> dict[str, Any]:
    # All topics and not one by name: asking for one creates it where the broker creates topics by itself.
    try:
        topics: dict[str, Any] = admin.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise refusal(error, "list topics") from error
    return topics
