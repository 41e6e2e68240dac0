"""The epoch of a topic: which incarnation of its name the offsets belong to."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from auditstream.core.errors import RetryableError


def topic_epochs(client: AdminClient, topics: Iterable[str], *, timeout_s: float = 10.0) -> dict[str, str]:
    """Return the first 8 hex digits of each topic's Kafka id (KIP-516).

    A topic that is deleted and created again starts at offset 0 with another id: its log is another log, and
    tokens of the old one never match.

    Raises:
        RetryableError: The broker does not answer, or does not know a topic.
    """
    names = list(topics)
    try:
        described = client.describe_topics(TopicCollection(names), request_timeout=timeout_s)
        found = {name: future.result(timeout_s + 1) for name, future in described.items()}
    except (KafkaException, TimeoutError) as error:
        raise RetryableError(f"cannot read the ids of topics {names}: {error}") from error
    return {name: _hex(description.topic_id)[:8] for name, description in found.items()}


def _hex(topic_id: object) -> str:
    """Return Kafka's Uuid (two signed 64-bit halves) as 32 hex digits."""
    high = topic_id.get_most_significant_bits()  # type: ignore[attr-defined]
    low = topic_id.get_least_significant_bits()  # type: ignore[attr-defined]
    mask = (1 << 64) - 1
    return f"{high & mask:016x}{low & mask:016x}"
