"""The product's topics on a real Kafka: made as specified, never changed, differences told."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from confluent_kafka import KafkaException

from auditstream.core.errors import ConfigError, NotFoundError
from auditstream.core.settings import KafkaSettings
from auditstream.embedded import topics

pytestmark = pytest.mark.kafka


@pytest.fixture
def names() -> KafkaSettings:
    """Topic names that belong to this test."""
    tail = uuid.uuid4().hex[:8]
    return KafkaSettings(
        events_topic=f"audit.events.{tail}",
        direct_topics=(f"audit.direct.acme.{tail}",),
        dead_letter_topic=f"audit.dlq.{tail}",
        usage_topic=f"audit.usage.{tail}",
        findings_topic=f"audit.findings.{tail}",
    )


def test_created_topics_are_as_specified_and_creating_them_again_changes_nothing(kafka, names):
    wanted = topics.product_topics(names, partitions=3)

    assert topics.create_topics(kafka.admin, wanted) == []
    assert topics.create_topics(kafka.admin, wanted) == []

    found = kafka.admin.list_topics(timeout=10).topics
    assert [len(found[topic.name].partitions) for topic in wanted] == [3, 3, 1, 3, 1, 1]


def test_each_difference_of_an_existing_topic_is_told(kafka, names):
    events = topics.product_topics(names)[0]
    kafka.create_topic(events.name, 2, {"cleanup.policy": "compact"})

    differences = topics.create_topics(kafka.admin, [events])

    assert sorted(str(difference) for difference in differences) == [
        f"topic {events.name}: cleanup.policy is compact, expected delete",
        f"topic {events.name}: max.message.bytes is 1048588, expected 1048576",
        f"topic {events.name}: message.timestamp.type is CreateTime, expected LogAppendTime",
        f"topic {events.name}: partitions is 2, expected 4",
    ]


def test_the_largest_event_still_fits_as_a_dead_letter_with_its_reason(kafka, names):
    events, _, dead_letters, *_ = topics.product_topics(names)
    topics.create_topics(kafka.admin, [events, dead_letters])
    client = {"message.max.bytes": 2 * topics.MAX_EVENT_BYTES}
    largest = bytes(topics.MAX_EVENT_BYTES - 80)  # a batch of one record adds 68 to 80 bytes
    reason = [("reason", b"undecodable"), ("origin", b"x" * 4096)]

    kafka.produce(events.name, [largest], settings=client)
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        kafka.produce(events.name, [largest], headers=reason, settings=client)

    kafka.produce(dead_letters.name, [largest], headers=reason, settings=client)


def test_a_refused_setting_names_the_topic_and_the_setting(kafka):
    spec = topics.TopicSpec(f"refused-{uuid.uuid4().hex}", 1, {"retention.misspelt": "1"})

    with pytest.raises(ConfigError, match=rf"create topic {spec.name}: .*retention\.misspelt"):
        topics.create_topics(kafka.admin, [spec])


def test_a_topic_that_is_not_there_has_no_epoch_and_is_not_made_by_asking(kafka):
    name = f"absent-{uuid.uuid4().hex}"

    with pytest.raises(NotFoundError, match=name):
        topics.topic_epoch(kafka.admin, name)
    with pytest.raises(NotFoundError, match=name):
        topics.topic_differences(kafka.admin, [topics.TopicSpec(name, 1, {})])

    assert name not in kafka.admin.list_topics(timeout=10).topics


def test_more_partitions_than_wanted_are_told_too(kafka, names):
    usage = next(t for t in topics.product_topics(names) if t.name == names.usage_topic)
    topics.create_topics(kafka.admin, [usage])

    fewer = dataclasses.replace(usage, partitions=1)

    assert [d.setting for d in topics.topic_differences(kafka.admin, [fewer])] == ["partitions"]
