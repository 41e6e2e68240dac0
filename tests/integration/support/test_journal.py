"""The journal says of every event what a consumer of the topic sees."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.support.brokers import Broker
from tests.support.journal import Journal, plain
from tests.support.processes import wait_until

BOUND_S = 20.0

MakeTopic = Callable[..., str]
PARTITIONS = 4


def consume(brokers: str, topic: str, count: int) -> dict[tuple[int, int], bytes]:
    """Read `count` records from the topic's beginning: value by partition and offset."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found: dict[tuple[int, int], bytes] = {}
    while len(found) < count:
        batch = consumer.consume(count, timeout=BOUND_S)
        assert batch, f"{len(found)} of {count} records came"
        for message in batch:
            assert message.error() is None
            found[message.partition() or 0, message.offset() or 0] = message.value() or b""
    consumer.close()
    return found


def test_every_acknowledged_event_is_in_the_topic_at_its_place(kafka: Broker, topic: MakeTopic) -> None:
    name = topic()
    with Journal(kafka.bootstrap, name, partitions=PARTITIONS, rate_per_s=2_000, limit=500) as journal:
        journal.await_acknowledgements(500, within_s=BOUND_S)
        journal.stop()
    found = consume(kafka.bootstrap, name, 500)
    ids = {place: event_id for event_id, places in journal.acknowledged.items() for place in places}
    assert {place: uuid.UUID(bytes=value[:16]) for place, value in found.items()} == ids
    assert {partition for partition, _ in ids} == set(range(PARTITIONS))
    assert (journal.records, journal.acknowledgements, journal.uncertain) == (500, 500, set())


def test_repeats_go_to_the_partition_of_the_first_with_the_same_bytes(
    kafka: Broker, topic: MakeTopic
) -> None:
    name = topic()
    with Journal(
        kafka.bootstrap, name, partitions=PARTITIONS, rate_per_s=5_000, limit=400, repeat_share=0.3, seed=5
    ) as journal:
        journal.await_acknowledgements(400, within_s=BOUND_S)
        journal.stop()
    found = consume(kafka.bootstrap, name, 400)
    repeated = [places for places in journal.acknowledged.values() if len(places) > 1]
    assert len(repeated) > 50
    for places in repeated:
        assert len({partition for partition, _ in places}) == 1
        assert len({found[place] for place in places}) == 1


def test_the_rate_is_kept(kafka: Broker, topic: MakeTopic) -> None:
    started_s = time.monotonic()
    with Journal(kafka.bootstrap, topic(), partitions=1, rate_per_s=200) as journal:
        journal.await_acknowledgements(100, within_s=BOUND_S)
        records, elapsed_s = journal.records, time.monotonic() - started_s
        journal.stop()
    assert 100 <= records <= elapsed_s * 200
    assert journal.acknowledgements == journal.records


def test_an_event_that_kafka_never_acknowledges_is_uncertain() -> None:
    nowhere = Journal(
        "127.0.0.1:9",
        "nowhere",
        partitions=1,
        rate_per_s=1_000,
        limit=5,
        settings={"log_level": 0, "error_cb": lambda error: None},
    )
    with nowhere:
        wait_until(lambda: nowhere.records == 5, within_s=BOUND_S, what="all events are sent")
        with pytest.raises(TimeoutError, match="5 records"):
            nowhere.stop(within_s=0.3)
    assert len(nowhere.uncertain) == 5
    assert nowhere.acknowledged == {}


def test_a_failure_to_encode_is_raised_in_the_test(kafka: Broker, topic: MakeTopic) -> None:
    def broken(event_id: uuid.UUID, number: int) -> bytes:
        raise ValueError("no such event")

    journal = Journal(kafka.bootstrap, topic(), partitions=1, rate_per_s=100, encode=broken)
    with journal, pytest.raises(Exception, match="no such event"):
        journal.await_acknowledgements(1, within_s=BOUND_S)


def test_plain_values_begin_with_the_id_as_printed() -> None:
    event_id = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    value = plain(event_id, 258)
    assert value[:24].hex() == "00112233445566778899aabbccddeeff" + "0000000000000102"
    assert len(value) == 48
