"""Producing to a broker that is there, away, killed, and back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed
from confluent_kafka import Message, Producer

from auditstream.core.errors import RetryableError
from auditstream.core.ports import Outbound, Placed
from auditstream.core.settings import KafkaSettings
from auditstream.embedded.jvm_kafka import RunningKafka
from auditstream.embedded.loopback_ports import free_port
from streams.event_producer import EventProducer, new_event_producer
from streams.producer_start import started, stopped
from tests.conftest import MakeTopic
from tests.support.brokers import Broker

HEADERS = (("ce_id", b"1"), ("ce_type", b"t"))


def message(topic: str, number: int, key: str = "") -> Outbound:
    return Outbound(topic, (key or f"acme|c-{number % 17}").encode(), b"%d" % number, HEADERS)


@asynccontextmanager
async def producer(bootstrap: str, topic: str, most_bytes: int = 1 << 22) -> AsyncIterator[EventProducer]:
    made = new_event_producer(KafkaSettings(brokers=bootstrap), topics=[topic], most_bytes=most_bytes)
    made.start()
    try:
        yield made
    finally:
        await made.stop(within_s=5)


def everything(broker: Broker, topic: str, count: int) -> dict[Placed, bytes]:
    found = broker.consume(topic, count)
    return {Placed(topic, each.partition() or 0, each.offset() or 0): each.value() or b"" for each in found}


async def test_each_message_is_where_its_receipt_says(kafka: Broker, topic: MakeTopic) -> None:
    name = topic()
    messages = [message(name, number) for number in range(3_000)]
    async with producer(kafka.bootstrap, name) as sender:
        halves: Sequence[list[Placed | None]] = await asyncio.gather(
            sender.send(messages[:1_500], within_s=30), sender.send(messages[1_500:], within_s=30)
        )
    placed = [*halves[0], *halves[1]]

    there = everything(kafka, name, 3_000)
    assert [there[place] for place in placed if place is not None] == [each.value for each in messages]


async def test_what_is_sent_at_once_is_told_of_by_partition_and_is_where_it_says(
    kafka: Broker, topic: MakeTopic
) -> None:
    name = topic()
    messages = [message(name, number) for number in range(1_000)]
    placed: dict[int, Placed] = {}
    calls: list[set[int]] = []
    over = asyncio.Event()

    def told(indexes: Sequence[int], places: Sequence[Placed] | RetryableError) -> None:
        assert not isinstance(places, RetryableError)
        placed.update(zip(indexes, places, strict=True))
        calls.append({place.partition for place in places})
        if len(placed) == len(messages):
            over.set()

    async with producer(kafka.bootstrap, name) as sender:
        assert not sender.send_now(messages, within_s=30, told=told)  # nobody knows the partitions yet
        await sender.send([message(name, 1_000, "first")], within_s=30)
        assert sender.send_now(messages, within_s=30, told=told)
        assert sender.waiting_bytes > 0
        await asyncio.wait_for(over.wait(), 30)
        while sender.waiting_bytes:
            await asyncio.sleep(0)

    there = everything(kafka, name, 1_001)
    assert [there[placed[number]] for number in range(1_000)] == [each.value for each in messages]
    assert all(len(partitions) == 1 for partitions in calls)
    assert sorted(next(iter(partitions)) for partitions in calls) == sorted(set().union(*calls))


async def test_what_would_have_to_wait_for_room_is_not_sent_at_once(kafka: Broker, topic: MakeTopic) -> None:
    name = topic()
    async with producer(kafka.bootstrap, name, most_bytes=65_536) as sender:
        await sender.send([message(name, 0)], within_s=30)
        large = [Outbound(name, b"acme|c-1", bytes(20_000), HEADERS)]
        outcomes = [sender.send_now(large, within_s=30, told=lambda *_: None) for _ in range(4)]

        assert outcomes == [True, True, True, False]
        assert not sender.send_now(large * 2, within_s=30, told=lambda *_: None)
        assert len(await sender.send(large, within_s=30)) == 1


async def test_what_was_sent_at_once_and_is_not_acknowledged_in_time_is_told_as_an_error(
    kafka: Broker, topic: MakeTopic
) -> None:
    name = topic()
    found: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    async with producer(kafka.bootstrap, name) as sender:
        await sender.send([message(name, 0)], within_s=30)
        assert sender.send_now([message(name, 1)], within_s=0.0, told=lambda _, said: found.set_result(said))

        assert isinstance(await found, RetryableError)
        assert len(await sender.send([message(name, 2)], within_s=30)) == 1


async def test_a_key_has_the_partition_and_the_order_that_javas_clients_give_it(
    kafka: Broker, topic: MakeTopic
) -> None:
    name = topic()
    keys = [f"tenant|{uuid.uuid4()}" for _ in range(50)]
    async with producer(kafka.bootstrap, name) as sender:
        ours = await sender.send([message(name, 0, key) for key in keys], within_s=30)
        order = await asyncio.gather(
            *(sender.send([message(name, number, "one|key")], within_s=30) for number in range(200))
        )
    librdkafka = Producer(
        {"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "log_level": 2}
    )
    theirs: dict[str, int | None] = {}

    def settle(error: object, delivered: Message) -> None:
        theirs[(delivered.key() or b"").decode()] = delivered.partition()

    for key in keys:
        librdkafka.produce(name, b"x", key.encode(), on_delivery=settle)
    assert librdkafka.flush(30) == 0

    assert [place.partition for place in ours if place is not None] == [theirs[key] for key in keys]
    offsets = [places[0].offset for places in order if places[0] is not None]
    assert offsets == sorted(offsets)


async def test_a_broker_that_is_not_there_is_an_error_in_time_and_nothing_piles_up(topic_name: str) -> None:
    async with producer(f"127.0.0.1:{free_port()}", topic_name, most_bytes=65_536) as sender:
        work = [sender.send([message(topic_name, number)] * 100, within_s=1.0) for number in range(20)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)

        assert all(isinstance(each, RetryableError) for each in outcomes), outcomes
        assert not sender.is_connected
        assert sender.waiting_bytes <= 65_536


@pytest.fixture
def topic_name() -> str:
    return f"nowhere-{uuid.uuid4().hex[:8]}"


@pytest.mark.kafka
@pytest.mark.fault
@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_broker_that_is_killed_and_comes_back_has_everything_once_and_in_order(
    own_kafka: RunningKafka, tmp_path: Path
) -> None:
    broker = Broker("jvm", own_kafka.bootstrap, own_kafka)
    broker.create_topic("events", 4)
    async with producer(own_kafka.bootstrap, "events") as sender:
        await sender.send([message("events", 0)], within_s=30)
        await asyncio.to_thread(own_kafka.kill)
        handed = [
            asyncio.create_task(sender.send([message("events", number)], within_s=120))
            for number in range(1, 500)
        ]
        with pytest.raises(RetryableError):
            await sender.send([message("events", 500)], within_s=1.0)
        assert not sender.is_connected
        await asyncio.to_thread(own_kafka.restart)
        placed = [(await each)[0] for each in handed]

        assert sender.is_connected
        assert sender.waiting_bytes == 0
    there = everything(broker, "events", 501)
    assert sorted(int(value) for value in there.values()) == list(range(501))
    assert [there[place] for place in placed if place is not None] == [b"%d" % each for each in range(1, 500)]


async def test_a_producer_that_cannot_send_what_it_holds_is_closed_all_the_same(
    kafka: Broker, topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.producer_start._STOP_S", 0.05)
    name, before = topic(), asyncio.all_tasks()
    made = await started(
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)
    )
    await made.partitions_for(name)
    made.client.cluster.leader_for_partition = lambda _: -1
    batch = made.create_batch()
    batch.append(timestamp=None, key=b"k", value=b"v", headers=[])
    batch.close()
    sending = await made.send_batch(batch, name, partition=0)
    await stopped(made)

    with pytest.raises(ProducerClosed):
        await sending
    while asyncio.all_tasks() - before:
        await asyncio.sleep(0)


async def test_a_partition_without_a_leader_is_asked_about_at_a_pace(
    kafka: Broker, topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = topic()
    made: list[AIOKafkaProducer] = []
    asked: list[object] = []

    def kept(**settings: Any) -> AIOKafkaProducer:
        made.append(AIOKafkaProducer(**settings))
        return made[-1]

    monkeypatch.setattr("streams.event_producer.AIOKafkaProducer", kept)
    async with producer(kafka.bootstrap, name) as sender:
        await sender.send([message(name, 1)], within_s=30)
        cluster = made[0].client.cluster
        cluster.leader_for_partition = lambda _: -1  # as a broker says of itself while it stops
        cluster.add_listener(asked.append)
        with pytest.raises(RetryableError):
            await sender.send([message(name, 2)], within_s=2)
        del cluster.leader_for_partition

    assert 3 <= len(asked) <= 25
    assert len(everything(kafka, name, 2)) == 2
