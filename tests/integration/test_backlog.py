"""What waits on a real Kafka to be recorded, against the time after which Kafka deletes it."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from auditstream.query.backlog import Backlog, backlogs, retention_ms
from tests.conftest import MakeGroup, MakeTopic
from tests.support.brokers import Broker

pytestmark = pytest.mark.kafka

HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS


def commit(kafka: Broker, group: str, topic: str, offset: int) -> None:
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": group, "enable.auto.commit": False}
    )
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def test_the_age_of_the_oldest_unrecorded_record_is_held_against_the_retention(
    kafka: Broker, topic: MakeTopic, group: MakeGroup
) -> None:
    name, workers = topic(partitions=1, **{"retention.ms": str(WEEK_MS)}), group()
    connection = {"bootstrap.servers": kafka.bootstrap}
    now_ms = int(time.time() * 1000)
    for age_ms in (10 * HOUR_MS, 6 * HOUR_MS, 1 * HOUR_MS):
        kafka.produce(name, [b"x"], partition=0, timestamp_ms=now_ms - age_ms)

    def asked(retention: int | None) -> list[Backlog]:
        return backlogs(connection, workers, {name: retention}, now_ms=now_ms)

    assert retention_ms(connection, [name]) == {name: WEEK_MS}
    # Nothing was ever committed: all of it waits.
    assert asked(8 * HOUR_MS) == [Backlog(name, 0, 0, 0, 8 * HOUR_MS, is_half_over=True, is_over=True)]
    commit(kafka, workers, name, 1)
    assert asked(8 * HOUR_MS) == [Backlog(name, 0, 1, 0, 8 * HOUR_MS, is_half_over=True)]
    assert asked(5 * HOUR_MS) == [Backlog(name, 0, 1, 0, 5 * HOUR_MS, is_half_over=True, is_over=True)]
    assert asked(13 * HOUR_MS) == [Backlog(name, 0, 1, 0, 13 * HOUR_MS)]
    assert asked(None) == [Backlog(name, 0, 1, 0, None)]

    place = TopicPartition(name, 0, 2)
    kafka.admin.delete_records([place])[place].result(30)
    [backlog] = asked(8 * HOUR_MS)
    assert (backlog.recorded_to, backlog.log_start, backlog.lost) == (1, 2, 1)

    commit(kafka, workers, name, 3)
    assert asked(8 * HOUR_MS) == []


def test_a_topic_that_keeps_all_has_no_retention(kafka: Broker, topic: MakeTopic) -> None:
    name = topic(partitions=1, **{"retention.ms": "-1"})

    assert retention_ms({"bootstrap.servers": kafka.bootstrap}, [name]) == {}
